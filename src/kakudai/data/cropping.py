"""How textured any part of a picture is, answered at once: for choosing crops worth learning from."""

import numpy as np
from numpy.typing import NDArray


class Texture:
    """Sums over a picture of what is lost by halving it.

    Args:
        image: (H, W, C) uint8.

    Source: waifu2x's active cropping takes, of ten crops, the one that differs most from itself shrunk to half by a box
        and enlarged again by repetition.
    Convention: squares of 2x2 pixels start at the top left corner of the picture, and those that lie inside a crop
        whole count; so for crops at even places, of even size, the amount is exactly that difference.
    """

    def __init__(self, image: NDArray[np.uint8]) -> None:
        even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
        four = [even[row::2, column::2].astype(np.int32) for row in (0, 1) for column in (0, 1)]
        spread = 4 * sum((value * value for value in four), np.int32(0)) - sum(four, np.int32(0)) ** 2
        self.sums = np.zeros((even.shape[0] // 2 + 1, even.shape[1] // 2 + 1), np.int64)
        self.sums[1:, 1:] = spread.sum(-1).cumsum(0, dtype=np.int64).cumsum(1)

    def amounts(self, places: NDArray[np.int64], side: int) -> NDArray[np.int64]:
        """Return the sum of squared differences, times 4, of square crops.

        Shape: (N, 2) first rows and columns in pixels -> (N,).
        """
        top, left = ((places + 1) // 2).T
        bottom, right = ((places + side) // 2).T
        sums = self.sums
        return np.asarray(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left])
