"""One large matrix product as an ONNX file, written byte by byte: the core install has no package that could.

In float32 it is a single MatMul by a constant. In int8 both factors are numbers of 8 bits, unsigned and signed, that
QuantizeLinear and DequantizeLinear stand around: that is the form in which networks of 8-bit numbers are shipped, and
which runtimes replace by their fastest kernels.

Source: https://protobuf.dev/programming-guides/encoding, onnx/onnx.proto3.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT, UINT8, INT8 = 1, 2, 3
"""TensorProto.DataType."""

KINDS = {"float32": FLOAT, "uint8": UINT8, "int8": INT8}

IR_VERSION, OPSET = 9, 18


def matrix_product(size: int, precision: str) -> bytes:
    """Write a network that multiplies its input by a constant.

    Shape: x (1, 1, size, size) float32 in [0, 1] -> the same.

    Args:
        size: Rows and columns; a run takes size^3 multiply-adds.
        precision: "float32" or "int8".
    """
    rng = np.random.default_rng(0)
    if precision == "float32":
        nodes = [_node("MatMul", ("x", "w"), "y")]
        tensors = {"w": rng.standard_normal((size, size)).astype(np.float32)}
    else:
        nodes = [
            _node("QuantizeLinear", ("x", "step", "middle"), "short"),
            _node("DequantizeLinear", ("short", "step", "middle"), "a"),
            _node("DequantizeLinear", ("w", "step", "zero"), "b"),
            _node("MatMul", ("a", "b"), "y"),
        ]
        tensors = {
            "step": np.array(1 / 255, np.float32),
            "middle": np.array(0, np.uint8),
            "zero": np.array(0, np.int8),
            "w": rng.integers(-127, 128, (size, size), np.int8),
        }
    shape = (1, 1, size, size)
    graph = b"".join(_bytes(1, node) for node in nodes) + _text(2, "product")
    graph += b"".join(_bytes(5, _tensor(name, values)) for name, values in tensors.items())
    graph += _bytes(11, _value("x", shape)) + _bytes(12, _value("y", shape))
    return _number(1, IR_VERSION) + _bytes(7, graph) + _bytes(8, _text(1, "") + _number(2, OPSET))


def _node(kind: str, inputs: Sequence[str], output: str) -> bytes:
    return b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, kind)


def _tensor(name: str, values: NDArray[Any]) -> bytes:
    dims = b"".join(_number(1, side) for side in values.shape)
    return dims + _number(2, KINDS[values.dtype.name]) + _text(8, name) + _bytes(9, values.tobytes())


def _value(name: str, shape: Sequence[int]) -> bytes:
    dims = b"".join(_bytes(1, _number(1, side)) for side in shape)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, FLOAT) + _bytes(2, dims)))


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)
