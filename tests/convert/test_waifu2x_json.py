"""convert/waifu2x_json.py: the real file against a plain numpy convolution, every network, every bad file."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.convert.native import run_onnx
from torch import nn

from kakudai.convert.card import finish
from kakudai.convert.waifu2x_json import convert_json
from kakudai.errors import ModelInvalid
from kakudai.networks.waifu2x import Waifu2x
from kakudai.train.color import LumaInRGB

REAL = "models/waifu2x-json/vgg_7-ukbench-scale2.0x_model.json"


def convolved(x: np.ndarray, layer: dict[str, Any]) -> np.ndarray:
    """Convolve without padding, (C, H, W), in double precision."""
    weight = np.array(layer["weight"], np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(1, 2))
    return np.einsum("chwyx,ocyx->ohw", windows, weight) + np.array(layer["bias"])[:, None, None]


@pytest.mark.real
def test_the_real_file_is_what_numpy_says(shared: Path) -> None:
    content = (shared / REAL).read_bytes()
    start = time.process_time()
    converted = convert_json(content, Path(REAL).stem)
    data = finish(converted)
    assert time.process_time() - start < 2
    card = converted.card
    assert (card["scale"], card["halo"], card["parameters"], card["enlarges"]) == ("2", "4", "290467", "nearest")
    x = np.random.default_rng(0).random((3, 12, 15), np.float32)
    y = np.pad(x.repeat(2, axis=1).repeat(2, axis=2).astype(np.float64), ((0, 0), (7, 7), (7, 7)), mode="edge")
    layers = json.loads(content)
    for number, layer in enumerate(layers):
        y = convolved(y, layer)
        if number < len(layers) - 1:
            y = np.where(y > 0, y, 0.1 * y)
    np.testing.assert_allclose(run_onnx(data, x), y, atol=1e-5)


def written(network: Waifu2x, config: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Write a network as waifu2x does."""
    layers = []
    for layer in network.layers():
        full = isinstance(layer, nn.ConvTranspose2d)
        bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias.detach()
        layers.append({
            "class_name": "nn.SpatialFullConvolution" if full else "nn.SpatialConvolutionMM",
            "kW": layer.kernel_size[1], "kH": layer.kernel_size[0], "dW": layer.stride[1], "dH": layer.stride[0],
            "padW": layer.padding[1], "padH": layer.padding[0], "nInputPlane": layer.in_channels,
            "nOutputPlane": layer.out_channels, "bias": bias.tolist(), "weight": layer.weight.detach().tolist(),
        })  # fmt: skip
    if config is not None:
        layers[0]["model_config"] = config
    return layers


def encoded(layers: Any) -> bytes:
    return json.dumps(layers).encode()


def network(variant: str, scale: int, channels: int, filters: str | None = None) -> Waifu2x:
    torch.manual_seed(0)
    made = Waifu2x(variant=variant, scale=scale, in_channels=channels, filters=filters).eval()
    for layer in made.layers():
        if layer.bias is not None:
            nn.init.normal_(layer.bias, std=0.1)
    return made


NARROW = "4-4-8-8-8-8"
NETWORKS = [
    ("vgg_7", 2, 3, NARROW, True), ("vgg_7", 2, 3, NARROW, False), ("vgg_7", 1, 3, NARROW, True),
    ("vgg_7", 2, 1, NARROW, False), ("upconv_7", 2, 3, NARROW, True), ("upconv_7", 2, 3, NARROW, False),
    ("upconv_7", 2, 1, None, False), ("upconv_7l", 2, 3, NARROW, True), ("upconv_7l", 2, 3, "17-4", False),
    ("cunet", 1, 3, None, False), ("upcunet", 2, 3, None, True), ("upcunet", 2, 1, None, False),
]  # fmt: skip
"""Variant, scale, channels, filters, and whether the file says what it is."""


@pytest.mark.parametrize(("variant", "scale", "channels", "filters", "told"), NETWORKS)
def test_every_network_with_and_without_its_name(
    variant: str, scale: int, channels: int, filters: str | None, told: bool
) -> None:
    torch.set_num_threads(1)
    original = network(variant, scale, channels, filters)
    config = {"arch_name": variant, "channels": channels} if told else None
    name = "noise2_model" if scale == 1 else "noise2_scale2.0x_model"
    converted = convert_json(encoded(written(original, config)), name)
    card = converted.card
    assert json.loads(card["arguments"])["variant"] == variant
    assert card["scale"] == str(scale)
    assert card["color"] == ("luma" if channels == 1 else "rgb")
    assert card["halo"] == ("none" if "cunet" in variant else str(original.halo))
    assert card["parameters"] == str(sum(parameter.numel() for parameter in original.parameters()))
    x = np.random.default_rng(0).random((3, 16, 20), np.float32)
    if channels == 1:  # chroma goes on otherwise outside the picture, and is not looked at here
        x = np.repeat(x[:1], 3, axis=0)
    with torch.inference_mode():
        expected = (LumaInRGB(original) if channels == 1 else original)(torch.from_numpy(x[None]))[0].numpy()
    np.testing.assert_allclose(run_onnx(finish(converted), x), expected, atol=1e-5)


