import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import TrainerCallback

from lyrist.errors import LyristError, UsageError
from lyrist.models.recurrent import RecurrentOptions, lstm
from lyrist.models.registry import Shape
from lyrist.training import journal, loop
from lyrist.training.batches import TokenExamples
from lyrist.training.image_training import Unfreeze
from lyrist.training.journal import CHECKPOINTS, last_checkpoint
from lyrist.training.loop import Loop, train
from lyrist.training.schedule import Schedule


def data(n: int = 40, seed: int = 0, noise: bool = False) -> TokenExamples:
    """Return sequences whose class is the token that occurs in them most (or, with noise, has nothing to do with it)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n, dtype=np.int64) % 3
    ids = [rng.integers(2, 20, rng.integers(3, 15)).astype(np.int32) for _ in range(n)]
    for row, label in zip(ids, labels, strict=True):
        row[::2] = 5 + label
    return TokenExamples(ids, 0, rng.permutation(labels) if noise else labels)


def network(dropout: float = 0.2, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    options = RecurrentOptions(embedding_size=8, hidden=8, dropout=dropout, word_dropout=dropout)
    return lstm(options, Shape(20, 0, ("a", "b", "c")))


SCHEDULE = Schedule(
    steps=24, batch_size=8, evaluate_every=6, log_every=4, learning_rate=0.02, precision="float32", device="cpu"
)


def without_clock(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_it_learns_and_says_so(tmp_path: Path) -> None:
    outcome = train(network(0.0), data(), data(seed=1), SCHEDULE, folder=tmp_path)
    rows = journal.read(tmp_path)
    assert rows == outcome.metrics
    assert set(rows[0]) == {"step", "epoch", "split", "loss", "accuracy", "tokens", "seconds"}
    validation = [row for row in rows if row["split"] == "validation"]
    assert [row["step"] for row in validation] == [0, 6, 12, 18, 24]
    assert [row["step"] for row in rows if row["split"] == "train"] == [4, 6, 8, 12, 16, 18, 20, 24]
    assert validation[0]["loss"] == pytest.approx(np.log(3), abs=0.1)
    assert validation[-1]["accuracy"] > 0.6
    assert validation[-1]["loss"] < validation[0]["loss"] - 0.2
    assert outcome.best_loss == min(row["loss"] for row in validation)
    assert outcome.steps == 24
    assert outcome.tokens == rows[-1]["tokens"]
    assert 0 <= outcome.padding < 0.3
    assert outcome.tokens_per_second > 0
    assert rows[-1]["epoch"] == pytest.approx(24 / 5)
    assert (outcome.device, outcome.precision, outcome.processes) == ("cpu", "float32", 1)


def test_the_same_seed_gives_the_same_run_and_leaves_the_callers_generators_alone() -> None:
    runs = []
    for _ in range(2):
        torch.manual_seed(9)
        model = network()
        torch.manual_seed(11)
        outcome = train(model, data(), data(seed=1), SCHEDULE)
        assert torch.equal(torch.rand(1), torch.rand(1, generator=torch.Generator().manual_seed(11)))
        runs.append(without_clock(outcome.metrics))
    assert runs[0] == runs[1]


def test_the_best_weights_are_kept() -> None:
    model, held = network(), data(seed=1, noise=True)
    outcome = train(model, data(), held, SCHEDULE)
    batch = held.collate(np.arange(len(held)))
    with torch.no_grad():
        loss = model(**batch).loss.item()
    assert outcome.best_step < outcome.steps
    assert loss == pytest.approx(outcome.best_loss, rel=1e-5)


def test_averaged_weights_are_validated_and_kept() -> None:
    schedule = Schedule(**{**SCHEDULE.__dict__, "average": 0.8})
    model, held = network(), data(seed=1)
    outcome = train(model, data(), held, schedule)
    plain = train(network(), data(), held, SCHEDULE)
    ways = [[row["loss"] for row in run.metrics if row["split"] == "train"] for run in (outcome, plain)]
    assert ways[0] == ways[1]  # what is averaged does not change the way
    with torch.no_grad():
        assert model(**held.collate(np.arange(len(held)))).loss.item() == pytest.approx(outcome.best_loss, rel=1e-5)
    alone = network()
    train(alone, data(), None, schedule)
    with torch.no_grad():
        last = alone(**held.collate(np.arange(len(held)))).loss.item()
    assert last == pytest.approx(outcome.metrics[-1]["loss"], rel=1e-5)


def test_patience_stops_early() -> None:
    schedule = Schedule(**{**SCHEDULE.__dict__, "schedule": "constant", "patience": 2, "steps": 500})
    outcome = train(network(), data(), data(seed=1, noise=True), schedule)
    assert outcome.steps < 100
    assert outcome.best_step == outcome.steps - 2 * 6


def test_a_plateau_lowers_the_rate_and_no_validation_is_needed() -> None:
    schedule = Schedule(**{**SCHEDULE.__dict__, "schedule": "plateau"})
    outcome = train(network(), data(), None, schedule)
    assert outcome.best_step == outcome.steps == 24
    assert outcome.best_loss is None
    assert {row["split"] for row in outcome.metrics} == {"train"}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock of the training loop that moves on by a second each time it is read."""
    readings = itertools.count(1000.0)
    monkeypatch.setattr("lyrist.training.loop.time", SimpleNamespace(monotonic=lambda: next(readings)))


