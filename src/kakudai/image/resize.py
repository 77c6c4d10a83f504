"""Separable resampling with the kernels of the field, exact to the convention of MATLAB's `imresize`.

Convention: pixel centres sit at half integers, so output centre x' and input centre x obey x' = scale * (x + 0.5) -
0.5.
    When shrinking with antialiasing, the kernel is stretched by 1/scale. Outside the picture its mirror image
    continues, the edge pixel repeated once ("mirror"), or the edge pixel for ever ("replicate", MATLAB before 2015).

Each output row is a weighted sum of a few input rows: one small vector-matrix product over contiguous memory.
Columns are rows of the transposed picture.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from kakudai.image.color import linear_to_srgb, srgb_to_linear
from kakudai.image.picture import Pixels, full_scale
from kakudai.image.spool import forget

Kernel: TypeAlias = Literal["nearest", "box", "triangle", "bicubic", "lanczos3", "sinc4"]
Border: TypeAlias = Literal["mirror", "replicate"]

SUPPORT: dict[Kernel, float] = {
    "nearest": 0.5,
    "box": 0.5,
    "triangle": 1.0,
    "bicubic": 2.0,
    "lanczos3": 3.0,
    "sinc4": 4.0,
}
"""Radius of each kernel at its own scale, in pixels."""

BAND = 64
"""Output rows computed from one slab of input rows that is converted to floating point once."""

SAMPLES = 8 << 20
"""Samples of the output that are computed at a time: 32 MB in floating point, of several copies at once."""


@dataclass(frozen=True, slots=True)
class Taps:
    """For every output coordinate, which input coordinates it is made of and how much of each.

    Shape:
        index: (size_out, taps) int64, already folded back into the picture.
        weight: (size_out, taps) float64, each row summing to 1.
    """

    index: NDArray[np.int64]
    weight: NDArray[np.float64]


def kernel_value(kernel: Kernel, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate a resampling kernel at distances `x` from its centre.

    Source: bicubic is Keys 1981 with a = -0.5; lanczos3 is sinc(x) sinc(x / 3), Duchon 1979; sinc4 is sinc(x) with four
        lobes under a Blackman window, GraphicsMagick's "Sinc" (ImageMagick's has no window, and rings).
    """
    distance = np.abs(x)
    if kernel == "triangle":
        return np.maximum(1.0 - distance, 0.0)
    if kernel == "sinc4":
        window = 0.42 + 0.5 * np.cos(np.pi * distance / 4.0) + 0.08 * np.cos(np.pi * distance / 2.0)
        return np.where(distance < 4.0, window * np.sinc(distance), 0.0)
    if kernel == "bicubic":
        near = (1.5 * distance - 2.5) * distance**2 + 1.0
        far = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
        return np.where(distance <= 1.0, near, np.where(distance <= 2.0, far, 0.0))
    if kernel == "lanczos3":
        return np.where(distance < 3.0, np.sinc(distance) * np.sinc(distance / 3.0), 0.0)
    return ((x >= -0.5) & (x < 0.5)).astype(np.float64)


@lru_cache(maxsize=64)
def taps(
    size_in: int,
    size_out: int,
    scale: float,
    *,
    kernel: Kernel = "bicubic",
    antialias: bool = True,
    border: Border = "mirror",
    blur: float = 1.0,
) -> Taps:
    """Compute the weights that take a line of `size_in` pixels to `size_out` pixels.

    Args:
        scale: Output pixels per input pixel. Given apart from the sizes because a size is rounded and a scale is not.
        antialias: Stretch the kernel by 1/scale when shrinking. Ignored for "nearest".
        blur: Stretch the kernel by this factor more, as GraphicsMagick's `blur` of a resize does.
    """
    stretch = (min(scale, 1.0) if antialias and kernel != "nearest" else 1.0) / blur
    width = 2.0 * SUPPORT[kernel] / stretch
    centre = (np.arange(size_out) + 0.5) / scale - 0.5
    if kernel == "nearest":
        index = np.floor(centre + 0.5).astype(np.int64)[:, None]
        weight = np.ones_like(index, dtype=np.float64)
    else:
        first = np.floor(centre - width / 2.0)
        index = (first[:, None] + np.arange(math.ceil(width) + 2)).astype(np.int64)
        weight = kernel_value(kernel, stretch * (centre[:, None] - index))
        weight /= weight.sum(axis=1, keepdims=True)
        used = np.any(weight != 0.0, axis=0)
        index, weight = index[:, used], weight[:, used]
    return Taps(fold(index, size_in, border), weight)


