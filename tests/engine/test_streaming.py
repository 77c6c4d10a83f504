"""Pictures that are too large for memory: the same pixels, nothing left behind, limits before the work."""

import gc
import json
import math
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from tests.small_models import convolutional, nearest
from tests.upscalers import give_session, session_of

from kakudai.engine import estimate, intake, loaded
from kakudai.engine.batch import upscale_file, upscale_files
from kakudai.engine.job import FileOptions, Job
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import OutputError, PictureTooLarge, WrongResult
from kakudai.image import reading
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.image.spool import Room, mapping_of
from kakudai.models import find_model


@pytest.fixture
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "test.onnx"
    path.write_bytes(convolutional())
    return path


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all arrays lie in files, and all results be written row by row, as those of large pictures."""
    monkeypatch.setattr(estimate, "STREAMED", 0)
    monkeypatch.setattr(intake, "Room", lambda folder: Room(folder, 0))


def upscaler(model: Path, scale: float = 2, tile: int = 32) -> Upscaler:
    return Upscaler(scale, model=find_model(model), runtime="onnxruntime", tile=tile)


def noise(height: int, width: int, channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    return (np.random.default_rng(height).random((height, width, channels)) * top).astype(dtype)


PICTURES = {
    "rgb": Picture(noise(131, 97)),
    "grey": Picture(noise(61, 200, 1)),
    "alpha": Picture(noise(101, 67), np.where(noise(101, 67, 1) > 99, 255, 0).astype(np.uint8)),
    "16": Picture(noise(90, 91, 3, np.uint16), noise(91, 91, 1, np.uint16)[:90]),
    "flat alpha": Picture(noise(50, 40), np.full((50, 40, 1), 128, np.uint8)),
}


@pytest.mark.parametrize("scale", [1, 2, 4, 3.3, 0.4])
@pytest.mark.parametrize("kind", PICTURES)
def test_rows_that_are_written_at_once_are_the_picture(
    kind: str, scale: float, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(PICTURES[kind], tmp_path / "in.png")
    with upscaler(model, scale, tile=0) as whole:
        before = upscale_file(whole, tmp_path / "in.png", tmp_path / "whole.png")
    monkeypatch.setattr(estimate, "STREAMED", 0)
    monkeypatch.setattr(intake, "Room", lambda folder: Room(folder, 0))
    with upscaler(model, scale) as rows:
        after = upscale_file(rows, tmp_path / "in.png", tmp_path / "rows.png")
    assert (tmp_path / "whole.png").read_bytes() == (tmp_path / "rows.png").read_bytes()
    assert before.notes == after.notes
    assert before.output_size == after.output_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.png", "rows.png", "whole.png"]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 997), (997, 1), (2, 65_535), (65_535, 2), (127, 251)])
def test_any_shape(height: int, width: int, streamed: None, tmp_path: Path) -> None:
    (tmp_path / "test.onnx").write_bytes(nearest())
    color = noise(height, width)
    write_image(Picture(color), tmp_path / "in.tif")
    with upscaler(tmp_path / "test.onnx", tile=256) as rows:
        upscale_file(rows, tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "out.tif").color, color.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("name", ["png", "jpg", "tif", "webp", "bmp"])
def test_reading_into_a_file_reads_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{name}"
    if name == "bmp":
        from PIL import Image

        Image.fromarray(noise(300, 41)).save(path)
    else:
        write_image(PICTURES["alpha"], path)
    whole, parts = read_image(path), read_image(path, room=Room(tmp_path, 0))
    assert mapping_of(parts.color) is not None
    np.testing.assert_array_equal(whole.color, parts.color)
    assert (whole.alpha is None) == (parts.alpha is None)
    assert whole.metadata == parts.metadata


@pytest.mark.real
@pytest.mark.parametrize("number", range(1, 9))
def test_turned_pictures_are_upright_in_files_too(number: int, shared: Path, tmp_path: Path) -> None:
    path = shared / f"data/test/formats/exif_landscape_{number}.jpg"
    np.testing.assert_array_equal(read_image(path).color, read_image(path, room=Room(tmp_path, 0)).color)


def test_the_limit_depends_on_how_a_file_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More pixels are taken of files that are decoded row by row, unless they are mostly nothing."""
    from kakudai.image.vips import libvips

    monkeypatch.setattr(reading, "MAX_PIXELS", 1000)
    write_image(Picture(noise(50, 50)), tmp_path / "rows.png")
    assert read_image(tmp_path / "rows.png", max_pixels=None).width == 50
    write_image(Picture(noise(50, 50)), tmp_path / "whole.webp")
    with pytest.raises(PictureTooLarge, match="the limit is 1000"):
        read_image(tmp_path / "whole.webp", max_pixels=None)
    write_image(Picture(np.zeros((2000, 2000, 3), np.uint8)), tmp_path / "nothing.png")
    with pytest.raises(PictureTooLarge, match="the limit is 1000"):
        read_image(tmp_path / "nothing.png", max_pixels=None)
    assert read_image(tmp_path / "nothing.png", max_pixels=0).width == 2000
    monkeypatch.setattr(reading, "MAX_HELD", 1000)
    for name in ("x.jpg", "x.png"):
        libvips().Image.new_from_array(noise(20, 20)).write_to_file(str(tmp_path / name), interlace=True)
        with pytest.raises(PictureTooLarge, match="cannot be decoded row by row"):
            read_image(tmp_path / name, max_pixels=None)


