"""convert/ncnn_file.py: what the package ncnn computes is what our ONNX file computes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.convert.native import FLOAT32, NcnnModel, halves, random, raw, run_native, run_onnx

from kakudai.convert.card import finish
from kakudai.convert.ncnn_file import convert_ncnn
from kakudai.errors import ModelInvalid

REAL = [
    "waifu2x-ncnn/models-cunet-scale2.0x_model",
    "waifu2x-ncnn/models-upconv_7_anime_style_art_rgb-noise1_scale2.0x_model",
    "waifu2x-ncnn/models-upconv_7_anime_style_art_rgb-scale2.0x_model",
    "waifu2x-ncnn/models-upconv_7_photo-noise0_scale2.0x_model",
    "waifu2x-ncnn/models-upconv_7_photo-noise1_scale2.0x_model",
    "waifu2x-ncnn/models-upconv_7_photo-noise3_scale2.0x_model",
    "waifu2x-ncnn/models-upconv_7_photo-scale2.0x_model",
    "realesr-ncnn/realesr-animevideov3-x2",
]


def compare(model: NcnnModel, *, height: int = 20, width: int = 24, name: str = "test") -> dict[str, str]:
    """Convert, run both, compare; return the card."""
    return compare_files(
        model.param, model.weights, np.random.default_rng(0).random((3, height, width), np.float32), name
    )


def compare_files(param: str, weights: bytes, x: np.ndarray, name: str) -> dict[str, str]:
    converted = convert_ncnn(param, weights, name)
    y = run_onnx(finish(converted), x)
    pad, scale = int(converted.card["native_pad"]), int(converted.card["scale"])
    native = run_native(param, weights, np.pad(x, ((0, 0), (pad, pad), (pad, pad)), mode="edge"))
    top, left = ((native.shape[axis] - scale * x.shape[axis]) // 2 for axis in (1, 2))
    native = native[:, top : native.shape[1] - top, left : native.shape[2] - left]
    assert y.shape == native.shape == (3, scale * x.shape[1], scale * x.shape[2])
    assert float(np.abs(native).max()) > 0.01
    np.testing.assert_allclose(y, native, atol=1e-4 * max(1.0, float(np.abs(native).max())))
    return converted.card


@pytest.mark.real
@pytest.mark.parametrize("file", REAL)
def test_real_files_give_what_ncnn_gives(shared: Path, file: str) -> None:
    path = shared / "models" / file
    param, weights = path.with_name(f"{path.name}.param"), path.with_name(f"{path.name}.bin")
    x = np.random.default_rng(1).random((3, 20, 32), np.float32)
    card = compare_files(param.read_text(), weights.read_bytes(), x, path.name)
    assert card["scale"] == "2"
    assert (card["halo"], card["native_pad"]) == {"c": ("none", "18"), "u": ("7", "7"), "i": ("19", "0")}[
        path.name.removeprefix("models-").replace("realesr", "i")[0]
    ]
    assert card["network"] == ("unknown" if "realesr" in file else "waifu2x")


def small() -> NcnnModel:
    """The beginning of a network: eight channels of the size of the picture."""
    model = NcnnModel()
    model.convolution(8, 3, 3, "4=1 9=2 -23310=1,2.000000e-01")
    return model


@pytest.mark.parametrize(
    "activation",
    ["9=0", "9=1", "9=2 -23310=1,0.1", "9=3 -23310=2,-0.2,0.3", "9=4", "9=5", "9=6 -23310=2,0.2,0.5"],
)
def test_activations_of_convolutions(activation: str) -> None:
    model = small()
    model.convolution(3, 8, 3, f"4=1 {activation}")
    compare(model)


@pytest.mark.parametrize(
    ("side", "settings"),
    [
        (3, "4=0 15=2 14=1 16=1"),  # left, right, top, bottom
        (3, "4=2 2=2"),  # dilation
        (4, "4=-233"),
        (4, "4=-234"),
        (2, "4=-233 2=3"),
        (3, "4=1 18=0.5"),  # padding that is not black
        (5, "4=2 11=5"),
    ],
)
def test_kernels_and_paddings(side: int, settings: str) -> None:
    model = small()
    model.convolution(3, 8, side, settings)
    compare(model)


def test_kernels_that_are_wider_than_high() -> None:
    model = small()
    weight = random(3, 8, 1, 5, size=0.2)
    model.layer("Convolution", f"0=3 1=5 11=1 4=2 14=0 6={weight.size}", FLOAT32 + raw(weight))
    compare(model)


@pytest.mark.parametrize("groups", [2, 8])
def test_convolutions_in_groups(groups: int) -> None:
    model = small()
    weight = random(8, 8 // groups, 3, 3, size=0.2)
    model.layer("ConvolutionDepthWise", f"0=8 1=3 4=1 5=1 6={weight.size} 7={groups}", FLOAT32 + raw(weight, random(8)))
    model.convolution(3, 8, 1)
    compare(model)


@pytest.mark.parametrize("settings", ["1=4 3=2 4=1", "1=4 3=2 4=3", "1=3 3=2 4=1 18=1", "1=6 3=3 4=2 15=1 16=1"])
def test_transposed_convolutions(settings: str) -> None:
    side = int(settings[2])
    model = small()
    weight = random(3, 8, side, side, size=0.2)
    model.layer(
        "Deconvolution", f"0=3 {settings} 5=1 6={weight.size} 9=2 -23310=1,0.1", FLOAT32 + raw(weight, random(3))
    )
    assert compare(model)["scale"] == settings.split("3=")[1][0]


def test_transposed_convolutions_in_groups() -> None:
    model = small()
    weight = random(8, 4, 4, 4, size=0.2)
    model.layer("DeconvolutionDepthWise", f"0=8 1=4 3=2 4=1 6={weight.size} 7=2", FLOAT32 + raw(weight))
    model.convolution(3, 8, 1)
    assert compare(model)["scale"] == "2"


def test_weights_in_16_bits_and_by_table() -> None:
    model = small()
    weight, bias = random(9, 8, 1, 1, size=0.3), random(9)
    model.layer("Convolution", f"0=9 1=1 5=1 6={weight.size}", halves(weight) + raw(bias))
    table, index = random(256, size=0.2), np.random.default_rng(0).integers(0, 256, 3 * 9, np.uint8)
    model.layer("Convolution", "0=3 1=1 6=27", b"\x01\x02\x03\x04" + raw(table) + index.tobytes() + b"\0")
    model.layer("Convolution", "0=3 1=1 6=9", b"\x56\xc0\x02\x00" + raw(random(3, 3)))
    compare(model)


def squeezed(model: NcnnModel, scale: str = "Scale") -> None:
    """Weigh eight channels by what their means say."""
    one, two = model.split()
    model.layer("Pooling", "0=1 4=1", inputs=(one,))
    model.layer("InnerProduct", "0=2 1=1 2=16 9=1", FLOAT32 + raw(random(2, 8), random(2)))
    flat = model.layer("InnerProduct", "0=8 1=1 2=16 9=4", FLOAT32 + raw(random(8, 2), random(8)))
    model.layer(scale, "0=-233" if scale == "Scale" else "0=2", inputs=(two, flat))


@pytest.mark.parametrize("scale", ["Scale", "BinaryOp"])
def test_squeeze_and_excitation_sees_the_whole_picture(scale: str) -> None:
    model = small()
    squeezed(model, scale)
    model.convolution(3, 8, 1)
    assert compare(model)["halo"] == "none"


BETWEEN: dict[str, tuple[str, Callable[[], bytes]]] = {
    "ReLU": ("", bytes),
    "ReLU leaky": ("0=0.3", bytes),
    "PReLU": ("0=8", lambda: raw(random(8))),
    "PReLU one": ("0=1", lambda: raw(random(1))),
    "Sigmoid": ("", bytes),
    "TanH": ("", bytes),
    "Clip": ("0=-0.1 1=0.4", bytes),
    "Scale": ("0=8 1=1", lambda: raw(random(8), random(8))),
    "BatchNorm": ("0=8 1=0.001", lambda: raw(random(8), random(8), np.abs(random(8)) + 0.1, random(8))),
    "Dropout": ("", bytes),
    "Noop": ("", bytes),
    "Pooling average": ("0=1 1=3 2=1 3=1", bytes),
    "Pooling average counting": ("0=1 1=3 2=1 3=1 5=1 6=1", bytes),
    "Pooling max": ("0=0 1=3 2=1 3=1 5=1", bytes),
    **{f"BinaryOp {kind}": (f"0={kind} 1=1 2=1.7", bytes) for kind in (0, 1, 2, 3, 4, 5, 7)},
}


@pytest.mark.parametrize("kind", BETWEEN)
def test_layers_that_keep_the_size(kind: str) -> None:
    settings, weights = BETWEEN[kind]
    model = small()
    model.layer(kind.split(maxsplit=1)[0], settings, weights())
    model.convolution(3, 8, 1)
    compare(model)


@pytest.mark.parametrize("settings", ["0=0 1=2 2=2 3=0 4=0 5=0.5", "0=1 1=1 2=2 3=0 4=1", "0=1 1=1 2=1 3=1 4=2"])
def test_padding(settings: str) -> None:
    model = small()
    model.layer("Padding", settings)
    model.convolution(3, 8, 3)
    compare(model)


@pytest.mark.parametrize("kind", [1, 2, 3])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_interpolation(kind: int, factor: int) -> None:
    model = small()
    model.layer("Interp", f"0={kind} 1={factor:.6e} 2={factor:.6e}")
    model.convolution(3, 8, 3, "4=1")
    assert compare(model)["scale"] == str(factor)


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_half_the_size_and_back(kind: int) -> None:
    model = small()
    model.layer("Interp", f"0={kind} 1=0.5 2=0.5")
    model.layer("Interp", "0=1 1=2.0 2=2.0")
    model.convolution(3, 8, 1)
    assert compare(model)["multiple"] == "2"


@pytest.mark.parametrize("mode", [0, 1])
def test_channels_to_pixels_and_back(mode: int) -> None:
    model = small()
    model.layer("Reorg", f"0=2 1={mode}")
    model.convolution(12, 32, 3, "4=1")
    model.layer("PixelShuffle", f"0=2 1={mode}")
    assert compare(model)["multiple"] == "2"


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("Eltwise", "0=0"), ("Eltwise", "0=1"), ("Eltwise", "0=2"), ("Eltwise", "0=1 -23301=2,0.5,-2.0"),
        *(("BinaryOp", f"0={kind}") for kind in (0, 1, 2, 4, 5, 7)), ("Concat", "0=0"),
    ],
)  # fmt: skip
def test_two_branches(kind: str, settings: str) -> None:
    model = small()
    one, two = model.split()
    left = model.convolution(8, 8, 3, "4=1", inputs=(one,))
    model.layer(kind, settings, inputs=(left, two))
    model.convolution(3, 16 if kind == "Concat" else 8, 1)
    compare(model)


def test_one_channel_goes_with_many() -> None:
    model = small()
    one, two = model.split()
    luma = model.convolution(1, 8, 1, inputs=(one,))
    model.layer("BinaryOp", "0=1", inputs=(two, luma))
    model.convolution(3, 8, 1)
    compare(model)


@pytest.mark.parametrize("settings", ["0=2 1=2", "0=1 1=3"])
def test_crops_to_another_size(settings: str) -> None:
    model = small()
    one, two = model.split()
    inner = model.convolution(8, 8, 5, inputs=(one,))
    copies = model.split()
    assert copies[0].startswith(inner)
    cut = model.layer("Crop", settings, inputs=(two, copies[1]))
    model.layer("Eltwise", "0=1", inputs=(cut, copies[0]))
    model.convolution(3, 8, 1)
    assert compare(model)["native_pad"] == "2"


def test_crops_by_margins() -> None:
    model = small()
    model.layer("Crop", "0=1 1=2 2=2 3=-233 4=-233 5=-233 6=3 7=2 8=1")
    model.convolution(3, 5, 1)
    assert compare(model)["native_pad"] == "2"


def test_sizes_that_do_not_divide_are_found() -> None:
    model = small()
    model.convolution(8, 8, 2, "3=2")
    model.convolution(8, 8, 2, "3=2")
    weight = random(3, 8, 4, 4, size=0.2)
    model.layer("Deconvolution", f"0=3 1=4 3=4 5=0 6={weight.size}", FLOAT32 + raw(weight))
    assert compare(model)["multiple"] == "4"


def test_luma_networks_get_chroma_beside_them() -> None:
    model = NcnnModel(header="Input in 0 1 data")
    weight = random(4, 1, 3, 3, size=0.2)
    model.layer("Convolution", "0=4 1=3 4=1 6=36", FLOAT32 + raw(weight))
    model.layer("PixelShuffle", "0=2")
    converted = convert_ncnn(model.param, model.weights, "test")
    assert (converted.card["color"], converted.card["halo"], converted.card["native_pad"]) == ("luma", "3", "none")
    x = np.random.default_rng(0).random((3, 12, 14), np.float32)
    grey = np.repeat(x[:1], 3, axis=0)
    data = finish(converted)
    y = run_onnx(data, grey)
    np.testing.assert_allclose(y[0], run_native(model.param, model.weights, grey[:1])[0], atol=1e-5)
    np.testing.assert_allclose(y[0], y[2], atol=1e-6)
    colored = run_onnx(data, x)
    assert float(np.abs(colored[0] - colored[1]).mean()) > 0.1


def test_vgg_7_under_its_old_name_gets_an_enlarged_picture() -> None:
    model = NcnnModel()
    model.convolution(3, 3, 3)
    assert convert_ncnn(model.param, model.weights, "noise1_model").card["scale"] == "1"
    card = convert_ncnn(model.param, model.weights, "scale2.0x_model").card
    assert (card["scale"], card["enlarges"], card["halo"]) == ("2", "nearest", "1")
    with pytest.raises(ModelInvalid, match="it enlarges 99 times, accepted are 1 to 16"):
        convert_ncnn(model.param, model.weights, "scale99x_model")


def wrong(lines: Callable[[NcnnModel], object], match: str) -> None:
    model = small()
    lines(model)
    with pytest.raises(ModelInvalid, match=match) as caught:
        convert_ncnn(model.param, model.weights, "bad")
    assert caught.value.hint


def test_what_makes_no_sense_is_said() -> None:
    wrong(lambda m: m.convolution(3, 4, 3), "has 108 weights; for 8 channels it needs 216")
    wrong(lambda m: m.convolution(5, 8, 3), "it gives 5 channels")
    wrong(lambda m: m.convolution(3, 8, 3, "3=2"), "not a network that enlarges pictures: a picture of 256 pixels")
    wrong(lambda m: m.convolution(3, 8, 3, "9=7"), "the activation 7 with 0 numbers")
    wrong(lambda m: m.convolution(3, 8, 3, "9=2"), "the activation 2 with 0 numbers")
    wrong(lambda m: m.convolution(3, 8, 3, "4=-5"), "a padding of -5")
    wrong(lambda m: m.convolution(3, 8, 2, "3=2 4=-233"), "padding that depends on the size")
    wrong(lambda m: m.convolution(3, 8, 3, "2=0"), "has 2=0, which makes no sense")
    wrong(lambda m: m.layer("PixelShuffle", "0=3"), "8 channels, which do not divide by 9")
    wrong(lambda m: m.layer("PReLU", "0=5", raw(random(5))), "5 numbers for 8 channels")
    wrong(lambda m: m.layer("Interp", "0=1 3=100 4=100"), "an output of fixed size")
    wrong(lambda m: m.layer("Interp", "0=1 1=1e9 2=1e9"), "the factors 1e.09")
    wrong(lambda m: m.layer("Crop", "0=4 1=4 3=50 4=50"), "an output of fixed size")
    wrong(lambda m: m.layer("InnerProduct", "0=3 2=24", FLOAT32 + raw(random(24))), "works for one size only")
    wrong(lambda m: m.layer("BinaryOp", "0=6"), "the operation 6 on 1 inputs")
    wrong(lambda m: m.layer("Concat", "0=1"), "the axis 1")
    wrong(lambda m: m.split(), "does not take one picture and give one")
    wrong(lambda m: m.layer("Pooling", "0=0 1=3 2=2 3=1"), "windows that do not end with the picture")
    wrong(lambda m: m.layer("Pooling", "0=1 4=1"), "not a network that enlarges|does not take and give|it gives 8")


def test_files_that_grow_without_end_are_refused_at_once() -> None:
    bomb = small()
    for _ in range(8):
        bomb.layer("Interp", "0=1 1=16.0 2=16.0")
    bomb.convolution(3, 8, 1)
    with pytest.raises(ModelInvalid, match="with a side of 16777216 pixels inside"):
        convert_ncnn(bomb.param, bomb.weights, "bomb")
    large = small()
    large.layer("Interp", "0=1 1=16.0 2=16.0")
    large.layer("Interp", "0=1 1=2.0 2=2.0")
    large.convolution(3, 8, 1)
    with pytest.raises(ModelInvalid, match="it enlarges 32 times, accepted are 1 to 16"):
        convert_ncnn(large.param, large.weights, "large")
    many = small()
    for _ in range(120):
        one, two = many.split()
        many.layer("Crop", "0=0 1=0", inputs=(one, two))
    many.convolution(3, 8, 1)
    with pytest.raises(ModelInvalid, match="has more than 100 crops"):
        convert_ncnn(many.param, many.weights, "many")


def test_the_conversion_of_a_real_file_is_quick(shared: Path) -> None:
    import time

    path = shared / "models/waifu2x-ncnn/models-cunet-scale2.0x_model.param"
    param, weights = path.read_text(), path.with_suffix(".bin").read_bytes()
    start = time.process_time()
    finish(convert_ncnn(param, weights, path.stem))
    assert time.process_time() - start < 10
    assert convert_ncnn(param, weights, "x").card["parameters"] == "1284598"
