"""`benchmarks/many.py`: with few pictures it runs to its end, and its line is the one that numpy finds."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.small_models import nearest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("many")


def test_few_pictures_keep_nothing(many: ModuleType, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(many, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(many, "MOST", 1e9)
    (tmp_path / "net.onnx").write_bytes(nearest())
    assert many.main(["--count", "40", "--model", str(tmp_path / "net.onnx")]) == 0
    assert "| resident after 40 pictures |" in capsys.readouterr().out
    assert not (tmp_path / "page.md").exists()


def test_the_line_and_its_error(many: ModuleType) -> None:
    numbers = list(range(100, 10_001, 100))
    noise = np.random.default_rng(0).normal(0, 50, 100)
    kilobytes = [int(200_000 + 0.3 * number + more) for number, more in zip(numbers, noise, strict=True)]
    thousands = [number / 1000 for number in numbers]
    found = many.line_through(thousands, kilobytes)
    (slope, _), covariance = np.polyfit(thousands[20:], kilobytes[20:], 1, cov=True)
    assert found.slope == pytest.approx(slope)
    assert found.error == pytest.approx(covariance[0, 0] ** 0.5)
    assert found.is_above(many.MOST)
    assert not many.line_through(thousands, [200_000 + number % 7 for number in numbers]).is_above(many.MOST)


def test_memory_is_drawn(many: ModuleType, tmp_path: Path) -> None:
    many.draw([100, 200, 300], [9_000, 9_100, 9_050], tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
