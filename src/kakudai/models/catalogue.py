"""Models by name: what is shipped, and what a path leads to."""

import difflib
import json
import os
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from os import PathLike
from pathlib import Path
from typing import Any, Literal, cast

from kakudai.errors import ModelInvalid, ModelNotFound
from kakudai.models import store
from kakudai.models.onnx_file import read_metadata
from kakudai.models.pools import Pools
from kakudai.models.pools import from_json as pools_from_json
from kakudai.models.shipped import WORDS, file_of, is_shipped

PREFIX = "kakudai."
MAX_BYTES = 512 << 20
"""Larger files are refused before they are read."""

FOREIGN_LEEWAY = 4.0
"""Networks of others may aim to please the eye: realesr-animevideov3 moves the mean of an old photograph by 0.035."""

WAIFU2X_FOLDER = re.compile(r"waifu2x|(?:^|[/-])(?:up)?cunet|upconv_?7|vgg_?7|upresnet10|swin_unet", re.IGNORECASE)
"""What the folders of waifu2x's programs have in their names: models-cunet, models/upconv_7/art."""


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
        native: The .param and the .bin that it was made of, for the runtime ncnn; None for all other models.
    """

    name: str
    scale: int
    halo: int | None
    multiple: int
    data: bytes = field(repr=False)
    card: dict[str, str] = field(repr=False)
    native: tuple[bytes, bytes] | None = field(default=None, repr=False)

    @property
    def color(self) -> Literal["luma", "rgb"]:
        """What the network inside looks at. The file takes and gives RGB in both cases."""
        return cast(Literal["luma", "rgb"], self.card["color"])

    @property
    def precision(self) -> str:
        """What the convolutions inside compute with: "float32" or "int8"."""
        return self.card.get("precision", "float32")

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return int(self.card["parameters"])

    @property
    def features(self) -> int:
        """Numbers that its hungriest layer takes and gives for a pixel of the input; 0 where nobody counted them."""
        return int(self.card.get("features", "0"))

    @property
    def border(self) -> Literal["mirror", "edge"]:
        """How the picture goes on outside for the network: as its mirror image, or as its edge pixels."""
        return cast(Literal["mirror", "edge"], self.card.get("border", "mirror"))

    @property
    def leeway(self) -> float:
        """How many times further than a network of ours it may move colours and still be right."""
        return FOREIGN_LEEWAY if "source" in self.card else 1.0

    @property
    def takes_strength(self) -> bool:
        """Whether the network takes the strength of denoising, 0 to 1, as a fourth plane of its input."""
        return self.card.get("strength") == "plane"

    @cached_property
    def pools(self) -> Pools | None:
        """Averages over the whole picture that can be had from tiles; None where there are none."""
        return pools_from_json(self.card["pools"]) if self.card.get("pools") else None

    @cached_property
    def quality(self) -> dict[str, dict[str, Any]]:
        """Measured quality: set and scale -> {"psnr", "ssim", "protocol"}."""
        return cast(dict[str, dict[str, Any]], json.loads(self.card["quality"]))


def list_models() -> list[Model]:
    """Return the shipped models, by name."""
    files = (file for file in resources.files(__package__).iterdir() if file.name.endswith(".onnx"))
    return [model_from_bytes(file.read_bytes(), file.name) for file in sorted(files, key=lambda file: file.name)]


def find_model(name: str | PathLike[str]) -> Model:
    """Return the shipped or imported model of that name, or the model in the file of ours at that path.

    Files of other programs are for `kakudai.engine.loading.load_model`, which knows everything that this does.

    Raises:
        ModelNotFound: Neither exists.
        ModelInvalid: The file is no network of ours: not ONNX, truncated, without metadata, with external data.
    """
    if is_path(name):
        return model_from_bytes(read_model_file(Path(name)), str(name))
    text = str(name)
    path = resources.files(__package__).joinpath(f"{file_of(text)}.onnx")
    if is_file(path):
        return model_from_bytes(path.read_bytes(), path.name)
    imported = store.read_imported(text)
    if imported is not None:
        model = model_from_bytes(imported[0], f"the imported model {text}")
        return replace(model, name=text, native=imported[1])
    words = [word for word in WORDS if is_shipped(file_of(word))]
    names = [*words, *(model.name for model in list_models()), *store.imported_names()]
    close = difflib.get_close_matches(text, sorted(names), 1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    raise _nothing_called(text, f"{meant}there are {', '.join(sorted(names))}, or give a path")


def _nothing_called(name: str, hint: str) -> ModelNotFound:
    """Return the error for what is nothing at all; who comes from waifu2x is told that its networks are elsewhere."""
    if WAIFU2X_FOLDER.search(name):
        hint = "kakudai ships no waifu2x networks: give the path of the folder where yours are"
    return ModelNotFound(f"there is no model, file or folder {name!r}", hint)


def is_path(name: str | PathLike[str]) -> bool:
    """Say whether a model is named by the path of its file; names of imported models may have dots in them."""
    path = Path(name)
    if len(path.parts) > 1:
        return True
    return bool(path.suffix) and (is_file(path) or str(name) not in store.imported_names())


def is_folder(name: str | PathLike[str]) -> bool:
    """Say whether a model is named by a folder. A folder "photo" beside the pictures does not hide the model photo:
    it is called ./photo.
    """
    plain = isinstance(name, str) and not {"/", os.sep} & set(name)
    if plain and (name in WORDS or is_shipped(str(name)) or name in store.imported_names()):
        return False
    return os.path.isdir(name)  # noqa: PTH112 - unlike Path's it never raises, whatever the name


def read_model_file(path: Path) -> bytes:
    """Read a model file.

    Raises:
        ModelNotFound: There is none.
        ModelInvalid: It cannot be read, or is too large for any network.
    """
    if is_folder(path):
        raise ModelNotFound(f"{path} is a folder, and no model file", "name one of the model files in it")
    if not is_file(path):
        raise _nothing_called(str(path), "see what there is with: kakudai models list")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelInvalid(f"{path} cannot be read: {error.strerror}", "check its permissions") from error
    if len(data) > MAX_BYTES:
        raise ModelInvalid(f"{path} is larger than {MAX_BYTES >> 20} MiB", "no network for this program is so large")
    return data


def is_file(path: Path | Traversable) -> bool:
    """Say whether there is a file; a name that the system does not even accept is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_own(data: bytes, name: str) -> bool:
    """Say whether an ONNX file has our metadata.

    Raises:
        ModelInvalid: It is no ONNX file, is truncated, or keeps weights in other files.
    """
    return any(key.startswith(PREFIX) for key in read_metadata(data, name))


