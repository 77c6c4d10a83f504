"""`kakudai bench` from the command line."""

import json
from pathlib import Path

import pytest
from tests.bench.records import record
from tests.small_models import convolutional, spoiled

from kakudai.bench.record import read_record
from kakudai.cli import bench
from kakudai.cli.main import run
from kakudai.image.files import read_image

QUICK = ["bench", "--quick", "--no-peers", "--runtime", "onnxruntime", "--threads", "1"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(convolutional())
    return tmp_path


def keep(folder: Path, *names: str, slow: float = 1.0) -> None:
    folder.mkdir(exist_ok=True)
    for day, name in enumerate(names, 1):
        entry = record(name, date=f"2026-01-0{day}T00:00:00+00:00", slow=slow if day == len(names) else 1.0)
        bench.keep(entry, folder)


def test_everything_is_measured_once(folder: Path, capsys) -> None:
    assert run([*QUICK, "-m", "net.onnx", "-o", "history", "--plot", "plot.png", "--json"]) == 0
    output = capsys.readouterr()
    entry = json.loads(output.out)
    assert "measuring networks: convolutional" in output.err
    (path,) = (folder / "history").iterdir()
    measured = read_record(path).measured
    assert json.loads(path.read_text()) == entry
    assert entry["quick"] is True
    networks, files, processes = measured.blocks
    assert [timed.facts.kind for timed in networks.timed if timed.facts.kind != "roof"] == ["network", "engine"]
    assert networks.of("network")[0].facts.threads == 1
    assert [timed.facts.way for timed in files.of("file")] == 2 * ["JPEG to PNG", "JPEG to JPEG"]
    assert [timed.facts.name for timed in processes.timed] == ["bare import", "kakudai --help", "convolutional"]
    assert processes.timed[2].network_seconds
    assert all(timed.seconds[0] > 0 for block in measured.blocks for timed in block.timed)
    assert networks.of("network")[0].peak_memory != 0
    assert read_image(folder / "plot.png").width > 300
    bench.show(read_record(path))
    shown = capsys.readouterr().out
    for words in ("The roofs", "Networks alone", "From file to file", "Cold start", "a quick run says nothing"):
        assert words in shown


def test_what_cannot_be_measured_is_said_before_any_work(capsys) -> None:
    assert run(["bench", "-m", "foto"]) == 2
    assert "did you mean" in capsys.readouterr().err
    assert run(["bench", "--runtime", "tensorrt"]) == 2
    assert "accepted are onnxruntime, openvino, ncnn" in capsys.readouterr().err
    assert run(["bench", "--tile", "small"]) == 2
    assert run(["bench", "--rounds", "0"]) == 2
    assert run(["bench", "--plot", "plot.gif"]) == 2
    assert run(["bench", "-o", "net.onnx"]) == 1
    assert "net.onnx is no folder" in capsys.readouterr().err


def test_a_network_that_gives_no_picture_is_an_error(folder: Path, capsys) -> None:
    (folder / "bad.onnx").write_bytes(spoiled("zeros"))
    assert run([*QUICK, "-m", "bad.onnx"]) == 1
    assert "is not the enlarged picture" in capsys.readouterr().err


def test_two_records_are_compared(folder: Path, capsys) -> None:
    keep(folder / "history", "aaa", "bbb", slow=1.5)
    assert run(["bench", "compare", "--history", "history"]) == 1
    shown = capsys.readouterr().out
    assert "a-processor-r-7-x2-aaa.json -> a-processor-r-7-x2-bbb.json" in shown
    assert "+50 %" in shown
    assert "4 of 6 got worse" in shown
    old, new = (f"history/a-processor-r-7-x2-{name}.json" for name in ("aaa", "bbb"))
    assert run(["bench", "compare", new, old, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["old"], facts["new"]) == (new, old)
    assert {row["verdict"] for row in facts["changes"]} == {"faster", "same"}
    assert run(["bench", "compare", old, "--history", "history"]) == 1
    assert run(["bench", "compare", old, new, "--tolerance", "60"]) == 0


def test_a_history_that_is_not_there(folder: Path, capsys, monkeypatch) -> None:
    assert run(["bench", "compare", "--history", "none"]) == 2
    assert "make one with: kakudai bench -o FOLDER" in capsys.readouterr().err
    keep(folder / "history", "aaa")
    assert run(["bench", "compare", "--history", "history"]) == 2
    assert "has 1 record of this machine" in capsys.readouterr().err
    assert run(["bench", "compare", "history/a-processor-r-7-x2-aaa.json", "--history", "history"]) == 2
    assert "has no other record" in capsys.readouterr().err
    assert run(["bench", "compare", "none.json", "net.onnx"]) == 2
    assert run(["bench", "compare", "--history", "history", "--tolerance", "-1"]) == 2
    monkeypatch.setattr("kakudai.bench.record.checkout", lambda: None)
    capsys.readouterr()
    assert run(["bench", "compare"]) == 2
    assert "there is no history here" in capsys.readouterr().err
