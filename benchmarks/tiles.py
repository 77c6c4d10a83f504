"""Does the tile size change anything? Five pictures, three tile sizes, both runtimes: bytes of the PNG, and floats.

python benchmarks/tiles.py ../shared/data/test/Set5
"""

import hashlib
import sys
import tempfile
from pathlib import Path

import numpy as np

from kakudai import Upscaler, read_image
from kakudai.engine.batch import upscale_file

TILES = {"32": 32, "57": 57, "whole": 0}


def main(folder: Path) -> None:
    """Print a table, and fail where a byte or more than 1e-5 differs."""
    same = True
    for runtime in ("onnxruntime", "openvino"):
        for path in sorted(folder.glob("*.png"))[:5]:
            image = read_image(path).color.astype(np.float32) / 255
            hashes, floats = [], []
            for tile in TILES.values():
                with Upscaler(2, tile=tile, runtime=runtime) as upscaler, tempfile.TemporaryDirectory() as name:  # type: ignore[arg-type]
                    upscale_file(upscaler, path, Path(name) / "out.png")
                    hashes.append(hashlib.sha256((Path(name) / "out.png").read_bytes()).hexdigest()[:12])
                    floats.append(upscaler.upscale(image))
            difference = max(float(np.abs(result - floats[-1]).max()) for result in floats)
            same = same and len(set(hashes)) == 1 and difference <= 1e-5
            print(f"{runtime:<12} {path.name:<14} " + "  ".join(hashes) + f"  largest difference {difference:.1e}")
    print("columns: " + ", ".join(TILES))
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
