"""`kakudai compare --models` from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.families import make_family
from tests.shipped_family import ship
from tests.small_models import convolutional

from kakudai.cli import compare_models
from kakudai.cli.main import run
from kakudai.evaluate.wanted import Filter, Region, Task, Wanted
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.image.resize import imresize_matlab, resize


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(convolutional())
    make_family(tmp_path / "family", "scale2.0x", "noise1_scale2.0x")
    coarse = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    original = resize(coarse, (120, 160))
    write_image(Picture(original), "original.png")
    write_image(Picture(imresize_matlab(original, 0.5)), "small.png")
    return tmp_path


def test_a_sheet_and_figures(capsys) -> None:
    words = ["compare", "small.png", "--models", "net.onnx,family@50", "--reference", "original.png", "-o", "sheet.png"]
    assert run([*words, "--region", "10,12,30,20", "--fidelity", "--consistent", "--json"]) == 0
    output = capsys.readouterr()
    facts = json.loads(output.out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert facts["region"] == [10, 12, 30, 20]
    assert facts["filter"] == "bicubic"
    rows = facts["results"]
    assert [row["title"] for row in rows][:3] == ["bicubic", "convolutional", "convolutional, consistent"]
    assert [rows[3][key] for key in ("asked", "model", "strength", "reason")] == ["family@50", "family noise 1", 50, ""]
    assert all(row["luma_psnr"] > 10 for row in rows[:-1])
    assert rows[1]["shrinks_back_psnr"] < rows[2]["shrinks_back_psnr"]
    assert "written: sheet.png" in output.err
    assert read_image("sheet.png").width > 1000
    assert run([*words, "--background", "light"]) == 0
    table = capsys.readouterr().out
    assert "luma PSNR" in table
    assert "shrinks back" not in table


def test_two_pictures_are_compared_as_ever(capsys) -> None:
    assert run(["compare", "original.png", "original.png"]) == 0
    assert "inf" in capsys.readouterr().out


def test_what_was_chosen_and_why_is_printed_and_drawn(monkeypatch, capsys) -> None:
    ship(monkeypatch, "photo-x2", "photo-restore-x2")
    write_image(read_image("original.png"), "photo.jpg", quality=40)
    drawn, real = [], compare_models.explain
    monkeypatch.setattr(compare_models, "explain", lambda *given: drawn.extend(real(*given)) or drawn)
    words = ["compare", "photo.jpg", "--models", "photo,photo@20", "--region", "10,10,20,20"]
    assert run([*words, "-o", "sheet.png"]) == 0
    table = capsys.readouterr().out
    assert "photo-restore-x2, strength 50" in table
    assert "JPEG quality 40" in table
    assert drawn == ["Chosen for photo: photo-restore-x2, strength 50 (JPEG quality 40, 4:4:4)."]
    assert run([*words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["results"]
    assert [(row["title"], row["strength"]) for row in rows[1:]] == [
        ("photo-restore-x2, strength 50", 50),
        ("photo-restore-x2, strength 20", 20),
    ]


def test_damage_that_comes_back_is_told_of(capsys) -> None:
    write_image(read_image("original.png"), "photo.jpg", quality=30)
    told = {}
    for picture in ("small.png", "photo.jpg"):
        for model in ("net.onnx", "family@0", "family@50"):
            for words in ([], ["--consistent"]):
                assert run(["compare", picture, "--models", model, *words, "--json"]) == 0
                notes = json.loads(capsys.readouterr().out)["notes"]
                told[picture, model, *words] = any("comes back" in note for note in notes)
    assert [case for case, said in told.items() if said] == [
        ("small.png", "family@50", "--consistent"),
        *(("photo.jpg", model, "--consistent") for model in ("net.onnx", "family@0", "family@50")),
    ]


def test_the_notes_of_a_sheet_say_what_was_done() -> None:
    def task(scale: float, kernel: Filter = "bicubic") -> Task:
        return Task(scale, [Wanted("photo")], Region(0, 0, 9, 9), fidelity=True, kernel=kernel)

    published = "shrunk by bicubic as in the published protocol"
    assert published in compare_models.explain([], task(2))[0]
    assert published not in compare_models.explain([], task(1.5))[0]
    assert "shrunk by box, against" in compare_models.explain([], task(2, "box"))[0]
    assert "shrunk" not in compare_models.explain([], task(1))[0]
    assert "difference to input" in compare_models.explain([], task(1))[1]


@pytest.mark.parametrize("kind", ["alpha", "grey", "deep", "pixel"])
def test_pictures_of_every_kind(kind: str, capsys) -> None:
    color = read_image("small.png").color
    pictures = {
        "alpha": Picture(color, np.tile(np.linspace(0, 255, 80).astype(np.uint8), (60, 1))[..., None]),
        "grey": Picture(color[..., :1]),
        "deep": Picture(color.astype(np.uint16) * 257),
        "pixel": Picture(color[:1, :1]),
    }
    write_image(pictures[kind], "kind.png")
    assert run(["compare", "kind.png", "--models", "net.onnx", "--fidelity", "--consistent", "-o", "sheet.png"]) == 0
    assert ("what is transparent is shown on white" in capsys.readouterr().err) == (kind == "alpha")
    assert read_image("sheet.png").height > 300
    assert run(["compare", "kind.png", "--models", "net.onnx", "--json"]) == 0
    note = "kind.png: what is transparent is shown on white"
    assert json.loads(capsys.readouterr().out)["notes"] == ([note] if kind == "alpha" else [])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--models", ""], 2, "no model is named"),
        (["--models", "nothing"], 2, "there is no model, file or folder 'nothing'"),
        (["--models", "net.onnx@40"], 2, "leave @40 out"),
        (["--models", "net.onnx@140"], 2, "the strength of net.onnx is '140'"),
        (["--models", "@40"], 2, "no model is named before '@40'"),
        (["--models", "net.onnx", "--region", "70,0,20,20"], 2, "ends outside the picture, which is 80x60"),
        (["--models", "net.onnx", "--region", "all"], 2, "accepted is X,Y,W,H"),
        (["--models", "net.onnx", "--scale", "0.5"], 2, "from 1 to 16"),
        (["--models", "net.onnx", "--scale", "nan", "-o", "sheet.png"], 2, "the scale is nan"),
        (["--models", "net.onnx", "--scale", "inf", "-o", "sheet.png"], 2, "the scale is inf"),
        (["--models", "net.onnx", "--filter", "sharp", "--fidelity"], 2, "accepted are bicubic"),
        (["--models", "net.onnx", "--filter", "box"], 2, "add --fidelity or --consistent"),
        (["--models", "net.onnx", "--shave", "2"], 2, "add --reference, or leave --shave out"),
        (["--models", "net.onnx", "--background", "pink"], 2, "accepted are dark and light"),
        (["--models", "net.onnx", "--reference", "small.png"], 2, "the reference is 80x60"),
        (["--models", "net.onnx", "--reference", "missing.png"], 1, "missing.png"),
        (["--models", "net.onnx", "-o", "small.png"], 2, "one of the pictures"),
        (["--models", "net.onnx", "-o", "nowhere/sheet.png"], 1, "no such folder"),
        (["--models", "net.onnx", "-o", "sheet.webp"], 2, "sheet.webp is no .png file"),
        (["other.png", "-o", "sheet.jpg"], 2, "sheet.jpg is no .png file"),
        (["original.png", "--models", "net.onnx"], 2, "enlarges one picture"),
        (["original.png", "--region", "1,1,2,2"], 2, "--region is for --models"),
        (["original.png", "--fidelity"], 2, "--fidelity is for --models"),
        ([], 2, "there is one picture"),
    ],
)
def test_bad_wishes_are_named(words: list[str], code: int, said: str, capsys) -> None:
    assert run(["compare", "small.png", *words]) == code
    errors = capsys.readouterr().err
    assert said in errors
    assert "unexpected" not in errors


@pytest.mark.real
def test_foreign_models_beside_ours(shared: Path, capsys) -> None:
    network = shared / "models/waifu2x-ncnn/models-upconv_7_photo-scale2.0x_model.param"
    write_image(Picture(read_image(shared / "data/test/Set5/img_003.png").color[:96, :96]), "real.png")
    words = ["compare", "real.png", "--models", f"photo,{network}", "--region", "40,40,16,16", "-o", "sheet.png"]
    assert run([*words, "--json"]) == 0
    titles = [row["title"] for row in json.loads(capsys.readouterr().out)["results"]]
    assert titles == ["bicubic", "photo-x2", network.stem]
