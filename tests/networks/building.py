"""Networks for tests: small ones, with weights that show everything, and as ONNX files."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from kakudai.engine.runtimes.torch import TorchSession
from kakudai.engine.tiles import cut, extract
from kakudai.networks import find_network
from kakudai.train.color import LumaInRGB

ROOT = Path(__file__).parents[2]


def build(name: str, **arguments: Any) -> nn.Module:
    """Make a network with its own first weights."""
    module = find_network(name)
    torch.manual_seed(0)
    return getattr(module, module.__all__[0])(**arguments).eval()


def tiny(name: str, **arguments: Any) -> nn.Module:
    return build(name, **{**find_network(name).TINY, **arguments})


def with_random_weights(network: nn.Module, seed: int = 1) -> nn.Module:
    """Draw weights that keep a picture's contrast through any depth, so that every layer is seen in the output."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            size = (2 / parameter[0].numel()) ** 0.5 if parameter.dim() > 1 else 0.1
            parameter.copy_(size * torch.randn(parameter.shape, generator=generator))
    return network


def with_positive_weights(network: nn.Module) -> nn.Module:
    """Draw weights that close no ReLU and let nothing cancel: whatever is connected shows in a gradient.

    They make a picture brighter from layer to layer, so that the corners of many kernels in a row do not vanish; but
    not where a sigmoid would saturate, as in networks that see everything.
    """
    gain, bias = (1.5, 0.5) if network.halo is not None else (0.7, 0.1)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            size = gain / parameter[0].numel() if parameter.dim() > 1 else bias
            parameter.copy_(size * (0.5 + torch.rand(parameter.shape, generator=generator)))
    return network


def inputs_reached(network: nn.Module, channels: int, height: int, width: int) -> np.ndarray:
    """Return which input pixels the output of the middle one depends on, as (height, width) booleans."""
    dtype = next(network.parameters()).dtype
    x = (1 + torch.rand(1, channels, height, width, dtype=dtype)).requires_grad_()
    scale = network.scale
    rows, columns = (slice(scale * (side // 2), scale * (side // 2 + 1)) for side in (height, width))
    (gradient,) = torch.autograd.grad(network(x)[..., rows, columns].sum(), x)
    return (gradient != 0).any(dim=1)[0].numpy()


def run_in_tiles(network: nn.Module, image: np.ndarray, tile: int) -> np.ndarray:
    """Enlarge as the engine does: cores of `tile` pixels with their halos, (H, W, 3) -> (3, scale H, scale W)."""
    session, halo, scale = TorchSession(network), int(network.halo), int(network.scale)
    height, width = image.shape[:2]
    output = np.full((3, scale * height, scale * width), np.nan, np.float32)
    for part in cut(height, width, tile):
        x = extract(image, part, halo, int(network.multiple)).transpose(2, 0, 1)[None]
        y = session.run(np.ascontiguousarray(x))[0]
        rows, columns = (slice(halo * scale, (halo + size) * scale) for size in (part.height, part.width))
        top, left = scale * part.top, scale * part.left
        output[:, top : top + scale * part.height, left : left + scale * part.width] = y[:, rows, columns]
    return output


def in_rgb(network: nn.Module, channels: int) -> nn.Module:
    return (LumaInRGB(network) if channels == 1 else network).eval()


def export(network: nn.Module, channels: int, folder: Path) -> onnxruntime.InferenceSession:
    """Write a network as training does, and open the file."""
    from kakudai.train.export import Provenance, export_onnx
    from kakudai.train.recipe import read_recipe

    recipe = read_recipe(ROOT / "recipes/photo-x2.toml")
    changes = {"name": "test", "scale": network.scale, "color": "luma" if channels == 1 else "rgb"}
    target = folder / "test.onnx"
    export_onnx(recipe.model_copy(update=changes), network, Provenance("", "", "", "", {}), target)
    return onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
