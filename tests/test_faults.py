"""`benchmarks/faults.py`, with few pictures and few kills: nothing is lost, nothing left that nobody asked for."""

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
FAULTS = ("killed", "interrupted", "full_disk", "read_only", "changing", "names", "bursting", "forgetting")


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_nothing_is_lost(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    faults, scene = importlib.import_module("faults"), importlib.import_module("fault_scene")
    assert tuple(fault.__name__ for fault in faults.FAULTS) == FAULTS
    for outcome in faults.FAULTS[FAULTS.index(name)](scene.Scene(tmp_path, pictures=6, seed=2), 2):
        assert outcome.times
        assert (outcome.lost, outcome.litter) == (0, 0), outcome
