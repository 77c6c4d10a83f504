"""`kakudai networks`."""

import json
import re
from collections.abc import Sequence
from importlib.util import find_spec
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated

import typer

from kakudai.cli.progress import counting
from kakudai.cli.table import print_table
from kakudai.errors import RuntimeUnavailable, UsageError

if TYPE_CHECKING:
    from kakudai.train.count import Variant

TITLE = (
    "in: channels, 1 luma, 3 RGB; per pixel: multiply-adds for a pixel of the output; G: thousand millions of them\n"
    "for an output of 1280x720; sees: side of the square of input pixels that the output of one of them depends on"
)
HEADINGS = ("network", "file", "scale", "in", "parameters", "per pixel", "G", "sees", "paper")


def networks(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A file in networks/, such as srcnn; all if none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the networks of the literature that can be trained, with what each costs.

    Example: kakudai networks edsr
    """
    from kakudai.networks import network_names

    names = network_names()
    if name is not None and name not in names:
        raise UsageError(f"no network is called {name!r}", f"there are {', '.join(names)}")
    if find_spec("torch") is None:
        raise RuntimeUnavailable("networks are built by torch, which is not installed", "pip install 'kakudai[train]'")
    from dataclasses import asdict

    variants = counted(names if name is None else [name])
    if as_json:
        typer.echo(json.dumps([asdict(variant) for variant in variants]))
    else:
        print_table(HEADINGS, map(_row, variants), title=TITLE, wrapped=("network", "paper"))


def counted(names: Sequence[str]) -> "list[Variant]":
    """Count what networks cost, with a bar on a terminal: torch takes seconds for it, most of them to start."""
    with counting("networks") as progress:
        from kakudai.train.count import count_variants

        variants = []
        for number, name in enumerate(names):
            progress(number, len(names))
            variants += count_variants(name)
    return variants


def _row(variant: "Variant") -> list[str]:
    return [
        variant.variant,
        variant.name,
        f"{variant.scale}x",
        str(variant.in_channels),
        f"{variant.parameters:,}",
        f"{variant.macs_per_output_pixel:,.0f}",
        f"{variant.macs_1280x720 / 1e9:,.1f}",
        "all" if variant.receptive_field is None else str(variant.receptive_field),
        cited(variant.paper),
    ]


def cited(paper: str) -> str:
    """Shorten a reference to the first author and the year, as texts cite it."""
    author = shorten(paper.removeprefix("no paper; ").split(",")[0], 25, placeholder="…")
    year = re.search(r"\b(?:19|20)\d\d\b", paper.split("https://", maxsplit=1)[0])
    return f"{author} {year[0]}" if year else author