def model_from_bytes(data: bytes, name: str) -> Model:
    """Make a model of an ONNX file of ours.

    Args:
        data: The whole file.
        name: What to call it in errors.

    Raises:
        ModelInvalid: See `find_model`.
    """
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
    sensible = model.scale in range(1, 17) and model.multiple in range(1, 1025) and (model.halo or 0) in range(4097)
    if not sensible or model.color not in ("luma", "rgb") or min(model.parameters, model.features) < 0:
        raise ValueError("scale, halo, multiple, color, parameters or features are out of range")
    if not isinstance(model.quality, dict):
        raise TypeError("quality is not an object")
    if not isinstance(json.loads(model.card.get("arguments", "{}")), dict):
        raise TypeError("arguments is not an object")
    float(model.card.get("macs_per_output_pixel", 0))
    if model.border not in ("mirror", "edge"):
        raise ValueError(f"border is {model.border!r}")
    if model.card.get("strength", "none") not in ("none", "plane") or (model.takes_strength and model.color == "luma"):
        raise ValueError(f"strength is {model.card['strength']!r} and color {model.color!r}")
    if model.pools and model.takes_strength:
        raise ValueError("a network that takes a strength cannot have averages over the whole picture")
    if model.pools and any((model.multiple / average.ratio).denominator > 1 for average in model.pools.averages):
        raise ValueError("an average does not divide the multiple")
