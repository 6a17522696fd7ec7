import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lyrist.errors import LyristError, UsageError
from lyrist.models.registry import configure, get, parameters
from lyrist.training.schedule import FIRST, LAST, Schedule, device_for, half_precision, options_of

KINDS = ["one-cycle", "linear", "cosine", "constant", "plateau"]


@given(kind=st.sampled_from(KINDS), warmup=st.floats(0, 1), progress=st.floats(-0.5, 1.5))
def test_the_rate_is_a_share_of_its_peak(kind: str, warmup: float, progress: float) -> None:
    assert 0 <= Schedule(schedule=kind, warmup=warmup).rate(progress) <= 1 + 1e-9  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["one-cycle", "linear", "cosine"])
def test_the_rate_rises_to_its_peak_and_falls_to_nothing(kind: str) -> None:
    schedule = Schedule(schedule=kind, warmup=0.25)  # type: ignore[arg-type]
    rates = [schedule.rate(step / 100) for step in range(101)]
    assert rates[25] == pytest.approx(1)
    assert rates[:26] == sorted(rates[:26])
    assert rates[25:] == sorted(rates[25:], reverse=True)
    assert rates[-1] < 0.001


def test_budgets() -> None:
    songs = 160  # ten updates of sixteen
    assert Schedule(steps=7).total(songs) == 7
    assert Schedule(epochs=2.5).total(songs) == 25
    assert Schedule(epochs=0.01).total(songs) == 1
    assert Schedule(pace=10.0).total(10_000) == 1000
    assert Schedule(minutes=1).total(songs) > 10**8
    assert Schedule(steps=3, epochs=9.0).total(songs) == 3
    assert Schedule(pace=1.0).total(1) == 1
    assert [Schedule().updates_per_epoch(n) for n in (1, 16, 17, 160)] == [1, 1, 2, 10]


def test_validation_is_once_an_epoch_or_twelve_times() -> None:
    songs = 160
    assert Schedule(epochs=30.0).evaluation_interval(songs) == 10
    assert Schedule(steps=65).evaluation_interval(songs) == 5
    assert Schedule(steps=5).evaluation_interval(songs) == 1
    assert Schedule(minutes=1).evaluation_interval(songs) == 10
    assert Schedule(evaluate_every=3).evaluation_interval(songs) == 3


WRONG = {
    "steps": 0, "epochs": -1.0, "batch_size": 0, "learning_rate": 0.0, "warmup": 2.0, "patience": -1, "average": 1.0,
}  # fmt: skip


@pytest.mark.parametrize("wrong", [{name: value} for name, value in WRONG.items()])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    name = next(iter(wrong)).replace("_", "-")
    with pytest.raises(UsageError, match=f"--{name}"):
        Schedule(**wrong)  # type: ignore[arg-type]


def test_one_budget_only() -> None:
    with pytest.raises(UsageError, match="not both"):
        configure(Schedule, {"steps": "10", "minutes": "2"}, "lstm")


def test_a_gpu_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(LyristError, match="No CUDA GPU"):
        device_for("cuda")
    assert device_for("auto").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [device_for(wanted).type for wanted in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]


def test_precision_is_as_asked() -> None:
    cpu = torch.device("cpu")
    assert half_precision("bf16", cpu)
    assert not half_precision("float32", cpu)


@pytest.mark.parametrize(
    ("there", "expected"), [({"avx512_bf16": True}, True), ({"amx_tile": True}, True), ({"avx512_f": True}, False)]
)
def test_bf16_is_used_where_the_cpu_computes_in_it(
    there: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: there)
    assert half_precision("auto", torch.device("cpu")) is expected


@pytest.mark.parametrize("native", [True, False])
def test_bf16_is_used_where_the_gpu_computes_in_it(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation or native)
    assert half_precision("auto", torch.device("cuda")) is native


def test_the_options_of_a_network_include_those_of_its_training() -> None:
    named = {each.name: each for each in options_of(get("lstm"))}
    own = get("lstm").options()
    assert {"hidden", "steps", "learning_rate", "seed"} <= set(named)
    assert named["hidden"].default == own.hidden
    assert named["learning_rate"].default == own.schedule["learning_rate"] != Schedule().learning_rate
    assert named["weight_decay"].default == own.schedule.get("weight_decay", Schedule().weight_decay)
    assert len(named) == len(options_of(get("lstm"))) == len(get("lstm").parameters) + len(parameters(Schedule))
    assert [each.name for each in options_of(get("majority"))] == [each.name for each in get("majority").parameters]


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("cosine", (1.0, 0.8535534, 0.5, 0.1464466, 0.0)),
        ("linear", (1.0, 0.75, 0.5, 0.25, 0.0)),
        ("constant", (1.0, 1.0, 1.0, 1.0, 1.0)),
    ],
)
def test_the_rate_at_each_quarter_of_the_budget(schedule: str, rates: tuple[float, ...]) -> None:
    settings = configure(Schedule, {"schedule": schedule, "warmup": 0}, "test")
    assert [settings.rate(progress) for progress in (0, 0.25, 0.5, 0.75, 1)] == pytest.approx(rates)


@pytest.mark.parametrize(
    ("schedule", "rising", "falling"),
    [("one-cycle", (FIRST, (1 + FIRST) / 2), (1 + LAST) / 2), ("linear", (0, 0.5), 0.5), ("constant", (0, 0.5), 1.0)],
)
def test_the_rate_rises_during_the_warmup(schedule: str, rising: tuple[float, float], falling: float) -> None:
    settings = configure(Schedule, {"schedule": schedule, "warmup": 0.4}, "test")
    assert [settings.rate(progress) for progress in (0, 0.2, 0.4, 0.7)] == pytest.approx([*rising, 1, falling])
    endless = configure(Schedule, {"schedule": schedule, "warmup": 1}, "test")
    assert endless.rate(1) == pytest.approx(1)
