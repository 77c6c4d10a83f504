"""engine/batch.py, intake.py, making.py: results in order, one bad file never stops the rest, no file unasked."""

import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.small_models import nearest, spoiled
from tests.upscalers import session_of

from kakudai.engine import intake, making
from kakudai.engine.batch import upscale_file, upscale_files
from kakudai.engine.job import FileOptions, Job
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import OutputError, PictureNotFound, PictureTooLarge, PictureUnreadable, UsageError, WrongResult
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.models import find_model

OPTIONS = FileOptions()


@pytest.fixture
def upscaler(tmp_path: Path) -> Iterator[Upscaler]:
    (tmp_path / "test.onnx").write_bytes(nearest())
    with Upscaler(model=find_model(tmp_path / "test.onnx"), runtime="onnxruntime") as upscaler:
        yield upscaler


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    """Five good pictures of different sizes."""
    rng = np.random.default_rng(0)
    jobs = []
    for number in range(5):
        path = tmp_path / f"in{number}.png"
        write_image(Picture(rng.integers(0, 256, (20 + number, 30, 3)).astype(np.uint8)), path)
        jobs.append(Job(path, tmp_path / f"out{number}.png", path.name))
    return jobs


def test_results_come_in_order_and_say_what_was_done(upscaler: Upscaler, jobs: list[Job]) -> None:
    seen: list[tuple[str, int, int]] = []
    results = list(upscale_files(upscaler, jobs, OPTIONS, progress=lambda job, *at: seen.append((job.name, *at))))
    assert [result.job for result in results] == jobs
    for number, result in enumerate(results):
        assert result.error is None
        assert result.input_size == (30, 20 + number)
        assert result.output_size == (60, 40 + 2 * number)
        assert result.report is not None
        assert 0 < result.report.network_seconds < result.seconds
        before = read_image(result.job.source).color
        np.testing.assert_array_equal(read_image(result.job.target).color, before.repeat(2, 0).repeat(2, 1))
        assert (jobs[number].name, 60 * (40 + 2 * number), 60 * (40 + 2 * number)) in seen


def test_a_picture_s_time_is_its_own(upscaler: Upscaler, jobs: list[Job], monkeypatch) -> None:
    """It is read ahead, and then waits for the picture before it."""
    enlarge, waits = upscaler.upscale_picture, iter([1.0])

    def wait_once(picture: Picture, *chosen: object, **words: object) -> object:
        time.sleep(next(waits, 0.0))
        return enlarge(picture, *chosen, **words)

    monkeypatch.setattr(upscaler, "upscale_picture", wait_once)
    first, second = upscale_files(upscaler, jobs[:2], OPTIONS)
    assert first.seconds > 1.0 > second.seconds


def test_one_bad_file_never_stops_the_rest(upscaler: Upscaler, jobs: list[Job], tmp_path: Path, monkeypatch) -> None:
    """Whatever goes wrong, also what nobody thought of."""
    read, write = intake.read_image, making.write_image

    def read_or_burst(source, **options):
        if source == jobs[2].source:
            raise ZeroDivisionError("a mistake in a decoder")
        return read(source, **options)

    def write_or_burst(picture, target, **options):
        if target == jobs[3].target:
            raise ZeroDivisionError("a mistake in an encoder")
        return write(picture, target, **options)

    monkeypatch.setattr(intake, "read_image", read_or_burst)
    monkeypatch.setattr(making, "write_image", write_or_burst)
    jobs[0].source.write_bytes(b"not a picture")
    jobs[1] = Job(tmp_path / "missing.png", jobs[1].target, "missing")
    results = list(upscale_files(upscaler, jobs, OPTIONS))
    kinds = [PictureUnreadable, PictureNotFound, ZeroDivisionError, ZeroDivisionError, type(None)]
    assert [type(result.error) for result in results] == kinds
    assert [job.target.exists() for job in jobs] == [False, False, False, False, True]
    assert results[3].input_size == (30, 23)
    assert all(result.output_size is None and result.report is None for result in results[:4])


def test_a_target_that_cannot_be_written_costs_no_work(upscaler: Upscaler, jobs: list[Job], tmp_path: Path) -> None:
    session_of(upscaler).run = None  # type: ignore[method-assign]
    (result,) = upscale_files(upscaler, [Job(jobs[0].source, tmp_path / "out.xyz", "x")], OPTIONS)
    assert isinstance(result.error, OutputError | UsageError)


