"""What `kakudai evaluate` could have measured, for tests of tables and plots."""

from typing import Any

FACTS = {
    "photo-x2": ("ecbsr", 47716, 11880.0, 0.8, None),
    "srcnn-955-x2": ("srcnn", 57281, 57184.0, 4.0, "SRCNN 9-5-5"),
    "fsrcnn-x2": ("fsrcnn", 12809, 3116.0, 0.9, "FSRCNN"),
}
PSNR = {"bicubic": 33.67, "photo-x2": 37.34, "srcnn-955-x2": 36.70, "fsrcnn-x2": 37.02}


def result(*labels: str, speed: bool = True, scale: int = 2) -> dict[str, Any]:
    """Return the object of a file that holds some of the three networks, on Set5 and Set14."""
    methods = {}
    for label in labels:
        network, parameters, macs, seconds, published = FACTS[label]
        methods[label] = {
            "name": label, "source": label, "scale": scale, "runtime": "onnxruntime", "network": network,
            "arguments": "{}", "color": "luma", "parameters": parameters, "macs_per_output_pixel": macs, "bytes": 1,
            "published": published,
            **({"seconds_per_megapixel": seconds, "peak_memory": 150 << 20} if speed else {}),
        }  # fmt: skip
    sets = [
        {
            "set": name,
            "scale": scale,
            "protocol": "p",
            "methods": {
                label: {"mean": {"psnr": PSNR[label] - off, "ssim": 0.95}, "pictures": {}}
                for label in ("bicubic", *labels)
            },
        }
        for name, off in (("Set5", 0.0), ("Set14", 4.4))
    ]
    return {"schema": 2, "machine": {"processor": "p", "processors": 2}, "methods": methods, "sets": sets}
