"""A trained network becomes a file that runs everywhere: ONNX with everything known about it inside."""

import copy
import io
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from safetensors.torch import save_file
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from kakudai.errors import RecipeError
from kakudai.train.checkpoint import load_checkpoint
from kakudai.train.color import LumaInRGB
from kakudai.train.loop import build_network
from kakudai.train.recipe import Recipe

OPSET = 18


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


def averaged_network(checkpoint: Path) -> tuple[Recipe, nn.Module]:
    """Load the averaged weights of a run, as they were trained.

    Raises:
        RecipeError: The checkpoint is missing or cannot be read.
    """
    state = load_checkpoint(checkpoint)
    recipe = Recipe.model_validate(state["recipe"])
    network = build_network(recipe)
    network.load_state_dict(state["average"])
    return recipe, network.eval()


def merged_for_use(network: nn.Module) -> nn.Module:
    """Return a network without what it needs for training alone, such as the branches of ECBSR."""
    merge = getattr(network, "merged", None)
    return (merge() if merge else network).eval()


def export_onnx(recipe: Recipe, network: nn.Module, provenance: Provenance, target: Path) -> None:
    """Write a network as the ONNX file of DESIGN: RGB in, RGB out, free batch and size, metadata inside.

    Raises:
        RecipeError: The network does not give an enlarged picture of the promised size.
    """
    wrapped = (LumaInRGB(network) if recipe.color == "luma" else copy.deepcopy(network)).eval()
    model = onnx.load_from_string(_to_onnx(wrapped))
    fields = _metadata(recipe, network, wrapped, provenance)
    onnx.helper.set_model_props(model, {f"kakudai.{key}": value for key, value in fields.items()})
    onnx.checker.check_model(model)
    temporary = target.with_name(f".{target.name}.part")
    temporary.write_bytes(model.SerializeToString())
    temporary.replace(target)


def save_weights(recipe: Recipe, network: nn.Module, target: Path) -> None:
    """Write the trainable weights, branches and all, for another run to start from (see `Recipe.start`)."""
    metadata = {"network": recipe.network, "arguments": json.dumps(recipe.arguments), "scale": str(recipe.scale)}
    temporary = target.with_name(f".{target.name}.part")
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, temporary, metadata)
    temporary.replace(target)


def multiply_adds_per_output_pixel(network: nn.Module, channels: int, scale: int) -> float:
    """Count multiply-adds of all convolutions for one pixel of output, by running a small picture."""
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        network(torch.zeros(1, channels, 16, 16))
    return counter.get_total_flops() / 2 / (16 * scale) ** 2


def _to_onnx(network: nn.Module) -> bytes:
    x = torch.zeros(1, 3, 32, 48)
    with torch.inference_mode():
        if network(x).shape != (1, 3, 32 * int(network.scale), 48 * int(network.scale)):  # type: ignore[arg-type]
            raise RecipeError("the network's output is not its input enlarged", "check its padding and its scale")
    free = {"x": {0: "n", 2: "h", 3: "w"}, "y": {0: "n", 2: "sh", 3: "sw"}}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network, (x,), buffer,  # type: ignore[arg-type]  # its annotation forgets streams
            input_names=["x"], output_names=["y"],
            dynamic_axes=free, opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    return buffer.getvalue()


def _metadata(recipe: Recipe, network: nn.Module, wrapped: nn.Module, provenance: Provenance) -> dict[str, str]:
    channels = 1 if recipe.color == "luma" else 3
    macs = multiply_adds_per_output_pixel(network, channels, recipe.scale)
    return {
        "name": recipe.name,
        "version": recipe.version,
        "scale": str(recipe.scale),
        "halo": "none" if wrapped.halo is None else str(wrapped.halo),
        "multiple": str(wrapped.multiple),
        "color": recipe.color,
        "task": "upscale" if recipe.scale > 1 else "restore",
        "strength": "none",
        "network": recipe.network,
        "arguments": json.dumps(recipe.arguments),
        "parameters": str(sum(parameter.numel() for parameter in network.parameters())),
        "macs_per_output_pixel": f"{macs:.1f}",
        "recipe": provenance.recipe,
        "data": provenance.data,
        "data_licences": provenance.data_licences,
        "licence": recipe.licence,
        "commit": provenance.commit,
        "quality": json.dumps(provenance.quality),
    }
