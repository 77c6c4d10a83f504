"""The engine of the browser, part by part in Node: each gives what the Python that it was written after gives."""

import json
import shutil
import subprocess
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base
from tests.shipped_family import ship
from tests.small_models import DARKER, nearest, told

from kakudai.analyse import areas, drawn_probability, noise_level, read_jpeg_history
from kakudai.analyse.drawn import drawn_measures
from kakudai.data.drawn import draw_picture
from kakudai.degrade.noise import gaussian_noise
from kakudai.engine.guard import fault
from kakudai.engine.passes import to_planes
from kakudai.engine.tiles import cut, extract
from kakudai.engine.upscaler import Report, Upscaler
from kakudai.errors import KakudaiError
from kakudai.image.alpha import bleed, stay_between_neighbours
from kakudai.image.exif import is_by_camera
from kakudai.image.files import read_image
from kakudai.image.picture import Metadata, Picture, Pixels
from kakudai.image.resize import resize
from kakudai.models import shipped
from kakudai.models.catalogue import model_from_bytes
from kakudai.serve.browser import catalogue
from kakudai.serve.site import PAGE

ALL = [f"{style}-x{k}" for style in ("photo", "art") for k in (2, 3, 4)]
GRADES = ["photo-fast-x2", "art-fast-x2", "photo-best-x2", "photo-best-x4"]
RESTORING = [f"{style}-restore-x{k}" for style in ("photo", "art") for k in (1, 2)]

PREAMBLE = """
import { readFileSync } from "node:fs";
const given = JSON.parse(readFileSync(0, "utf8"));
const image = ({ values, shape, bits }) => ({
  data: (bits === 16 ? Uint16Array : Uint8Array).from(values), height: shape[0], width: shape[1], channels: shape[2] });
const told = ({ data, width, height, channels }) => ({ values: [...data], shape: [height, width, channels] });
"""


