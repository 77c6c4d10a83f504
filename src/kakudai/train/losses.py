"""What a training step makes small."""

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor
from torch.nn import functional

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]

LOSSES: dict[str, Loss] = {"l1": functional.l1_loss, "mse": functional.mse_loss}
"""Loss by its name in a recipe. Shape: two (N, C, H, W) tensors in [0, 1] -> a scalar."""
