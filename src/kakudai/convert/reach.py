"""How the features of a network's layers lie on the picture, for averages that are put together from tiles.

Near the borders of what a network is given features are not clean (see convert/walk.py), and how many are not
follows from the operators alone. That is the halo of a network, exactly; and the squares of features that belong to a
tile follow from it, too.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

from kakudai.convert.walk import Line, UnknownGeometry, Walk

if TYPE_CHECKING:
    import onnx

SIDE = 2**7 * 3**2
"""Side of the square picture on which features are counted: whatever strides a network has, they divide it."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How the rows, or the columns, of one tensor of features lie on a picture of `SIDE` of them.

    Args:
        size: Features along the axis.
        ratio: Pixels of the picture per feature.
        first: Features at the start that are not clean.
        tail: Features at the end that are not clean.
        level: How many averages over the whole picture had to be known before.
    """

    size: int
    ratio: Fraction
    first: int
    tail: int
    level: int

    @classmethod
    def of(cls, line: Line) -> "Reach":
        """Count the features of a line.

        Raises:
            UnknownGeometry: None is clean.
        """
        start, end = line.clean
        if start >= end:
            raise UnknownGeometry(f"features that see more than {SIDE} pixels")
        return cls(len(line), line.ratio, start, len(line) - end, line.level)

    @property
    def extra(self) -> int:
        """Features more than the picture has in this ratio; negative where a network loses its borders."""
        return self.size - int(SIDE / self.ratio)


@dataclass(frozen=True, slots=True)
class Layout:
    """What is known about the tensors of a network.

    Args:
        output: How the first output lies on the picture.
        averages: For each average over the whole picture, in the order of the graph: the name of the node's output, and
            how the features lie that are averaged.
        multiple: Sides of a picture that this divides are divided by all strides.
        padded: How many pixels the network adds to the picture itself, before and after it.
    """

    output: Reach
    averages: dict[str, Reach]
    multiple: int
    padded: tuple[int, int]


def layout(model: "onnx.ModelProto", *, edge_is_clean: bool = False) -> Layout:
    """Follow the features from the first input to the first output.

    Args:
        model: Takes a picture (N, C, H, W).
        edge_is_clean: The picture is known to go on as its edge pixels do, so that padding it by these changes
            nothing.

    Raises:
        UnknownGeometry: An operator is met whose reach is not known, or which treats rows and columns differently.
        RuntimeUnavailable: The package onnx is missing.
    """
    if any(node.op_type == "GlobalMaxPool" for node in model.graph.node):
        raise UnknownGeometry("GlobalMaxPool, which no average stands for")
    rows, columns = (_of_axis(Walk(model, SIDE, axis, edge_is_clean=edge_is_clean)) for axis in (2, 3))
    if rows != columns:
        raise UnknownGeometry("rows and columns that lie differently")
    return rows


def _of_axis(walk: Walk) -> Layout:
    multiple = lcm(*(line.ratio.numerator for line in walk.lines.values() if not line.single))
    if SIDE % multiple:
        raise UnknownGeometry(f"strides of {multiple} pixels")
    averages = {name: Reach.of(line) for name, line in walk.averages.items()}
    return Layout(Reach.of(walk.output), averages, multiple, walk.padded)
