"""What can be known about an ONNX file without loading it into a runtime: its metadata, and whether it is whole and
alone.

ONNX files are protocol-buffer messages. The few fields looked at here are read from the wire format itself, which
takes a millisecond and needs no `onnx` package; everything else is stepped over. A weight that lies in another file
("external data") is found wherever ONNX allows one, because runtimes would open whatever path the model names.

Source: https://protobuf.dev/programming-guides/encoding, onnx/onnx.proto3.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from kakudai.errors import ModelInvalid

Field: TypeAlias = tuple[int, int | memoryview]

MAX_DEPTH = 24
"""Graphs inside nodes inside graphs: more than any network has, few enough for Python's stack."""

MAX_FIELDS = 2_000_000
"""A file of nothing but tiny fields would keep a reader busy for minutes; the largest networks have a tenth of this."""

MAX_KEY = (1 << 32) - 1
"""The largest key of a field. Parsers in C++ drop the bits above, and would see another field than this one does."""

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
        reader, message = Reader(), memoryview(data)
        entries = [value for number, value in reader.fields(message) if number == METADATA]
        if not any(number == GRAPH for number, _ in reader.fields(message)):
            raise ModelInvalid(f"{name} is not an ONNX network", "accepted are ONNX files made by kakudai")
        if reader.has_external_data(message, "model", 0):
            raise ModelInvalid(
                f"{name} keeps weights in other files", "save the network as one ONNX file and import that"
            )
        return dict(reader.entry(value) for value in entries)
    except ValueError as error:
        raise ModelInvalid(
            f"{name} is not an ONNX network, or is truncated: {error}", "fetch or export it again"
        ) from error


@dataclass(slots=True)
class Reader:
    """Steps through the messages of one file.

    Args:
        left: How many fields it may still look at.
    """

    left: int = MAX_FIELDS

    def fields(self, message: memoryview) -> Iterator[Field]:
        """Yield (field number, integer) for whole numbers, (field number, bytes) for all else.

        Raises:
            ValueError: The message is damaged, or there are too many fields.
        """
        for field in _fields(message):
            self.left -= 1
            if self.left < 0:
                raise ValueError(f"it has more than {MAX_FIELDS} fields")
            yield field

    def has_external_data(self, message: memoryview, kind: str, depth: int) -> bool:
        """Say whether a tensor inside a message of that kind lies in another file."""
        if depth > MAX_DEPTH:
            raise ValueError(f"messages are nested more than {MAX_DEPTH} deep")
        if kind == "tensor":
            return any(
                number == EXTERNAL_DATA or (number == DATA_LOCATION and value != 0)
                for number, value in self.fields(message)
            )
        inside = NESTED[kind]
        return any(
            self.has_external_data(value, inside[number], depth + 1)
            for number, value in self.fields(message)
            if number in inside and isinstance(value, memoryview)
        )

    def entry(self, value: int | memoryview) -> tuple[str, str]:
        """Read a StringStringEntryProto."""
        if not isinstance(value, memoryview):
            raise ValueError("metadata is not a message")  # noqa: TRY004 - a fault of the file, not of the caller
        texts = {number: bytes(text).decode() for number, text in self.fields(value) if isinstance(text, memoryview)}
        return texts.get(1, ""), texts.get(2, "")


def _fields(message: memoryview) -> Iterator[Field]:
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        if key > MAX_KEY:
            raise ValueError(f"the key of a field is {key} at byte {position}")
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
