"""engine/toolbox.py: which networks a picture gets, by what was asked and by what it looks like."""

import io
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image
from tests.shipped_family import ship
from tests.small_models import DARKER

from kakudai.engine import machine, toolbox
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import RuntimeUnavailable, UsageError
from kakudai.image.files import read_image
from kakudai.image.picture import Picture
from kakudai.models import find_model


@pytest.fixture
def family(monkeypatch):
    """Ship networks of these names instead of the real ones."""
    return partial(ship, monkeypatch)


def jpeg(quality: int, image: np.ndarray) -> Picture:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return read_image(stream.getvalue())


def photograph(side: int = 128) -> np.ndarray:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    image = np.stack([x, 0.8 - 0.6 * y, 0.3 + 0.2 * np.sin(9 * x * y)], axis=2) + rng.normal(0, 0.01, (side, side, 3))
    return (255 * image.clip(0, 1)).astype(np.uint8)


EVERYTHING = ("photo-x2", "photo-x3", "photo-x4", "art-x2", "art-x4", "photo-restore-x1", "photo-restore-x2")


@pytest.mark.parametrize(
    ("scale", "denoise", "name", "passes", "denoising"),
    [
        (2, 0, "photo-x2", 1, "no"),
        (1.5, 0, "photo-x2", 1, "no"),
        (3, 0, "photo-x3", 1, "no"),
        (4, 0, "photo-x4", 1, "no"),
        (16, 0, "photo-x4", 2, "no"),
        (2, 40, "photo-restore-x2, strength 40", 1, "within"),
        (4, 40, "photo-restore-x1 + photo-x4, strength 40", 1, "before"),
        (1, 40, "photo-restore-x1, strength 40", 0, "before"),
    ],
)
def test_the_smallest_network_that_reaches_is_taken(family, scale, denoise, name, passes, denoising) -> None:
    family(*EVERYTHING)
    with Upscaler(scale, model="photo", denoise=denoise) as upscaler:
        result, report = upscaler.upscale_picture(Picture(np.full((20, 24, 3), 200, np.uint8)))
    assert (report.model, report.plan.passes, report.plan.denoising) == (name, passes, denoising)
    assert result.color.shape == (20 * scale, 24 * scale, 3)
    expected = 200 * (1 - DARKER * denoise / 100)
    assert abs(float(result.color.mean()) - expected) < 0.6


def test_a_jpeg_gets_the_strength_of_its_quality_and_is_told_why(family) -> None:
    family(*EVERYTHING)
    with Upscaler(2, model="photo") as upscaler:
        _, report = upscaler.upscale_picture(jpeg(40, photograph()))
        assert (report.strength, report.model) == (50, "photo-restore-x2, strength 50")
        assert report.reason == "JPEG quality 40, 4:2:0"
        _, clean = upscaler.upscale_picture(Picture(photograph()))
    assert (clean.strength, clean.model, clean.reason) == (0, "photo-x2", "clean")


def test_what_was_asked_is_done_whatever_the_picture_looks_like(family) -> None:
    family(*EVERYTHING)
    with Upscaler(2, model="photo", denoise=0) as upscaler:
        _, report = upscaler.upscale_picture(jpeg(20, photograph()))
    assert (report.strength, report.reason) == (0, "")


def test_drawings_and_photographs_get_different_networks(family) -> None:
    family(*EVERYTHING)
    drawing = np.full((128, 128, 3), 255, np.uint8)
    drawing[20:60, 30:90] = (200, 30, 30)
    drawing[70:110, 10:50] = (20, 60, 200)
    with Upscaler(2, denoise=0) as upscaler:
        _, drawn = upscaler.upscale_picture(Picture(drawing))
        _, photographed = upscaler.upscale_picture(Picture(photograph()))
    assert drawn.model == "art-x2"
    assert drawn.reason.startswith("drawn")
    assert photographed.model == "photo-x2"


def test_nobody_looks_where_there_is_nothing_to_choose(family, monkeypatch) -> None:
    family("photo-x2")
    monkeypatch.setattr(toolbox, "choose", None)
    with Upscaler(2) as upscaler:
        _, report = upscaler.upscale_picture(jpeg(20, photograph()))
    assert (report.model, report.reason) == ("photo-x2", "")