@pytest.mark.usefixtures("clock")
def test_a_budget_in_minutes_ends_in_time() -> None:
    schedule = Schedule(minutes=1, batch_size=8, evaluate_every=1000, precision="float32", device="cpu")
    outcome = train(network(), data(), data(seed=1), schedule)
    assert 60 <= outcome.seconds < 75
    assert 5 < outcome.steps <= 60
    assert outcome.metrics[-1]["split"] == "validation"


@pytest.mark.usefixtures("clock")
def test_a_budget_in_minutes_is_validated_on_the_way() -> None:
    schedule = Schedule(minutes=4, batch_size=1, precision="float32", device="cpu")
    outcome = train(network(), data(300), data(seed=1), schedule)
    steps = [row["step"] for row in outcome.metrics if row["split"] == "validation"]
    assert outcome.steps < 300
    assert 4 <= len(steps) <= 12
    assert steps[0] == 0
    assert steps[-1] == outcome.steps


def test_small_batches_that_add_up_give_the_same_gradients() -> None:
    losses = []
    for accumulate in (1, 4):
        schedule = Schedule(**{**SCHEDULE.__dict__, "accumulate": accumulate, "steps": 8})
        losses.append(train(network(0.0), data(), data(seed=1), schedule).metrics[-1]["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_a_loss_that_is_no_number_is_told() -> None:
    schedule = Schedule(
        **{**SCHEDULE.__dict__, "learning_rate": 1e30, "clip": 0.0, "schedule": "constant", "warmup": 0}
    )
    with pytest.raises(LyristError, match="lower --learning-rate"):
        train(network(), data(), data(seed=1), schedule)


class Kill(TrainerCallback):
    """Ends a run at a step, as a kill would: nothing more is written."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("step", "average"), [(3, 0.0), (6, 0.5), (13, 0.9), (24, 0.0)])
def test_an_interrupted_run_ends_like_one_that_was_not(
    step: int, average: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    schedule = Schedule(**{**SCHEDULE.__dict__, "average": average})
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    calm = network()
    expected = train(calm, data(), data(seed=1), schedule, folder=whole)
    with pytest.raises(KeyboardInterrupt):
        train(network(), data(), data(seed=1), schedule, folder=broken, callbacks=[lambda loop: Kill(step)])
    with (broken / journal.FILE).open("a") as handle:
        handle.write('{"step": 1')  # the kill came in the middle of a line
    resumed = network(seed=5)  # its weights come from the checkpoint, or from the seed where there is none
    resumed.load_state_dict(network().state_dict())
    outcome = train(resumed, data(), data(seed=1), schedule, folder=broken, resume=True)
    assert without_clock(outcome.metrics) == without_clock(expected.metrics)
    assert without_clock(journal.read(broken)) == without_clock(expected.metrics)
    assert (outcome.tokens, outcome.padding, outcome.best_step) == (
        expected.tokens,
        expected.padding,
        expected.best_step,
    )
    for name, value in calm.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])


def test_what_was_before_an_interruption_counts_towards_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features that were thawed before it are not frozen a second time."""
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    schedule = Schedule(minutes=10, batch_size=8, evaluate_every=1, precision="float32", device="cpu")
    parts: list[Any] = [SimpleNamespace(frozen=None) for _ in range(2)]

    def late(loop: Loop) -> TrainerCallback:
        loop.before["seconds"] = 240.0  # as if four minutes had passed
        return Kill(4)

    for part, more in zip(parts, (late, lambda loop: Kill(6)), strict=True):
        with pytest.raises(KeyboardInterrupt):
            train(
                network(), data(), data(seed=1), schedule, folder=tmp_path, resume=part is parts[1],
                callbacks=[partial(Unfreeze, part, 0.3), more],
            )  # fmt: skip
    assert [part.frozen for part in parts] == [False, False]


def test_a_finished_run_that_is_resumed_trains_no_more(tmp_path: Path) -> None:
    first = train(network(), data(), data(seed=1), SCHEDULE, folder=tmp_path)
    model = network(seed=3)
    again = train(model, data(), data(seed=1), SCHEDULE, folder=tmp_path, resume=True)
    assert without_clock(again.metrics) == without_clock(first.metrics)
    assert again.steps == first.steps


def test_checkpoints_are_whole_or_absent_and_only_the_last_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    train(network(), data(), data(seed=1), SCHEDULE, folder=tmp_path)
    assert [path.name for path in (tmp_path / CHECKPOINTS).iterdir()] == ["checkpoint-24"]
    (tmp_path / CHECKPOINTS / "partial").mkdir()
    (tmp_path / CHECKPOINTS / "partial" / "checkpoint-30").mkdir()
    found = last_checkpoint(tmp_path)
    assert found is not None
    assert found.name == "checkpoint-24"


def test_other_settings_are_refused_on_resume(tmp_path: Path) -> None:
    train(network(), data(), data(seed=1), SCHEDULE, folder=tmp_path)
    other = Schedule(**{**SCHEDULE.__dict__, "learning_rate": 0.5})
    with pytest.raises(LyristError, match="learning_rate"):
        train(network(), data(), data(seed=1), other, folder=tmp_path, resume=True)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    train(network(), data(), data(seed=1), SCHEDULE, folder=tmp_path)
    assert capfd.readouterr() == ("", "")


SCRIPT = """
import atexit, json, os, signal, sys
from dataclasses import replace
sys.path.insert(0, {here!r})
from test_loop import SCHEDULE, Kill, data, network
import torch
from pathlib import Path
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from lyrist import progress
from lyrist.training import loop

class Killed(Kill):
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGKILL)

def work(name, kill=0, resume=False):
    progress.quiet()
    torch.set_num_threads(1)
    loop.SAVE_SECONDS = 0.0
    schedule = replace(SCHEDULE, steps=12, evaluate_every=4, accumulate=2)
    folder = Path({folder!r}) / name
    callbacks = [lambda loop: Killed(kill)]
    outcome = loop.train(network(0.0), data(), data(seed=1), schedule, folder=folder, callbacks=callbacks, resume=resume)
    atexit._run_exitfuncs()
    threads = [file.read_text().strip() for file in Path("/proc/self/task").glob("*/comm")]
    figures = [outcome.processes, outcome.tokens, outcome.metrics, threads]
    (folder / ("rank-" + os.environ["RANK"])).write_text(json.dumps(figures))

def launch(*given):
    config = LaunchConfig(
        1, 1, 2, run_id="run", rdzv_backend="c10d", rdzv_endpoint="localhost:0", start_method="fork", max_restarts=0
    )
    try:
        elastic_launch(config, work)(*given)
    except ChildFailedError as error:
        return sorted(failure.exitcode for failure in error.failures.values())

for name in ("whole", "broken"):
    (Path({folder!r}) / name).mkdir()
codes = [launch("whole"), launch("broken", 6), launch("broken", 0, True)]
(Path({folder!r}) / "codes").write_text(json.dumps(codes))
"""
"""Two processes by the agent of torchrun, forked, because each import of torch takes seconds."""


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of two processes, and of one whose second process is killed and that is resumed."""
    folder = tmp_path_factory.mktemp("together")
    script = SCRIPT.format(here=str(Path(__file__).parent), folder=str(folder))
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return folder


def of_ranks(run: Path) -> list[Any]:
    return [json.loads((run / f"rank-{rank}").read_text()) for rank in (0, 1)]


@pytest.mark.slow
def test_two_processes_that_accumulate_gradients_give_the_figures_of_one_that_does_not(together: Path) -> None:
    alone = train(
        network(0.0), data(), data(seed=1), Schedule(**{**SCHEDULE.__dict__, "steps": 12, "evaluate_every": 4})
    )
    ranks = of_ranks(together / "whole")
    assert [processes for processes, *_ in ranks] == [2, 2]
    rows = journal.read(together / "whole")
    assert [(row["step"], row["split"], row["tokens"]) for row in rows] == [
        (row["step"], row["split"], row["tokens"]) for row in alone.metrics
    ]
    for mine, theirs in zip(rows, alone.metrics, strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=2e-3)
    assert ranks[0][1] == alone.tokens


@pytest.mark.slow
def test_a_killed_rank_ends_the_run_which_resumes_to_the_figures_of_an_undisturbed_one(together: Path) -> None:
    whole, killed, resumed = json.loads((together / "codes").read_text())
    assert whole is resumed is None
    assert set(killed) <= {-signal.SIGKILL, 1}, "1: the other process was seen first, with a lost connection"
    assert killed
    rows = journal.read(together / "broken")
    assert without_clock(rows) == without_clock(journal.read(together / "whole"))
    assert of_ranks(together / "broken")[0][:2] == of_ranks(together / "whole")[0][:2]


@pytest.mark.slow
def test_no_thread_of_the_process_group_is_left_when_the_interpreter_exits(together: Path) -> None:
    """Such a thread aborts the process if it releases its last tensor too late."""
    for run in ("whole", "broken"):
        for *_, threads in of_ranks(together / run):
            assert not [name for name in threads if "gloo" in name]


def test_tensorboard_sees_what_the_journal_holds(tmp_path: Path) -> None:
    train(network(), data(), data(seed=1), dataclasses.replace(SCHEDULE, track="tensorboard"), folder=tmp_path)
    seen = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    for split, name in (("train", "train/loss"), ("validation", "eval/loss"), ("validation", "eval/accuracy")):
        told = {event.step: event.value for event in seen.Scalars(name)}
        rows = {row["step"]: row[name.partition("/")[2]] for row in journal.read(tmp_path) if row["split"] == split}
        assert told == pytest.approx(rows, rel=1e-6)
        assert len(rows) >= 3


def test_a_tracker_that_is_not_known_or_not_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"There is no tracker 'tensorbord'. Did you mean 'tensorboard'"):
        loop.tracker("tensorbord", tmp_path)
    with pytest.raises(LyristError, match="--track wandb needs a package that is not installed"):
        loop.tracker("wandb", tmp_path)
    assert loop.tracker("", tmp_path) == ()
    monkeypatch.setenv("RANK", "1")
    assert loop.tracker("tensorboard", tmp_path) == ()
    assert not list(tmp_path.iterdir())
