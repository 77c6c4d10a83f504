"""models, compare, evaluate, doctor, data and train from the command line; and that everything is quick to explain
itself.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.small_models import nearest

from kakudai import __version__
from kakudai.cli.main import COMMANDS, GROUPS, run
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.image.resize import resize


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def smooth(path: Path, seed: int, height: int = 48, width: int = 64) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3)).astype(np.uint8)
    write_image(Picture(resize(coarse, (height, width))), path)


def test_version_and_help(capsys) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"kakudai {__version__}"
    assert run([]) == 0
    assert "Example:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        [],
        *([name] for name in (*COMMANDS, *GROUPS)),
        ["models", "show"],
        ["models", "verify"],
        ["data", "pack"],
    ],
)
def test_every_help_ends_with_an_example(words: list[str], capsys) -> None:
    assert run([*words, "--help"]) == 0
    assert "Example: kakudai " in capsys.readouterr().out


def test_a_mistyped_command_is_guessed(capsys) -> None:
    assert run(["upscal", "a.png"]) == 2
    assert "did you mean: kakudai upscale" in capsys.readouterr().err


def test_models_list_and_show(capsys) -> None:
    assert run(["models"]) == 0
    assert "photo-x2" in capsys.readouterr().out
    assert run(["models", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed[0]["name"] == "photo-x2"
    assert listed[0]["parameters"] <= 50_000
    assert run(["models", "show", "photo"]) == 0
    assert "licence:" in capsys.readouterr().out
    assert run(["models", "show", "photo", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "photo-x2"
    assert run(["models", "show", "nothing"]) == 2


def test_verify_measures_again_and_fails_when_worse(folder: Path, capsys) -> None:
    for seed in range(2):
        smooth(folder / f"Own/{seed}.png", seed)
    measured = {}
    for claim in (20.0, 60.0):
        quality = json.dumps({"Own x2": {"psnr": claim, "ssim": 0.5, "protocol": "test"}})
        (folder / "net.onnx").write_bytes(nearest(quality=quality))
        measured[claim] = run(["models", "verify", "net.onnx", "--set", "Own", "--json"])
        row = json.loads(capsys.readouterr().out)[0]
        assert 20 < row["measured"] < 60
    assert measured == {20.0: 0, 60.0: 1}
    assert run(["models", "verify"]) == 2


def test_evaluate_measures_bicubic_first(folder: Path, capsys) -> None:
    smooth(folder / "Own/a.png", 0)
    (folder / "net.onnx").write_bytes(nearest())
    assert run(["evaluate", "--set", "Own", "-m", "net.onnx", "--json", "figures.json"]) == 0
    figures = json.loads((folder / "figures.json").read_text())[0]
    assert list(figures["methods"]) == ["bicubic", "net.onnx"]
    assert figures["methods"]["bicubic"]["mean"]["psnr"] > figures["methods"]["net.onnx"]["mean"]["psnr"]
    assert "shave 2" in figures["protocol"]
    assert "bicubic" in capsys.readouterr().out


def test_evaluate_refuses_a_set_that_is_not_what_its_name_says(folder: Path, capsys) -> None:
    smooth(folder / "Set5/a.png", 0)
    (folder / "net.onnx").write_bytes(nearest())
    assert run(["evaluate", "--set", "Set5", "-m", "net.onnx"]) == 1
    assert "published 33.66" in capsys.readouterr().err
    assert run(["evaluate"]) == 2
    assert run(["evaluate", "--set", "Set5", "-s", "7"]) == 2
    assert run(["evaluate", "--set", "empty"]) == 1


def test_compare(folder: Path, capsys) -> None:
    smooth(folder / "a.png", 0, 256, 320)
    original = read_image("a.png").color
    worse = original.copy()
    worse[40:80, 200:240] //= 2
    write_image(Picture(worse), "b.png")
    assert run(["compare", "a.png", "b.png", "-o", "sheet.png", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["pictures"]["b.png"]
    assert 10 < result["luma PSNR"] < 50
    sheet = read_image("sheet.png")
    assert sheet.width > 2 * 96 * 2
    assert run(["compare", "a.png", "b.png", "--reference", "a.png"]) == 0
    assert "inf" in capsys.readouterr().out
    smooth(folder / "c.png", 0, 64, 64)
    assert run(["compare", "a.png", "c.png"]) == 2
    assert run(["compare", "a.png", "missing.png"]) == 1


def test_doctor(capsys) -> None:
    assert run(["doctor"]) == 0
    assert "onnxruntime" in capsys.readouterr().out
    assert run(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["check"]["result"] == "ok"
    assert "used" in facts["runtimes"]["openvino"]


def test_pack_and_train_from_the_command_line(folder: Path, capsys) -> None:
    for seed in range(3):
        smooth(folder / f"photos/{seed}.png", seed)
    assert run(["data", "pack", "photos", "-o", "packs/own.pack"]) == 0
    assert "3 pictures" in capsys.readouterr().out
    from tests.train.test_train import TINY

    (folder / "tiny.toml").write_text(TINY.replace("PACK", "packs/own.pack").replace("PICTURES", "photos"))
    assert run(["train", "tiny.toml", "--set", "steps=60", "--measure", "photos"]) == 0
    assert run(["models", "show", "runs/tiny/tiny.onnx"]) == 0
    output = capsys.readouterr().out
    assert "3 pictures of photos" in output
    assert "photos x2:" in output
    assert run(["upscale", "photos/0.png", "-m", "runs/tiny/tiny.onnx", "-q"]) == 0
    assert run(["train", "missing.toml"]) == 2
    assert run(["train", "tiny.toml", "--set", "steps"]) == 2
    assert run(["data", "pack", "nowhere", "-o", "x.pack"]) == 1


@pytest.mark.parametrize("words", [["upscale", "a.png", "-q"], ["models", "list"], ["compare", "a.png", "a.png"]])
def test_torch_is_never_imported_by_daily_commands(folder: Path, words: list[str]) -> None:
    smooth(folder / "a.png", 0)
    code = (
        f"import sys\nfrom kakudai.cli.main import run\nassert run({words!r}) == 0\nassert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
