"""Parts of the server by themselves: headers of pictures, the store, the estimate, metadata without places."""

import asyncio
import io
import itertools
import os
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.serve.running import drawing, encoded
from tests.shipped_family import ship

import kakudai
from kakudai.engine import toolbox
from kakudai.errors import OutputError
from kakudai.image.exif import GPS_IFD, first_directory
from kakudai.image.formats import FORMATS
from kakudai.image.picture import Metadata, Picture
from kakudai.models import shipped
from kakudai.models.shipped import WORDS
from kakudai.serve.child import Child
from kakudai.serve.cost import FIRST_SPEED, Estimator, output_size
from kakudai.serve.engine_process import Engine
from kakudai.serve.handover import read_picture, write_answer, write_picture
from kakudai.serve.header import SIZES, Header, read_header, upright_size
from kakudai.serve.jobs import Job
from kakudai.serve.options import Options
from kakudai.serve.privacy import exif_without_place, without_place
from kakudai.serve.problems import KINDS, NAMES, Problem
from kakudai.serve.routes_about import about_models
from kakudai.serve.service import Service
from kakudai.serve.settings import Limits, Settings
from kakudai.serve.store import Store, sweep
from kakudai.serve.uploads import plain_name


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_headers_say_the_size(kind: str) -> None:
    data = encoded(drawing(61, 37), kind)
    assert read_header(data, 200) == Header(kind.lower(), (61, 37), 1)
    for length in (12, 20, 30, 40):
        header = read_header(data[:length], 200)
        assert header is None or header.size in (None, (61, 37))


def test_headers_of_all_formats_are_read() -> None:
    assert set(SIZES) == set(FORMATS)


def test_webp_has_three_kinds_of_headers() -> None:
    alpha = np.concatenate([drawing(61, 37), drawing(61, 37)[..., :1]], axis=2)
    for options in ({"lossless": True}, {"lossless": False}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}):
        assert read_header(encoded(drawing(61, 37), "WEBP", **options), 200) == Header("webp", (61, 37), 1)
    assert read_header(encoded(alpha, "WEBP"), 200) == Header("webp", (61, 37), 1)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_frames_are_counted(kind: str) -> None:
    frames = [Image.fromarray(drawing(seed=seed)) for seed in range(5)]
    stream = io.BytesIO()
    frames[0].save(stream, kind, save_all=True, append_images=frames[1:])
    header = read_header(stream.getvalue(), 200)
    assert header is not None
    assert header.frames == 5


def test_sizes_are_those_of_the_upright_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(drawing(61, 37), "JPEG", exif=exif)
    header = read_header(data, 200)
    assert header is not None
    assert upright_size(data, header) == (37, 61)


def test_headers_agree_with_the_decoder_on_real_files(shared: Path) -> None:
    wrong, seen = [], 0
    for path in sorted((shared / "data/test/formats").iterdir()):
        data = path.read_bytes()
        header = read_header(data, 1000)
        if header is None or header.size is None:
            continue
        try:
            picture = kakudai.read_image(data)
        except kakudai.errors.KakudaiError:
            continue
        seen += 1
        if upright_size(data, header) not in ((picture.width, picture.height), (picture.height, picture.width)):
            wrong.append(f"{path.name}: {header} {picture.width}x{picture.height}")
    assert seen > 100
    assert not wrong


