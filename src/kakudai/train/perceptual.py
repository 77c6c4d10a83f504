"""The distance between two pictures in the eyes of VGG, a network that was trained to tell objects apart.

Source: Johnson, Alahi, Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV 2016;
Simonyan, Zisserman, "Very Deep Convolutional Networks", ICLR 2015. SRGAN compares conv5_4 after its ReLU by the mean
square, ESRGAN before it and by L1, which keeps more of the texture; this is ESRGAN's.

kakudai ships no weights of VGG: they are 548 MB, and not ours. torchvision's file `vgg19-dcbb9e9d.pth`, or any other
state dictionary of `features.N.weight` and `features.N.bias`, is taken from where the user put it.
"""

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from kakudai.errors import RecipeError

LAYER = "conv5_4"
"""The deepest convolution of VGG19: the 4th one behind the 4th halving."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Of ImageNet's pictures, R, G, B in [0, 1]: what the file's network expects to be taken off and divided by."""

HINT = 'set vgg_weights to torchvision\'s vgg19-dcbb9e9d.pth, or vgg = 0 to train without ("feature_matching" remains)'


class VGGFeatures(nn.Module):
    """The convolutions of a VGG network up to one layer. Its weights never change.

    The layers and their widths are read off the weights: a convolution whose number is 2 higher than the last one's
    stands behind a ReLU, 3 higher behind a ReLU and a halving. VGG11, 13 and 16 work as well as 19.

    Shape: (N, 1 or 3, H, W) in [0, 1] -> (N, features, H / 16, W / 16) for conv5_4. Luma is repeated to three channels.
        H and W are 16 at least.

    Args:
        state: `features.N.weight` and `features.N.bias` of every convolution; other entries are not looked at.
        layer: "conv3_2" is the second convolution between the second and the third halving.
        activated: Return what the layer's ReLU lets through, instead of what it is given.

    Raises:
        RecipeError: The weights are not those of a VGG without batch normalisation, or have no such layer.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, state: dict[str, Tensor], *, layer: str = LAYER, activated: bool = False) -> None:
        super().__init__()
        self.layers = _layers(state, layer)
        if activated:
            self.layers.append(nn.ReLU())
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(STD)[:, None, None])
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of a picture."""
        features: Tensor = self.layers((x.expand(-1, 3, -1, -1) - self.mean) / self.std)
        return features

    def loss(self, output: Tensor, high: Tensor) -> Tensor:
        """Return the mean absolute difference of the features; gradients flow into `output` only."""
        with torch.no_grad():
            wanted = self(high)
        return functional.l1_loss(self(output).float(), wanted.float())


def read_vgg(path: Path | None, *, layer: str = LAYER, activated: bool = False) -> VGGFeatures:
    """Read the weights of VGG from torchvision's file.

    Args:
        path: The file, or None where a recipe names none.
        layer: As for `VGGFeatures`.
        activated: As for `VGGFeatures`.

    Raises:
        RecipeError: There is no such file, or it does not hold the weights of a VGG.
    """
    if path is None:
        raise RecipeError("the VGG loss needs VGG's weights, and the recipe names no file", HINT)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise RecipeError(f"no VGG weights at {path}: {error.strerror or error}", HINT) from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise RecipeError(f"{path} is not a file of weights that torch can read safely", HINT) from error
    if not isinstance(state, dict):
        raise RecipeError(f"{path} holds no dictionary of weights", HINT)
    try:
        return VGGFeatures(state, layer=layer, activated=activated)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error.message}", error.hint) from error


def _layers(state: dict[str, Tensor], layer: str) -> nn.Sequential:
    """Build the convolutions with the ReLUs and halvings between them, and stop behind the one of that name."""
    layers: list[nn.Module] = []
    block, number, last = 1, 0, -2
    for index, weight, bias in _convolutions(state):
        if index - last not in (2, 3):
            raise RecipeError(f"layer {index} of the features cannot follow layer {last} in a VGG", HINT)
        if layers:
            layers.append(nn.ReLU())
        if index - last == 3:
            layers.append(nn.MaxPool2d(2))
            block, number = block + 1, 0
        number, last = number + 1, index
        layers.append(_convolution(weight, bias))
        if f"conv{block}_{number}" == layer:
            return nn.Sequential(*layers)
    raise RecipeError(f"these VGG weights have no layer {layer!r}; the last is conv{block}_{number}", HINT)


def _convolutions(state: dict[str, Tensor]) -> list[tuple[int, Tensor, Tensor]]:
    """Return index, weight and bias of all convolutions, in order.

    Raises:
        RecipeError: There are none, or they do not fit each other.
    """
    found = {}
    for name, value in state.items():
        parts = str(name).split(".")
        if len(parts) == 3 and parts[0] == "features" and parts[1].isdigit() and parts[2] in ("weight", "bias"):
            found[int(parts[1]), parts[2]] = value
    result, channels = [], 3
    for index in sorted({index for index, _ in found}):
        weight, bias = found.get((index, "weight")), found.get((index, "bias"))
        expected = f"features.{index} is not a 3x3 convolution of {channels} channels with a bias"
        if weight is None or bias is None or weight.ndim != 4:
            raise RecipeError(expected, HINT)
        if tuple(weight.shape[1:]) != (channels, 3, 3) or tuple(bias.shape) != (weight.shape[0],):
            raise RecipeError(expected, HINT)
        result.append((index, weight, bias))
        channels = weight.shape[0]
    if not result:
        raise RecipeError("there is no features.N.weight in these weights", HINT)
    return result


def _convolution(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, device="meta")
    convolution.load_state_dict({"weight": weight.float(), "bias": bias.float()}, assign=True)
    return convolution
