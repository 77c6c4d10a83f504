"""`kakudai bench` from the command line."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.bench.records import record
from tests.small_models import convolutional, spoiled

from kakudai.bench.peers import Lanczos
from kakudai.bench.record import Block, Measured, read_record
from kakudai.cli import bench
from kakudai.cli.main import run
from kakudai.errors import KakudaiError
from kakudai.image.files import read_image

QUICK = ["bench", "--quick", "--no-peers", "--runtime", "onnxruntime", "--threads", "1"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(convolutional())
    return tmp_path


@pytest.fixture
def alone(monkeypatch) -> None:
    """Leave processes out, which take most of the time."""
    monkeypatch.setattr("kakudai.bench.measure.peak_memory", lambda _: 1)
    monkeypatch.setattr("kakudai.bench.measure.Bench.processes", lambda _: Block("processes", ()))


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
    assert path.name.endswith("-quick.json")
    assert (entry["extent"], entry["measured"]["failed"]) == ("quick", [])
    assert "this takes about" in output.err
    networks, files, processes = measured.blocks
    assert [timed.facts.kind for timed in networks.timed if timed.facts.kind != "roof"] == ["network", "engine"]
    assert networks.of("network")[0].facts.threads == 1
    assert files.of("file")[0].facts.runtime == "onnxruntime"
    assert [timed.facts.way for timed in files.of("file")] == 2 * ["JPEG to PNG", "JPEG to JPEG"]
    assert [timed.facts.name for timed in processes.timed] == ["bare import", "kakudai --help", "convolutional"]
    assert processes.timed[2].network_seconds
    assert all(timed.seconds[0] > 0 for block in measured.blocks for timed in block.timed)
    if Path("/proc/self/status").exists():
        assert (networks.of("network")[0].peak_memory or 0) > 30e6
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
    assert run(["bench", "--full", "--quick"]) == 2
    capsys.readouterr()
    assert run(["bench", "-o", "net.onnx"]) == 1
    assert "no record can be kept in net.onnx: it is no folder" in capsys.readouterr().err
    assert run(["bench", "-o", "net.onnx/deeper"]) == 1
    assert "no record can be kept in net.onnx/deeper" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_said_before_any_work(capsys, monkeypatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    assert run(["bench", "-o", "history"]) == 1
    assert "no record can be kept in history: it cannot be written" in capsys.readouterr().err


@pytest.mark.usefixtures("alone")
def test_a_network_that_gives_no_picture_is_a_row_and_the_others_are_measured(folder: Path, capsys) -> None:
    (folder / "bad.onnx").write_bytes(spoiled("zeros"))
    assert run([*QUICK, "-m", "bad.onnx"]) == 1
    (row, _) = capsys.readouterr().out.splitlines()
    assert row.startswith("not measured: test with onnxruntime, float32: the tile at (0, 0) is not the enlarged")
    assert run([*QUICK, "-m", "bad.onnx", "-m", "net.onnx", "--json"]) == 1
    measured = json.loads(capsys.readouterr().out)["measured"]
    assert measured["failed"] == ["test"]
    assert [block["name"] for block in measured["blocks"]] == [
        "networks: convolutional", "files: convolutional", "processes",
    ]  # fmt: skip


@pytest.mark.usefixtures("alone")
def test_another_program_that_dies_is_a_row(folder: Path, capsys, monkeypatch) -> None:
    dying = [sys.executable, "-c", "import os; os.abort()"]
    monkeypatch.setattr("kakudai.bench.peer_process.PYTHON", dying)
    monkeypatch.setattr("kakudai.bench.measure.PEERS", (Lanczos(),))
    words = [word for word in QUICK if word != "--no-peers"]
    assert run([*words, "-m", "net.onnx"]) == 0
    shown = capsys.readouterr().out
    assert "not measured: Pillow, Lanczos beside convolutional: it was killed by signal 6" in shown
    assert "Networks alone" in shown


@pytest.mark.usefixtures("alone")
def test_memory_that_cannot_be_measured_is_a_row(folder: Path, capsys, monkeypatch) -> None:
    def fail(words: list[str]) -> int:
        raise KakudaiError(f"{words[0]} died")

    monkeypatch.setattr("kakudai.bench.measure.peak_memory", fail)
    assert run([*QUICK, "-m", "net.onnx", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)["measured"]
    (what, why), *_ = measured["missing"]
    assert (what.startswith("memory of convolutional, onnxruntime"), why) == (True, "kakudai died")


def test_ctrl_c_leaves_nothing(folder: Path, capsys, monkeypatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kakudai.bench.measure.peak_memory", interrupt)
    assert run([*QUICK, "-m", "net.onnx", "-o", "history"]) == 130
    assert list((folder / "history").iterdir()) == []


def test_only_what_is_usual_is_kept_unasked(folder: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("kakudai.bench.record.usual_folder", lambda: folder / "history")
    monkeypatch.setattr("kakudai.bench.measure.measure", lambda _, __, say: say("now") or record().measured)
    monkeypatch.setattr("kakudai.cli.bench.BUSY", -1.0)
    assert run(["bench", "--rounds", "3"]) == 0
    assert not (folder / "history").exists()
    assert "the machine is busy" in capsys.readouterr().err
    assert run(["bench"]) == 0
    assert run(["bench", "--full"]) == 0
    assert len(list((folder / "history").iterdir())) == 2


def test_two_records_are_compared(folder: Path, capsys) -> None:
    keep(folder / "history", "aaa", "bbb", slow=1.5)
    assert run(["bench", "compare", "--history", "history"]) == 1
    shown = capsys.readouterr().out
    assert (
        "a-processor-r-7-family-1-model-2-avx2-x2-aaa.json -> a-processor-r-7-family-1-model-2-avx2-x2-bbb.json"
        in shown
    )
    assert "+50 %" in shown
    assert "4 of 6 got worse" in shown
    assert "alone" not in shown
    old, new = (f"history/a-processor-r-7-family-1-model-2-avx2-x2-{name}.json" for name in ("aaa", "bbb"))
    assert run(["bench", "compare", new, old, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["old"], facts["new"]) == (new, old)
    assert {row["verdict"] for row in facts["changes"]} == {"faster", "same"}
    assert (facts["only_old"], facts["only_new"], facts["versions"]) == ([], [], [])
    assert run(["bench", "compare", old, "--history", "history"]) == 1
    assert run(["bench", "compare", old, new, "--tolerance", "60"]) == 0


def test_what_cannot_be_compared_is_said(folder: Path, capsys) -> None:
    old = record()
    networks, *others = old.measured.blocks
    fewer = Block(networks.name, tuple(entry for entry in networks.timed if entry.facts.kind != "engine"))
    new = replace(record("bbb"), measured=Measured((fewer, *others)), versions={"numpy": "2.5"})
    bench.check_folder(folder / "history")
    for entry in (old, new):
        bench.keep(entry, folder / "history")
    assert run(["bench", "compare", "--history", "history"]) == 0
    shown = capsys.readouterr().out
    assert "not in the new record: engine: net, onnxruntime, float32, 2 threads, 750x469" in shown
    assert "other versions, which may be the reason: numpy 2.4 -> 2.5" in shown
    paths = [f"history/{entry.file_name}" for entry in (new, old)]
    assert run(["bench", "compare", *paths]) == 0
    assert "in the new record alone: 1 case" in capsys.readouterr().out


def test_a_history_that_is_not_there(folder: Path, capsys, monkeypatch) -> None:
    assert run(["bench", "compare", "none.json", "--history", "none"]) == 2
    assert "none.json cannot be read" in capsys.readouterr().err
    assert run(["bench", "compare", "--history", "none"]) == 2
    assert "make one with: kakudai bench -o FOLDER" in capsys.readouterr().err
    keep(folder / "history", "aaa")
    assert run(["bench", "compare", "--history", "history"]) == 2
    assert "has 1 record of this machine" in capsys.readouterr().err
    assert (
        run(["bench", "compare", "history/a-processor-r-7-family-1-model-2-avx2-x2-aaa.json", "--history", "history"])
        == 2
    )
    assert "has no other record" in capsys.readouterr().err
    assert run(["bench", "compare", "none.json", "net.onnx"]) == 2
    assert run(["bench", "compare", "--history", "history", "--tolerance", "-1"]) == 2
    monkeypatch.setattr("kakudai.bench.record.checkout", lambda: None)
    capsys.readouterr()
    assert run(["bench", "compare"]) == 2
    assert "there is no history here" in capsys.readouterr().err