def test_a_strength_that_no_network_has_is_an_error_where_it_was_asked_for(family) -> None:
    family("photo-x2", "art-x2", "photo-restore-x2")
    with pytest.raises(UsageError, match="removes noise from art"):
        Upscaler(2, model="art", denoise=30)
    with Upscaler(2, model="art") as upscaler:
        _, report = upscaler.upscale_picture(jpeg(30, photograph()))
    assert (report.model, report.strength, report.reason) == ("art-x2", 0, "")


def test_a_strength_that_is_reported_was_applied(family) -> None:
    """Only one restoring network, which doubles: it is used for every size."""
    family("photo-x2", "photo-x3", "photo-x4", "photo-restore-x2")
    for scale, names in (
        (1, ("photo-restore-x2",)),
        (2, ("photo-restore-x2",)),
        (4, ("photo-restore-x2", "photo-x2")),
    ):
        with Upscaler(scale, model="photo") as upscaler:
            result, report = upscaler.upscale_picture(jpeg(40, photograph(64)))
        assert (report.networks, report.strength, report.plan.denoising) == (names, 50, "within")
        plain = jpeg(40, photograph(64)).color.mean()
        assert abs(float(result.color.mean()) - plain * (1 - DARKER / 2)) < 0.6


def test_styles_lack_scales_and_say_so(family) -> None:
    family("photo-x2", "art-x2", "art-x4")
    with Upscaler(3, model="art") as upscaler:
        assert upscaler.name == "art-x4"
        assert upscaler.notes == ("for art there is 2x and 4x and no 3x: its 4x is shrunk",)
    with Upscaler(4, model="photo") as upscaler:
        assert upscaler.name == "photo-x2"
        assert upscaler.notes == ("for photo there is 2x and no 4x: it is enlarged in several passes",)
    with Upscaler(1.5, model="art") as upscaler:
        assert upscaler.notes == ()


@pytest.mark.parametrize("denoise", [None, "high", True, 0.35, 35.0, 101, -1])
def test_a_strength_is_a_whole_number_to_100(denoise) -> None:
    with pytest.raises(UsageError, match=r"denoise is .*"):
        Upscaler(2, denoise=denoise)


def test_what_is_chosen_before_is_what_is_done(family) -> None:
    family(*EVERYTHING)
    picture = jpeg(40, photograph())
    with Upscaler(2) as upscaler:
        planned = upscaler.plan_picture(picture)
        result, report = upscaler.upscale_picture(picture, upscaler.choose(picture))
        again, _ = upscaler.upscale_picture(picture)
    assert (planned.plan, planned.model, planned.networks, planned.strength, planned.reason) == (
        report.plan, report.model, report.networks, report.strength, report.reason,
    )  # fmt: skip
    assert (result.color == again.color).all()


@pytest.fixture
def no_matrix_unit(monkeypatch) -> None:
    """A processor that has no bfloat16."""
    monkeypatch.setattr(machine, "has_matrix_unit", lambda: False)


@pytest.mark.usefixtures("no_matrix_unit")
@pytest.mark.parametrize(
    ("precision", "runtime", "name"),
    [
        ("auto", "onnxruntime", "photo-x2"),
        ("auto", "openvino", "photo-x2-int8"),
        ("float32", "openvino", "photo-x2"),
        ("int8", "onnxruntime", "photo-x2-int8"),
    ],
)
def test_networks_of_8_bit_numbers_are_taken_where_the_runtime_gains(
    family, monkeypatch, precision, runtime, name
) -> None:
    pytest.importorskip(runtime)
    family("photo-x2", "photo-x2-int8", "photo-x3")
    monkeypatch.setattr(machine, "adds_exactly", lambda: True)
    with Upscaler(2, model="photo", denoise=0, runtime=runtime, precision=precision) as upscaler:
        assert upscaler.name == name
    with Upscaler(3, model="photo", denoise=0, runtime=runtime, precision=precision) as upscaler:
        assert upscaler.name == "photo-x3", "there is no other"
        silent = () if precision != "int8" else ("there is no int8 network for photo-x3: it runs in float32",)
        assert upscaler.notes == silent
    with Upscaler(2, model="photo-x2", runtime=runtime, precision=precision) as upscaler:
        assert upscaler.name == ("photo-x2-int8" if precision == "int8" else "photo-x2"), "names are exact"


