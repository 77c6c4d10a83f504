"""A trained network becomes a file that runs everywhere: ONNX with everything known about it inside."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import nn

from kakudai.convert.torch_export import to_onnx
from kakudai.errors import RecipeError
from kakudai.train.best import Best
from kakudai.train.build import build_network, check_network, input_channels
from kakudai.train.checkpoint import load_checkpoint, write_whole
from kakudai.train.color import LumaInRGB
from kakudai.train.count import multiply_adds_per_output_pixel
from kakudai.train.fold import fold_constants
from kakudai.train.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a model card says and the weights cannot.

    Args:
        recipe: Path of the recipe in the repository.
        data: What it was trained on, for how long and on which machine, in a sentence.
        data_licences: Licences of the training pictures, the commonest first.
        commit: Commit of the training code.
        quality: Set -> {"psnr": decibels, "ssim": ..., "protocol": ...}, measured by `kakudai evaluate`.
    """

    recipe: str
    data: str
    data_licences: str
    commit: str
    quality: dict[str, dict[str, float | str]]


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run has come to.

    Args:
        recipe: Of the run.
        network: With averaged weights, as it was trained, in evaluation mode.
        steps: How many were taken.
        seconds: How long they took.
        best_step: The step whose weights these are; None where they are those of the last one.
    """

    recipe: Recipe
    network: nn.Module
    steps: int
    seconds: float
    best_step: int | None


def trained_network(folder: Path) -> Trained:
    """Load the weights of a run that ship: those of the best validation, or the last ones, where nothing was validated
    or the recipe says so.

    Raises:
        RecipeError: The run's checkpoint is missing or cannot be read.
    """
    path = folder / "last.ckpt"
    state = load_checkpoint(path)
    recipe, network = _averaged(state, path)
    best = Best(folder, fresh=False)
    found = best.read()
    if recipe.ship == "last" or found is None or found[0] >= state["step"]:
        return Trained(recipe, network, state["step"], state["seconds"], None)
    network.load_state_dict(load_file(best.weights))
    return Trained(recipe, network, state["step"], state["seconds"], found[0])


def averaged_network(checkpoint: Path) -> tuple[Recipe, nn.Module]:
    """Load the averaged weights of the last step of a run, as they were trained, in evaluation mode.

    Raises:
        RecipeError: The checkpoint is missing or cannot be read.
    """
    return _averaged(load_checkpoint(checkpoint), checkpoint)


def export_onnx(recipe: Recipe, network: nn.Module, provenance: Provenance, target: Path) -> None:
    """Write a network as the ONNX file of DESIGN: RGB in, RGB out, free batch and size, metadata inside.

    Raises:
        RecipeError: The network does not give an enlarged picture of the promised size, in as many channels.
        OutputError: The file cannot be written; an older one is still there.
    """
    check_network(recipe, network)
    wrapped = (LumaInRGB(network) if recipe.color == "luma" else copy.deepcopy(network)).eval()
    model = onnx.load_from_string(to_onnx(wrapped, channels=4 if recipe.damage else 3))
    fold_constants(model)
    fields = _metadata(recipe, network, wrapped, provenance)
    onnx.helper.set_model_props(model, {f"kakudai.{key}": value for key, value in fields.items()})
    onnx.checker.check_model(model)
    write_whole(target, model.SerializeToString())


def _averaged(state: dict[str, Any], path: Path) -> tuple[Recipe, nn.Module]:
    """Build the network of a checkpoint with its averaged weights."""
    try:
        recipe = Recipe.model_validate(state["recipe"])
        network = build_network(recipe)
        network.load_state_dict(state["average"])
    except (ValidationError, RuntimeError) as error:
        raise RecipeError(f"{path} is of another version of kakudai: {error}", "train it again") from error
    return recipe, network.eval()


def _metadata(recipe: Recipe, network: nn.Module, wrapped: nn.Module, provenance: Provenance) -> dict[str, str]:
    macs = multiply_adds_per_output_pixel(network, input_channels(recipe), recipe.scale)
    return {
        "name": recipe.name,
        "version": recipe.version,
        "scale": str(recipe.scale),
        "halo": "none" if wrapped.halo is None else str(wrapped.halo),
        "multiple": str(wrapped.multiple),
        "color": recipe.color,
        "task": "restore" if recipe.scale == 1 or recipe.damage else "upscale",
        "strength": "plane" if recipe.damage else "none",
        "enlarges": str(getattr(network, "enlarges", "no")),
        "network": recipe.network,
        "arguments": json.dumps(recipe.arguments),
        "precision": "int8" if recipe.arguments.get("int8") else "float32",
        "parameters": str(sum(parameter.numel() for parameter in network.parameters())),
        "macs_per_output_pixel": f"{macs:.1f}",
        "recipe": provenance.recipe,
        "data": provenance.data,
        "data_licences": provenance.data_licences,
        "licence": recipe.licence,
        "commit": provenance.commit,
        "quality": json.dumps(provenance.quality),
    }
