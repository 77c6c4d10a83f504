"""ONNX files of others: whatever they want their picture to be like, the same pixels come out."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from tests.convert.foreign_networks import Foreign, with_a_weight_that_is_no_number, with_custom_operator

from kakudai.convert import probe
from kakudai.convert.card import finish
from kakudai.convert.foreign_onnx import convert_onnx
from kakudai.engine.loading import open_network
from kakudai.errors import ModelInvalid


def run(data: bytes, x: np.ndarray) -> np.ndarray:
    return open_network(data)(x)


@pytest.fixture(scope="module")
def wanted() -> tuple[np.ndarray, np.ndarray]:
    """A picture, and what the plain network makes of it."""
    x = probe.picture(24, 36)[None]
    return x, run(Foreign().data(), x)


@pytest.mark.parametrize(
    ("wishes", "said", "tolerance"),
    [
        ({}, "float32 NCHW RGB 0..1", 1e-6),
        ({"given": "0..255"}, "NCHW RGB 0..255", 1e-5),
        ({"given": "-1..1"}, "NCHW RGB -1..1", 1e-5),
        ({"returned": "0..255"}, "RGB 0..1, gives 0..255", 1e-5),
        ({"returned": "-1..1"}, "RGB 0..1, gives -1..1", 1e-5),
        ({"bgr": "out"}, "RGB 0..1, gives BGR", 1e-6),
        ({"channels_last": True}, "NHWC RGB", 1e-6),
        ({"channels_last": True, "given": "0..255", "size": (64, 64)}, "NHWC RGB 0..255", 1e-5),
        ({"dtype": np.uint8, "given": "0..255"}, "uint8 NCHW RGB 0..255", 2 / 255),
        ({"dtype": np.float16, "half": True}, "float32 NCHW RGB", 2e-3),
        ({"size": (64, 96)}, "NCHW RGB", 1e-6),
        ({"opset": 11}, "NCHW RGB", 1e-6),
        ({"opset": 21}, "NCHW RGB", 1e-6),
        ({"block": 4}, "NCHW RGB", 1e-6),
        ({"block": 3}, "NCHW RGB", 1e-6),
    ],
)  # fmt: skip
def test_the_same_pixels_come_out(wishes: dict[str, Any], said: str, tolerance: float, wanted) -> None:
    x, y = wanted
    converted = convert_onnx(Foreign(**wishes).data(), "test", open_network)
    card = converted.card
    assert said in card["notes"]
    assert (card["scale"], card["color"]) == ("2", "rgb")
    assert 2 <= int(card["halo"]) <= 16
    assert card["multiple"] == str(wishes.get("block", 1))
    np.testing.assert_allclose(run(finish(converted), x), y, atol=tolerance)


def test_blue_comes_first_where_a_network_clearly_wants_it(wanted) -> None:
    x, _ = wanted
    converted = convert_onnx(Foreign(bgr=True, warm=True).data(), "test", open_network)
    assert "NCHW BGR 0..1" in converted.card["notes"]
    np.testing.assert_allclose(run(finish(converted), x), run(Foreign(warm=True).data(), x), atol=1e-6)


def test_red_comes_first_where_a_network_hardly_cares(wanted) -> None:
    data = Foreign(bgr=True).data()
    converted = convert_onnx(data, "test", open_network)
    assert "NCHW RGB 0..1" in converted.card["notes"]
    np.testing.assert_allclose(run(finish(converted), wanted[0]), run(data, wanted[0]), atol=1e-6)


def test_a_network_that_loses_its_border_is_padded_inside() -> None:
    data = Foreign(unpadded=True).data()
    converted = convert_onnx(data, "test", open_network)
    assert (converted.card["border"], converted.card["halo"]) == ("edge", "2")
    x = probe.picture(20, 30)[None]
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
    np.testing.assert_allclose(run(finish(converted), x), run(data, padded), atol=1e-6)


def test_a_luma_network_keeps_grey_grey_and_colour() -> None:
    data = Foreign(luma=True).data()
    converted = convert_onnx(data, "test", open_network)
    assert converted.card["color"] == "luma"
    grey = probe.picture(24, 36)[1:2].repeat(3, axis=0)[None]
    y = run(finish(converted), grey)
    np.testing.assert_allclose(y[:, :1], run(data, grey[:, :1]), atol=1e-5)
    np.testing.assert_allclose(y[:, 0], y[:, 2], atol=1e-5)


def test_a_network_that_restores_keeps_the_size() -> None:
    converted = convert_onnx(Foreign(scale=1).data(), "test", open_network)
    assert converted.card["scale"] == "1"
    assert onnx.load_from_string(finish(converted)).metadata_props


def of_one_size(**wishes: Any) -> bytes:
    """A network with its size written into it, as exporters do."""
    model = onnx.load_from_string(Foreign(size=(64, 64), **wishes).data())
    channels = 1 if wishes.get("luma") else 3
    shape = onnx.numpy_helper.from_array(np.array([1, channels, 128, 128], np.int64), "shape")
    model.graph.initializer.append(shape)
    last = model.graph.output[0].name
    model.graph.node.append(helper.make_node("Reshape", [last, "shape"], ["shaped"]))
    model.graph.output[0].name = "shaped"
    return model.SerializeToString()


@pytest.mark.parametrize("luma", [False, True])
def test_a_network_of_one_size_runs_on_windows(luma: bool) -> None:
    converted = convert_onnx(of_one_size(luma=luma), "test", open_network)
    assert (converted.card["multiple"], converted.card["halo"]) == ("32", "16")
    assert "64x64 pixels only" in converted.card["notes"]
    x = probe.picture(96, 64)[None]
    x = x.mean(axis=1, keepdims=True).repeat(3, axis=1) if luma else x
    padded = np.pad(x, ((0, 0), (0, 0), (4, 4), (4, 4)), mode="edge")
    free = run(Foreign(luma=luma).data(), padded[:, :1] if luma else padded)[:, :, 8:-8, 8:-8]
    two = run(finish(converted), np.concatenate([x, x[..., ::-1]]))
    np.testing.assert_allclose(two[:1, : free.shape[1]], free, atol=1e-5)
    assert two.shape == (2, 3, 192, 128)


def edited(change: Any) -> bytes:
    model = onnx.load_from_string(Foreign().data())
    change(model)
    return model.SerializeToString()


def second_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("strength", onnx.TensorProto.FLOAT, [1]))


def no_picture(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Mul", [model.graph.output[0].name, "nothing"], ["flat"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((1, 3, 1, 1), np.float32), "nothing"))
    model.graph.output[0].name = "flat"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an ONNX network"),
        (Foreign().data()[:500], "truncated"),
        (with_custom_operator(), "com.example"),
        (with_a_weight_that_is_no_number(), "not numbers"),
        (edited(second_input), "takes image, strength"),
        (edited(no_picture), "does not give back the picture"),
    ],
)
def test_what_is_no_enlarging_network_is_named(data: bytes, message: str) -> None:
    with pytest.raises(ModelInvalid, match=message) as caught:
        convert_onnx(data, "test", open_network)
    assert caught.value.hint
    assert "\n" not in caught.value.message
