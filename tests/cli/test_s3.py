"""Pictures in buckets of a real S3 server on this machine: the same bytes as here, whatever happens in between."""

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.bucket_server import BUCKET, Bucket, Server, credentials
from tests.small_models import nearest

from kakudai.cli import bucket_batch
from kakudai.cli.main import run
from kakudai.image.files import write_image
from kakudai.image.picture import Picture
from kakudai.jobs import asking, object_manifest, staging
from kakudai.jobs.lines import Entry, Run, read_line
from kakudai.jobs.manifest import NAME
from kakudai.jobs.object_manifest import STALE_SECONDS
from kakudai.jobs.staging import PREFIX

WORDS = ["-r", "-m", "net.onnx"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    with credentials(server.url):
        yield server
        server.server.shutdown()
        thread.join()
        server.server.server_close()


@pytest.fixture
def bucket(server: Server, tmp_path: Path, monkeypatch) -> Iterator[Bucket]:
    """An empty bucket, and an empty working folder with a small network in it; nothing may be left between them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(nearest())
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(asking, "WAITS", (0.01, 0.02))
    monkeypatch.setattr(staging, "YOUNG_SECONDS", 0.0)
    monkeypatch.setattr(object_manifest, "CONFIRM_SECONDS", 0.01)
    bucket = Bucket(server.url)
    server.reset()
    yield bucket
    server.reset()
    assert not list(Path("tmp").glob(f"{PREFIX}*"))
    bucket.empty()


def pictures(bucket: Bucket, count: int, side: int = 16) -> dict[str, bytes]:
    """Put pictures into a bucket and a folder; return what a run from folder to folder makes of them."""
    for number in range(count):
        path = Path(f"in/{number % 3}/{number:02}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(Picture(np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)), path)
        bucket.put(path.as_posix(), path.read_bytes())
    assert run(["upscale", "in", "-o", "here/", "-q", *WORDS]) == 0
    return {path.relative_to("here").as_posix(): path.read_bytes() for path in Path("here").rglob("*.png")}


def upscale(*words: str, source: str = f"s3://{BUCKET}/in", output: str = f"s3://{BUCKET}/out/") -> int:
    return run(["upscale", source, "-o", output, *WORDS, *words])


def results(bucket: Bucket) -> dict[str, bytes]:
    return {name: data for name, data in bucket.all("out/").items() if not name.startswith(NAME)}


def manifest(bucket: Bucket) -> list[Entry]:
    lines = [read_line(line) for line in bucket.get(f"out/{NAME}").splitlines()]
    return [line for line in lines if not isinstance(line, Run)]


def test_from_bucket_to_bucket_all_is_as_from_folder_to_folder(bucket: Bucket, server: Server, capsys) -> None:
    expected = pictures(bucket, 6)
    assert upscale("--dry-run") == 0
    assert bucket.all("out/") == {}
    assert upscale() == 0
    objects = bucket.all("out/")
    assert set(objects) == {*expected, NAME}  # nor is there a lock any more
    assert results(bucket) == expected
    capsys.readouterr()
    server.asked.clear()
    assert upscale("--json") == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["status"] for line in said] == ["skipped"] * 6
    assert bucket.all("out/") == objects
    assert run(["jobs", "show", f"s3://{BUCKET}/out/"]) == 0
    assert "6 done, 0 failed" in capsys.readouterr().out


def test_what_it_costs(bucket: Bucket, server: Server, monkeypatch) -> None:
    """The figures of docs/guides/buckets.md: three requests for each picture, the rest for all together."""
    monkeypatch.setattr(object_manifest, "UPLOAD_SECONDS", 3600.0)
    pictures(bucket, 10)
    server.asked.clear()
    assert upscale("-q") == 0
    each = [server.count(method, below=".png") for method in ("GET", "PUT", "HEAD")]
    assert each == [10, 10, 10]
    assert server.asked.total() - sum(each) == 21
    server.asked.clear()
    assert upscale("-q") == 0
    assert server.count("GET", "PUT", "HEAD", below=".png") == 0
    assert server.asked.total() == 16


def test_what_changes_is_done_again_and_verify_reads_it(bucket: Bucket, server: Server, capsys) -> None:
    expected = pictures(bucket, 4)
    assert upscale() == 0
    times = bucket.times("out/")
    bucket.put("in/0/00.png", bucket.get("in/1/01.png"))
    bucket.client.delete_object(Bucket=BUCKET, Key="out/2/02.png")
    bucket.put("out/0/03.png", b"painted over")
    assert upscale() == 1
    assert f"s3://{BUCKET}/out/0/03.png exists" in capsys.readouterr().err
    assert bucket.get("out/0/00.png") == expected["1/01.png"]
    assert bucket.get("out/2/02.png") == expected["2/02.png"]
    assert bucket.get("out/0/03.png") == b"painted over"
    assert bucket.times("out/")["1/01.png"] == times["1/01.png"]
    server.asked.clear()
    assert upscale("--on-exists", "overwrite", "--verify") == 0
    assert bucket.get("out/0/03.png") == expected["0/03.png"]
    assert server.count("GET", below="/out/1/01.png") == 1
    assert server.count("PUT", below=".png") == 1


@pytest.mark.parametrize(("on_exists", "code"), [("error", 1), ("skip", 0), ("rename", 0), ("overwrite", 0)])
def test_an_object_that_is_there(bucket: Bucket, on_exists: str, code: int) -> None:
    expected = pictures(bucket, 2)
    bucket.put("out/0/00.png", b"theirs")
    for _ in range(2):
        assert upscale("--on-exists", on_exists) == code
        found = results(bucket)
        assert found.pop("0/00-1.png", None) == (expected["0/00.png"] if on_exists == "rename" else None)
        assert found.pop("0/00.png") == (expected["0/00.png"] if on_exists == "overwrite" else b"theirs")
        assert found == {"1/01.png": expected["1/01.png"]}


@pytest.mark.parametrize(("forgets", "is_terse"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("words", [[], ["--no-manifest"]])
def test_an_object_that_appears_meanwhile_stays(
    bucket: Bucket, server: Server, monkeypatch, capsys, forgets: bool, is_terse: bool, words: list[str]
) -> None:
    expected = pictures(bucket, 2)
    server.forgets, server.is_terse = forgets, is_terse
    from kakudai.engine import batch

    real = batch.read

    def read(job, *rest):
        if job.name.endswith("00.png"):
            bucket.put("out/0/00.png", b"theirs")
        return real(job, *rest)

    monkeypatch.setattr(batch, "read", read)
    assert upscale(*words) == 1
    assert "exists, and is something else" in capsys.readouterr().err
    assert results(bucket) == {**expected, "0/00.png": b"theirs"}


def test_a_result_of_which_the_answer_was_lost_is_found_by_the_next_run(bucket: Bucket, server: Server) -> None:
    expected = pictures(bucket, 10)
    server.denied = f"HEAD /{BUCKET}/out/1/01.png"
    assert upscale() == 1
    assert results(bucket) == expected
    assert [entry.reason for entry in manifest(bucket) if entry.status == "failed"] == ["BucketError"]
    server.denied = "\0"
    times = bucket.times("out/")["1/01.png"]
    assert upscale() == 0
    assert bucket.times("out/")["1/01.png"] == times
    assert upscale() == 0


def test_between_here_and_there(bucket: Bucket) -> None:
    expected = pictures(bucket, 3)
    assert upscale(output="there") == 0
    assert {
        path.relative_to("there").as_posix(): path.read_bytes() for path in Path("there").rglob("*.png")
    } == expected
    times = {path: path.stat().st_mtime_ns for path in Path("there").rglob("*.png")}
    assert upscale(output="there") == 0
    assert {path: path.stat().st_mtime_ns for path in Path("there").rglob("*.png")} == times
    assert upscale(source="in") == 0
    assert results(bucket) == expected
    sources = [entry.source for entry in manifest(bucket) if entry.status == "done"]
    assert sources == sorted(os.path.realpath(f"in/{n % 3}/{n:02}.png") for n in range(3))
    bucket.put("in/one.png", bucket.get("in/0/00.png"))
    assert run(["upscale", f"s3://{BUCKET}/in/one.png", "-m", "net.onnx"]) == 0
    assert bucket.get("in/one_2x.png") == expected["0/00.png"]
    assert run(["upscale", f"s3://{BUCKET}/in/one.png", "-m", "net.onnx", "-o", "one.png"]) == 0
    assert Path("one.png").read_bytes() == expected["0/00.png"]
    assert not Path(NAME).exists()


def test_every_tenth_request_fails_and_nothing_is_lost(bucket: Bucket, server: Server, capsys) -> None:
    expected = pictures(bucket, 12)
    server.faulty, server.faults = 10, 0
    assert upscale() == 0, capsys.readouterr().err
    server.faulty = 0
    assert server.faults > 4
    assert results(bucket) == expected
    assert len([entry for entry in manifest(bucket) if entry.status == "done"]) == 12


def begun_and_ended(server: Server, number: signal.Signals, method: str, ending: str, at: int) -> tuple[int, str]:
    """Run the command in a process that the server ends when it has carried out the so manieth request of a kind.

    Returns: Its exit code, and what it said.
    """
    seen = itertools.count(1)

    def after(asked: str, path: str) -> None:
        if asked == method and "/out/" in path and path.endswith(ending) and next(seen) == at:
            os.kill(running.pid, number)

    command = [sys.executable, "-m", "kakudai", "upscale", f"s3://{BUCKET}/in", "-o", f"s3://{BUCKET}/out/", *WORDS]
    environment = {**os.environ, "TMPDIR": str(Path("tmp").absolute())}
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    server.after = after
    said = running.communicate(timeout=60)[1]
    server.after = lambda _method, _path: None
    return running.returncode, said


@pytest.mark.parametrize(
    ("method", "ending", "at"), [("PUT", NAME, 1), ("PUT", NAME, 2), ("PUT", ".png", 4), ("HEAD", ".png", 4)]
)
def test_killed_at_any_moment_it_goes_on_where_it_was(
    bucket: Bucket, server: Server, method: str, ending: str, at: int
) -> None:
    expected = pictures(bucket, 20, side=40)
    code, said = begun_and_ended(server, signal.SIGKILL, method, ending, at)
    assert code == -signal.SIGKILL, said
    there, counted = results(bucket), {entry.target for entry in manifest(bucket) if entry.status == "done"}
    assert (at if ending == ".png" else 0) <= len(there) < 20
    begun = {entry.target for entry in manifest(bucket) if entry.status == "begun"}
    assert {f"s3://{BUCKET}/out/{name}" for name in there} <= begun
    lock = json.loads(bucket.get(f"out/{NAME}.lock"))
    assert upscale() == 2  # it may still be running, for all that anybody knows
    bucket.put(f"out/{NAME}.lock", json.dumps({**lock, "at": lock["at"] - STALE_SECONDS}).encode())
    times = bucket.times("out/")
    assert upscale() == 0
    assert results(bucket) == expected
    done = [entry.target for entry in manifest(bucket) if entry.status == "done"]
    assert len(done) == len(set(done)) == 20
    assert {name: bucket.times("out/")[name] for name in there} == {name: times[name] for name in there}
    assert counted <= set(done)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_by_a_signal_it_leaves_nothing_unsaid(bucket: Bucket, server: Server, number: signal.Signals) -> None:
    expected = pictures(bucket, 24, side=40)
    code, said = begun_and_ended(server, number, "PUT", ".png", 3)
    assert code == {signal.SIGTERM: 143, signal.SIGINT: 130}[number], said
    assert "Traceback" not in said
    assert not list(Path("tmp").iterdir())
    assert f"{NAME}.lock" not in bucket.all("out/")
    there = results(bucket)
    assert 3 <= len(there) < 24
    assert there.items() <= expected.items()
    assert {entry.target for entry in manifest(bucket) if entry.status == "done"} == {
        f"s3://{BUCKET}/out/{name}" for name in there
    }


def test_a_signal_while_a_result_is_handed_over(bucket: Bucket, monkeypatch) -> None:
    """It arrives, so it is written down that it is done."""
    expected = pictures(bucket, 6)

    class Pool(ThreadPoolExecutor):
        def submit(self, *work: Any, **options: Any) -> Future[Any]:
            handed_over = super().submit(*work, **options)
            signal.raise_signal(signal.SIGTERM)
            return handed_over

    monkeypatch.setattr(bucket_batch, "ThreadPoolExecutor", Pool)
    assert upscale() == 143
    assert results(bucket) == {"0/00.png": expected["0/00.png"]}
    done = [entry.target for entry in manifest(bucket) if entry.status == "done"]
    assert done == [f"s3://{BUCKET}/out/0/00.png"]


def test_what_a_killed_run_left_otherwise_is_refused(bucket: Bucket) -> None:
    """It was begun, and what is there has other bytes: somebody has written it since."""
    expected = pictures(bucket, 2)
    assert upscale() == 0
    kept = [line for line in bucket.get(f"out/{NAME}").splitlines(keepends=True) if b'"done"' not in line]
    bucket.put(f"out/{NAME}", b"".join(kept))
    theirs = bytes(len(expected["0/00.png"]))
    bucket.put("out/0/00.png", theirs)
    assert upscale() == 1
    assert results(bucket) == {**expected, "0/00.png": theirs}
    assert upscale("--on-exists", "overwrite") == 0
    assert results(bucket) == expected


def test_a_bucket_that_goes_away_half_way(bucket: Bucket, monkeypatch, capsys) -> None:
    pictures(bucket, 12)
    from kakudai.engine import batch

    real, calls = batch.read, []

    def read(job, *rest):
        calls.append(job)
        if len(calls) == 3:
            bucket.empty(take_away=True)
        return real(job, *rest)

    monkeypatch.setattr(batch, "read", read)
    assert upscale("--json", output="there/") == 1
    said = capsys.readouterr()
    statuses = [json.loads(line)["status"] for line in said.out.splitlines()]
    done, failed = statuses.count("done"), statuses.count("failed")
    assert (done + failed, "Traceback" in said.err) == (12, False)
    assert done >= 3
    assert failed >= 1
    kept = [json.loads(line) for line in Path("there", NAME).read_text().splitlines()]
    assert [line.get("status") for line in kept].count("done") == done
    bucket.client.create_bucket(Bucket=BUCKET)
    monkeypatch.undo()


def test_an_output_bucket_that_goes_away(bucket: Bucket, server: Server, monkeypatch, capsys) -> None:
    pictures(bucket, 20)
    from kakudai.engine import batch

    real = batch.read

    def read(job, *rest):
        server.denied = "/out/"
        return real(job, *rest)

    monkeypatch.setattr(batch, "read", read)
    assert upscale("--json") == 1
    said = capsys.readouterr()
    assert [json.loads(line)["status"] for line in said.out.splitlines()] == ["failed"] * 20
    assert "may not be used" in said.err
    assert "Traceback" not in said.err


def test_what_cannot_be_used_is_said_in_a_line(bucket: Bucket, server: Server, monkeypatch, capsys) -> None:
    pictures(bucket, 1)

    def said(*words: str, **places: str) -> str:
        assert upscale(*words, **places) in (1, 2)
        err = capsys.readouterr().err
        assert "Traceback" not in err
        assert "unexpected" not in err
        assert "hint: " in err
        return err

    assert "there is no bucket for s3://none" in said(source="s3://none/in")
    assert "there is no bucket for s3://none" in said(output="s3://none/out/")
    assert f"no pictures in s3://{BUCKET}/nothing/" in said(source=f"s3://{BUCKET}/nothing")
    server.denied = "/pictures"
    assert "may not be used" in said()
    server.denied = "\0"
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    assert "there are no credentials" in said()
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_damaged_manifest_is_named_and_costs_no_other_picture(bucket: Bucket, capsys) -> None:
    expected = pictures(bucket, 2)
    assert upscale() == 0
    lines = bucket.get(f"out/{NAME}").splitlines(keepends=True)
    number = next(at for at, line in enumerate(lines) if b"00.png" in line and b'"done"' in line)
    lines[number] = lines[number][:20] + b"\0\0\0" + lines[number][23:]
    bucket.put(f"out/{NAME}", b"".join(lines))
    capsys.readouterr()
    assert upscale() == 0
    said = capsys.readouterr().err
    assert f"damaged in line {number + 1}:" in said
    assert "1 of 2 pictures are done already" in said
    assert results(bucket) == expected
    bucket.put(f"out/{NAME}", b"hello\n")
    assert upscale() == 2
    assert "no manifest of kakudai" in capsys.readouterr().err
    assert bucket.get(f"out/{NAME}") == b"hello\n"
    assert f"{NAME}.lock" not in bucket.all("out/")


def test_a_second_run_is_told(bucket: Bucket, capsys) -> None:
    pictures(bucket, 1)
    bucket.put(f"out/{NAME}.lock", json.dumps({"kakudai": "lock", "run": "other", "at": time.time()}).encode())
    assert upscale() == 2
    assert "another run is writing" in capsys.readouterr().err
    assert upscale("--dry-run") == 0
    assert list(bucket.all("out/")) == [f"{NAME}.lock"]
