"""A network of torch becomes an ONNX graph."""

import io
import warnings
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from kakudai.convert.probe import Run

OPSET = 18


def merged_for_use(network: nn.Module) -> nn.Module:
    """Return a network without what it needs for training alone, such as the branches of ECBSR."""
    merge = getattr(network, "merged", None)
    return (merge() if merge else network).eval()


def to_onnx(network: nn.Module, fixed: int | None = None, *, channels: int = 3) -> bytes:
    """Write a network as an ONNX file of free batch and size.

    Shape: the network takes (N, channels, H, W) and gives (N, 3, scale H, scale W); the file's tensors are `x` and `y`.

    Args:
        network: In evaluation mode; it says `multiple`.
        fixed: Side of the only pictures that the file is for; what Python code decides by the size is then right.
        channels: 3, RGB, or 4 where one more says the strength of denoising.
    """
    multiple = int(network.multiple)  # type: ignore[arg-type]
    sides = (fixed, fixed) if fixed else tuple(-(-side // multiple) * multiple for side in (32, 48))
    x = torch.zeros(1, channels, *sides)
    free = {"x": {0: "n", 2: "h", 3: "w"}, "y": {0: "n", 2: "sh", 3: "sw"}}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]  # what a size decided is compared afterwards
        warnings.filterwarnings("ignore", "Constant folding", UserWarning)  # padding by edge pixels; harmless
        torch.onnx.export(
            network, (x,), buffer,  # type: ignore[arg-type]  # its annotation forgets streams
            input_names=["x"], output_names=["y"],
            dynamic_axes=free, opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    return buffer.getvalue()


def runner(network: nn.Module) -> Run:
    """Return a function that runs a network on arrays."""

    def run(x: NDArray[Any]) -> NDArray[Any]:
        with torch.inference_mode():
            y: NDArray[Any] = network(torch.from_numpy(x)).numpy()
        return y

    return run
