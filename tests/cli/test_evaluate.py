"""`kakudai evaluate` and `kakudai features` from the command line."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.small_models import nearest

from kakudai.cli import features as features_command
from kakudai.cli.main import run
from kakudai.engine.upscaler import Upscaler
from kakudai.evaluate import cost, curves
from kakudai.evaluate.cost import measure_cost, peak_memory, picture_for_timing
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.image.resize import resize
from kakudai.models import find_model


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("Own/a.png", "Own/b.png", "Other/a.png")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        coarse = np.random.default_rng(seed).integers(0, 256, (15, 18, 3)).astype(np.uint8)
        write_image(Picture(resize(coarse, (60, 72))), path)
    for scale in (2, 3):
        (tmp_path / f"net{scale}.onnx").write_bytes(nearest(scale, name=f"near-x{scale}", parameters="57281"))
    return tmp_path


def measured(capsys, *words: str) -> dict:
    assert run(["evaluate", "--set", "Own", *words, "--json", "-"]) == 0
    return json.loads(capsys.readouterr().out)


def test_sets_times_models_times_scales(capsys) -> None:
    found = measured(capsys, "--set", "Other", "-m", "net2.onnx", "-m", "net3.onnx")
    assert found["schema"] == 2
    assert [(entry["set"], entry["scale"], list(entry["methods"])) for entry in found["sets"]] == [
        ("Own", 2, ["bicubic", "near-x2"]),
        ("Other", 2, ["bicubic", "near-x2"]),
        ("Own", 3, ["bicubic", "near-x3"]),
        ("Other", 3, ["bicubic", "near-x3"]),
    ]
    assert found["methods"]["near-x3"]["scale"] == 3
    assert found["methods"]["near-x2"]["parameters"] == 57281
    assert found["machine"]["processors"] >= 1
    assert len(found["sets"][0]["methods"]["near-x2"]["pictures"]) == 2


def test_models_of_another_scale_are_skipped_with_a_word(capsys) -> None:
    words = ["evaluate", "--set", "Own", "-m", "net2.onnx", "-m", "net3.onnx", "-s", "3", "--json", "-"]
    assert run(words) == 0
    output = capsys.readouterr()
    assert [entry["scale"] for entry in json.loads(output.out)["sets"]] == [3]
    assert "near-x2 is left out: it enlarges 2x" in output.err
    assert run(["evaluate", "--set", "Own", "-m", "net2.onnx", "-s", "4"]) == 2
    assert run(["evaluate", "--set", "Own", "-s", "4", "-s", "9"]) == 2
    errors = capsys.readouterr().err
    assert "no model enlarges 4x" in errors
    assert "the scale is 9" in errors


def test_a_run_is_measured_by_its_folder_and_equal_names_are_told_apart(folder: Path, capsys) -> None:
    (folder / "runs/mine").mkdir(parents=True)
    (folder / "runs/mine/mine.onnx").write_bytes(nearest(name="near-x2"))
    found = measured(capsys, "-m", "net2.onnx", "-m", "runs/mine", "-m", "runs/mine/mine.onnx")
    assert list(found["methods"]) == ["net2.onnx", "runs/mine/mine.onnx"]
    assert run(["evaluate", "--set", "Own", "-m", "runs"]) == 2
    assert "runs has no network runs.onnx" in capsys.readouterr().err
    (folder / "runs/mine2").mkdir()
    (folder / "runs/mine2/recipe.json").write_text('{"name": "mine"}')
    assert run(["evaluate", "--set", "Own", "-m", "runs/mine2"]) == 2
    assert "mine2 has no network mine.onnx" in capsys.readouterr().err
    for name in ("mine", "mine2"):
        (folder / f"runs/mine2/{name}.onnx").write_bytes(nearest(name=name))
    assert list(measured(capsys, "-m", "runs/mine2")["methods"]) == ["mine"]


def test_several_runtimes_are_several_methods(capsys) -> None:
    pytest.importorskip("openvino")
    found = measured(capsys, "-m", "photo-x2", "--runtime", "onnxruntime", "--runtime", "openvino")
    assert list(found["methods"]) == ["photo-x2 (onnxruntime)", "photo-x2 (openvino)"]
    assert [facts["runtime"] for facts in found["methods"].values()] == ["onnxruntime", "openvino"]
    first, second = (found["sets"][0]["methods"][label]["mean"]["psnr"] for label in found["methods"])
    assert first == pytest.approx(second, abs=0.01)


def test_every_bicubic_row_is_checked_before_any_network_runs(folder: Path, capsys, monkeypatch) -> None:
    (folder / "Other").rename(folder / "Set14")
    monkeypatch.setattr(Upscaler, "upscale", lambda *a: pytest.fail("a network ran"))
    assert run(["evaluate", "--set", "Own", "--set", "Set14", "-m", "net2.onnx"]) == 1
    assert "published 30.24" in capsys.readouterr().err


@pytest.mark.real
def test_ours_stand_beside_the_published_figures(shared: Path, folder: Path, capsys) -> None:
    (folder / "net2.onnx").write_bytes(nearest(name="mine", network="srcnn", parameters="57281"))
    words = ["evaluate", "--set", str(shared / "data/test/Set5"), "-m", "net2.onnx"]
    assert run([*words, "--json", "figures.json"]) == 0
    output = capsys.readouterr().out
    assert "SRCNN 9-5-5 [C, I, SA]" in output
    assert "36.66 / .9542" in output
    assert "+0.01" in output
    assert "[C] nmhkahn/CARN-pytorch" in output
    assert json.loads((folder / "figures.json").read_text())["methods"]["mine"]["published"] == "SRCNN 9-5-5"
    assert run([*words, "--no-published"]) == 0
    assert "SRCNN" not in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_plot(folder: Path, ending: str, capsys) -> None:
    pytest.importorskip("matplotlib")
    assert run(["evaluate", "--set", "Own", "-m", "net2.onnx", "--plot", f"plot.{ending}"]) == 0
    assert (folder / f"plot.{ending}").stat().st_size > 1000
    assert f"written: plot.{ending}" in capsys.readouterr().err


def test_what_cannot_be_drawn_is_said_before_any_work(monkeypatch, capsys) -> None:
    monkeypatch.setattr(Upscaler, "upscale", lambda *a: pytest.fail("a network ran"))
    words = ["evaluate", "--set", "Own", "-m", "net2.onnx", "--plot"]
    assert run([*words, "plot.jpeg"]) == 2
    assert run([*words, "nowhere/plot.png"]) == 1
    assert run([*words[:-1], "--json", "nowhere/figures.json"]) == 1
    assert run([*words[:-1], "--json", "Own"]) == 1
    monkeypatch.setattr(curves, "find_spec", lambda name: None)
    assert run([*words, "plot.png"]) == 2
    errors = capsys.readouterr().err
    assert "plot.jpeg is no .png or .svg file" in errors
    assert errors.count("no such folder") == 2
    assert "Own cannot be written: it is a folder" in errors
    assert "pip install 'kakudai[train]'" in errors


def test_speed_and_memory(capsys, monkeypatch) -> None:
    monkeypatch.setattr(cost, "WIDTH", 160)
    monkeypatch.setattr(cost, "HEIGHT", 90)
    found = measured(capsys, "-m", "net2.onnx", "--speed")["methods"]["near-x2"]
    assert 0 < found["seconds_per_megapixel"] < 60
    assert 20 << 20 < found["peak_memory"] < 2 << 30
    assert found["speed"]["megapixels"] == pytest.approx(0.0144)
    assert 1 <= len(found["speed"]["seconds"]) <= cost.RUNS
    assert found["speed"]["loaded_memory"] <= found["peak_memory"]


def test_a_failing_measurement_says_why(folder: Path) -> None:
    with pytest.raises(cost.KakudaiError, match="there is no model, file or folder"):
        measure_cost("nothing.onnx", "auto", np.zeros((4, 4, 3), np.uint8))


def test_the_picture_for_timing_has_the_size_of_the_literature() -> None:
    for scale in (2, 3, 4):
        for shape in ((7, 9, 3), (1000, 2000, 1), (100, 2000, 3)):
            picture = picture_for_timing(np.zeros(shape, np.uint8), scale)
            assert picture.shape == (720 // scale, 1280 // scale, shape[2])


def test_memory_is_known_on_linux() -> None:
    known = peak_memory()
    assert known is None or known > 10 << 20
    assert known or not sys.platform.startswith("linux")


def test_features(folder: Path, capsys) -> None:
    assert run(["features", "Own/a.png", "-m", "photo-x2", "-o", "seen/here", "--crop", "24x20+3+4", "--json"]) == 0
    output = capsys.readouterr()
    index = json.loads(output.out)
    assert index == json.loads((folder / "seen/here/index.json").read_text())
    assert (index["picture"], index["model"], index["area"]) == ("Own/a.png", "photo-x2", "24x20+3+4")
    assert "of 72x60 pixels 24x20+3+4 are looked at" in output.err
    model = find_model("photo-x2")
    assert len(index["layers"]) == json.loads(model.card["arguments"])["blocks"] + 2
    assert read_image(folder / "seen/here" / index["layers"][0]["file"]).width > 100
    assert run(["features", "Own/a.png", "--crop", "16", "--pixel", "3,30", "--same-range"]) == 0
    output = capsys.readouterr()
    assert f"receptive field: {2 * (model.halo or 0) + 1}x" in output.out
    assert "written: features-photo-x2" in output.err
    assert run(["features", "Own/a.png", "--crop", "16", "--all", "-o", "all"]) == 0
    assert "DepthToSpace" in capsys.readouterr().out


def test_what_features_cannot_do_is_said(folder: Path, capsys, monkeypatch) -> None:
    assert run(["features", "nothing.png"]) == 1
    assert run(["features", "Own/a.png", "-m", "nothing-x2"]) == 2
    assert run(["features", "Own/a.png", "--crop", "much"]) == 2
    assert run(["features", "Own/a.png", "--crop", "8", "--pixel", "16,0"]) == 2
    assert run(["features", "Own/a.png", "--pixel", "a,b"]) == 2
    (folder / "file").write_text("in the way")
    assert run(["features", "Own/a.png", "-o", "file/below"]) == 1
    real = features_command.find_spec
    monkeypatch.setattr(features_command, "find_spec", lambda name: None if name == "onnx" else real(name))
    assert run(["features", "Own/a.png"]) == 2
    errors = capsys.readouterr().err
    assert "outside the output of 16x16: the 8x8 pixels that are looked at, enlarged 2 times" in errors
    assert "--crop chooses another" in errors
    assert "this needs onnx" in errors
    assert "unexpected" not in errors
    assert "Traceback" not in errors


def test_features_say_that_transparency_is_not_looked_at(folder: Path, capsys) -> None:
    color = read_image(folder / "Own/a.png").color
    write_image(Picture(color, np.full((60, 72, 1), 9, np.uint8)), folder / "rgba.png")
    assert run(["features", "rgba.png", "-m", "net2.onnx", "--crop", "16", "-o", "out"]) == 0
    assert "transparency is not looked at" in capsys.readouterr().err
