"""engine/book.py and image/archive.py: a book stays a book, and nothing in it leads out of it."""

import io
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.small_models import nearest

from kakudai.engine.batch import upscale_files
from kakudai.engine.job import FileOptions, FileResult, Job
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import KakudaiError, PictureTooLarge, PictureUnreadable, UsageError
from kakudai.image import archive
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.models import find_model

INFO = b"<?xml version='1.0'?><ComicInfo><Title>Sea</Title></ComicInfo>" * 20


@pytest.fixture
def upscaler(tmp_path: Path) -> Iterator[Upscaler]:
    (tmp_path / "test.onnx").write_bytes(nearest())
    with Upscaler(model=find_model(tmp_path / "test.onnx"), runtime="onnxruntime") as upscaler:
        yield upscaler


def page(seed: int, name: str = "png") -> bytes:
    stream = io.BytesIO()
    color = np.random.default_rng(seed).integers(0, 256, (20 + seed, 30, 3)).astype(np.uint8)
    write_image(Picture(color), stream, format=name)
    return stream.getvalue()


def bound(path: Path, members: dict[str, bytes], comment: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(zipfile.ZipInfo(name, (2001, 2, 3, 4, 5, 6)), data, zipfile.ZIP_DEFLATED)
        made.comment = comment
    return path


def enlarged(upscaler: Upscaler, source: Path, target: Path, **options: str) -> FileResult:
    (result,) = upscale_files(upscaler, [Job(source, target, source.name)], FileOptions(**options))  # type: ignore[arg-type]
    return result


def test_order_names_folders_and_other_files_stay(upscaler: Upscaler, tmp_path: Path) -> None:
    members = {
        "b/002.png": page(2), "b/": b"", "ComicInfo.xml": INFO, "a/010.jpg": page(3, "jpeg"), "a/001.png": page(1),
        "__MACOSX/._001.png": b"\0\5\26\7", "ページ.webp": page(4, "webp"),
    }  # fmt: skip
    source = bound(tmp_path / "book.cbz", members, b"kept by readers")
    progress: list[tuple[int, int]] = []
    job = Job(source, tmp_path / "out.cbz", "book")
    (result,) = upscale_files(upscaler, [job], FileOptions(), progress=lambda _, *at: progress.append(at))
    assert result.error is None
    assert (result.pages, result.failed, result.networks) == (4, (), ("test",))
    with zipfile.ZipFile(tmp_path / "out.cbz") as out:
        assert out.namelist() == list(members)
        assert out.comment == b"kept by readers"
        assert out.read("ComicInfo.xml") == INFO
        assert out.read("__MACOSX/._001.png") == members["__MACOSX/._001.png"]
        assert out.getinfo("a/001.png").date_time == (2001, 2, 3, 4, 5, 6)
        assert out.getinfo("a/001.png").compress_type == zipfile.ZIP_STORED
        for name in ("b/002.png", "a/001.png"):
            before, after = read_image(members[name]).color, read_image(out.read(name)).color
            np.testing.assert_array_equal(after, before.repeat(2, 0).repeat(2, 1))
        assert out.testzip() is None
    assert progress[-1][0] == progress[-1][1]


def test_pages_may_change_their_format(upscaler: Upscaler, tmp_path: Path) -> None:
    source = bound(tmp_path / "book.zip", {"1.png": page(1), "1.jpg": page(2, "jpeg"), "2.webp": page(3)})
    result = enlarged(upscaler, source, tmp_path / "out.zip", format="webp")
    assert result.failed == ()
    with zipfile.ZipFile(tmp_path / "out.zip") as out:
        assert out.namelist() == ["1.webp", "1-1.webp", "2.webp"]
        assert [read_image(out.read(name)).metadata.format for name in out.namelist()] == ["webp"] * 3


def test_a_page_that_fails_stays_as_it_was_and_is_named(upscaler: Upscaler, tmp_path: Path) -> None:
    bad = page(2)[:-300]
    source = bound(tmp_path / "book.cbz", {"1.png": page(1), "2.png": bad, "3.png": page(3), "4.png": b""})
    result = enlarged(upscaler, source, tmp_path / "out.cbz")
    assert result.error is None
    assert [(failed.name, failed.kept) for failed in result.failed] == [("2.png", True), ("4.png", True)]
    with zipfile.ZipFile(tmp_path / "out.cbz") as out:
        assert out.namelist() == ["1.png", "2.png", "3.png", "4.png"]
        assert out.read("2.png") == bad


def test_a_page_that_cannot_be_unpacked_is_left_out_and_named(upscaler: Upscaler, tmp_path: Path) -> None:
    source = bound(tmp_path / "book.cbz", {"1.png": page(1), "2.png": page(2), "x.xml": INFO})
    data = bytearray(source.read_bytes())
    with zipfile.ZipFile(source) as made:
        for name in ("2.png", "x.xml"):
            at = made.getinfo(name).header_offset
            data[at + 60] ^= 255
    source.write_bytes(data)
    result = enlarged(upscaler, source, tmp_path / "out.cbz")
    assert [(failed.name, failed.kept) for failed in result.failed] == [("2.png", False)]
    assert any(note.startswith("x.xml was left out: it is damaged") for note in result.notes)
    with zipfile.ZipFile(tmp_path / "out.cbz") as out:
        assert out.namelist() == ["1.png"]


def test_a_book_without_a_good_page_is_not_written(upscaler: Upscaler, tmp_path: Path) -> None:
    source = bound(tmp_path / "book.cbz", {"1.png": b"no", "2.png": b"no"})
    result = enlarged(upscaler, source, tmp_path / "out.cbz")
    assert isinstance(result.error, PictureUnreadable)
    assert not (tmp_path / "out.cbz").exists()
    assert not list(tmp_path.glob(".kakudai*"))


def test_what_leads_out_of_the_book_is_left_out_and_said(upscaler: Upscaler, tmp_path: Path) -> None:
    source = tmp_path / "book.cbz"
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    names = ["../1.png", "/etc/2.png", "C:/3.png", "a\\..\\..\\4.png", "good.png", "new\nline.png"]
    with zipfile.ZipFile(source, "w") as made:
        for number, name in enumerate(names):
            made.writestr(name, page(number))
        made.writestr(link, "/etc/passwd")
    result = enlarged(upscaler, source, tmp_path / "out.cbz")
    assert result.pages == 1
    assert len([note for note in result.notes if "was left out" in note]) == 6
    with zipfile.ZipFile(tmp_path / "out.cbz") as out:
        assert out.namelist() == ["good.png"]


def test_two_files_of_one_name_are_said(upscaler: Upscaler, tmp_path: Path) -> None:
    source = tmp_path / "book.cbz"
    with zipfile.ZipFile(source, "w") as made:
        made.writestr("1.png", page(1))
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("1.png", page(2))
    result = enlarged(upscaler, source, tmp_path / "out.cbz")
    assert result.notes == ("1.png was left out: another file has the same name",)


@pytest.mark.parametrize("kind", ["encrypted", "empty", "torn", "no pages"])
def test_what_is_no_book_is_refused(upscaler: Upscaler, tmp_path: Path, kind: str) -> None:
    source = bound(tmp_path / "book.cbz", {"1.png": page(1)} if kind in ("encrypted", "torn") else {})
    data = bytearray(source.read_bytes())
    if kind == "encrypted":
        data[6] |= 1
        data[data.index(b"PK\1\2") + 8] |= 1
    elif kind == "torn":
        data = data[:-30]
    elif kind == "no pages":
        data = bytearray(bound(source, {"readme.txt": b"text"}).read_bytes())
    source.write_bytes(data)
    result = enlarged(upscaler, source, tmp_path / "out.cbz")
    assert isinstance(result.error, PictureUnreadable)
    assert not (tmp_path / "out.cbz").exists()


def test_bombs_are_refused_by_their_sizes(upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = bound(tmp_path / "book.cbz", {f"{number}.png": bytes(1 << 20) for number in range(4)})
    monkeypatch.setattr(archive, "HARMLESS", 1 << 20)
    result = enlarged(upscaler, source, tmp_path / "out.cbz")
    assert isinstance(result.error, PictureTooLarge)
    monkeypatch.setattr(archive, "HARMLESS", 1 << 30)
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    assert isinstance(enlarged(upscaler, source, tmp_path / "out.cbz").error, PictureTooLarge)
    monkeypatch.setattr(archive, "MAX_MEMBERS", 30)
    monkeypatch.setattr(archive, "MAX_FILE", 1 << 19)
    assert isinstance(enlarged(upscaler, source, tmp_path / "out.cbz").error, PictureTooLarge)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_size_that_lies_unpacks_no_more_than_it_states(tmp_path: Path, method: int) -> None:
    """It ends there, and the checksum is another; bzip2 is not even begun."""
    source = tmp_path / "book.cbz"
    with zipfile.ZipFile(source, "w", method) as made:
        made.writestr("1.png", bytes(64 << 20))
    data = bytearray(source.read_bytes())
    at = data.index(b"PK\1\2")
    struct.pack_into("<I", data, at + 24, 1000)
    source.write_bytes(data)
    tracemalloc.start()
    with archive.open_book(source) as book, pytest.raises(PictureUnreadable, match=r"damaged|neither"):
        book.read(book.pages[0])
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_is_damaged_is_an_error_of_its_own(tmp_path: Path, method: int) -> None:
    stream, rng = io.BytesIO(), np.random.default_rng(0)
    with zipfile.ZipFile(stream, "w", method) as made:
        made.writestr("1.png", b"some words " * 50)
    whole, failed = stream.getvalue(), 0
    for _ in range(300):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 2):
            data[at] = rng.integers(0, 256)
        try:
            with archive.open_book(bytes(data)) as book:
                book.read(book.pages[0])
        except KakudaiError:
            failed += 1
    assert failed > 50


def test_a_book_becomes_a_book_and_nothing_else(upscaler: Upscaler, tmp_path: Path) -> None:
    source = bound(tmp_path / "book.cbz", {"1.png": page(1)})
    assert isinstance(enlarged(upscaler, source, tmp_path / "out.png").error, UsageError)


def test_a_book_inside_a_book_is_no_page(upscaler: Upscaler, tmp_path: Path) -> None:
    inner = bound(tmp_path / "inner.zip", {"1.png": page(1)}).read_bytes()
    source = bound(tmp_path / "book.cbz", {"1.png": page(1), "2.png": inner})
    result = enlarged(upscaler, source, tmp_path / "out.cbz")
    assert [failed.name for failed in result.failed] == ["2.png"]
    assert "a book within the book" in str(result.failed[0].error)
    with zipfile.ZipFile(tmp_path / "out.cbz") as out:
        assert out.read("2.png") == inner


def test_a_book_may_come_from_a_stream_and_go_into_one(upscaler: Upscaler, tmp_path: Path) -> None:
    source = bound(tmp_path / "book.cbz", {"1.png": page(1), "x.xml": INFO}).read_bytes()
    target = io.BytesIO()
    (result,) = upscale_files(upscaler, [Job(source, target, "-")], FileOptions())
    assert result.error is None
    with zipfile.ZipFile(target) as out:
        assert out.namelist() == ["1.png", "x.xml"]
        assert read_image(out.read("1.png")).height == 42


def test_names_in_any_script_stay(upscaler: Upscaler, tmp_path: Path) -> None:
    """An ideographic space, a joiner in an emoji, a space that does not break."""
    names = ["第1巻\u3000表紙.png", "\U0001f469\u200d\U0001f467.png", "page\u00a01.png"]
    source = bound(tmp_path / "book.cbz", {name: page(1) for name in names})
    result = enlarged(upscaler, source, tmp_path / "out.cbz")
    assert (result.pages, result.notes) == (3, ())
    with zipfile.ZipFile(tmp_path / "out.cbz") as out:
        assert out.namelist() == names


def test_a_book_of_windows_can_be_unpacked_elsewhere(upscaler: Upscaler, tmp_path: Path) -> None:
    """Its attributes are none of Unix: taken for such, they forbid everything."""
    source = tmp_path / "book.cbz"
    info = zipfile.ZipInfo("1.png")
    info.create_system, info.external_attr = 0, 0x20
    with zipfile.ZipFile(source, "w") as made:
        made.writestr(info, page(1))
    enlarged(upscaler, source, tmp_path / "out.cbz")
    with zipfile.ZipFile(tmp_path / "out.cbz") as out:
        assert (out.getinfo("1.png").create_system, out.getinfo("1.png").external_attr) == (0, 0x20)
