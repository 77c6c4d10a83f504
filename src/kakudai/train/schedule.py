"""How learning rate, loss, scale and averaging change over a run: functions of the step, so that a resumed run needs
no memory. The one exception, how often a plateau has lowered the rate, is a number that the checkpoint holds.
"""

import math

import numpy as np

from kakudai.train.recipe import Precision, Recipe

INVERSE_DECAY = 3e-7
"""By what share of itself waifu2x's learning rate falls with each crop, at first."""

SCALE_STREAM = 1
"""Keeps the choice of a step's scale independent of that of its crops."""


def learning_rate(recipe: Recipe, step: int, drops: int = 0) -> float:
    """Rise linearly for `warmup_steps`, and fall as the recipe's `schedule` says.

    Args:
        recipe: Names the schedule and its numbers.
        step: Counts from 0.
        drops: How often validations that stayed flat have lowered the rate of a "plateau".

    Source: "inverse" is that of nagadomi/waifu2x, which counts crops, not steps.
    """
    warmup = min(1.0, (step + 1) / max(recipe.warmup_steps, 1))
    highest, lowest = recipe.learning_rate, recipe.final_learning_rate
    match recipe.schedule:
        case "cosine":
            fall = 0.5 * (1.0 + math.cos(math.pi * step / max(recipe.steps - 1, 1)))
            return warmup * (lowest + (highest - lowest) * fall)
        case "constant":
            fall = 1.0
        case "step":
            fall = recipe.step_factor ** (step // (recipe.step_every or recipe.steps))
        case "plateau":
            fall = recipe.step_factor**drops
        case "inverse":
            fall = 1.0 / (1.0 + INVERSE_DECAY * step * recipe.batch)
    return warmup * max(lowest, highest * fall)


def loss_name(recipe: Recipe, step: int) -> str:
    """Name the loss of a step: the recipe's own, and the mean squared error at the end."""
    return "mse" if step >= recipe.steps - recipe.mse_steps else recipe.loss


def scale_of_step(recipe: Recipe, step: int) -> int:
    """Draw the enlargement factor of a step from the recipe's `scales`, the same for the same seed and step."""
    if recipe.scales is None:
        return recipe.scale
    generator = np.random.default_rng([recipe.seed, step, SCALE_STREAM])
    return recipe.scales[int(generator.integers(len(recipe.scales)))]


def precision(recipe: Recipe, step: int) -> Precision:
    """Name the arithmetic of a step's convolutions: half precision is twice as fast where the machine has it.

    The last steps are taken in float32, so that the network that ships has seen inputs as exact as it will get.
    """
    return recipe.precision if step < recipe.steps - recipe.float32_steps else "float32"


def uses_bfloat16(recipe: Recipe, step: int) -> bool:
    """Say whether a step convolves in bfloat16, rounded to 8 bits but with the range of float32."""
    return precision(recipe, step) == "bfloat16"


def average_decay(recipe: Recipe, step: int) -> float:
    """Weight of the old average in the new one; small at first, so that the first weights are soon forgotten."""
    return min(recipe.average, (1.0 + step) / (10.0 + step))
