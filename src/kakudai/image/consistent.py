"""Enlargements that shrink back to the picture they were made from.

A shrink is linear: small = A large. Of all pictures that shrink to the same small one, the nearest to a given large one
is large + A+ (small - A large), A+ = A^T (A A^T)^-1 being the pseudo-inverse: what of the large picture the small one
does not show stays as the network drew it (the null space of A), and what it does show is put right (its range).

The shrinks of `resize` are separable, so A+ is that of the rows after that of the columns, and for one line A A^T has a
narrow band: neighbouring output pixels share input pixels, distant ones none. Its Cholesky factor is as narrow, so that
the projection is exact to the precision of float32, takes two short recurrences for each line, and works at any size,
any ratio and any border. A A^T is far from singular: its condition is 2 for bicubic from 1.5 times on, 4 for triangle.

Source: Irani & Peleg, "Improving resolution by image registration", 1991, whose iterative back-projection tends to such
    a picture; in closed form Bahat & Michaeli, "Explorable super resolution", CVPR 2020 (arXiv:1912.01839), equation 2,
    there by Fourier transform; the range and null space of Wang, Yu & Zhang, "Zero-shot image restoration using
    denoising diffusion null-space model", 2022 (arXiv:2212.00490).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakudai.errors import UsageError
from kakudai.image.picture import Pixels, full_scale
from kakudai.image.resize import Border, Kernel, quantise, resize, taps

ROUNDS = 30
"""Most projections of one picture. Clipping moves it off again where it is very bright or dark: those of
Set5 and BSD100 take 9 on average, at most 20, and one where nothing is clipped."""

TOLERANCE = 0.4 / 255.0
"""Largest difference between the shrunk result and the input at which no further round is made: it is rounded away."""

MARGIN = 24
"""Input pixels around a part of a picture beyond which nothing matters to its projection: the influence of a pixel
falls to a third or less with each pixel of distance."""


def make_consistent(
    large: Pixels, small: Pixels, *, kernel: Kernel = "bicubic", border: Border = "mirror", rounds: int = ROUNDS
) -> Pixels:
    """Change an enlarged picture as little as possible so that it shrinks back to the picture it was made from.

    Projections take turns with clipping to the range of pixels, so that the result can be shown and written. Where it
    exists, a picture is reached whose shrink differs by less than 0.4 of 255, before the result is rounded to its
    dtype. It does not exist where the small picture has more contrast than anything of that filter can have, such as
    black and white single pixels side by side: there the difference becomes small, not nothing.

    Shape: large (H, W, C), small (h, w, C), each uint8, uint16 or float32 in [0, 1] -> (H, W, C) of large's dtype.

    Args:
        large: The enlarged picture; of a higher depth than the small one, if there is the choice.
        small: What it must shrink to. With alpha, colours as the network saw them: see `alpha.bleed`.
        kernel: Filter of the shrink, as in `resize`, stretched by the ratio of the sizes.
        border: What the shrink sees outside the picture.
        rounds: Most rounds.

    Raises:
        UsageError: The large picture is smaller than the small one, or has other channels.

    Convention: `resize(result, small.shape[:2], kernel=kernel, border=border)` is the small picture: for whole ratios
        and bicubic, that is MATLAB's shrink and the published protocol's, apart from rounding. Where the small picture
        is black or white, it may go beyond: whoever made it has clipped it there.
    """
    _check_shapes(large, small)
    wanted, result = _as_float(small), _as_float(large)
    last = None
    for number in range(rounds + 1):
        missing = resize(result, small.shape[:2], kernel=kernel, border=border)
        # What was clipped when the small picture was made may have been anything beyond.
        open_ended = ((wanted >= 1.0) & (missing > 1.0)) | ((wanted <= 0.0) & (missing < 0.0))
        np.subtract(wanted, missing, out=missing)
        missing[open_ended] = 0.0
        if number == rounds or float(np.abs(missing).max()) <= TOLERANCE:
            break
        _add_pseudo_inverse(result, missing, kernel, border)
        np.clip(result, 0.0, 1.0, out=result)
        # Nesterov's momentum: a few stubborn pixels would take hundreds of rounds without.
        step, last = None if last is None else result - last, result.copy()
        if step is not None:
            step *= np.float32(number / (number + 3))
            result += step
            np.clip(result, 0.0, 1.0, out=result)
    if large.dtype.kind != "u":
        return result.astype(large.dtype, copy=False)
    result *= np.float32(full_scale(large.dtype))
    return quantise(result, large.dtype)


def project(
    large: NDArray[np.float32],
    small: NDArray[np.float32],
    *,
    kernel: Kernel = "bicubic",
    border: Border = "mirror",
) -> NDArray[np.float32]:
    """Return the picture nearest to a large one, by squared differences, that shrinks to the small one exactly.

    Shape: large (H, W, C), small (h, w, C), float32 of any range -> (H, W, C) float32; nothing is clipped.

    Args:
        kernel: Filter of the shrink; see `make_consistent`.
        border: What the shrink sees outside the picture.

    Raises:
        UsageError: The large picture is smaller than the small one, or has other channels.
    """
    _check_shapes(large, small)
    result = large.copy()
    missing = small - resize(large, small.shape[:2], kernel=kernel, border=border)
    _add_pseudo_inverse(result, missing, kernel, border)
    return result


def _add_pseudo_inverse(
    result: NDArray[np.float32], missing: NDArray[np.float32], kernel: Kernel, border: Border
) -> None:
    """Add A+ missing to the large picture, in place; what is missing is used up."""
    rows, columns = (_line(result.shape[axis], missing.shape[axis], kernel, border) for axis in (0, 1))
    _solve(rows, missing)
    across = np.ascontiguousarray(missing.transpose(1, 0, 2))
    _solve(columns, across)
    wide = np.zeros((result.shape[1], *across.shape[1:]), np.float32)
    _spread(columns, across, wide)
    _spread(rows, np.ascontiguousarray(wide.transpose(1, 0, 2)), result)


@dataclass(frozen=True, slots=True)
class _Line:
    """A shrink A of one line, and the Cholesky factor L of A A^T = L L^T.

    Shape:
        start: (small,) first input pixel of each output pixel's window.
        weight: (small, window) float32, the rows of A within their windows.
        lower: (small, band) float32, lower[i, k] = L[i, i - band + k]; zeros before the first pixel.
        upper: (small, band) float32, upper[i, k] = L[i + 1 + k, i]; zeros behind the last.
        inverse: (small,) float32, 1 / L[i, i].
    """

    start: NDArray[np.int64]
    weight: NDArray[np.float32]
    lower: NDArray[np.float32]
    upper: NDArray[np.float32]
    inverse: NDArray[np.float32]


@lru_cache(maxsize=8)
def _line(large: int, small: int, kernel: Kernel, border: Border) -> _Line:
    line = taps(large, small, small / large, kernel=kernel, border=border)
    first = line.index.min(axis=1)
    window = int((line.index.max(axis=1) - first).max()) + 1
    start = np.minimum(first, large - window)
    weight = np.zeros((small, window))
    np.add.at(weight, (np.arange(small)[:, None], line.index - start[:, None]), line.weight)
    factor = _cholesky(_gram(start, weight))
    band = factor.shape[1] - 1
    upper = np.zeros((small, band))
    for k in range(band):
        upper[: small - 1 - k, k] = factor[k + 1 :, band - 1 - k]
    narrow = (array.astype(np.float32) for array in (weight, factor[:, :-1], upper, 1.0 / factor[:, -1]))
    return _Line(start, *narrow)


def _gram(start: NDArray[np.int64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return A A^T as a band: (small, band + 1), [i, k] being its element (i, i - band + k)."""
    count, window = weight.shape
    padded = np.concatenate([weight, np.zeros((count, window))], axis=1)
    diagonals = []
    for apart in range(count):
        shift = start[apart:] - start[: count - apart]
        if apart and int(shift.min()) >= window:
            break
        # Columns of the later window, seen from the earlier one; windows further apart than one share nothing.
        columns = np.minimum(np.arange(window) + np.minimum(shift, window)[:, None], 2 * window - 1)
        earlier = np.take_along_axis(padded[: count - apart], columns, axis=1)
        diagonals.append(np.concatenate([np.zeros(apart), (earlier * weight[apart:]).sum(axis=1)]))
    return np.stack(diagonals[::-1], axis=1)


