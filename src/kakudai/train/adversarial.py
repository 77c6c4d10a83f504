"""Adversarial training: a second network, the discriminator, learns to tell outputs from real pictures, and the first
one learns to deceive it.

    network's loss       = plain loss + adversarial * BCE(D(output), real) + feature_matching * L1 of D's features
                           + vgg * L1 of VGG's features
    discriminator's loss = (BCE(D(high), real) + BCE(D(output), generated)) / 2

The adversarial part is SRGAN's: binary cross-entropy of each picture by itself, in the form whose gradient does not
vanish while the discriminator is right (not the relativistic average of ESRGAN). ln 2 = 0.693 is a discriminator that
guesses. Feature matching asks the output to look to the discriminator's layers as the real picture does; it steadies
the training and takes the place of VGG where its weights are not at hand.

Source: Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", CVPR 2017;
feature matching: Wang et al., "High-Resolution Image Synthesis ... with Conditional GANs", CVPR 2018, equation 4.
"""

from contextlib import AbstractContextManager
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional

from kakudai.networks.srresnet import Discriminator
from kakudai.train.losses import recipe_loss
from kakudai.train.perceptual import read_vgg
from kakudai.train.recipe import Recipe
from kakudai.train.schedule import uses_bfloat16


class AdversarialObjective:
    """What a network descends in adversarial training, and the discriminator that learns beside it.

    The discriminator has an Adam of its own with the constant rate `recipe.discriminator_rate`. It sees the crops that
    the network's loss sees, and learns after each step of the network, from the output of before that step. Where the
    recipe asks for bfloat16, both parts convolve in it; float16 has too short a range for a discriminator, which then
    stays in float32.

    Args:
        recipe: `adversarial`, `feature_matching` and `vgg` are the weights of the parts; `loss` is the plain one.
        fabric: Launched; decides the device and, with several processes, averages the discriminator's gradients.

    Raises:
        RecipeError: `vgg` is above 0 and `vgg_weights` is not a file of VGG's weights.
    """

    def __init__(self, recipe: Recipe, fabric: Fabric) -> None:
        self.recipe, self.fabric = recipe, fabric
        self.vgg = read_vgg(recipe.vgg_weights).to(fabric.device) if recipe.vgg > 0 else None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.plain = Discriminator(
                in_channels=1 if recipe.color == "luma" else 3,
                size=recipe.scale * recipe.patch - 2 * recipe.shave,
            )
        self.plain.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        rate, betas = recipe.discriminator_rate, recipe.betas
        adam = torch.optim.Adam(self.plain.parameters(), lr=rate, betas=betas, fused=True)
        self.discriminator, self.optimiser = fabric.setup(self.plain, adam)
        self.figures: dict[str, Tensor] = {}

    def loss(self, output: Tensor, high: Tensor, step: int) -> Tensor:
        """Return what the network descends. No gradient reaches the discriminator's weights.

        Shape: two (N, C, H, W) float32 tensors in [0, 1] -> a scalar.
        """
        recipe = self.recipe
        parts = {"plain": recipe_loss(recipe, step)(output, high)}
        with self._precision(output, step):
            self.plain.requires_grad_(False)
            seen = self.plain.features(output)
            logits = self.plain.verdict(seen[-1])
            if recipe.feature_matching > 0:
                parts["feature_matching"] = self._feature_distance(seen, high)
            self.plain.requires_grad_(True)
            parts["adversarial"] = functional.softplus(-logits.float()).mean()
            if self.vgg is not None:
                parts["vgg"] = self.vgg.loss(output, high)
        self.figures = {name: part.detach() for name, part in parts.items()}
        weight = {"plain": 1.0, "adversarial": recipe.adversarial, "vgg": recipe.vgg}
        weight["feature_matching"] = recipe.feature_matching
        return torch.stack([weight[name] * part for name, part in parts.items()]).sum()

    def learn(self, output: Tensor, high: Tensor, step: int) -> dict[str, float]:
        """Train the discriminator once on real pictures and once on outputs, and return the figures of the step.

        Returns:
            Each part of the network's loss before weighting, the discriminator's loss, and the mean probability it
            gave to real pictures ("real") and to outputs ("fake") of being real.
        """
        self.optimiser.zero_grad()
        figures = dict(self.figures)
        total = torch.zeros((), device=output.device)
        for name, picture, sign in (("real", high, -1.0), ("fake", output.detach(), 1.0)):
            with self._precision(output, step):
                logits = self.discriminator(picture).float()
            loss = 0.5 * functional.softplus(sign * logits).mean()
            self.fabric.backward(loss, model=self.discriminator)
            figures[name] = logits.detach().sigmoid().mean()
            total += loss.detach()
        self.optimiser.step()
        return {name: float(value) for name, value in (figures | {"discriminator": total}).items()}

    def state(self) -> dict[str, Any]:
        """Return the discriminator and its optimiser, for the checkpoint."""
        return {"discriminator": self.plain.state_dict(), "optimiser": self.optimiser.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.plain.load_state_dict(state["discriminator"])
        self.optimiser.load_state_dict(state["optimiser"])

    def _feature_distance(self, seen: list[Tensor], high: Tensor) -> Tensor:
        """Return the mean absolute difference between what the discriminator sees in outputs and in real pictures."""
        with torch.no_grad():
            wanted = self.plain.features(high)
        pairs = zip(seen, wanted, strict=True)
        return torch.stack([functional.l1_loss(mine.float(), real.float()) for mine, real in pairs]).mean()

    def _precision(self, output: Tensor, step: int) -> AbstractContextManager[Any]:
        return torch.autocast(output.device.type, torch.bfloat16, enabled=uses_bfloat16(self.recipe, step))
