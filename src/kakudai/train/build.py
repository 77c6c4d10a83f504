"""The network of a recipe, with its first weights, checked against what the recipe asks of it."""

import inspect
import json
import logging
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from kakudai.errors import RecipeError
from kakudai.networks import find_network
from kakudai.train.checkpoint import write_whole
from kakudai.train.recipe import Recipe
from kakudai.train.recipe_words import accepted, shown, suggestion

logger = logging.getLogger(__name__)


def build_network(recipe: Recipe) -> nn.Module:
    """Make the recipe's network with the first weights that its seed decides.

    Raises:
        RecipeError: No network has that name, it cannot be built for the scale, or it does not take the arguments.
    """
    try:
        module = find_network(recipe.network)
    except KeyError as error:
        raise RecipeError(str(error.args[0]), "see: kakudai networks") from error
    scales = getattr(module, "SCALES", None)
    if scales and recipe.scale not in scales:
        known = ", ".join(map(str, scales))
        raise RecipeError(f"network {recipe.network!r} has no scale {recipe.scale}", f"its scales are {known}")
    torch.manual_seed(recipe.seed)
    network = getattr(module, module.__all__[0])
    check_arguments(recipe, network)
    try:
        return network(scale=recipe.scale, in_channels=picture_channels(recipe), **recipe.arguments)  # type: ignore[no-any-return]
    except (TypeError, KeyError, ValueError) as error:
        raise RecipeError(f"network {recipe.network!r}: {error}", "see the arguments in networks/") from error


def picture_channels(recipe: Recipe) -> int:
    """Return how many channels the picture has that the network sees."""
    return 1 if recipe.color == "luma" else 3


def input_channels(recipe: Recipe) -> int:
    """Return how many channels the network sees: the picture's, and one that says the strength of its damage."""
    return picture_channels(recipe) + (recipe.damage is not None)


def check_arguments(recipe: Recipe, network: type[nn.Module]) -> None:
    """Make sure that the class of a network takes the recipe's arguments.

    Raises:
        RecipeError: It has no argument of that name, or the value is of another kind.
    """
    parameters = inspect.signature(network).parameters.values()
    known = {parameter.name: parameter.annotation for parameter in parameters}
    names = [name for name in known if name not in ("scale", "in_channels")]
    for name, value in recipe.arguments.items():
        if name not in names:
            hint = suggestion([name], names, "its arguments are")
            raise RecipeError(f"network {recipe.network!r} has no argument {name!r}", hint)
        kind = TypeAdapter(known[name])
        try:
            kind.validate_python(value, strict=True)
        except ValidationError as error:
            words = accepted(kind.json_schema())
            hint = "correct `arguments` in the recipe"
            raise RecipeError(f"network {recipe.network!r}: {name}: {shown(value)} is not {words}", hint) from error


def check_network(recipe: Recipe, network: nn.Module) -> None:
    """Make sure that a network does what its recipe asks of it, by one small picture for each scale.

    Raises:
        RecipeError: Crops have a size that the network does not take, its output has other channels or another size
        than the picture enlarged, or its scale cannot be set.
    """
    multiple = int(network.multiple)  # type: ignore[arg-type]
    if recipe.patch % multiple:
        hint = f"use a patch that divides by {multiple}"
        raise RecipeError(f"network {recipe.network!r} does not take crops of {recipe.patch} pixels", hint)
    for scale in recipe.scales or []:
        network.scale = scale  # type: ignore[assignment]  # torch knows of tensors only
        if _output_shape(recipe, network) != _wanted_shape(recipe, network, scale):
            hint = "leave `scales` out, or use a network whose `scale` can be set, such as vdsr"
            raise RecipeError(f"network {recipe.network!r} cannot be set to scale {scale}", hint)
    network.scale = recipe.scale  # type: ignore[assignment]
    shape, wanted = _output_shape(recipe, network), _wanted_shape(recipe, network, recipe.scale)
    if shape is not None and shape[1] != wanted[1]:
        hint = "colour cannot be guessed from luma: train with as many channels out as in"
        raise RecipeError(f"network {recipe.network!r} takes {wanted[1]} channel(s) and gives {shape[1]}", hint)
    if shape != wanted:
        hint = "check its padding and its scale"
        raise RecipeError(f"network {recipe.network!r} turns {_side(network)} pixels into {shape}", hint)


def _side(network: nn.Module) -> int:
    multiple = int(network.multiple)  # type: ignore[arg-type]
    return -(-16 // multiple) * multiple


def _wanted_shape(recipe: Recipe, network: nn.Module, scale: int) -> tuple[int, ...]:
    return (1, picture_channels(recipe), scale * _side(network), scale * _side(network))


def _output_shape(recipe: Recipe, network: nn.Module) -> tuple[int, ...] | None:
    """Return the shape of the output for one small picture, or None where the network cannot run."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():  # inference mode would spoil what a network keeps from its first run
            side = _side(network)
            channels = input_channels(recipe)
            return tuple(network(torch.zeros(1, channels, side, side)).shape)
    except RuntimeError:
        return None
    finally:
        network.train(training)


def start_from(recipe: Recipe, network: nn.Module, path: Path) -> None:
    """Take over the weights of a file wherever a parameter of the same name has the same shape; the rest stays random.

    A network for another scale, or with one more block, then begins with all that its predecessor learnt but the last
    layer. One with more channels, of the same scale and colour, begins as the very function that its predecessor was.

    Raises:
        RecipeError: The file cannot be read, or nothing in it fits.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise RecipeError(f"no weights to start from in {path}: {error}", "leave `start` out of the recipe") from error
    if hasattr(network, "translated"):
        found = network.translated(found)  # type: ignore[operator]  # ECBSR has it
    own = network.state_dict()
    if (metadata.get("scale"), metadata.get("color")) == (str(recipe.scale), recipe.color):
        found = {name: widened(value, own[name]) if name in own else value for name, value in found.items()}
    fitting = {name: value for name, value in found.items() if name in own and own[name].shape == value.shape}
    if not fitting:
        raise RecipeError(f"nothing in {path} fits the network", "name weights of the same kind of network")
    network.load_state_dict(fitting, strict=False)
    logger.info("started with %d of %d parameters from %s", len(fitting), len(own), path)


def widened(narrow: Tensor, wide: Tensor) -> Tensor:
    """Put the weights or biases of a layer into those of a layer with more channels, if that is what `wide` is.

    New channels compute what `wide` has there at random, and nobody listens to them yet.

    Shape: (out, in, ...) and (out + n, in + m, ...) -> as `wide`; as `narrow` where it does not fit in.
    Source: Chen, Goodfellow, Shlens, "Net2Net", ICLR 2016, with new channels that are not copies.
    """
    channels = min(2, narrow.ndim)
    grows = all(few <= many for few, many in zip(narrow.shape, wide.shape, strict=False))
    if narrow.ndim != wide.ndim or not grows or narrow.shape[channels:] != wide.shape[channels:]:
        return narrow
    result = wide.clone()
    result[: len(narrow)] = 0
    result[tuple(slice(size) for size in narrow.shape)] = narrow
    return result


def save_weights(recipe: Recipe, network: nn.Module, target: Path) -> None:
    """Write the trainable weights, branches and all, for another run to start from (see `Recipe.start`).

    Raises:
        OutputError: The file cannot be written; an older one is still there.
    """
    metadata = {
        "network": recipe.network, "arguments": json.dumps(recipe.arguments),
        "scale": str(recipe.scale), "color": recipe.color,
    }  # fmt: skip
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    write_whole(target, save(tensors, metadata))
