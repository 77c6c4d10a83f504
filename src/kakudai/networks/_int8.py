"""A convolution of 8-bit numbers: it rounds its kernel and what it sees while it trains, and so learns to live with it.

Its input becomes one of 256 levels between two bounds that are learnt, its kernel one of 255 for each channel that it
gives. Rounding has no slope, so gradients pass as if it were not there; what lies outside the bounds moves them.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
    CVPR 2018 (arXiv:1712.05877); learnt bounds: Choi et al., "PACT: Parameterized Clipping Activation for Quantized
    Neural Networks", 2018 (arXiv:1805.06085).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 255
"""Steps of the input between its bounds: unsigned numbers."""

LARGEST = 127
"""Of the kernel: signed numbers, as many below zero as above."""

COMMON = 0.9999
"""Share of the first batch's values that lie below the upper bound, and above the lower one."""

SMALLEST = 1e-6
"""Of bounds and kernels: all of them zero would have no steps."""


class Int8Convolution(nn.Module):
    """A 3x3 convolution with the same padding, of 8-bit numbers.

    Shape: (N, in, H, W) -> (N, out, H, W) float32, the values that the 8-bit numbers stand for.

    Args:
        weight: The (out, in, 3, 3) kernel to begin with.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.out_channels, self.in_channels = weight.shape[:2]
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(self.out_channels))
        self.bounds = nn.Parameter(torch.zeros(2))  # how far below zero and how far above; zeros until a batch was seen

    def kernel(self) -> Tensor:
        """Return the (out, in, 3, 3) kernel, rounded."""
        step = self.weight.detach().abs().amax((1, 2, 3)).clamp_min(SMALLEST) / LARGEST
        return to_levels(self.weight, step, torch.zeros_like(step), signed=True)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        with torch.autocast(x.device.type, enabled=False):
            rounded, kernel = self._rounded(x.float()), self.kernel()
        return functional.conv2d(rounded, kernel, self.bias, padding=1)

    def _rounded(self, x: Tensor) -> Tensor:
        """Round what the convolution sees to one of its levels, of which zero is one."""
        if self.training and not self.bounds.detach().any():
            self._look(x.detach())
        below, above = self.bounds.clamp_min(SMALLEST)
        step = (below + above).detach() / LEVELS
        bounded = torch.clamp(x, -below, above) if self.training else x
        return to_levels(bounded, step, (below.detach() / step).round())

    def _look(self, x: Tensor) -> None:
        """Begin with bounds that hold nearly all of what is seen first."""
        values = x.flatten()[:: max(1, x.numel() // 1_000_000)]
        low, high = torch.quantile(values, torch.tensor([1 - COMMON, COMMON], device=x.device))
        with torch.no_grad():
            self.bounds.copy_(torch.stack([-low, high]))


def to_levels(x: Tensor, step: Tensor, zero: Tensor, *, signed: bool = False) -> Tensor:
    """Round to whole multiples of a step, as ONNX's QuantizeLinear and DequantizeLinear do; gradients pass.

    Shape: x of any shape; step and zero are scalars, or have one number for each row of x.

    Args:
        zero: Which of the levels stands for 0.
        signed: Levels are -128 to 127, else 0 to 255.
    """
    levels: Tensor = _Levels.apply(x, step, zero, signed)  # type: ignore[no-untyped-call]
    return levels


class _Levels(torch.autograd.Function):
    """See `to_levels`."""

    @staticmethod
    def forward(_: Any, x: Tensor, step: Tensor, zero: Tensor, signed: bool) -> Tensor:
        least, most = (-128, 127) if signed else (0, 255)
        step, zero = (each.view(-1, *[1] * (x.dim() - 1)) if each.dim() else each for each in (step, zero))
        return ((x / step).round() + zero).clamp(least, most).sub(zero).mul(step)

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        return gradients[0], None, None, None

    @staticmethod
    def symbolic(graph: Any, x: Any, step: Any, zero: Any, signed: bool) -> Any:
        kind = torch.onnx.TensorProtoDataType.INT8 if signed else torch.onnx.TensorProtoDataType.UINT8
        zero = graph.op("Cast", zero, to_i=kind)
        return graph.op("DequantizeLinear", graph.op("QuantizeLinear", x, step, zero, axis_i=0), step, zero, axis_i=0)
