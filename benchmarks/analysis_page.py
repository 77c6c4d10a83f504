"""The page docs/reference/analysis.md from the figures that benchmarks/analysis.py measured."""

from collections.abc import Sequence
from typing import Any

import numpy as np

HEAD = """# How often `kakudai analyse` is right

Written by `benchmarks/analysis.py`; do not edit. Test pictures: BSD100, kodak4 (photographs), anime (sprites, laid on
white before they are compressed, and two backgrounds that are photographs), comic, real-jpeg (25 old cameras).
A JPEG of 12 megapixels, decoded, takes {seconds} seconds of one processor.

## Quality in the tables of a file

{files} files, q 20 to 95, 4:2:0 and 4:4:4: the largest error is {largest}, chroma subsampling included.

## JPEG that is no JPEG any more

Pixels only, cropped at random, so that the grid of 8x8 squares begins anywhere. Found: share of pictures in which the
grid was found at its right place. Within 8: share of all whose quality was found to within 8. Errors are those of the
pictures in which a grid was found. Chroma: share told, and share right of those told.

| set | quality | pictures | found | within 8 | median error | 95th percentile | chroma told | right |
|---|---|---|---|---|---|---|---|---|
"""

CLEAN = """
On pictures that were never JPEG (anime without three of its backgrounds, comic, kodak4): {alarms} false alarms in
{count}. All of BSD100, and those backgrounds, were JPEGs before they got into the set: a grid is found in them.

## Compressed twice

A picture, compressed at the first quality, on the same grid or cropped by 3 pixels, then compressed at the second.
Earlier: the first one was found to within 8; as the last: the quality that was found is the first one, for that is what
the coefficients are multiples of.

| first, last | same grid: earlier | as the last | other grid: earlier |
|---|---|---|---|
"""

NOISE = """
## Noise

Gaussian noise of known strength added, in levels of 255; median of what was found, and 95th percentile of the error.

| added | {sets} |
|---|{lines}|
"""

KIND = """
## Drawn or photographed

Share told rightly (more than 1/2 or less).

| set | {versions} |
|---|{lines}|
"""

ENLARGED = """
## Enlarged before

Every fifth picture, shrunk and enlarged again. Found: something above 1 was said. Right: to within 0.1.

| enlarged by | found | right |
|---|---|---|
"""


def page(results: dict[str, Any]) -> str:
    """Return the page."""
    jpeg = results["jpeg"]
    text = HEAD.format(
        seconds=results["seconds"], files=jpeg["tables"]["files"], largest=jpeg["tables"]["largest error"]
    )
    text += _jpeg_rows(jpeg["pixels"])
    clean = [quality for found in jpeg["clean"].values() for quality in found]
    text += CLEAN.format(alarms=sum(quality is not None for quality in clean), count=len(clean))
    text += _twice_rows(jpeg["twice"])
    once = [one for found in jpeg["pixels"].values() for one in found if one]
    false = sum(one[3] is not None for one in once)
    text += f"\nClaimed, falsely, of pictures compressed once: {false} of {len(once)}.\n"
    sets = ["BSD100", "anime", "comic", "kodak4"]
    text += NOISE.format(sets=" | ".join(sets), lines="|".join(["---"] * len(sets)))
    for sigma in (0, 2, 5, 10, 15, 25):
        text += _row(str(sigma), [_noise(results["noise"][f"{name} {sigma}"], sigma) for name in sets])
    real = results["noise"]["real-jpeg 0"]
    text += f"\nIn real-jpeg, as it is: median {np.median(real):.1f}, largest {max(real):.1f}.\n"
    drawn = results["kind"]["drawn"]
    versions = [key.removeprefix("BSD100 ") for key in drawn if key.startswith("BSD100 ")]
    text += KIND.format(versions=" | ".join(versions), lines="|".join(["---"] * len(versions)))
    for name in (*sets, "real-jpeg"):
        text += _row(name, [_share(_right(name, drawn[f"{name} {version}"])) for version in versions])
    totals = [
        [right for name in (*sets, "real-jpeg") for right in _right(name, drawn[f"{name} {version}"])]
        for version in versions
    ]
    text += _row("all", [_share(one) for one in totals])
    grey = results["kind"]["grey"]
    text += f"\n## Grey in colour clothes\n\nOf {grey.pop('pictures')} pictures, so many are called grey.\n\n"
    text += "| pictures | grey |\n|---|---|\n" + "".join(_row(label, [str(count)]) for label, count in grey.items())
    text += ENLARGED
    for key, found in results["enlarged"].items():
        said = [value is not None and value > 1.0 for value in found]
        scale = float(key.split()[0]) if key[0].isdigit() else 1.0
        right = [value is not None and abs(value - scale) < 0.1 for value in found]
        text += _row(key, [_share(said), _share(right)])
    return text