def test_results_come_in_order_whatever_their_size(model: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(estimate, "STREAMED", 4 * 60 * 60 * 3)
    jobs = []
    for number, side in enumerate((30, 90, 40, 80, 50)):
        write_image(Picture(noise(side, side)), tmp_path / f"{number}.png")
        jobs.append(Job(tmp_path / f"{number}.png", tmp_path / f"out{number}.png", str(number)))
    jobs[3].source.write_bytes(b"not a picture")
    done: list[str] = []
    with upscaler(model) as up:
        results = list(upscale_files(up, jobs, FileOptions(), progress=lambda job, *_: done.append(job.name)))
    assert [result.job.name for result in results] == list("01234")
    assert [result.error is None for result in results] == [True, True, True, False, True]
    assert list(dict.fromkeys(done)) == ["0", "1", "2", "4"]
    assert all(result.report.tile and result.report.network_seconds for result in results if result.report)


def test_memory_that_runs_out_halfway_only_makes_tiles_smaller(streamed: None, model: Path, tmp_path: Path) -> None:
    class Fails:
        """The third and the fourth call have no memory."""

        name, workers, calls = "fails", 1, 0

        def run(self, x: np.ndarray) -> np.ndarray:
            self.calls += 1
            if self.calls in (3, 4):
                raise MemoryError
            return before.run(x)

    write_image(Picture(noise(300, 70)), tmp_path / "in.png")
    with upscaler(model, tile=0) as whole:
        upscale_file(whole, tmp_path / "in.png", tmp_path / "whole.png")
    with upscaler(model, tile=128) as up:
        before = session_of(up)
        give_session(up, Fails())
        result = upscale_file(up, tmp_path / "in.png", tmp_path / "rows.png")
    assert result.report.tile < 128
    assert (tmp_path / "whole.png").read_bytes() == (tmp_path / "rows.png").read_bytes()


@pytest.mark.parametrize("name", ["out.png", "out.tif", "out.dzi"])
def test_a_wrong_row_leaves_nothing(
    name: str, streamed: None, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong in the middle, twice. Whoever keeps the error does not keep the picture."""

    class Wrong:
        name, workers, calls = "wrong", 1, 0

        def run(self, x: np.ndarray) -> np.ndarray:
            self.calls += 1
            return before.run(x) * (np.nan if self.calls > 20 else 1)

    made: list[weakref.ref[np.ndarray]] = []

    class Watched(Room):
        def array(self, shape: tuple[int, ...], dtype: object) -> np.ndarray:
            array = super().array(shape, dtype)
            made.append(weakref.ref(mapping_of(array)))
            return array

    monkeypatch.setattr(intake, "Room", lambda folder: Watched(folder, 0))
    write_image(Picture(noise(300, 70)), tmp_path / "in.png")
    jobs = [Job(tmp_path / "in.png", tmp_path / name, number) for number in "12"]
    with upscaler(model) as up:
        before, wrong = session_of(up), Wrong()
        give_session(up, wrong)
        monkeypatch.setattr(loaded, "_careful", lambda _: wrong)
        results = list(upscale_files(up, jobs, FileOptions()))
    assert [type(result.error) for result in results] == [WrongResult, WrongResult]
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]
    gc.collect()
    assert made[0]() is None


@pytest.mark.parametrize("name", ["png", "tiff"])
def test_a_pipe_that_is_named_as_a_file_gets_the_picture(name: str, model: Path, tmp_path: Path) -> None:
    write_image(Picture(noise(30, 40)), tmp_path / "in.png")
    words = ["upscale", str(tmp_path / "in.png"), "-m", str(model), "-o", "/dev/stdout", "--format", name]
    result = subprocess.run([sys.executable, "-m", "kakudai", *words], capture_output=True, check=False, timeout=200)
    assert result.returncode == 0, result.stderr
    assert read_image(result.stdout).width == 80


@pytest.mark.parametrize(("name", "side"), [("webp", 4100), ("avif", 2760)])
def test_encoders_that_keep_the_whole_picture_have_a_limit(name: str, side: int, model: Path, tmp_path: Path) -> None:
    picture = Picture(np.broadcast_to(np.uint8(7), (side, side, 3)))
    with upscaler(model) as up:
        chosen = up.choose(picture)
        plan = up.plan_picture(picture, chosen).plan

        def check(entry: str, **options: int) -> None:
            estimate.check_costs(
                picture, plan, chosen.tools,
                entry=estimate.FORMATS[entry], target=tmp_path / "x", options=FileOptions(**options),
            )  # fmt: skip

        with pytest.raises(OutputError, match=r"encoder keeps all of a picture: .* 1\.\d GB") as caught:
            check(name)
        assert "--format jpeg" in caught.value.hint
        check(name, max_pixels=0)
        check("jpeg")


@pytest.mark.parametrize(("shape", "name"), [((2, 33_000), "jpg"), ((2, 9000), "webp"), ((9000, 2), "avif")])
def test_limits_of_formats_are_known_before_the_work(shape, name: str, model: Path, tmp_path: Path) -> None:
    write_image(Picture(noise(*shape)), tmp_path / "in.png")
    with upscaler(model) as up:
        give_session(up, None)  # which nobody must call
        with pytest.raises(OutputError, match="pixels a side"):
            upscale_file(up, tmp_path / "in.png", tmp_path / f"out.{name}")


def test_a_disk_that_is_too_small_is_known_before_the_work(
    streamed: None, model: Path, tmp_path: Path, monkeypatch
) -> None:
    write_image(Picture(noise(300, 300)), tmp_path / "in.png")
    usage = estimate.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(estimate.shutil, "disk_usage", lambda path: usage._replace(free=100_000))
    with upscaler(model) as up:
        give_session(up, None)
        with pytest.raises(OutputError, match="MB are free"):
            upscale_file(up, tmp_path / "in.png", tmp_path / "out.png")
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


@pytest.mark.parametrize(("name", "number", "expected"), [
    ("out.png", "SIGINT", 130), ("out.tif", "SIGINT", 130), ("out.jpg", "SIGINT", 130), ("out.dzi", "SIGINT", 130),
    ("out.tif", "SIGTERM", 143), ("out.dzi", "SIGTERM", 143),
])  # fmt: skip
def test_an_interruption_leaves_nothing(name: str, number: str, expected: int, tmp_path: Path) -> None:
    """In the middle of a streamed picture: the folder is as it was."""
    (tmp_path / "test.onnx").write_bytes(nearest())
    write_image(Picture(noise(3000, 300)), tmp_path / "in.png")
    code = (
        "import os, signal, sys\n"
        "from kakudai.engine import estimate, intake, passes\n"
        "from kakudai.image.spool import Room\n"
        "estimate.STREAMED = 0\nintake.Room = lambda folder: Room(folder, 0)\n"
        "fill, calls = passes.Pass._fill, []\n"
        "def counted(self, *words):\n"
        "    calls.append(1)\n"
        "    if len(calls) == 40:\n        os.kill(os.getpid(), signal.NUMBER)\n"
        "    return fill(self, *words)\n"
        "passes.Pass._fill = counted\n"
        "from kakudai.cli.main import main\n"
        f"sys.argv = ['kakudai', 'upscale', {str(tmp_path / 'in.png')!r}, '-o', {str(tmp_path / name)!r},\n"
        f"    '-m', {str(tmp_path / 'test.onnx')!r}, '--tile', '64', '--runtime', 'onnxruntime']\n"
        "main()\n"
    ).replace("NUMBER", number)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=200)
    assert result.returncode == expected, result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.png", "test.onnx"]


def test_a_plan_says_what_it_will_cost(model: Path, tmp_path: Path, capsys) -> None:
    from typer.testing import CliRunner

    from kakudai.cli.main import build

    write_image(Picture(noise(200, 300)), tmp_path / "in.png")
    words = ["upscale", str(tmp_path / "in.png"), "-m", str(model), "--dry-run"]
    planned = json.loads(CliRunner().invoke(build(), [*words, "--json"]).stdout)["estimate"]
    assert planned["seconds"] > 0
    assert planned["memory"] > 100_000_000
    assert planned["disk"] > 300 * 200
    assert (planned["spool"], planned["streamed"]) == (0, False)
    said = CliRunner().invoke(build(), words).stdout
    assert "of memory, 1 MB of disk" in said
    assert not (tmp_path / "in_2x.png").exists()


def test_costs_grow_with_the_picture_and_not_with_its_height(model: Path) -> None:
    tall, taller = (Picture(np.broadcast_to(np.uint8(7), (height, 8000, 3))) for height in (8000, 16_000))
    png = estimate.FORMATS["png"]
    with upscaler(model, 4) as up:
        one, two = (up.estimate(picture, up.choose(picture), png, FileOptions()) for picture in (tall, taller))
    assert one.streamed
    assert math.isclose(two.spool, 2 * one.spool)
    assert two.seconds > 1.5 * one.seconds
    assert one.memory == two.memory
    assert one.memory < 800_000_000


@pytest.mark.real
@pytest.mark.parametrize("target", ["png", "jpg", "tif"])
def test_the_size_of_a_result_is_estimated_from_the_picture(target: str, shared: Path, tmp_path: Path) -> None:
    """Within a factor of two: photographs with the shipped network."""
    path = shared / "data/test/Set14/img_001.png"
    with Upscaler(2, runtime="onnxruntime") as up:
        picture = read_image(path)
        guess = up.estimate(picture, up.choose(picture), intake.find_output_format(target), FileOptions())
        upscale_file(up, path, tmp_path / f"x.{target}")
    size = (tmp_path / f"x.{target}").stat().st_size
    assert size / 2 < guess.disk < 2 * size
