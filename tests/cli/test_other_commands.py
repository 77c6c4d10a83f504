"""models, compare, evaluate, doctor, data and train from the command line; and that everything is quick to explain
itself.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.small_models import nearest

from kakudai import __version__
from kakudai.cli import train
from kakudai.cli.main import COMMANDS, GROUPS, run
from kakudai.engine import runtimes
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import RuntimeUnavailable
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
        ["data", "draw"],
        ["data", "pack"],
    ],
)
def test_every_help_ends_with_an_example(words: list[str], capsys) -> None:
    assert run([*words, "--help"]) == 0
    assert "Example: kakudai " in capsys.readouterr().out


def test_a_mistyped_command_is_guessed(capsys) -> None:
    assert run(["upscal", "a.png"]) == 2
    assert "did you mean: kakudai upscale" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["frobnicate", "foto"])
def test_a_word_that_is_neither_a_command_nor_a_file_is_led_to_the_help(word: str, capsys) -> None:
    assert run([word]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"error: there is no command or file '{word}'"
    assert said[1] == "hint: all commands: kakudai --help"


def test_the_strength_is_led_to_its_option_where_there_is_one(capsys) -> None:
    for command, leads in (("upscale", True), ("denoise", True), ("analyse", False)):
        assert run([command, "a.png", "--strength", "50"]) == 2
        assert ("the strength is given with -d" in capsys.readouterr().err) == leads


@pytest.mark.parametrize("word", ["foto.jpg", "in/foto", "fot*"])
def test_a_word_that_can_only_be_a_picture_is_missed_as_one(word: str, capsys) -> None:
    assert run([word]) == 1
    assert "command" not in capsys.readouterr().err


def test_a_file_without_an_ending_is_a_picture(folder: Path, capsys) -> None:
    smooth(folder / "upscal.png", 0)
    (folder / "upscal.png").rename("upscal")
    assert run(["upscal", "-s", "1.5", "-d", "0", "--dry-run"]) == 0
    assert "upscal -> upscal_1.5x.png" in capsys.readouterr().out


def test_models_list_and_show(capsys) -> None:
    assert run(["models"]) == 0
    assert "photo-x2" in capsys.readouterr().out
    assert run(["models", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    photo = next(model for model in listed if model["name"] == "photo-x2")
    assert photo["parameters"] <= 100_000
    assert run(["models", "show", "photo"]) == 0
    assert "licence:" in capsys.readouterr().out
    assert run(["models", "show", "photo", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "photo-x2"
    assert run(["models", "show", "nothing"]) == 2


def test_verify_measures_again_and_fails_when_worse(folder: Path, capsys, monkeypatch) -> None:
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
    assert run(["models", "verify", "net.onnx", "--set", "nowhere"]) == 1
    (folder / "Other").mkdir()
    assert run(["models", "verify", "net.onnx", "--set", "Other"]) == 2
    assert "they state figures for Own x2" in capsys.readouterr().err
    monkeypatch.chdir(folder / "Own")
    assert run(["models", "verify", "../net.onnx", "--set", "."]) == 1
    assert "WORSE" in capsys.readouterr().out


def test_verify_looks_at_ssim_too(folder: Path, capsys) -> None:
    smooth(folder / "Own/a.png", 0)
    (folder / "net.onnx").write_bytes(nearest(quality='{"Own x2": {"psnr": 1, "ssim": 0.999, "protocol": "test"}}'))
    assert run(["models", "verify", "net.onnx", "--set", "Own", "--json"]) == 1
    assert [(row["figure"], row["ok"]) for row in json.loads(capsys.readouterr().out)] == [
        ("psnr", True),
        ("ssim", False),
    ]


@pytest.mark.parametrize("quality", ['{"Own x2": {"psnr": "much"}}', '{"Own x2": 7}', '{"Own x2": {"psnr": 1}}'])
def test_a_card_that_makes_no_sense_is_an_error_of_the_model(folder: Path, quality: str, capsys) -> None:
    smooth(folder / "Own/a.png", 0)
    (folder / "net.onnx").write_bytes(nearest(quality=quality))
    assert run(["models", "verify", "net.onnx", "--set", "Own"]) == 2
    assert run(["models", "show", "net.onnx"]) == 2
    assert capsys.readouterr().err.count("makes no sense") == 2


def test_a_card_cannot_write_on_the_terminal(folder: Path, capsys) -> None:
    (folder / "net.onnx").write_bytes(nearest(data="\x1b[2Jgone\nversion: 9"))
    assert run(["models", "show", "net.onnx"]) == 0
    output = capsys.readouterr().out
    assert "\x1b" not in output
    assert "\nversion: 9" not in output


def test_evaluate_measures_bicubic_first(folder: Path, capsys) -> None:
    smooth(folder / "Own/a.png", 0)
    (folder / "net.onnx").write_bytes(nearest())
    assert run(["evaluate", "--set", "Own", "-m", "net.onnx", "--json", "figures.json"]) == 0
    figures = json.loads((folder / "figures.json").read_text())["sets"][0]
    assert list(figures["methods"]) == ["bicubic", "test"]
    assert figures["methods"]["bicubic"]["mean"]["psnr"] > figures["methods"]["test"]["mean"]["psnr"]
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
    assert run(["evaluate", "--set", "Set5", "-m", "net.onnx", "--runtime", "caffe"]) == 2


def test_evaluate_stops_before_any_network_runs_on_a_wrong_set(folder: Path, monkeypatch, capsys) -> None:
    smooth(folder / "Set5/a.png", 0)
    (folder / "net.onnx").write_bytes(nearest())
    monkeypatch.setattr(Upscaler, "upscale", lambda *a: pytest.fail("a network ran"))
    monkeypatch.chdir(folder / "Set5")
    assert run(["evaluate", "--set", ".", "-m", "../net.onnx"]) == 1
    assert "published 33.66" in capsys.readouterr().err


def test_evaluate_names_what_it_cannot_do_before_it_works(folder: Path, capsys) -> None:
    smooth(folder / "Tiny/small.png", 0, 8, 8)
    (folder / "net.onnx").write_bytes(nearest())
    assert run(["evaluate", "--set", "Tiny", "-m", "net.onnx"]) == 1
    assert "Tiny/small.png cannot be measured" in capsys.readouterr().err
    assert run(["evaluate", "--set", "Tiny", "-m", "net.onnx", "--json", "nowhere/figures.json"]) == 1
    assert "no such folder" in capsys.readouterr().err


def test_evaluate_prints_json_alone(folder: Path, capsys) -> None:
    smooth(folder / "Own/a.png", 0)
    (folder / "net.onnx").write_bytes(nearest())
    assert run(["evaluate", "--set", "Own", "-m", "net.onnx", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["sets"][0]["set"] == "Own"


def test_compare(folder: Path, capsys) -> None:
    smooth(folder / "a.png", 0, 256, 320)
    original = read_image("a.png").color
    worse = original.copy()
    worse[40:80, 200:240] //= 2
    write_image(Picture(worse), "b.png")
    assert run(["compare", "a.png", "b.png", "-o", "sheet.png", "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["pictures"]
    assert result["picture"] == "b.png"
    assert 10 < result["luma_psnr"] < 50
    sheet = read_image("sheet.png")
    assert sheet.width > 2 * 96 * 2
    assert run(["compare", "a.png", "b.png", "--reference", "a.png"]) == 0
    assert "inf" in capsys.readouterr().out
    smooth(folder / "c.png", 0, 64, 64)
    assert run(["compare", "a.png", "c.png"]) == 2
    assert run(["compare", "a.png", "missing.png"]) == 1
    assert run(["compare", "a.png", "b.png", "--shave", "-1"]) == 2
    assert run(["compare", "a.png", "b.png", "--shave", "130"]) == 2
    assert run(["compare", "a.png", "b.png", "-o", "nowhere/sheet.png"]) == 1
    errors = capsys.readouterr().err
    assert "Traceback" not in errors
    assert "unexpected" not in errors


def test_compare_never_writes_over_what_it_compares(folder: Path, capsys) -> None:
    smooth(folder / "a.png", 0)
    before = (folder / "a.png").read_bytes()
    (folder / "link.png").symlink_to("a.png")
    assert run(["compare", "a.png", "a.png", "-o", "link.png"]) == 2
    assert (folder / "a.png").read_bytes() == before
    assert "one of the pictures" in capsys.readouterr().err


def test_compare_keeps_pictures_of_one_name_apart_and_writes_real_json(folder: Path, capsys) -> None:
    smooth(folder / "original.png", 0)
    smooth(folder / "x/a.png", 0)
    smooth(folder / "y/a.png", 1)
    assert run(["compare", "x/a.png", "y/a.png", "--reference", "original.png", "--json"]) == 0
    text = capsys.readouterr().out
    first, second = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))["pictures"]
    assert (first["picture"], second["picture"]) == ("x/a.png", "y/a.png")
    assert first["luma_psnr"] is None
    assert first["luma_ssim"] == 1.0
    assert second["luma_psnr"] < 30
    assert run(["compare", "x/a.png", "y/a.png", "--reference", "original.png"]) == 0
    assert "x/a.png" in capsys.readouterr().out


def test_compare_takes_grey_with_rgb_and_says_that_alpha_is_not_compared(folder: Path, capsys) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (40, 40, 1), np.uint8)
    write_image(Picture(grey), "grey.png")
    write_image(Picture(grey.repeat(3, 2), np.full((40, 40, 1), 9, np.uint8)), "rgba.png")
    assert run(["compare", "grey.png", "rgba.png", "--json"]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["pictures"][0]["rgb_ssim"] == 1.0
    assert "warning: rgba.png: transparency is not compared" in output.err


def test_compare_says_what_reading_could_not_keep(folder: Path, capsys) -> None:
    frames = [Image.new("RGB", (40, 40), color) for color in ("red", "blue")]
    frames[0].save("two.gif", save_all=True, append_images=frames[1:])
    Image.new("CMYK", (40, 40)).save("ink.jpg")
    assert run(["compare", "two.gif", "ink.jpg", "--reference", "two.gif", "--json"]) == 0
    output = capsys.readouterr()
    notes = json.loads(output.out)["notes"]
    assert notes.count("two.gif: only the first of 2 frames was read") == 1
    assert "ink.jpg: CMYK was converted" in notes[-1]
    assert output.err.splitlines() == [f"warning: {note}" for note in notes]


def test_doctor(capsys) -> None:
    assert run(["doctor"]) == 0
    assert "onnxruntime" in capsys.readouterr().out
    assert run(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["check"]["result"] == "ok"
    assert sum("used" in text for text in facts["runtimes"].values()) == 1
    assert not any(text.count("not installed") > 1 for text in facts["runtimes"].values())
    assert facts["formats"]["png"] == "read and written"


def test_doctor_keeps_names_and_facts_apart(capsys) -> None:
    assert run(["doctor"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert any(line.startswith("  photo-restore-x1  1x, ") for line in lines)
    assert {len(re.split(r"(?<= {2})(?=\S)", line[2:])[0]) for line in lines} == {len("photo-restore-x1  ")}


def test_doctor_says_once_that_a_runtime_is_not_installed(monkeypatch, capsys) -> None:
    monkeypatch.setattr(runtimes, "_version", lambda package: "1.0" if package == "onnxruntime" else None)
    assert run(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runtimes"] == {
        "onnxruntime": "1.0, runs everywhere, used",
        "openvino": "not installed",
        "torch": "not installed",
        "ncnn": "not installed",
    }


def test_doctor_says_what_to_do_where_something_is_broken(capsys, monkeypatch) -> None:
    def broken(self, *args, **options):
        raise RuntimeUnavailable("the library does not load", "install it again")

    monkeypatch.setattr(Upscaler, "__init__", broken)
    assert run(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "does not work: the library does not load" in lines[-2]
    assert lines[-1].split(maxsplit=3)[-1].endswith("install it again")
    monkeypatch.setattr(Upscaler, "__init__", lambda self, **options: 1 / 0)
    assert run(["doctor"]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "pyvips", None)
    assert run(["doctor", "--json"]) == 1
    assert "does not work" in json.loads(capsys.readouterr().out)["formats"]["libvips"]


def test_pack_and_train_from_the_command_line(folder: Path, capsys) -> None:
    for seed in range(3):
        smooth(folder / f"photos/{seed}.png", seed)
    assert run(["data", "pack", "photos", "-o", "packs/own.pack"]) == 0
    assert "3 pictures" in capsys.readouterr().out
    from tests.train.tiny import TINY

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
    (folder / "file").write_text("in the way")
    assert run(["data", "pack", "photos", "-o", "file/x.pack"]) == 1
    assert "unexpected" not in capsys.readouterr().err


@pytest.fixture
def tiny(folder: Path) -> Path:
    """A recipe whose pack and validation pictures are not there; nothing in these tests comes as far as that."""
    from tests.train.tiny import TINY

    (folder / "recipes").mkdir()
    (folder / "recipes/tiny.toml").write_text(TINY)
    return folder / "recipes/tiny.toml"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--measure", "nothere"], 1, "error: there is no folder nothere"),
        (["--measure", "recipes"], 1, "error: no pictures in recipes"),
        ([], 2, "error: there is no folder PICTURES to validate on"),
        ([], 2, "hint: name a folder of PNG files, as Set5 is: --set validate_on=DIR"),
        (["-o", "none", "--resume"], 2, "error: no checkpoint at none/last.ckpt"),
        (["--set", "start=runs/tiny/tiny.safetensors"], 2, "hint: train it first: kakudai train recipes/tiny.toml"),
        (["--set", "start=other.safetensors"], 2, "hint: correct `start`, or leave it out"),
        (["--set", "stepz=3"], 2, "stepz: there is no such key"),
        (["--set", "network=espcnn"], 2, "no network is called 'espcnn'"),
    ],
)
def test_what_is_bound_to_fail_is_said_before_torch_is_loaded(
    words: list[str], code: int, said: str, tiny: Path, folder: Path
) -> None:
    program = "import sys\nfrom kakudai.cli.main import run\ncode = run(sys.argv[1:])\n"
    program += "assert 'torch' not in sys.modules\nsys.exit(code)\n"
    command = [sys.executable, "-c", program, "train", str(tiny.relative_to(folder)), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert [path.name for path in folder.iterdir()] == ["recipes"], "no empty folder is left behind"


@pytest.mark.parametrize("package", ["torch", "lightning_fabric"])
def test_training_names_the_package_that_is_missing(package: str, monkeypatch, capsys) -> None:
    real = train.find_spec
    monkeypatch.setattr(train, "find_spec", lambda name: None if name == package else real(name))
    assert run(["train", "any.toml"]) == 2
    errors = capsys.readouterr().err
    assert f"training needs {package}" in errors
    assert "pip install 'kakudai[train]'" in errors


@pytest.mark.parametrize("words", [["upscale", "a.png", "-q"], ["models", "list"], ["compare", "a.png", "a.png"]])
def test_torch_is_never_imported_by_daily_commands(folder: Path, words: list[str]) -> None:
    smooth(folder / "a.png", 0)
    code = (
        f"import sys\nfrom kakudai.cli.main import run\nassert run({words!r}) == 0\nassert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
