"""convert/to_ncnn.py and to_waifu2x_json.py: what is written is read again by others, and is the same network."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from tests.convert.native import random, run_native, run_onnx
from tests.networks.building import build, export, tiny, with_random_weights
from tests.small_models import nearest

from kakudai.convert.card import Converted, finish
from kakudai.convert.folded import compute, fold_network
from kakudai.convert.graph import GraphBuilder
from kakudai.convert.ncnn_file import convert_ncnn
from kakudai.convert.to_ncnn import export_ncnn
from kakudai.convert.to_waifu2x_json import export_json
from kakudai.convert.waifu2x_json import convert_json
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import ModelInvalid
from kakudai.models import find_model
from kakudai.models.catalogue import model_from_bytes
from kakudai.networks import find_network, network_names


def onnx_file(name: str, scale: int, channels: int, folder: Path, **arguments: object) -> bytes:
    """Export a small network as training does."""
    torch.set_num_threads(1)
    export(with_random_weights(tiny(name, scale=scale, in_channels=channels, **arguments)), channels, folder)
    return (folder / "test.onnx").read_bytes()


def multiple_of(data: bytes) -> int:
    props = onnx.load_from_string(data).metadata_props
    return int(next(entry.value for entry in props if entry.key == "kakudai.multiple"))


def check_ncnn(data: bytes) -> None:
    param, weights = export_ncnn(data, "test")
    side = 12 * multiple_of(data)
    x = np.random.default_rng(0).random((3, side, 2 * side), np.float32)
    y = run_onnx(data, x)
    np.testing.assert_allclose(run_native(param, weights, x), y, atol=2e-5 * max(1.0, float(np.abs(y).max())))
    again = finish(convert_ncnn(param, weights, "test"))
    np.testing.assert_allclose(run_onnx(again, x), y, atol=2e-5 * max(1.0, float(np.abs(y).max())))


@pytest.mark.parametrize(("channels", "scale"), [(1, 2), (3, 4)])
@pytest.mark.parametrize("name", network_names())
def test_every_network_runs_in_ncnn(name: str, channels: int, scale: int, tmp_path: Path) -> None:
    scale = scale if scale in find_network(name).SCALES else max(find_network(name).SCALES)
    check_ncnn(onnx_file(name, scale, channels, tmp_path))


def test_the_shipped_network_runs_in_ncnn() -> None:
    model = find_model("photo-x2")
    param, _ = export_ncnn(model.data, model.name)
    blocks = json.loads(model.card["arguments"])["blocks"]
    kinds = [line.split()[0] for line in param.splitlines()[2:]]
    assert kinds.count("Convolution") == blocks + 4  # the first, the last, luma of RGB, and Lanczos for chroma
    assert " data " in param
    assert " output " in param


def test_a_network_that_pads_comes_back_with_its_mirrored_border() -> None:
    """The .param does not say how a picture goes on outside; those that lose their border had it repeated."""
    model = find_model("photo-x2")
    image = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    back = model_from_bytes(finish(convert_ncnn(*export_ncnn(model.data, model.name), "back")), "back")
    assert back.border == model.border == "mirror"
    with Upscaler(model=model, runtime="onnxruntime") as one, Upscaler(model=back, runtime="onnxruntime") as other:
        assert np.abs(one.upscale(image).astype(int) - other.upscale(image)).max() <= 1
    check_ncnn(model.data)


def test_squeeze_and_excitation_runs_in_ncnn() -> None:
    """Also from a file whose averages an engine can ask for."""
    builder = GraphBuilder()
    wide = builder.relu(builder.conv(builder.input, random(8, 3, 3, 3), random(8), pad=1))
    squeezed = builder.relu(builder.conv(builder.global_average_pool(wide), random(2, 8, 1, 1), random(2)))
    factors = builder.sigmoid(builder.conv(squeezed, random(8, 2, 1, 1), random(8)))
    y = builder.conv(builder.multiply(wide, factors), random(3, 8, 1, 1))
    data = finish(Converted(builder.model(y), {"name": "test", "scale": "1", "halo": "none"}))
    assert len(onnx.load_from_string(data).graph.output) == 2, "the average is an output, too"
    param, _ = export_ncnn(data, "test")
    assert {line.split()[0] for line in param.splitlines()[2:]} >= {"Pooling", "InnerProduct", "Scale", "Split"}
    check_ncnn(data)


def test_arithmetic_with_constants() -> None:
    builder = GraphBuilder()
    x = builder.add(builder.scale(builder.input, random(3), random(3)), builder.constant(np.float32(0.3)))
    x = builder.subtract(builder.constant(random(1, 3, 1, 1)), x)
    x = builder.subtract(builder.constant(np.float32(2)), builder.binary("Div", x, builder.constant(np.float32(1.5))))
    x = builder.binary("Max", builder.clip(x, -1, 1), builder.input)
    x = builder.crop(builder.pad_reflect(builder.pad_value(builder.pad_edge(x, 2), (1, 1, 2, 2), 0.5), 1), (4, 4, 5, 5))
    x = builder.unary("SpaceToDepth", x, blocksize=2)
    x = builder.depth_to_space(builder.concat([x, builder.unary("Tanh", x)]), 2, "DCR")
    y = builder.conv(x, random(3, 6, 1, 1))
    check_ncnn(finish(Converted(builder.model(y), {"name": "t", "scale": "1", "halo": "9", "multiple": "2"})))


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_interpolations(kind: str) -> None:
    builder = GraphBuilder()
    y = builder.resize(builder.conv(builder.input, random(3, 3, 3, 3), pad=1), 2, kind)  # type: ignore[arg-type]
    check_ncnn(finish(Converted(builder.model(y), {"name": "test", "scale": "2", "halo": "4"})))


def test_what_ncnn_cannot_hold_is_named() -> None:
    builder = GraphBuilder()
    y = builder.unary("Erf", builder.input)
    data = finish(Converted(builder.model(y), {"name": "test", "scale": "1", "halo": "0"}))
    with pytest.raises(ModelInvalid, match="test cannot be written for ncnn: it has no layer for the operator Erf"):
        export_ncnn(data, "test")


WAIFU2X = [
    ("vgg_7", 1, 3), ("vgg_7", 2, 3), ("vgg_7", 2, 1), ("upconv_7", 2, 3), ("upconv_7", 2, 1), ("upconv_7l", 2, 3),
]  # fmt: skip


def labelled(data: bytes, variant: str) -> bytes:
    """Say in the card which of waifu2x's networks a file is, as a trained one does."""
    model = onnx.load_from_string(data)
    card = {entry.key: entry.value for entry in model.metadata_props}
    changes = {"kakudai.network": "waifu2x", "kakudai.arguments": json.dumps({"variant": variant})}
    helper.set_model_props(model, card | changes)
    return model.SerializeToString()


