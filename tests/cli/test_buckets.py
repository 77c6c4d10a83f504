"""Addresses on the command line: which objects, which names, and what is refused. In memory, with no server."""

import errno
import io
import json
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from tests.small_models import nearest

from kakudai.cli import bucket_targets, buckets
from kakudai.cli.main import run
from kakudai.errors import BucketError, OutputError
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.jobs import carrying, object_manifest
from kakudai.jobs.lines import Entry
from kakudai.jobs.manifest import NAME, Manifest, read_manifest
from kakudai.jobs.store import Store

IN, OUT = "memory://b/in", "memory://b/out"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    """An empty store, and an empty working folder with a small network in it."""
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(nearest())
    return tmp_path


def picture(seed: int = 0, ending: str = "png", side: int = 16) -> bytes:
    path = Path(f"one.{ending}")
    write_image(Picture(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)), path)
    return path.read_bytes()


def put(*names: str, data: bytes | None = None, below: str = "b/in") -> None:
    for number, name in enumerate(names):
        fsspec.filesystem("memory").pipe(f"/{below}/{name}", picture(number) if data is None else data)


def objects(below: str = "b/out") -> dict[str, bytes]:
    found = fsspec.filesystem("memory").find(f"/{below}")
    return {name.removeprefix(f"/{below}/"): fsspec.filesystem("memory").cat_file(name) for name in found}


def names(below: str = "b/out") -> list[str]:
    return sorted(name for name in objects(below) if name != NAME)


def upscale(*words: str, source: str = IN, output: str | None = f"{OUT}/") -> int:
    return run(["upscale", source, *([] if output is None else ["-o", output]), "-m", "net.onnx", *words])


def test_below_a_prefix_folders_patterns_and_endings_count() -> None:
    put("a.png", "x/b.png", "x/y/c.jpg", ".hidden/d.png", "notes.txt", "z_files/0/0.png", "z.dzi", "a b'.png")
    put("../e.png", "x//f.png", below="b/in/q")
    assert upscale() == 0
    assert names() == ["a b'.png", "a.png"]
    assert upscale("-r") == 0
    assert names() == ["a b'.png", "a.png", "x/b.png", "x/y/c.jpg"]
    words = ["-r", "--include", "x/**", "--exclude", "*.jpg", "--no-manifest"]
    assert upscale(*words, output="memory://b/chosen/") == 0
    assert names("b/chosen") == ["x/b.png"]
    assert NAME not in objects("b/chosen")


@pytest.mark.parametrize("output", ["there/", "there"])
def test_no_key_leads_out_of_the_folder(folder: Path, output: str) -> None:
    put("a.png")
    MemoryFileSystem.store["/b/in/../../../up.png"] = MemoryFileSystem.store["/b/in/a.png"]
    MemoryFileSystem.store["/b/in/x/../../../../up.png"] = MemoryFileSystem.store["/b/in/a.png"]
    assert upscale("-r", output=output) == 0
    assert [path.as_posix() for path in Path("there").rglob("*.png")] == ["there/a.png"]
    assert not list(folder.parent.glob("up*"))


def test_names_are_as_for_files() -> None:
    put("a.png", "a.bmp", "x/b.jpg")
    assert upscale("-r", "--format", "webp", "--name", "{stem}_{scale}x{ext}", "--on-exists", "rename") == 0
    assert names() == ["a_2x-1.webp", "a_2x.webp", "x/b_2x.webp"]
    assert upscale("-r", "--format", "webp", "--name", "{stem}_{scale}x{ext}", "--on-exists", "rename") == 0
    assert names() == ["a_2x-1.webp", "a_2x.webp", "x/b_2x.webp"]
    assert upscale(output=None, source=f"{IN}/a.png") == 0
    assert "a_2x.png" in names("b/in")
    assert upscale(output=f"{OUT}/new.jpg", source=f"{IN}/a.png") == 0
    assert objects()["new.jpg"].startswith(b"\xff\xd8\xff")


