"""engine/frames.py and recall.py: animations become what their frames would, and nothing is done twice."""

import io
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.animations import animated, moving_square, swing
from tests.small_models import convolutional, nearest, spoiled
from tests.upscalers import session_of

from kakudai.engine.batch import upscale_file, upscale_files
from kakudai.engine.frames import FrameByFrame, choose_for, one_ahead
from kakudai.engine.intake import estimate, read
from kakudai.engine.job import FileOptions, Job
from kakudai.engine.recall import Recall
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import OutputError, PictureUnreadable, WrongResult
from kakudai.image.animation import open_animation
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.models import find_model


@pytest.fixture
def upscaler(tmp_path: Path) -> Iterator[Upscaler]:
    (tmp_path / "net.onnx").write_bytes(convolutional())
    with Upscaler(model=find_model(tmp_path / "net.onnx"), runtime="onnxruntime", tile=96) as upscaler:
        yield upscaler


def pixels_run(upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which the size of every tile is added that the network is given."""
    run, sizes, lock = session_of(upscaler).run, [], threading.Lock()

    def counted(x: np.ndarray) -> np.ndarray:
        with lock:
            sizes.append(x.shape[2] * x.shape[3])
        return run(x)

    monkeypatch.setattr(session_of(upscaler), "run", counted)
    return sizes


def with_patch(base: np.ndarray, top: int, left: int, size: int) -> np.ndarray:
    changed = base.copy()
    changed[top : top + size, left : left + size] = 255 - changed[top : top + size, left : left + size]
    return changed


@pytest.mark.parametrize("scale", [2, 3, 4, 0.5])
@pytest.mark.parametrize("kind", ["color", "grey", "alpha", "16 bits"])
def test_what_changes_alone_is_run_and_gives_the_same_to_the_bit(tmp_path: Path, scale: float, kind: str) -> None:
    (tmp_path / "net.onnx").write_bytes(convolutional())
    rng = np.random.default_rng(1)
    channels, top = {"grey": 1}.get(kind, 3), {"16 bits": 65536}.get(kind, 256)
    base = rng.integers(0, top, (150, 231, channels)).astype(np.uint16 if top > 256 else np.uint8)
    spots = [(0, 0, 1), (149, 230, 1), (70, 100, 30), (3, 200, 20), (70, 100, 30), (140, 5, 10)]
    frames = [base, *(with_patch(base, *spot) for spot in spots)]
    alphas = [np.where(rng.random((150, 231, 1)) < 0.5, 0, 255).astype(np.uint8) if kind == "alpha" else None] * 7
    with Upscaler(scale, model=find_model(tmp_path / "net.onnx"), runtime="onnxruntime", tile=64) as upscaler:
        recall = Recall()
        for color, alpha in zip(frames, alphas, strict=True):
            got, _ = upscaler.upscale_picture(Picture(color, alpha), recall=recall)
            wanted, _ = upscaler.upscale_picture(Picture(color, alpha))
            np.testing.assert_array_equal(got.color, wanted.color)
            if alpha is not None:
                np.testing.assert_array_equal(got.alpha, wanted.alpha)


def test_only_tiles_that_see_a_change_are_run(upscaler: Upscaler, monkeypatch) -> None:
    base = np.random.default_rng(2).integers(0, 256, (400, 600, 3)).astype(np.uint8)
    sizes, recall = pixels_run(upscaler, monkeypatch), Recall()
    seen: list[tuple[int, int]] = []
    upscaler.upscale_picture(Picture(base), recall=recall)
    whole = sum(sizes)
    sizes.clear()
    two = with_patch(with_patch(base, 10, 10, 8), 380, 580, 8)
    upscaler.upscale_picture(Picture(two), recall=recall, progress=lambda *at: seen.append(at))
    assert 0 < sum(sizes) < whole / 10
    assert seen[-1] == (400 * 600, 400 * 600)
    sizes.clear()
    upscaler.upscale_picture(Picture(two.copy()), recall=recall)
    assert sizes == []


def test_a_network_that_sees_everything_runs_again(tmp_path: Path) -> None:
    """It has no halo: any change may change everything."""
    (tmp_path / "net.onnx").write_bytes(convolutional(halo="none"))
    base = np.random.default_rng(3).integers(0, 256, (90, 80, 3)).astype(np.uint8)
    recall = Recall()
    with Upscaler(model=find_model(tmp_path / "net.onnx"), runtime="onnxruntime") as upscaler:
        for color in (base, with_patch(base, 5, 5, 9)):
            got, _ = upscaler.upscale_picture(Picture(color), recall=recall)
            np.testing.assert_array_equal(got.color, upscaler.upscale_picture(Picture(color))[0].color)


@pytest.mark.parametrize("name", ["gif", "png", "webp", "avif"])
def test_an_animation_stays_one(upscaler: Upscaler, tmp_path: Path, name: str) -> None:
    source, target = tmp_path / f"in.{name}", tmp_path / f"out.{name}"
    times = [Fraction(milliseconds, 1000) for milliseconds in (40, 130, 40, 2000, 0)]
    source.write_bytes(animated(moving_square(5), name, times, plays=3))
    progress: list[tuple[int, int]] = []
    job = Job(source, target, "in")
    (result,) = upscale_files(upscaler, [job], FileOptions(), progress=lambda _, *at: progress.append(at))
    assert result.error is None
    assert (result.frames, result.input_size, result.output_size) == (5, (60, 40), (120, 80))
    assert progress[-1] == (5 * 120 * 80, 5 * 120 * 80)
    assert progress == sorted(progress)
    before, after = open_animation(source), open_animation(target)
    assert before is not None
    assert after is not None
    assert (after.width, after.height, after.count) == (120, 80, 5)
    assert [frame.seconds for frame in after.frames()] == [frame.seconds for frame in before.frames()]
    assert after.plays == before.plays == (3 if name != "avif" else 0)
    for old, new in zip(before.frames(), after.frames(), strict=True):
        wanted, _ = upscaler.upscale_picture(old.picture)
        difference = np.abs(new.picture.color.astype(int) - wanted.color).mean()
        assert difference == 0 if name == "png" else difference < 4


def test_frames_that_come_again_are_not_run_again(upscaler: Upscaler, tmp_path: Path, monkeypatch) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    source.write_bytes(animated(swing(), "png", [Fraction(1, 10)] * 9))
    sizes = pixels_run(upscaler, monkeypatch)
    result = upscale_file(upscaler, source, target)
    assert result.frames == 9
    runs = len(sizes)
    sizes.clear()
    source.write_bytes(animated(swing()[:3], "png", [Fraction(1, 10)] * 3))
    upscale_file(upscaler, source, target)
    assert len(sizes) == runs > 0


def test_a_still_target_gets_the_first_frame_and_that_is_said(upscaler: Upscaler, tmp_path: Path) -> None:
    source = tmp_path / "in.gif"
    source.write_bytes(animated(moving_square(4), "gif", [Fraction(1, 10)] * 4))
    for target, options in (("out.jpg", FileOptions()), ("out.gif", FileOptions(still=True))):
        result = upscale_file(upscaler, source, tmp_path / target, options)
        assert result.frames == 1
        assert "only the first of 4 frames was read" in result.notes
        assert open_animation(tmp_path / target) is None
        wanted, _ = upscaler.upscale_picture(read_image(source))
        assert np.abs(read_image(tmp_path / target).color.astype(int) - wanted.color).mean() < 6


def test_one_style_and_strength_for_all_frames(tmp_path: Path) -> None:
    """A noisy frame between clean ones does not change its mind."""
    source = tmp_path / "in.png"
    frames = swing()
    frames[5] = Picture(np.random.default_rng(0).integers(0, 256, frames[0].color.shape).astype(np.uint8))
    source.write_bytes(animated(frames, "png", [Fraction(1, 10)] * len(frames)))
    animation = open_animation(source)
    assert animation is not None
    with Upscaler(denoise="auto") as upscaler:
        chosen = choose_for(upscaler, animation)
        assert chosen.choice is not None
        given = []
        upscaler.upscale_picture = lambda picture, what, **_: (
            given.append(what) or (picture, upscaler.plan_picture(picture, what))
        )  # type: ignore[method-assign]
        assert len(list(FrameByFrame(upscaler, animation, chosen).frames())) == 9
    assert len(given) == 4
    assert all(what is chosen for what in given)


def test_a_damaged_frame_leaves_no_file(upscaler: Upscaler, tmp_path: Path) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    data = bytearray(animated(moving_square(5), "png", [Fraction(1, 10)] * 5))
    data[-40] ^= 255
    source.write_bytes(data)
    with pytest.raises(PictureUnreadable, match="checksum"):
        upscale_file(upscaler, source, target)
    source.write_bytes(animated(moving_square(5), "gif", [Fraction(1, 10)] * 5)[:-120])
    with pytest.raises(PictureUnreadable):
        upscale_file(upscaler, source, target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.png", "net.onnx"]


def test_a_network_that_fails_on_a_frame_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(spoiled("nan"))
    source = tmp_path / "in.webp"
    source.write_bytes(animated(moving_square(3), "webp", [Fraction(1, 10)] * 3))
    with Upscaler(model=find_model(tmp_path / "bad.onnx")) as upscaler, pytest.raises(WrongResult):
        upscale_file(upscaler, source, tmp_path / "out.webp")
    assert not (tmp_path / "out.webp").exists()


def test_formats_limits_cost_no_work(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(nearest())
    source = tmp_path / "in.gif"
    wide = [Picture(np.full((1, 9000, 3), value, np.uint8)) for value in (0, 255)]
    source.write_bytes(animated(wide, "gif", [Fraction(1, 10)] * 2))
    with Upscaler(model=find_model(tmp_path / "net.onnx"), runtime="onnxruntime") as upscaler:
        session_of(upscaler).run = None  # type: ignore[method-assign]
        with pytest.raises(OutputError, match="16383"):
            upscale_file(upscaler, source, tmp_path / "out.webp")


def test_limits_are_known_to_a_plan(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(nearest())
    source = tmp_path / "in.gif"
    wide = [Picture(np.full((1, 9000, 3), value, np.uint8)) for value in (0, 255)]
    source.write_bytes(animated(wide, "gif", [Fraction(1, 10)] * 2))
    job = Job(source, tmp_path / "out.webp", "in")
    with Upscaler(model=find_model(tmp_path / "net.onnx"), runtime="onnxruntime") as upscaler:
        found = read(job, upscaler, FileOptions())
        assert found is not None
        with pytest.raises(OutputError, match="16383"):
            estimate(job, found, upscaler, FileOptions())


@pytest.mark.parametrize("name", ["in.gif", "in.cbz", "in.png"])
def test_what_comes_through_a_pipe(upscaler: Upscaler, tmp_path: Path, name: str) -> None:
    """It can be read but once."""
    count, kind = (3, "gif") if name == "in.gif" else (1, "png")
    data = animated(moving_square(count), kind, [Fraction(1, 10)] * count)
    if name == "in.cbz":
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as book:
            book.writestr("1.png", data)
        data = stream.getvalue()
    os.mkfifo(tmp_path / name)
    writer = threading.Thread(target=(tmp_path / name).write_bytes, args=(data,))
    writer.start()
    result = upscale_file(upscaler, tmp_path / name, tmp_path / f"out{Path(name).suffix}")
    writer.join()
    assert (result.frames, result.pages) == {"in.gif": (3, 0), "in.cbz": (1, 1), "in.png": (1, 0)}[name]


@pytest.mark.parametrize("name", ["out.gif", "out.png", "out.webp", "out.avif", "out.cbz"])
def test_an_interruption_leaves_nothing(name: str, tmp_path: Path) -> None:
    """Ctrl-C in the middle of an animation or a book: exit code 130, and the folder as it was."""
    (tmp_path / "net.onnx").write_bytes(nearest())
    source = tmp_path / f"in{Path(name).suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (40, 24, 32, 3)).astype(np.uint8)
    if name == "out.cbz":
        with zipfile.ZipFile(source, "w") as book:
            for number, color in enumerate(noise):
                stream = io.BytesIO()
                write_image(Picture(color), stream, format="png")
                book.writestr(f"{number}.png", stream.getvalue())
    else:
        pictures = [Picture(color) for color in noise]
        source.write_bytes(animated(pictures, source.suffix[1:], [Fraction(1, 10)] * 40))
    code = (
        "import os, signal, sys\n"
        "from kakudai.engine import passes\n"
        "fill, calls = passes.Pass._fill, []\n"
        "def counted(self, *words):\n"
        "    calls.append(1)\n"
        "    if len(calls) == 10:\n        os.kill(os.getpid(), signal.SIGINT)\n"
        "    return fill(self, *words)\n"
        "passes.Pass._fill = counted\n"
        "from kakudai.cli.main import main\n"
        f"sys.argv = ['kakudai', 'upscale', {str(source)!r}, '-o', {str(tmp_path / name)!r},\n"
        f"    '-m', {str(tmp_path / 'net.onnx')!r}, '--runtime', 'onnxruntime']\n"
        "main()\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=200)
    assert result.returncode == 130, result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [source.name, "net.onnx"]


def test_one_ahead_gives_all_and_raises_what_is_raised() -> None:
    def two() -> Iterator[int]:
        yield 1
        yield 2
        raise ZeroDivisionError

    items = one_ahead(two())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ZeroDivisionError):
        next(items)


def test_a_writer_that_fails_leaves_no_frame_at_work(upscaler: Upscaler, tmp_path: Path, monkeypatch) -> None:
    """Else the garbage collector would wait for it, wherever that happens to run."""
    kept = list[Iterator[bytes]]()

    def fail(_target: object, pieces: Iterator[bytes]) -> None:
        kept.append(pieces)
        next(pieces)
        raise OutputError("no room")

    monkeypatch.setattr("kakudai.engine.making.write_pieces", fail)
    (tmp_path / "in.png").write_bytes(animated(swing(), "png", [Fraction(1, 10)] * 9))
    with pytest.raises(OutputError):
        upscale_file(upscaler, tmp_path / "in.png", tmp_path / "out.png")
    assert kept
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("kakudai-frame")]