@pytest.mark.parametrize(("variant", "scale", "channels"), WAIFU2X)
def test_waifu2x_json_and_back(variant: str, scale: int, channels: int, tmp_path: Path) -> None:
    narrow = "4-4-4-4-4-8"
    data = labelled(onnx_file("waifu2x", scale, channels, tmp_path, variant=variant, filters=narrow), variant)
    written = export_json(data, "mine")
    config = json.loads(written)[0]["model_config"]
    assert (config["arch_name"], config["channels"]) == (variant, channels)
    assert config["offset"] == (7 if variant == "vgg_7" else 14)
    again = convert_json(written, "any name")
    assert (again.card["scale"], again.card["color"]) == (str(scale), "luma" if channels == 1 else "rgb")
    x = np.random.default_rng(0).random((3, 20, 24), np.float32)
    part = np.s_[:, 6 * scale : -6 * scale, 6 * scale : -6 * scale]
    np.testing.assert_allclose(run_onnx(finish(again), x)[part], run_onnx(data, x)[part], atol=1e-5)
    # What came out of a JSON file goes back into one, to the last bit.
    assert json.loads(export_json(finish(again), "mine")) == json.loads(written)


@pytest.mark.slow
def test_upcunet_as_json_and_in_ncnn(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    export(build("waifu2x", variant="upcunet", scale=2), 3, tmp_path)
    data = labelled((tmp_path / "test.onnx").read_bytes(), "upcunet")
    again = finish(convert_json(export_json(data, "upcunet"), "upcunet"))
    x = np.random.default_rng(0).random((3, 12, 16), np.float32)
    np.testing.assert_allclose(run_onnx(again, x), run_onnx(data, x), atol=1e-5)
    param, weights = export_ncnn(again, "upcunet", check=False)
    np.testing.assert_allclose(run_native(param, weights, x), run_onnx(data, x), atol=1e-5)


def test_json_is_for_waifu2x_alone(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="photo-x2 is none of waifu2x's networks"):
        export_json(find_model("photo-x2").data, "photo-x2")
    with pytest.raises(ModelInvalid, match="is none of waifu2x's networks"):
        export_json(nearest(), "nearest")
    relu = labelled(onnx_file("cnn_deep", 1, 3, tmp_path), "vgg_7")
    with pytest.raises(ModelInvalid, match="which no network of waifu2x has"):
        export_json(relu, "relu")
    builder = GraphBuilder()
    y = builder.relu(builder.conv(builder.pad_edge(builder.input, 1), random(3, 3, 3, 3)))
    other = labelled(finish(Converted(builder.model(y), {"name": "t", "scale": "1", "halo": "1"})), "vgg_7")
    with pytest.raises(ModelInvalid, match="another network than this format can hold"):
        export_json(other, "other")


def test_folding_leaves_what_is_computed(tmp_path: Path) -> None:
    data = onnx_file("waifu2x", 2, 3, tmp_path)
    model = onnx.load_from_string(data)
    folded = fold_network(model)
    assert [step.kind for step in folded.steps[:3]] == ["Repeat", "DepthToSpace", "Pad"]
    assert len(folded.steps) == 16
    assert (folded.input, folded.output) == ("x", "y")
    x = np.random.default_rng(0).random((1, 3, 8, 9), np.float32)
    np.testing.assert_allclose(compute(model, x)[0], run_onnx(data, x[0]), atol=1e-5)


def test_a_network_that_is_written_wrongly_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from kakudai.convert import to_ncnn

    def louder(weight: np.ndarray) -> bytes:
        return bytes(4) + (1.01 * weight).astype("<f4").tobytes()

    monkeypatch.setattr(to_ncnn, "_tagged", louder)
    with pytest.raises(ModelInvalid, match="written so, it computes something else"):
        export_ncnn(find_model("photo-x2").data, "photo-x2")


def test_weights_survive_to_the_last_bit(tmp_path: Path) -> None:
    data = labelled(onnx_file("waifu2x", 1, 3, tmp_path), "vgg_7")
    again = convert_json(export_json(data, "mine"), "mine").graph

    def weights(model: onnx.ModelProto) -> list[bytes]:
        arrays = [numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
        return sorted(array.astype("<f4").tobytes() for array in arrays if array.ndim == 4)

    assert weights(again) == weights(onnx.load_from_string(data))
