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
from torch import Tensor, nn

from kakudai.errors import OutputError, RecipeError
from kakudai.train.best import Best, Standing
from kakudai.train.build import build_network, check_network, start_from
from kakudai.train.checkpoint import changed_keys, load_checkpoint, save_checkpoint, write_whole
from kakudai.train.feed import Feed
from kakudai.train.log import Log
from kakudai.train.objective import make_objective
from kakudai.train.optimise import Average, Descent, all_finite, tensors_in
from kakudai.train.processes import StopSign, launch
from kakudai.train.progress import Progress
from kakudai.train.recipe import Recipe
from kakudai.train.schedule import learning_rate, precision, scale_of_step
from kakudai.train.tally import Tally, not_a_number
from kakudai.train.validate import Validation

logger = logging.getLogger(__name__)

LOG_EVERY = 50
"""Steps whose mean loss is one line of the log."""

HALF = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def train(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
) -> nn.Module:
    """Train a network as its recipe says and return the averaged weights of the last step.

    Args:
        recipe: What to do.
        folder: Receives `recipe.json`, `log.jsonl`, TensorBoard's files, `last.ckpt`, `best.safetensors` with
            `best.json`, and the progress pictures; made if missing.
        resume: Go on from `last.ckpt`. The losses are those of a run that was never interrupted.
        progress: Called after each step with (steps done, steps in all, latest figures).

    Raises:
        RecipeError: The recipe, the pack or the checkpoint cannot be used, or the loss is no longer a number.
        OutputError: The folder cannot be written; the last checkpoint is still good.
        PictureError: A picture to validate on cannot be read.
        KeyboardInterrupt: Ctrl-C was pressed; the step it came in is done and in the checkpoint.
    """
    return Run(recipe, folder, resume=resume).finish(progress)


