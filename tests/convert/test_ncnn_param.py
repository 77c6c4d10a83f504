"""convert/ncnn_param.py: what a .param says, and every way in which it and its .bin can be bad."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.convert.native import FLOAT32, NcnnModel, halves, random, raw

from kakudai.convert.ncnn_file import convert_ncnn
from kakudai.convert.ncnn_param import KINDS, Layer, read_ncnn, read_param
from kakudai.errors import ModelInvalid


def model() -> NcnnModel:
    """A network with most kinds of layers: it enlarges twice."""
    small = NcnnModel()
    small.convolution(8, 3, 3, "4=1 9=2 -23310=1,1.000000e-01")
    one, two = small.split()
    small.layer("Pooling", "0=1 4=1", inputs=(one,))
    flat = small.layer("InnerProduct", "0=8 1=1 2=64 9=4", FLOAT32 + raw(random(8, 8), random(8)))
    small.layer("Scale", "0=-233", inputs=(two, flat))
    small.layer("PReLU", "0=8", raw(random(8)))
    small.layer("Convolution", "0=12 1=1 5=0 6=96", halves(random(12, 8)))
    small.layer("PixelShuffle", "0=2")
    return small


def test_layers_are_read_with_their_weights() -> None:
    weights = random(12, 8)
    small = NcnnModel()
    small.layer("Noop")
    small.layer("Convolution", "0=12 1=1 5=0 6=96 1=2 -23310=2,1.5,-2", halves(weights))
    layers = read_ncnn(small.param, small.weights, "test")
    assert [layer.kind for layer in layers] == ["Input", "Noop", "Convolution"]
    last = layers[2]
    assert (last.inputs, last.outputs) == (("b1",), ("b2",))
    assert last.whole(0) == 12
    assert last.numbers(10) == (1.5, -2.0)
    assert last.number(77, 0.5) == 0.5
    np.testing.assert_array_equal(last.weights[0], weights.astype(np.float16).astype(np.float32).ravel())


def bad(param: str, match: str, weights: bytes = b"") -> None:
    with pytest.raises(ModelInvalid, match=match) as caught:
        read_ncnn(param, weights, "bad")
    assert caught.value.hint
    assert "\n" not in caught.value.message


HEAD = "7767517\n2 2\nInput in 0 1 data\n"


def test_bad_text_is_named() -> None:
    bad("", "its first line is not 7767517")
    bad("7767518\n1 1\nInput in 0 1 data\n", "its first line is not")
    bad("7767517\n", "has 0 layers and says None")
    bad("7767517\n2 2\nInput in 0 1 data\n", "has 1 layers and says 2; is it cut")
    bad("7767517\n0 0\n", "has 0 layers, accepted")
    bad(f"{HEAD}ReLU r 1 1 dato b", "'r' takes 'dato', which no layer before it makes")
    bad(f"{HEAD}ReLU r 1 1 data data", "two layers make 'data'")
    bad(f"{HEAD}ReLU {'r' * 201} 1 1 data b", "line 4 has a name of more than 200 characters")
    bad(f"{HEAD}ReLU r", "line 4 is no layer: 'ReLU r'")
    bad(f"{HEAD}ReLU r -1 1 b", "is no layer")
    bad(f"{HEAD}ReLU r 1 1 data", "promises 1 inputs and 1 outputs")
    bad(f"{HEAD}ReLU r 1 1 data 0=0.1", "promises 1 inputs and 1 outputs")
    bad(f"{HEAD}ReLU r 1 1 data b slope=0.1", "the setting 'slope=0.1', which is not key=number")
    bad(f"{HEAD}ReLU r 1 1 data b 0=nan", "not key=number")
    bad(f"{HEAD}ReLU r 1 1 data b 0", "not key=number")
    bad(f"{HEAD}ReLU r 1 1 data b 0=1,2", "several numbers")
    bad(f"{HEAD}ReLU r 1 1 data b -23310=3,1,2", "an array of another length")
    bad(f"{HEAD}MatMul m 1 1 data b", "kinds of layers that are not known here: MatMul")
    bad("7767517\n99999999 1\nInput in 0 1 data\n", "has 1 layers and says 99999999")
    bad("x" * (17 << 20), "has 17825792 characters")


def test_bad_weights_are_named() -> None:
    small = model()
    param, weights = small.param, small.weights
    assert len(read_ncnn(param, weights, "good")) == 9
    bad(param, "too short: layer 'l7' needs", weights[:-1])
    bad(param, "too short: layer 'l1' needs 4 bytes of it, there are 0")
    bad(param, "longer than its .param says, by 3 bytes", weights + b"abc")
    bad(param, "'l1' has weights that are not numbers", weights[:8] + struct.pack("<f", np.nan) + weights[12:])
    bad(param, "'l1' has weights that are not numbers", weights[:8] + struct.pack("<f", np.inf) + weights[12:])
    bad(param, "'l1' is quantised to int8", struct.pack("<I", 0x000D4B38) + weights[4:])
    huge = param.replace("6=216", "6=2000000000")
    bad(huge, "too short: layer 'l1' needs 8000000004 bytes", weights)
    bad(param.replace("6=216", "6=-1"), "has 6=-1, which makes no sense", weights)
    bad(param.replace("0=8 1=3", "0=8.5 1=3"), "has 0=8.5, which makes no sense", weights)
    bad(param.replace("5=1", "8=1 5=1"), "quantised to int8, or its weights are computed", weights)


def test_every_cut_of_a_good_bin_is_noticed() -> None:
    small = model()
    for size in range(0, len(small.weights), 37):
        with pytest.raises(ModelInvalid, match="too short"):
            read_ncnn(small.param, small.weights[:size], "cut")


def test_settings_are_what_they_are_asked_for() -> None:
    layer = Layer("ReLU", "r", ("a",), ("b",), {0: (1.0, 2.0), 1: 3, 2: 0.5})
    assert layer.numbers(1) == (3.0,)
    for ask in (lambda: layer.whole(0), lambda: layer.number(0), lambda: layer.flag(1), lambda: layer.whole(2)):
        with pytest.raises(ModelInvalid, match="layer 'r'"):
            ask()


GOOD = model()
WORDS = st.sampled_from([
    *KINDS, "data", "b1", "b2", "0", "1", "2", "-1", "0=3", "1=1", "6=9", "0=-233", "4=-233", "-23310=1,0.1", "3=2",
    "0=99999999999", "11=0", "7767517", "x=y", "5=1", "0=1e30", "", "2=255", "3=255", "0=65536",
])  # fmt: skip


def only_model_invalid(param: str, weights: bytes) -> None:
    try:
        convert_ncnn(param, weights, "fuzz")
    except ModelInvalid as error:
        assert error.message  # noqa: PT017 - anything else must get out


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_refused_politely(text: str) -> None:
    with pytest.raises(ModelInvalid):
        read_param(text, "fuzz")
    only_model_invalid(f"7767517\n2 2\nInput in 0 1 data\n{text}", b"")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_are_refused_politely(data: st.DataObject) -> None:
    rows = [row.split() for row in GOOD.param.splitlines()]
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.integers(1, len(rows) - 1))
        place = data.draw(st.integers(0, len(rows[row])))
        rows[row][place : place + data.draw(st.integers(0, 1))] = [data.draw(WORDS)]
    weights = bytearray(GOOD.weights)
    for _ in range(data.draw(st.integers(0, 3))):
        weights[data.draw(st.integers(0, len(weights) - 1))] = data.draw(st.integers(0, 255))
    only_model_invalid("\n".join(" ".join(row) for row in rows), bytes(weights))
