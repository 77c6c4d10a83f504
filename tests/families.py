"""Folders of waifu2x networks whose every run can be seen in the brightness of the result."""

from pathlib import Path

import numpy as np
from onnx import helper, numpy_helper

from tests.small_models import build, nearest

NOISE = {0: 0.999, 1: 0.998, 2: 0.997, 3: 0.996}
"""Level -> what the network that removes noise multiplies by."""

COMBINED = {0: 0.992, 1: 0.991, 2: 0.990, 3: 0.989}
"""Level -> what the network multiplies by that does both."""

ENLARGED = 1.004
"""What the network multiplies by that only enlarges."""


def dimmed(factor: float, scale: int) -> bytes:
    """A network that multiplies by a factor, and repeats pixels."""
    constant = helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(np.float32(factor)))
    if scale == 1:
        return build([constant, helper.make_node("Mul", ["x", "k"], ["y"])], {}, {"scale": "1", "task": "restore"})
    return nearest(scale, after=[constant, helper.make_node("Mul", ["enlarged", "k"], ["y"])])


def make_family(folder: Path, *names: str) -> Path:
    """Write networks with the names that waifu2x gives them, without "_model": scale2.0x, noise1, noise1_scale2.0x."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        level = int(name[5]) if name.startswith("noise") else None
        scale = int(name.split("scale")[1][0]) if "scale" in name else 1
        factor = ENLARGED if level is None else NOISE[level] if scale == 1 else COMBINED[level]
        (folder / f"{name}_model.onnx").write_bytes(dimmed(factor, scale))
    return folder
