"""convert/graph.py, card.py, geometry.py and walk.py: what is built, what is checked, what is measured."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from tests.convert.native import random, run_onnx
from torch import nn
from torch.nn import functional

from kakudai.convert.card import Converted, count_multiply_adds, finish
from kakudai.convert.geometry import Geometry, lengths, measure_geometry
from kakudai.convert.graph import GraphBuilder
from kakudai.convert.walk import UnknownGeometry
from kakudai.errors import ModelInvalid, RuntimeUnavailable
from kakudai.image.resize import phase_kernels, resize
from kakudai.models.onnx_file import read_metadata
from kakudai.train.color import LumaInRGB

CARD = {"name": "test", "scale": "2", "halo": "0"}


def run(build: Callable[[GraphBuilder, str], str], x: np.ndarray) -> np.ndarray:
    builder = GraphBuilder()
    return run_onnx(builder.model(build(builder, builder.input)).SerializeToString(), x)


def picture(height: int = 12, width: int = 16) -> np.ndarray:
    return np.random.default_rng(0).random((3, height, width), np.float32)


def test_operators_are_those_of_torch() -> None:
    x, weight, bias = picture(), random(6, 3, 3, 2), random(6)
    given = torch.from_numpy(x[None])
    up = random(3, 2, 4, 4)
    pairs = [
        (lambda g, x: g.conv(x, weight, bias, stride=(2, 1), pad=(1, 0, 1, 0)),
         functional.conv2d(given, torch.tensor(weight), torch.tensor(bias), stride=(2, 1), padding=(1, 0))),
        (lambda g, x: g.transposed_conv(x, up, stride=2, pad=1, output_pad=1),
         functional.conv_transpose2d(given, torch.tensor(up), stride=2, padding=1, output_padding=1)),
        (lambda g, x: g.leaky_relu(g.scale(x, random(3) * 0 - 1), 0.2), functional.leaky_relu(-given, 0.2)),
        (lambda g, x: g.prelu(g.subtract(x, g.sigmoid(x)), np.array([0.1, 0.2, 0.3])),
         functional.prelu(given - given.sigmoid(), torch.tensor([0.1, 0.2, 0.3]))),
        (lambda g, x: g.pad_edge(x, (1, 2, 3, 4)), functional.pad(given, (2, 4, 1, 3), mode="replicate")),
        (lambda g, x: g.pad_reflect(x, (1, 2, 3, 4)), functional.pad(given, (2, 4, 1, 3), mode="reflect")),
        (lambda g, x: g.pad_value(x, 2, 0.25), functional.pad(given, (2,) * 4, value=0.25)),
        (lambda g, x: g.crop(x, (1, 0, 2, 3)), given[:, :, 1:-2, :-3]),
        (lambda g, x: g.channels(x, 1, 3), given[:, 1:3]),
        (lambda g, x: g.multiply(x, g.global_average_pool(x)), given * given.mean((2, 3), keepdim=True)),
        (lambda g, x: g.resize(x, 3), functional.interpolate(given, scale_factor=3)),
        (lambda g, x: g.resize(x, 2, "linear"), functional.interpolate(given, scale_factor=2, mode="bilinear")),
        (lambda g, x: g.resize(x, 2, "cubic"), functional.interpolate(given, scale_factor=2, mode="bicubic")),
        (lambda g, x: g.space_to_depth(x, 2, 3), functional.pixel_unshuffle(given, 2)),
        (lambda g, x: g.depth_to_space(g.space_to_depth(x, 4, 3), 4), given),
        (lambda g, x: g.clip(g.concat([x, g.relu(x)]), 0.2, 0.7), torch.cat([given, given], 1).clip(0.2, 0.7)),
    ]  # fmt: skip
    for build, expected in pairs:
        np.testing.assert_allclose(run(build, x), expected[0].numpy(), atol=2e-6)


class Repeat(nn.Module):
    multiple, halo = 1, 0

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_luma_in_rgb_is_the_arithmetic_of_training(scale: int) -> None:
    x = picture()
    with torch.inference_mode():
        expected = LumaInRGB(Repeat(scale))(torch.from_numpy(x[None]))[0].numpy()
    y = run(lambda g, x: g.luma_in_rgb(x, lambda luma: g.resize(luma, scale), scale), x)
    np.testing.assert_allclose(y, expected, atol=1e-6)
    at_the_edge = run(lambda g, x: g.luma_in_rgb(x, lambda luma: g.resize(luma, scale), scale, edge=True), x)
    inner = np.s_[:, 3 * scale : -3 * scale, 3 * scale : -3 * scale]
    np.testing.assert_allclose(at_the_edge[inner], expected[inner], atol=1e-6)


@pytest.mark.parametrize("kernel", ["bicubic", "lanczos3"])
def test_phase_kernels_are_the_resize(kernel: str) -> None:
    x = picture(20, 24).transpose(1, 2, 0)
    kernels = phase_kernels(kernel, 2)  # type: ignore[arg-type]
    reach = kernels.shape[1] // 2
    windows = np.lib.stride_tricks.sliding_window_view(x, kernels.shape[1:], axis=(0, 1))
    phases = np.einsum("hwcyx,pyx->hwcp", windows, kernels)
    expected = resize(x, (40, 48), kernel=kernel)  # type: ignore[arg-type]
    for p in (0, 1):
        for q in (0, 1):
            part = expected[2 * reach + p : 40 - 2 * reach : 2, 2 * reach + q : 48 - 2 * reach : 2]
            np.testing.assert_allclose(phases[..., 2 * p + q], part, atol=1e-6)


def test_a_finished_file_says_everything() -> None:
    builder = GraphBuilder()
    wide = builder.leaky_relu(builder.conv(builder.input, random(8, 3, 3, 3), random(8), pad=1), 0.1)
    y = builder.depth_to_space(builder.conv(wide, random(12, 8, 3, 3), pad=1), 2)
    data = finish(Converted(builder.model(y), CARD | {"border": "edge"}))
    card = {key.removeprefix("kakudai."): value for key, value in read_metadata(data, "test").items()}
    assert card["parameters"] == str(8 * 27 + 8 + 12 * 72)
    assert float(card["macs_per_output_pixel"]) == (8 * 27 + 12 * 72) / 4
    assert card["features"] == str(12 + 12), "of the channels that become pixels, and these"
    assert (card["border"], card["licence"], card["task"], card["multiple"]) == ("edge", "unknown", "upscale", "1")
    assert data == finish(Converted(builder.model(y), CARD | {"border": "edge"}))


def test_padding_is_not_counted_as_work() -> None:
    builder = GraphBuilder()
    y = builder.conv(builder.pad_edge(builder.input, 20), random(3, 3, 41, 41))
    assert count_multiply_adds(builder.model(y), 1) == 9 * 41**2


def refused(model: onnx.ModelProto, match: str) -> None:
    with pytest.raises(ModelInvalid, match=match) as caught:
        finish(Converted(model, CARD))
    assert caught.value.hint


def simple() -> onnx.ModelProto:
    builder = GraphBuilder()
    return builder.model(builder.conv(builder.input, random(3, 3, 1, 1)))


def test_what_is_not_whole_is_refused() -> None:
    for value in (np.nan, np.inf):
        model = simple()
        weight = numpy_helper.to_array(model.graph.initializer[0]).copy()
        weight[1, 2] = value
        model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, model.graph.initializer[0].name))
        refused(model, "has weights that are not numbers in 'conv_1.weight'")
    model = simple()
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    model.graph.initializer[0].external_data.add(key="location", value="../../etc/passwd")
    refused(model, "keeps weights in other files")
    model = simple()
    model.graph.node[0].domain = "com.evil"
    refused(model, "not part of ONNX: com.evil.Conv")
    model = simple()
    model.opset_import.append(helper.make_opsetid("com.evil", 1))
    refused(model, "not part of ONNX: com.evil")
    model = simple()
    model.graph.node[0].input[0] = "nothing"
    refused(model, "is not a valid network")


def test_a_custom_operator_inside_a_branch_is_found() -> None:
    model = simple()
    inner = helper.make_graph([helper.make_node("Run", [], ["z"], domain="com.evil")], "inner", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=inner, else_branch=inner))
    refused(model, "com.evil.Run")


def test_converters_that_forget_something_are_told() -> None:
    with pytest.raises(ValueError, match="left out halo"):
        finish(Converted(simple(), {"name": "test", "scale": "1"}))


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(RuntimeUnavailable, match="package onnx") as caught:
        GraphBuilder()
    assert "kakudai[convert]" in caught.value.hint


def measured(build: Callable[[GraphBuilder, str], str]) -> Geometry:
    builder = GraphBuilder()
    return measure_geometry(builder.model(build(builder, builder.input)))


def test_geometry_of_known_networks() -> None:
    three, one, up = random(3, 3, 3, 3), random(3, 3, 1, 1), random(3, 3, 4, 4)
    down = random(3, 3, 2, 2)
    assert measured(lambda g, x: g.conv(x, one)) == Geometry(1, 0, 0, 1)
    assert measured(lambda g, x: g.conv(g.conv(x, three, pad=1), three, pad=1)) == Geometry(1, 0, 2, 1)
    assert measured(lambda g, x: g.conv(g.conv(x, three), three)) == Geometry(1, 2, 2, 1)
    assert measured(lambda g, x: g.conv(x, three, dilation=4, pad=4)) == Geometry(1, 0, 4, 1)
    assert measured(lambda g, x: g.transposed_conv(x, up, stride=2, pad=1)) == Geometry(2, 0, 1, 1)
    assert measured(lambda g, x: g.transposed_conv(x, up, stride=2, pad=3)) == Geometry(2, 2, 1, 1)
    assert measured(lambda g, x: g.conv(g.resize(x, 2), three, pad=1)) == Geometry(2, 0, 1, 1)
    assert measured(lambda g, x: g.resize(x, 2, "cubic")).halo == 2
    assert measured(lambda g, x: g.resize(x, 3, "linear")).halo == 1
    assert measured(lambda g, x: g.multiply(x, g.global_average_pool(x))) == Geometry(1, 0, None, 1)
    halved = measured(lambda g, x: g.resize(g.conv(x, down, stride=2), 2))
    assert (halved.multiple, halved.halo) == (2, 1)


def test_halo_is_what_a_changed_pixel_changes() -> None:
    """The structure says it, and running the network shows it."""
    builder = GraphBuilder()
    y = builder.transposed_conv(
        builder.conv(builder.input, random(8, 3, 5, 5), pad=2), random(8, 3, 6, 6), stride=2, pad=2
    )
    model = builder.model(y)
    halo = measure_geometry(model).halo
    x = picture(40, 40)
    changed = x.copy()
    changed[:, 20, 20] += 1
    data = model.SerializeToString()
    rows = np.nonzero((run_onnx(data, x) != run_onnx(data, changed)).any(axis=(0, 2)))[0] // 2
    assert max(20 - rows.min(), rows.max() - 20) == halo


def without_an_attribute(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    for node in model.graph.node:
        for attribute in [attribute for attribute in node.attribute if attribute.name == name]:
            node.attribute.remove(attribute)
    return model


def test_nearest_neighbours_are_rounded_as_onnx_says_where_a_file_does_not() -> None:
    builder = GraphBuilder()
    model = builder.model(builder.resize(builder.input, 2))
    assert measure_geometry(model).halo == 0
    assert measure_geometry(without_an_attribute(model, "nearest_mode")).halo == 1


@pytest.mark.parametrize("kind", ["corners", "constant", "slice"])
def test_what_depends_on_its_place_has_no_known_geometry(kind: str) -> None:
    builder = GraphBuilder()
    x = builder.input
    if kind == "corners":
        scales = builder.constant(np.array([1, 1, 2, 2], np.float32))
        y = builder._add("Resize", [x, "", scales], mode="linear", coordinate_transformation_mode="align_corners")
    elif kind == "slice":
        bounds = [builder.constant(np.array(pair, np.int64)) for pair in ([0, 0], [8, 8], [2, 3])]
        y = builder._add("Slice", [x, *bounds])
    else:
        y = builder.add(x, builder.constant(np.ones((1, 3, 8, 8), np.float32)))
    with pytest.raises(UnknownGeometry, match=r"align_corners|a fixed number of pixels|a constant that is a picture"):
        measure_geometry(builder.model(y))


def test_kernels_computed_from_the_whole_picture_have_no_known_geometry() -> None:
    builder = GraphBuilder()
    mean = builder.unary("Transpose", builder.global_average_pool(builder.input), perm=[1, 0, 2, 3])
    weight = builder.multiply(mean, builder.constant(random(3, 3, 1, 1)))
    with pytest.raises(UnknownGeometry, match="Conv whose arguments depend on the picture"):
        measure_geometry(builder.model(builder.binary("Conv", builder.input, weight)))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ConstantOfShape", np.array([1 << 20, 1 << 20], np.int64)),
        ("ConstantOfShape", np.array([-1], np.int64)),
        ("Range", np.array(1 << 40, np.int64)),
        ("Transpose", np.zeros((100, 100), np.float32)),
    ],
)
def test_constants_that_do_harm_are_not_computed(kind: str, value: np.ndarray) -> None:
    builder = GraphBuilder()
    builder.unary(kind, builder.constant(value))
    with pytest.raises(UnknownGeometry, match=kind):
        measure_geometry(builder.model(builder.conv(builder.input, random(3, 3, 1, 1))))


def test_arguments_that_exporters_compute_are_followed() -> None:
    builder = GraphBuilder()
    pixels = builder.add(builder.constant(np.array([0, 0, 1, 1] * 2, np.int64)), builder.constant(np.int64(0)))
    y = builder.conv(builder._add("Pad", [builder.input, pixels], mode="edge"), random(3, 3, 3, 3))
    assert measure_geometry(builder.model(y)) == Geometry(1, 0, 1, 1)


def test_sizes_of_all_tensors() -> None:
    builder = GraphBuilder()
    a = builder.conv(builder.input, random(3, 3, 3, 1))
    b = builder.depth_to_space(builder.conv(a, random(12, 3, 1, 1)), 2)
    sizes = lengths(builder.model(b), 10)
    assert (sizes["x"], sizes[a], sizes["y"]) == ((10, 10), (8, 10), (16, 20))


def test_what_geometry_does_not_know() -> None:
    with pytest.raises(UnknownGeometry, match="Flatten"):
        measured(lambda g, x: g.unary("Flatten", x))
    with pytest.raises(UnknownGeometry, match="256 pixels becomes 256x254"):
        measured(lambda g, x: g.conv(x, random(3, 3, 3, 1)))
    with pytest.raises(UnknownGeometry, match="not the same margin"):
        measured(lambda g, x: g.conv(x, random(3, 3, 2, 2)))
    with pytest.raises(UnknownGeometry, match="of 320"):
        measured(lambda g, x: g.resize(x, 0.5))
