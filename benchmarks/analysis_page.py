"""The page docs/reference/analysis.md from the figures that benchmarks/analysis.py measured."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis_sets import SETS

HEAD = """# How often `kakudai analyse` is right

Written by `benchmarks/analysis.py`; do not edit. Test pictures: BSD100, kodak4 (photographs), anime (sprites, laid on
white before they are compressed, and four backgrounds, two of them photographs), comic, real-jpeg (25 old cameras).

Seconds of one processor that a decoded JPEG takes (`kakudai upscale` asks only what it needs):

| megapixels | {looks} |
|---|{lines}|
{seconds}
## Quality in the tables of a file

{files} files, q 20 to 95, 4:2:0 and 4:4:4: the largest error is {largest}, chroma subsampling included.

## JPEG that is no JPEG any more

Pixels only, cropped at random, so that the grid of 8x8 squares begins anywhere. Found: share of pictures in which the
grid was found at its right place. Within 8: share of all whose quality was found to within 8. Errors are those of the
pictures in which a grid was found. Chroma: share told, and share right of those told.

| set | quality | pictures | found | within 8 | median error | 95th percentile | chroma told | right |
|---|---|---|---|---|---|---|---|---|
"""

ALARMS = """
## False alarms

JPEG found in pictures of anime, comic and kodak4 that were never JPEG, as they are and changed in ways that look a
little like it; and in pixel art of our own.

| pictures | JPEG found | lowest quality |
|---|---|---|
"""

ONCE = """
Left out are pictures whose source is a JPEG file, so that something may be found in them. Their lists of sources name
these, with what is found; `kakudai upscale` cleans what was compressed to less than quality 91:

| picture | source | quality found |
|---|---|---|
"""

BSD = """
BSD100 has no list of sources. Of its {count} pictures {found} have traces of JPEG, of quality {low} to {high}: they
were JPEGs before they got into the set.

A stronger compression before the last, claimed of files of pictures that were compressed once only, at q 20 to 100:
{earlier} of {files}; and from pixels alone, in the first table of qualities: {pixels} of {once}.

Noise claimed of {icons} clean icons of a few flat shapes, the largest of 40 for each side, in levels of 255:
{levels}.
"""

TWICE = """
## Compressed twice

A picture, compressed at the first quality, on the same grid or cropped by 3 pixels, then compressed at the second.
File: the first one was found to within 8 in the JPEG file, whose header says the second. Pixels: it was found without
the header. As the last: the quality found is the first one, for that is what the coefficients are multiples of.

| first, last | same grid: file | pixels | as the last | other grid: file | pixels | as the last |
|---|---|---|---|---|---|---|
"""

NOISE = """
## Noise

Gaussian noise of known strength added, in levels of 255; median of what was found, and 95th percentile of the error.

| added | {sets} |
|---|{lines}|
"""

KIND = """
## Drawn or photographed

Share told rightly (more than 1/2 or less). The last row is the mean over the sets, in which each counts the same. The
last columns are thumbnails whose longer side has so many pixels; of those under 1024 pixels in all, only such with few
colours are told anything, and what is not told is not counted as right. `kakudai upscale` takes it for a photograph.
As a file: with what EXIF says of a camera, which only the files of real-jpeg have; everything else is pixels alone.
Asked: 95 % of the pictures as files.

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
    tables = jpeg["tables"]
    looks = list(dict.fromkeys(key.partition(" ")[2] for key in results["seconds"]))
    text = HEAD.format(
        looks=" | ".join(looks),
        lines="|".join(["---"] * len(looks)),
        seconds="".join(
            _row(size, [f"{results['seconds'][f'{size} {look}']:g}" for look in looks]) for size in ("0.4", "12")
        ),
        files=tables["files"],
        largest=tables["largest error"],
    )
    text += _jpeg_rows(jpeg["pixels"])
    text += _alarms(results["alarms"], [one for found in jpeg["pixels"].values() for one in found if one])
    text += TWICE + _twice_rows(jpeg["twice"])
    text += NOISE.format(sets=" | ".join(SETS), lines="|".join(["---"] * len(SETS)))
    for sigma in (0, 2, 5, 10, 15, 25):
        text += _row(str(sigma), [_noise(results["noise"][f"{name} {sigma}"], sigma) for name in SETS])
    real = results["noise"]["real-jpeg 0"]
    text += f"\nIn real-jpeg, as it is: median {np.median(real):.1f}, largest {max(real):.1f}.\n"
    text += _kind(results["kind"]["drawn"], results["kind"]["truth"])
    grey = dict(results["kind"]["grey"])
    text += f"\n## Grey in colour clothes\n\nOf {grey.pop('pictures')} pictures, so many are called grey.\n\n"
    text += "| pictures | grey |\n|---|---|\n" + "".join(_row(label, [str(count)]) for label, count in grey.items())
    text += ENLARGED
    for key, found in results["enlarged"].items():
        said = [value is not None and value > 1.0 for value in found]
        scale = float(key.split()[0]) if key[0].isdigit() else 1.0
        right = [value is not None and abs(value - scale) < 0.1 for value in found]
        text += _row(key, [_share(said), _share(right)])
    return text


