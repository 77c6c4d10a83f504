"""The networks that one wish needs: one that enlarges, and those that remove noise."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kakudai.engine.loaded import Loaded
from kakudai.engine.plan import Means, Plan
from kakudai.errors import ModelInvalid, ModelNotFound, UsageError
from kakudai.models import Model
from kakudai.models.family import Family, wanted_level


@dataclass(frozen=True, slots=True)
class Tools:
    """Loaded networks by what they do.

    Args:
        enlarging: Only enlarges; None where a folder has no such network.
        denoising: Only removes noise; None where that is not wanted, or the combined one does it. It is not run where
            it would be told the strength 0.
        combined: Does both, for the first pass; None where that is not wanted, or there is none.
        strength: Of the denoising that they do, 0 to 100.
        name: What to call them together; None for their own names.
        notes: What the user should know about the choice, one sentence each.
    """

    enlarging: Loaded | None = None
    denoising: Loaded | None = None
    combined: Loaded | None = None
    strength: int = 0
    name: str | None = None
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
            denoises=self.denoising is not None and self.denoising.strength != 0,
            combined=self.combined is not None,
        )

    def steps(self, plan: Plan) -> list[Loaded]:
        """Name the networks of a plan, in their order."""
        steps = [self.enlarging] * plan.passes
        if plan.denoising == "within":
            steps[0] = self.combined
        elif plan.denoising == "before":
            steps.insert(0, self.denoising)
        known = [loaded for loaded in steps if loaded is not None]
        assert len(known) == len(steps), "a plan has only passes that there are networks for"
        return known

    def label(self, plan: Plan) -> str:
        """Say which networks a plan runs, with the strength that they are told."""
        if self.name is not None:
            return self.name
        names = [network_name(loaded) for loaded in self.steps(plan) or self.all[:1]]
        removes = plan.denoising != "no" and self.strength
        return " + ".join(dict.fromkeys(names)) + (f", strength {self.strength}" if removes else "")

    @property
    def reach(self) -> int:
        """Pixels around a pixel that any of them looks at."""
        return max(loaded.reach for loaded in self.all)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user wants of the networks.

    Args:
        scale: Enlargement, or None where it depends on the picture.
        denoise: 0 to 100; "auto" leaves it to the picture where a model has a strength, and else to the model.
        style: Which of several folders of networks is meant.
    """

    scale: float | None = None
    denoise: int | Literal["auto"] = "auto"
    style: str | None = None

    def __post_init__(self) -> None:
        if self.denoise == "auto":
            return
        if type(self.denoise) is not int or not 0 <= self.denoise <= 100:
            hint = "accepted are auto, and whole numbers from 0 for none to 100 for the most"
            raise UsageError(f"denoise is {self.denoise!r}", hint)

    @property
    def strength(self) -> int:
        """0 to 100; 0 where nobody has said."""
        return 0 if self.denoise == "auto" else self.denoise


def network_name(loaded: Loaded) -> str:
    """Return what a network is called."""
    return str(getattr(loaded.model, "name", "network"))


def of_model(loaded: Loaded, wish: Wish, strength: int) -> Tools:
    """Make what can be made of one network.

    Args:
        loaded: The network.
        wish: What the user has said.
        strength: Of denoising, 0 to 100, as it was said or chosen.

    Raises:
        UsageError: Noise is to be removed, and the network cannot; or it can nothing else, and that is not wanted.
    """
    model = loaded.model
    name = network_name(loaded)
    if model.scale == 1 and wish.denoise == 0:
        hint = "leave --denoise out (kakudai waifu2x: give a level with -n), or name another model"
        raise UsageError(f"{name} does nothing but restore, and denoise is 0", hint)
    if isinstance(model, Model) and model.takes_strength:
        told, silent = replace(loaded, strength=strength / 100), replace(loaded, strength=0.0)
        if model.scale == 1:
            return Tools(denoising=told, strength=strength, notes=_resizing(name, wish))
        return Tools(silent, combined=told if strength else None, strength=strength)
    if strength:
        does = "enlarges" if model.scale > 1 else "restores"
        raise UsageError(
            f"{name} {does} and has no strength of denoising to choose",
            "leave --denoise out (kakudai waifu2x: -n -1), or give a folder of waifu2x networks with -m",
        )
    if model.scale > 1:
        return Tools(loaded, notes=(f"{name} only enlarges: nothing is removed",) if wish.scale == 1 else ())
    return Tools(denoising=loaded, notes=_resizing(name, wish))


def of_family(family: Family, wish: Wish, opened: Callable[[Path], Loaded]) -> Tools:
    """Choose of a folder of waifu2x networks. Those that are not needed stay closed.

    Args:
        family: The folder.
        wish: What is wanted.
        opened: Loads the network in a file.

    Raises:
        ModelError: The folder has no such network, or it cannot be used.
    """
    level = family.level_for(wish.strength)
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

    def named(path: Path | None, factor: int) -> Loaded | None:
        if path is None:
            return None
        loaded = opened(path)
        model = loaded.model
        assert isinstance(model, Model)
        if model.scale != factor:
            raise ModelInvalid(f"{path} enlarges {model.scale} times, and its name says {factor}", "rename it")
        return replace(loaded, model=replace(model, name=f"{family.name}/{path.stem}"))

    return Tools(
        named(enlarging, scale),
        named(denoising, 1),
        named(combined, scale),
        wish.strength,
        family.name if level is None else f"{family.name} noise {level}",
        _notes(family, wish, level, has_enlarging=enlarging is not None),
    )


def _notes(family: Family, wish: Wish, level: int | None, *, has_enlarging: bool) -> tuple[str, ...]:
    notes = []
    if level is not None and wish.strength and level != wanted_level(wish.strength):
        levels = ", ".join(map(str, family.levels))
        notes.append(
            f"{family.name} has noise levels {levels}: level {level} is used instead of {wanted_level(wish.strength)}"
        )
    return (*notes, *(() if has_enlarging else _resizing(family.name, wish)))


def _resizing(name: str, wish: Wish) -> tuple[str, ...]:
    """Say that networks which do not enlarge leave that to a resize, where it is wished."""
    if wish.scale is not None and wish.scale <= 1:
        return ()
    return (f"{name} has no network that only enlarges: what it cannot do is resized with Lanczos",)
