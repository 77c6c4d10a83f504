"""Files that nobody here made: a conformance suite, photographs in eight orientations, a fuzzers' harvest."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kakudai.errors import PictureError
from kakudai.image import exif
from kakudai.image.files import read_image
from kakudai.image.picture import Pixels

pytestmark = pytest.mark.real

READ_ALL = """
import json, resource, sys, time
from pathlib import Path
from kakudai.errors import PictureError
from kakudai.image.files import read_image
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
for path in sys.argv[1:]:
    start = time.monotonic()
    try:
        picture = read_image(path)
        result = f"{picture.width} x {picture.height}"
        wrong = picture.color.ndim != 3 or picture.color.shape[2] not in (1, 3)
    except PictureError as error:
        result, wrong = type(error).__name__, "\\n" in error.message or not error.hint
    except BaseException as error:
        result, wrong = repr(error), True
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM:"))
    print(json.dumps([path, result, wrong, time.monotonic() - start, peak]))
"""


def pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix != ".tsv")


@pytest.mark.parametrize(("folder", "least"), [("hostile", 263), ("formats", 180)])
def test_every_file_is_a_picture_or_a_named_error(shared: Path, folder: str, least: int) -> None:
    """One process reads them all: a crash of a decoder fails here, and so does the one that hoards memory.

    What `getrusage` says of a process begins with what the tests' own process held when it started it.
    """
    paths = pictures(shared / "data" / "test" / folder)
    assert len(paths) >= least
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, *map(str, paths)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(paths), f"died after {results[-1:]}: {done.stderr[-500:]}"
    assert done.stderr == ""
    assert [one for one in results if one[2]] == []
    assert max(one[3] for one in results) < 10
    assert max(one[4] for one in results) < 1000


def test_pngsuite_is_read_as_it_describes_itself(shared: Path) -> None:
    """A name of the suite tells colour type and depth; those that begin with x are broken on purpose."""
    for path in pictures(shared / "data" / "test" / "formats"):
        word = path.stem.removeprefix("pngsuite_")
        if not path.stem.startswith("pngsuite_") or len(word) != 8 or word == "PngSuite":
            continue
        if word[0] == "x":
            with pytest.raises(PictureError):
                read_image(path)
            continue
        picture = read_image(path)
        kind, depth = word[4], int(word[6:])
        assert picture.color.dtype == (np.uint16 if depth == 16 else np.uint8), path.name
        assert picture.channels == (1 if kind in "04" else 3) or kind == "3", path.name
        transparent = kind in "46" or word[:2] in ("tb", "tm") or word[:3] == "tp1"
        assert (picture.alpha is not None) == transparent, path.name


def coarse(color: Pixels) -> Pixels:
    """Shrink tenfold: the eight files were compressed one by one, and each has its number written on it."""
    height, width, _ = color.shape
    return color.reshape(height // 10, 10, width // 10, 10, 3).mean(axis=(1, 3))


@pytest.mark.parametrize("shape", ["landscape", "portrait"])
def test_eight_orientations_are_one_picture(shared: Path, shape: str) -> None:
    """The first file has other tones than the rest, so likeness is measured by correlation, too."""
    folder = shared / "data" / "test" / "formats"
    first, second, *others = [read_image(folder / f"exif_{shape}_{number}.jpg") for number in range(1, 9)]
    assert (first.width > first.height) == (shape == "landscape")
    assert np.corrcoef(coarse(first.color).ravel(), coarse(second.color).ravel())[0, 1] > 0.96
    for picture in (second, *others):
        assert picture.color.shape == first.color.shape
        assert exif.orientation(picture.metadata.exif) == 1
        assert np.abs(coarse(picture.color) - coarse(second.color)).mean() < 2
