"""The folder of a training run: which file in it is its network."""

import json
from pathlib import Path

from kakudai.errors import ModelNotFound

RECIPE = "recipe.json"
"""Where a run keeps what it was told, its name among it."""


def is_run(folder: Path) -> bool:
    """Say whether a folder was written by a training run: its recipe is there, or a network of its name."""
    return (folder / RECIPE).is_file() or _own(folder).is_file()


def network_of_run(folder: Path) -> Path:
    """Return RUN/NAME.onnx, where the recipe says the name; or the only ONNX file of a folder.

    Raises:
        ModelNotFound: The folder has no network, or several and none of its own name.
    """
    own = _own(folder)
    files = sorted(folder.glob("*.onnx"))
    if own in files or len(files) == 1:
        return own if own in files else files[0]
    hint = "kakudai train writes it at the end; of a folder of other networks, name one of the files"
    found = f"it has {', '.join(file.name for file in files)}" if files else hint
    raise ModelNotFound(f"{folder} has no network {own.name}", found)


def _own(folder: Path) -> Path:
    """Return the network of a run's name, or of the folder's where there is no recipe that says it."""
    try:
        name = json.loads((folder / RECIPE).read_text(encoding="utf-8"))["name"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        name = None
    return folder / f"{name if isinstance(name, str) else folder.resolve().name}.onnx"
