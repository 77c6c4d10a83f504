"""Small pieces of HTML. Whatever comes from a file goes through `text` and can then be nothing but text."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any


def printable(words: str) -> str:
    """Replace control characters, and those that turn the direction of writing round."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)


def text(value: Any) -> str:
    """Return a value as text of a page: printable, and escaped, also for attributes."""
    return escape("\n".join(map(printable, str(value).split("\n"))))


def section(title: str, *parts: str) -> str:
    """Return a titled section, or nothing where there is nothing in it."""
    body = "".join(parts)
    return f"<section><h2>{text(title)}</h2>{body}</section>\n" if body else ""


def paragraph(words: str, kind: str = "") -> str:
    """Return a paragraph of plain text."""
    return f'<p class="{kind}">{text(words)}</p>' if kind else f"<p>{text(words)}</p>"


def details(summary: str, *parts: str) -> str:
    """Return something that opens when its summary is clicked."""
    return f"<details><summary>{text(summary)}</summary>{''.join(parts)}</details>"


def table(headings: Sequence[str], rows: Iterable[str], *, kind: str = "", numbers: int = 0) -> str:
    """Return a table in a box that scrolls where the page is too narrow.

    Args:
        headings: Plain text.
        rows: Made by `row`.
        kind: Class of the table.
        numbers: From which column on figures stand, aligned right; 0 where none do.
    """
    cells = "".join(
        f'<th scope="col"{_number(bool(numbers) and index >= numbers)}>{text(heading)}</th>'
        for index, heading in enumerate(headings)
    )
    opening = f'<table class="{kind}">' if kind else "<table>"
    body = "".join(rows)
    return f'<div class="table">{opening}<thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'


def row(heading: str, cells: Iterable[str], *, kind: str = "", numbers: bool = False) -> str:
    """Return a row of a table; heading and cells are HTML."""
    opening = f'<tr class="{kind}">' if kind else "<tr>"
    body = "".join(f"<td{_number(numbers)}>{cell}</td>" for cell in cells)
    return f'{opening}<th scope="row">{heading}</th>{body}</tr>'


def code(value: Any) -> str:
    """Return a value as code inside a line."""
    return f"<code>{text(value)}</code>"


def block(lines: str) -> str:
    """Return lines of code; they can be scrolled with the keyboard."""
    return f'<pre tabindex="0"><code>{text(lines)}</code></pre>'


def _number(is_number: bool) -> str:
    return ' class="number"' if is_number else ""
