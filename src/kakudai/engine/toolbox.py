"""All networks of one upscaler, and which of them a picture gets: the same for all, or what it needs by its looks."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import numpy as np

from kakudai.engine.choice import Choice, choose
from kakudai.engine.loaded import Loaded, Network
from kakudai.engine.loading import load_model
from kakudai.engine.machine import Machine, Numbers
from kakudai.engine.tools import Tools, Wish, of_family, of_model
from kakudai.errors import UsageError
from kakudai.image.picture import Picture
from kakudai.models import Model, shipped
from kakudai.models.catalogue import find_model, is_folder, read_model_file
from kakudai.models.family import Family, find_family
from kakudai.models.runs import is_run
from kakudai.models.shipped import STYLES, WORDS, Grade, Style

Named: TypeAlias = str | PathLike[str] | Model | Network


@dataclass(frozen=True, slots=True)
class Chosen:
    """What one picture is given.

    Args:
        tools: Its networks.
        choice: How they were chosen; None where there was nothing to choose.
    """

    tools: Tools
    choice: Choice | None = None


class Toolbox:
    """The networks that a model, a style or a folder stands for, opened when a picture first needs them.

    Args:
        model: A name, a path, a folder of waifu2x networks, a run, a style ("auto", "photo", "art"), or a module.
        wish: What the user wants of them.
        machine: How they are run.

    Raises:
        UsageError: The model cannot do what is wished.
        ModelError: It cannot be found or used.
        RuntimeUnavailable: The runtime is not there.
    """

    def __init__(self, model: Named, wish: Wish, machine: Machine) -> None:
        self._wish, self._machine = wish, machine
        self._open: dict[tuple[str, Numbers], Loaded] = {}
        self._opening = threading.Lock()
        self._styles: tuple[Style, ...] = ()
        self._grade: Grade = ""
        self._family: Family | None = None
        self._model: Loaded | None = None
        if isinstance(model, str) and model in WORDS:
            asked, self._grade = WORDS[model]
            self._styles = tuple(style for style in asked if shipped.enlarges(style, self._grade))
            if not self._styles:
                there = ", ".join(shipped.words()) or "none"
                raise UsageError(f"no network for {model} is shipped", f"words that there are networks for: {there}")
        elif isinstance(model, str | PathLike) and is_folder(model) and not is_run(Path(model)):
            self._family = find_family(Path(model), wish.style)
        else:
            loaded = load_model(self._exactly(model)) if isinstance(model, str | PathLike) else model
            self._model = Loaded.open(loaded, machine)
        self.usual = self._tools(self._default(), wish.scale or 2.0, machine)

    @property
    def looks(self) -> bool:
        """Whether pictures have to be looked at: something is left open, and there is something to choose from."""
        auto = self._wish.denoise == "auto"
        if self._styles:
            return len(self._styles) > 1 or (auto and any(map(shipped.restores, self._styles)))
        if self._family is not None:
            return auto and bool(self._family.levels)
        return auto and self._told

    def for_picture(self, picture: Picture, ratio: float) -> Chosen:
        """Choose the networks of a picture, and open them if that has not happened.

        Args:
            picture: The picture.
            ratio: Output pixels per input pixel.
        """
        machine = self._machine if picture.color.dtype == np.uint8 else self._machine.exact
        if not self.looks:
            return Chosen(self._tools(self._default(), ratio, machine))
        choice = choose(
            picture, self._styles or self._own_style, None if self._wish.denoise == "auto" else self._wish.denoise
        )
        return Chosen(self._tools(choice, ratio, machine), choice)

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Yield names and bytes of all networks that a picture may be given."""
        if self._styles:
            yield from ((name, find_model(name).data) for name in shipped.files_of(self._styles, self._grade))
        elif self._family is not None:
            yield from ((path.name, read_model_file(path)) for path in self._family.files)
        elif self._model is not None and isinstance(self._model.model, Model):
            model = self._model.model
            yield model.name, b"".join((model.data, *(model.native or ())))

    @property
    def _told(self) -> bool:
        return self._model is not None and isinstance(self._model.model, Model) and self._model.model.takes_strength

    @property
    def _own_style(self) -> tuple[Style, ...]:
        """The style of the one network that was named, by its name; none where that says nothing."""
        name = self._model.model.name if self._model and isinstance(self._model.model, Model) else ""
        return tuple(style for style in STYLES if name.startswith(style))

    def _default(self) -> Choice:
        """Return what is done to a picture that nobody looks at."""
        strength = 0 if self._wish.denoise == "auto" else self._wish.denoise
        return Choice(self._styles[0] if self._styles else "photo", strength, "")

    def _tools(self, choice: Choice, ratio: float, machine: Machine) -> Tools:
        if self._styles:
            return self._shipped(choice, ratio, machine)
        if self._family is not None:
            wish = replace(self._wish, denoise=choice.strength)
            return of_family(self._family, wish, lambda path: self._opened(str(path), machine))
        assert self._model is not None
        loaded, model = self._model, self._model.model
        if isinstance(model, Model) and machine.numbers_of(model) != self._machine.numbers_of(model):
            loaded = self._opened_as(model.name, model, machine)
        return of_model(loaded, self._wish, choice.strength)

    def _shipped(self, choice: Choice, ratio: float, machine: Machine) -> Tools:
        """Choose of the shipped family."""
        style, strength = choice.style, choice.strength
        if strength and self._wish.denoise != "auto" and not shipped.restores(style):
            raise UsageError(
                f"no shipped network removes noise from {style}",
                "leave --denoise out (kakudai waifu2x: -n -1), or give a folder of waifu2x networks with -m",
            )
        picked = shipped.pick(style, ratio, restore=strength > 0, grade=self._grade)
        names = [name for name in (picked.enlarging, picked.denoising, picked.combined) if name]
        files = {name: shipped.in_int8(name) or name if machine.numbers == "int8" else name for name in names}
        asked = [name for name in names if files[name] == name and self._machine.precision == "int8"]
        lacking = tuple(f"there is no int8 network for {name}: it runs in float32" for name in asked)
        return Tools(
            self._opened(files[picked.enlarging], machine),
            self._opened(files[picked.denoising], machine, strength) if picked.denoising else None,
            self._opened(files[picked.combined], machine, strength) if picked.combined else None,
            strength,
            notes=(*picked.notes, *lacking),
        )

    def _exactly(self, model: str | PathLike[str]) -> str | PathLike[str]:
        """Return the model that was named, or, where 8-bit numbers are asked for, the one that does the same with them.

        Raises:
            UsageError: There is none.
        """
        if self._machine.precision != "int8" or str(model).endswith(shipped.INT8):
            return model
        same = shipped.in_int8(str(model))
        if same is None:
            hint = "leave --precision out; those that there are end in -int8: kakudai models list"
            raise UsageError(f"there is no int8 network for {model}", hint)
        return same

    def _opened(self, name: str, machine: Machine, strength: int | None = None) -> Loaded:
        """Open a network once for a machine, by its name or path, and tell it a strength."""
        loaded = self._opened_as(name, None, machine)
        return loaded if strength is None else replace(loaded, strength=strength / 100)

    def _opened_as(self, name: str, model: Model | None, machine: Machine) -> Loaded:
        with self._opening:
            if (name, machine.numbers) not in self._open:
                self._open[name, machine.numbers] = Loaded.open(model or load_model(name), machine)
            return self._open[name, machine.numbers]
