"""A picture in, the same bytes out as the command line writes."""

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.serve.running import Running, drawing, encoded, name_of

import kakudai
from kakudai.cli.main import run
from kakudai.cli.wishes import size_label
from kakudai.models.shipped import STYLES, restores
from kakudai.serve.options import Options

CAT = Path(__file__).parents[2] / "examples/chelsea.png"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.jpg", {"scale": "1.6", "quality": "80"}),
        ("a.png", {"fit": "100x60", "format": "webp"}),
        ("a.png", {"width": "31", "strip": "true", "tta": "2", "denoise": "0"}),
        ("a.tif", {"height": "50", "model": "photo"}),
        ("damaged.jpg", {"format": "png"}),
    ],
)
def test_the_bytes_are_those_of_the_command_line(
    server: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, options: dict[str, str]
) -> None:
    source = tmp_path / name
    with Image.open(CAT) as cat:
        cat.crop((100, 60, 228, 156)).save(source, quality=25)
    words = [
        word for key, value in options.items() for word in ([f"--{key}"] if key == "strip" else [f"--{key}", value])
    ]
    assert run(["upscale", str(source), "--threads", "1", "--json", *words]) == 0
    said = json.loads(capsys.readouterr().out)
    (written,) = [path for path in tmp_path.iterdir() if path != source]
    answer = server.http.post("/v1/upscale", params=options, files={"file": (name, source.read_bytes())})
    assert answer.status_code == 200, answer.text
    assert answer.content == written.read_bytes()
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{written.name}"
    assert answer.headers["kakudai-model"] == said["model"]
    assert answer.headers["kakudai-strength"] == str(said["strength"])
    assert answer.headers["kakudai-precision"] == said["precision"]
    assert answer.headers["kakudai-reason"] == said["reason"]
    assert said["strength"] > 0 or "damaged" not in name or not any(map(restores, STYLES))
    assert float(answer.headers["kakudai-seconds"]) > 0
    assert json.loads(answer.headers["kakudai-notes"]) == said["notes"]


def test_options_may_be_fields_and_the_picture_the_whole_body(server: Running, picture: bytes) -> None:
    fields = server.http.post("/v1/upscale", data={"scale": "3", "width": ""}, files={"file": ("a.png", picture)})
    raw = server.http.post("/v1/upscale?scale=3", content=picture, headers={"Content-Type": "image/png"})
    assert fields.status_code == raw.status_code == 200
    assert fields.content == raw.content
    assert "picture_3x.png" in raw.headers["content-disposition"]


def test_names_of_results_are_those_of_the_command_line() -> None:
    for words in (
        {},
        {"scale": 1.0},
        {"scale": 1.5},
        {"width": 5},
        {"height": 5},
        {"width": 5, "height": 6},
        {"fit": "5x6"},
    ):
        options = Options.model_validate(words)
        assert options.label == size_label(options.scale, options.width, options.height, options.fit)


def test_alpha_sixteen_bits_and_notes_come_through(server: Running) -> None:
    pixels = drawing()
    alpha = np.linspace(0, 255, pixels.shape[0] * pixels.shape[1]).reshape(*pixels.shape[:2], 1).astype(np.uint8)
    data = encoded(np.concatenate([pixels, alpha], axis=2))
    answer = server.http.post("/v1/upscale", params={"format": "jpeg"}, files={"file": ("a.png", data)})
    assert "transparency" in answer.headers["kakudai-notes"]
    kept = server.http.post("/v1/upscale", files={"file": ("a.png", data)})
    assert Image.open(io.BytesIO(kept.content)).mode == "RGBA"
    grey = (drawing()[..., 0].astype(np.uint16)) * 257
    deep = server.http.post("/v1/upscale", files={"file": ("a.png", encoded(grey))})
    assert kakudai.read_image(deep.content).color.dtype == np.uint16


def test_places_are_dropped_and_the_rest_of_exif_stays(server: Running) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8825).update({1: "N", 2: (51.0, 28.0, 38.0), 3: "W", 4: (0.0, 0.0, 1.0)})
    exif[0x013B] = "Artist"
    stream = io.BytesIO()
    said = b'<rdf:Description exif:GPSLatitude="51,28.6N" dc:title="kept"/>'
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + said + b"</x:xmpmeta>"
    Image.fromarray(drawing()).save(stream, "JPEG", exif=exif, xmp=xmp)
    assert Image.open(stream).getexif().get_ifd(0x8825)
    answer = server.http.post("/v1/upscale", files={"file": ("a.jpg", stream.getvalue())})
    found = Image.open(io.BytesIO(answer.content)).getexif()
    assert not found.get_ifd(0x8825)
    assert found[0x010F] == "Maker"
    assert found[0x013B] == "Artist"
    assert b"GPS" not in answer.content
    assert b"kept" in answer.content


