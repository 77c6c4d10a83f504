"""Batches on the device, ready before the loop asks for them."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from kakudai.data.pack import Pack
from kakudai.data.pairs import Pairs
from kakudai.data.source import open_source
from kakudai.train.device import DevicePictures
from kakudai.train.recipe import Recipe
from kakudai.train.schedule import scale_of_step


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the thread has ready for a step: the two sides of its batch, or where they are to be cut on the device."""

    step: int
    tensors: tuple[Tensor, ...]
    pictures: DevicePictures | None


class Feed:
    """Gives the batch of each step, a pure function of the recipe's seed and the step.

    A thread prepares the next batch while the network works on this one. On a GPU the pictures lie in its memory, as
    bytes, and crops are cut there; only the places to cut at are sent. Noise is made crop by crop on the processor, so
    crops of noisy pictures come from there whole.

    Args:
        recipe: Names the pictures and everything that happens to them.
        fabric: Names the device, and which part of each batch is this process's.
        keep: On which kind of device the pictures are kept.

    Raises:
        RecipeError: The pictures cannot be opened.
    """

    def __init__(self, recipe: Recipe, fabric: Fabric, *, keep: str = "cuda") -> None:
        self.recipe, self.device = recipe, fabric.device
        self.part = fabric.global_rank, fabric.world_size
        self.pack = open_source(recipe.pack, seed=recipe.seed, threads=recipe.threads)
        self.pairs = {scale: make_pairs(recipe, self.pack, scale) for scale in set(recipe.scales or [recipe.scale])}
        self.pictures: dict[int, DevicePictures] = {}
        if self.device.type == keep and recipe.noise is None and recipe.damage is None:
            for scale, pairs in self.pairs.items():
                self.pictures[scale] = DevicePictures(pairs, self.device, recipe.patch)
        self.ahead: Future[Prepared] | None = None
        self.waited = 0.0

    def __enter__(self) -> "Feed":
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="feed")
        return self

    def __exit__(self, *error: object) -> None:
        self.thread.shutdown(cancel_futures=True)
        self.ahead = None

    def take(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the pair of a step, on the device, and let the next one be prepared. Steps are taken in turn.

        Shape: low (N, C, patch, patch), high (N, C, scale patch, scale patch), float32 in [0, 1].

        Raises:
            RecipeError: All pictures are smaller than the patch.
        """
        started = time.perf_counter()
        prepared = (self.ahead or self.thread.submit(self._prepare, step)).result()
        self.waited += time.perf_counter() - started
        assert prepared.step == step
        self.ahead = self.thread.submit(self._prepare, step + 1)
        tensors = [tensor.to(self.device, non_blocking=True) for tensor in prepared.tensors]
        if prepared.pictures:
            return prepared.pictures.cut(tensors[0])
        return tensors[0], tensors[1]

    def take_waited(self) -> float:
        """Return for how many seconds the loop has waited for batches since it last asked."""
        waited, self.waited = self.waited, 0.0
        return waited

    def _prepare(self, step: int) -> Prepared:
        recipe = self.recipe
        scale = scale_of_step(recipe, step)
        pairs, pictures = self.pairs[scale], self.pictures.get(scale)
        crops = pairs.choices(recipe.batch, recipe.patch, seed=recipe.seed, step=step)[self.part[0] :: self.part[1]]
        if pictures:
            tensors: tuple[Tensor, ...] = (pictures.places(crops),)
        else:
            batch = pairs.cut(crops, recipe.patch)
            tensors = channels_last(batch.low), channels_last(batch.high)
        if self.device.type == "cuda":
            tensors = tuple(tensor.pin_memory() for tensor in tensors)
        return Prepared(step, tensors, pictures)


def channels_last(crops: NDArray[np.float32]) -> Tensor:
    """Make a tensor whose channels lie beside each other in memory, as the network's weights do.

    One channel lies beside itself in any case, but only strides that say so choose the faster convolution.
    """
    tensor = torch.from_numpy(crops)
    if tensor.shape[1] == 1:
        return tensor[:, 0, :, :, None].permute(0, 3, 1, 2)
    return tensor.contiguous(memory_format=torch.channels_last)


def make_pairs(recipe: Recipe, pack: Pack, scale: int) -> Pairs:
    """Prepare the pictures of a pack as a recipe says, for one of its scales."""
    return Pairs(
        pack,
        scale=scale,
        color=recipe.color,
        favour=recipe.favour,
        blur=recipe.blur,
        threads=recipe.threads,
        downsampling=recipe.downsampling,
        noise=recipe.noise,
        noise_rate=recipe.noise_rate,
        damage=recipe.damage,
        damage_spread=recipe.damage_spread,
        active_cropping=recipe.active_cropping,
        crop_tries=recipe.crop_tries,
    )