def test_restoring_networks_of_8_bit_numbers_are_told_the_strength(family) -> None:
    family("photo-x2", "photo-restore-x2", "photo-restore-x2-int8")
    with Upscaler(2, model="photo", denoise=40, precision="int8") as upscaler:
        result, report = upscaler.upscale_picture(Picture(np.full((20, 24, 3), 200, np.uint8)))
    assert report.model == "photo-restore-x2-int8, strength 40"
    assert np.abs(result.color - 200 * (1 - DARKER * 0.4)).max() <= 1


def test_a_model_that_has_no_8_bit_numbers_cannot_be_asked_for_them(family) -> None:
    family("photo-x2")
    with pytest.raises(UsageError, match="there is no int8 network for photo-x2"):
        Upscaler(2, model="photo-x2", precision="int8")
    with pytest.raises(UsageError, match="no precision is called 'int4'"):
        Upscaler(2, precision="int4")  # type: ignore[arg-type]


def test_processors_that_compute_wrongly_with_8_bit_numbers_do_not(family, monkeypatch, tmp_path) -> None:
    family("photo-x2", "photo-x2-int8")
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(machine, "PROCESSOR", tmp_path / "cpuinfo")
    assert not machine.adds_exactly()
    (tmp_path / "cpuinfo").write_text("flags\t\t: fpu avx2\n")
    assert machine.Machine(runtime="openvino").numbers == "float32"
    with pytest.raises(RuntimeUnavailable, match="does not compute exactly with int8"):
        Upscaler(2, precision="int8")
    (tmp_path / "cpuinfo").write_text("flags\t\t: fpu avx2 avx_vnni\n")
    assert machine.Machine(runtime="openvino").numbers == "int8"
    monkeypatch.setattr(machine.platform, "machine", lambda: "aarch64")
    (tmp_path / "cpuinfo").write_text("")
    assert machine.Machine(runtime="openvino").numbers == "int8"


def test_bfloat16_is_taken_where_there_is_a_matrix_unit(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(machine, "PROCESSOR", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("flags\t\t: fpu avx512_vnni amx_bf16\n")
    photo, foreign = find_model("photo-x2"), replace(find_model("photo-x2"), name="theirs")
    usual = machine.Machine("openvino")
    assert (usual.numbers, usual.numbers_of(photo)) == ("bfloat16", "bfloat16")
    assert usual.numbers_of(foreign) == "float32", "what nobody has measured"
    assert machine.Machine("openvino", precision="bfloat16").numbers_of(foreign) == "bfloat16", "unless it is asked for"
    assert usual.exact.numbers == machine.Machine("onnxruntime").numbers == "float32"
    with pytest.raises(RuntimeUnavailable, match="bfloat16 needs a GPU, or OpenVINO and"):
        machine.Machine("onnxruntime", precision="bfloat16")
    (tmp_path / "cpuinfo").write_text("flags\t\t: fpu avx512_vnni\n")
    monkeypatch.setattr(machine, "ships_int8", lambda: False)
    assert machine.Machine("openvino").numbers == "float32", "nothing is there to be taken"
    with pytest.raises(RuntimeUnavailable, match="processor with a matrix unit"):
        Upscaler(2, runtime="openvino", precision="bfloat16")


@pytest.mark.skipif(not machine.has_matrix_unit(), reason="this processor has no unit for bfloat16")
@pytest.mark.parametrize("model", ["photo-x2", "auto"])
def test_bfloat16_gives_nearly_the_same_and_deep_pictures_exactly_the_same(model) -> None:
    pytest.importorskip("openvino")
    image = photograph(170)
    with (
        Upscaler(2, model=model, denoise=0, runtime="openvino", precision="float32") as exact,
        Upscaler(2, model=model, denoise=0, runtime="openvino", tile=64) as tiled,
        Upscaler(2, model=model, denoise=0, runtime="openvino", tile=0, threads=1) as whole,
    ):
        expected, result = exact.upscale(image), tiled.upscale(image)
        np.testing.assert_array_equal(result, whole.upscale(image), err_msg="tiles and threads change nothing")
        assert (result != expected).any()
        assert np.sqrt(np.square(result.astype(float) - expected).mean()) < 0.75
        deep = image.astype(np.uint16) * 257
        np.testing.assert_array_equal(tiled.upscale(deep), exact.upscale(deep))
        for upscaler, precision in ((exact, "float32"), (tiled, "bfloat16")):
            assert upscaler.upscale_picture(Picture(image))[1].precision == precision
        assert tiled.upscale_picture(Picture(deep))[1].precision == "float32"
