"""networks/waifu2x.py: the sizes and counts of the original, and its real weights."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.networks.building import (
    export,
    in_rgb,
    run_in_tiles,
    with_random_weights,
)
from torch import nn

from kakudai.image.files import read_image
from kakudai.image.resize import resize
from kakudai.networks.waifu2x import Waifu2x

KINDS = [("vgg_7", 1), ("vgg_7", 2), ("upconv_7", 2), ("upconv_7l", 2), ("cunet", 1), ("upcunet", 2)]


def make(variant: str, scale: int = 2, **arguments: object) -> Waifu2x:
    torch.manual_seed(0)
    return Waifu2x(variant=variant, scale=scale, **arguments).eval()


@pytest.mark.parametrize(("variant", "scale"), KINDS)
def test_any_size_that_divides_comes_out_enlarged(variant: str, scale: int) -> None:
    network = make(variant, scale)
    assert network.multiple == (4 if "cunet" in variant else 1)
    for height, width in ((1, 1), (1, 2), (3, 5)):
        x = torch.rand(2, 3, height * network.multiple, width * network.multiple)
        with torch.inference_mode():
            assert network(x).shape == (2, 3, scale * x.shape[2], scale * x.shape[3])


@pytest.mark.parametrize(
    ("variant", "scale", "offset", "margin"),
    [("vgg_7", 1, 7, 7), ("upconv_7", 2, 14, 7), ("upconv_7l", 2, 14, 7), ("cunet", 1, 28, 28), ("upcunet", 2, 36, 18)],
)
def test_valid_loses_what_the_original_loses(variant: str, scale: int, offset: int, margin: int) -> None:
    network = make(variant, scale)
    assert network.margin == margin
    x = torch.rand(1, 3, 80, 84)
    with torch.inference_mode():
        y = network.valid(x)
        inner = network(x[..., 20:-20, 20:-20])
    assert y.shape == (1, 3, scale * 80 - 2 * offset, scale * 84 - 2 * offset)
    assert inner.shape[2:] == (scale * 40, scale * 44)


@pytest.mark.parametrize("variant", ["vgg_7", "upconv_7"])
def test_padding_changes_nothing_away_from_the_border(variant: str) -> None:
    """`forward` of a picture, seen without its border, is `valid` of the picture."""
    network = with_random_weights(make(variant, 1 if variant == "vgg_7" else 2))
    scale, margin = network.scale, network.margin
    x = torch.rand(1, 3, 24, 20)
    with torch.inference_mode():
        inside = network(x)[..., scale * margin : -scale * margin, scale * margin : -scale * margin]
        torch.testing.assert_close(inside, network.valid(x), atol=1e-5, rtol=1e-5)


def test_the_picture_goes_on_by_its_edge_pixels() -> None:
    network = with_random_weights(make("upconv_7"))
    x = torch.rand(1, 3, 6, 5)
    padded = torch.from_numpy(np.pad(x.numpy(), ((0, 0), (0, 0), (7, 7), (7, 7)), mode="edge"))
    with torch.inference_mode():
        assert torch.equal(network(x), network.valid(padded))


def test_vgg_7_begins_with_pixels_repeated() -> None:
    twice, once = with_random_weights(make("vgg_7", 2)), with_random_weights(make("vgg_7", 1))
    x = torch.rand(1, 3, 6, 5)
    with torch.inference_mode():
        assert torch.equal(twice(x), once(nn.functional.interpolate(x, scale_factor=2)))
    assert twice.enlarges == "nearest"
    assert not hasattr(once, "enlarges")
    assert not hasattr(make("upconv_7"), "enlarges")


@pytest.mark.parametrize(("variant", "margin"), [("vgg_7", 4), ("upconv_7", 7), ("upconv_7l", 7)])
def test_tiles_leave_no_trace(variant: str, margin: int) -> None:
    network = with_random_weights(make(variant))
    assert network.halo == margin
    image = np.random.default_rng(0).random((15, 11, 3), np.float32)
    whole = run_in_tiles(network, image, 32)
    np.testing.assert_allclose(run_in_tiles(network, image, 8), whole, atol=1e-5 * max(1, whole.std()))


@pytest.mark.parametrize(("variant", "scale", "channels"), [("upconv_7", 2, 3), ("cunet", 1, 3), ("upcunet", 2, 1)])
def test_the_onnx_file_is_the_same_network(variant: str, scale: int, channels: int, tmp_path: Path) -> None:
    network = make(variant, scale, in_channels=channels)
    session = export(network, channels, tmp_path)
    x = torch.rand(1, 3, 12, 20)
    with torch.inference_mode():
        expected = in_rgb(network, channels)(x).numpy()
    np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], expected, atol=1e-5)


def test_the_comparisons_own_widths_can_be_built() -> None:
    network = make("vgg_7", filters="32-32-64-64-128-128", in_channels=1, out_channels=3)
    counts = [sum(parameter.numel() for parameter in layer.parameters()) for layer in network.layers()]
    assert counts == [320, 9_248, 18_496, 36_928, 73_856, 147_584, 3_459]
    with torch.inference_mode():
        assert network(torch.rand(1, 1, 5, 6)).shape == (1, 3, 10, 12)
    short = make("vgg_7", filters="8-8")
    assert (short.margin, short.halo) == (3, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "vgg_8"}, "no variant 'vgg_8'; it has vgg_7, upconv_7"),
        ({"variant": "cunet"}, "cunet cannot enlarge 2 times; it can 1"),
        ({"variant": "upconv_7", "scale": 1}, "cannot enlarge 1 times; it can 2"),
        ({"variant": "cunet", "scale": 1, "filters": "3-4"}, "widths of cunet are fixed"),
        ({"variant": "vgg_7", "filters": "32,32"}, "filters is '32,32'; accepted are numbers with hyphens"),
        ({"variant": "vgg_7", "filters": "32-0"}, "filters is '32-0'"),
    ],
)
def test_what_cannot_be_built_is_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Waifu2x(**arguments)


def test_first_weights_are_the_originals() -> None:
    for layer in make("upconv_7l").layers():
        fans = layer.weight[0, 0].numel() * (layer.in_channels + layer.out_channels)
        assert layer.weight.std().item() == pytest.approx(math.sqrt(4 / (1.01 * fans)), rel=0.1)
        assert abs(layer.weight.mean().item()) < 0.01
        assert layer.bias is None or not layer.bias.any()


def test_cunet_is_two_u_nets_written_out() -> None:
    """Section 4.4 of the description, layer by layer, against the nested modules."""
    network = with_random_weights(make("upcunet"))
    layers = iter(network.layers())

    def plain(x: torch.Tensor) -> torch.Tensor:
        return next(layers)(x)

    def act(x: torch.Tensor) -> torch.Tensor:
        return nn.functional.leaky_relu(plain(x), 0.1)

    def excited(x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(plain(torch.relu(plain(x.mean(dim=(2, 3), keepdim=True)))))

    def crop(x: torch.Tensor, n: int) -> torch.Tensor:
        return x[:, :, n : x.shape[2] - n, n : x.shape[3] - n]

    x = torch.rand(1, 3, 44, 48)
    with torch.inference_mode():
        a = act(act(x))
        z = act(excited(act(act(act(a))))) + crop(a, 4)
        z = plain(act(z))
        a = act(act(z))
        b = excited(act(act(act(a))))
        c = act(excited(act(act(act(b))))) + crop(b, 4)
        y = act(excited(act(act(c)))) + crop(a, 16)
        y = plain(act(y)) + crop(z, 20)
        torch.testing.assert_close(network.valid(x), y)
    assert next(layers, None) is None


@pytest.mark.real
def test_the_original_weights_enlarge_a_photograph(shared: Path) -> None:
    """The JSON file lists layers in the order of `layers()`, and they sharpen far beyond bicubic."""
    network = make("vgg_7")
    file = shared / "models/waifu2x-json/vgg_7-ukbench-scale2.0x_model.json"
    for layer, stored in zip(network.layers(), json.loads(file.read_text()), strict=True):
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(stored["weight"]))
            layer.bias.copy_(torch.tensor(stored["bias"]))
    gain = _gain_over_bicubic(network, shared)
    assert gain > 3.5


@pytest.mark.real
@pytest.mark.parametrize(
    ("variant", "stem"),
    [
        ("upconv_7", "models-upconv_7_photo-scale2.0x_model"),
        ("upconv_7", "models-upconv_7_anime_style_art_rgb-scale2.0x_model"),
        ("upcunet", "models-cunet-scale2.0x_model"),
    ],
)
def test_ncnns_weights_enlarge_a_photograph(variant: str, stem: str, shared: Path) -> None:
    network = make(variant)
    _read_ncnn(network, (shared / f"models/waifu2x-ncnn/{stem}.bin").read_bytes())
    assert _gain_over_bicubic(network, shared) > 3


def _read_ncnn(network: Waifu2x, raw: bytes) -> None:
    """Fill a network from ncnn's weight file: for each layer a mark, weights in half precision or not, and biases."""
    position = 0

    def take(count: int, kind: type) -> torch.Tensor:
        nonlocal position
        values = np.frombuffer(raw, kind, count, position)
        position += -(-values.nbytes // 4) * 4
        return torch.from_numpy(values.astype(np.float32))

    for layer in network.layers():
        half = raw[position : position + 4] == bytes.fromhex("476b3001")
        position += 4
        weight = take(layer.weight.numel(), np.float16 if half else np.float32)
        swapped = isinstance(layer, nn.ConvTranspose2d)  # (out, in, y, x) for both kinds in the file
        shape = (layer.out_channels, layer.in_channels, *layer.kernel_size)
        with torch.no_grad():
            layer.weight.copy_(weight.view(shape).transpose(0, 1) if swapped else weight.view(shape))
            bias = take(layer.out_channels, np.float32)
            if layer.bias is None:
                assert not bias.any()
            else:
                layer.bias.copy_(bias)
    assert position == len(raw)


def _gain_over_bicubic(network: Waifu2x, shared: Path) -> float:
    """Return how many decibels nearer to a crop of Set5's butterfly the network comes than bicubic does."""
    image = read_image(shared / "data/test/Set5/img_003.png").color[64:192, 64:192].astype(np.float32) / 255
    low = resize(image, (64, 64)).clip(0, 1)
    with torch.inference_mode():
        output = network(torch.from_numpy(low.transpose(2, 0, 1)[None]))[0].numpy().transpose(1, 2, 0).clip(0, 1)
    middle = slice(8, -8)
    errors = [np.mean((enlarged - image)[middle, middle] ** 2) for enlarged in (resize(low, (128, 128)), output)]
    return float(10 * np.log10(errors[0] / errors[1]))
