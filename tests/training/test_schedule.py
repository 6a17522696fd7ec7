import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lyrist.errors import LyristError, UsageError
from lyrist.models.registry import configure
from lyrist.training.schedule import Schedule, device_for, half_precision

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


def test_validation_is_once_an_epoch_or_twelve_times() -> None:
    songs = 160
    assert Schedule(epochs=30.0).evaluation_interval(songs) == 10
    assert Schedule(steps=60).evaluation_interval(songs) == 5
    assert Schedule(steps=5).evaluation_interval(songs) == 1
    assert Schedule(minutes=1).evaluation_interval(songs) == 10
    assert Schedule(evaluate_every=3).evaluation_interval(songs) == 3


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"epochs": -1.0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"warmup": 2.0}, {"patience": -1}],
)
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


def test_precision_is_as_asked() -> None:
    cpu = torch.device("cpu")
    assert half_precision("bf16", cpu)
    assert not half_precision("float32", cpu)
    assert half_precision("auto", cpu) in (True, False)


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
