"""The state of a run on disk, complete or absent."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from pydantic_core import to_jsonable_python

from kakudai.errors import OutputError, RecipeError
from kakudai.image import writing
from kakudai.train.recipe import Recipe

DECIDES_SHAPES = ("name", "network", "arguments", "scale", "color", "optimiser", "last_layer_rate")
"""What a checkpoint and the recipe it is resumed with must agree in; other keys may be changed on the way."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file of a run by rename: a kill or a full disk at any moment leaves the old one or the new one.

    Raises:
        OutputError: The disk is full, or the folder cannot be written; the hint says that the run can go on.
    """
    try:
        writing.write_whole(path, data)
    except OutputError as error:
        hint = "what was there before is untouched; make room and go on with --resume"
        raise OutputError(error.message, hint) from error


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        OutputError: It cannot be written; the old one is still there.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_whole(path, buffer.getvalue())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values, never code.

    Raises:
        RecipeError: There is none, or it cannot be read.
    """
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise RecipeError(f"no checkpoint at {path}", "leave --resume out to start from the beginning") from error
    except (OSError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise RecipeError(f"{path} is not a checkpoint of kakudai", "start again without --resume") from error
    if not isinstance(state, dict) or not {"recipe", "step", "network", "average", "optimiser"} <= state.keys():
        raise RecipeError(f"{path} is not a checkpoint of kakudai", "start again without --resume")
    return state


def changed_keys(state: dict[str, Any], recipe: Recipe, path: Path) -> list[str]:
    """Return the keys in which a recipe differs from the one that a checkpoint was made with.

    Raises:
        RecipeError: They differ in what decides the shape of the weights or the name of the run.
    """
    earlier, now = state["recipe"], recipe.model_dump(mode="json")
    fields = Recipe.model_fields.items()
    defaults = {name: to_jsonable_python(field.default) for name, field in fields if not field.is_required()}
    changed = [key for key in now if earlier.get(key, defaults.get(key)) != now[key]]
    fatal = [key for key in changed if key in DECIDES_SHAPES]
    if fatal:
        theirs = ", ".join(f"{key} = {earlier.get(key, defaults.get(key))}" for key in fatal)
        ours = ", ".join(f"{key} = {now[key]}" for key in fatal)
        raise RecipeError(
            f"{path} is of another run: there {theirs}; in the recipe {ours}",
            "name the folder of the recipe's own run with -o, or leave --resume out",
        )
    return changed
