"""`kakudai waifu2x`: command lines of three programs do here what they do there."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.families import COMBINED, ENLARGED, NOISE, make_family
from tests.shipped_family import ship

from kakudai.cli.main import run
from kakudai.cli.waifu2x import Order, make_order, parse_tile_size, understood
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import UsageError
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture

ALL = [f"noise{level}" for level in range(4)] + [f"noise{level}_scale2.0x" for level in range(4)] + ["scale2.0x"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with networks where waifu2x-ncnn-vulkan has them, and a grey picture of 16 bits."""
    monkeypatch.chdir(tmp_path)
    make_family(tmp_path / "models-cunet", *ALL)
    picture("a.png")
    return tmp_path


def picture(name: str, width: int = 16, height: int = 12) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    write_image(Picture(np.full((height, width, 3), 32768, np.uint16)), name)


def result(name: str) -> tuple[float, tuple[int, int]]:
    """Return what the networks together multiplied by, and the size."""
    image = read_image(name)
    full = 65535 if image.color.dtype == np.uint16 else 255
    return float(image.color.mean()) / full / (32768 / 65535), (image.width, image.height)


@pytest.mark.parametrize(
    ("words", "factor", "scale"),
    [
        # waifu2x-ncnn-vulkan
        ("", COMBINED[0], 2),
        ("-n 2 -s 2", COMBINED[2], 2),
        ("-n -1", ENLARGED, 2),
        ("-n-1", ENLARGED, 2),
        ("-n -1 -s 4", ENLARGED**2, 4),
        ("-n 3 -s 1", NOISE[3], 1),
        ("-n 1 -s 4 -t 64 -m models-cunet -x -g 0 -j 1:2:2 -v -f png", COMBINED[1] * ENLARGED, 4),
        ("-n 1 -t 0,0", COMBINED[1], 2),
        # nunif
        ("-m noise_scale --noise-level 1", COMBINED[1], 2),
        ("-m scale", ENLARGED, 2),
        ("--method scale4x", ENLARGED**2, 4),
        ("--method noise --noise-level 2 --tta --tile-size 64", NOISE[2], 1),
        (
            "-m noise_scale4x -n 0 --model-dir models-cunet --gpu 0 1 --batch-size 4 --disable-amp",
            COMBINED[0] * ENLARGED,
            4,
        ),
        # the original
        ("-m noise_scale -noise_level 2 -model_dir models-cunet -crop_size 128 -tta 1 -tta_level 2", COMBINED[2], 2),
        ("-m noise_scale -model_dir models-cunet -tta 0", COMBINED[1], 2),
        ("-m scale -model_dir models-cunet -scale 2 -resume 0", ENLARGED, 2),
        ("-m noise -noise_level 1 -model_dir models-cunet", NOISE[1], 1),
    ],
)
@pytest.mark.usefixtures("folder")
def test_the_same_words_do_the_same(words: str, factor: float, scale: int) -> None:
    assert run(["waifu2x", "-i", "a.png", "-o", "out.png", *words.split()]) == 0
    value, size = result("out.png")
    assert value == pytest.approx(factor, abs=2e-4)
    assert size == (16 * scale, 12 * scale)


@pytest.mark.usefixtures("folder")
def test_what_is_there_is_overwritten_unless_it_is_to_be_resumed(capsys) -> None:
    Path("out.png").write_text("old")
    assert run(["waifu2x", "-i", "a.png", "-o", "out.png", "--resume"]) == 0
    assert Path("out.png").read_text() == "old"
    assert run(["waifu2x", "-i", "a.png", "-o", "out.png"]) == 0
    assert result("out.png")[1] == (32, 24)


@pytest.mark.usefixtures("folder")
def test_folders_become_folders_of_png_files() -> None:
    for name in ("in/a.jpg", "in/b.webp", "in/deep/c.png"):
        picture(name)
    assert run(["waifu2x", "-i", "in", "-o", "out"]) == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.png", "b.png"]
    assert run(["waifu2x", "--input", "in", "--output", "deep", "-r", "-f", "jpg"]) == 0
    assert sorted(str(path) for path in Path("deep").rglob("*.jpg")) == ["deep/a.jpg", "deep/b.jpg", "deep/deep/c.jpg"]
    Path("there").mkdir()
    assert run(["waifu2x", "-i", "in/a.jpg", "-o", "there"]) == 0
    assert [path.name for path in Path("there").iterdir()] == ["a.png"]


