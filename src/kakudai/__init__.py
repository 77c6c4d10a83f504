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
    from kakudai.engine.loading import load_model as find_model
    from kakudai.engine.shortcut import upscale
    from kakudai.engine.upscaler import Upscaler
    from kakudai.image.files import read_image, write_image
    from kakudai.image.picture import Picture
    from kakudai.models import list_models

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
    "Picture": ("image.picture", "Picture"),
    "Upscaler": ("engine.upscaler", "Upscaler"),
    "errors": ("errors", ""),
    "find_model": ("engine.loading", "load_model"),
    "list_models": ("models", "list_models"),
    "read_image": ("image.files", "read_image"),
    "upscale": ("engine.shortcut", "upscale"),
    "write_image": ("image.files", "write_image"),
}
"""Name -> the module that has it, and what it is called there; nothing is the module itself.

`find_model` takes files of other programs and folders, too, which the one of `kakudai.models` knows nothing of.
"""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, own_name = _HOMES[name]
    module = import_module(f"{__name__}.{home}")
    return getattr(module, own_name) if own_name else module


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
