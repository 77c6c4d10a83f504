"""A network of luma alone, made into one that takes and gives RGB."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from kakudai.image.resize import phase_kernels

REACH = 3
"""Low-resolution pixels that Lanczos-3 looks at on each side."""


class LumaInRGB(nn.Module):
    """Run a network on luma and enlarge chroma by Lanczos-3, inside one graph.

    Every program that can run the file then gets the right colours without any code for it. With Y the luma of the
    input, the output is network(Y) + lanczos(RGB - Y): chroma is enlarged linearly, so this is the same as
    converting to YCbCr and back, needs no second matrix, and keeps grey exactly grey.

    Shape: (N, 3, H, W) RGB in [0, 1] -> (N, 3, scale H, scale W), not clipped.

    Args:
        network: Takes (N, 1, H, W) BT.601 full-range luma and has `scale`, `multiple` and `halo`.
    """

    weights: Tensor
    lanczos: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.scale = int(network.scale)  # type: ignore[arg-type]
        self.multiple = int(network.multiple)  # type: ignore[arg-type]
        halo = network.halo
        self.halo = None if halo is None else max(int(halo), REACH)  # type: ignore[arg-type]
        self.register_buffer("weights", torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1), persistent=False)
        kernels = torch.tensor(phase_kernels("lanczos3", self.scale), dtype=torch.float32)  # (scale^2, 7, 7)
        self.register_buffer("lanczos", kernels[:, None].repeat(3, 1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`."""
        luma = functional.conv2d(x, self.weights)  # (N, 1, H, W)
        phases = functional.conv2d(x - luma, self.lanczos, padding=REACH, groups=3)  # (N, 3 scale^2, H, W)
        chroma = functional.pixel_shuffle(phases, self.scale)
        return self.network(luma) + chroma  # type: ignore[no-any-return]