def test_a_region_is_a_part_of_the_whole(server: Running) -> None:
    data = encoded(drawing(120, 90))
    whole = server.http.post("/v1/upscale", files={"file": ("a.png", data)})
    part = server.http.post("/v1/upscale", params={"region": "50,40,30,20"}, files={"file": ("a.png", data)})
    pixels = np.asarray(Image.open(io.BytesIO(whole.content)))[80:120, 100:160]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(part.content))), pixels)
    outside = server.http.post("/v1/upscale", params={"region": "100,40,30,20"}, files={"file": ("a.png", data)})
    assert (outside.status_code, name_of(outside)) == (422, "not-possible")


def test_an_animation_gives_its_first_frame_as_png(server: Running) -> None:
    frames = [Image.fromarray(drawing(seed=seed)) for seed in range(3)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    answer = server.http.post("/v1/upscale", files={"file": ("a.gif", stream.getvalue())})
    assert answer.headers["content-type"] == "image/png"
    assert "first of 3 frames" in answer.headers["kakudai-notes"]
    assert "a_2x.png" in answer.headers["content-disposition"]


def test_analyse_says_what_the_command_line_says(
    server: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "a.jpg"
    Image.fromarray(drawing(200, 150)).save(source, quality=60)
    assert run(["analyse", str(source), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    found = server.http.post("/v1/analyse", files={"file": ("a.jpg", source.read_bytes())}).json()
    assert {**found, "input": ""} == {**said, "input": ""}
    options = server.http.post("/v1/analyse?scale=2", files={"file": ("a.jpg", source.read_bytes())})
    assert (options.status_code, name_of(options)) == (422, "unknown-option")


@pytest.mark.parametrize(("fields", "size"), [({"scale": "2", "style": "photo", "noise": "1"}, (96, 72)),
                                              ({"scale": "1", "noise": "-1"}, (77, 58)),
                                              ({"scale": "-1", "format": "1", "style": "art"}, (48, 36))])  # fmt: skip
def test_scripts_for_waifu2x_work(
    server: Running, picture: bytes, fields: dict[str, str], size: tuple[int, int]
) -> None:
    answer = server.http.post("/api", data=fields, files={"file": ("a.png", picture)})
    assert answer.status_code == 200, answer.text
    image = Image.open(io.BytesIO(answer.content))
    assert image.size == size
    assert image.format == ("WEBP" if "format" in fields else "PNG")


def test_waifu2x_forms_that_cannot_be_done_say_why(server: Running, picture: bytes) -> None:
    for fields, status, name in (
        ({"url": "http://169.254.169.254/latest"}, 422, "not-possible"),
        ({"noise": "4"}, 422, "wrong-option"),
        ({"size": "2"}, 422, "unknown-option"),
    ):
        answer = server.http.post("/api", data=fields, files={"file": ("a.png", picture)})
        assert (answer.status_code, name_of(answer)) == (status, name)


def test_nothing_is_left_on_disk(server: Running, picture: bytes) -> None:
    assert server.http.post("/v1/upscale", files={"file": ("a.png", picture)}).status_code == 200
    assert server.empty()


def test_the_examples_of_the_openapi_document_run(server: Running, tmp_path: Path, picture: bytes) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl here")
    (tmp_path / "photo.png").write_bytes(picture)
    document = server.http.get("/openapi.json").json()
    examples = [
        sample["source"].replace("http://127.0.0.1:8812", server.address)
        for path in document["paths"].values()
        for operation in path.values()
        for sample in operation.get("x-codeSamples", [])
    ]
    assert len(examples) >= 10
    job = server.submit(picture)
    server.finish(job)
    for example in examples:
        words = example.replace("JOB", job).replace("curl ", "curl -s -S --fail ")
        done = subprocess.run(
            ["sh", "-c", words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
    with Image.open(tmp_path / "large.png") as large:
        assert large.size == (96, 72)
