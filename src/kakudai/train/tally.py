"""Figures of single steps, gathered for the next line of the log."""

import math
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from kakudai.errors import RecipeError


class Tally:
    """The losses since the last line of the log. They stay on the device until somebody looks.

    Args:
        fabric: With several processes, each knows the losses of its own crops; the mean is told.
    """

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric
        self.losses: list[float] = []
        self.waiting: list[Tensor] = []
        self.sums: dict[str, float] = {}

    def add(self, loss: Tensor, figures: dict[str, float]) -> None:
        """Take notice of one step."""
        self.waiting.append(loss.detach())
        for name, value in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def look(self, step: int) -> None:
        """Bring the losses over from the device.

        Args:
            step: Steps done.

        Raises:
            RecipeError: One of them is not a number.
        """
        if not self.waiting:
            return
        losses = torch.stack(self.waiting).float()
        if self.fabric.world_size > 1:
            losses = self.fabric.all_reduce(losses, reduce_op="mean")  # type: ignore[assignment]
        first = step - len(self.waiting)
        self.waiting = []
        for offset, loss in enumerate(losses.tolist(), 1):
            if not math.isfinite(loss):
                raise not_a_number(f"the loss of step {first + offset} is {loss}")
            self.losses.append(loss)

    def take(self) -> dict[str, float]:
        """Return the mean loss and the means of all other figures, and begin anew."""
        count = max(len(self.losses), 1)
        means = {"loss": sum(self.losses) / count, **{name: total / count for name, total in self.sums.items()}}
        self.losses, self.sums = [], {}
        return means

    def state(self) -> dict[str, Any]:
        """Return what the checkpoint must hold, after a `look`."""
        return {"losses": self.losses, "sums": self.sums}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.losses, self.sums = list(state["losses"]), dict(state["sums"])


def not_a_number(what: str) -> RecipeError:
    """Make the error for weights that are lost."""
    hint = "the last checkpoint is still good; lower learning_rate, lengthen warmup_steps or set clip_gradient"
    return RecipeError(f"training has failed: {what}", hint)