def test_pictures_go_from_process_to_process_unchanged(tmp_path: Path) -> None:
    notes, dropped = ("a note",), ("the IPTC block was dropped",)
    metadata = Metadata(b"icc", b"II*\0", None, (72.0, 72.0), "png", notes, dropped, b"\xff\xd8")
    picture = Picture(drawing(), drawing()[..., :1].copy(), metadata)
    write_answer(tmp_path, write_picture(picture, tmp_path))
    found = read_picture(tmp_path)
    assert np.array_equal(found.color, picture.color)
    assert found.alpha is not None
    assert found.metadata == metadata
    assert found.metadata.jpeg == metadata.jpeg
    np.save(tmp_path / "color.npy", np.array([{"pickled": "object"}]), allow_pickle=True)
    with pytest.raises(ValueError, match="pickle"):
        read_picture(tmp_path)
    np.save(tmp_path / "color.npy", drawing(10, 10))
    with pytest.raises(ValueError, match="size"):
        read_picture(tmp_path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_gps_directory_is_taken_out_and_all_else_stays(order: str) -> None:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    first = struct.pack(order + "H", 3)
    first += struct.pack(order + "HHIHH", 0x0112, 3, 1, 1, 0)
    first += struct.pack(order + "HHII", GPS_IFD, 4, 1, 50)
    first += struct.pack(order + "HHI4s", 0xC4A5, 7, 4, b"last") + bytes(4)
    gps = (
        struct.pack(order + "H", 1)
        + struct.pack(order + "HHII", 2, 5, 3, 70)
        + bytes(4)
        + b"\0\0"
        + b"SECRETPLACE!" * 2
    )
    block = head + first + gps
    clean = exif_without_place(block)
    assert b"SECRET" not in clean
    directory, _ = first_directory(clean)
    assert set(directory) == {0x0112, 0xC4A5}
    assert clean[directory[0xC4A5].start :][:4] == b"last"
    assert len(clean) == len(block)
    assert exif_without_place(clean) == clean
    assert without_place(Metadata(exif=b"broken")).exif == b"broken"


def test_all_gps_directories_are_found_whatever_points_at_them() -> None:
    first = struct.pack("<HHHII", 2, GPS_IFD, 13, 1, 38) + struct.pack("<HHII", GPS_IFD, 4, 1, 64) + bytes(4)
    gps = [struct.pack("<HHHI4sI", 1, 1, 2, 4, word, 0) + bytes(8) for word in (b"N\0ab", b"S\0cd")]
    clean = exif_without_place(b"II*\0" + struct.pack("<I", 8) + first + b"".join(gps))
    assert first_directory(clean)[0] == {}
    assert not {b"ab", b"cd"} & {clean[i : i + 2] for i in range(len(clean))}


def test_damaged_exif_is_cleaned_without_an_error() -> None:
    exif = Image.Exif()
    exif.get_ifd(GPS_IFD).update({1: "N", 2: (51.0, 28.0, 38.0)})
    exif[0x010F] = "Maker"
    whole, generator = exif.tobytes().removeprefix(b"Exif\0\0"), np.random.default_rng(0)
    for changes in [1, 2, 3, 4] * 75:
        block = bytearray(whole)
        for place in generator.integers(4, len(block), changes):
            block[place] = generator.integers(256)
        assert GPS_IFD not in first_directory(exif_without_place(bytes(block)))[0]


def test_places_in_xmp_are_taken_out() -> None:
    drone = b'<a drone-dji:GpsLatitude="+51.5" drone-dji:Speed="3"/>'
    assert without_place(Metadata(xmp=drone)).xmp == b'<a drone-dji:Speed="3"/>'
    assert without_place(Metadata(xmp=drone.decode().encode("utf-16"))).xmp is None
    assert without_place(Metadata(xmp=drone + b"\0")).xmp is not None
    xmp = b'<a exif:GPSLatitude="51" exif:Make="x"><exif:GPSLongitude>0.1</exif:GPSLongitude><exif:GPSAltitude/></a>'
    assert without_place(Metadata(xmp=xmp)).xmp == b'<a exif:Make="x"></a>'


def job_of(store: Store, size: int) -> Job:
    name, folder = store.new_folder()
    job = Job(name, folder, "", "a.png", Options(), Header("png", (1, 1)))
    store.add(job)
    job.source.write_bytes(b"x")
    job.result.write_bytes(bytes(size))
    job.bytes, job.state = size, "done"
    store.clean(job)
    return job


def test_the_store_keeps_to_its_quota_and_removes_the_oldest_first(tmp_path: Path) -> None:
    store = Store(tmp_path, Limits(disk_bytes=1000))
    jobs = [job_of(store, 400) for _ in range(4)]
    for number, job in enumerate(jobs):
        job.ends += number
    store.sweep()
    assert store.jobs() == jobs[2:]
    assert store.used == 800
    assert not jobs[3].source.exists()
    large = job_of(store, 5000)
    large.ends += 10
    store.sweep()
    assert store.jobs() == [large]
    large.ends = time.time() - 1
    with pytest.raises(Problem, match="no job"):
        store.find(large.id)
    store.sweep()
    assert store.jobs() == []
    assert store.folder.stat().st_mode & 0o77 == 0
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_the_store_forgets_the_oldest_of_too_many(tmp_path: Path) -> None:
    """Jobs that failed have no bytes, and would else fill memory for an hour."""
    store = Store(tmp_path, Limits(ended=2))
    jobs = [job_of(store, 0) for _ in range(4)]
    waiting = Job("1", tmp_path, "", "a.png", Options(), Header("png", (1, 1)))
    store.add(waiting)
    for number, job in enumerate(jobs):
        job.state, job.ends = "failed", time.time() + 100 - number
    store.sweep()
    assert store.jobs() == [*jobs[:2], waiting]
    store.close()
    store.delete(tmp_path / "late")


def test_sweeping_leaves_what_is_in_use(tmp_path: Path) -> None:
    store = Store(tmp_path, Limits())
    left = tmp_path / "kakudai-serve-left"
    left.mkdir()
    (left / "lock").touch()
    other = tmp_path / "kakudai-serve-other"
    other.mkdir()
    sweep(tmp_path)
    assert not left.exists()
    assert store.folder.exists()
    assert other.exists(), "without a lock it is nobody's of ours"
    store.close()


def test_the_estimate_learns() -> None:
    estimator = Estimator({model.name: model for model in kakudai.list_models()})
    once = estimator.multiply_adds(Options(), (1000, 1000), (2000, 2000))
    assert once > 1e9
    assert estimator.multiply_adds(Options(tta=8), (1000, 1000), (2000, 2000)) == 8 * once
    assert estimator.multiply_adds(Options(scale=1, denoise=0), (1000, 1000), (1000, 1000)) == 0
    before = estimator.seconds(once, (1000, 1000), (2000, 2000))
    for _ in range(20):
        estimator.learn(once, 10 * once / FIRST_SPEED)
    assert 8 < estimator.seconds(once, (1000, 1000), (2000, 2000)) / before < 11
    estimator.learn(1.0, 1000.0)
    assert estimator.speed > FIRST_SPEED / 20


FAMILIES = (
    ("photo-x2",),
    ("photo-x2", "photo-restore-x2"),
    ("photo-x2", "photo-restore-x1", "art-x2"),
    ("photo-x2", "photo-x4", "photo-restore-x2", "photo-best-x2", "photo-best-x4", "art-x2", "art-restore-x1"),
)


@pytest.mark.parametrize("names", FAMILIES, ids=len)
def test_the_estimate_is_what_will_be_done_whatever_is_shipped(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ship(monkeypatch, *names)
    models = {name: toolbox.load_model(name) for name in names}
    for number, model in enumerate(models.values()):
        model.card["macs_per_output_pixel"] = str(10**number)
    service = Service.make(Settings(folder=tmp_path, keep_gps=True))
    estimator, size, picture = Estimator(models), (30, 20), Picture(drawing(30, 20), None, Metadata())
    for word in service.words:
        restores = "auto" not in word and shipped.restores(WORDS[word][0][0])
        for scale, denoise in itertools.product((1.0, 2.0, 3.0, 5.0), ("auto", 0, *([50] if restores else []))):
            options = Options.model_validate({"model": word, "scale": scale, "denoise": denoise})
            with kakudai.Upscaler(scale, model=word, denoise=denoise, threads=1) as upscaler:
                done = estimator.work_of(upscaler.plan_picture(picture).networks, *size)
            most = estimator.multiply_adds(options, size, output_size(options, size, Limits()))
            assert most >= done
            left_open = "auto" in (word, denoise)
            assert left_open or most == done, f"{word} {scale} {denoise}"
    said = about_models(service)
    assert said["keeps_place"] is True
    assert ("photo-best" in service.words) == ("photo-best-x2" in names)
    assert "art-fast" not in service.words
    assert said["restores"] == {
        style: [n for n in range(1, 5) if f"{style}-restore-x{n}" in names] for style in said["scales"]
    }
    service.store.close()


def test_an_answer_that_makes_no_sense_ends_the_job(tmp_path: Path) -> None:
    """What decodes a hostile picture may say anything."""

    async def decode() -> Job:
        service = Service.make(Settings(folder=tmp_path))
        dispatcher, (name, folder) = service.dispatcher, service.store.new_folder()
        job = Job(name, folder, "", "a.png", Options(), Header("png", (1, 1)))

        async def ask(order: dict[str, Any]) -> dict[str, Any]:
            write_answer(Path(order["folder"]), {"width": None, "height": []})
            return {"event": "done"}

        dispatcher.stopping = True
        dispatcher.decoder.ask = ask  # type: ignore[method-assign, assignment]
        await dispatcher._do(job)
        service.store.close()
        return job

    job = asyncio.run(decode())
    assert (job.state, job.problem and job.problem.name) == ("failed", "internal")


def test_a_process_whose_start_is_given_up_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "never_ready.py").write_text(
        f"import os, pathlib, time\npathlib.Path({str(tmp_path)!r}, str(os.getpid())).touch()\ntime.sleep(100)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def give_up() -> None:
        child = Child("never_ready", [], lambda: None)
        starting = asyncio.create_task(child.start())
        while not (found := [int(path.name) for path in tmp_path.iterdir() if path.name.isdecimal()]):
            await asyncio.sleep(0.05)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        async with asyncio.timeout(20):
            while Path(f"/proc/{found[0]}").exists():
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.1)  # its pipes are closed

    asyncio.run(give_up())


def test_what_the_disk_refuses_is_told_without_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(order: object) -> None:
        raise OutputError("cannot write '/tmp/kakudai-serve-x/y/result.png': No space left on device", "make room")

    engine = Engine(None, {"threads": 1})  # type: ignore[arg-type]
    monkeypatch.setattr(engine, "_enlarge", refuse)
    said = engine.work({})
    assert (said["event"], said["problem"]) == ("failed", "no-room")
    assert said["detail"].endswith("No space left on device")
    assert "/" not in said["detail"]


def test_problems_are_all_known_and_kept_apart() -> None:
    assert {name for _, name in NAMES} <= set(KINDS)
    wanted = {400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503, 504}
    assert wanted <= {kind.status for kind in KINDS.values()}
    assert all(kind.retry for kind in KINDS.values() if kind.status in (429, 503))
    assert [name for name, kind in KINDS.items() if kind.status == 500] == ["internal"]


def test_plain_names() -> None:
    assert plain_name("/etc/../passwd") == "passwd"
    assert plain_name("..") == "picture"
    assert plain_name("") == "picture"
    assert plain_name("a\0b\n.png") == "ab.png"
    assert len(os.fsencode(plain_name("x" * 1000 + ".png"))) < 255
