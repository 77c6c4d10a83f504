"""What the validations of a run have shown, and the weights of the best one."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from kakudai.train.build import save_weights
from kakudai.train.checkpoint import write_whole
from kakudai.train.recipe import Recipe


@dataclass(slots=True)
class Standing:
    """How a run stands by its validations. The checkpoint holds it.

    Args:
        psnr: Of the best validation, in decibels.
        step: Of the best validation.
        latest: PSNR of the latest validation.
        since: Validations after the best one.
        waited: Validations that `plateau` has waited since the best one or its last drop.
        drops: How often `plateau` has lowered the learning rate.
    """

    psnr: float = -math.inf
    step: int = 0
    latest: float = -math.inf
    since: int = 0
    waited: int = 0
    drops: int = 0

    def take(self, psnr: float, step: int, patience: int) -> bool:
        """Take notice of a validation and say whether it is the best one so far."""
        self.latest = psnr
        if psnr > self.psnr:
            self.psnr, self.step, self.since, self.waited = psnr, step, 0, 0
            return True
        self.since, self.waited = self.since + 1, self.waited + 1
        if self.waited >= patience:
            self.drops, self.waited = self.drops + 1, 0
        return False

    def state(self) -> dict[str, Any]:
        """Return what the checkpoint must hold."""
        return asdict(self)


class Best:
    """`best.safetensors` and `best.json`: the averaged weights of the best validation.

    What is better than all before is decided by `best.json`, not by the checkpoint: a run that was killed after its
    last checkpoint may have found something better since, and does not overwrite it when it takes those steps again.

    Args:
        folder: Of the run.
        fresh: The run begins: what an earlier one left is removed.
    """

    def __init__(self, folder: Path, *, fresh: bool) -> None:
        self.weights, self.figures = folder / "best.safetensors", folder / "best.json"
        if fresh:
            self.figures.unlink(missing_ok=True)
            self.weights.unlink(missing_ok=True)

    def read(self) -> tuple[int, float] | None:
        """Return step and PSNR of the best validation, or None where there is none."""
        if not (self.figures.exists() and self.weights.exists()):
            return None
        found = json.loads(self.figures.read_text(encoding="utf-8"))
        return int(found["step"]), float(found["psnr"])

    def offer(self, recipe: Recipe, network: nn.Module, step: int, psnr: float) -> None:
        """Keep the weights if their PSNR is better than that of those kept so far.

        Raises:
            OutputError: They cannot be written; those kept so far are still there.
        """
        kept = self.read()
        if kept is None or psnr > kept[1]:
            save_weights(recipe, network, self.weights)
            write_whole(self.figures, json.dumps({"step": step, "psnr": psnr}).encode())