def _row(head: str, cells: Sequence[str]) -> str:
    return f"| {head} | {' | '.join(cells)} |\n"


def _share(values: Sequence[bool]) -> str:
    return f"{100.0 * float(np.mean(values)):.0f} %" if len(values) else ""


def _jpeg_rows(rows: dict[str, list[Any]]) -> str:
    text, below = "", []
    names = dict.fromkeys(key.split()[0] for key in rows)
    qualities = dict.fromkeys(int(key.split()[1]) for key in rows)
    for name in names:
        for quality in qualities:
            found = [(one, chroma) for chroma in ("4:2:0", "4:4:4") for one in rows[f"{name} {quality} {chroma}"]]
            text += _row(f"{name} | {quality}", _cells(found, quality))
            below += [(one, quality) for one, _ in found if quality <= 85]
    errors = [abs(one[0] - quality) for one, quality in below if one]
    right = _share([one is not None and abs(one[0] - quality) <= 8 for one, quality in below])
    return text + (
        f"\nFor q <= 85, {len(below)} pictures: {right} within 8; the median error is {np.median(errors):.0f}, "
        f"the 95th percentile {np.percentile(errors, 95):.0f}, the 99th {np.percentile(errors, 99):.0f}.\n"
    )


def _cells(found: list[tuple[Any, str]], quality: int) -> list[str]:
    errors = [abs(one[0] - quality) for one, _ in found if one] or [np.nan]
    told = [one[2] == chroma for one, chroma in found if one and one[2]]
    return [
        str(len(found)),
        _share([one is not None and one[1] for one, _ in found]),
        _share([one is not None and abs(one[0] - quality) <= 8 for one, _ in found]),
        f"{np.median(errors):.0f}",
        f"{np.percentile(errors, 95):.0f}",
        f"{100 * len(told) / len(found):.0f} %",
        _share(told),
    ]


def _twice_rows(twice: dict[str, list[Any]]) -> str:
    text = ""
    for key in dict.fromkeys(" ".join(key.split()[:2]) for key in twice):
        first, last = map(int, key.split())
        same, other = (twice[f"{key} {moved}"] for moved in (0, 3))
        near = [[bool(one and one[1] and abs(one[1] - first) <= 8) for one in found] for found in (same, other)]
        as_last = [bool(one and abs(one[0] - first) <= 8) for one in same]
        text += _row(f"{first}, {last}", [_share(near[0]), _share(as_last), _share(near[1])])
    return text


def _noise(found: list[float | None], sigma: float) -> str:
    known = np.array([value for value in found if value is not None])
    missing = f" ({len(found) - len(known)} not told)" if len(known) < len(found) else ""
    return f"{np.median(known):.1f} ± {np.percentile(np.abs(known - sigma), 95):.1f}{missing}"


def _right(name: str, found: dict[str, float | None]) -> list[bool]:
    photographs = ("bg_cave", "bg_washington")
    drawn_set = name in ("anime", "comic")
    return [
        value is not None and (value > 0.5) == (drawn_set and stem not in photographs) for stem, value in found.items()
    ]
