"""The networks that one wish needs: one that enlarges, and those that remove noise."""

from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from kakudai.engine.loaded import Loaded, Network
from kakudai.engine.loading import load_model
from kakudai.engine.plan import Means
from kakudai.engine.runtimes import RuntimeName
from kakudai.errors import ModelInvalid, ModelNotFound, UsageError
from kakudai.models import Model
from kakudai.models.catalogue import is_folder
from kakudai.models.family import Family, find_family, wanted_level
from kakudai.models.runs import is_run


@dataclass(frozen=True, slots=True)
class Tools:
    """Loaded networks by what they do.

    Args:
        name: What to call them together.
        enlarging: Only enlarges; None where a folder has no such network.
        denoising: Only removes noise; None where that is not wanted, or the combined one does it.
        combined: Does both, for the first pass; None where that is not wanted, or there is none.
        notes: What the user should know about the choice, one sentence each.
    """

    name: str
    enlarging: Loaded | None = None
    denoising: Loaded | None = None
    combined: Loaded | None = None
    notes: tuple[str, ...] = ()

    @property
    def all(self) -> list[Loaded]:
        """All of them, the one that enlarges first."""
        return [loaded for loaded in (self.enlarging, self.combined, self.denoising) if loaded is not None]

    @property
    def scale(self) -> int:
        """Enlargement factor of those that enlarge; 1 where none does."""
        return max(loaded.model.scale for loaded in self.all)

    @property
    def means(self) -> Means:
        """What a plan can be made of."""
        return Means(
            self.scale,
            enlarges=self.enlarging is not None,
            denoises=self.denoising is not None,
            combined=self.combined is not None,
        )

    @property
    def reach(self) -> int:
        """Pixels around a pixel that any of them looks at."""
        return max(loaded.reach for loaded in self.all)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user wants of the networks.

    Args:
        scale: Enlargement, or None where it depends on the picture.
        denoise: 0 to 100; None leaves it to the model.
        style: Which of several folders of networks is meant.
    """

    scale: float | None = None
    denoise: int | None = None
    style: str | None = None

    def __post_init__(self) -> None:
        if self.denoise is not None and not 0 <= self.denoise <= 100:
            raise UsageError(f"denoise is {self.denoise}", "accepted are 0 for none, to 100 for the most")


def open_tools(
    model: str | PathLike[str] | Model | Network, wish: Wish, *, runtime: RuntimeName, threads: int | None
) -> Tools:
    """Load what a model, or a folder of waifu2x networks, has for a wish. Networks that it does not need stay closed.

    A folder that a training run has written is the network in it.

    Raises:
        UsageError: Noise is to be removed, and the model cannot; or it can nothing else, and that is not wanted.
        ModelError: The model cannot be found or used.
        RuntimeUnavailable: The runtime is not there.
    """
    if isinstance(model, str | PathLike):
        if is_folder(model) and not is_run(Path(model)):
            return _of_family(find_family(Path(model), wish.style), wish, runtime, threads)
        model = load_model(model)
    loaded = Loaded.open(model, runtime=runtime, threads=threads)
    name = str(getattr(model, "name", "network"))
    if model.scale > 1:
        if wish.denoise:
            raise UsageError(
                f"{name} enlarges and has no strength of denoising to choose",
                "leave --denoise out (kakudai waifu2x: -n -1), or give a folder of waifu2x networks with -m",
            )
        return Tools(name, enlarging=loaded)
    if wish.denoise == 0:
        hint = "leave --denoise out (kakudai waifu2x: give a level with -n), or give another model"
        raise UsageError(f"{name} does nothing but restore, and denoise is 0", hint)
    return Tools(name, denoising=loaded)


def _of_family(family: Family, wish: Wish, runtime: RuntimeName, threads: int | None) -> Tools:
    level = family.level_for(wish.denoise or 0)
    scale = family.scale_for(wish.scale, level)
    enlarging = family.enlarging.get(scale)
    combined = denoising = None
    if level is not None:
        combined, denoising = family.combined.get((level, scale)), family.denoising.get(level)
    grows = wish.scale is None or wish.scale > 1
    if combined is not None and grows:
        denoising = None
    elif denoising is not None:
        combined = None
    if not grows and (combined or denoising):
        enlarging = None
    if not (enlarging or combined or denoising):
        raise ModelNotFound(
            f"{family.folder} has no network that only enlarges", "remove noise with --denoise, or add scale2.0x_model"
        )

    def opened(path: Path | None, factor: int) -> Loaded | None:
        if path is None:
            return None
        model = load_model(path)
        if model.scale != factor:
            raise ModelInvalid(f"{path} enlarges {model.scale} times, and its name says {factor}", "rename it")
        model = replace(model, name=f"{family.name}/{path.stem}")
        return Loaded.open(model, runtime=runtime, threads=threads)

    return Tools(
        family.name if level is None else f"{family.name} noise {level}",
        opened(enlarging, scale),
        opened(denoising, 1),
        opened(combined, scale),
        _notes(family, wish, level, has_enlarging=enlarging is not None),
    )


def _notes(family: Family, wish: Wish, level: int | None, *, has_enlarging: bool) -> tuple[str, ...]:
    notes = []
    if level is not None and wish.denoise and level != wanted_level(wish.denoise):
        levels = ", ".join(map(str, family.levels))
        notes.append(
            f"{family.name} has noise levels {levels}: level {level} is used instead of {wanted_level(wish.denoise)}"
        )
    if not has_enlarging and (wish.scale is None or wish.scale > 1):
        notes.append(f"{family.name} has no network that only enlarges: what it cannot do is resized with Lanczos")
    return tuple(notes)
