"""How learning rate, loss and averaging change over a run: functions of the step, so that a resumed run needs no
memory.
"""

import math

from kakudai.train.recipe import Recipe


def learning_rate(recipe: Recipe, step: int) -> float:
    """Rise linearly for `warmup_steps`, then fall to `final_learning_rate` along half a cosine. `step` counts from
    0.
    """
    warmup = min(1.0, (step + 1) / max(recipe.warmup_steps, 1))
    fall = 0.5 * (1.0 + math.cos(math.pi * step / max(recipe.steps - 1, 1)))
    span = recipe.learning_rate - recipe.final_learning_rate
    return warmup * (recipe.final_learning_rate + span * fall)


def loss_name(recipe: Recipe, step: int) -> str:
    """Name the loss of a step: the recipe's own, and the mean squared error at the end."""
    return "mse" if step >= recipe.steps - recipe.mse_steps else recipe.loss


def uses_bfloat16(recipe: Recipe, step: int) -> bool:
    """Say whether a step convolves in bfloat16: twice as fast where the processor has it, and rounded to 8 bits.

    The last steps are taken in float32, so that the network that ships has seen inputs as exact as it will get.
    """
    return recipe.precision == "bfloat16" and step < recipe.steps - recipe.float32_steps


def average_decay(recipe: Recipe, step: int) -> float:
    """Weight of the old average in the new one; small at first, so that the first weights are soon forgotten."""
    return min(recipe.average, (1.0 + step) / (10.0 + step))
