"""Every format that is read or written goes through the server; what it does not take is refused with clear words."""

import asyncio
import io
import json
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.animations import animated, moving_square
from tests.image.test_optional import HEIC_8, decoded, header
from tests.serve.running import Running, drawing, name_of, start_server

from kakudai.engine import estimate
from kakudai.image import formats
from kakudai.image.animation import open_animation
from kakudai.image.files import read_image
from kakudai.image.formats import FORMATS, output_formats
from kakudai.serve.cost import check_result
from kakudai.serve.header import Header, read_header, upright_size
from kakudai.serve.jobs import MEDIA_TYPES, Job
from kakudai.serve.options import ACCEPTED, Options
from kakudai.serve.problems import Problem
from kakudai.serve.routes_about import about_limits
from kakudai.serve.service import Service
from kakudai.serve.settings import Limits, Settings
from kakudai.serve.uploads import Upload


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that takes short animations."""
    with start_server(tmp_path_factory.mktemp("server") / "files", limits={"frames": 5, "per_client": 40}) as running:
        yield running


def jxl(pixels: np.ndarray) -> bytes:
    imagecodecs = pytest.importorskip("imagecodecs")
    return bytes(imagecodecs.jpegxl_encode(pixels, lossless=True))


def moving(name: str, count: int) -> bytes:
    return animated((moving_square(5) * count)[:count], name, [Fraction(1, 10)] * count)


@pytest.mark.parametrize("name", ["heic", "jxl"])
def test_formats_of_optional_packages_become_png(server: Running, name: str) -> None:
    pytest.importorskip("pi_heif")
    data = decoded(HEIC_8) if name == "heic" else jxl(drawing())
    before = read_image(data)
    answer = server.http.post("/v1/upscale", files={"file": (f"a.{name}", data)})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"].endswith("''a_2x.png")
    assert Image.open(io.BytesIO(answer.content)).size == (2 * before.width, 2 * before.height)
    job = server.finish(server.submit(data))
    assert (job["state"], job["input_size"]) == ("done", [before.width, before.height])
    found = server.http.post("/v1/analyse", content=data).json()
    assert (found["width"], found["height"]) == (before.width, before.height)
    answer = server.http.post("/v1/upscale", content=data[: len(data) // 2])
    assert (answer.status_code, name_of(answer)) == (422, "broken-picture")


@pytest.mark.parametrize("name", ["gif", "png", "webp", "avif"])
def test_of_an_animation_the_first_frame_is_taken_and_that_is_said(server: Running, name: str) -> None:
    data = moving(name, 4)
    answer = server.http.post("/v1/upscale", files={"file": (f"a.{name}", data)})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == ("image/png" if name == "gif" else f"image/{name}")
    assert "only the first of 4 frames was read" in json.loads(answer.headers["kakudai-notes"])
    assert open_animation(answer.content) is None
    assert Image.open(io.BytesIO(answer.content)).size == (120, 80)


@pytest.mark.parametrize("name", ["gif", "png", "webp", "avif"])
def test_frames_count_against_the_limit(server: Running, name: str) -> None:
    assert read_header(moving(name, 6), 200) == Header(name, (60, 40), 6)
    answer = server.http.post("/v1/upscale", content=moving(name, 6))
    assert (answer.status_code, name_of(answer)) == (413, "too-many-frames")


def test_books_are_not_taken_and_that_is_said(server: Running, picture: bytes) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as book:
        book.writestr("1.png", picture)
    for address in ("/v1/upscale", "/v1/jobs", "/v1/analyse"):
        answer = server.http.post(address, files={"file": ("a.cbz", stream.getvalue())})
        assert (answer.status_code, name_of(answer)) == (415, "not-a-picture")
        assert "CBZ" in answer.json()["detail"]
        assert "kakudai upscale" in answer.json()["hint"]


@pytest.mark.parametrize("word", [*output_formats(), "jpg", "apng", "tif"])
def test_every_format_that_can_be_asked_for_is_written(server: Running, picture: bytes, word: str) -> None:
    answer = server.http.post("/v1/upscale", params={"format": word}, files={"file": ("a.png", picture)})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPES[read_image(answer.content).metadata.format]
    assert read_image(answer.content).width == 96


@pytest.mark.parametrize("word", ["dzi", "heic", "jxl", "bmp", "cbz", "zip"])
def test_formats_that_a_server_does_not_write_are_422(server: Running, picture: bytes, word: str) -> None:
    answer = server.http.post("/v1/upscale", params={"format": word}, files={"file": ("a.png", picture)})
    assert (answer.status_code, name_of(answer)) == (422, "wrong-option")
    assert "png, jpeg" in answer.json()["hint"]


def test_all_lists_name_the_same_formats(server: Running) -> None:
    limits = server.http.get("/v1/models").json()["limits"]
    assert set(limits["formats_in"]) <= set(FORMATS)
    assert set(limits["formats_out"]) == set(MEDIA_TYPES) == set(output_formats())
    assert ACCEPTED["format"] == ", ".join(output_formats())
    document = server.http.get("/openapi.json").json()
    (schema,) = (
        option["schema"]
        for option in document["paths"]["/v1/upscale"]["post"]["parameters"]
        if option["name"] == "format"
    )
    assert schema["enum"] == list(output_formats())


def test_a_format_whose_package_is_missing_is_415(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "PACKAGES", {"heic": "no_such_package", "jxl": "no_such_package_either"})
    monkeypatch.setattr("kakudai.serve.service.PACKAGES", formats.PACKAGES)
    assert {"heic", "jxl"}.isdisjoint(about_limits(Limits())["formats_in"])  # type: ignore[call-overload]
    (tmp_path / "upload").write_bytes(decoded(HEIC_8))

    async def offer() -> None:
        service = Service.make(Settings(folder=tmp_path))
        try:
            await service._job("a", Upload(tmp_path / "upload"), "", Options(), weigh=True)
        finally:
            await service.close()

    with pytest.raises(Problem, match="HEIC is not read here: no_such_package") as caught:
        asyncio.run(offer())
    assert caught.value.status == 415


def test_headers_of_heic_and_jpeg_xl_say_the_size_and_never_fail() -> None:
    heic = decoded(HEIC_8)
    assert read_header(heic, 200) == Header("heic", (64, 64), 1)  # cut to 24 x 16 when it is decoded
    data = jxl(drawing(61, 37))
    assert read_header(data, 200) == Header("jxl", (61, 37), 1)
    for whole in (heic, data):
        for length in range(2, 200, 3):
            found = read_header(whole[:length], 200)
            assert found is None or upright_size(whole[:length], found) in (None, found.size)


def test_heic_and_jpeg_xl_that_lie_on_their_side_are_upright() -> None:
    turned = decoded(HEIC_8).replace(b"pixi", b"irot\x01")
    assert upright_size(turned, Header("heic", (40, 30))) == (30, 40)
    # Small sizes in steps of 8 pixels: height 32, no ratio, width 40; not as usual, more fields, orientation 6.
    fields = [(1, 1), (5, 3), (3, 0), (5, 4), (1, 0), (1, 1), (3, 5), (3, 0), (1, 0), (2, 0), (1, 1), (2, 0), (2, 1)]
    assert upright_size(header(*fields), Header("jxl", (40, 32))) == (32, 40)
    assert upright_size(b"\xff\x0a", Header("jxl", (40, 32))) == (40, 32)  # too short to say


def test_encoders_that_keep_all_of_a_result_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kakudai.serve.cost.MAX_KEPT", 44_000)
    check_result("gif", (10, 100))
    check_result("png", (1000, 1000))
    with pytest.raises(Problem, match="the limit of GIF is 1000") as caught:
        check_result("gif", (10, 101))
    assert caught.value.status == 413
    assert estimate.kept_by_encoder(FORMATS["png"], (8000, 8000)) == 0


def test_a_job_s_format_is_one_that_is_written(tmp_path: Path) -> None:
    for name in FORMATS:
        job = Job("1", tmp_path, "", f"a.{name}", Options(), Header(name, (1, 1)))
        assert job.format in MEDIA_TYPES
        assert job.headers()["Content-Type"] == MEDIA_TYPES[job.format]
