"""torch: for networks that are in memory, such as one in the middle of its training."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


class TorchSession:
    """A module that takes and gives RGB, as `train.color.LumaInRGB` makes one of a luma network."""

    name = "torch"
    workers = 1

    def __init__(self, network: nn.Module) -> None:
        self._network = network.eval()
        self._device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Session.run`."""
        try:
            with torch.inference_mode():
                y = self._network(torch.from_numpy(x).to(self._device))
            output: NDArray[np.float32] = y.float().cpu().numpy()
        except RuntimeError as error:
            # Its own OutOfMemoryError is for accelerators only; processors say it in words.
            if isinstance(error, torch.OutOfMemoryError) or "alloc" in str(error).lower():
                raise MemoryError((str(error).splitlines() or ["no memory"])[0][:300]) from error
            raise
        return output