def test_a_network_that_fails_writes_nothing(jobs: list[Job], tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(spoiled("nan"))
    with Upscaler(model=find_model(tmp_path / "bad.onnx")) as upscaler:
        results = list(upscale_files(upscaler, jobs, OPTIONS))
    assert all(isinstance(result.error, WrongResult) for result in results)
    assert not any(job.target.exists() for job in jobs)


def test_who_stops_after_a_result_finds_nothing_else_written(upscaler: Upscaler, jobs: list[Job]) -> None:
    results = upscale_files(upscaler, jobs, OPTIONS)
    next(results)
    results.close()
    assert [job.target.exists() for job in jobs] == [True, False, False, False, False]


def test_jobs_are_taken_one_ahead_and_no_further(upscaler: Upscaler, jobs: list[Job]) -> None:
    taken: list[Job] = []

    def lazily() -> Iterator[Job]:
        for job in jobs:
            taken.append(job)
            yield job

    results = upscale_files(upscaler, lazily(), OPTIONS)
    next(results)
    assert len(taken) <= 3
    assert len(list(results)) == 4


def test_reading_goes_on_while_the_network_runs(upscaler: Upscaler, jobs: list[Job], monkeypatch) -> None:
    second_is_being_read = threading.Event()
    read, run = intake.read_image, session_of(upscaler).run

    def noticed(source, **options):
        if source == jobs[1].source:
            second_is_being_read.set()
        return read(source, **options)

    def waits(x):
        assert second_is_being_read.wait(10)
        return run(x)

    monkeypatch.setattr(intake, "read_image", noticed)
    monkeypatch.setattr(session_of(upscaler), "run", waits)
    assert all(result.error is None for result in upscale_files(upscaler, jobs[:2], OPTIONS))


def test_one_file_raises_what_is_wrong(upscaler: Upscaler, jobs: list[Job], tmp_path: Path) -> None:
    assert upscale_file(upscaler, jobs[0].source, jobs[0].target).output_size == (60, 40)
    with pytest.raises(PictureNotFound):
        upscale_file(upscaler, tmp_path / "missing.png", tmp_path / "out.png")
    with pytest.raises(PictureTooLarge):
        upscale_file(upscaler, jobs[1].source, jobs[1].target, FileOptions(max_pixels=100))


def test_bytes_in_and_a_stream_out(upscaler: Upscaler, jobs: list[Job]) -> None:
    stream = io.BytesIO()
    upscale_file(upscaler, jobs[0].source.read_bytes(), stream, FileOptions(format="png"))
    assert read_image(stream.getvalue()).color.shape == (40, 60, 3)


def test_small_pictures_are_made_at_once_and_come_in_order(
    upscaler: Upscaler, jobs: list[Job], tmp_path: Path, monkeypatch
) -> None:
    """The first waits until the second is in the network, too; a larger one and a broken one keep their places."""
    together, run = threading.Barrier(2, timeout=10), session_of(upscaler).run
    first_two = iter([True, True])

    def meets(x):
        if next(first_two, False):
            together.wait()
        return run(x)

    monkeypatch.setattr(session_of(upscaler), "run", meets)
    large = np.zeros((400, 400, 3), np.uint8)
    large[100:300, 100:300] = 255
    write_image(Picture(large), jobs[2].source)
    jobs[3].source.write_bytes(b"not a picture")
    before = [read_image(job.source).color for job in (jobs[0], jobs[1], jobs[2], jobs[4])]
    results = list(upscale_files(upscaler, jobs, OPTIONS, at_once=2))
    assert [result.job for result in results] == jobs
    assert [type(result.error) for result in results] == [type(None)] * 3 + [PictureUnreadable, type(None)]
    for color, job in zip(before, (jobs[0], jobs[1], jobs[2], jobs[4]), strict=True):
        np.testing.assert_array_equal(read_image(job.target).color, color.repeat(2, 0).repeat(2, 1))


def test_a_larger_picture_is_made_alone(upscaler: Upscaler, jobs: list[Job], monkeypatch) -> None:
    """In the thread of whoever takes the results: an interruption ends it between two tiles."""
    enlarge, threads = upscaler.upscale_picture, []

    def noticed(picture: Picture, *chosen: object, **words: object) -> object:
        threads.append((picture.width, threading.current_thread() is threading.main_thread()))
        return enlarge(picture, *chosen, **words)

    monkeypatch.setattr(upscaler, "upscale_picture", noticed)
    write_image(Picture(np.zeros((400, 400, 3), np.uint8)), jobs[1].source)
    assert all(result.error is None for result in upscale_files(upscaler, jobs[:3], OPTIONS, at_once=2))
    assert sorted(threads) == [(30, False), (30, False), (400, True)]


def test_who_stops_has_taken_no_more_than_are_made_at_once(upscaler: Upscaler, jobs: list[Job]) -> None:
    taken: list[Job] = []

    def lazily() -> Iterator[Job]:
        for job in jobs:
            taken.append(job)
            yield job

    results = upscale_files(upscaler, lazily(), OPTIONS, at_once=2)
    next(results)
    results.close()
    assert len(taken) <= 4
    assert not jobs[4].target.exists()
    for job in jobs[:4]:
        assert not job.target.exists() or read_image(job.target).width == 60
