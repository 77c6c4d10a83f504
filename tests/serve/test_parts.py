"""Parts of the server by themselves: headers of pictures, the store, the estimate, metadata without places."""

import io
import os
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.serve.running import drawing, encoded

import kakudai
from kakudai.image.exif import GPS_IFD, first_directory
from kakudai.image.picture import Metadata, Picture
from kakudai.serve.cost import FIRST_SPEED, Estimator
from kakudai.serve.handover import read_picture, write_answer, write_picture
from kakudai.serve.header import Header, read_header, upright_size
from kakudai.serve.jobs import Job
from kakudai.serve.options import Options
from kakudai.serve.privacy import exif_without_place, without_place
from kakudai.serve.problems import KINDS, NAMES, Problem
from kakudai.serve.settings import Limits
from kakudai.serve.store import Store, sweep
from kakudai.serve.uploads import plain_name


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_headers_say_the_size(kind: str) -> None:
    data = encoded(drawing(61, 37), kind)
    assert read_header(data, 200) == Header(kind.lower(), (61, 37), 1)
    for length in (12, 20, 30, 40):
        header = read_header(data[:length], 200)
        assert header is None or header.size in (None, (61, 37))


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
    metadata = Metadata(b"icc", b"II*\0", None, (72.0, 72.0), "png", ("a note",), b"\xff\xd8")
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


def test_places_in_xmp_are_taken_out() -> None:
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
