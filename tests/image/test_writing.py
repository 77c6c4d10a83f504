"""A file appears whole or not at all, and what cannot be written is said before and in one line."""

import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kakudai.errors import OutputError, PictureError, UsageError
from kakudai.image.files import check_target, output_formats, read_image, write_image
from kakudai.image.picture import Metadata, Picture
from kakudai.image.writing import write_whole

PICTURE = Picture(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))


def test_bytes_appear_whole_or_not_at_all(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "page.html"
    write_whole(path, b"old")
    path.chmod(0o640)
    write_whole(path, b"new")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o640)
    with pytest.raises(OutputError, match="cannot write"):
        write_whole(tmp_path / "nowhere/page.html", b"")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kakudai.image.writing.os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        write_whole(path, b"newer")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize(
    ("suffix", "name"),
    [("png", "png"), ("jpg", "jpeg"), ("JPEG", "jpeg"), ("webp", "webp"), ("tif", "tiff"), ("avif", "avif")],
)
def test_the_extension_chooses_the_format(suffix: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / f"Größe 拡大.{suffix}"
    write_image(PICTURE, path)
    assert read_image(path).metadata.format == name
    assert os.listdir(tmp_path) == [path.name]  # noqa: PTH208


def test_a_stream_takes_the_format_of_the_source() -> None:
    stream = io.BytesIO()
    write_image(Picture(PICTURE.color, None, Metadata(format="webp")), stream)
    assert read_image(stream.getvalue()).metadata.format == "webp"


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("a.bmp", {}), ("a", {}), ("a.png", {"format": "heic"}), ("a.png", {"depth": 11}),
        ("a.jpg", {"quality": 0}), ("a.jpg", {"quality": 101}),
    ],
)  # fmt: skip
def test_wrong_usage(target: str, options: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        write_image(PICTURE, tmp_path / target, **options)  # type: ignore[arg-type]
    assert caught.value.hint
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "side"), [("webp", 16_384), ("jpeg", 65_501), ("avif", 16_385)])
def test_limits_of_formats_are_known_before_the_work(name: str, side: int) -> None:
    check_target(io.BytesIO(), name, side - 1, 1)
    with pytest.raises(OutputError, match=f"holds at most {side - 1} pixels a side"):
        check_target(io.BytesIO(), name, 1, side)


def test_folders_that_cannot_be_written_are_known_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    for target, words in (
        (tmp_path / "none" / "a.png", "No such file"),
        (tmp_path / "file" / "a.png", "Not a directory"),
        (tmp_path / "folder.png", "Is a directory"),
        (Path("/proc/a.png"), "cannot write"),
        (tmp_path / ("x" * 300 + ".png"), "too long"),
        (str(tmp_path / "a\0b.png"), "cannot write"),
    ):
        for attempt in (lambda path: check_target(path, None, 1, 1), lambda path: write_image(PICTURE, path)):
            with pytest.raises(OutputError, match=words) as caught:
                attempt(target)
            assert caught.value.hint
            assert "\n" not in caught.value.message
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.png"]  # noqa: PTH208


def test_an_old_file_is_replaced_whole_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write_image(PICTURE, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert np.array_equal(read_image(path).color, PICTURE.color)


def test_new_files_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_image(PICTURE, tmp_path / "a.png")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o640


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "a.png"
    link.symlink_to(tmp_path / "real" / "b.png")
    write_image(PICTURE, link)
    assert link.is_symlink()
    assert read_image(tmp_path / "real" / "b.png").width == 64
    assert os.listdir(tmp_path / "real") == ["b.png"]  # noqa: PTH208


def test_devices_are_written_and_never_replaced() -> None:
    write_image(PICTURE, "/dev/null", format="png")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize("name", output_formats())
def test_a_full_disk_leaves_nothing(name: str, tmp_path: Path) -> None:
    """A limit on file sizes stands for the disk: writes fail after 512 bytes."""
    (tmp_path / f"old.{name}").write_bytes(b"old")
    script = (
        "import resource, sys, numpy as np\n"
        "from kakudai.errors import OutputError\n"
        "from kakudai.image.files import write_image\n"
        "from kakudai.image.picture import Picture\n"
        "picture = Picture(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))\n"
        "for name in ('new', 'old'):\n"
        "    try: write_image(picture, f'{sys.argv[1]}/{name}.{sys.argv[2]}')\n"
        "    except OutputError as error: assert 'too large' in error.message and error.hint, error\n"
        "    else: raise SystemExit('written')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), name], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path) == [f"old.{name}"]  # noqa: PTH208
    assert (tmp_path / f"old.{name}").read_bytes() == b"old"


def test_a_killed_encoder_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_image(PICTURE, tmp_path / "a.png")
    assert not any(tmp_path.iterdir())


def test_a_closed_pipe_is_left_to_the_caller() -> None:
    class Closed(io.BytesIO):
        def write(self, _: object) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        write_image(PICTURE, Closed(), format="png")


def test_values_that_are_no_numbers_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="not numbers"):
        write_image(Picture(np.full((2, 2, 1), np.nan, np.float32)), tmp_path / "a.png")
    assert not any(tmp_path.iterdir())


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff\n.png")
    write_image(PICTURE, path)
    assert np.array_equal(read_image(path).color, PICTURE.color)
    path.write_bytes(b"no picture")
    with pytest.raises(PictureError) as caught:
        read_image(path)
    assert caught.value.message.isprintable()


def test_the_table_of_formats_is_what_the_code_does() -> None:
    root = Path(__file__).parents[2]
    script = root / "benchmarks" / "formats_table.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run python benchmarks/formats_table.py\n{done.stderr}"