class Run:
    """One training run: its weights, their average, what moves them, and how far it is.

    With several processes, each has a Run; all take the same steps, and `leads` says which one writes files.
    """

    def __init__(self, recipe: Recipe, folder: Path, *, resume: bool) -> None:
        torch.set_num_threads(recipe.threads)
        torch.set_flush_denormal(True)
        self.recipe, self.folder = recipe, folder
        self.fabric = launch(recipe)
        self.leads: bool = self.fabric.is_global_zero
        network = build_network(recipe)
        check_network(recipe, network)
        if recipe.start is not None and not resume:
            start_from(recipe, network, recipe.start)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.plain: nn.Module = self.fabric.to_device(network)
        self.average = Average(self.plain, copy.deepcopy(self.plain))
        self.network = self.fabric.setup_module(self.plain)
        self.descent = Descent(recipe, self.plain, self.fabric)
        self.objective = make_objective(recipe, self.fabric)
        self.tally, self.standing = Tally(self.fabric), Standing()
        self.step, self.seconds = 0, 0.0
        self.figures: dict[str, float] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            hint = "name another folder with -o"
            raise OutputError(f"{folder} cannot be made: {error.strerror or error}", hint) from error
        if resume:
            self._restore(load_checkpoint(folder / "last.ckpt"))
        self.feed = Feed(recipe, self.fabric)
        self.validation: Validation | None = None
        self.pictures: Progress | None = None
        if self.leads:
            self._prepare_files(fresh=not resume)

    @property
    def over(self) -> bool:
        """Whether the last step is done, or validations have stayed flat for as long as the recipe allows."""
        patience = self.recipe.early_stop
        return self.step >= self.recipe.steps or (patience is not None and self.standing.since >= patience)

    def finish(self, progress: Callable[[int, int, dict[str, float]], None] | None = None) -> nn.Module:
        """Take all steps that are left and return the averaged network."""
        if self.over:
            return self.average.network
        recipe, self.started, self.logged = self.recipe, time.monotonic(), self.seconds
        with StopSign(self.fabric) as stop, self.feed, Log(self.folder, self.step, writes=self.leads) as self.log:
            while not self.over:
                self._take_step()
                self.step += 1
                if self.step % LOG_EVERY == 0:
                    self._write_figures()
                if recipe.validate_on and self._due(recipe.validate_every):
                    self._validate()
                if self.pictures and self.step in self.picture_steps:
                    self.pictures.keep(self.average.network, self.step // recipe.epoch)
                stopped = stop.wanted()
                if stopped or self.over or self._due(recipe.checkpoint_every):
                    self._save()
                if progress:
                    progress(self.step, recipe.steps, self.figures)
                if stopped and not self.over:
                    raise KeyboardInterrupt
            self._compare_with_best()
        return self.average.network

    def _take_step(self) -> None:
        """Update the weights once."""
        recipe, step = self.recipe, self.step
        low, high = self.feed.take(step)
        scale = scale_of_step(recipe, step)
        if self.plain.scale != scale:
            self.plain.scale = scale  # type: ignore[assignment]  # torch knows of tensors only
        half = HALF[precision(recipe, step)]
        with torch.autocast(low.device.type, half, enabled=half is not None):
            output = self.network(low)
        output, high = shaved(output.float(), recipe.shave), shaved(high, recipe.shave)
        loss = self.objective.loss(output, high, step)
        self.descent.descend(loss, learning_rate(recipe, step, self.standing.drops))
        figures = self.objective.learn(output.detach(), high, step)
        self.average.follow(recipe, step)
        self.tally.add(loss, figures)

    def _due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.recipe.steps

    def _write_figures(self) -> None:
        self.tally.look(self.step)
        means = self.tally.take()
        self.figures.update(means)
        rate = learning_rate(self.recipe, self.step - 1, self.standing.drops)  # of the step just taken
        self._clock()
        waiting = self.feed.take_waited() / max(self.seconds - self.logged, 1e-9)
        self.logged = self.seconds
        self.log.write(self.step, self.seconds, **means, rate=rate, waiting=waiting)

    def _validate(self) -> None:
        """Measure the averaged weights, and keep them if none were better."""
        self._check()
        psnr = self.fabric.broadcast(self.validation.psnr(self.average.network) if self.validation else 0.0)
        self._clock()
        self.figures["psnr"] = psnr
        self.log.write(self.step, self.seconds, psnr=psnr)
        better = self.standing.take(psnr, self.step, self.recipe.patience)
        if better and self.leads:
            self.best.offer(self.recipe, self.average.network, self.step, psnr)

    def _compare_with_best(self) -> None:
        """Say so where the run ends worse than it has been."""
        standing = self.standing
        if standing.since and self.leads:
            self.log.write(self.step, self.seconds, best=standing.psnr, best_step=standing.step)
            logger.warning(
                "the run ends at %.3f dB, below the %.3f dB of step %d, whose weights are in %s",
                standing.latest, standing.psnr, standing.step, self.best.weights,
            )  # fmt: skip

    def _check(self) -> None:
        """Make sure that what is about to be kept is made of numbers."""
        self.tally.look(self.step)
        if not all_finite(self.plain.parameters()):
            raise not_a_number(f"after step {self.step} there are weights that are not numbers")
        if not all_finite(tensors_in(self.objective.state())):  # a discriminator may be lost one step earlier
            raise not_a_number(f"after step {self.step} there are weights of the loss that are not numbers")

    def _clock(self) -> None:
        """Add the time since the last call to the run's."""
        now = time.monotonic()
        self.seconds, self.started = self.seconds + now - self.started, now

    def _prepare_files(self, *, fresh: bool) -> None:
        recipe, folder = self.recipe, self.folder
        if recipe.validate_on is not None:
            damaged = recipe.damage is not None
            self.validation = Validation(recipe.validate_on, recipe.scale, recipe.color, damaged=damaged)
        if recipe.progress_picture is not None:
            self.pictures = Progress(recipe, folder)
            self.picture_steps = {epoch * recipe.epoch for epoch in recipe.progress_epochs}
        self.best = Best(folder, fresh=fresh)  # after what may refuse the recipe: it removes what an earlier run left
        if self.over and not fresh:
            return  # recipe.json says what the run was trained with
        write_whole(folder / "recipe.json", json.dumps(recipe.model_dump(mode="json"), indent=1).encode())

    def _save(self) -> None:
        self._check()
        self._clock()
        state: dict[str, Any] = {
            "recipe": self.recipe.model_dump(mode="json"),
            "step": self.step,
            "seconds": self.seconds,
            "network": self.plain.state_dict(),
            "average": self.average.network.state_dict(),
            "objective": self.objective.state(),
            "standing": self.standing.state(),
            "tally": self.tally.state(),
            **self.descent.state(),
        }
        if self.leads:
            save_checkpoint(self.folder / "last.ckpt", state)

    def _restore(self, state: dict[str, Any]) -> None:
        changed = changed_keys(state, self.recipe, self.folder / "last.ckpt")
        try:
            self.step, self.seconds = state["step"], state["seconds"]
            self.plain.load_state_dict(state["network"])
            self.average.network.load_state_dict(state["average"])
            self.descent.restore(state)
            if "objective" in state:  # version 0.1 wrote none of these
                self.objective.restore(state["objective"])
                self.standing = Standing(**state["standing"])
                self.tally.restore(state["tally"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise RecipeError(
                f"{self.folder / 'last.ckpt'} does not fit the recipe: {error}",
                f"take back what was changed since ({', '.join(changed) or 'nothing'}), or leave --resume out",
            ) from error
        if changed and self.over:
            logger.warning("the run is finished: another %s changes nothing", ", ".join(changed))
        elif changed:
            logger.warning("resumed with another %s than the run began with", ", ".join(changed))
        logger.info("resumed at step %d", self.step)


def shaved(x: Tensor, width: int) -> Tensor:
    """Cut some pixels off each side. Shape: (N, C, H, W) -> (N, C, H - 2 width, W - 2 width)."""
    return x[..., width : x.shape[-2] - width, width : x.shape[-1] - width] if width else x
