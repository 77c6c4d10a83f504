"""Models side by side: the region is what the whole would have, figures are right, bad wishes are named."""

import io
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.families import make_family
from tests.shipped_family import ship
from tests.small_models import convolutional, nearest

from kakudai.engine.upscaler import Upscaler
from kakudai.errors import ModelNotFound, UsageError
from kakudai.evaluate import lineup
from kakudai.evaluate.lineup import line_up
from kakudai.evaluate.wanted import Region, Task, Wanted, parse_models, parse_region
from kakudai.image.files import read_image
from kakudai.image.picture import Picture, Pixels
from kakudai.image.resize import imresize_matlab, resize


@pytest.fixture
def network(tmp_path: Path) -> str:
    (tmp_path / "net.onnx").write_bytes(convolutional())
    return str(tmp_path / "net.onnx")


def pixels(height: int = 90, width: int = 120, channels: int = 3) -> Pixels:
    coarse = np.random.default_rng(0).integers(0, 256, (height // 3 + 1, width // 3 + 1, channels)).astype(np.uint8)
    return resize(coarse, (height, width))


@pytest.mark.parametrize("scale", [2, 3, 4, 1.5, 2.37])
@pytest.mark.parametrize("region", [Region(0, 0, 7, 9), Region(51, 40, 20, 13), Region(119, 89, 1, 1)])
def test_the_region_is_what_the_whole_would_have(network: str, scale: float, region: Region) -> None:
    image = pixels()
    entries, _ = line_up(Picture(image), Task(scale, [Wanted(network)], region))
    with Upscaler(scale, model=network) as upscaler:
        whole = upscaler.upscale(image)
    top, left = (int(edge * scale + 0.5) for edge in (region.top, region.left))
    shown = entries[1].image
    assert (shown == whole[top : top + shown.shape[0], left : left + shown.shape[1]]).all()
    assert abs(shown.shape[0] - scale * region.height) <= 1
    if scale == int(scale):
        plain = imresize_matlab(image, scale)
        assert (entries[0].image == plain[top : top + shown.shape[0], left : left + shown.shape[1]]).all()


def test_only_what_is_needed_is_enlarged(network: str, monkeypatch) -> None:
    sizes, real = [], Upscaler.upscale_picture

    def upscale_picture(self, picture, *args, **options):
        sizes.append(picture.color.shape)
        return real(self, picture, *args, **options)

    monkeypatch.setattr(Upscaler, "upscale_picture", upscale_picture)
    region = Region(300, 300, 10, 10)
    line_up(Picture(pixels(600, 800)), Task(2, [Wanted(network)], region))
    line_up(Picture(pixels(600, 800)), Task(2, [Wanted(network)], region, fidelity=True))
    assert sizes == [(32, 32, 3), (600, 800, 3)]


def test_networks_that_see_everything_get_everything(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(nearest(halo="none"))
    with_all = Task(2, [Wanted(str(tmp_path / "net.onnx"))], Region(5, 5, 8, 8))
    image = pixels()
    assert (line_up(Picture(image), with_all)[0][1].image == image[5:13, 5:13].repeat(2, 0).repeat(2, 1)).all()


def test_the_corner_suits_networks_that_want_multiples(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(nearest(multiple="8"))
    task = Task(2, [Wanted(str(tmp_path / "net.onnx"))], Region(45, 37, 8, 8))
    area = lineup.Lineup(pixels(), task)._area(8, 8)
    assert (area.left % 8, area.top % 8, area.width % 8, area.height % 8) == (0, 0, 0, 0)


def test_figures(network: str, tmp_path: Path) -> None:
    original = pixels(181, 240)
    small = imresize_matlab(original[:180], 0.5)
    (tmp_path / "near.onnx").write_bytes(nearest())
    task = Task(2, [Wanted(network), Wanted(str(tmp_path / "near.onnx"))], Region(20, 20, 40, 30), original)
    task = Task(2, task.models, task.region, original, fidelity=True, consistent=True)
    entries, _ = line_up(Picture(small), task)
    titles = [entry.title for entry in entries]
    assert titles == ["bicubic", "convolutional", "convolutional, consistent", "test", "test, consistent", "original"]
    assert len(entries) == task.cards
    by_title = {entry.title: entry for entry in entries}
    assert by_title["bicubic"].psnr > by_title["test"].psnr
    assert by_title["original"].psnr is None
    assert by_title["original"].back.psnr == np.inf
    assert max(by_title[name].back.psnr for name in ("test", "bicubic")) < by_title["test, consistent"].back.psnr - 10
    assert by_title["test, consistent"].back.largest < 1.5
    assert by_title["test, consistent"].psnr > by_title["test"].psnr
    assert not by_title["bicubic"].added.any()
    assert by_title["test"].added.shape == (60, 80)
    assert by_title["original"].as_json()["shrinks_back_psnr"] is None
    assert by_title["test"].as_json()["added_rms"] > 1


def test_a_consistent_region_is_that_of_the_consistent_whole(tmp_path: Path) -> None:
    (tmp_path / "near.onnx").write_bytes(nearest())
    image = (pixels(100, 140) * 0.6 + 40).astype(np.uint8)
    models = [Wanted(str(tmp_path / "near.onnx"))]
    part, whole = (
        line_up(Picture(image), Task(2, models, Region(60, 50, 10, 10), fidelity=all_of_it, consistent=True))[0][
            2
        ].image
        for all_of_it in (False, True)
    )
    assert np.abs(part.astype(int) - whole).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 30), (5, 4)])
def test_tiny_pictures(network: str, height: int, width: int) -> None:
    image = pixels(height, width, 1)
    task = Task(2, [Wanted(network)], parse_region(None, height, width), fidelity=True, consistent=True)
    assert [entry.image.shape for entry in line_up(Picture(image), task)[0]] == [(2 * height, 2 * width, 1)] * 3


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_deep_pictures(network: str, dtype: type) -> None:
    image = (pixels() * np.array(257 if dtype == np.uint16 else 1 / 255, dtype)).astype(dtype)
    entries, _ = line_up(Picture(image), Task(2, [Wanted(network)], Region(3, 4, 20, 10), fidelity=True))
    assert [entry.image.dtype for entry in entries] == [dtype, dtype]
    assert entries[1].added.max() < 256


def test_strengths_reach_the_networks(tmp_path: Path) -> None:
    folder = str(make_family(tmp_path / "family", "scale2.0x", "noise0_scale2.0x", "noise3_scale2.0x"))
    task = Task(2, [Wanted(folder), Wanted(folder, 10), Wanted(folder, 100)], Region(10, 10, 20, 20))
    entries, _ = line_up(Picture(pixels()), task)
    means = [entry.image.mean() for entry in entries[1:]]
    assert means[0] > means[1] > means[2]
    assert [entry.title for entry in entries[1:]] == [
        "family",
        "family noise 0",
        "family noise 3",
    ]
    assert [entry.strength for entry in entries[1:]] == [0, 10, 100]


CAT = Path(__file__).parents[2] / "examples/chelsea.png"


def jpeg_with_a_flat_middle(quality: int) -> Picture:
    """A photograph whose middle alone looks clean and drawn, whatever JPEG has done to the rest."""
    image = read_image(CAT).color[40:232, 100:292].copy()
    image[64:128, 64:128] = (230, 51, 51)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return read_image(stream.getvalue())


@pytest.mark.parametrize("scale", [1, 2, 3, 1.5])
def test_a_model_does_to_a_region_what_it_would_do_to_the_whole(monkeypatch, scale: float) -> None:
    ship(monkeypatch, "photo-x2", "art-x2", "photo-restore-x1", "photo-restore-x2", "art-restore-x2")
    picture, region = jpeg_with_a_flat_middle(40), Region(80, 80, 20, 16)
    models = [Wanted("auto"), Wanted("art"), Wanted("photo", 0), Wanted("auto", 70)]
    entries, _ = line_up(picture, Task(scale, models, region))
    for wanted, entry in zip(models, entries[1:], strict=True):
        with Upscaler(scale, model=wanted.model, denoise="auto" if wanted.strength is None else wanted.strength) as up:
            whole, report = up.upscale_picture(picture)
        assert (entry.model, entry.strength, entry.reason) == (report.model, report.strength, report.reason)
        top, left = (int(edge * scale + 0.5) for edge in (region.top, region.left))
        height, width = entry.image.shape[:2]
        assert (entry.image == whole.color[top : top + height, left : left + width]).all()
    auto = entries[1].as_json()
    assert (auto["asked"], auto["strength"]) == ("auto", 50)
    assert auto["model"].startswith("photo-restore-x")
    assert auto["reason"] == "photograph, JPEG quality 40, 4:2:0"


def test_only_networks_that_run_count(tmp_path: Path) -> None:
    folder = make_family(tmp_path / "family", "scale2.0x", "noise3_scale2.0x")
    names = {}
    for scale in (2, 4):
        with ExitStack() as stack:
            candidate = lineup._candidate(Wanted(str(folder), 100), scale, Picture(pixels()), stack)
            names[scale] = [step.model.name for step in candidate.steps]
    both, enlarging = "family/noise3_scale2.0x_model", "family/scale2.0x_model"
    assert names == {2: [both], 4: [both, enlarging]}


def test_a_network_that_runs_twice_has_its_parameters_once(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(nearest(parameters="120"))
    model, region = [Wanted(str(tmp_path / "net.onnx"))], Region(0, 0, 9, 9)
    image = Picture(pixels())
    counts = {scale: line_up(image, Task(scale, model, region))[0][1].parameters for scale in (1, 2, 4)}
    assert counts == {1: None, 2: 120, 4: 120}


def test_what_no_network_does_is_said(monkeypatch, tmp_path: Path) -> None:
    ship(monkeypatch, "photo-x2")
    folder = str(make_family(tmp_path / "family", "noise1"))
    image, region = Picture(pixels()), Region(0, 0, 9, 9)
    kept = line_up(image, Task(1, [Wanted("photo")], region))[0][1]
    assert (kept.title, kept.seconds, kept.megapixels) == ("photo-x2: unchanged", None, None)
    with pytest.raises(ModelNotFound) as error:
        line_up(image, Task(2, [Wanted(folder)], region))
    assert error.value.hint == f"say how much, for example {folder}@40"


def test_results_of_one_name_are_told_apart_by_what_was_asked(monkeypatch) -> None:
    ship(monkeypatch, "photo-x2", "art-x2", "photo-restore-x2")
    models = [Wanted("auto"), Wanted("photo", 50), Wanted("art")]
    entries, _ = line_up(jpeg_with_a_flat_middle(40), Task(2, models, Region(0, 0, 9, 9)))
    names = ["auto: photo-restore-x2, strength 50", "photo@50: photo-restore-x2, strength 50", "art-x2"]
    assert [entry.title for entry in entries] == ["bicubic", *names]


def test_a_strength_that_the_chosen_style_lacks_is_named(monkeypatch) -> None:
    ship(monkeypatch, "photo-x2", "art-x2", "photo-restore-x2")
    drawing = np.full((128, 128, 3), 255, np.uint8)
    drawing[20:60, 30:90] = (200, 30, 30)
    drawing[70:110, 10:50] = (20, 60, 200)
    with pytest.raises(UsageError) as error:
        line_up(Picture(drawing), Task(2, [Wanted("auto", 40)], Region(0, 0, 9, 9)))
    assert error.value.hint == "leave @40 out, or name another model"


def test_restoring_keeps_the_size_and_is_compared_with_the_input(tmp_path: Path) -> None:
    folder = str(make_family(tmp_path / "family", "noise1"))
    entries, _ = line_up(Picture(pixels()), Task(1, [Wanted(folder, 50)], Region(10, 10, 20, 20), fidelity=True))
    assert entries[0].title == "input"
    assert entries[0].back.psnr == np.inf
    assert entries[1].image.shape == (20, 20, 3)


def test_grey_and_colour_may_meet(network: str) -> None:
    grey = pixels(90, 120, 1)
    for image, reference in ((grey, pixels(180, 240)), (pixels(), pixels(180, 240, 1))):
        entries, _ = line_up(Picture(image), Task(2, [Wanted(network)], Region(3, 4, 20, 10), reference))
        assert all(entry.image.shape == (20, 40, 3) for entry in entries)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"scale": 0.5}, "the scale is 0.5"),
        ({"scale": 17}, "the scale is 17"),
        ({"scale": 1, "consistent": True}, "at scale 1 nothing"),
        ({"reference": pixels(90, 120)}, "the reference is 120x90, and the picture enlarged 2 times is 240x180"),
        ({"reference": pixels(182, 240)}, "the reference is 240x182"),
        ({"reference": pixels(180, 240), "shave": 10}, "nothing left after shaving"),
    ],
)
def test_wishes_that_cannot_be_met(network: str, wish: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        line_up(
            Picture(pixels()), Task(**{"scale": 2, "models": [Wanted(network)], "region": Region(0, 0, 10, 10), **wish})
        )


def test_strengths_that_a_model_does_not_take(network: str) -> None:
    with pytest.raises(UsageError) as error:
        line_up(Picture(pixels()), Task(2, [Wanted(network, 40)], Region(0, 0, 10, 10)))
    assert "leave @40 out" in error.value.hint
    with pytest.raises(ModelNotFound):
        line_up(Picture(pixels()), Task(2, [Wanted("no-such-model")], Region(0, 0, 10, 10)))


def test_models_are_read(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_models(["photo, art-restore@40", "photo", "x/y@z@0"]) == [
        Wanted("photo"),
        Wanted("art-restore", 40),
        Wanted("x/y@z", 0),
    ]
    for name in ("a,b", "net@20", "many,@,3"):
        (tmp_path / name).mkdir()
    assert parse_models(["a,b"]) == [Wanted("a,b")]
    assert parse_models(["net@20,net@20@50"]) == [Wanted("net@20"), Wanted("net@20", 50)]
    assert str(parse_models(["photo@7"])[0]) == "photo@7"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no model is named"),
        ([""], "no model is named"),
        ([" , "], "no model is named"),
        (["photo,@40"], "no model is named before '@40'"),
        (["photo@"], "the strength of photo is ''"),
        (["photo@101"], "the strength of photo is '101'"),
        (["photo@00101"], "the strength of photo is '00101'"),
        (["photo@-1"], "the strength of photo is '-1'"),
        (["photo@4.5"], "the strength of photo is '4.5'"),
        (["photo@x"], "the strength of photo is 'x'"),
    ],
)
def test_models_that_are_none(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_models(words)


def test_regions_are_read() -> None:
    assert parse_region(None, 100, 200) == Region(52, 14, 96, 72)
    assert parse_region(None, 1, 1) == Region(0, 0, 1, 1)
    assert parse_region(" 1, 2,3,4 ", 6, 4) == Region(1, 2, 3, 4)


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "-1,0,2,2", "0,0,0,5", "1,0,4,6", "0,1,4,6", "0,0,4,1e9", "0,0,4,²"]
)
def test_regions_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="region"):
        parse_region(text, 6, 4)
