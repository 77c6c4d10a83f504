"""What a training step makes small, and what learns beside the network."""

from typing import Any, Protocol

from lightning_fabric import Fabric
from torch import Tensor

from kakudai.train.losses import recipe_loss
from kakudai.train.recipe import Recipe


class Objective(Protocol):
    """What the loop asks for after the network has enlarged a batch.

    Shape: `output` and `high` are (N, C, H, W) float32 in [0, 1], the output not clipped.
    """

    def loss(self, output: Tensor, high: Tensor, step: int) -> Tensor:
        """Return the scalar that the network's weights descend."""

    def learn(self, output: Tensor, high: Tensor, step: int) -> dict[str, float]:
        """Train what the objective itself owns, after the network's own step; return figures for the log."""

    def state(self) -> dict[str, Any]:
        """Return what the checkpoint must hold."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""


class PlainObjective:
    """One loss, and the mean squared error at the end; where the recipe asks for it, VGG's features beside it.

    Raises:
        RecipeError: `vgg` is above 0 and `vgg_weights` is not a file of VGG's weights.
    """

    def __init__(self, recipe: Recipe, fabric: Fabric) -> None:
        self.recipe = recipe
        self.vgg = None
        if recipe.vgg > 0:
            from kakudai.train.perceptual import read_vgg

            self.vgg = read_vgg(recipe.vgg_weights).to(fabric.device)

    def loss(self, output: Tensor, high: Tensor, step: int) -> Tensor:
        """Return the loss of the step."""
        loss = recipe_loss(self.recipe, step)(output, high)
        return loss if self.vgg is None else loss + self.recipe.vgg * self.vgg.loss(output, high)

    def learn(self, output: Tensor, high: Tensor, step: int) -> dict[str, float]:  # noqa: ARG002
        """Nothing learns beside the network."""
        return {}

    def state(self) -> dict[str, Any]:
        """Nothing is to be remembered."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing was remembered."""


def make_objective(recipe: Recipe, fabric: Fabric) -> Objective:
    """Choose by the recipe: adversarial where it has a weight for it.

    Raises:
        RecipeError: A file that the objective needs cannot be used.
    """
    if recipe.adversarial > 0:
        from kakudai.train.adversarial import AdversarialObjective

        return AdversarialObjective(recipe, fabric)
    return PlainObjective(recipe, fabric)
