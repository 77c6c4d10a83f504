"""Averages over the whole picture inside a network, as in squeeze and excitation: what an engine must know of them.

A file with such averages gives them out and takes them in, so that they can be had from tiles: the network runs on
every tile up to the average, what belongs to the tile is averaged, and the mean over all tiles is given back.
"""

import json
from dataclasses import dataclass
from fractions import Fraction

START, END, MEAN, SEEN = "start", "end", "mean", "seen"
"""Behind the name of an average: three inputs, which all have defaults, and one output."""

PADS = "pads"
"""Behind the name of the first average, where the network can be told how far to continue the picture: an input of
eight numbers as `Pad` takes them, with its own for a default."""


@dataclass(frozen=True, slots=True)
class Average:
    """One average over features.

    A picture of H rows, which divide by the model's `multiple`, has H / ratio + extra rows of these features; feature
    i of a window that begins at pixel t is feature i + t / ratio of the picture.

    Args:
        name: What the names of its inputs and its output begin with. `NAME.start` and `NAME.end` are the (row, column)
            where the features begin and end that are averaged; `NAME.mean` is used instead of their mean where it is a
            number; `NAME.seen` is their mean.
        ratio: Pixels per feature.
        extra: Rows of features more than H / ratio.
        level: 0 for what can be had at once, 1 for what needs averages of level 0 first, and so on.
    """

    name: str
    ratio: Fraction
    extra: int
    level: int

    def span(self, start: int, end: int, size: int) -> tuple[int, int]:
        """Return which features of a picture belong to the pixels start .. end - 1 of `size`.

        Convention: rows at the borders of the picture belong to the pixels there; all features belong to somebody, and
            none to two.
        """
        return self._edge(start, size), self._edge(end, size)

    @property
    def before(self) -> int:
        """Rows of features that lie above the first row of pixels."""
        return self.extra // 2

    def _edge(self, pixel: int, size: int) -> int:
        count = int(size / self.ratio) + self.extra
        if pixel in (0, size):
            return count if pixel else 0
        return min(max(int(pixel / self.ratio) + self.before, 0), count)


@dataclass(frozen=True, slots=True)
class Pools:
    """All averages of a network.

    Args:
        halo: Input pixels around a tile that influence its result where the averages are given.
        seamless: The network itself continues the picture by its edge pixels, and the halo adds nothing to that.
        averages: In the order in which they are computed.
        added: Pixels that the network itself continues the picture by, on each side, unless it is told not to; tiles
            bring real ones. 0 where it cannot be told.
    """

    halo: int
    seamless: bool
    averages: tuple[Average, ...]
    added: int = 0

    @property
    def pads(self) -> str:
        """Name of the input that says how far the picture is continued; there is none where `added` is 0."""
        return f"{self.averages[0].name}.{PADS}"

    @property
    def levels(self) -> tuple[tuple[Average, ...], ...]:
        """The averages that can be had together, one group after the other."""
        last = max(average.level for average in self.averages)
        return tuple(tuple(a for a in self.averages if a.level == level) for level in range(last + 1))


def to_json(pools: Pools) -> str:
    """Write them as a card keeps them."""
    averages = [
        {"name": a.name, "ratio": [a.ratio.numerator, a.ratio.denominator], "extra": a.extra, "level": a.level}
        for a in pools.averages
    ]
    return json.dumps({
        "halo": pools.halo, "seamless": pools.seamless, "averages": averages, "added": pools.added,
    })  # fmt: skip


def from_json(text: str) -> Pools:
    """Read what `to_json` writes.

    Raises:
        ValueError: It is something else, or promises what no network can keep.
    """
    try:
        read = json.loads(text)
        averages = tuple(
            Average(str(a["name"]), Fraction(*(int(part) for part in a["ratio"])), int(a["extra"]), int(a["level"]))
            for a in read["averages"]
        )
        pools = Pools(int(read["halo"]), read["seamless"] is True, averages, int(read.get("added", 0)))
    except (KeyError, TypeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"pools is {text[:100]!r}") from error
    sensible = all(
        0 < a.ratio <= 256 and abs(a.extra) <= 4096 and a.level in range(len(averages)) for a in averages
    ) and {a.level for a in averages} == set(range(max((a.level for a in averages), default=-1) + 1))
    if not averages or not sensible or pools.halo not in range(4097) or pools.added not in range(pools.halo + 1):
        raise ValueError("pools has numbers that are out of range")
    return pools
