"""The shipped family: which files are for which wish.

| word       | what for                                    | files                                  |
|------------|---------------------------------------------|----------------------------------------|
| photo      | photographs                                 | photo-x2 -x3 -x4, photo-restore-x1 -x2 |
| art        | drawings, anime, comics, logos, screenshots | art-x2 -x4, art-restore-x1 -x2         |
| photo-fast | the same, quicker                           | photo-fast-x2                          |
| art-fast   |                                             | art-fast-x2                            |
| photo-best | the same, slower                            | photo-best-x2 -x4                      |

Where one of them does not ship, those that do take its work. "auto" chooses between photo and art. Those with
"restore" in their name are told a strength of denoising; they serve all words of their style. Files whose name ends
in "-int8" do the same with 8-bit numbers, see `in_int8`.
"""

import math
from dataclasses import dataclass
from importlib import resources
from typing import Literal, TypeAlias, get_args

Style: TypeAlias = Literal["photo", "art"]

STYLES: tuple[Style, ...] = get_args(Style)

Grade: TypeAlias = Literal["", "fast", "best"]

WORDS: dict[str, tuple[tuple[Style, ...], Grade]] = {
    "auto": (STYLES, ""),
    "photo": (("photo",), ""),
    "art": (("art",), ""),
    "photo-fast": (("photo",), "fast"),
    "art-fast": (("art",), "fast"),
    "photo-best": (("photo",), "best"),
}
"""Words that stand for several files of the family: the styles that are chosen from, and the grade. No model can be
called so."""

LARGEST_SCALE = 4

INT8 = "-int8"


@dataclass(frozen=True, slots=True)
class Picked:
    """Names of the files for one wish.

    Args:
        enlarging: Enlarges what is clean.
        denoising: Removes noise before that; None where nothing is to be removed, or the combined one does it.
        combined: Removes noise and enlarges, instead of the first pass.
        notes: What the user should know about the choice, one sentence each.
    """

    enlarging: str
    denoising: str | None = None
    combined: str | None = None
    notes: tuple[str, ...] = ()


def is_shipped(name: str) -> bool:
    """Say whether a network of that name is inside the package."""
    return resources.files(__package__).joinpath(f"{name}.onnx").is_file()


def file_of(word: str) -> str:
    """Name the file that doubles a clean picture for one of the reserved words; any other word is a name itself."""
    if word not in WORDS:
        return word
    styles, grade = WORDS[word]
    return f"{_line(styles[0], grade)}-x2"


def enlarges(style: Style, grade: Grade = "") -> bool:
    """Say whether there is a network of a style at all."""
    return bool(_scales(_line(style, grade)))


def words() -> list[str]:
    """Return the words that there are networks for."""
    return [word for word, (styles, grade) in WORDS.items() if any(enlarges(style, grade) for style in styles)]


def restores(style: Style) -> bool:
    """Say whether there is a network that removes noise from pictures of a style."""
    return any(is_shipped(f"{style}-restore-x{scale}") for scale in (1, *_scales(style)))


def pick(style: Style, ratio: float, *, restore: bool, grade: Grade = "") -> Picked:
    """Name the files for an enlargement: of the smallest scale that reaches it, or the largest there is.

    Damage is removed together with the first enlargement where a network does both at that scale, else before it.

    Args:
        style: One that there are networks of.
        ratio: Output pixels per input pixel.
        restore: Damage is to be removed; not done where there is no network for it.
        grade: Of the network that enlarges.
    """
    line = _line(style, grade)
    scales = _scales(line)
    scale = next((scale for scale in scales if scale >= ratio), scales[-1])
    both = [scale for scale in scales if is_shipped(f"{style}-restore-x{scale}")] if restore else []
    alone = f"{style}-restore-x1" if restore and is_shipped(f"{style}-restore-x1") else None
    if both and not alone and scale not in both:
        scale = both[-1]
    combined = f"{style}-restore-x{scale}" if scale in both and (ratio > 1 or not alone) else None
    enlarging, notes = f"{line}-x{scale}", _notes(line, scales, scale, ratio)
    if combined and grade:
        notes += (f"{combined} removes the damage and enlarges, in place of {enlarging}; -d 0 removes none",)
    return Picked(enlarging, None if combined else alone, combined, notes)


def in_int8(name: str) -> str | None:
    """Name the file that does the same as another with 8-bit numbers, or None where there is none."""
    return f"{name}{INT8}" if is_shipped(f"{name}{INT8}") else None


def ships_int8() -> bool:
    """Say whether there is any file of 8-bit numbers."""
    return any(name.endswith(INT8) for styles, grade in WORDS.values() for name in files_of(styles, grade))


def files_of(styles: tuple[Style, ...], grade: Grade = "") -> list[str]:
    """Name all files that pictures may be given for a word, by style and grade."""
    lines = [_line(style, grade) for style in styles]
    enlarging = [f"{line}-x{scale}" for line in lines for scale in _scales(line)]
    restoring = [f"{style}-restore-x{scale}" for style in styles for scale in range(1, LARGEST_SCALE + 1)]
    names = [*enlarging, *restoring]
    return [name for name in (*names, *(f"{name}{INT8}" for name in names)) if is_shipped(name)]


def _line(style: Style, grade: Grade) -> str:
    """Return what the names of the files of one style and grade begin with."""
    return f"{style}-{grade}" if grade else style


def _scales(line: str) -> list[int]:
    return [scale for scale in range(2, LARGEST_SCALE + 1) if is_shipped(f"{line}-x{scale}")]


def _notes(line: str, scales: list[int], scale: int, ratio: float) -> tuple[str, ...]:
    """Say what is done instead where there is no network of the natural scale."""
    natural = max(2, math.ceil(ratio))
    if natural in scales or natural > LARGEST_SCALE:
        return ()
    there = " and ".join(f"{known}x" for known in scales)
    done = "it is enlarged in several passes" if scale < ratio else f"its {scale}x is shrunk"
    return (f"for {line} there is {there} and no {natural}x: {done}",)
