"""`Upscaler`: one loaded model, any number of pictures."""

import copy
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kakudai.engine.block import Crew
from kakudai.engine.enlarging import Enlarging
from kakudai.engine.ensemble import turns_for
from kakudai.engine.estimate import Costs, Estimate
from kakudai.engine.loaded import Loaded, Network
from kakudai.engine.machine import Device, Machine, Numbers, Precision
from kakudai.engine.memory import SMALLEST_TILE
from kakudai.engine.plan import Plan, Size, make_plan
from kakudai.engine.recall import Recall
from kakudai.engine.runtimes import RuntimeName, usable_processors
from kakudai.engine.toolbox import Chosen, Toolbox
from kakudai.engine.tools import Wish, network_name
from kakudai.engine.work import Workshop
from kakudai.errors import UsageError
from kakudai.image.files import read_image
from kakudai.image.formats import Format
from kakudai.image.picture import Metadata, Picture, Pixels
from kakudai.image.spool import MEMORY, Room
from kakudai.models import Model

if TYPE_CHECKING:
    from kakudai.engine.job import FileOptions


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
        precision: What the networks compute with: float32, bfloat16, float16 or int8.
    """

    plan: Plan
    tile: int
    network_seconds: float
    model: str = ""
    networks: tuple[str, ...] = ()
    strength: int = 0
    reason: str = ""
    notes: tuple[str, ...] = ()
    precision: str = "float32"

    def after(self, enlarging: Enlarging) -> "Report":
        """Add what is known when it is done."""
        return replace(self, tile=enlarging.tile, network_seconds=enlarging.seconds)


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
        device: "cpu", "cuda" for an NVIDIA GPU, or "auto", which is the processor.
        threads: Processor threads; None uses all that this process may.
        precision: "float32", "bfloat16", "float16" or "int8"; "auto" takes what is faster on this machine and as good
            (docs/reference/precision.md), and float32 for pictures of more than 8 bits.

    Attributes:
        size: What is wished for.
        threads: Processor threads that are used.
        numbers: What shipped networks compute with, for pictures of 8 bits.

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
        device: Device = "auto",
        threads: int | None = None,
        precision: Precision = "auto",
    ) -> None:
        self.size = Size(scale, width, height, fit)
        if tile != "auto" and (tile < 0 or 0 < tile < SMALLEST_TILE):
            raise UsageError(
                f"the tile is {tile}",
                f"accepted are auto, 0 for the whole picture, and {SMALLEST_TILE} or more",
            )
        turns = turns_for(tta)
        machine = Machine(runtime, threads, precision, device)
        self.threads = threads or usable_processors()
        self.numbers: Numbers = machine.numbers
        self._box = Toolbox(model, Wish(scale, denoise, style), machine)
        workers = max(loaded.session.workers for loaded in self._box.usual.all)
        pool = ThreadPoolExecutor(max(workers, self.threads), thread_name_prefix="kakudai-tile")
        self._shop = Workshop(None if tile == "auto" else tile, turns, pool)
        self._costs = Costs(self._shop)

    def __enter__(self) -> "Upscaler":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the threads go."""
        self._shop.pool.shutdown(cancel_futures=True)

    def helped_by(self, crew: Crew) -> "Upscaler":
        """Return this upscaler with others who run its networks: it has the same, and ends when this one does.

        Alpha, animations, and networks that look at a whole picture are enlarged here all the same.
        """
        helped = copy.copy(self)
        helped._shop = replace(self._shop, crew=crew)
        return helped

    @property
    def is_helped(self) -> bool:
        """Whether others run its networks."""
        return self._shop.crew is not None

    @property
    def networks(self) -> list[Loaded]:
        """Those that clean pictures are given, loaded."""
        return self._box.usual.all

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

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Yield names and bytes of all networks that a picture may be given; none for modules in memory."""
        return self._box.contents()

    def plan(self, height: int, width: int) -> Plan:
        """Say what would be done to a clean picture of that size."""
        return make_plan(height, width, self.size, self._box.usual.means)

    def choose(self, picture: Picture) -> Chosen:
        """Look at a picture and choose its networks: `upscale_picture` can be told to use them for parts of it."""
        height, width = self.size.of(picture.height, picture.width)
        return self._box.for_picture(picture, max(height / picture.height, width / picture.width))

    def plan_picture(self, picture: Picture, chosen: Chosen | None = None) -> Report:
        """Say what would be done to a picture, by what `choose` has returned, or by a look at it."""
        return self.plan_size(picture.height, picture.width, chosen or self.choose(picture))

    def plan_size(self, height: int, width: int, chosen: Chosen) -> Report:
        """Say what would be done to a picture of that size, by what `choose` has returned."""
        plan = make_plan(height, width, self.size, chosen.tools.means)
        tools, choice = chosen.tools, chosen.choice
        networks = tuple(network_name(loaded) for loaded in tools.steps(plan))
        precision = ", ".join(dict.fromkeys(loaded.numbers for loaded in tools.steps(plan)))
        return Report(
            plan, 0, 0.0, tools.label(plan), networks, tools.strength if plan.denoising != "no" else 0,
            choice.reason if choice else "", tools.notes, precision or "float32",
        )  # fmt: skip

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
        self,
        picture: Picture,
        chosen: Chosen | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
        recall: Recall | None = None,
        room: Room = MEMORY,
    ) -> tuple[Picture, Report]:
        """Enlarge a picture with its alpha; its metadata goes along, its resolution is scaled.

        Nobody removes noise from alpha: the network that only enlarges is used for it, or an exact resize.

        Args:
            picture: The picture.
            chosen: What `choose` has returned; None looks at this picture.
            progress: Called with (pixels done, pixels in all), counted in input pixels of the passes; from several
                threads, but never by two at once.
            recall: The same for all frames of an animation, one after the other: only what changes is run.
            room: Where pictures between two networks go that are too large for memory.
        """
        enlarging, report = self.enlarge(picture, chosen, room)
        output = enlarging.whole(progress, recall)
        return output, report.after(enlarging)

    def enlarge(self, picture: Picture, chosen: Chosen | None = None, room: Room = MEMORY) -> tuple[Enlarging, Report]:
        """Prepare to enlarge a picture row by row, see `upscale_picture`; return it, and what is to be done.

        Args:
            picture: The picture.
            chosen: What `choose` has returned; None looks at this picture.
            room: Where arrays go that are too large for memory.
        """
        chosen = chosen or self.choose(picture)
        report = self.plan_picture(picture, chosen)
        shop = replace(self._shop, room=room)
        return Enlarging(picture, report.plan, chosen.tools, self.size, shop), report

    def estimate(self, picture: Picture, chosen: Chosen, entry: Format, options: "FileOptions") -> Estimate:
        """Say what it will cost to enlarge a picture into a file of that format; its networks are timed.

        Raises:
            WrongResult: A network does not even enlarge a piece of the picture.
        """
        return self._costs.of(picture, self.plan_picture(picture, chosen).plan, chosen.tools, entry, options)

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
