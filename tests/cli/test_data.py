"""`kakudai data`: packing says what it left out, and drawing shows what a recipe would train on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakudai.cli.main import run
from kakudai.data.drawn import LICENCE, draw_picture


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_pack_without_its_broken_files(capsys) -> None:
    Path("photos").mkdir()
    for name in "ab":
        Image.new("RGB", (20, 30)).save(f"photos/{name}.png")
    assert run(["data", "pack", "photos", "-o", "new/photos.pack"]) == 0
    Path("photos/broken.png").write_bytes(b"\x89PNG")
    Image.new("RGBA", (9, 9)).save("photos/glass.png")
    capsys.readouterr()
    assert run(["data", "pack", "photos", "-o", "photos.pack"]) == 1
    output = capsys.readouterr()
    assert "photos.pack: 2 pictures, 0.0 megapixels" in output.out
    assert Path("photos.pack").exists()
    lines = output.err.splitlines()
    assert [line.startswith("skipped") for line in lines] == [True, True, True]
    assert "broken.png" in lines[0]
    assert "glass.png" in lines[1]
    assert lines[2] == "skipped 2 of 4 pictures"


def test_pictures_of_some_licences_are_left_out(capsys) -> None:
    Path("photos").mkdir()
    licences = {"a": "CC0-1.0", "b": "CC-BY-SA-4.0 (somebody)", "c": "unknown"}
    for name in licences:
        Image.new("RGB", (20, 30)).save(f"photos/{name}.png")
    rows = [f"{name}.png\t{licence}" for name, licence in licences.items() if name != "c"]
    Path("photos/SOURCES.tsv").write_text("\n".join(["file\tlicence", *rows]))
    words = ["data", "pack", "photos", "-o", "photos.pack", "--without-licence"]
    assert run([*words, "SA"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["      1  CC0-1.0", "      1  unknown"]
    assert run([*words, "SA", "--without-licence", "unknown"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["      1  CC0-1.0"]
    assert run([*words, "SA", "--without-licence", "unknown", "--without-licence", "CC0"]) == 2
    assert "SA or unknown or CC0" in capsys.readouterr().err


def test_reasons_are_said_even_where_nothing_is_left(capsys) -> None:
    Path("photos").mkdir()
    Path("photos/broken.png").write_bytes(b"\x89PNG")
    assert run(["data", "pack", "photos", "-o", "photos.pack"]) == 2
    assert "broken.png" in capsys.readouterr().err
    assert not Path("photos.pack").exists()


@pytest.mark.parametrize("kind", ["photo", "art"])
def test_a_sheet_shows_what_is_drawn(kind: str, capsys) -> None:
    assert run(["data", "draw", kind, "-n", "5", "--size", "32", "--seed", "4", "-o", "sheet.png"]) == 0
    assert capsys.readouterr().out == "sheet.png: 5 pictures\n"
    sheet = np.asarray(Image.open("sheet.png"))
    assert sheet.shape == (2 * 36 + 4, 3 * 36 + 4, 3)
    for index in range(5):
        y, x = (4 + 36 * place for place in divmod(index, 3))
        np.testing.assert_array_equal(sheet[y : y + 32, x : x + 32], draw_picture(kind, 4, index, 32))
    assert (sheet[40:, 76:] == 255).all()


def test_a_folder_of_drawn_pictures_can_be_packed(capsys) -> None:
    assert run(["data", "draw", "art", "-n", "3", "--size", "24", "-o", "drawn"]) == 0
    assert sorted(path.name for path in Path("drawn").iterdir()) == [
        "SOURCES.tsv",
        *(f"art-0-0000{number}.png" for number in range(3)),
    ]
    np.testing.assert_array_equal(np.asarray(Image.open("drawn/art-0-00002.png")), draw_picture("art", 0, 2, 24))
    assert run(["data", "pack", "drawn", "-o", "drawn.pack"]) == 0
    assert f"3  {LICENCE}" in capsys.readouterr().out
    assert run(["data", "draw", "art", "-n", "1", "--size", "24", "-o", "drawn"]) == 1
    assert "drawn is not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["oil", "-o", "sheet.png"], "photo and art"),
        (["art", "-o", "sheet.jpg"], "sheet.jpg"),
        (["art", "-n", "0", "-o", "sheet.png"], "0 drawn pictures"),
        (["art", "--size", "8", "-o", "folder"], "8 pixels"),
        (["art", "--seed", "-1", "-o", "sheet.png"], "--seed is -1"),
        (["art", "-n", "9999", "-o", "sheet.png"], "too many for a sheet"),
    ],
)
def test_what_cannot_be_drawn(words: list[str], said: str, capsys) -> None:
    assert run(["data", "draw", *words]) == 2
    assert said in capsys.readouterr().err
    assert not list(Path().iterdir())