def _cholesky(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Factor a symmetric positive definite matrix, given and returned as the band below its diagonal."""
    factor = np.zeros_like(gram)
    band = gram.shape[1] - 1
    for i in range(len(gram)):
        for k in range(max(0, band - i), band + 1):
            j = i - band + k
            # Elements of row i from the first that row j has too, and of row j beside them.
            done = float(factor[i, :k] @ factor[j, band - k : band]) if k else 0.0
            rest = gram[i, k] - done
            factor[i, k] = np.sqrt(rest) if k == band else rest / factor[j, band]
    return factor


def _solve(line: _Line, values: NDArray[np.float32]) -> None:
    """Multiply each column of (small, ...) values by (A A^T)^-1, in place."""
    flat = values.reshape(len(values), -1)
    count, band = line.lower.shape
    for i in range(count):
        have = min(i, band)
        if have:
            flat[i] -= line.lower[i, band - have :] @ flat[i - have : i]
        flat[i] *= line.inverse[i]
    for i in range(count - 1, -1, -1):
        have = min(count - 1 - i, band)
        if have:
            flat[i] -= line.upper[i, :have] @ flat[i + 1 : i + 1 + have]
        flat[i] *= line.inverse[i]


def _spread(line: _Line, values: NDArray[np.float32], output: NDArray[np.float32]) -> None:
    """Add A^T times each column of (small, ...) values to those of (large, ...) output."""
    flat, target = values.reshape(len(values), -1), output.reshape(len(output), -1)
    for i, start in enumerate(line.start):
        target[start : start + line.weight.shape[1]] += line.weight[i][:, None] * flat[i]


def _check_shapes(large: Pixels, small: Pixels) -> None:
    if large.shape[0] < small.shape[0] or large.shape[1] < small.shape[1] or large.shape[2:] != small.shape[2:]:
        raise UsageError(
            f"an array of shape {large.shape} is no enlargement of one of shape {small.shape}",
            "accepted are (H, W, C) arrays of the same channels, the enlarged one at least as large",
        )


def _as_float(image: Pixels) -> NDArray[np.float32]:
    """Return a copy in [0, 1]."""
    result: NDArray[Any] = image.astype(np.float32)
    if image.dtype.kind == "u":
        result *= np.float32(1.0 / full_scale(image.dtype))
    return result
