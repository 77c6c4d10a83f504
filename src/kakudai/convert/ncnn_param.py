"""Read ncnn's two files: the .param, lines of text that say what the layers are, and the .bin, their weights.

A line is `kind name inputs outputs input-names... output-names... key=value...`; the keys are numbers. An array has the
key -23300 - k and begins with its length. The .bin has the weights of all layers one after the other, without names or
sizes: their number follows from the .param. The large ones begin with four bytes that say how they are stored.

Source: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure, checked against the package ncnn.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakudai.errors import ModelInvalid

MAGIC = "7767517"
MAX_LAYERS = 5_000
MAX_NAME = 200
MAX_TEXT = 16 << 20
"""Characters of a .param; those of large networks have a hundredth."""

FLOAT16, FLOAT32, INT8 = 0x01306B47, 0x0002C056, 0x000D4B38
"""How large weights can be stored, beside 0 for float32 and anything else for a table of 256 values."""

ARRAY_KEY = -23300
MAX_ARRAY = 4096
FROM_INPUT = -233
"""A size that is said by an input and not by the file."""

Value: TypeAlias = int | float | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of an ncnn network.

    Args:
        kind: What ncnn calls it, such as "Convolution".
        name: Its own name.
        inputs: Names of the blobs it takes.
        outputs: Names of the blobs it makes.
        settings: Key -> number or numbers.
        weights: What the .bin has for it, each flat, in the order of the file.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: dict[int, Value]
    weights: tuple[NDArray[np.float32], ...] = field(default=(), repr=False)

    def whole(self, key: int, default: int = 0, *, low: int = -(2**31), high: int = 2**31) -> int:
        """Return a setting that is a whole number.

        Raises:
            ModelInvalid: It is none, or out of range.
        """
        value = self.settings.get(key, default)
        if isinstance(value, tuple) or value != int(value) or not low <= value <= high:
            raise ModelInvalid(f"layer {self.name!r} ({self.kind}) has {key}={value}, which makes no sense", HINT)
        return int(value)

    def number(self, key: int, default: float = 0.0) -> float:
        """Return a setting that is any number."""
        value = self.settings.get(key, default)
        if isinstance(value, tuple):
            raise ModelInvalid(f"layer {self.name!r} ({self.kind}) has several numbers for {key}", HINT)
        return float(value)

    def numbers(self, key: int) -> tuple[float, ...]:
        """Return a setting that is an array; empty where it is missing."""
        value = self.settings.get(key, ())
        return value if isinstance(value, tuple) else (float(value),)

    def flag(self, key: int) -> bool:
        """Return a setting that is 0 or 1."""
        return bool(self.whole(key, 0, low=0, high=1))


HINT = "fetch the .param and the .bin of the same model again"

Sizes: TypeAlias = tuple[tuple[int, bool], ...]
"""For each weight of a layer: how many numbers, and whether it begins with four bytes that say how they are stored."""


def _of_convolution(layer: Layer) -> Sizes:
    computed = layer.whole(28 if layer.kind.startswith("Deconvolution") else 19)
    if layer.whole(8) or computed:
        raise ModelInvalid(
            f"layer {layer.name!r} ({layer.kind}) is quantised to int8, or its weights are computed",
            "take the float16 or float32 files of this model",
        )
    return _with_bias(layer, layer.whole(6, low=1), bias=layer.flag(5))


def _of_inner_product(layer: Layer) -> Sizes:
    if layer.whole(8):
        raise ModelInvalid(
            f"layer {layer.name!r} ({layer.kind}) is quantised to int8", "take the float16 or float32 files"
        )
    return _with_bias(layer, layer.whole(2, low=1), bias=layer.flag(1))


def _with_bias(layer: Layer, weights: int, *, bias: bool) -> Sizes:
    outputs = layer.whole(0, low=1)
    return ((weights, True), (outputs, False)) if bias else ((weights, True),)


def _of_scale(layer: Layer) -> Sizes:
    size = layer.whole(0)
    if size == FROM_INPUT:
        return ()
    size = layer.whole(0, low=1)
    return ((size, False), (size, False)) if layer.flag(1) else ((size, False),)


def _of_batch_norm(layer: Layer) -> Sizes:
    return ((layer.whole(0, low=1), False),) * 4


def _of_padding(layer: Layer) -> Sizes:
    size = layer.whole(6, low=0)
    return ((size, True),) if size else ()


def _none(_layer: Layer) -> Sizes:
    return ()


KINDS: dict[str, Callable[[Layer], Sizes]] = {
    "BatchNorm": _of_batch_norm,
    "BinaryOp": _none,
    "Clip": _none,
    "Concat": _none,
    "Convolution": _of_convolution,
    "ConvolutionDepthWise": _of_convolution,
    "Crop": _none,
    "Deconvolution": _of_convolution,
    "DeconvolutionDepthWise": _of_convolution,
    "Dropout": _none,
    "Eltwise": _none,
    "InnerProduct": _of_inner_product,
    "Input": _none,
    "Interp": _none,
    "Noop": _none,
    "PReLU": lambda layer: ((layer.whole(0, low=1), False),),
    "Padding": _of_padding,
    "PixelShuffle": _none,
    "Pooling": _none,
    "ReLU": _none,
    "Reorg": _none,
    "Scale": _of_scale,
    "Sigmoid": _none,
    "Split": _none,
    "TanH": _none,
}
"""The kinds of layers that are read, and how many weights each has."""


def read_ncnn(param: str, weights: bytes, name: str) -> list[Layer]:
    """Read both files.

    Args:
        name: What to call the model in errors.

    Raises:
        ModelInvalid: The text is no .param, names blobs that do not exist or kinds of layers that are not known; the
            .bin is shorter or longer than the .param says, or has weights that are no numbers.
    """
    layers = read_param(param, name)
    reader, complete = _Weights(weights, name), []
    for layer in layers:
        arrays = tuple(reader.take(size, tagged=tagged, layer=layer) for size, tagged in KINDS[layer.kind](layer))
        complete.append(replace(layer, weights=arrays))
    if reader.position != len(weights):
        raise ModelInvalid(
            f"{name}: the .bin is longer than its .param says, by {len(weights) - reader.position} bytes", HINT
        )
    return complete


def read_param(text: str, name: str) -> list[Layer]:
    """Read a .param.

    Raises:
        ModelInvalid: It is none, names blobs that do not exist or kinds of layers that are not known.
    """
    if len(text) > MAX_TEXT:
        raise ModelInvalid(f"{name}: the .param has {len(text)} characters", "no network for this program is so large")
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines or lines[0] != [MAGIC]:
        raise ModelInvalid(f"{name} is not an ncnn .param: its first line is not {MAGIC}", "binary .param are not read")
    count = _number(lines[1][0]) if len(lines) > 1 and len(lines[1]) == 2 else None
    if count != len(lines) - 2:
        raise ModelInvalid(f"{name}: the .param has {max(0, len(lines) - 2)} layers and says {count}; is it cut?", HINT)
    if not 0 < count <= MAX_LAYERS:
        raise ModelInvalid(f"{name}: the .param has {count} layers, accepted are 1 to {MAX_LAYERS}", HINT)
    layers, known = [], set[str]()
    for number, words in enumerate(lines[2:], 3):
        layer = _layer(words, f"{name}, line {number}")
        for blob in layer.inputs:
            if blob not in known:
                raise ModelInvalid(f"{name}: layer {layer.name!r} takes {blob!r}, which no layer before it makes", HINT)
        for blob in layer.outputs:
            if blob in known:
                raise ModelInvalid(f"{name}: two layers make {blob!r}", HINT)
            known.add(blob)
        layers.append(layer)
    unknown = sorted({layer.kind for layer in layers} - set(KINDS))
    if unknown:
        raise ModelInvalid(
            f"{name} has kinds of layers that are not known here: {', '.join(unknown)[:200]}",
            f"known are {', '.join(sorted(KINDS))}",
        )
    return layers


def _layer(words: list[str], where: str) -> Layer:
    counts = [_number(word) for word in words[2:4]]
    if len(words) < 4 or any(not isinstance(n, int) or not 0 <= n <= len(words) for n in counts):
        raise ModelInvalid(f"{where} is no layer: {' '.join(words)[:80]!r}", HINT)
    inputs, outputs = (int(n) for n in counts if n is not None)
    blobs, settings = words[4 : 4 + inputs + outputs], {}
    if len(blobs) != inputs + outputs or any("=" in blob for blob in blobs):
        raise ModelInvalid(f"{where} promises {inputs} inputs and {outputs} outputs and names others", HINT)
    if max(map(len, (*words[:2], *blobs))) > MAX_NAME:
        raise ModelInvalid(f"{where} has a name of more than {MAX_NAME} characters", HINT)
    for word in words[4 + inputs + outputs :]:
        key, value = _setting(word, where)
        settings[key] = value
    return Layer(words[0], words[1], tuple(blobs[:inputs]), tuple(blobs[inputs:]), settings)


def _setting(word: str, where: str) -> tuple[int, Value]:
    before, equals, after = word.partition("=")
    key, values = _number(before), [_number(part) for part in after.split(",")]
    if not equals or not isinstance(key, int) or None in values:
        raise ModelInvalid(f"{where} has the setting {word[:40]!r}, which is not key=number", HINT)
    numbers = [value for value in values if value is not None]
    if key > ARRAY_KEY:
        if len(numbers) != 1:
            raise ModelInvalid(f"{where} has several numbers in {word[:40]!r}", HINT)
        return key, numbers[0]
    if numbers[0] != len(numbers) - 1 or len(numbers) > MAX_ARRAY:
        raise ModelInvalid(f"{where} has an array of another length than it says: {word[:40]!r}", HINT)
    return ARRAY_KEY - key, tuple(float(number) for number in numbers[1:])


def _number(word: str) -> int | float | None:
    """Read a number of the .param; None where it is none."""
    try:
        value = float(word)
        if not math.isfinite(value) or len(word) > 64:
            return None
        return int(word) if word.removeprefix("-").isdecimal() else value
    except ValueError:
        return None


class _Weights:
    """A .bin that is read from its start to its end."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name, self.position = data, name, 0

    def take(self, count: int, *, tagged: bool, layer: Layer) -> NDArray[np.float32]:
        """Read the next `count` numbers."""
        tag = int.from_bytes(self._bytes(4, layer), "little") if tagged else 0
        if tag == INT8:
            raise ModelInvalid(
                f"{self.name}: layer {layer.name!r} is quantised to int8", "take the float16 or float32 files"
            )
        if tag == FLOAT16:
            values = np.frombuffer(self._bytes(_aligned(2 * count), layer), "<f2")[:count].astype(np.float32)
        elif tag in (0, FLOAT32):
            values = np.frombuffer(self._bytes(4 * count, layer), "<f4").astype(np.float32)
        else:
            table = np.frombuffer(self._bytes(4 * 256, layer), "<f4").astype(np.float32)
            values = table[np.frombuffer(self._bytes(_aligned(count), layer), np.uint8)[:count]]
        if not np.isfinite(values).all():
            raise ModelInvalid(f"{self.name}: layer {layer.name!r} has weights that are not numbers", HINT)
        return values

    def _bytes(self, count: int, layer: Layer) -> bytes:
        end = self.position + count
        if end > len(self.data):
            raise ModelInvalid(
                f"{self.name}: the .bin is too short: layer {layer.name!r} needs {end} bytes of it, there are "
                f"{len(self.data)}",
                HINT,
            )
        part = self.data[self.position : end]
        self.position = end
        return part


def _aligned(count: int) -> int:
    return (count + 3) // 4 * 4
