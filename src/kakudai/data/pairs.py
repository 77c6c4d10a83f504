"""Random pairs of low- and high-resolution crops.

Every picture of a pack is shrunk ahead, whole, once per blur and filter, with the exact rounding of the evaluation
protocol; crops are cut from that. Noise is made on the fly, for it must be another one every time: the low-resolution
crop is cut with a margin, compressed, and the margin cut off, so that JPEG's squares lie anywhere on the crop.

A batch is a pure function of (seed, step): training that was killed goes on with the same batches, and nothing has to
be stored. What is random is chosen apart from the cutting (`choices` and `cut`), so that a device that holds the
pictures itself can cut the same crops.
"""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kakudai.data.cropping import Texture
from kakudai.data.pack import Pack
from kakudai.degrade.blur import gaussian_blur
from kakudai.degrade.shrink import Downsampling, crop_to_multiple, shrink
from kakudai.degrade.strength import SPREAD, DamageKind, add_damage, roughly
from kakudai.degrade.waifu2x import noise_named
from kakudai.degrade.waifu2x import noise_rate as waifu2x_noise_rate
from kakudai.errors import RecipeError

logger = logging.getLogger(__name__)

MARGIN = 8
"""Low-resolution pixels around a crop that are compressed with it and cut off again: as many as waifu2x cuts off."""
GRID = 16
"""Side of the squares that JPEG compresses as one where colour has half the resolution."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)[:, None, None]
"""Weights of BT.601 for channels that come first."""

Image8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Batch:
    """Training pairs.

    Shape:
        low: (N, C, patch, patch) float32 in [0, 1]; C = 1 for luma; one more where damage has a strength, which it is.
        high: (N, C, scale patch, scale patch) float32 in [0, 1].
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Crop:
    """Where one pair is cut, and what is done with it.

    Args:
        picture: Index into `Pairs.pairs`.
        y: First row, in low-resolution pixels.
        x: First column.
        turns: Quarter turns against the clock, after mirroring.
        mirrored: Left and right are exchanged.
        noise: Seed of the noise of the low-resolution side; None leaves it clean.
    """

    picture: int
    y: int
    x: int
    turns: int
    mirrored: bool
    noise: int | None = None


