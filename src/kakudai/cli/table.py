"""Tables: data on standard output, and the list of what failed on stderr."""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from kakudai.cli.report import printable

WIDE = 200
"""Columns of text where there is no terminal: what reads a pipe can read long lines."""


def print_table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "", wrapped: Collection[str] = ()
) -> None:
    """Print a table on standard output; the first column is aligned left, the others right.

    Args:
        wrapped: Headings of columns that go on in the next line where the terminal is too narrow; others are cut.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = WIDE
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for number, heading in enumerate(headings):
        cut = heading not in wrapped
        overflow: Literal["ellipsis", "fold"] = "ellipsis" if cut else "fold"
        table.add_column(heading, justify="right" if number else "left", no_wrap=cut, overflow=overflow)
    for row in rows:
        table.add_row(*map(printable, row))
    if title:
        console.print(title)
    console.print(table)


def print_failures(rows: Sequence[tuple[str, str]]) -> None:
    """Print on stderr which pictures failed, and why; long reasons go on in the next line, nothing is cut."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        console.width = WIDE
    table = Table("picture", "reason", box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*map(printable, row))
    console.print(f"{len(rows)} {'picture' if len(rows) == 1 else 'pictures'} failed:")
    console.print(table)