@pytest.mark.usefixtures("folder")
def test_a_format_names_what_a_file_without_an_ending_is() -> None:
    assert run(["waifu2x", "-i", "a.png", "-o", "out", "-f", "webp"]) == 0
    assert Path("out").read_bytes()[8:12] == b"WEBP"
    assert run(["waifu2x", "-i", "a.png", "-o", "out.png", "-f", "jpg"]) == 0
    assert Path("out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("folder")
def test_lists_and_templates() -> None:
    picture("x/b.png")
    Path("list.txt").write_text("a.png\nx/b.png\n\n")
    assert run(["waifu2x", "-m", "scale", "-l", "list.txt", "-o", "frames/%s-%03d.png"]) == 0
    assert sorted(path.name for path in Path("frames").iterdir()) == ["a-001.png", "b-002.png"]
    assert run(["waifu2x", "-m", "scale", "-i", "list.txt", "-o", "out"]) == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.png", "b.png"]


def test_two_pictures_never_get_one_name(folder: Path, capsys) -> None:
    picture("x/a.png")
    Path("list.txt").write_text("a.png\nx/a.png\n")
    assert run(["waifu2x", "-m", "scale", "-l", "list.txt", "-o", "out/%s.png"]) == 1
    assert "result of a.png already" in capsys.readouterr().err
    assert [path.name for path in (folder / "out").iterdir()] == ["a.png"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("words", "asked"), [("", "auto"), ("--disable-amp", "float32")])
def test_short_numbers_can_be_refused(monkeypatch, words: str, asked: str) -> None:
    seen = []

    class Noted(Upscaler):
        def __init__(self, *given: Any, **named: Any) -> None:
            seen.append(named["precision"])
            super().__init__(*given, **named)

    monkeypatch.setattr("kakudai.engine.upscaler.Upscaler", Noted)
    assert run(["waifu2x", "-i", "a.png", "-o", "out.png", *words.split()]) == 0
    assert seen == [asked]


@pytest.mark.usefixtures("folder")
def test_options_without_meaning_are_named(capsys) -> None:
    words = "-g 1 -j 2:2:2 -v -y --batch-size 8 --image-lib wand -force_cudnn 1"
    assert run(["waifu2x", "-i", "a.png", "-o", "out.png", *words.split()]) == 0
    said = capsys.readouterr().err
    for word in ("-g", "-j", "-v", "-y", "--batch-size", "--image-lib", "-force_cudnn"):
        assert f"note: {word} means nothing here: " in said
    assert run(["waifu2x", "-i", "a.png", "-o", "out.png", "-g", "-1"]) == 0
    assert "means nothing" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("-o out.png", 2, "no input"),
        ("-i a.png -o out.png -n 7", 2, "noise level is 7"),
        ("-i a.png -o out.png --method sharpen", 2, "no method"),
        ("-i a.png -o out.png --style comic", 2, "style"),
        ("-i a.png -o out.png -t big", 2, "tile size"),
        ("-i a.png -o out.png -t 8", 2, "accepted are 0 for auto, and pixels from 32"),
        ("-i a.png -o out.png -s 0", 2, "scale is 0"),
        ("-i a.png -o out.png -s 32", 2, "scale is 32"),
        ("-i a.png -o out.png --depth 5", 2, "depth is 5"),
        ("-i a.png -o out.png -n -1 -s 1 -m models-cunet/noise1_model.onnx", 2, "denoise is 0"),
        ("-i a.png -o out.png -m nowhere/models", 2, "there is no model, file or folder"),
        ("-i a.png -o out.png -x --tta-level 3", 2, "tta is 3"),
        ("-i a.png -o out.png --grayscale", 2, "--grayscale"),
        ("-i missing.png -o out.png", 1, "missing.png"),
        ("-l missing.txt -o out", 1, "missing.txt"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_mistakes_have_honest_exit_codes(words: str, code: int, said: str, capsys) -> None:
    assert run(["waifu2x", *words.split()]) == code
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert not Path("out.png").exists()


def test_without_networks_the_own_one_enlarges_and_never_pretends_to_denoise(folder: Path, monkeypatch, capsys) -> None:
    (folder / "models-cunet").rename(folder / "elsewhere")
    ship(monkeypatch, "photo-x2")
    assert run(["waifu2x", "-i", "a.png", "-o", "out.png"]) == 0
    assert "noise stays" in capsys.readouterr().err
    assert Path("out.png").exists()
    for words in (["-n", "0"], ["-n", "2"], ["-s", "1"], ["--method", "noise"]):
        assert run(["waifu2x", "-i", "a.png", "-o", "b.png", *words]) == 2
        assert "no networks that remove noise" in capsys.readouterr().err
    for words in (["-n", "1"], ["--method", "noise"]):
        assert run(["waifu2x", "-i", "a.png", "-o", "b.png", "-m", "photo", *words]) == 2
        assert "removes noise from photo" in capsys.readouterr().err
    assert not Path("b.png").exists()
    assert run(["waifu2x", "-i", "a.png", "-o", "c.png", "-n", "-1"]) == 0
    assert "noise stays" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "done"),
    [
        ("-n 2", "photo-restore-x2, strength 75"),
        ("--method noise -n 1", "photo-restore-x1, strength 50"),
        ("-n -1", "photo-x2"),
    ],
)
def test_without_networks_the_own_ones_remove_noise(folder: Path, words: str, done: str, capsys) -> None:
    (folder / "models-cunet").rename(folder / "elsewhere")
    assert run(["waifu2x", "-i", "a.png", "-o", "out.png", "--style", "photo", *words.split()]) == 0
    assert f"  {done}  " in capsys.readouterr().err