class Pairs:
    """All pictures of a pack with their shrunk versions, ready to be cropped.

    Args:
        pack: Where the pictures are.
        scale: How much smaller the low-resolution side is; 1 for networks that only clean.
        color: "luma" gives BT.601 full-range luma, "rgb" all three channels.
        favour: Folder of the pack -> how many times as often as its size says its crops come.
        blur: Standard deviations, in high-resolution pixels; each picture is offered once per entry, blurred before it
            is shrunk. Photographs that were themselves shrunk are sharper than any camera's, and teach over-sharpening.
        threads: Pictures prepared at once.
        downsampling: Filters; each picture is offered once per entry.
        noise: JPEG damage of the low-resolution side, as waifu2x's levels: "art-1"; None for none.
        noise_rate: Share of the crops that get the noise; None for what waifu2x gives this noise to.
        damage: Of any strength, which the low-resolution side says in its last channel; None for none.
        damage_spread: How strong it is, see `add_damage`.
        active_cropping: Share of the crops that are the most textured of `crop_tries`, as waifu2x chooses.
        crop_tries: How many crops to choose from.

    Attributes:
        pairs: (low, high) uint8 RGB pictures, (H, W, 3) and (scale H, scale W, 3).

    Raises:
        RecipeError: There is no such noise, filter or folder, or no picture has as many pixels as the scale.
    """

    def __init__(
        self,
        pack: Pack,
        *,
        scale: int,
        color: Literal["luma", "rgb"],
        favour: Mapping[str, float] | None = None,
        blur: Sequence[float] = (0.0,),
        threads: int = 1,
        downsampling: Sequence[Downsampling] = ("bicubic",),
        noise: str | None = None,
        noise_rate: float | None = None,
        damage: DamageKind | None = None,
        damage_spread: tuple[float, float] = SPREAD,
        active_cropping: float = 0.0,
        crop_tries: int = 10,
    ) -> None:
        self.scale, self.color, self.noise = scale, color, noise
        self.damage, self.damage_spread = damage, damage_spread
        usual = waifu2x_noise_rate(noise) if noise else 0.0  # also finds a name that means nothing
        self.noise_rate = usual if noise_rate is None else noise_rate
        self.active_cropping, self.crop_tries = active_cropping, crop_tries
        self.offers = len(blur) * len(downsampling)

        def prepare(job: tuple[Image8, float]) -> list[tuple[Image8, Image8]]:
            high = gaussian_blur(crop_to_multiple(job[0], scale), job[1])
            return [(shrink(high, scale, kernel), high) for kernel in downsampling]

        pictures = [picture for picture in pack.pictures if min(picture.height, picture.width) >= scale]
        self.dropped = len(pack.pictures) - len(pictures)
        favoured = _favoured(pack, favour or {})
        self.favours = [favoured.get(picture.folder, 1.0) for picture in pictures for _ in range(self.offers)]
        images = [pack.image(picture) for picture in pictures]
        with ThreadPoolExecutor(threads) as pool:
            self.pairs = [pair for group in pool.map(prepare, product(images, blur)) for pair in group]
        self.textures: dict[int, Texture] = {}
        self.usable: dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}

    def batch(self, size: int, patch: int, *, seed: int, step: int, part: tuple[int, int] = (0, 1)) -> Batch:
        """Cut `size` random crops of `patch` low-resolution pixels, each turned and mirrored at random.

        Args:
            size: Crops of the whole batch.
            patch: Side of a crop in low-resolution pixels.
            seed: Decides the batch, together with the step.
            step: See seed.
            part: (rank, of): only crops rank, rank + of, rank + 2 of, ... for one of several processes.

        Raises:
            RecipeError: All pictures are smaller than the patch.
        """
        return self.cut(self.choices(size, patch, seed=seed, step=step)[part[0] :: part[1]], patch)

    def choices(self, size: int, patch: int, *, seed: int, step: int) -> list[Crop]:
        """Choose the crops of a batch; every picture is as likely as it is large, or as it is favoured.

        Raises:
            RecipeError: All pictures are smaller than the patch.
        """
        if patch not in self.usable:
            self.usable[patch] = self._large_enough(patch)
        rng = np.random.default_rng([seed, step])
        return [self._choose(patch, rng) for _ in range(size)]

    def cut(self, crops: Sequence[Crop], patch: int) -> Batch:
        """Cut crops from the pictures."""
        channels = 1 if self.color == "luma" else 3
        sides = patch, self.scale * patch
        told = channels + (self.damage is not None), channels
        batch = Batch(
            *(np.empty((len(crops), count, side, side), np.float32) for count, side in zip(told, sides, strict=True))
        )
        low, high = (np.empty((3, side, side), np.float32) for side in sides)
        for index, crop in enumerate(crops):
            first, second = self.pairs[crop.picture]
            s, y, x = self.scale, crop.y, crop.x
            small = first[y : y + patch, x : x + patch]
            if crop.noise is not None:
                small, strength = self._noisy(first, crop, patch)
                batch.low[index, channels:] = strength
            low[:] = _turned(small, crop)
            high[:] = _turned(second[s * y : s * (y + patch), s * x : s * (x + patch)], crop)
            _write_values(low, batch.low[index, :channels])
            _write_values(high, batch.high[index])
        return batch

    def _large_enough(self, patch: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the indices of the pairs that hold a patch, and their shares of all crops, summed up."""
        areas = np.array([low.shape[0] * low.shape[1] for low, _ in self.pairs], np.float64) * self.favours
        fits = np.array([min(low.shape[:2]) >= patch for low, _ in self.pairs], bool)
        small, total = self.dropped + int((~fits).sum()) // self.offers, self.dropped + len(fits) // self.offers
        if not fits.any():
            raise RecipeError(
                f"all {total} pictures, shrunk {self.scale} times, are smaller than the patch of {patch} pixels",
                "use larger pictures or a smaller patch",
            )
        if small:
            logger.warning("skipped %d of %d pictures: shrunk, they are smaller than %d pixels", small, total, patch)
        return np.flatnonzero(fits), np.cumsum(areas[fits] / areas[fits].sum())

    def _choose(self, patch: int, rng: np.random.Generator) -> Crop:
        indices, cumulative = self.usable[patch]
        choice = int(np.searchsorted(cumulative, rng.random(), side="right"))
        picture = int(indices[min(choice, len(indices) - 1)])
        room = [side - patch + 1 for side in self.pairs[picture][0].shape[:2]]
        if self.active_cropping and rng.random() < self.active_cropping:
            y, x = self._most_textured(picture, rng.integers(0, room, (self.crop_tries, 2)), patch)
        else:
            y, x = (int(rng.integers(0, count)) for count in room)
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        noisy = self.damage is not None or (self.noise is not None and rng.random() < self.noise_rate)
        return Crop(picture, y, x, turns, mirrored, int(rng.integers(2**62)) if noisy else None)

    def _most_textured(self, picture: int, places: NDArray[np.int64], patch: int) -> tuple[int, int]:
        # The high-resolution sides of a picture differ by their blur only: that of the first one decides.
        number = picture // self.offers
        if number not in self.textures:
            self.textures[number] = Texture(self.pairs[number * self.offers][1])
        amounts = self.textures[number].amounts(self.scale * places, self.scale * patch)
        y, x = places[int(np.argmax(amounts))].tolist()
        return y, x

    def _noisy(self, low: Image8, crop: Crop, patch: int) -> tuple[Image8, float]:
        """Cut a low-resolution crop out of a damaged larger one; say how strong the damage is, nearly."""
        rng = np.random.default_rng(crop.noise)
        shift_y, shift_x = rng.integers(0, GRID, 2).tolist()
        top, left = max(0, crop.y - MARGIN - shift_y), max(0, crop.x - MARGIN - shift_x)
        window = low[top : crop.y + patch + MARGIN, left : crop.x + patch + MARGIN]
        window, strength = np.ascontiguousarray(window), 0.0
        if self.damage:
            damaged = add_damage(window, self.damage, rng, self.damage_spread)
            window, strength = damaged.image, roughly(damaged.strength, rng)
        else:
            window = noise_named(window, self.noise or "", rng)
        return window[crop.y - top :, crop.x - left :][:patch, :patch], strength


def _favoured(pack: Pack, favour: Mapping[str, float]) -> Mapping[str, float]:
    """Return what is favoured, if the pack has it.

    Raises:
        RecipeError: A folder is not in the pack.
    """
    folders = {picture.folder for picture in pack.pictures}
    missing = [folder for folder in favour if folder not in folders]
    if missing:
        raise RecipeError(
            f"favour names {', '.join(missing)}, and the pack has pictures of {', '.join(sorted(folders))}",
            "a folder is called as it was when it was packed",
        )
    return favour


def _write_values(crop: NDArray[np.float32], target: NDArray[np.float32]) -> None:
    """Write a crop of bytes as values in [0, 1], or its luma: what `luma_bt601_full` of them would be, to the bit.

    Shape: (3, H, W) in 0..255, which is overwritten -> (3, H, W), or (1, H, W) for luma.
    """
    if len(target) == 3:
        np.divide(crop, np.float32(255.0), out=target)
        return
    crop /= np.float32(255.0)
    crop *= LUMA
    np.add(crop[0], crop[1], out=target[0])
    target[0] += crop[2]


def _turned(image: Image8, crop: Crop) -> Image8:
    """Mirror a crop, turn it as `np.rot90` would, and put its channels first. Returns a view."""
    if crop.mirrored:
        image = image[:, ::-1]
    if crop.turns & 2:
        image = image[::-1, ::-1]
    return image[:, ::-1].transpose(2, 1, 0) if crop.turns & 1 else image.transpose(2, 0, 1)
