"""Addresses on the command line: which objects, which names, and what is refused. In memory, with no server."""

import io
import json
import tempfile
import zipfile
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from tests.small_models import nearest

from kakudai.cli.main import run
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.jobs import carrying
from kakudai.jobs.manifest import NAME, read_manifest

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
    real, drop = carrying.stamp_file, carrying.Fetched.drop

    def stamp(path):
        nonlocal held, most
        if "in" not in Path(path).parts and "out" not in Path(path).parts:
            held += 1
            most = max(most, held)
        return real(path)

    def dropped(got: carrying.Fetched) -> None:
        nonlocal held
        held -= 1
        drop(got)

    monkeypatch.setattr(carrying, "stamp_file", stamp)
    monkeypatch.setattr(carrying.Fetched, "drop", dropped)
    assert upscale() == 0
    assert (held, len(names())) == (0, 12)
    assert 2 < most <= carrying.AHEAD_OBJECTS + 3 + 4


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
    (["analyse", f"{IN}/a.png"], "takes no addresses"),
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
