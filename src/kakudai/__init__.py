"""kakudai makes small, noisy pictures large and clean, with convolutional networks it trains itself.

    import kakudai

    kakudai.upscale("small.png", "large.png", scale=2)    # files
    big = kakudai.upscale(array, scale=2)                 # (H, W, 3) uint8, uint16 or float32 -> the same dtype
    with kakudai.Upscaler(scale=4) as upscaler:           # one loaded model, many pictures, thread-safe
        for result in upscaler.map(paths): ...

Names are imported when they are first used, so that `kakudai --help` need not wait for numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kakudai import errors
    from kakudai.engine.shortcut import upscale
    from kakudai.engine.upscaler import Upscaler
    from kakudai.image.files import read_image, write_image
    from kakudai.image.picture import Picture
    from kakudai.models import find_model, list_models

__all__ = [
    "Picture",
    "Upscaler",
    "errors",
    "find_model",
    "list_models",
    "read_image",
    "upscale",
    "write_image",
]

__version__ = "0.1.0"

_HOMES = {
    "Picture": "image.picture",
    "Upscaler": "engine.upscaler",
    "errors": "errors",
    "find_model": "models",
    "list_models": "models",
    "read_image": "image.files",
    "upscale": "engine.shortcut",
    "write_image": "image.files",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_HOMES[name]}")
    return module if name == "errors" else getattr(module, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
