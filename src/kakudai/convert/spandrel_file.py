"""Weights of networks that kakudai does not have, through the package spandrel where somebody has installed it.

spandrel needs torchvision for two networks that restore faces and fill holes, and imports it for all. Where torchvision
is missing or broken (its wheels want the torch that they were built with), stand-ins take its place while spandrel is
imported; nothing but those two networks calls them.
"""

import contextlib
import importlib
import sys
import types
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from torch import Tensor, nn

from kakudai.convert import halo, probe
from kakudai.convert.card import Converted
from kakudai.convert.packages import needed
from kakudai.convert.torch_color import LumaInRGB
from kakudai.convert.torch_export import runner, to_onnx
from kakudai.convert.windows import in_windows, overlap_of
from kakudai.errors import ModelInvalid

TORCHVISION = (
    "torchvision", "torchvision.models", "torchvision.ops", "torchvision.transforms",
    "torchvision.transforms.functional",
)  # fmt: skip

HINT = "networks of this kind are read with the package spandrel: pip install --no-deps spandrel einops"
CLOSE = 1 / 255
"""How far a graph may be from PyTorch: attention is that sensitive to rounding, and a wrong graph is far worse."""

SIDE = 128
"""Pixels of the pieces that a network is run on which cannot be written for all sizes."""


class Fixed(nn.Module):
    """A network of spandrel's, with the three attributes that our own have.

    Shape: (N, channels, H, W) in [0, 1] -> (N, channels, scale H, scale W).
    """

    def __init__(self, network: nn.Module, *, scale: int, multiple: int) -> None:
        super().__init__()
        self.network, self.scale, self.multiple = network, scale, multiple
        self.halo: int | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        return self.network(x)  # type: ignore[no-any-return]


def convert(tensors: dict[str, Tensor], name: str, open_network: probe.OpenNetwork) -> Converted:
    """Convert weights that spandrel recognises.

    Raises:
        ModelInvalid: It does not, is not installed, or the network is not one that enlarges pictures.
    """
    if find_spec("spandrel") is None:
        raise ModelInvalid(f"{name} is of no network that kakudai knows (first weight: {next(iter(tensors))!r})", HINT)
    found = _load(tensors, name)
    if type(found).__name__ != "ImageModelDescriptor":
        raise ModelInvalid(f"{name} is {found.architecture.name}, which needs more than a picture", "use another model")
    channels = int(found.input_channels)
    if found.output_channels != channels or channels not in (1, 3):
        wanted = f"{found.input_channels} channels and gives {found.output_channels}"
        raise ModelInvalid(f"{name} takes {wanted}", "accepted are networks from RGB to RGB, or from luma to luma")
    sizes = found.size_requirements
    multiple = max(int(sizes.multiple_of), 1)
    network = Fixed(found.model.float().eval(), scale=int(found.scale), multiple=multiple)
    wrapped: nn.Module = LumaInRGB(network).eval() if channels == 1 else network
    data, run, fixed = _graph(wrapped, open_network, name)
    model = needed("onnx").load_from_string(data)
    if fixed:
        reach: int | None = overlap_of(fixed)
        model, multiple = in_windows(model, fixed, network.scale), fixed - 2 * overlap_of(fixed)
        said = f"its graph cannot be written for all sizes, so it runs on overlapping windows of {fixed} pixels"
    else:
        reach, said = halo.find_halo(model, run, scale=network.scale, multiple=multiple)
    card = {
        "name": name,
        "scale": str(network.scale),
        "halo": "none" if reach is None else str(reach),
        "multiple": str(multiple),
        "color": "luma" if channels == 1 else "rgb",
        "network": str(found.architecture.id).lower(),
        "parameters": str(sum(parameter.numel() for parameter in network.parameters())),
        "notes": "; ".join(note for note in (f"{found.architecture.name}, read by spandrel", said) if note),
    }
    return Converted(model, card)


def _graph(network: nn.Module, open_network: probe.OpenNetwork, name: str) -> tuple[bytes, probe.Run, int | None]:
    """Write a network as ONNX, for all sizes if its Python code decides nothing by the size, else for one.

    Returns:
        The file, what runs it, and the one side that pictures may have; None for any.

    Raises:
        ModelInvalid: Neither gives what the network gives in PyTorch.
    """
    multiple = int(network.multiple)  # type: ignore[arg-type]
    fixed = -(-SIDE // multiple) * multiple
    problem = ""
    for side in (None, fixed):
        try:
            data = to_onnx(network, side)
            run = open_network(data)
            if _agrees(network, run, (side, side) if side else (fixed + multiple, fixed + 3 * multiple)):
                return data, run, side
            problem = "its graph gives another result than PyTorch"
        except ModelInvalid as error:
            problem = error.message
        except (
            Exception
        ) as error:  # torch's exporter raises errors of its own, RuntimeError, and whatever the code does
            problem = _first_line(error)
    raise ModelInvalid(f"{name} cannot be written as ONNX: {problem}", "use another model")


def _agrees(network: nn.Module, run: probe.Run, size: tuple[int, int]) -> bool:
    """Say whether a graph gives what the network gives, for a size that it was not written with."""
    x = probe.picture(*size)[None]
    wanted, found = runner(network)(x), run(x)
    return found.shape == wanted.shape and float(np.abs(found - wanted).max()) <= CLOSE


def _load(tensors: dict[str, Tensor], name: str) -> Any:
    """Let spandrel find the network of some weights."""
    with _torchvision(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            spandrel = importlib.import_module("spandrel")
        except Exception as error:  # whatever its many dependencies raise
            raise ModelInvalid(f"spandrel does not start: {_first_line(error)}", HINT) from error
        try:
            return spandrel.ModelLoader().load_from_state_dict(dict(tensors))
        except Exception as error:
            first = next(iter(tensors), "none")
            raise ModelInvalid(
                f"{name} is of no network that kakudai or spandrel knows (first weight: {first!r})",
                "see docs/reference/model-formats.md",
            ) from error


@contextlib.contextmanager
def _torchvision() -> Iterator[None]:
    """Put stand-ins in the place of torchvision, where it does not work."""
    if "spandrel" in sys.modules or _works("torchvision"):
        yield
        return
    for name in TORCHVISION:
        sys.modules[name] = StandIn(name)
    try:
        yield
    finally:
        for name in TORCHVISION:
            del sys.modules[name]


class StandIn(types.ModuleType):
    """A module that has every name, all of which are functions that refuse to work."""

    __path__: list[str] = []  # noqa: RUF012 - what makes a module a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*_: Any, **__: Any) -> None:
            raise ModelInvalid("this network needs torchvision, which is not installed", "use another model")

        return missing


def _works(package: str) -> bool:
    if find_spec(package) is None:
        return False
    try:
        importlib.import_module(package)
    except Exception:  # torchvision built for another torch raises RuntimeError, and leaves half of itself behind
        for name in [name for name in sys.modules if name.split(".")[0] == package]:
            del sys.modules[name]
        return False
    return True


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