def test_two_inputs_never_become_one_output(capsys) -> None:
    put("a.png", "a.bmp")
    assert upscale() == 1
    assert "is the result of memory://b/in/a.bmp already" in capsys.readouterr().err
    assert names() == ["a.png"]
    assert run(["upscale", f"{IN}/a.png", f"{IN}/a.bmp", "-o", f"{OUT}/one.png", "-m", "net.onnx"]) == 2


def test_results_are_no_inputs(capsys) -> None:
    put("a.png", "b.png")
    for _ in range(2):
        assert upscale("-r", output=f"{IN}/large/") == 0
        assert names("b/in/large") == ["a.png", "b.png"]
    assert "it lies in the output folder" in capsys.readouterr().err
    for _ in range(2):
        assert upscale(output=f"{IN}/") == 0
        assert [name for name in names("b/in") if "/" not in name] == ["a.png", "a_2x.png", "b.png", "b_2x.png"]
    assert f"{IN}/a_2x.png: it is the result of {IN}/a.png" in capsys.readouterr().err


def test_beside_its_input_a_result_is_none_the_next_time() -> None:
    put("a.png")
    assert upscale(output=None) == 0
    assert upscale("--on-exists", "skip", output=None) == 0
    assert names("b/in") == ["a.png", "a_2x.png"]


