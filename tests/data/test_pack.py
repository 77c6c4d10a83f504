"""A pack gives back what went in, with its licences; what cannot be used is named and nothing is half done."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakudai.data.pack import ALIGNMENT, Pack, open_pack, pack_folders
from kakudai.errors import KakudaiError, OutputError, PictureUnreadable, RecipeError


def test_pictures_and_licences_come_back(pack: Pack, folder: Path, tmp_path: Path) -> None:
    assert [(p.name, p.licence) for p in pack.pictures] == [
        ("a", "CC0-1.0"),
        ("b", "CC-BY-4.0"),
        ("grey", "unknown"),
    ]
    for picture in open_pack(tmp_path / "pack").pictures:
        original = np.asarray(Image.open(folder / f"{picture.name}.png").convert("RGB"))
        np.testing.assert_array_equal(pack.image(picture), original)
    assert pack.licences() == {"CC-BY-4.0": 1, "CC0-1.0": 1, "unknown": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pack", "pictures"]


def test_a_broken_picture_leaves_no_pack(folder: Path, tmp_path: Path) -> None:
    (folder / "z.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(PictureUnreadable, match=r"z\.png"):
        pack_folders([folder], tmp_path / "pack")
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_what_cannot_be_used_is_skipped_by_those_who_ask(folder: Path, tmp_path: Path) -> None:
    """Broken, cut off, empty, a text with the wrong name, transparent: all named, and the others are packed."""
    whole = (folder / "a.png").read_bytes()
    for name, content in (
        ("broken", b"\x89PNG\r\n"),
        ("cut", whole[: len(whole) // 2]),
        ("empty", b""),
        ("text", b"x"),
    ):
        (folder / f"{name}.png").write_bytes(content)
    Image.new("RGBA", (40, 40), (9, 9, 9, 128)).save(folder / "glass.png")
    Image.new("RGBA", (40, 40), (9, 9, 9, 255)).save(folder / "opaque.png")
    (folder / "folder.png").mkdir()
    skipped: dict[str, KakudaiError] = {}
    counted: list[tuple[int, int]] = []
    pack = pack_folders(
        [folder],
        tmp_path / "pack",
        skip=lambda path, error: skipped.update({path.name: error}),
        progress=lambda done, total: counted.append((done, total)),
    )
    assert [picture.name for picture in pack.pictures] == ["a", "b", "grey", "opaque"]
    assert sorted(skipped) == ["broken.png", "cut.png", "empty.png", "folder.png", "glass.png", "text.png"]
    assert all(name in error.message for name, error in skipped.items())
    assert "transparent" in skipped["glass.png"].message
    assert counted == [(number, 10) for number in range(1, 11)]


def test_a_folder_without_a_usable_picture(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecipeError, match="no pictures"):
        pack_folders([tmp_path / "empty"], tmp_path / "none")
    (tmp_path / "empty/a.png").write_bytes(b"")
    with pytest.raises(RecipeError, match="none of 1 picture"):
        pack_folders([tmp_path / "empty"], tmp_path / "none", skip=lambda *_: None)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_pack_that_cannot_be_written_leaves_the_old_one(
    pack: Pack, folder: Path, tmp_path: Path, monkeypatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    old = (tmp_path / "pack").read_bytes()
    monkeypatch.setattr("kakudai.data.pack.os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        pack_folders([folder], tmp_path / "pack")
    assert (tmp_path / "pack").read_bytes() == old
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pack", "pictures"]


def test_a_pack_where_no_folder_can_be(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"file/x\.pack cannot be written"):
        pack_folders([folder], tmp_path / "file/x.pack")


def test_licences_that_cannot_be_read_are_an_error(folder: Path, tmp_path: Path) -> None:
    (folder / "SOURCES.tsv").write_text("name\tterms\na.png\tCC0-1.0\n")
    with pytest.raises(RecipeError, match=r"SOURCES\.tsv.*file"):
        pack_folders([folder], tmp_path / "pack")


def test_files_that_are_no_packs(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no pack"):
        open_pack(tmp_path / "missing")
    with pytest.raises(RecipeError, match="cannot be read"):
        open_pack(tmp_path)
    for name, content in (("a.png", None), ("empty", b""), ("zeros", bytes(100))):
        if content is not None:
            (folder / name).write_bytes(content)
        with pytest.raises(RecipeError, match="not a pack"):
            open_pack(folder / name)


def test_a_pack_of_another_version_says_which(pack: Pack, tmp_path: Path) -> None:
    whole = (tmp_path / "pack").read_bytes()
    (tmp_path / "new").write_bytes(whole.replace(b"kakudai pack 1\n", b"kakudai pack 2\n", 1))
    with pytest.raises(RecipeError, match="a pack of version 2; this kakudai reads version 1"):
        open_pack(tmp_path / "new")


@pytest.mark.parametrize("length", [10, 16, 60, ALIGNMENT - 1, ALIGNMENT, -100, -1])
def test_a_truncated_pack_is_an_error_wherever_it_ends(pack: Pack, tmp_path: Path, length: int) -> None:
    whole = (tmp_path / "pack").read_bytes()
    (tmp_path / "short").write_bytes(whole[:length])
    with pytest.raises(RecipeError, match=r"truncated|cannot be read|not a pack"):
        open_pack(tmp_path / "short")


@pytest.mark.parametrize("entries", [b"[null]", b"5", b'{"a": 1}', b"[" * 100_000], ids=["null", "5", "object", "deep"])
def test_a_pack_whose_list_is_no_list_of_pictures(tmp_path: Path, entries: bytes) -> None:
    (tmp_path / "wrong").write_bytes(b"kakudai pack 1\n" + entries + b"\n")
    with pytest.raises(RecipeError, match="the list of pictures cannot be read"):
        open_pack(tmp_path / "wrong")


@pytest.mark.parametrize(
    "wrong",
    [{"height": -1}, {"width": "9"}, {"offset": -3}, {"offset": 1e3}, {"extra": 1}, {"height": True}, {"licence": 7},
     {"name": "x", "two\nlines": 1}],
)  # fmt: skip
def test_a_pack_whose_list_makes_no_sense(pack: Pack, tmp_path: Path, wrong: dict[str, object]) -> None:
    first, entries, rest = (tmp_path / "pack").read_bytes().split(b"\n", 2)
    listed = json.loads(entries)
    listed[0].update(wrong)
    (tmp_path / "wrong").write_bytes(b"\n".join([first, json.dumps(listed).encode(), rest]))
    with pytest.raises(RecipeError, match="cannot be read") as error:
        open_pack(tmp_path / "wrong")
    assert "\n" not in error.value.message
