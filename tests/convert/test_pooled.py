"""convert/pooled.py and convert/reach.py: averages that tiles can give, and how far a network looks."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from tests.pooled_models import valley
from tests.small_models import convolutional, nearest

from kakudai.convert.card import Converted, finish
from kakudai.convert.graph import GraphBuilder
from kakudai.convert.pooled import make_pools_exact
from kakudai.convert.reach import SIDE, layout
from kakudai.convert.torch_export import to_onnx
from kakudai.convert.walk import UnknownGeometry
from kakudai.models.catalogue import model_from_bytes
from kakudai.models.pools import Pools
from kakudai.networks.waifu2x import Waifu2x


def session(data: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def cunet() -> bytes:
    torch.manual_seed(0)
    return to_onnx(Waifu2x(variant="upcunet").eval())


def some_means(pools: Pools) -> dict[str, np.ndarray]:
    """Return averages for upcunet, so that no feature depends on far ones."""
    channels = zip(pools.averages, (64, 128, 128, 64), strict=True)
    return {f"{average.name}.mean": np.full((1, count, 1, 1), 0.1, np.float32) for average, count in channels}


def picture(*size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((1, 3, *size), np.float32)


def test_the_rewritten_network_computes_the_same(cunet: bytes) -> None:
    rewritten, pools = make_pools_exact(onnx.load_from_string(cunet))
    assert pools is not None
    onnx.checker.check_model(rewritten, full_check=True)
    x = np.concatenate([picture(40, 36), 0.5 * picture(40, 36, seed=1)])
    expected = session(cunet).run(None, {"x": x})[0]
    after = session(rewritten.SerializeToString())
    assert [entry.name for entry in after.get_inputs()] == ["x"]
    np.testing.assert_allclose(after.run(["y"], {"x": x})[0], expected, atol=2e-6)


def test_upcunet_is_measured_as_its_authors_say(cunet: bytes) -> None:
    """Its margin is 18 pixels, and its four averages follow one another."""
    _, pools = make_pools_exact(onnx.load_from_string(cunet))
    assert (pools.halo, pools.seamless, pools.added) == (18, True, 18)
    assert [(float(a.ratio), a.level) for a in pools.averages] == [(2, 0), (1, 1), (2, 2), (1, 3)]


def test_features_lie_where_the_layout_says(cunet: bytes) -> None:
    """A window that begins four pixels later sees the same features, shifted by as many as there are in four pixels."""
    rewritten, pools = make_pools_exact(onnx.load_from_string(cunet))
    x, run = picture(80, 80), session(rewritten.SerializeToString())
    fixed = some_means(pools)
    for average in pools.averages:
        step = int(4 / average.ratio)
        first = int(20 / average.ratio)  # clean in both
        seen = []
        for start in (0, 4):
            at = first + step - start // 4 * step
            given = {f"{average.name}.start": np.array([at, at]), f"{average.name}.end": np.array([at + 1, at + 2])}
            given |= {name: value for name, value in fixed.items() if not name.startswith(average.name)}
            seen.append(run.run([f"{average.name}.seen"], {"x": x[:, :, start:, start:], **given})[0])
        np.testing.assert_allclose(seen[0], seen[1], atol=1e-5)
        size = int(80 / average.ratio) + average.extra
        for end, fine in ((size, True), (size + 1, False)):
            given = {f"{average.name}.start": np.array([end - 1] * 2), f"{average.name}.end": np.array([end] * 2)}
            assert run.run([f"{average.name}.seen"], {"x": x, **given})[0].any() == fine


def test_a_network_that_is_told_not_to_pad_gives_the_middle_of_the_same(cunet: bytes) -> None:
    rewritten, pools = make_pools_exact(onnx.load_from_string(cunet))
    run, fixed = session(rewritten.SerializeToString()), some_means(pools)
    x = picture(80, 84)
    padded = run.run(["y"], {"x": x, **fixed})[0]
    bare = run.run(["y"], {"x": x, **fixed, pools.pads: np.zeros(8, np.int64)})[0]
    edge = 2 * pools.added
    assert bare.shape == (1, 3, 160 - 2 * edge, 168 - 2 * edge)
    np.testing.assert_allclose(bare, padded[..., edge:-edge, edge:-edge], atol=1e-5)


@pytest.mark.parametrize(("sides", "added"), [((2, 2, 2, 2), 2), ((4, 4, 0, 0), 0)])
def test_padding_is_left_to_tiles_where_it_is_the_same_on_all_sides(sides: tuple[int, ...], added: int) -> None:
    build = GraphBuilder()
    x = build.pad_edge(build.input, sides)
    y = build.conv(x, np.ones((3, 3, 5, 5), np.float32))
    y = build.multiply(y, build.sigmoid(build.global_average_pool(y)))
    _, pools = make_pools_exact(build.model(y))
    assert pools.added == added


def test_what_is_said_to_be_clean_is_clean_and_what_is_not_is_not(cunet: bytes) -> None:
    """Averages being given, the output at `halo` pixels from the border does not depend on what is outside."""
    rewritten, pools = make_pools_exact(onnx.load_from_string(cunet))
    run = session(rewritten.SerializeToString())
    fixed = some_means(pools)
    x = picture(96, 96)
    x[..., :20] *= 1e6
    large, small = (run.run(["y"], {"x": part, **fixed})[0] for part in (x, x[:, :, :, 20:]))
    difference = np.abs(large[..., 40:] - small).max(axis=(0, 1, 2))
    assert difference[2 * pools.halo :].max() < 1e-4
    assert difference[2 * pools.halo - 4 : 2 * pools.halo].max() > 1e-4


@pytest.mark.parametrize(("data", "halo"), [(convolutional(), 3), (nearest(), 0)])
def test_the_reach_of_plain_networks(data: bytes, halo: int) -> None:
    output = layout(onnx.load_from_string(data)).output
    assert (output.first, output.tail, output.size) == (2 * halo, 2 * halo, 2 * SIDE)


def test_strides_and_shuffles_make_a_multiple() -> None:
    """Known by hand: 2 pixels, then two features of 2, then the square of 4 that an unclean one lies in."""
    build = GraphBuilder()
    x = build.conv(build.input, np.ones((4, 3, 5, 5), np.float32), pad=2)
    x = build.conv(build.space_to_depth(x, 2, 4), np.ones((4, 16, 3, 3), np.float32), pad=1)
    x = build.resize(build.conv(x, np.ones((4, 4, 2, 2), np.float32), stride=2), 2)
    y = build.depth_to_space(build.conv(x, np.ones((12, 4, 1, 1), np.float32)), 2)
    plan = layout(build.model(y))
    assert plan.multiple == 4
    assert plan.output.size == SIDE
    assert (plan.output.first, plan.output.tail) == (4, 4)


def unknown(kind: str) -> onnx.ModelProto:
    build = GraphBuilder()
    mean = build.global_average_pool(build.input)
    if kind == "softmax":
        y = build.unary("Softmax", build.multiply(build.input, mean), axis=3)
    elif kind == "place":
        y = build.add(build.multiply(build.input, mean), build.constant(np.ones((1, 3, 8, 8), np.float32)))
    else:
        y = build.add(build.input, build.resize(build.input, 2))
    return build.model(y)


@pytest.mark.parametrize("kind", ["softmax", "place", "sizes"])
def test_what_is_not_known_is_left_alone(kind: str) -> None:
    model = unknown(kind)
    with pytest.raises(UnknownGeometry):
        layout(model)
    same, pools = make_pools_exact(model)
    assert pools is None
    assert same == model


def test_a_network_without_averages_is_left_alone() -> None:
    model = onnx.load_from_string(convolutional())
    assert make_pools_exact(model) == (model, None)


def test_other_ways_to_write_an_average_are_found() -> None:
    """ReduceMean over both axes, with and without keeping them; a mean over channels is none."""
    for keeps in (0, 1):
        graph = helper.make_graph(
            [
                helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=keeps),
                helper.make_node("Reshape", ["mean", "shape"], ["factor"]),
                helper.make_node("Mul", ["x", "factor"], ["y"]),
            ],
            "test",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, "h", "w"])],
            [
                helper.make_tensor("axes", TensorProto.INT64, [2], [-2, 3]),
                helper.make_tensor("shape", TensorProto.INT64, [4], [-1, 3, 1, 1]),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        rewritten, pools = make_pools_exact(model)
        assert [(a.ratio, a.extra, a.level) for a in pools.averages] == [(1, 0, 0)]
        x = picture(5, 7)
        result = session(rewritten.SerializeToString()).run(["y"], {"x": x})[0]
        np.testing.assert_allclose(result, x * x.mean(axis=(2, 3), keepdims=True), rtol=1e-5)


def test_a_branch_with_strides_makes_tiles_begin_at_multiples_of_them() -> None:
    build = GraphBuilder()
    mean = build.global_average_pool(build.conv(build.input, np.ones((3, 3, 2, 2), np.float32), stride=2))
    y = build.multiply(build.input, build.sigmoid(mean))
    card = {"name": "test", "scale": "1", "halo": "none", "multiple": "1"}
    model = model_from_bytes(finish(Converted(build.model(y), card)), "test")
    assert model.multiple == 2
    assert [average.ratio for average in model.pools.averages] == [2]


def test_a_finished_file_carries_what_the_engine_needs() -> None:
    model = model_from_bytes(valley(), "test")
    assert model.halo is None
    assert model.border == "edge"
    assert model.pools.seamless
    assert [average.level for average in model.pools.averages] == [0, 1]
    padded = model_from_bytes(valley(padded=True), "test")
    assert not padded.pools.seamless
