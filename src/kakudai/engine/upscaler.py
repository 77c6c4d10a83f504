"""`Upscaler`: one loaded model, any number of pictures."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from os import PathLike
from types import TracebackType
from typing import Any, Literal

import numpy as np

from kakudai.engine.ensemble import turns_for
from kakudai.engine.loaded import Network
from kakudai.engine.machine import Machine, Precision
from kakudai.engine.memory import SMALLEST_TILE
from kakudai.engine.plan import Plan, Size, make_plan
from kakudai.engine.runtimes import RuntimeName, usable_processors
from kakudai.engine.toolbox import Chosen, Toolbox
from kakudai.engine.tools import Wish, network_name
from kakudai.engine.work import Work, Workshop
from kakudai.errors import RuntimeUnavailable, UsageError
from kakudai.image.alpha import bleed, stay_between_neighbours
from kakudai.image.files import read_image
from kakudai.image.picture import Metadata, Picture, Pixels
from kakudai.models import Model


@dataclass(frozen=True, slots=True)
class Report:
    """What was done to one picture.

    Args:
        plan: Network passes and final size.
        tile: Side of the tiles, in pixels of the first pass's input; 0 where no network ran.
        network_seconds: Wall time of the network passes, with cutting, checking and converting of tiles.
        model: What to call the networks that were used, with the strength of denoising.
        networks: Their names, in the order in which they ran; none where the picture was only resized or copied.
        strength: Of the denoising that was done, 0 to 100.
        reason: Why these, in a few words, where the picture decided: "photograph, JPEG quality 61, 4:2:0".
        notes: What the user should know about the choice, one sentence each.
    """

    plan: Plan
    tile: int
    network_seconds: float
    model: str = ""
    networks: tuple[str, ...] = ()
    strength: int = 0
    reason: str = ""
    notes: tuple[str, ...] = ()


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
        model: "auto" looks whether each picture is a photograph or drawn, "photo" and "art" say so; or a name from
            `kakudai models`, the path of a model of whatever program, the folder of a training run or
            of waifu2x networks, a `Model`, or a `torch.nn.Module` with `scale`, `halo` and `multiple`.
        denoise: Strength of noise removal, 0 for none to 100; "auto" looks at each picture. In folders of waifu2x
            networks 1 to 25 is their noise level 0, up to 50 level 1, up to 75 level 2, up to 100 level 3.
        style: Which of several folders below `model` is meant: art, art_scan or photo.
        tile: Side of the tiles in input pixels; "auto" is 256 or what memory allows; 0 is the whole picture. Changes
            nothing but time and memory.
        tta: The result is the mean over this many ways to lay the picture: 1, 2, 4 or 8. Costs as many times the time.
        runtime: "auto", "onnxruntime", "openvino" or "ncnn".
        device: "auto" or "cpu".
        threads: Processor threads; None uses all that this process may.
        precision: "float32", "int8", or "auto", which takes networks of 8-bit numbers where the runtime gains from
            them: docs/reference/int8.md.

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
        denoise: int | Literal["auto"] = "auto",
        style: str | None = None,
        tile: int | Literal["auto"] = "auto",
        tta: int = 1,
        runtime: RuntimeName = "auto",
        device: str = "auto",
        threads: int | None = None,
        precision: Precision = "auto",
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
        turns = turns_for(tta)
        self._box = Toolbox(model, Wish(scale, denoise, style), Machine(runtime, threads, precision))
        workers = max(loaded.session.workers for loaded in self._box.usual.all)
        pool = ThreadPoolExecutor(max(workers, threads or usable_processors()), thread_name_prefix="kakudai-tile")
        self._shop = Workshop(None if tile == "auto" else tile, turns, pool)

    def __enter__(self) -> "Upscaler":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the threads go."""
        self._shop.pool.shutdown(cancel_futures=True)

    @property
    def runtime(self) -> str:
        """Name of the runtime in use."""
        return self._box.usual.all[0].session.name

    @property
    def model(self) -> Model | Network:
        """The network that enlarges clean pictures; where there is none, the one that is there."""
        return self._box.usual.all[0].model

    @property
    def name(self) -> str:
        """What to call the model, or the folder of networks, where no picture has asked for another."""
        usual = self._box.usual
        return usual.label(make_plan(1, 1, Size(self.size.scale), usual.means))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the choice of networks, one sentence each."""
        return self._box.usual.notes

    def plan(self, height: int, width: int) -> Plan:
        """Say what would be done to a clean picture of that size."""
        return make_plan(height, width, self.size, self._box.usual.means)

    def choose(self, picture: Picture) -> Chosen:
        """Look at a picture and choose its networks: `upscale_picture` can be told to use them for parts of it."""
        height, width = self.size.of(picture.height, picture.width)
        return self._box.for_picture(picture, max(height / picture.height, width / picture.width))

    def plan_picture(self, picture: Picture, chosen: Chosen | None = None) -> Report:
        """Say what would be done to a picture, by what `choose` has returned, or by a look at it."""
        return self._report(picture, chosen or self.choose(picture))

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
        self, picture: Picture, chosen: Chosen | None = None, *, progress: Callable[[int, int], None] | None = None
    ) -> tuple[Picture, Report]:
        """Enlarge a picture with its alpha; its metadata goes along, its resolution is scaled.

        Nobody removes noise from alpha: the network that only enlarges is used for it, or an exact resize.

        Args:
            picture: The picture.
            chosen: What `choose` has returned; None looks at this picture.
            progress: Called with (pixels done, pixels in all), counted in input pixels of the passes; from several
                threads, but never by two at once.
        """
        chosen = chosen or self.choose(picture)
        report, tools = self._report(picture, chosen), chosen.tools
        plan, alpha, color = report.plan, picture.alpha, one_channel(picture.color)
        if plan == Plan(0, (picture.height, picture.width)):
            return picture.with_pixels(picture.color.copy(), None if alpha is None else alpha.copy()), report
        flat_alpha = alpha is None or bool((alpha == alpha.flat[0]).all())
        plans, same_size = [plan], plan.size == (picture.height, picture.width)
        if not flat_alpha and not same_size:
            without = replace(tools.means, denoises=False, combined=False)
            plans.append(make_plan(picture.height, picture.width, self.size, without))
        if alpha is not None and not flat_alpha:
            color = bleed(color, alpha, tools.reach)
        work = Work(self._shop, tools, plans, (picture.height, picture.width), progress=progress)
        output = work.carry_out(plan, color)
        if alpha is not None:
            if flat_alpha:
                alpha = np.full((*plan.size, 1), alpha.flat[0], alpha.dtype)
            elif same_size:
                alpha = alpha.copy()
            else:
                alpha = stay_between_neighbours(work.carry_out(plans[1], alpha, light=False), alpha)
        if output.shape[2] < picture.color.shape[2]:
            output = output.repeat(picture.color.shape[2], axis=2)
        report = replace(report, tile=work.tile, network_seconds=work.seconds)
        return picture.with_pixels(output, alpha), report

    def _report(self, picture: Picture, chosen: Chosen) -> Report:
        """Say what is to be done with the networks of a picture."""
        plan = make_plan(picture.height, picture.width, self.size, chosen.tools.means)
        tools, choice = chosen.tools, chosen.choice
        networks = tuple(network_name(loaded) for loaded in tools.steps(plan))
        strength = tools.strength if plan.denoising != "no" else 0
        return Report(plan, 0, 0.0, tools.label(plan), networks, strength, choice.reason if choice else "", tools.notes)

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


def one_channel(color: Pixels) -> Pixels:
    """Return one channel of a picture whose channels are all alike: a network that sees colours could tint it.

    Shape: (H, W, 1) or (H, W, 3) -> (H, W, 1) where every pixel is grey, else as it was.
    """
    alike = all((row == row[:, :1]).all() for row in color)  # row by row: colour mostly shows in the first
    return color[..., :1] if alike else color


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
