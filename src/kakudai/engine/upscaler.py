"""`Upscaler`: one loaded model, any number of pictures."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from types import TracebackType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import DTypeLike

from kakudai.engine.memory import SMALLEST_TILE, largest_tile
from kakudai.engine.passes import Pass
from kakudai.engine.plan import Plan, Size, make_plan
from kakudai.engine.runtimes import RuntimeName, Session, open_session
from kakudai.engine.tiles import default_tile
from kakudai.errors import OutOfMemory, RuntimeUnavailable, UsageError
from kakudai.image.alpha import bleed, stay_between_neighbours
from kakudai.image.files import read_image
from kakudai.image.picture import Metadata, Picture, Pixels
from kakudai.image.resize import resize
from kakudai.models import Model, find_model

UNLIMITED_MARGIN = 32
"""Mirrored pixels around a picture for networks that look at all of it; they are then run on the whole picture at
once."""


class Network(Protocol):
    """A `torch.nn.Module` in memory that takes and gives RGB."""

    scale: int
    halo: int | None
    multiple: int


@dataclass(frozen=True, slots=True)
class Report:
    """What was done to one picture.

    Args:
        plan: Network passes and final size.
        tile: Side of the tiles, in pixels of the first pass's input; 0 where no network ran.
        network_seconds: Wall time of the network passes, with cutting, checking and converting of tiles.
    """

    plan: Plan
    tile: int
    network_seconds: float


@dataclass(frozen=True, slots=True)
class Enlarged:
    """One result of `Upscaler.map`: the picture, or the error that there is none for."""

    source: str | PathLike[str]
    picture: Picture | None
    error: Exception | None


class Upscaler:
    """Enlarge pictures with one model. Several threads may use one object.

    Args:
        scale: Output pixels per input pixel, 0.1 to 16; 2 where neither it nor a size is given.
        width: Width of the output in pixels, instead of a scale.
        height: Height of the output in pixels, instead of a scale.
        fit: (width, height) of a box that the output fills, instead of a scale.
        model: A name from `kakudai models`, a path, a `Model`, or a `torch.nn.Module` with `scale`, `halo` and
            `multiple`.
        tile: Side of the tiles in input pixels; "auto" is 256 or what memory allows; 0 is the whole picture. Changes
            nothing but time and memory.
        runtime: "auto", "onnxruntime" or "openvino".
        device: "auto" or "cpu".
        threads: Processor threads; None uses all that this process may.

    Raises:
        UsageError: An argument is out of range.
        ModelError: The model cannot be found or used.
        RuntimeUnavailable: The runtime or the device is not there.
    """

    def __init__(
        self,
        scale: float | None = None,
        *,
        width: int | None = None,
        height: int | None = None,
        fit: tuple[int, int] | None = None,
        model: str | PathLike[str] | Model | Network = "auto",
        tile: int | Literal["auto"] = "auto",
        runtime: RuntimeName = "auto",
        device: str = "auto",
        threads: int | None = None,
    ) -> None:
        self.size = Size(scale, width, height, fit)
        if tile != "auto" and (tile < 0 or 0 < tile < SMALLEST_TILE):
            raise UsageError(
                f"the tile is {tile}",
                f"accepted are auto, 0 for the whole picture, and {SMALLEST_TILE} or more",
            )
        if threads is not None and threads < 1:
            raise UsageError(f"threads is {threads}", "accepted are whole numbers from 1")
        if device not in ("auto", "cpu"):
            raise RuntimeUnavailable(f"device {device!r} is not supported", "accepted are auto and cpu")
        self.tile = tile
        self.model = find_model(model) if isinstance(model, str | PathLike) else model
        self._session = self._open(runtime, threads)
        self._pool = ThreadPoolExecutor(self._session.workers, thread_name_prefix="kakudai-tile")

    def __enter__(self) -> "Upscaler":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(cancel_futures=True)

    @property
    def runtime(self) -> str:
        """Name of the runtime in use."""
        return self._session.name

    def plan(self, height: int, width: int) -> Plan:
        """Say what would be done to a picture of that size."""
        return make_plan(height, width, self.size, self.model.scale)

    def upscale(self, image: Pixels) -> Pixels:
        """Enlarge pixels.

        Shape: (H, W), or (H, W, C) with C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA; uint8, uint16, or float32 in
        [0, 1]
            -> the same layout and dtype, enlarged.

        Raises:
            UsageError: The array has another shape or dtype.
            WrongResult: The network returned something that is not the enlarged picture.
            OutOfMemory: Not even the smallest tile fits into memory.
        """
        picture = picture_from_array(image)
        result, _ = self.upscale_picture(picture)
        pixels = result.color if result.alpha is None else np.concatenate([result.color, result.alpha], axis=2)
        return pixels[..., 0] if image.ndim == 2 else pixels

    def upscale_picture(
        self, picture: Picture, *, progress: Callable[[int, int], None] | None = None
    ) -> tuple[Picture, Report]:
        """Enlarge a picture with its alpha; its metadata goes along, its resolution is scaled.

        Args:
            progress: Called with (pixels done, pixels in all), counted in input pixels of the passes; from several
                threads, but never by two at once.
        """
        plan = self.plan(picture.height, picture.width)
        alpha, color = picture.alpha, picture.color
        if plan == Plan(0, (picture.height, picture.width)):
            same = picture.with_pixels(color.copy(), None if alpha is None else alpha.copy())
            return same, Report(plan, 0, 0.0)
        flat_alpha = alpha is None or bool((alpha == alpha.flat[0]).all())
        if alpha is not None and not flat_alpha:
            color = bleed(color, alpha, self.model.halo or UNLIMITED_MARGIN)
        work = Work(self, plan, progress, planes=1 if flat_alpha else 2)
        output = work.enlarge(color)
        if alpha is not None:
            if flat_alpha:
                alpha = np.full((*plan.size, 1), alpha.flat[0], alpha.dtype)
            else:
                alpha = stay_between_neighbours(work.enlarge(alpha), alpha)
        return picture.with_pixels(output, alpha), Report(plan, work.tile, work.seconds)

    def map(self, paths: Iterable[str | PathLike[str]]) -> Iterator[Enlarged]:
        """Enlarge files one after the other, lazily and in order; the next is read while one is enlarged.

        A file that cannot be read or enlarged gives a result with an error, and the rest goes on.
        """
        with ThreadPoolExecutor(1, "kakudai-read") as reader:
            todo = iter(paths)
            ahead = [(path, reader.submit(read_image, path)) for path in islice(todo, 1)]
            while ahead:
                path, reading = ahead.pop()
                ahead = [(following, reader.submit(read_image, following)) for following in islice(todo, 1)]
                try:
                    picture, _ = self.upscale_picture(reading.result())
                    yield Enlarged(path, picture, None)
                except Exception as error:  # whatever a decoder raises: one bad file never stops the rest
                    yield Enlarged(path, None, error)

    def _open(self, runtime: RuntimeName, threads: int | None) -> Session:
        if isinstance(self.model, Model):
            return open_session(self.model, runtime=runtime, threads=threads)
        from kakudai.engine.runtimes.torch import TorchSession

        return TorchSession(self.model)  # type: ignore[arg-type]

    def _careful(self) -> Session:
        assert isinstance(self.model, Model)
        return open_session(self.model, runtime="onnxruntime", threads=1)


class Work:
    """What one picture needs while it is enlarged: its plan, its tile, its progress.

    Args:
        planes: How many times the plan is carried out: once for colour, once more for an alpha that is not flat.
    """

    def __init__(
        self, upscaler: Upscaler, plan: Plan, progress: Callable[[int, int], None] | None, *, planes: int
    ) -> None:
        self.upscaler, self.plan = upscaler, plan
        self.tile, self.seconds = 0, 0.0
        self._progress, self._planes = progress, planes
        self._done = self._total = 0
        self._counting = threading.Lock()

    def enlarge(self, image: Pixels) -> Pixels:
        """Carry out the plan: (H, W, 1 | 3) -> (*plan.size, 1 | 3) of the same dtype.

        Between passes, and before the last resize, 8-bit pictures are kept in 16 bits, so that they are rounded once.
        """
        dtype = image.dtype
        scale = self.upscaler.model.scale
        passes = self.plan.passes
        reached = (image.shape[0] * scale**passes, image.shape[1] * scale**passes)
        between = np.dtype(np.uint16) if dtype.kind == "u" else dtype
        if not self._total:
            self._total = self._planes * sum(image.shape[0] * image.shape[1] * scale ** (2 * k) for k in range(passes))
        for number in range(passes):
            last = number == passes - 1 and reached == self.plan.size
            image = self._pass(image, dtype if last else between)
        if reached == self.plan.size:
            return image
        shrinks = self.plan.size[0] <= reached[0] and self.plan.size[1] <= reached[1]
        return resize(image, self.plan.size, kernel="lanczos3", linear_light=shrinks, dtype=dtype)

    def _pass(self, image: Pixels, dtype: DTypeLike) -> Pixels:
        """Run the network once, with smaller and smaller tiles until they fit into memory."""
        up = self.upscaler
        model, session = up.model, up._session
        halo = UNLIMITED_MARGIN if model.halo is None else model.halo
        careful = up._careful if isinstance(model, Model) else None
        run = Pass(session, careful, model.scale, halo, model.multiple, up._pool)
        tile = self._first_tile(image)
        done, started = self._done, time.perf_counter()
        while True:
            self.tile = self.tile or tile
            try:
                return run.run(image, tile, dtype, self._advance)
            except MemoryError as error:
                if tile <= SMALLEST_TILE or model.halo is None:
                    raise OutOfMemory(
                        f"no memory for a tile of {tile} pixels: {error}",
                        "close other programs, or use a smaller model",
                    ) from error
                tile, self._done = max(SMALLEST_TILE, tile // 2), done
                self.tile = tile
            finally:
                self.seconds += time.perf_counter() - started
                started = time.perf_counter()

    def _first_tile(self, image: Pixels) -> int:
        height, width = image.shape[:2]
        if self.upscaler.tile == 0 or self.upscaler.model.halo is None:
            return int(max(height, width))
        if self.upscaler.tile != "auto":
            return int(min(self.upscaler.tile, max(height, width)))
        workers = self.upscaler._session.workers
        return default_tile(height, width, workers=workers, largest=largest_tile(workers))

    def _advance(self, pixels: int) -> None:
        with self._counting:
            self._done += pixels
            if self._progress:
                self._progress(self._done, self._total)


def picture_from_array(image: Any) -> Picture:
    """Make a picture of an array, see `Upscaler.upscale`.

    Raises:
        UsageError: The array is no picture.
    """
    accepted = "accepted are (H, W) and (H, W, 1 to 4) arrays of uint8, uint16 or float32"
    if not isinstance(image, np.ndarray) or image.dtype not in (np.uint8, np.uint16, np.float32):
        raise UsageError(f"a {getattr(image, 'dtype', type(image).__name__)} is not a picture", accepted)
    pixels = image[..., None] if image.ndim == 2 else image
    if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4 or 0 in pixels.shape:
        raise UsageError(f"an array of shape {image.shape} is not a picture", accepted)
    if pixels.dtype.kind == "f" and not (np.isfinite(pixels.min()) and np.isfinite(pixels.max())):
        raise UsageError("the array contains values that are no numbers", "accepted are floats in [0, 1]")
    colors = 1 if pixels.shape[2] <= 2 else 3
    return Picture(pixels[..., :colors], pixels[..., colors:] if pixels.shape[2] > colors else None, Metadata())