class Node:
    """Runs pieces of JavaScript beside the engine's modules.

    Args:
        folder: Empty; receives a copy of the modules.
    """

    def __init__(self, folder: Path) -> None:
        self._program = shutil.which("node")
        if self._program is None:
            pytest.skip("no Node.js here: install it to test the engine of the browser")
        self._folder = folder
        for path in (PAGE / "browser").glob("*.js"):
            shutil.copyfile(path, folder / path.name)
        (folder / "package.json").write_text('{"type": "module"}')

    def __call__(self, code: str, **given: Any) -> Any:
        """Return what the code, a function's body over the object `given`, returns; arrays travel by `packed`."""
        path = self._folder / "code.js"
        lines = code.strip().splitlines()
        head = "\n".join(line for line in lines if line.lstrip().startswith("import "))
        body = "\n".join(line for line in lines if not line.lstrip().startswith("import "))
        text = f"{head}\n{PREAMBLE}\nconst found = await (async () => {{\n{body}\n}})();\n"
        path.write_text(text + "process.stdout.write(JSON.stringify(found));")
        words = [str(self._program), str(path)]
        done = subprocess.run(words, input=json.dumps(given), capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    return Node(tmp_path_factory.mktemp("engine"))


def packed(image: Pixels) -> dict[str, Any]:
    return {"values": image.ravel().tolist(), "shape": image.shape, "bits": image.dtype.itemsize * 8}


def unpacked(found: dict[str, Any], dtype: Any = np.int64) -> Pixels:
    return np.array(found["values"], dtype).reshape(found["shape"])


@cache
def photo(size: int = 64) -> Pixels:
    return draw_picture("photo", 5, 1, size)


def see_through(height: int, width: int) -> Pixels:
    """Return alpha with parts of every kind: hidden, nearly hidden, half and solid. Shape: (height, width, 1)."""
    rows, columns = np.mgrid[:height, :width]
    values = np.clip(300 - 8 * np.hypot(rows - height / 2, columns - width / 3), 0, 255)
    values[: height // 5] = 10
    return values.astype(np.uint8)[..., None]


def test_tiles_are_those_of_the_engine(node: Node) -> None:
    cases = [(1, 1, 192, 1), (257, 5, 256, 1), (500, 131, 64, 4), (97, 300, 96, 2), (7, 1000, 32, 8)]
    found = node('import { cut } from "./tiles.js";\nreturn given.cases.map((words) => cut(...words));', cases=cases)
    for case, cores in zip(cases, found, strict=True):
        wanted = [{"top": t.top, "left": t.left, "height": t.height, "width": t.width} for t in cut(*case)]
        assert cores == wanted


@pytest.mark.parametrize(
    ("shape", "halo", "multiple"), [((1, 1, 3), 10, 1), ((40, 1, 1), 7, 4), ((33, 50, 3), 3, 2), ((5, 9, 3), 30, 1)]
)
def test_what_a_network_is_given_is_the_mirrored_picture(
    node: Node, shape: tuple[int, int, int], halo: int, multiple: int
) -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 65536, shape).astype(np.uint16)
    code = """
        import { cut, planesOf } from "./tiles.js";
        const picture = image(given.picture);
        return cut(picture.height, picture.width, 16, given.model.multiple).map((core) => {
          const { x, height, width } = planesOf(picture, core, given.model, 0.5);
          return { values: [...x], shape: [4, height, width] };
        });"""
    found = node(code, picture=packed(image), model={"halo": halo, "multiple": multiple})
    cores = list(cut(shape[0], shape[1], 16, multiple))
    margin = -(-halo // multiple) * multiple
    for core, planes in zip(cores, found, strict=True):
        wanted = to_planes(extract(image, core, margin, multiple))[0]
        got = unpacked(planes, np.float64)
        np.testing.assert_allclose(got[:3], wanted, atol=1e-7)
        assert (got[3] == 0.5).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("size", "result"), [((40, 31), (60, 47)), ((64, 64), (17, 100)), ((1, 50), (1, 20)), ((30, 1), (77, 3))]
)
@pytest.mark.parametrize(("depth", "light"), [(8, False), (8, True), (16, False)])
def test_resizing_is_the_exact_one(
    node: Node, channels: int, size: tuple[int, int], result: tuple[int, int], depth: int, light: bool
) -> None:
    image = photo()[: size[0], : size[1], :channels]
    image = image.astype(np.uint16) * 257 if depth == 16 else image
    code = """
        import { resize } from "./resize.js";
        return told(resize(image(given.picture), given.size[1], given.size[0], { light: given.light }));"""
    got = unpacked(node(code, picture=packed(image), size=result, light=light))
    wanted = resize(image, result, kernel="lanczos3", linear_light=light, dtype=np.uint8).astype(int)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= 1
    assert (got != wanted).mean() < 0.005


@pytest.mark.parametrize(("height", "width"), [(61, 40), (1, 33), (64, 1), (2, 2)])
def test_alpha_is_treated_as_by_the_engine(node: Node, height: int, width: int) -> None:
    color, alpha = photo()[:height, :width], see_through(height, width)
    large = resize(alpha, (height * 2, width * 3), kernel="lanczos3")
    code = """
        import { bleed, stayBetweenNeighbours } from "./alpha.js";
        const alpha = image(given.alpha);
        return [bleed(image(given.color), alpha, 10), stayBetweenNeighbours(image(given.large), alpha)].map(told);"""
    bled, kept = node(code, color=packed(color), alpha=packed(alpha), large=packed(large))
    difference = np.abs(unpacked(bled) - bleed(color, alpha, 10).astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01
    np.testing.assert_array_equal(unpacked(kept), stay_between_neighbours(large, alpha))
    hidden = np.zeros_like(alpha)
    bled, _ = node(code, color=packed(color), alpha=packed(hidden), large=packed(large))
    assert (unpacked(bled) == 128).all()


def test_a_tile_that_is_not_the_picture_is_told_as_by_the_engine(node: Node) -> None:
    x = to_planes(photo(48))[0]
    y = x.repeat(2, axis=1).repeat(2, axis=2)
    broken = {"right": y, "nan": y.copy(), "swap": y[::-1], "black": y * 0, "shift": y + 0.06, "hole": y.copy()}
    broken["nan"][1, 5, 5] = np.nan
    broken["hole"][:, :32, :32] = 1 - broken["hole"][:, :32, :32]
    code = """
        import { fault, planes } from "./guard.js";
        const inside = (side) => ({ top: 0, left: 0, width: side, height: side });
        const x = planes(Float32Array.from(given.x), 48, 48 * 48, inside(48));
        return Object.entries(given.broken).map(([name, values]) => [
          name, fault(x, planes(Float32Array.from(values, (v) => v ?? NaN), 96, 96 * 96, inside(96)), 2)]);"""
    values = {
        name: [None if np.isnan(value) else float(value) for value in planes.ravel()] for name, planes in broken.items()
    }
    found = dict(node(code, x=x.ravel().tolist(), broken=values))
    assert found == {name: fault(x, planes, 2) for name, planes in broken.items()}
    assert [name for name, words in found.items() if words is None] == ["right"]


def test_jpeg_headers_say_the_same_and_are_not_believed(node: Node, tmp_path: Path) -> None:
    files = []
    for quality in (1, 10, 33, 50, 75, 90, 96, 100):
        for more in ({"subsampling": quality % 3}, {"progressive": True}):
            path = tmp_path / "picture.jpg"
            Image.fromarray(photo()).save(path, quality=quality, **more)
            files.append(path.read_bytes())
    Image.fromarray(photo()[..., 0]).save(tmp_path / "grey.jpg", quality=60)
    files.append((tmp_path / "grey.jpg").read_bytes())
    whole = files[0]
    rng = np.random.default_rng(3)
    for _ in range(60):
        bad = bytearray(whole[:700])
        for place in rng.integers(2, len(bad), 4):
            bad[place] = rng.integers(256)
        files.append(bytes(bad))
    files += [b"", b"\xff\xd8\xff", whole[:100], whole[:2] + b"\xff" * 50, b"\x89PNG\r\n\x1a\n"]
    code = """
        import { readJpegHistory } from "./header.js";
        return given.files.map((bytes) => readJpegHistory(Uint8Array.from(bytes)));"""
    found = node(code, files=[list(data) for data in files])
    for data, got in zip(files, found, strict=True):
        wanted = read_jpeg_history(data)
        if wanted is None:
            assert got is None
        else:
            assert got["quality"] == wanted.quality
            assert got["chroma"] == wanted.chroma
            assert got["progressive"] == wanted.progressive
            assert tuple(got["steps"]) == wanted.steps


def test_cameras_are_known_by_what_they_write(node: Node, tmp_path: Path) -> None:
    """Whole blocks say the same as to the engine; damaged ones raise nothing."""
    maker, taken = {Base.Make: "Rikoh"}, {Base.DateTimeOriginal: "1998:01:01 00:00:00"}
    files, wanted = [], []
    for first, below in ((maker, taken), (maker, {Base.FNumber: 2.8}), (maker, {}), ({}, taken), ({}, {})):
        exif = Image.Exif()
        exif.update(first)
        exif.get_ifd(IFD.Exif).update(below)
        Image.fromarray(photo()).save(tmp_path / "a.jpg", exif=exif)
        files.append((tmp_path / "a.jpg").read_bytes())
        wanted.append(is_by_camera(read_image(files[-1]).metadata.exif))
    assert wanted == [True, True, False, False, False]
    rng = np.random.default_rng(4)
    for _ in range(100):
        bad = bytearray(files[0][:400])
        for place in rng.integers(2, 200, 3):
            bad[place] = rng.integers(256)
        files.append(bytes(bad[: rng.integers(0, 400)]))
    code = """
        import { isByCamera } from "./header.js";
        return given.files.map((bytes) => isByCamera(Uint8Array.from(bytes)));"""
    found = node(code, files=[list(data) for data in files])
    assert found[: len(wanted)] == wanted
    assert {type(one) for one in found} == {bool}


LOOKED_AT = {
    "a photograph": lambda: (photo(300), None),
    "a large one": lambda: (np.tile(photo(300), (4, 4, 1))[:1030, :1030], None),
    "noise": lambda: (gaussian_noise(photo(200), 15, np.random.default_rng(0)), None),
    "a drawing": lambda: (draw_picture("art", 3, 1, 256), None),
    "grey": lambda: (draw_picture("art", 3, 2, 128)[..., :1], None),
    "a sticker": lambda: (draw_picture("art", 3, 3, 160), see_through(160, 160)),
    "an icon": lambda: (draw_picture("art", 3, 4, 24), None),
    "a speck": lambda: (photo()[:9, :9], None),
    "a line": lambda: (np.tile(photo(256), (5, 1, 1))[:, :2], None),
}


@pytest.mark.parametrize("name", LOOKED_AT)
def test_pictures_look_as_they_do_to_the_engine(node: Node, name: str) -> None:
    color, alpha = LOOKED_AT[name]()
    code = """
        import { areasOf } from "./sample.js";
        import { drawnMeasures, drawnProbability } from "./drawn.js";
        import { noiseLevel } from "./noise.js";
        const areas = areasOf(image(given.color), given.alpha && image(given.alpha));
        const drawn = [false, true].map((byCamera) => drawnProbability(areas, given.weights, byCamera));
        return [drawnMeasures(areas), drawn, noiseLevel(areas)];"""
    weights = catalogue([], runtime=False)["drawn"]
    measures, drawn, noise = node(
        code, color=packed(color), alpha=None if alpha is None else packed(alpha), weights=weights
    )
    parts = areas(color, alpha)
    wanted = drawn_measures(parts)
    assert (measures is None) == (wanted is None)
    if wanted is not None:
        assert measures == pytest.approx(wanted, abs=2e-3)
    for by_camera, got in zip((False, True), drawn, strict=True):
        probability = drawn_probability(parts, by_camera=by_camera)
        assert got == (None if probability is None else pytest.approx(probability, abs=1e-3))
    level = noise_level(parts)
    assert noise == (None if level is None else pytest.approx(level, rel=0.01, abs=0.01))


ENLARGE = """
import { enlarge } from "./work.js";
// Networks that repeat pixels; those that restore make them darker, as those in tests/shipped_family.py do.
function run(model, x, channels, height, width) {
  const s = model.scale;
  const y = new Float32Array(3 * height * width * s * s);
  for (let k = 0; k < y.length; k++) {
    const channel = Math.floor(k / (height * width * s * s));
    const tint = channel === 2 ? (given.tint ?? 0) : 0;
    const row = Math.floor(k / (width * s)) % (height * s);
    const from = (channel * height + Math.floor(row / s)) * width + Math.floor((k % (width * s)) / s);
    y[k] = x[from] * (channels === 4 ? 1 - given.darker * x[3 * height * width] : 1) + tint;
  }
  return Promise.resolve(y);
}
return Promise.all(given.cases.map(async ({ picture, options, bytes }) => {
  const { values, shape } = picture;
  const rgba = { data: Uint8ClampedArray.from(values), height: shape[0], width: shape[1] };
  const shares = [];
  try {
    const words = { ...options, ...(bytes && { bytes: Uint8Array.from(bytes) }) };
    const progress = (share) => shares.push(share);
    const { data, ...rest } = await enlarge(rgba, words, given.catalogue, { run, progress, tile: 20 });
    return { ...rest, shares, result: { values: [...data], shape: [rest.height, rest.width, 4] } };
  } catch (error) {
    if (!error.title) throw error;
    return { problem: [error.title, error.detail, error.hint] };
  }
}));
"""


def fake_catalogue(names: list[str]) -> dict[str, Any]:
    models = [
        model_from_bytes(told(int(name[-1]), name) if "restore" in name else nearest(int(name[-1]), name=name), name)
        for name in names
    ]
    return catalogue(models, runtime=True)


def rgba(color: Pixels, alpha: Pixels | None = None) -> Pixels:
    whole = np.full((*color.shape[:2], 1), 255, np.uint8) if alpha is None else alpha
    return np.concatenate([np.broadcast_to(color, (*color.shape[:2], 3)), whole], axis=2)


def jpeg_of(image: Pixels, quality: int, path: Path) -> bytes:
    Image.fromarray(image).save(path, quality=quality, subsampling=2)
    return path.read_bytes()


@pytest.mark.parametrize(
    "names",
    [
        ALL[:1],
        ALL,
        [*ALL, *GRADES, *RESTORING],
        ["photo-x2", "photo-restore-x2"],
        ["photo-x2", "photo-best-x2", "photo-restore-x1"],
    ],
    ids=["one", "enlarging", "all", "combined", "alone"],
)
def test_networks_passes_and_pixels_are_those_of_the_engine(
    node: Node, names: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With networks that are simple enough for JavaScript, whole pictures come out the same."""
    ship(monkeypatch, *names)
    color = photo()[:26, :33]
    decoded = np.asarray(Image.open(_written(tmp_path, jpeg_of(photo(200), 30, tmp_path / "a.jpg"))))[:40, :40]
    jpeg = (tmp_path / "a.jpg").read_bytes()
    pictures: list[tuple[Pixels, Pixels | None, bytes | None]] = [
        (color, None, None),
        (color, see_through(26, 33), None),
        (color, np.full((26, 33, 1), 90, np.uint8), None),
        (decoded, None, jpeg),
    ]
    wishes: list[dict[str, Any]] = [
        {"scale": scale, "model": model, "denoise": denoise}
        for scale, model, denoise in [
            (2, "auto", "auto"), (3, "photo", 0), (1.5, "photo", 40), (1, "photo", 40), (0.4, "auto", 0),
            (4.2, "photo", "auto"), (2.001, "photo", 0), (9, "photo", 70), (1, "auto", 0), (2, "art", 30),
            (3, "photo-best", "auto"), (3, "art-fast", 60),
        ]
    ]  # fmt: skip
    wishes += [{"width": 50, "model": "photo"}, {"width": 40, "height": 90}, {"fit": (70, 70)}]
    cases = [(picture, wish) for wish in wishes for picture in pictures]
    found = node(
        ENLARGE,
        cases=[
            {"picture": packed(rgba(color, alpha)), "options": wish, "bytes": data and list(data)}
            for (color, alpha, data), wish in cases
        ],
        catalogue=fake_catalogue(names),
        darker=DARKER,
    )
    done = 0
    for number, wish in enumerate(wishes):
        answers = found[number * len(pictures) :][: len(pictures)]
        wanted_problem, results = done_by_the_engine(pictures, wish)
        if wanted_problem:
            assert {got["problem"][1] for got in answers} == {wanted_problem}
        for (wanted, report), got in zip(results, answers, strict=not wanted_problem):
            assert "problem" not in got, (wish, got)
            assert (got["model"], got["strength"]) == (report.model, report.strength)
            assert tuple(got["notes"]) == report.notes
            assert got["reason"].replace(" (earlier JPEG is not looked for here)", "") == report.reason
            result, whole = unpacked(got["result"]), rgba(wanted.color, wanted.alpha).astype(int)
            assert result.shape == whole.shape
            difference = np.abs(result - whole)
            assert difference.max() <= 1, wish
            assert (difference > 0).mean() < 0.02, wish
            if report.networks:
                done += 1
                assert got["shares"] == sorted(got["shares"])
                assert got["shares"][-1] == pytest.approx(1.0)
    assert done >= 20


def done_by_the_engine(
    pictures: list[tuple[Pixels, Pixels | None, bytes | None]], wish: dict[str, Any]
) -> tuple[str | None, list[tuple[Picture, Report]]]:
    """Return why a wish cannot be fulfilled, or what became of the pictures."""
    try:
        with Upscaler(**wish, threads=1, precision="float32") as upscaler:
            asked = [Picture(color, alpha, Metadata(jpeg=data)) for color, alpha, data in pictures]
            return None, [upscaler.upscale_picture(picture) for picture in asked]
    except KakudaiError as error:
        return error.message, []


def _written(folder: Path, data: bytes) -> Path:
    path = folder / "written.jpg"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("height", "width"), [(61, 40), (1, 1), (130, 3)])
def test_png_files_keep_what_is_hidden(node: Node, height: int, width: int, tmp_path: Path) -> None:
    image = np.concatenate([np.tile(photo(), (3, 1, 1))[:height, :width], see_through(height, width)], axis=2)
    code = """
        import { encodePng } from "./pixels.js";
        const { data, width, height } = image(given.picture);
        return [...new Uint8Array(await (await encodePng({ data, width, height })).arrayBuffer())];"""
    (tmp_path / "a.png").write_bytes(bytes(node(code, picture=packed(image))))
    found = read_image(tmp_path / "a.png")
    assert found.alpha is not None
    np.testing.assert_array_equal(np.concatenate([found.color, found.alpha], axis=2), image)


def test_grey_stays_grey_in_a_network_that_tints(node: Node) -> None:
    grey = photo()[:20, :20, :1].repeat(3, axis=2)
    dyed = grey.copy()
    dyed[-1, -1, 2] ^= 1
    cases = [{"picture": packed(rgba(color)), "options": {"scale": 2}} for color in (grey, dyed)]
    found = node(ENLARGE, cases=cases, catalogue=fake_catalogue(["photo-x2"]), darker=DARKER, tint=0.01)
    kept, tinted = (np.ptp(unpacked(got["result"])[..., :3], axis=2) for got in found)
    assert kept.max() == 0
    assert tinted.min() > 0


def test_what_was_seen_is_told(node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = [*ALL, *RESTORING]
    drawing, picture = draw_picture("art", 3, 1, 128), photo(128)
    bad = jpeg_of(picture, 40, tmp_path / "bad.jpg")
    good = jpeg_of(picture, 98, tmp_path / "good.jpg")
    cases = [(picture, bad), (picture, good), (drawing, bad), (picture, None)]
    asked = [
        {"picture": packed(rgba(image)), "options": {"scale": 1}, "bytes": data and list(data)} for image, data in cases
    ]
    found = node(ENLARGE, cases=asked, catalogue=fake_catalogue(names), darker=DARKER)
    assert [(got["strength"], got["reason"]) for got in found] == [
        (50, "probably a photograph, JPEG quality 40, 4:2:0"),
        (0, "probably a photograph, clean"),
        (50, "drawn, JPEG quality 40, 4:2:0"),
        (0, "probably a photograph, clean (earlier JPEG is not looked for here)"),
    ]


def test_a_region_is_that_part_of_the_whole(node: Node) -> None:
    """Also where it touches the border, and where passes and resizing look far around it."""
    image = rgba(photo(150), see_through(150, 150))
    regions = [[60, 50, 30, 21], [0, 0, 12, 12], [140, 30, 10, 120], [0, 0, 150, 150]]
    wishes = [{"scale": 2}, {"scale": 3}, {"scale": 1.5}, {"scale": 1, "denoise": 60}, {"scale": 0.5}]
    names = ["photo-x2", "photo-restore-x1"]
    cases = [{"picture": packed(image), "options": {**wish, **more}} for wish in wishes
             for more in ({}, *({"region": region} for region in regions))]  # fmt: skip
    found = node(ENLARGE, cases=cases, catalogue=fake_catalogue(names), darker=DARKER)
    for number, wish in enumerate(wishes):
        whole, *parts = found[number * 5 : number * 5 + 5]
        scale = wish["scale"]
        for (left, top, width, height), part in zip(regions, parts, strict=True):
            got = unpacked(part["result"])
            rows, columns = (
                slice(int(top * scale), int((top + height) * scale)),
                slice(int(left * scale), int((left + width) * scale)),
            )
            wanted = unpacked(whole["result"])[rows, columns]
            size = (min(got.shape[0], wanted.shape[0]), min(got.shape[1], wanted.shape[1]))
            assert abs(got.shape[0] - height * scale) <= 1
            assert abs(got.shape[1] - width * scale) <= 1
            assert np.abs(got[: size[0], : size[1], 3] - wanted[: size[0], : size[1], 3]).max() <= 1
            visible = wanted[: size[0], : size[1], 3] > 40
            difference = np.abs(got[: size[0], : size[1]] - wanted[: size[0], : size[1]])[visible]
            assert not difference.size or difference.max() <= 1, (wish, (left, top, width, height))
            assert {key: part[key] for key in ("model", "strength")} == {
                key: whole[key] for key in ("model", "strength")
            }


def test_wrong_wishes_are_told_in_words(node: Node) -> None:
    wishes: list[dict[str, Any]] = [
        {"scale": 17}, {"scale": "x"}, {"scale": 2, "width": 5}, {"denoise": 101}, {"denoise": 1.5}, {"tta": 8},
        {"model": "../x"}, {"width": 0}, {"fit": "10"}, {"sclae": 2}, {"height": 9000}, {"model": "art"},
        {"region": [0, 0, 9, 1]}, {"region": [0, 0, 1]}, {"region": [0.5, 0, 1, 1]},
    ]  # fmt: skip
    cases = [{"picture": packed(rgba(photo()[:8, :8])), "options": wish} for wish in wishes]
    found = node(ENLARGE, cases=cases, catalogue=fake_catalogue(["photo-x2"]), darker=DARKER)
    assert all(len(got["problem"]) == 3 and all(got["problem"]) for got in found), found


def test_a_result_beyond_the_limit_is_refused_before_any_work(node: Node) -> None:
    known = fake_catalogue(["photo-x2"])
    known["limits"] = {**known["limits"], "output_pixels": 255}
    cases = [{"picture": packed(rgba(photo()[:8, :8])), "options": {"scale": scale}} for scale in (2, 1.9)]
    refused, done = node(ENLARGE, cases=cases, catalogue=known, darker=DARKER)
    assert refused["problem"][0] == "Too large for the browser"
    assert done["result"]["shape"] == [15, 15, 4]


@pytest.mark.parametrize(
    ("word", "style"), [(word, style) for word in shipped.WORDS for style in shipped.WORDS[word][0]]
)
def test_networks_are_picked_as_by_the_engine(
    node: Node, word: str, style: shipped.Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = catalogue([], runtime=False)
    stem, grade = known["stems"][word][style], shipped.WORDS[word][1]
    families = [[f"{stem}-x2", *ALL, *more] for more in ([], RESTORING, GRADES)]
    families += [[f"{stem}-x2"], [f"{stem}-x2", f"{stem}-x4", f"{style}-restore-x1"],
                 [f"{stem}-x2", f"{stem}-x3", f"{style}-restore-x2"]]  # fmt: skip
    ratios = [0.5, 1, 1.6, 2, 2.5, 3, 4, 7]
    code = """
        import { Family } from "./family.js";
        return given.families.map((names) => {
          const family = new Family({ models: names.map((name) => ({ name })), stems: given.stems });
          return given.ratios.flatMap((ratio) => [true, false].map((restore) =>
            family.pick(given.word, given.style, ratio, restore)));
        });"""
    found = node(code, families=families, ratios=ratios, word=word, style=style, stems=known["stems"])
    for names, picks in zip(families, found, strict=True):
        monkeypatch.setattr(shipped, "is_shipped", names.__contains__)
        wanted = [
            shipped.pick(style, ratio, restore=restore, grade=grade) for ratio in ratios for restore in (True, False)
        ]
        assert picks == [{**asdict(pick), "notes": list(pick.notes)} for pick in wanted]


def test_words_are_those_that_there_are_networks_for() -> None:
    assert catalogue([], runtime=False)["words"] == []
    assert fake_catalogue(["photo-x2", "photo-restore-x1"])["words"] == ["auto", "photo"]
    known = fake_catalogue(["art-x4", "photo-best-x2"])
    assert known["words"] == ["auto", "art", "photo-best"]
    assert known["scales"] == {"art": [4]}