def test_what_is_done_stays_done_and_json_tells_it(capsys) -> None:
    put("a.png", "b.png")
    put("c.png", data=b"no picture")
    assert upscale("--json") == 1
    before, said = objects(), [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["input"], line["status"], line.get("output")) for line in said] == [
        (f"{IN}/a.png", "done", f"{OUT}/a.png"), (f"{IN}/b.png", "done", f"{OUT}/b.png"),
        (f"{IN}/c.png", "failed", None),
    ]  # fmt: skip
    assert tempfile.gettempdir() not in json.dumps(said)
    assert upscale("--json") == 1
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["status"] for line in said] == ["skipped", "skipped", "failed"]
    assert objects() == before
    assert run(["jobs", "show", f"{OUT}/", "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert (shown["done"], shown["failed"][0]["input"]) == (2, f"{IN}/c.png")
    put("c.png")
    assert upscale() == 0
    assert upscale("--strip") == 0
    assert run(["jobs", "show", f"{OUT}/{NAME}"]) == 0


def test_a_manifest_may_lie_elsewhere() -> None:
    put("a.png")
    for manifest in ("m.jsonl", "memory://b/jobs/m.jsonl"):
        assert upscale("--manifest", manifest, "--on-exists", "overwrite") == 0
        assert upscale("--manifest", manifest) == 0
    assert list(objects()) == ["a.png"]
    assert [entry.status for entry in read_manifest(Path("m.jsonl")).entries] == ["begun", "done"]
    assert list(objects("b/jobs")) == ["m.jsonl"]


def test_a_dry_run_plans_and_changes_nothing(capsys, folder: Path) -> None:
    put("a.png")
    put("book.cbz", data=book())
    before = objects("b")
    assert upscale("--dry-run") == 0
    said = capsys.readouterr().out
    assert f"{IN}/a.png -> {OUT}/a.png  16x16 -> 32x32" in said
    assert f"{IN}/book.cbz -> {OUT}/book.cbz  1 pages" in said
    assert objects("b") == before
    assert {path.name for path in folder.iterdir()} == {"net.onnx", "one.png"}


def book() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("1.png", picture())
    return file.getvalue()


def test_books_and_large_pictures_are_done_too(monkeypatch, folder: Path) -> None:
    monkeypatch.setattr("kakudai.engine.estimate.STREAMED", 1)
    put("book.cbz", data=book())
    put("large.png", data=picture(side=300))
    monkeypatch.setattr(carrying, "AHEAD_BYTES", 1)
    assert upscale() == 0
    with zipfile.ZipFile(io.BytesIO(objects()["book.cbz"])) as archive:
        assert read_image(archive.read("1.png")).width == 32
    assert read_image(objects()["large.png"]).width == 600
    assert not list(folder.glob("kakudai-*"))


def test_little_is_fetched_before_it_is_wanted(monkeypatch) -> None:
    put(*(f"{number:02}.png" for number in range(12)))
    held, most = 0, 0
    counting = threading.Lock()
    real, drop = carrying.stamp_file, carrying.Fetched.drop

    def stamp(path):
        nonlocal held, most
        if "in" not in Path(path).parts and "out" not in Path(path).parts:
            with counting:
                held += 1
                most = max(most, held)
        return real(path)

    def dropped(got: carrying.Fetched) -> None:
        nonlocal held
        with counting:
            held -= 1
        drop(got)

    monkeypatch.setattr(carrying, "stamp_file", stamp)
    monkeypatch.setattr(carrying.Fetched, "drop", dropped)
    assert upscale() == 0
    assert (held, len(names())) == (0, 12)
    assert 1 <= most <= carrying.AHEAD_OBJECTS + 3 + 4


@pytest.mark.parametrize(("words", "said"), [
    (["upscale", f"{IN}/a.png", "-o", "-"], "do not go to standard output"),
    (["upscale", "-", "-o", f"{OUT}/a.png"], "standard input and buckets"),
    (["upscale", f"{IN}/a.png", "-o", f"{OUT}/a.dzi"], "DeepZooms"),
    (["upscale", f"{IN}/a.png", "--format", "dzi", "-o", f"{OUT}/"], "DeepZooms"),
    (["upscale", "nonsense://b/a.png"], "no protocol"),
    (["upscale", IN, "-o", f"{OUT}/", "--manifest", "m.jsonl", "--no-manifest"], "exclude each other"),
    (["watch", IN, "-o", "out"], "kakudai watch takes no addresses"),
    (["watch", ".", "-o", OUT], "kakudai watch takes no addresses"),
    (["compare", f"{IN}/a.png", "net.onnx"], "kakudai compare takes no addresses"),
    (["serve", "--folder", IN], "kakudai serve takes no addresses"),
    (["analyse", f"{IN}/a.png"], f"error: this command takes no addresses, such as {IN}/a.png\n"),
    (["upscale", "sftp://me:secret@host/a.png"], "there is a password in an address of sftp://"),
    (["waifu2x", "-i", "net.onnx", "-o", f"{OUT}/a.png"], "kakudai waifu2x takes no addresses"),
    (["jobs", "show", f"{OUT}/"], "there is no manifest"),
])  # fmt: skip
def test_what_is_no_business_of_buckets_is_refused(words: list[str], said: str, capsys) -> None:
    put("a.png")
    assert run([*words, *(["-m", "net.onnx"] if words[0] == "upscale" else [])]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "hint: " in err
    assert names() == []


def test_local_files_by_their_addresses() -> None:
    Path("in").mkdir()
    Path("in/a.png").write_bytes(picture())
    assert upscale(source=f"file://{Path('in').absolute()}", output=f"file://{Path('out').absolute()}/") == 0
    assert read_image(Path("out/a.png")).width == 32


def test_fail_fast_stops_at_the_first() -> None:
    put(*(f"{number}.png" for number in range(2, 9)))
    put("1.png", data=b"no picture")
    assert upscale("--fail-fast") == 1
    assert len(names()) < 4


@pytest.mark.parametrize(("lost_at", "delivered"), [(0, 0), (5, 5)])
def test_who_has_lost_the_manifest_delivers_no_more(monkeypatch, capsys, lost_at: int, delivered: int) -> None:
    from kakudai.engine import batch

    put(*(f"{number:02}.png" for number in range(20)))
    monkeypatch.setattr(object_manifest, "UPLOAD_SECONDS", 0.02)
    lock = json.dumps({"kakudai": "lock", "run": "other", "at": time.time()}).encode()
    real, renew, is_lost = batch.read, object_manifest.ObjectManifest._renew, threading.Event()

    def renewing(manifest: object_manifest.ObjectManifest) -> None:
        try:
            renew(manifest)
        except BucketError:
            is_lost.set()
            raise

    def read(job, *rest):
        if job.name.endswith(f"{lost_at:02}.png"):
            put(f"{NAME}.lock", data=lock, below="b/out")
            assert is_lost.wait(10)
        return real(job, *rest)

    monkeypatch.setattr(batch, "read", read)
    monkeypatch.setattr(object_manifest.ObjectManifest, "_renew", renewing)
    assert upscale() == 1
    assert "another run (other) has taken over" in capsys.readouterr().err
    assert objects()[f"{NAME}.lock"] == lock
    assert names()[-1] == f"{NAME}.lock"
    assert len(names()) - 1 <= delivered


def test_a_manifest_here_is_safe_before_an_object_appears(monkeypatch) -> None:
    put(*(f"{number}.png" for number in range(5)))
    seen: list[tuple[int, int]] = []
    real = Manifest.sync

    def sync(manifest: Manifest) -> None:
        real(manifest)
        begun = [entry for entry in read_manifest(manifest.path).entries if entry.status == "begun"]
        seen.append((len(begun), len(names())))

    monkeypatch.setattr(Manifest, "sync", sync)
    assert upscale("--manifest", "m.jsonl") == 0
    assert seen[0] == (5, 0)


def test_the_output_prefix_is_listed_for_many_pictures_only(monkeypatch) -> None:
    listed: list[str] = []
    real = Store.below

    def below(store: Store, prefix: str, **named: bool) -> object:
        listed.append(prefix)
        return real(store, prefix, **named)

    monkeypatch.setattr(Store, "below", below)
    put(*(f"{number}.png" for number in range(buckets.FEW)))
    for _ in range(2):
        assert upscale() == 0
    assert listed == [IN, IN]
    put("one_more.png")
    assert upscale() == 0
    assert listed[2:] == [IN, OUT]


def test_names_that_a_disk_takes_for_one_are_one(monkeypatch, capsys) -> None:
    put("a.png", "A.bmp")
    monkeypatch.setattr(bucket_targets, "folds", lambda _: True)
    assert upscale("--format", "png", output="there/") == 1
    assert f"there/a.png is the result of {IN}/A.bmp already" in capsys.readouterr().err
    assert [path.name for path in Path("there").glob("*.png")] == ["A.png"]


def test_no_result_takes_the_place_of_the_manifest(capsys) -> None:
    put("a.png", "b.png")
    assert upscale("--manifest", "x/../there/a.png", output="there/") == 1
    assert "there/a.png is the manifest" in capsys.readouterr().err
    assert read_manifest(Path("there/a.png")).entries


def test_a_full_disk_ends_the_run_though_the_manifest_is_on_it(monkeypatch, capsys) -> None:
    put(*(f"{number:02}.png" for number in range(12)))
    real = Manifest.add

    def add(manifest: Manifest, content: object) -> None:
        if isinstance(content, Entry) and content.status == "failed":
            raise OutputError("the disk is full")
        real(manifest, content)  # type: ignore[arg-type]

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Manifest, "add", add)
    monkeypatch.setattr(carrying.shutil, "copyfileobj", fail)
    assert upscale(output="there/") == 1
    err = capsys.readouterr().err
    assert "the disk takes no more" in err
    assert "cannot be written: No space left on device" in err
    assert err.count("No space left") < 12


def test_what_cannot_be_verified_is_one_picture(monkeypatch, capsys) -> None:
    put("a.png", "b.png")
    assert upscale() == 0
    real = Store.fetch

    def fetch(store: Store, address: str, path: Path, limit: int) -> None:
        if address == f"{IN}/a.png":
            raise BucketError(f"{address} gives no answer", "try again later")
        real(store, address, path, limit)

    monkeypatch.setattr(Store, "fetch", fetch)
    assert upscale("--verify") == 1
    err = capsys.readouterr().err
    assert f"{IN}/a.png gives no answer" in err
    assert "1 of 2 pictures are done already" in err


def test_a_target_that_cannot_be_looked_at_is_one_picture(monkeypatch, capsys) -> None:
    put("a.png", "b.png")
    real = Store.look

    def look(store: Store, address: str) -> object:
        if address == f"{OUT}/a.png":
            raise BucketError(f"{address} may not be used", "access is denied")
        return real(store, address)

    monkeypatch.setattr(Store, "look", look)
    assert upscale() == 1
    assert f"{OUT}/a.png may not be used" in capsys.readouterr().err
    assert names() == ["b.png"]
