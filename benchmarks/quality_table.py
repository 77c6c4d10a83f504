"""How the page of `benchmarks/quality.py` writes figures and tables."""

from collections.abc import Sequence

MISSING = "-"
"""Stands for what was not measured."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table, its first column to the left."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def decibels(value: float | None, form: str = ".2f") -> str:
    """Write a figure."""
    return MISSING if value is None else format(value, form)
