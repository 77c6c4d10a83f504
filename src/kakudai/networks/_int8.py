"""A convolution of 8-bit numbers: it rounds its kernel and what it sees while it trains, and so learns to live with it.

Its input becomes one of 256 levels between two bounds, its kernel one of 255 for each channel that it gives. Rounding
has no slope, so gradients pass as if it were not there.

The bounds hold all but the rarest values ever seen: bounds that are learnt come close to what photographs need, and cut
off the edges of line art, at a cost of 0.4 dB there. So that wide bounds leave fine levels, the channels of the input
are first divided by the square root of their own range, and the kernel multiplied with it: what is computed is the
same, and small channels have more levels.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
    CVPR 2018 (arXiv:1712.05877); ranges of channels: Nagel et al., "Data-Free Quantization Through Weight Equalization
    and Bias Correction", ICCV 2019 (arXiv:1906.04721), here with the square roots of ranges that were seen.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 255
"""Steps of the input between its bounds: unsigned numbers."""

LARGEST = 127
"""Of the kernel: signed numbers, as many below zero as above."""

LOOKS = 32
"""Batches at the beginning that pass in real numbers, while the ranges of the channels are found."""

EVERY = 8
"""Batches from one look at the bounds to the next."""

COMMON = 0.99997
"""Share of a batch's values that lie below the upper bound, and above the lower one."""

SAMPLE = 500_000
"""Values of a batch that are looked at for that, at most about."""

NARROWEST = 1e-3
"""Of a channel's range, as a share of the widest: a channel that is silent at first may speak later."""

SMALLEST = 1e-6
"""Of bounds and kernels: all of them zero would have no steps."""


class Int8Convolution(nn.Module):
    """A 3x3 convolution with the same padding, of 8-bit numbers.

    Shape: (N, in, H, W) -> (N, out, H, W) float32, the values that the 8-bit numbers stand for.

    Args:
        weight: The (out, in, 3, 3) kernel to begin with.
    """

    ranges = ("spread", "bounds")
    """Buffers that an average of weights copies, and does not average."""

    spread: Tensor | None
    bounds: Tensor
    seen: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.out_channels, self.in_channels = weight.shape[:2]
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(self.out_channels))
        self.register_buffer("spread", torch.zeros(self.in_channels))  # what each channel is divided by
        self.register_buffer("bounds", torch.zeros(2))  # how far below zero and how far above, after that
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))  # batches of training

    def kernel(self) -> Tensor:
        """Return the (out, in, 3, 3) kernel, rounded."""
        weight = self.weight if self.spread is None else self.weight * self.spread[:, None, None]
        step = weight.detach().abs().amax((1, 2, 3)).clamp_min(SMALLEST) / LARGEST
        return to_levels(weight, step, torch.zeros_like(step), signed=True)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve. What it gives outside training before the ranges are known has no meaning."""
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            if self.training and self._learns_ranges(x.detach()):
                return functional.conv2d(x, self.weight, self.bias, padding=1)
            rounded, kernel = self._rounded(x), self.kernel()
        return functional.conv2d(rounded, kernel, self.bias, padding=1)

    @torch.no_grad()
    def absorb(self, before: nn.Module) -> None:
        """Let the convolution before this one divide its channels, so that nothing is left to be done at run time.

        Exact where the activation between them has one slope on each side of zero.
        """
        if self.spread is None or int(self.seen) <= LOOKS:
            return
        before.weight.div_(self.spread[:, None, None, None])  # type: ignore[operator]
        before.bias.div_(self.spread)  # type: ignore[operator]
        self.weight.mul_(self.spread[:, None, None])
        self.spread = None

    def _rounded(self, x: Tensor) -> Tensor:
        """Round what the convolution sees to one of its levels, of which zero is one."""
        if self.spread is not None:
            x = x / self.spread[:, None, None].clamp_min(SMALLEST)
        below, above = self.bounds.clamp_min(SMALLEST)
        step = (below + above) / LEVELS
        bounded = torch.clamp(x, -below, above) if self.training else x
        return to_levels(bounded, step, (below / step).round())

    @torch.no_grad()
    def _learns_ranges(self, x: Tensor) -> bool:
        """Look at a batch; say whether it is one of the first, which pass in real numbers."""
        assert self.spread is not None, "what others have absorbed is not trained"
        first = int(self.seen) < LOOKS
        self.seen += 1
        if first:
            self.spread.copy_(torch.maximum(self.spread, x.abs().amax((0, 2, 3))))
            if int(self.seen) == LOOKS:
                widest = self.spread.max().clamp_min(SMALLEST)
                self.spread.copy_((self.spread / widest).clamp_min(NARROWEST).sqrt())
        elif (int(self.seen) - LOOKS) % EVERY == 1:
            values = (x / self.spread[:, None, None]).flatten()
            values = values[:: -(-values.numel() // SAMPLE)]
            low, high = torch.quantile(values, torch.tensor([1 - COMMON, COMMON], device=x.device))
            self.bounds.copy_(torch.maximum(self.bounds, torch.stack([-low, high])))
        return first


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
