"""What can be known about an ONNX file without loading it into a runtime: its metadata, and whether it is whole and
alone.

ONNX files are protocol-buffer messages. The few fields looked at here are read from the wire format itself, which
takes a millisecond and needs no `onnx` package; everything else is stepped over. A weight that lies in another file
("external data") is found wherever ONNX allows one, because runtimes would open whatever path the model names.

Source: https://protobuf.dev/programming-guides/encoding, onnx/onnx.proto3.
"""

from collections.abc import Iterator
from typing import TypeAlias

from kakudai.errors import ModelInvalid

Field: TypeAlias = tuple[int, int | memoryview]

MAX_DEPTH = 24
"""Graphs inside nodes inside graphs: more than any network has, few enough for Python's stack."""

GRAPH, METADATA, TRAINING, FUNCTIONS = 7, 14, 20, 25
"""Fields of ModelProto."""

NESTED: dict[str, dict[int, str]] = {
    "model": {GRAPH: "graph", TRAINING: "training", FUNCTIONS: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
"""For each kind of message, the fields that hold messages in which a tensor can be."""

EXTERNAL_DATA, DATA_LOCATION = 13, 14
"""Fields of TensorProto."""


def read_metadata(data: bytes, name: str) -> dict[str, str]:
    """Return the `metadata_props` of an ONNX file.

    Args:
        data: The whole file.
        name: What to call it in errors.

    Raises:
        ModelInvalid: It is no ONNX file, is truncated, or keeps weights in other files.
    """
    try:
        message = memoryview(data)
        fields = list(_fields(message))
        if not any(number == GRAPH for number, _ in fields):
            raise ModelInvalid(f"{name} is not an ONNX network", "accepted are ONNX files made by kakudai")
        if _has_external_data(message, "model", 0):
            raise ModelInvalid(
                f"{name} keeps weights in other files", "save the network as one ONNX file and import that"
            )
        return dict(_entry(value) for number, value in fields if number == METADATA)
    except (ValueError, UnicodeDecodeError) as error:
        raise ModelInvalid(
            f"{name} is not an ONNX network, or is truncated: {error}", "fetch or export it again"
        ) from error


def _fields(message: memoryview) -> Iterator[Field]:
    """Step through one message: (field number, integer) for scalars, (field number, bytes) for strings and messages."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield number, value
            continue
        if kind == 2:
            size, position = _varint(message, position)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind} at byte {position}")
        if number == 0 or position + size > len(message):
            raise ValueError(f"field {number} of {size} bytes ends after the file")
        yield number, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Read a variable-length integer; return it and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            break
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError(f"an integer does not end at byte {position}")


def _has_external_data(message: memoryview, kind: str, depth: int) -> bool:
    if depth > MAX_DEPTH:
        raise ValueError(f"messages are nested more than {MAX_DEPTH} deep")
    if kind == "tensor":
        return any(
            number == EXTERNAL_DATA or (number == DATA_LOCATION and value != 0) for number, value in _fields(message)
        )
    inside = NESTED[kind]
    return any(
        _has_external_data(value, inside[number], depth + 1)
        for number, value in _fields(message)
        if number in inside and isinstance(value, memoryview)
    )


def _entry(value: int | memoryview) -> tuple[str, str]:
    """Read a StringStringEntryProto."""
    if not isinstance(value, memoryview):
        raise ValueError("metadata is not a message")  # noqa: TRY004 - a fault of the file, not of the caller
    texts = {number: bytes(text).decode() for number, text in _fields(value) if isinstance(text, memoryview)}
    return texts.get(1, ""), texts.get(2, "")
