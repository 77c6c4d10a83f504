"""From a loss to changed weights: gradients, their clipping, the optimiser, and the average of the weights."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from kakudai.errors import RecipeError
from kakudai.train.muon import Muon
from kakudai.train.recipe import Recipe
from kakudai.train.schedule import average_decay


class Descent:
    """The optimiser of a network, with the recipe's clipping and its scaling of gradients.

    float16 cannot hold small gradients, so the loss is made larger before they are computed, and steps whose gradients
    became infinite by it are left out.

    Args:
        recipe: Names the optimiser and its numbers.
        network: What is trained, on its device already.
        fabric: Computes gradients, and averages them over its processes.

    Raises:
        RecipeError: float16 is asked for where there is no GPU.
    """

    def __init__(self, recipe: Recipe, network: nn.Module, fabric: Fabric) -> None:
        half = recipe.precision == "float16"
        if half and fabric.device.type != "cuda":
            hint = 'use bfloat16 or float32, or accelerator = "cuda" on a machine that has one'
            raise RecipeError(f"float16 needs a GPU, and this run is on the {fabric.device.type}", hint)
        self.recipe, self.fabric = recipe, fabric
        self.optimiser = make_optimiser(recipe, network)
        self.scaler = torch.amp.GradScaler(fabric.device.type, enabled=half)

    def descend(self, loss: Tensor, rate: float) -> None:
        """Take one step against the gradient of a loss, with a learning rate."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        self.optimiser.zero_grad()
        self.fabric.backward(self.scaler.scale(loss))
        if self.recipe.clip_gradient or self.recipe.clip_gradient_by_rate:
            self.scaler.unscale_(self.optimiser)
            self._clip()
        self.scaler.step(self.optimiser)
        self.scaler.update()

    def state(self) -> dict[str, Any]:
        """Return what the checkpoint must hold."""
        return {"optimiser": self.optimiser.state_dict(), "scaler": self.scaler.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        factors = [group["factor"] for group in self.optimiser.param_groups]
        self.optimiser.load_state_dict(state["optimiser"])
        for group, factor in zip(self.optimiser.param_groups, factors, strict=True):
            group["factor"] = factor
        if state.get("scaler"):
            self.scaler.load_state_dict(state["scaler"])

    def _clip(self) -> None:
        for group in self.optimiser.param_groups:
            if self.recipe.clip_gradient_by_rate and group["lr"] > 0:
                nn.utils.clip_grad_value_(group["params"], self.recipe.clip_gradient_by_rate / group["lr"])
        if self.recipe.clip_gradient:
            everything = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
            nn.utils.clip_grad_norm_(everything, self.recipe.clip_gradient)


def make_optimiser(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """Make the recipe's optimiser. Its groups have a `factor`, a multiple of the learning rate."""
    if recipe.optimiser == "muon":
        return Muon(network, rate=recipe.learning_rate, kernel_rate=recipe.kernel_rate, betas=recipe.betas)
    groups = parameter_groups(network, recipe.last_layer_rate)
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=recipe.momentum, weight_decay=decay, fused=True)
    return torch.optim.Adam(groups, lr=rate, betas=recipe.betas, weight_decay=decay, fused=True)


def parameter_groups(network: nn.Module, last_layer_rate: float) -> list[dict[str, Any]]:
    """Put all parameters into one group, or those of the last layer that has any into a second one."""
    everything = list(network.parameters())
    if last_layer_rate == 1.0:
        return [{"params": everything, "factor": 1.0}]
    layers = [layer for layer in network.modules() if any(True for _ in layer.parameters(recurse=False))]
    last = list(layers[-1].parameters(recurse=False))
    rest = [parameter for parameter in everything if all(parameter is not other for other in last)]
    return [{"params": rest, "factor": 1.0}, {"params": last, "factor": last_layer_rate}]


class Average:
    """The moving average of a network's weights, which is validated and ships.

    Running statistics of batch normalisation are averaged as weights are; what counts batches is copied, and so are the
    ranges of networks of 8-bit numbers, which belong to all that was seen.

    Args:
        network: What is trained.
        copy: The same network, which becomes the average.
    """

    def __init__(self, network: nn.Module, copy: nn.Module) -> None:
        self.network = copy.eval().requires_grad_(False)
        ours, theirs = copy.state_dict(keep_vars=True), network.state_dict(keep_vars=True)
        ranges = {
            f"{path}.{name}" for path, module in network.named_modules() for name in getattr(module, "ranges", ())
        }
        averaged = [name for name, mean in ours.items() if mean.is_floating_point() and name not in ranges]
        self.means, self.values = [ours[name] for name in averaged], [theirs[name] for name in averaged]
        self.copied = [(ours[name], theirs[name]) for name in ours.keys() - set(averaged)]

    @torch.no_grad()
    def follow(self, recipe: Recipe, step: int) -> None:
        """Take one step towards the network as it is now."""
        torch._foreach_lerp_(self.means, self.values, 1.0 - average_decay(recipe, step))
        for copied, value in self.copied:
            copied.copy_(value)


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Say whether every number in some tensors of one device is one; true of none."""
    found = [tensor.isfinite().all() for tensor in tensors]
    return not found or bool(torch.stack(found).all())


def tensors_in(state: Any) -> Iterator[Tensor]:
    """Yield all tensors in dictionaries and lists of any depth, as `state_dict` makes them."""
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for part in state.values() if isinstance(state, dict) else state:
            yield from tensors_in(part)
