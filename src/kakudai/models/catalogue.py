"""Models by name: what is shipped, and what a path leads to."""

import difflib
import json
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from os import PathLike
from pathlib import Path
from typing import Any, Literal, cast

from kakudai.errors import ModelInvalid, ModelNotFound
from kakudai.models.onnx_file import read_metadata

PREFIX = "kakudai."
MAX_BYTES = 512 << 20
"""Larger files are refused before they are read."""

ALIASES = {"auto": "photo-x2", "photo": "photo-x2"}
"""Short names, and the shipped file that each stands for."""


@dataclass(frozen=True)
class Model:
    """A network ready to be given to a runtime.

    Args:
        name: Its own name, from its metadata.
        scale: Enlargement factor, a whole number.
        halo: Input pixels around a tile that influence its result; None where all of the picture does.
        multiple: Height and width of the input must divide by this.
        data: The ONNX file. A runtime gets these bytes and never a path, so that nothing beside the file can be opened.
        card: All metadata, without the prefix `kakudai.`.
    """

    name: str
    scale: int
    halo: int | None
    multiple: int
    data: bytes = field(repr=False)
    card: dict[str, str] = field(repr=False)

    @property
    def color(self) -> Literal["luma", "rgb"]:
        """What the network inside looks at. The file takes and gives RGB in both cases."""
        return cast(Literal["luma", "rgb"], self.card["color"])

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return int(self.card["parameters"])

    @cached_property
    def quality(self) -> dict[str, dict[str, Any]]:
        """Measured quality: set and scale -> {"psnr", "ssim", "protocol"}."""
        return cast(dict[str, dict[str, Any]], json.loads(self.card["quality"]))


def list_models() -> list[Model]:
    """Return the shipped models, by name."""
    files = (file for file in resources.files(__package__).iterdir() if file.name.endswith(".onnx"))
    return [_from_bytes(file.read_bytes(), file.name) for file in sorted(files, key=lambda file: file.name)]


def find_model(name: str | PathLike[str]) -> Model:
    """Return the shipped model of that name, or the model in the file at that path.

    Raises:
        ModelNotFound: Neither exists.
        ModelInvalid: The file is no network of ours: not ONNX, truncated, without metadata, with external data.
    """
    path = Path(name)
    text = str(name)
    if path.suffix or len(path.parts) > 1:
        return _from_file(path)
    shipped = resources.files(__package__).joinpath(f"{ALIASES.get(text, text)}.onnx")
    if not _is_file(shipped):
        names = sorted([*ALIASES, *(model.name for model in list_models())])
        close = difflib.get_close_matches(text, names, 1)
        meant = f"did you mean {close[0]!r}? " if close else ""
        raise ModelNotFound(f"no model is called {text!r}", f"{meant}there are {', '.join(names)}, or give a path")
    return _from_bytes(shipped.read_bytes(), shipped.name)


def _from_file(path: Path) -> Model:
    if not _is_file(path):
        raise ModelNotFound(f"no model file at {path}", "see the shipped ones with: kakudai models list")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelInvalid(f"{path} cannot be read: {error.strerror}", "check its permissions") from error
    if len(data) > MAX_BYTES:
        raise ModelInvalid(f"{path} is larger than {MAX_BYTES >> 20} MiB", "no network for this program is so large")
    return _from_bytes(data, str(path))


def _is_file(path: Path | Traversable) -> bool:
    """Say whether there is a file; a name that the system does not even accept is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _from_bytes(data: bytes, name: str) -> Model:
    entries = read_metadata(data, name)
    card = {key.removeprefix(PREFIX): value for key, value in entries.items() if key.startswith(PREFIX)}
    try:
        halo = None if card["halo"] == "none" else int(card["halo"])
        model = Model(card["name"], int(card["scale"]), halo, int(card["multiple"]), data, card)
        _check_card(model)
    except KeyError as error:
        raise ModelInvalid(
            f"{name} has no kakudai metadata ({error.args[0]!r} is missing)",
            "files of other programs are taken in with: kakudai models import FILE",
        ) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelInvalid(f"{name}: its metadata makes no sense: {error}", "export it again") from error
    return model


def _check_card(model: Model) -> None:
    """Raise ValueError or TypeError where a card promises what no network can keep."""
    sensible = model.scale in range(1, 17) and model.multiple in range(1, 257) and (model.halo or 0) in range(4097)
    if not sensible or model.color not in ("luma", "rgb") or model.parameters < 0:
        raise ValueError("scale, halo, multiple, color or parameters are out of range")
    if not isinstance(model.quality, dict):
        raise TypeError("quality is not an object")
