"""The state of a run on disk, complete or absent."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from kakudai.errors import RecipeError


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint by rename: a kill at any moment leaves the old one or the new one."""
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values, never code.

    Raises:
        RecipeError: There is none, or it cannot be read.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise RecipeError(f"no checkpoint at {path}", "leave --resume out to start from the beginning") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise RecipeError(f"{path} is not a checkpoint of kakudai", "start again without --resume") from error
    return state
