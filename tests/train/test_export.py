"""The exported file is the trained network, with its card."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from kakudai.convert.torch_export import merged_for_use
from kakudai.errors import RecipeError
from kakudai.image.resize import resize
from kakudai.models import find_model
from kakudai.networks import find_network
from kakudai.networks.ecbsr import ECBSR
from kakudai.train.build import build_network, check_network
from kakudai.train.color import LumaInRGB
from kakudai.train.count import multiply_adds_per_output_pixel
from kakudai.train.export import (
    Provenance,
    averaged_network,
    export_onnx,
)
from kakudai.train.loop import train
from kakudai.train.recipe import Recipe, read_recipe

PROVENANCE = Provenance("recipes/tiny.toml", "three pictures", "CC0-1.0", "abc", {})


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_chroma_inside_the_graph_is_the_lanczos_of_image_resize(scale: int) -> None:
    """With a network that returns zero, what is left is the enlarged chroma."""
    network = ECBSR(scale=scale, branches=False).eval()
    image = np.random.default_rng(0).random((20, 24, 3), np.float32)
    luma = image @ np.array([0.299, 0.587, 0.114], np.float32)
    expected = resize(image - luma[..., None], (20 * scale, 24 * scale), kernel="lanczos3")
    x = torch.from_numpy(image.transpose(2, 0, 1)[None])
    with torch.inference_mode():
        chroma = LumaInRGB(network)(x) - network(torch.from_numpy(luma[None, None]))
    edge = 3 * scale
    ours = chroma[0].numpy().transpose(1, 2, 0)[edge:-edge, edge:-edge]
    np.testing.assert_allclose(ours, expected[edge:-edge, edge:-edge], atol=2e-6)


def test_the_file_is_the_network_with_its_card(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    trained, network = averaged_network(tmp_path / "run/last.ckpt")
    network = merged_for_use(network)
    quality: dict[str, dict[str, float | str]] = {"Set5 x2": {"psnr": 37.0, "ssim": 0.95, "protocol": "test"}}
    provenance = Provenance("recipes/tiny.toml", "three pictures", "CC0-1.0", "abc", quality)
    export_onnx(trained, network, provenance, tmp_path / "tiny.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "tiny.onnx")
    for size in ((1, 1), (7, 30), (33, 20)):
        x = np.random.default_rng(0).random((2, 3, *size), np.float32)
        with torch.inference_mode():
            expected = LumaInRGB(network)(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, atol=2e-6)
    card = session.get_modelmeta().custom_metadata_map
    assert card["kakudai.parameters"] == str(sum(p.numel() for p in network.parameters()))
    assert json.loads(card["kakudai.quality"]) == quality
    wanted = "name version scale halo multiple color task strength enlarges network arguments precision parameters"
    wanted += " macs_per_output_pixel recipe data data_licences licence commit quality"
    assert set(card) == {f"kakudai.{key}" for key in wanted.split()}


def test_a_network_that_restores_takes_the_strength_as_one_more_plane(recipe_file: Path, tmp_path: Path) -> None:
    changes = {"damage": '"photo"', "color": '"rgb"', "arguments": "{ blocks = 1, planes = 1 }", "steps": "40"}
    recipe = read_recipe(recipe_file, changes)
    train(recipe, tmp_path / "run")
    trained, network = averaged_network(tmp_path / "run/last.ckpt")
    network = merged_for_use(network)
    export_onnx(trained, network, PROVENANCE, tmp_path / "tiny.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "tiny.onnx")
    card = session.get_modelmeta().custom_metadata_map
    assert (card["kakudai.strength"], card["kakudai.task"]) == ("plane", "restore")
    x = np.random.default_rng(0).random((1, 4, 20, 24), np.float32)
    y = session.run(None, {"x": x})[0]
    assert y.shape == (1, 3, 40, 48)
    with torch.inference_mode():
        np.testing.assert_allclose(y, network(torch.from_numpy(x)).numpy(), atol=2e-6)
    x[:, 3] = 0
    assert np.abs(session.run(None, {"x": x})[0] - y).max() > 1e-6


def test_multiply_adds_are_those_of_the_layer_table() -> None:
    network = ECBSR(blocks=4, channels=32, branches=False)
    per_low_pixel = 9 * (32 + 4 * 32 * 32 + 32 * 4)
    assert multiply_adds_per_output_pixel(network, 1, 2) == per_low_pixel / 4


def test_padding_that_a_network_adds_to_its_input_is_not_counted() -> None:
    """The vgg_7 of waifu2x pads by 7 pixels and computes them again in every layer; a large picture hardly notices."""
    module = find_network("waifu2x")
    network = getattr(module, module.__all__[0])(variant="vgg_7", scale=1, in_channels=3).eval()
    widths = [3, 32, 32, 64, 64, 128, 128, 3]
    expected = sum(9 * before * after for before, after in pairwise(widths))
    assert multiply_adds_per_output_pixel(network, 3, 1) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize(("network", "arguments", "enlarges"), [
    ("ecbsr", {"channels": 16, "blocks": 1}, "no"),
    ("srcnn", {}, "bicubic"),
    ("waifu2x", {"variant": "vgg_7"}, "nearest"),
    ("waifu2x", {"variant": "upcunet"}, "no"),
])  # fmt: skip
@pytest.mark.parametrize("color", ["luma", "rgb"])
def test_networks_that_enlarge_first_pad_or_see_everything(
    recipe: Recipe, tmp_path: Path, *, network: str, arguments: dict[str, object], enlarges: str, color: str
) -> None:
    changed = recipe.model_copy(update={"network": network, "arguments": arguments, "color": color})
    built = merged_for_use(build_network(changed))
    export_onnx(changed, built, PROVENANCE, tmp_path / "it.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "it.onnx")
    card = session.get_modelmeta().custom_metadata_map
    assert card["kakudai.enlarges"] == enlarges
    assert card["kakudai.halo"] == ("none" if built.halo is None else str(max(built.halo, 3 if color == "luma" else 0)))
    size = (8 * built.multiple, 12 * built.multiple)
    x = np.random.default_rng(0).random((1, 3, *size), np.float32)
    with torch.inference_mode():
        expected = (LumaInRGB(built).eval() if color == "luma" else built)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, atol=1e-5)


def test_a_network_of_other_channels_out_than_in_is_not_exported(recipe: Recipe, tmp_path: Path) -> None:
    guessing = recipe.model_copy(update={"network": "cnn_small", "arguments": {"out_channels": 3}})
    with pytest.raises(RecipeError, match="gives 3"):
        export_onnx(guessing, build_network(guessing).eval(), PROVENANCE, tmp_path / "it.onnx")
    assert not list(tmp_path.glob("*.onnx"))


def test_a_picture_that_is_not_enlarged_is_noticed(recipe: Recipe) -> None:
    network = build_network(recipe)
    network.tail = torch.nn.Identity()
    with pytest.raises(RecipeError, match="turns 16 pixels into"):
        check_network(recipe, network)


def test_kernels_of_8_bits_are_stored_as_such(recipe: Recipe, tmp_path: Path) -> None:
    arguments = {"blocks": 2, "channels": 16, "branches": False, "int8": True}
    recipe = recipe.model_copy(update={"arguments": arguments, "steps": 20, "validate_on": None})
    train(recipe, tmp_path / "run")
    network = averaged_network(tmp_path / "run/last.ckpt")[1]
    export_onnx(recipe, network, PROVENANCE, tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    assert find_model(tmp_path / "net.onnx").precision == "int8"
    kernels = [list(each.dims) for each in model.graph.initializer if each.data_type == onnx.TensorProto.INT8]
    assert kernels.count([16, 16, 3, 3]) == 2
    assert not [each for each in model.graph.initializer if each.data_type == 1 and list(each.dims) == [16, 16, 3, 3]]
    x = np.random.default_rng(0).random((1, 3, 20, 24), np.float32)
    (ours,) = onnxruntime.InferenceSession(tmp_path / "net.onnx").run(None, {"x": x})
    with torch.inference_mode():
        expected = LumaInRGB(network)(torch.from_numpy(x)).numpy()
    assert np.abs(ours - expected).max() < 0.01, "a value in the middle may be rounded either way"
    assert np.abs(ours - expected).mean() < 1e-5