def phase_kernels(kernel: Kernel, scale: int) -> NDArray[np.float64]:
    """Return the fixed convolutions that enlarge a picture by a whole number: one for each phase of the output.

    Shape: (scale^2, 2 reach + 1, 2 reach + 1), the reach being that of the kernel; phase (p, q) is number
        p * scale + q.
    Convention: output pixel scale * i + p lies at i + (p + 0.5) / scale - 0.5; nothing is flipped, as in networks.
    """
    reach = math.ceil(SUPPORT[kernel])
    shift = (np.arange(scale) + 0.5) / scale - 0.5
    line = kernel_value(kernel, shift[:, None] - np.arange(-reach, reach + 1))
    line /= line.sum(axis=1, keepdims=True)
    side = 2 * reach + 1
    kernels: NDArray[np.float64] = np.einsum("py,qx->pqyx", line, line).reshape(scale**2, side, side)
    return kernels


def fold(index: NDArray[np.int64], size: int, border: Border = "mirror") -> NDArray[np.int64]:
    """Bring coordinates outside 0 .. size - 1 back inside, by mirroring (edge included) or by clamping."""
    if border == "replicate":
        return np.clip(index, 0, size - 1)
    period = np.mod(index, 2 * size)
    folded: NDArray[np.int64] = np.minimum(period, 2 * size - 1 - period)
    return folded


def resize(
    image: Pixels,
    size: tuple[int, int],
    *,
    kernel: Kernel = "bicubic",
    antialias: bool = True,
    border: Border = "mirror",
    linear_light: bool = False,
    blur: float = 1.0,
    dtype: DTypeLike | None = None,
) -> Pixels:
    """Resample a picture to exactly `size` = (height, width).

    Shape: (H, W, C) -> (height, width, C). Floats are neither clipped nor rounded; integers are computed in float32,
        clipped once at the end and rounded half up.

    Args:
        image: The picture.
        size: Height and width of the result in pixels, both at least 1.
        kernel: One of the names in `SUPPORT`.
        antialias: Low-pass before shrinking, as MATLAB, Pillow and libvips do, and `cv2.resize` does not.
        border: What continues outside the picture.
        linear_light: Average light instead of sRGB values, so that fine stripes keep their brightness when they are
            shrunk.
        blur: Stretches the kernel further: above 1 softens, below 1 sharpens.
        dtype: Type of the result, with its own full scale; None keeps that of the picture.
    """
    way = Resampling(kernel, antialias, border, linear_light, blur)
    bands = list(resize_rows(image, size, way, image.dtype if dtype is None else np.dtype(dtype)))
    return bands[0] if len(bands) == 1 else np.concatenate(bands)


@dataclass(frozen=True, slots=True)
class Resampling:
    """How a picture is resampled, see `resize`."""

    kernel: Kernel = "bicubic"
    antialias: bool = True
    border: Border = "mirror"
    linear_light: bool = False
    blur: float = 1.0


def resize_rows(image: Pixels, size: tuple[int, int], way: Resampling, dtype: np.dtype[Any]) -> Iterator[Pixels]:
    """Resample a picture and give it out from top to bottom, see `resize`. Shape: (H, W, C) -> (rows, width, C)."""
    across = max(size[1], image.shape[1]) * image.shape[2]
    rows = max(1, int(SAMPLES / across * min(1.0, size[0] / image.shape[0])))
    lines = [
        taps(
            image.shape[axis], size[axis], size[axis] / image.shape[axis],
            kernel=way.kernel, antialias=way.antialias, border=way.border, blur=way.blur,
        )
        for axis in (0, 1)
    ]  # fmt: skip
    for start in range(0, size[0], rows):
        index, weight = lines[0].index[start : start + rows], lines[0].weight[start : start + rows]
        first = int(index.min())
        slab = image[first : int(index.max()) + 1]
        order = sorted((size[axis] / image.shape[axis], axis) for axis in (0, 1))
        steps = [(axis, lines[1] if axis else Taps(index - first, weight)) for _, axis in order]
        yield _resampled(slab, steps, linear_light=way.linear_light, dtype=dtype)
        forget(image)


