"""Random pairs of low- and high-resolution crops.

Every picture of a pack is shrunk once, whole, with the exact rounding of the evaluation protocol; crops are cut from
that. A batch is a pure function of (seed, step): training that was killed goes on with the same batches, and nothing
has to be stored.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kakudai.data.pack import Pack
from kakudai.degrade.blur import gaussian_blur
from kakudai.degrade.shrink import crop_to_multiple, shrink_bicubic
from kakudai.errors import RecipeError
from kakudai.image.color import luma_bt601_full


@dataclass(frozen=True, slots=True)
class Batch:
    """Training pairs.

    Shape:
        low: (N, C, patch, patch) float32 in [0, 1]; C = 1 for luma.
        high: (N, C, scale patch, scale patch) float32 in [0, 1].
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]


class Pairs:
    """All pictures of a pack with their shrunk versions, ready to be cropped.

    Args:
        pack: Where the pictures are.
        scale: How much smaller the low-resolution side is.
        color: "luma" gives BT.601 full-range luma, "rgb" all three channels.
        blur: Standard deviations, in high-resolution pixels; each picture is offered once per entry, blurred before it
            is shrunk. Photographs that were themselves shrunk are sharper than any camera's, and teach over-sharpening.
        threads: Pictures prepared at once.
    """

    def __init__(
        self,
        pack: Pack,
        *,
        scale: int,
        color: Literal["luma", "rgb"],
        blur: Sequence[float] = (0.0,),
        threads: int = 1,
    ) -> None:
        self.scale, self.color = scale, color

        def prepare(job: tuple[NDArray[np.uint8], float]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
            high = gaussian_blur(crop_to_multiple(job[0], scale), job[1])
            return shrink_bicubic(high, scale), high

        images = [pack.image(picture) for picture in pack.pictures]
        with ThreadPoolExecutor(threads) as pool:
            self.pairs = list(pool.map(prepare, product(images, blur)))
        areas = np.array([low.shape[0] * low.shape[1] for low, _ in self.pairs], np.float64)
        self.cumulative = np.cumsum(areas / areas.sum())

    def batch(self, size: int, patch: int, *, seed: int, step: int) -> Batch:
        """Cut `size` random crops of `patch` low-resolution pixels, each turned and mirrored at random.

        Raises:
            RecipeError: A picture is smaller than the patch.
        """
        rng = np.random.default_rng([seed, step])
        crops = [self._crop(patch, rng) for _ in range(size)]
        low, high = (np.stack(side).astype(np.float32) / 255.0 for side in zip(*crops, strict=True))
        if self.color == "luma":
            low, high = luma_bt601_full(low), luma_bt601_full(high)
        return Batch(*(np.ascontiguousarray(side.transpose(0, 3, 1, 2)) for side in (low, high)))

    def _crop(self, patch: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        choice = int(np.searchsorted(self.cumulative, rng.random(), side="right"))
        low, high = self.pairs[min(choice, len(self.pairs) - 1)]
        if min(low.shape[:2]) < patch:
            raise RecipeError(
                f"a picture of {low.shape[1]}x{low.shape[0]} pixels, shrunk, is smaller than the patch of {patch}",
                "leave it out of the pack or use a smaller patch",
            )
        y, x = (int(rng.integers(0, side - patch + 1)) for side in low.shape[:2])
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        s = self.scale
        pair = low[y : y + patch, x : x + patch], high[s * y : s * (y + patch), s * x : s * (x + patch)]
        if mirrored:
            pair = pair[0][:, ::-1], pair[1][:, ::-1]
        return np.rot90(pair[0], turns), np.rot90(pair[1], turns)