def _alarms(alarms: dict[str, Any], once: list[Any]) -> str:
    """Say what was found where there was nothing."""
    text = ALARMS
    for version, found in alarms["grids"].items():
        qualities = [quality for quality in found.values() if quality is not None]
        text += _row(version, [f"{len(qualities)} of {len(found)}", str(min(qualities, default=""))])
    bsd = [one["quality"] for key, one in alarms["once JPEG"].items() if key.startswith("BSD100")]
    text += ONCE + "".join(
        _row(key, [one["source"], "none" if one["quality"] is None else str(one["quality"])])
        for key, one in alarms["once JPEG"].items()
        if one["source"]
    )
    known = [quality for quality in bsd if quality is not None]
    return text + BSD.format(
        count=len(bsd),
        found=len(known),
        low=min(known),
        high=max(known),
        earlier=sum(quality is not None for quality in alarms["earlier"]),
        files=len(alarms["earlier"]),
        pixels=sum(one[3] is not None for one in once),
        once=len(once),
        icons=40 * len(alarms["icons"]),
        levels=", ".join(
            f"{side} pixels {'none told' if level is None else f'{level:.1f}'}"
            for side, level in alarms["icons"].items()
        ),
    )


def _kind(drawn: dict[str, dict[str, float | None]], truth: dict[str, bool]) -> str:
    """Say how many drawings and photographs were told apart."""
    versions = [key.removeprefix("BSD100 ") for key in drawn if key.startswith("BSD100 ")]
    text = KIND.format(versions=" | ".join(versions), lines="|".join(["---"] * len(versions)))
    names = (*SETS, "real-jpeg")
    right = {
        key: [v is not None and (v > 0.5) == truth[stem] for stem, v in found.items()] for key, found in drawn.items()
    }
    for name in names:
        cells = []
        for key in (f"{name} {version}" for version in versions):
            untold = sum(value is None for value in drawn[key].values())
            cells.append(_share(right[key]) + (f" ({untold} not told)" if untold else ""))
        text += _row(name, cells)
    means = [np.mean([np.mean(right[f"{name} {version}"]) for name in names]) for version in versions]
    text += _row("mean of the sets", [f"{100 * mean:.0f} %" for mean in means])
    whole = [one for name in names for one in right[f"{name} {versions[0]}"]]
    wrong = {
        name: [stem for stem, v in drawn[f"{name} {versions[0]}"].items() if v is None or (v > 0.5) != truth[stem]]
        for name in names
    }
    named = "; ".join(f"{name}: {', '.join(stems)}" for name, stems in wrong.items() if stems)
    return text + f"\nOf {len(whole)} files {sum(whole)} are told rightly, {_share(whole)}. Wrong: {named or 'none'}.\n"


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
        f"\nFor q <= 85, where at most 8 was asked, {len(below)} pictures: {right} within 8; "
        f"the median error is {np.median(errors):.0f}, "
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
        cells = []
        for moved in (0, 3):
            found = twice[f"{key} {moved}"]
            cells.append(_share([bool(known and abs(known - first) <= 8) for _, known in found]))
            cells.append(_share([bool(one and one[1] and abs(one[1] - first) <= 8) for one, _ in found]))
            cells.append(_share([bool(one and abs(one[0] - first) <= 8) for one, _ in found]))
        text += _row(f"{first}, {last}", cells)
    return text


def _noise(found: list[float | None], sigma: float) -> str:
    known = np.array([value for value in found if value is not None])
    missing = f" ({len(found) - len(known)} not told)" if len(known) < len(found) else ""
    return f"{np.median(known):.1f} ± {np.percentile(np.abs(known - sigma), 95):.1f}{missing}"