def test_a_folder_that_only_enlarges_says_so_or_refuses(folder: Path, capsys) -> None:
    make_family(folder / "plain", "scale2.0x")
    assert run(["waifu2x", "-i", "a.png", "-o", "out.png", "-m", "plain"]) == 0
    assert "noise stays" in capsys.readouterr().err
    assert run(["waifu2x", "-i", "a.png", "-o", "b.png", "-m", "plain", "-n", "1"]) == 2
    assert "waifu2x: -n -1" in capsys.readouterr().err


def test_one_network_does_what_it_does(folder: Path, capsys) -> None:
    network = folder / "models-cunet/noise2_model.onnx"
    assert run(["waifu2x", "-i", "a.png", "-o", "out.png", "-m", str(network), "-s", "1", "-n", "2"]) == 0
    assert result("out.png") == (pytest.approx(NOISE[2], abs=2e-4), (16, 12))
    assert "noise stays" not in capsys.readouterr().err
    network = folder / "models-cunet/scale2.0x_model.onnx"
    assert run(["waifu2x", "-i", "a.png", "-o", "out.png", "-m", str(network)]) == 0
    assert "is one network: noise stays unless that removes it" in capsys.readouterr().err


def test_a_folder_without_a_network_for_noise_alone_is_not_asked_for_it(folder: Path, capsys) -> None:
    make_family(folder / "plain", "scale2.0x")
    assert run(["waifu2x", "-i", "a.png", "-o", "b.png", "-m", "plain", "--method", "noise"]) == 2
    assert "no network that removes noise" in capsys.readouterr().err


def test_a_style_chooses_among_folders(folder: Path) -> None:
    make_family(folder / "models/up/art", "scale2.0x")
    make_family(folder / "models/up/photo", "noise0_scale2.0x", "scale2.0x")
    assert run(["waifu2x", "-i", "a.png", "-o", "out.png", "-m", "models", "--style", "photo"]) == 0
    assert result("out.png")[0] == pytest.approx(COMBINED[0], abs=2e-4)
    make_family(folder / "models/up/art_scan", "noise2_scale2.0x", "scale2.0x")
    assert run(["waifu2x", "-i", "a.png", "-o", "out.png", "-m", "models", "--style", "scan", "-n", "2"]) == 0
    assert result("out.png")[0] == pytest.approx(COMBINED[2], abs=2e-4)
    assert run(["waifu2x", "-i", "a.png", "-o", "out.png", "-m", "models", "--style", "art", "-n", "-1"]) == 0
    assert result("out.png")[0] == pytest.approx(ENLARGED, abs=2e-4)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("-noise_level 1", "--noise-level 1"),
        ("--model_dir x", "--model-dir x"),
        ("-scale 2 -depth 16", "--scale 2 --depth 16 --noise-level 1"),
        ("--tta", "--tta"),
        ("-tta 0 -noise_level 0", "--noise-level 0"),
        ("-gpu 1 -force_cudnn 0", "--gpu 1 --noise-level 1"),
        ("-i -x.png -o y_z.png", "-i -x.png -o y_z.png"),
        ("--gpu 0 1 2 -i a", "--gpu 0 -i a"),
        ("-g -1 -n -1", "-g -1 -n -1"),
        ("-n-1 -s2", "-n-1 -s2"),
    ],
)
def test_spellings_become_one(words: str, expected: str) -> None:
    assert understood(words.split()) == expected.split()


def test_orders_and_tiles(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_family(tmp_path / "m", *ALL)
    assert make_order("noise-scale", 3, None, "m") == Order(2.0, 100, "m")
    assert make_order(None, None, 1.0, "m") == Order(1.0, 25, "m")
    assert make_order("scale", 3, 3.0, "m") == Order(3.0, 0, "m")
    assert [parse_tile_size(text) for text in ("0", "400", "0,0,0", "256,128")] == ["auto", 400, "auto", 256]
    with pytest.raises(UsageError):
        parse_tile_size("")


def test_the_guide_names_options_that_there_are() -> None:
    """First column: what `kakudai waifu2x` takes, but for what is said not to be taken. Third: `kakudai upscale`."""
    root = Path(__file__).parents[2]
    reference = (root / "docs/reference/cli.md").read_text()
    help_of = {name: reference.split(f"## kakudai {name}\n")[1].split("\n## ")[0] for name in ("waifu2x", "upscale")}
    rows = re.findall(
        r"^\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$", (root / "docs/guides/from-waifu2x.md").read_text(), re.M
    )
    checked = 0
    for theirs, _, ours, difference in rows:
        for column, name in ((theirs, "waifu2x"), (ours, "upscale")):
            for text in re.findall(r"`(-[^`]*)`", column):
                if "not taken" in difference:
                    continue
                for option in re.findall(r"(?<!\S)--?[a-z][a-z_-]*", text):
                    word = understood([option])[0]
                    assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", help_of[name]), f"{option} of {name}"
                    checked += 1
    assert checked > 60
