"""What a training step makes small: functions of the network's output and of the picture it should have been.

Each takes two (N, C, H, W) tensors, `output` as the network gave it (not clipped) and `high` in [0, 1], and returns a
scalar; gradients flow into `output`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from kakudai.errors import RecipeError
from kakudai.train.recipe import Recipe
from kakudai.train.schedule import loss_name

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
Channels: TypeAlias = Literal["rgb", "luma_chroma"]

CHARBONNIER_EPSILON = 1e-3
"""Where Charbonnier turns from a parabola into a straight line, in units of white: a quarter of an 8-bit level."""

HUBER_GAMMA = 0.1
"""Where waifu2x's Huber loss turns from a parabola into a straight line."""

HUBER_WEIGHT = (3 * 0.29891, 3 * 0.58661, 3 * 0.11448)
"""What an error in R, G and B counts there: the luma it makes, 1 on average."""

LUMA_AND_CHROMA = (
    (2 * 0.299, 2 * 0.587, 2 * 0.114),
    (0.5 * -0.168736, 0.5 * -0.331264, 0.5 * 0.5),
    (0.5 * 0.5, 0.5 * -0.418688, 0.5 * -0.081312),
)
"""Y, Cb and Cr of JPEG (BT.601, full range) of R, G and B: luma counts twice, chroma half."""

FOURIER_WEIGHT = 0.05
"""What the Fourier part counts where nothing else is said."""


def luma_and_chroma(x: Tensor) -> Tensor:
    """Turn RGB into weighted luma and chroma for a loss.

    L1 follows the sign of each error. Where JPEG has thrown half of the chroma away, errors of colour are the larger
    ones in R, G and B alike, and what is wrong with the luma is hardly heard; apart, each is heard.

    Shape: (N, 3, H, W) -> the same.
    """
    matrix = torch.tensor(LUMA_AND_CHROMA, device=x.device, dtype=x.dtype)
    return torch.einsum("dc,nchw->ndhw", matrix, x)


def charbonnier_loss(output: Tensor, high: Tensor) -> Tensor:
    """Return the mean of sqrt(d^2 + epsilon^2): L1 with a rounded tip. Its least value is epsilon.

    Source: Lai, Huang, Ahuja, Yang, "Deep Laplacian Pyramid Networks", CVPR 2017, equation 2.
    """
    return torch.sqrt((output - high).square() + CHARBONNIER_EPSILON**2).mean()


def fourier_loss(output: Tensor, high: Tensor, *, weight: float = FOURIER_WEIGHT) -> Tensor:
    """Return L1 of the pixels plus `weight` times L1 of their Fourier coefficients, which asks for fine texture.

    Convention: the two-dimensional transform of real pictures, not normalised (numpy's "backward"), its real and
        imaginary parts compared one by one. Its size grows with the side of the crop, so a weight belongs to one.

    Source: Cho et al., "Rethinking Coarse-to-Fine Approach in Single Image Deblurring", ICCV 2021, equation 6.
    """
    spectrum = torch.view_as_real(torch.fft.rfft2((output - high).float()))
    return functional.l1_loss(output, high) + weight * spectrum.abs().mean()


class _ClippedHuber(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, output: Tensor, high: Tensor, weight: Tensor) -> Tensor:
        difference = weight * (output.clamp(0.0, 1.0) - high)
        ctx.save_for_backward(difference)
        return functional.huber_loss(difference, torch.zeros_like(difference), delta=HUBER_GAMMA)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        (difference,) = ctx.saved_tensors
        return upstream[0] * difference.clamp(-HUBER_GAMMA, HUBER_GAMMA) / difference.numel(), None, None


def clipped_weighted_huber_loss(output: Tensor, high: Tensor) -> Tensor:
    """Return waifu2x's loss: Huber's, of the output clipped to [0, 1], with errors weighted by what luma sees of them.

    With d = w (clip(output) - high), the mean over all elements of d^2 / 2 where |d| < 0.1, of 0.1 (|d| - 0.05)
    elsewhere. w is 1 for pictures that do not have three channels.

    Convention: the gradient is waifu2x's own, which takes two liberties: the outer factor w is left out, and the clip
        is looked through, so that a value beyond white is still pulled back by what its clipped value is wrong by. An
        output beyond white where the target is white gets none.

    Source: nagadomi/waifu2x, ClippedWeightedHuberCriterion.
    """
    weight = torch.tensor(HUBER_WEIGHT if output.shape[1] == 3 else (1.0,), device=output.device, dtype=output.dtype)
    loss: Tensor = _ClippedHuber.apply(output, high, weight[:, None, None])  # type: ignore[no-untyped-call]
    return loss


LOSSES: dict[str, Loss] = {
    "l1": functional.l1_loss,
    "mse": functional.mse_loss,
    "charbonnier": charbonnier_loss,
    "huber": clipped_weighted_huber_loss,
    "fourier": fourier_loss,
}
"""Loss by its name in a recipe. Shape: two (N, C, H, W) tensors in [0, 1] -> a scalar."""


def make_loss(name: str, *, fourier_weight: float = FOURIER_WEIGHT, channels: Channels = "rgb") -> Loss:
    """Return a loss by its name, with what a recipe says about it.

    Raises:
        RecipeError: No loss has that name.
    """
    if name not in LOSSES:
        raise RecipeError(f"no loss is called {name!r}", f"the losses are {', '.join(LOSSES)}")
    loss = partial(fourier_loss, weight=fourier_weight) if name == "fourier" else LOSSES[name]
    if channels == "rgb":
        return loss
    return lambda output, high: loss(luma_and_chroma(output), luma_and_chroma(high))


def recipe_loss(recipe: Recipe, step: int) -> Loss:
    """Return the loss of a step of a recipe."""
    name = loss_name(recipe, step)
    return make_loss(name, fourier_weight=recipe.fourier_weight, channels=recipe.loss_channels)
