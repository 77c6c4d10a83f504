"""What is seen inside a network: its layers, their maps, and the derivative that the receptive field is drawn from."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from tests.small_models import build, convolutional, nearest, with_external_data, without_metadata

from kakudai.errors import ModelInvalid, ModelNotFound, UsageError
from kakudai.evaluate.features import (
    Area,
    Look,
    choose_area,
    draw_features,
    map_ratios,
    middle,
    network_input,
    open_graph,
)
from kakudai.evaluate.gradient import input_gradient
from kakudai.evaluate.layers import Graph
from kakudai.evaluate.maps import colors_of, columns_for, dead_maps, filters_sheet, fitted, maps_sheet
from kakudai.evaluate.receptive import measure_field
from kakudai.image.files import read_image
from kakudai.image.resize import resize
from kakudai.models import find_model

STEP = 2e-4
"""Half the distance over which derivatives are taken: larger ones meet the corners of LeakyReLU."""


def picture(height: int = 40, width: int = 52, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3)).astype(np.uint8)
    return resize(coarse, (height, width))


def numeric(graph: Graph, x: np.ndarray, seed: np.ndarray, places: list[tuple[int, int, int]]) -> list[float]:
    """Return derivatives by differences."""
    found = []
    for place in places:
        sides = []
        for step in (STEP, -STEP):
            moved = x.copy()
            moved[0][place] += step
            sides.append(float((graph.run(moved, [graph.output])[graph.output].astype(np.float64) * seed).sum()))
        found.append((sides[0] - sides[1]) / (2 * STEP))
    return found


def test_the_layers_of_the_shipped_network() -> None:
    layers = open_graph("photo-x2").convolutions()
    blocks = json.loads(find_model("photo-x2").card["arguments"])["blocks"]
    trained = [layer for layer in layers if layer.trained]
    assert [layer.name for layer in trained] == ["head", *(f"body.{k}" for k in range(blocks)), "tail"]
    assert trained[0].kind == "3x3 convolution, 1 to 32, LeakyRelu"
    assert trained[-1].kind == "3x3 convolution, 32 to 4"
    assert len(layers) == len(trained) + 2  # luma of RGB, and Lanczos for chroma


def test_any_onnx_file_is_opened_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(without_metadata())
    assert open_graph(str(tmp_path / "a.onnx")).name == "a"
    (tmp_path / "b.onnx").write_bytes(with_external_data())
    with pytest.raises(ModelInvalid, match="other files"):
        open_graph(str(tmp_path / "b.onnx"))
    (tmp_path / "c.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelInvalid, match="not an ONNX"):
        open_graph(str(tmp_path / "c.onnx"))
    with pytest.raises(ModelNotFound, match="there is no model, file or folder"):
        open_graph(str(tmp_path / "d.onnx"))
    with pytest.raises(ModelNotFound, match="there is no model, file or folder"):
        open_graph("nothing-x2")


def test_a_run_is_opened_by_its_folder(tmp_path: Path) -> None:
    run = tmp_path / "mine"
    run.mkdir()
    with pytest.raises(ModelNotFound, match=r"no network mine\.onnx"):
        open_graph(str(run))
    (run / "other.onnx").write_bytes(nearest())
    assert open_graph(str(run)).name == "other"
    (run / "mine.onnx").write_bytes(nearest())
    assert open_graph(str(run)).name == "mine"


def test_inner_tensors_are_what_the_network_computes() -> None:
    graph = Graph(convolutional(), "c")
    x = network_input(picture(), 3)
    first = graph.convolutions()[0]
    assert first.kind == "3x3 convolution, 3 to 16, Relu"
    maps = graph.run(x, [first.tensor])[first.tensor][0]
    window = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
    expected = sum(
        np.einsum("oi,ihw->ohw", first.weight[:, :, i, j], window[:, i : i + 40, j : j + 52])
        for i in range(3)
        for j in range(3)
    )
    np.testing.assert_allclose(maps, np.maximum(expected, 0), atol=1e-5)


@pytest.mark.parametrize("model", ["photo", "convolutional", "nearest"])
def test_the_derivative_is_that_of_small_steps(model: str) -> None:
    data = {"photo": lambda: find_model("photo").data, "convolutional": convolutional, "nearest": nearest}[model]()
    graph, x = Graph(data, model), network_input(picture(24, 28), 3)
    seed = np.zeros((1, 3, 48, 56))
    seed[0, :, 25, 31] = (0.3, 0.6, 0.1)
    gradient = input_gradient(graph, x, seed)[0]
    places = [(0, 12, 15), (1, 12, 15), (2, 12, 15), (1, 11, 16), (1, 14, 14), (0, 1, 1)]
    np.testing.assert_allclose([gradient[p] for p in places], numeric(graph, x, seed, places), rtol=0.03, atol=1e-3)


def through(nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray]) -> Graph:
    return Graph(build(nodes, weights), "one")


def test_derivatives_of_convolutions_with_stride_groups_and_padding() -> None:
    rng = np.random.default_rng(0)
    weights = {
        "down": rng.standard_normal((6, 1, 3, 2)).astype(np.float32),
        "up": rng.standard_normal((6, 1, 4, 4)).astype(np.float32),
        "slope": np.full((6, 1, 1), 0.25, np.float32),
    }
    graph = through(
        [
            helper.make_node("Conv", ["x", "down"], ["a"], strides=[2, 2], pads=[1, 0, 1, 1], group=3),
            helper.make_node("PRelu", ["a", "slope"], ["b"]),
            helper.make_node("ConvTranspose", ["b", "up"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1], group=3),
            helper.make_node("Tanh", ["c"], ["y"]),
        ],
        weights,
    )
    x = network_input(picture(12, 16), 3) - 0.5
    output = graph.run(x, ["y"])["y"]
    seed = np.random.default_rng(1).standard_normal(output.shape) * 0.1
    places = [(c, y, z) for c in range(3) for y, z in ((0, 0), (5, 7), (11, 15))]
    gradient = input_gradient(graph, x, seed)[0]
    np.testing.assert_allclose([gradient[p] for p in places], numeric(graph, x, seed, places), atol=5e-3)


def test_derivatives_of_what_networks_are_made_of_else() -> None:
    weights = {
        "starts": np.array([1, 1]), "ends": np.array([9, 9]), "axes": np.array([2, 3]), "two": np.float32([2.0]),
        "pads": np.array([0, 0, 1, 1, 0, 0, 2, 2]), "low": np.float32(0.1), "high": np.float32(0.7),
    }  # fmt: skip
    graph = through(
        [
            helper.make_node("Slice", ["x", "starts", "ends", "axes"], ["cut"]),
            helper.make_node("GlobalAveragePool", ["cut"], ["mean"]),
            helper.make_node("Sigmoid", ["mean"], ["gate"]),
            helper.make_node("Mul", ["cut", "gate"], ["gated"]),
            helper.make_node("Concat", ["gated", "cut"], ["both"], axis=1),
            helper.make_node("Split", ["both"], ["left", "right"], axis=1, num_outputs=2),
            helper.make_node("Sub", ["left", "right"], ["less"]),
            helper.make_node("Div", ["less", "two"], ["half"]),
            helper.make_node("Add", ["half", "right"], ["sum"]),
            helper.make_node("Clip", ["sum", "low", "high"], ["clipped"]),
            helper.make_node("Pad", ["clipped", "pads"], ["y"], mode="edge"),
        ],
        weights,
    )
    x = network_input(picture(10, 10), 3)
    seed = np.random.default_rng(1).standard_normal(graph.run(x, ["y"])["y"].shape) * 0.1
    places = [(0, 1, 1), (1, 5, 4), (2, 8, 8), (1, 0, 3)]
    gradient = input_gradient(graph, x, seed)[0]
    np.testing.assert_allclose([gradient[p] for p in places], numeric(graph, x, seed, places), atol=2e-3)


def test_what_has_no_derivative_is_named() -> None:
    graph = through([helper.make_node("Erf", ["x"], ["y"])], {})
    with pytest.raises(ModelInvalid, match="Erf has no derivative"):
        input_gradient(graph, network_input(picture(8, 8), 3), np.ones((1, 3, 8, 8)))
    dynamic = through([helper.make_node("Conv", ["x", "x"], ["y"])], {})
    with pytest.raises(ModelInvalid, match="depend on the picture"):
        input_gradient(dynamic, network_input(picture(8, 8)[:, :, :], 3), np.ones((1, 1, 1, 1)))


@pytest.mark.parametrize("more", [0, 5, None])
def test_the_receptive_field_is_the_halo_of_the_card(more: int | None) -> None:
    model = find_model("photo")
    assert model.halo is not None
    halo, side = None if more is None else model.halo + more, 2 * model.halo + 1
    x = network_input(picture(48, 48), 3)
    field = measure_field(Graph(model.data, "p"), x, (1, 3, 96, 96), (49, 46), halo=halo, multiple=1)
    assert field.centre == (24, 23)
    assert field.size == (side, side)
    assert field.box == (24 - model.halo, 23 - model.halo, 25 + model.halo, 24 + model.halo)
    assert 1 <= field.squares[0.5] <= field.squares[0.9] <= field.squares[0.99] <= side
    assert field.influence.sum() == pytest.approx(1.0, abs=0.2)  # a brighter picture becomes brighter by as much


def test_a_field_is_cut_by_the_edge_of_the_picture() -> None:
    field = measure_field(
        Graph(convolutional(), "c"), network_input(picture(16, 16), 3), (1, 3, 32, 32), (0, 31), halo=3, multiple=4
    )
    assert field.box == (0, 12, 4, 16)
    assert field.as_json(2)["box"] == [-2, 10, 2, 14]
    assert field.as_json(2)["output_pixel"] == [-4, 27]


def test_zero_is_white_and_signs_have_their_colours() -> None:
    colors = colors_of(np.array([[0.0, 1.0, -1.0, 9.0]]), 1.0)
    assert colors[0, 0].tolist() == [255, 255, 255]
    assert colors[0, 1, 0] > colors[0, 1, 2]
    assert colors[0, 2, 2] > colors[0, 2, 0]
    np.testing.assert_array_equal(colors[0, 3], colors[0, 1])
    assert (colors_of(np.zeros((2, 2)), 0.0) == 255).all()


def test_maps_are_fitted_and_dead_ones_counted() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert fitted(values, 9).shape == (6, 8)
    assert fitted(values, 4) is not None
    assert fitted(values, 2).shape == (2, 2)
    maps = np.stack([values, np.zeros_like(values), np.full_like(values, 3.0)])
    assert dead_maps(maps).tolist() == [False, True, True]
    assert dead_maps(np.zeros((2, 3, 3))).all()
    assert dead_maps(np.array([[[0.0]], [[-0.5]]])).tolist() == [True, False]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 12, 32, 56, 64, 128, 512])
def test_grids_have_few_empty_places(count: int) -> None:
    columns = columns_for(count, 10, 10)
    assert 1 <= columns <= count
    assert -count % columns <= columns / 2


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 200, 10), (40, 3, 90), (2, 900, 900)])
def test_any_maps_have_a_sheet(shape: tuple[int, int, int]) -> None:
    maps = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for same in (False, True):
        assert 0 < maps_sheet("name", "kind", maps, same=same).width < 3200


@pytest.mark.parametrize("channels", [1, 3])
def test_filters_are_shown_in_squares(channels: int) -> None:
    weight = np.zeros((5, channels, 3, 3), np.float32)
    weight[1, 0, 0, 0] = 1.0
    assert filters_sheet("first", "kind", weight).width > 3 * 96


def test_the_part_of_a_picture() -> None:
    graph = Graph(nearest(), "n")
    assert choose_area("16", 40, 52, graph) == Area(18, 12, 16, 16)
    assert choose_area("20x10", 40, 52, graph) == Area(16, 15, 20, 10)
    assert choose_area("20x10+40+35", 40, 52, graph) == Area(40, 35, 12, 5)
    assert choose_area("0", 40, 52, graph) == Area(0, 0, 52, 40)
    assert choose_area("900", 40, 52, graph) == Area(0, 0, 52, 40)
    assert choose_area("15", 40, 52, Graph(nearest(multiple="4"), "n")) == Area(18, 12, 12, 12)
    for text in ("", "a", "-3", "3x", "5+1", "20x10+60+0"):
        with pytest.raises(UsageError, match="--crop"):
            choose_area(text, 40, 52, graph)


def test_a_network_of_one_size_gets_that() -> None:
    model = onnx.load_from_string(nearest())
    for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, 20, 24), strict=True):
        dim.dim_value = size
    graph = Graph(model.SerializeToString(), "fixed")
    assert choose_area("128", 40, 52, graph) == Area(14, 10, 24, 20)
    with pytest.raises(UsageError, match="takes 24x20 pixels"):
        choose_area("128", 16, 52, graph)


def test_maps_of_any_size_are_cut_to_the_part() -> None:
    rows = np.arange(60, dtype=np.float32)[None, :, None].repeat(64, 2)
    assert middle(rows, (40, 44), 1.0)[0, [0, -1], 0].tolist() == [10, 49]
    assert middle(rows.repeat(2, 1).repeat(2, 2), (40, 44), 2.0).shape == (1, 80, 88)
    assert middle(rows[:, ::2, ::2], (40, 44), 0.5).shape == (1, 20, 22)
    assert middle(rows[:, 3:-3, 3:-3], (40, 44), 1.0)[0, [0, -1], 0].tolist() == [10, 49]
    assert middle(np.zeros((5, 1, 1), np.float32), (40, 44), 0.0).shape == (5, 1, 1)


def test_ratios_do_not_mind_what_a_network_pads_or_loses() -> None:
    graph = through(
        [
            helper.make_node("Pad", ["x", "pads"], ["wide"], mode="edge"),
            helper.make_node("Conv", ["wide", "down"], ["half"], strides=[2, 2]),
            helper.make_node("GlobalAveragePool", ["half"], ["one"]),
            helper.make_node("Mul", ["half", "one"], ["y"]),
        ],
        {"pads": np.array([0, 0, 40, 40, 0, 0, 40, 40]), "down": np.ones((3, 3, 2, 2), np.float32)},
    )
    assert map_ratios(graph, ["wide", "half", "one", "y"]) == {"wide": 1.0, "half": 0.5, "one": 0.0, "y": 0.5}


def test_everything_is_written(tmp_path: Path) -> None:
    color, graph = picture(64, 80), open_graph("photo-x2")
    area = choose_area("32x24+10+20", 64, 80, graph)
    index = draw_features(graph, color, area, tmp_path, Look(picture="a.png"))
    assert json.loads((tmp_path / "index.json").read_text()) == index
    assert [layer["file"] for layer in index["layers"]][:2] == ["01-head.png", "02-body.0.png"]
    assert {(layer["width"], layer["height"]) for layer in index["layers"]} == {(32, 24)}
    assert index["layers"][0]["min"] < 0 < index["layers"][0]["max"]
    assert index["receptive_field"]["size"] == [2 * (find_model("photo-x2").halo or 0) + 1] * 2
    assert index["receptive_field"]["output_pixel"] == [32, 24]
    files = [index["filters"], index["receptive_field"]["file"], *(layer["file"] for layer in index["layers"])]
    assert all(read_image(tmp_path / file).width > 100 for file in files)
    np.testing.assert_array_equal(read_image(tmp_path / "input.png").color, color[20:44, 10:42])
    assert read_image(tmp_path / "output.png").color.shape == (48, 64, 3)


def test_maps_are_those_of_the_whole_picture(tmp_path: Path) -> None:
    """A part is computed from all around it, so it has no border of its own."""
    color, graph = picture(64, 80), open_graph("photo-x2")
    (tmp_path / "part").mkdir()
    draw_features(graph, color, Area(10, 20, 32, 24), tmp_path / "part")
    (tmp_path / "all").mkdir()
    draw_features(graph, color, Area(0, 0, 80, 64), tmp_path / "all")
    part, whole = (read_image(tmp_path / name / "output.png").color for name in ("part", "all"))
    assert np.abs(part.astype(int) - whole[40:88, 20:84]).max() <= 1


def test_every_operator_may_be_looked_at_and_a_missing_field_is_said(tmp_path: Path) -> None:
    data = nearest(after=[helper.make_node("Erf", ["enlarged"], ["y"])])
    said: list[str] = []
    index = draw_features(
        Graph(data, "odd"), picture(16, 16), Area(0, 0, 16, 16), tmp_path, Look(everything=True), say=said.append
    )
    assert [layer["kind"] for layer in index["layers"]] == ["Resize", "Erf"]
    assert index["receptive_field"] is None
    assert "Erf" in said[0]
    assert index["filters"] is None


def test_grey_networks_get_luma() -> None:
    grey = network_input(picture(8, 8), 1)
    assert grey.shape == (1, 1, 8, 8)
    assert network_input(picture(8, 8)[..., :1], 3).shape == (1, 3, 8, 8)
    deep = network_input((picture(8, 8).astype(np.uint16) * 257), 3)
    np.testing.assert_allclose(deep, network_input(picture(8, 8), 3), atol=1e-6)


def test_networks_of_other_shapes_are_refused() -> None:
    model = onnx.load_from_string(nearest())
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    with pytest.raises(ModelInvalid, match="grey or RGB"):
        Graph(model.SerializeToString(), "n")
    model = onnx.load_from_string(nearest())
    model.graph.output.append(onnx.ValueInfoProto(name="enlarged"))
    with pytest.raises(ModelInvalid, match="one picture"):
        Graph(model.SerializeToString(), "n")
    model = onnx.load_from_string(convolutional())
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.zeros((2, 5, 3, 3), np.float32), "w0"))
    with pytest.raises(ModelInvalid, match="cannot run"):
        Graph(model.SerializeToString(), "n").run(network_input(picture(), 3), ["y"])
