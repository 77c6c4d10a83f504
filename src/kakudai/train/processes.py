"""The processes of a run: how they start, and how a Ctrl-C stops all of them at the same step."""

import os
import signal
import threading
from types import FrameType

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException

from kakudai.errors import RecipeError
from kakudai.train.recipe import Recipe

STARTED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
"""What torchrun and Ray Train tell each process that they start; Fabric tells those that it starts less."""


def launch(recipe: Recipe) -> Fabric:
    """Find the recipe's devices. For more than one, start this program again for each of the others, on this machine;
    or join the processes that torchrun or Ray Train has started, on any number of machines.

    Raises:
        RecipeError: This machine has no such devices, or there are more or fewer processes than devices.
    """
    several = recipe.devices > 1
    here, machines = recipe.devices, 1
    outside = all(name in os.environ for name in STARTED)
    if outside:
        here, machines = _started(recipe)
    try:
        fabric = Fabric(
            accelerator=recipe.accelerator,
            devices=here,
            num_nodes=machines,
            strategy="ddp" if several else "auto",
            plugins=[TorchElasticEnvironment()] if outside and several else None,
        )
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        raise RecipeError(
            f"accelerator {recipe.accelerator!r} with {recipe.devices} device(s): this machine has "
            f"{torch.cuda.device_count() or 'no'} GPU(s) that torch can use",
            'accepted are "cpu", "cuda" where there is a GPU, and "auto"; devices up to the number there are',
        ) from error
    try:
        if several:
            fabric.launch()
    except (RuntimeError, ValueError) as error:
        hint = "train with devices = 1"
        raise RecipeError(f"the {recipe.devices} processes of the run do not start: {error}", hint) from error
    if fabric.device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # batches have one size for each scale
    return fabric


def _started(recipe: Recipe) -> tuple[int, int]:
    """Return the devices of this machine, and how many machines there are, as whoever started us says.

    Raises:
        RecipeError: The recipe says otherwise.
    """
    processes, here = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if processes != recipe.devices:
        raise RecipeError(
            f"{processes} processes were started, and the recipe has devices = {recipe.devices}",
            f"say --set devices={processes}; the batch is shared by all of them",
        )
    if processes % here:
        raise RecipeError(
            f"{processes} processes, {here} of them on this machine: the others cannot have as many each",
            "start the same number on every machine",
        )
    return here, processes // here


class StopSign:
    """Turns a first Ctrl-C into a wish that the loop reads between two steps; a second one ends the program at once.

    Args:
        fabric: Where one of its processes is asked to stop, all are.
    """

    def __init__(self, fabric: Fabric) -> None:
        self.fabric, self.asked = fabric, False
        self.listens = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> "StopSign":
        if self.listens:
            self.before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        if self.listens and not self.asked:
            signal.signal(signal.SIGINT, self.before)

    def wanted(self) -> bool:
        """Say whether the run is to stop."""
        if self.fabric.world_size == 1:
            return self.asked
        asked = self.fabric.all_reduce(torch.tensor(float(self.asked)), reduce_op="sum")
        return bool(torch.as_tensor(asked) > 0)

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.asked = True
        signal.signal(signal.SIGINT, self.before)
