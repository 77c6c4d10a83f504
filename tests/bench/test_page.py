"""`benchmarks/speed_page.py` makes a page of a record."""

import importlib
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from tests.bench.records import record

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script(monkeypatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    module = importlib.import_module("speed_page")
    (tmp_path / "history").mkdir()
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "HISTORY", tmp_path / "history")
    monkeypatch.setattr(module, "PAGE", tmp_path / "speed.md")
    monkeypatch.setattr(module, "PICTURE", tmp_path / "speed.png")
    return module


def test_the_page_is_that_of_the_newest_record(script: ModuleType, tmp_path: Path, monkeypatch) -> None:
    newest = record("bbb", date="2026-02-02T00:00:00+00:00")
    later = replace(record("ccc", date="2026-03-03T00:00:00+00:00"), extent="quick")
    for entry in (record(), newest, later):
        (tmp_path / "history" / entry.file_name).write_text(json.dumps(entry.as_json()))
    monkeypatch.setattr(sys, "argv", ["speed_page.py"])
    script.main()
    page = (tmp_path / "speed.md").read_text()
    assert "2 x A Processor (R) 7 (family 1 model 2 avx2); load 0.1 when it began; 2026-02-02, commit\nbbb;" in page
    assert "numpy 2.4. Every figure is the median over 3 rounds" in page
    assert "| 750x469 | JPEG to PNG | net | float32 | onnxruntime | 10.00 | 12.50 | 80 % | 0.16 |" in page
    assert "- other beside net: it is not installed" in page
    assert len(re.findall(r"^\| ---", page, re.MULTILINE)) == 5
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")


def test_a_quick_run_makes_no_page(script: ModuleType, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["speed_page.py"])
    with pytest.raises(SystemExit):
        script.main()
    assert "run kakudai bench" in capsys.readouterr().err
    path = tmp_path / "quick.json"
    path.write_text(json.dumps(replace(record(), extent="quick").as_json()))
    monkeypatch.setattr(sys, "argv", ["speed_page.py", str(path)])
    with pytest.raises(SystemExit):
        script.main()
    assert "says nothing about speed" in capsys.readouterr().err
    assert not (tmp_path / "speed.md").exists()
