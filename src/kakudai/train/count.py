"""What networks cost: parameters, multiply-adds and receptive field of every variant that the literature prints."""

import inspect
import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from kakudai.networks import find_network

WIDTH, HEIGHT = 1280, 720
"""The output that the literature counts multiply-adds for."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One network of the literature, as printed there.

    Args:
        name: Its file in networks/.
        variant: What it is called in the literature.
        network: Its class.
        arguments: What the class is given beside `scale` and `in_channels`.
        scale: Enlargement factor.
        in_channels: 1 luma, 3 RGB.
        parameters: Weights and biases that are learnt.
        macs_per_output_pixel: Multiply-adds of all convolutions, a fixed enlargement included.
        macs_1280x720: The same for a whole output of 1280x720 pixels.
        receptive_field: Side of the square of low-resolution pixels that the output of one of them depends on; None
            where that is the whole picture.
        paper: Authors, title, venue, year, address.
    """

    name: str
    variant: str
    network: str
    arguments: dict[str, int | float | bool | str]
    scale: int
    in_channels: int
    parameters: int
    macs_per_output_pixel: float
    macs_1280x720: int
    receptive_field: int | None
    paper: str


def count_variants(name: str) -> list[Variant]:
    """Count all variants of one network. None of them is really made, so this is quick for large ones too.

    Args:
        name: A file in networks/.

    Raises:
        KeyError: There is none of that name.
    """
    module = find_network(name)
    return [_count(name, variant, arguments) for variant, arguments in module.VARIANTS.items()]


def multiply_adds_per_output_pixel(network: nn.Module, channels: int, scale: int) -> float:
    """Count multiply-adds of all convolutions for one pixel of the output, in the middle of a large picture.

    Nothing is computed: tensors have a shape and no content. A fixed enlargement inside the network counts.
    """
    with FakeTensorMode(allow_non_fake_inputs=True):
        return _multiply_adds(network, channels, scale)


def _count(name: str, variant: str, arguments: dict[str, int | float | bool | str]) -> Variant:
    module = find_network(name)
    network_class = getattr(module, module.__all__[0])
    given: dict[str, Any] = {key: _default(network_class, key) for key in ("scale", "in_channels")} | arguments
    scale, channels = given["scale"], given["in_channels"]
    with FakeTensorMode():
        network = network_class(**given).eval()
        macs = _multiply_adds(network, channels, scale)
    return Variant(
        name=name,
        variant=variant,
        network=network_class.__name__,
        arguments={key: value for key, value in given.items() if key not in ("scale", "in_channels")},
        scale=scale,
        in_channels=channels,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        macs_per_output_pixel=macs,
        macs_1280x720=round(macs * WIDTH * HEIGHT),
        receptive_field=None if network.halo is None else 2 * network.halo + 1,
        paper=_paper(module.__doc__ or ""),
    )


def _multiply_adds(network: nn.Module, channels: int, scale: int) -> float:
    """Run a network on pictures of three sizes and take their second difference, in a FakeTensorMode.

    What a network that pads its input computes for the padding grows with the picture's side only, and falls out.
    """
    side = 16 * int(getattr(network, "multiple", 1))
    device = next((parameter.device for parameter in network.parameters()), None)
    counts = []
    for factor in (1, 2, 3):
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            network(torch.empty(1, channels, factor * side, factor * side, device=device))
        counts.append(counter.get_total_flops() / 2)
    return (counts[2] - 2 * counts[1] + counts[0]) / 2 / (side * scale) ** 2


def _default(function: Any, argument: str) -> Any:
    return inspect.signature(function).parameters[argument].default


def _paper(docstring: str) -> str:
    """Return the sentence after "Paper:", up to the first address."""
    found = re.search(r"Paper:\s+(.+?https://[^\s,;()]+)", docstring, re.DOTALL)
    return " ".join(found[1].split()).rstrip(".") if found else ""