def test_chroma_of_luma_networks_is_enlarged_by_lanczos() -> None:
    original = network("vgg_7", 2, 1, NARROW)
    x = np.random.default_rng(0).random((3, 16, 20), np.float32)
    y = run_onnx(finish(convert_json(encoded(written(original, None)), "scale2.0x_model")), x)
    with torch.inference_mode():
        expected = LumaInRGB(original)(torch.from_numpy(x[None]))[0].numpy()
    np.testing.assert_allclose(y[:, 6:-6, 6:-6], expected[:, 6:-6, 6:-6], atol=1e-5)


def test_the_oldest_files_have_few_keys() -> None:
    layers = written(network("vgg_7", 2, 3, NARROW), None)
    kept = [
        {key: layer[key] for key in ("kW", "kH", "nInputPlane", "nOutputPlane", "bias", "weight")} for layer in layers
    ]
    assert convert_json(encoded(kept), "scale2.0x_model").card["scale"] == "2"


def test_the_name_says_whether_vgg_7_enlarges() -> None:
    data = encoded(written(network("vgg_7", 2, 3, NARROW), None))
    assert convert_json(data, "noise1_model").card["scale"] == "1"
    assert "notes" not in convert_json(data, "scale2.0x_model").card
    unsure = convert_json(data, "model").card
    assert (unsure["scale"], "taken to enlarge" in unsure["notes"]) == ("2", True)
    layers = written(network("vgg_7", 2, 3, NARROW), {"kakudai_scale": 1})
    assert convert_json(encoded(layers), "model").card["scale"] == "1"


def test_se_layers_may_be_linear() -> None:
    layers = written(network("cunet", 1, 3), {"arch_name": "cunet"})
    for number in (5, 6):
        layers[number] |= {"class_name": "nn.Linear", "weight": np.array(layers[number]["weight"])[:, :, 0, 0].tolist()}
        del layers[number]["kW"], layers[number]["kH"]
    assert convert_json(encoded(layers), "noise0_model").card["parameters"] == "1283254"


def bad(data: bytes, match: str, name: str = "bad") -> None:
    with pytest.raises(ModelInvalid, match=match) as caught:
        convert_json(data, name)
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_what_is_no_json() -> None:
    bad(b"", "is not JSON, or is truncated")
    bad(b"\xff\xfe[", "is not JSON")
    bad(encoded(written(network("vgg_7", 1, 3, NARROW), None))[:5000], "is not JSON, or is truncated")
    bad(b"[" * 200_000, "is not JSON, or is truncated")
    bad(b'[{"weight": ' + b"9" * 5000 + b"}]", "is not JSON")
    bad(b'[{"weight": [NaN]}]', "it has NaN for a number")
    bad(b'[{"weight": [-Infinity]}]', "it has -Infinity for a number")


def test_what_is_no_network() -> None:
    bad(b"{}", "is not a list of layers")
    bad(b"[]", "is not a list of layers")
    bad(b"[1, 2, 3]", "is not a list of layers")
    bad(b'[{"a": 1}]', "its entries have no weights")
    bad(b'[{"weight": 1, "model_config": 3}]', "model_config is not an object")
    bad(encoded([{"weight": []}] * 101), "it has 101 layers")
    bad(b'[{"weight": []}]', "has 'None' for nInputPlane")


def test_layers_that_make_no_sense() -> None:
    def changed(number: int, **changes: Any) -> bytes:
        layers = written(network("upconv_7", 2, 3, NARROW), {"arch_name": "upconv_7"})
        layers[number] |= changes
        return encoded(layers)

    assert convert_json(changed(0), "good").card["scale"] == "2"
    bad(changed(0, weight=[1, 2]), r"layer 1: weight has the shape \(2,\) and should have \(4, 3, 3, 3\)")
    bad(changed(0, weight=[[1], [1, 2]]), "weight is not an array of numbers")
    bad(changed(0, weight="much"), "weight is not an array of numbers")
    bad(changed(2, bias=[0.0] * 7), r"layer 3: bias has the shape \(7,\)")
    bad(changed(2, bias=[1e300] * 8), "bias has numbers that are none")
    bad(changed(1, kW=-5), "has '-5' for kW")
    bad(changed(1, kW=True), "has 'True' for kW")
    bad(changed(1, kW=1e30), "for kW")
    bad(changed(1, class_name="nn.LSTM"), "is of the kind 'nn.LSTM'")
    bad(changed(1, class_name=7), "is of the kind '7'")
    bad(changed(1, padW=1, padH=1), "the strides 1 and 1, the paddings 1 and 1")
    bad(changed(1, dW=2), "the strides 2 and 1")
    bad(changed(0, kW=5, weight=np.zeros((4, 3, 3, 5)).tolist()), "a kernel of 5x3")
    bad(changed(1, dilationW=2), "the dilations")
    bad(changed(0, model_config={"arch_name": "resnet_14l"}), "not known here: 'resnet_14l'")
    bad(changed(0, model_config={"arch_name": "cunet"}), "calls itself cunet and has other layers")
    bad(changed(0, model_config={"arch_name": ["x"]}), "not known here")
    bad(changed(0, model_config={"kakudai_scale": 99}), "it enlarges 99 times")
    layers = written(network("upconv_7", 2, 3, NARROW), None)
    bad(encoded([*layers[:2], *layers[3:]]), "a layer takes other channels than the one before it gives")
    bad(encoded(layers[:-1]), "takes 3 channels and gives 8")
    bad(encoded(list(reversed(layers))), "are no network that is known")
    plain = encoded(written(network("vgg_7", 2, 3, NARROW), None))
    bad(plain, "enlarges 99 times", "scale99x_model")