def _resampled(slab: Pixels, steps: list[tuple[int, Taps]], *, linear_light: bool, dtype: np.dtype[Any]) -> Pixels:
    """Apply taps along both axes, in the order given, and convert the result."""
    unit = full_scale(slab.dtype)
    result: NDArray[Any] = slab
    decode = partial(_linear, unit=unit) if linear_light else None
    for axis, line in steps:
        result = _combine(result, line, axis, np.dtype(np.float32), decode)
        decode = None
    result = linear_to_srgb(result) if linear_light else result
    if full_scale(dtype) != (1.0 if linear_light else unit):
        result *= np.float32(full_scale(dtype) / (1.0 if linear_light else unit))
    return quantise(result, dtype) if dtype.kind == "u" else result.astype(dtype, copy=False)


def _linear(encoded: NDArray[Any], unit: float) -> NDArray[np.float32]:
    """Decode sRGB values, by a table where they are integers. Values outside 0..1 are clipped."""
    if encoded.dtype.kind == "u":
        table: NDArray[np.float32] = _linear_table(int(unit))[encoded]
        return table
    return srgb_to_linear(np.clip(encoded, 0.0, 1.0, dtype=np.float32))


@lru_cache(maxsize=2)
def _linear_table(largest: int) -> NDArray[np.float32]:
    return srgb_to_linear(np.linspace(0.0, 1.0, largest + 1, dtype=np.float32))


def imresize_matlab(image: Pixels, scale: float, *, border: Border = "mirror") -> NDArray[np.uint8]:
    """Resample an 8-bit picture as MATLAB's `imresize(image, scale, "bicubic")` does, to the bit.

    Shape: (H, W, C) uint8 -> (ceil(scale H), ceil(scale W), C) uint8.

    Convention: double precision; rows are combined before columns, and the result of the first pass is rounded to
        8 bits before the second, as MATLAB does for integer pictures. Older MATLAB, which made the first published
        sets, has border="replicate".

    Source: checked against the published low-resolution files of Set5 and Set14.
    """
    result: NDArray[Any] = image
    for axis in (0, 1):
        size_out = math.ceil(image.shape[axis] * scale - 1e-9)
        line = taps(image.shape[axis], size_out, scale, border=border)
        result = quantise(_combine(result, line, axis, np.dtype(np.float64)), image.dtype)
    return result


def quantise(image: NDArray[Any], dtype: np.dtype[Any]) -> Pixels:
    """Clip to the range of an integer dtype and round half up. Values are in its units: 0..255 or 0..65535."""
    rounded: Pixels = np.floor(np.clip(image, 0.0, full_scale(dtype)) + 0.5).astype(dtype)
    return rounded


def eight_bits(image: Pixels) -> NDArray[np.uint8]:
    """Round a picture of any depth to 8 bits; one that has no more is returned itself."""
    if image.dtype == np.uint8:
        return image
    return quantise(image.astype(np.float64) * (255.0 / full_scale(image.dtype)), np.dtype(np.uint8))


def _combine(
    image: Pixels,
    line: Taps,
    axis: int,
    dtype: np.dtype[Any],
    decode: Callable[[NDArray[Any]], NDArray[np.float32]] | None = None,
) -> NDArray[Any]:
    """Apply one line of taps along axis 0 or 1 of an (H, W, C) picture, in floating point of the given dtype."""
    if axis == 1:
        swapped = np.ascontiguousarray(image.transpose(1, 0, 2))
        return np.ascontiguousarray(_combine(swapped, line, 0, dtype, decode).transpose(1, 0, 2))
    source = image.reshape(image.shape[0], -1)
    output = np.empty((line.index.shape[0], source.shape[1]), dtype)
    weight = line.weight.astype(dtype)
    in_order = np.all(np.diff(line.index, axis=1) == 1, axis=1)
    for start in range(0, output.shape[0], BAND):
        index = line.index[start : start + BAND]
        first = int(index.min())
        slab = source[first : int(index.max()) + 1]
        slab = decode(slab) if decode else slab.astype(dtype, copy=False)
        for row, rows in enumerate(index - first, start):
            lines = slab[rows[0] : rows[-1] + 1] if in_order[row] else slab[rows]
            np.dot(weight[row], lines, out=output[row])
    return output.reshape(-1, *image.shape[1:])
