"""The training loop.

kakudai data pack ../shared/data/train/photo-cid22 ../shared/data/train/photo-hires -o packs/photo.pack
kakudai train recipes/photo-x2.toml
"""

import copy
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from kakudai.data.pack import open_pack
from kakudai.data.pairs import Pairs
from kakudai.errors import RecipeError
from kakudai.networks import find_network
from kakudai.train.checkpoint import load_checkpoint, save_checkpoint
from kakudai.train.losses import LOSSES
from kakudai.train.recipe import Recipe
from kakudai.train.schedule import average_decay, learning_rate, loss_name, uses_bfloat16
from kakudai.train.validate import Validation

logger = logging.getLogger(__name__)

LOG_EVERY = 50
"""Steps whose mean loss is one line of the log."""


def build_network(recipe: Recipe) -> nn.Module:
    """Make the recipe's network with the first weights that its seed decides.

    Raises:
        RecipeError: No network has that name, or it does not take the arguments.
    """
    torch.manual_seed(recipe.seed)
    try:
        module = find_network(recipe.network)
        network = getattr(module, module.__all__[0])
        channels = 1 if recipe.color == "luma" else 3
        return network(scale=recipe.scale, in_channels=channels, **recipe.arguments)  # type: ignore[no-any-return]
    except KeyError as error:
        raise RecipeError(str(error.args[0]), "see: kakudai networks") from error
    except TypeError as error:
        raise RecipeError(f"network {recipe.network!r}: {error}", "see the arguments in networks/") from error


def start_from(network: nn.Module, path: Path) -> None:
    """Take over the weights of a file wherever a parameter of the same name has the same shape; the rest stays random.

    A network for another scale, or with one more block, then begins with all that its predecessor learnt but the last
    layer.

    Raises:
        RecipeError: The file cannot be read, or nothing in it fits.
    """
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise RecipeError(f"no weights to start from in {path}: {error}", "leave `start` out of the recipe") from error
    own = network.state_dict()
    fitting = {name: value for name, value in found.items() if name in own and own[name].shape == value.shape}
    if not fitting:
        raise RecipeError(f"nothing in {path} fits the network", "name weights of the same kind of network")
    network.load_state_dict(fitting, strict=False)
    logger.info("started with %d of %d parameters from %s", len(fitting), len(own), path)


def train(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
) -> nn.Module:
    """Train a network as its recipe says and return the averaged weights.

    Args:
        recipe: What to do.
        folder: Receives `log.jsonl`, TensorBoard's files, `last.ckpt` and `best.json`; made if missing.
        resume: Go on from `last.ckpt`. The losses are those of a run that was never interrupted.
        progress: Called after each step with (steps done, steps in all, latest figures).

    Raises:
        RecipeError: The recipe, the pack or the checkpoint cannot be used.
    """
    return Run(recipe, folder, resume=resume).finish(progress)


class Run:
    """One training run: its weights, their average, the optimiser, and how far it is."""

    def __init__(self, recipe: Recipe, folder: Path, *, resume: bool) -> None:
        torch.set_num_threads(recipe.threads)
        torch.set_flush_denormal(True)
        folder.mkdir(parents=True, exist_ok=True)
        self.recipe, self.folder = recipe, folder
        self.fabric = Fabric(accelerator=recipe.accelerator, devices=1)
        network = build_network(recipe)
        if recipe.start is not None:
            start_from(network, recipe.start)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average: nn.Module = self.fabric.to_device(copy.deepcopy(network)).eval().requires_grad_(False)
        optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, betas=recipe.betas, fused=True)
        self.network, self.optimiser = self.fabric.setup(network, optimiser)
        self.step, self.seconds = 0, 0.0
        if resume:
            self._restore(load_checkpoint(folder / "last.ckpt"))
        self.pairs = Pairs(
            open_pack(recipe.pack),
            scale=recipe.scale,
            color=recipe.color,
            blur=recipe.blur,
            threads=recipe.threads,
        )
        self.validation = None
        if recipe.validate_on is not None:
            self.validation = Validation(recipe.validate_on, recipe.scale, recipe.color)

    def finish(self, progress: Callable[[int, int, dict[str, float]], None] | None = None) -> nn.Module:
        """Take all steps that are left."""
        figures: dict[str, float] = {}
        total, started = 0.0, time.monotonic()
        with Log(self.folder, self.step) as log:
            while self.step < self.recipe.steps:
                total += float(self._take_step())
                self.step += 1
                if self.step % LOG_EVERY == 0:
                    self.seconds, started = self.seconds + time.monotonic() - started, time.monotonic()
                    figures["loss"] = total / LOG_EVERY
                    log.write(
                        self.step,
                        self.seconds,
                        loss=figures["loss"],
                        rate=learning_rate(self.recipe, self.step),
                    )
                    total = 0.0
                if self.validation and self._due(self.recipe.validate_every):
                    figures["psnr"] = self.validation.psnr(self.average)
                    log.write(self.step, self.seconds, psnr=figures["psnr"])
                if self._due(self.recipe.checkpoint_every):
                    self._save()
                if progress:
                    progress(self.step, self.recipe.steps, figures)
        return self.average

    def _take_step(self) -> Tensor:
        """Update the weights once and return the loss."""
        recipe, step = self.recipe, self.step
        pair = self.pairs.batch(recipe.batch, recipe.patch, seed=recipe.seed, step=step)
        low, high = (self.fabric.to_device(torch.from_numpy(side)) for side in (pair.low, pair.high))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(recipe, step)
        self.optimiser.zero_grad()
        with torch.autocast(low.device.type, torch.bfloat16, enabled=uses_bfloat16(recipe, step)):
            output = self.network(low)
        loss = LOSSES[loss_name(recipe, step)](output.float(), high)
        self.fabric.backward(loss)
        self.optimiser.step()
        decay = average_decay(recipe, step)
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(value, 1.0 - decay)
        return loss.detach()

    def _due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.recipe.steps

    def _save(self) -> None:
        state: dict[str, Any] = {
            "recipe": self.recipe.model_dump(mode="json"),
            "step": self.step,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        save_checkpoint(self.folder / "last.ckpt", state)

    def _restore(self, state: dict[str, Any]) -> None:
        self.step, self.seconds = state["step"], state["seconds"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        logger.info("resumed at step %d", self.step)


class Log:
    """`log.jsonl`, one object a line, and the same figures for TensorBoard.

    Args:
        folder: Where the log is.
        step: Lines of later steps, left by a run that was killed after its last checkpoint, are dropped.
    """

    def __init__(self, folder: Path, step: int) -> None:
        path = folder / "log.jsonl"
        kept = []
        if step and path.exists():
            kept = [line for line in path.read_text().splitlines() if json.loads(line)["step"] <= step]
        temporary = path.with_suffix(".part")
        temporary.write_text("".join(f"{line}\n" for line in kept))
        temporary.replace(path)
        self.file = path.open("a", encoding="utf-8")
        self.board = SummaryWriter(folder / "tensorboard", purge_step=step or None)

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()
        self.board.close()

    def write(self, step: int, seconds: float, **figures: float) -> None:
        """Add one line: the step, seconds since the start of the run, and the figures."""
        rounded = {name: round(value, 7) for name, value in figures.items()}
        self.file.write(json.dumps({"step": step, "seconds": round(seconds, 1), **rounded}) + "\n")
        self.file.flush()
        for name, value in figures.items():
            self.board.add_scalar(name, value, step)
