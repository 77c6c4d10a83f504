"""How a network of somebody else's wants its picture and gives it back: type, layout, range, order of colours."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kakudai.convert.probe import Run

if TYPE_CHECKING:
    from kakudai.convert.graph import GraphBuilder

REVERSED = np.array([2, 1, 0], np.int64)


@dataclass(frozen=True, slots=True)
class Range:
    """Where the values of pixels lie: factor * x + start for x in [0, 1]."""

    name: str
    factor: float
    start: float


KINDS = {kind.name: kind for kind in (Range("0..1", 1.0, 0.0), Range("0..255", 255.0, 0.0), Range("-1..1", 2.0, -1.0))}


@dataclass(frozen=True, slots=True)
class Port:
    """What a network takes and gives.

    Args:
        input: Name of its input.
        output: Name of its output.
        dtype: "float32", "float64" or "uint8".
        channels: 3 or 1, luma; 0 while that is not known.
        channels_last: (N, H, W, C) instead of (N, C, H, W), going in.
        fixed: Declared height and width, 0 for free ones.
        given: Range of its input.
        returned: Range of its output.
        reversed_in: Blue comes first, going in.
        reversed_out: Blue comes first, coming out.
    """

    input: str
    output: str
    dtype: str
    channels: int
    channels_last: bool = False
    fixed: tuple[int, int] = (0, 0)
    given: Range = KINDS["0..1"]
    returned: Range = KINDS["0..1"]
    reversed_in: bool = False
    reversed_out: bool = False

    def __str__(self) -> str:
        layout = "NHWC" if self.channels_last else "NCHW"
        color = "luma" if self.channels == 1 else "BGR" if self.reversed_in else "RGB"
        gives = "" if self.returned == self.given else f", gives {self.returned.name}"
        if self.reversed_out != self.reversed_in:
            gives += ", gives BGR" if self.reversed_out else ", gives RGB"
        return f"{self.input!r} {self.dtype} {layout} {color} {self.given.name}{gives}"

    def forth(self, builder: "GraphBuilder", x: str) -> str:
        """Add the operators from (N, C, H, W) RGB in [0, 1] to what the network takes."""
        if self.reversed_in:
            x = builder.gather(x, REVERSED, axis=1)
        x = _affine(builder, x, self.given.factor, self.given.start)
        if self.dtype == "uint8":
            x = builder.unary("Floor", builder.clip(_affine(builder, x, 1.0, 0.5), 0.0, 255.0))
        if self.dtype != "float32":
            x = builder.cast(x, self.dtype)
        return builder.transpose(x, (0, 2, 3, 1)) if self.channels_last else x

    def back(self, builder: "GraphBuilder", y: str) -> str:
        """Add the operators from what the network gives to (N, C, scale H, scale W) RGB."""
        y = builder.cast(y, "float32")
        if self.channels_last:
            y = builder.transpose(y, (0, 3, 1, 2))
        y = _affine(builder, y, 1 / self.returned.factor, -self.returned.start / self.returned.factor)
        return builder.gather(y, REVERSED, axis=1) if self.reversed_out else y


def _affine(builder: "GraphBuilder", x: str, factor: float, start: float) -> str:
    if factor != 1:
        x = builder.multiply(x, builder.constant(np.float32(factor)))
    return x if start == 0 else builder.add(x, builder.constant(np.float32(start)))


def show(x: NDArray[np.float32], port: Port) -> NDArray[Any]:
    """Bring (C, H, W) RGB in [0, 1] into range and order of a network's input."""
    given = (x[::-1] if port.reversed_in else x) * np.float32(port.given.factor) + np.float32(port.given.start)
    return np.floor(given.clip(0, 255) + np.float32(0.5)) if port.dtype == "uint8" else given


def read(y: NDArray[Any], port: Port) -> NDArray[np.float32]:
    """Bring what a network gives, as (C, H, W), to RGB in [0, 1]; undo `returned` and the order."""
    image = ((y - port.returned.start) / port.returned.factor).astype(np.float32)
    return image[::-1] if port.reversed_out else image


def adapted(raw: Run, port: Port) -> Run:
    """Wrap what runs a network so that it takes and gives (N, C, H, W) of floats, in the network's own range."""

    def run(x: NDArray[Any]) -> NDArray[Any]:
        given = x.transpose(0, 2, 3, 1) if port.channels_last else x
        y = np.asarray(raw(np.ascontiguousarray(given.astype(port.dtype))))
        if y.ndim == 4 and port.channels_last:
            y = y.transpose(0, 3, 1, 2)
        return y.astype(np.float64)

    return run
