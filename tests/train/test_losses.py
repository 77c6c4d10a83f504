"""train/losses.py and train/perceptual.py: values and gradients against numbers worked out by hand or by numpy."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kakudai.errors import RecipeError
from kakudai.train.losses import (
    LOSSES,
    charbonnier_loss,
    clipped_weighted_huber_loss,
    fourier_loss,
    luma_and_chroma,
    make_loss,
)
from kakudai.train.perceptual import MEAN, STD, VGGFeatures, read_vgg

RNG = torch.Generator()


@pytest.fixture(autouse=True)
def _same_numbers() -> None:
    """Give every test the same random numbers, whichever ran before it."""
    RNG.manual_seed(0)


def pictures(channels: int = 3, size: int = 12) -> tuple[Tensor, Tensor]:
    return tuple(torch.rand(2, channels, size, size, generator=RNG) for _ in range(2))  # type: ignore[return-value]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_loss_is_a_scalar_that_pulls_the_output_towards_the_picture(name: str, channels: int) -> None:
    output, high = pictures(channels)
    output.requires_grad_(True)
    loss = LOSSES[name](output, high)
    assert loss.shape == ()
    loss.backward()
    assert output.grad is not None
    closer = output.detach() - 1e-2 * output.grad / output.grad.abs().max()
    assert LOSSES[name](closer, high) < loss
    assert LOSSES[name](high, high) < 2e-3
    assert not high.requires_grad


@pytest.mark.parametrize("name", sorted(LOSSES.keys() - {"huber"}))
def test_gradients_are_those_of_the_values(name: str) -> None:
    output, high = (picture.double() for picture in pictures(size=4))
    loss = make_loss(name, fourier_weight=0.3)
    if name == "fourier":  # computed in float32: compare by a step that float32 sees
        output, high = output.float(), high.float()
    output.requires_grad_(True)
    (gradient,) = torch.autograd.grad(loss(output, high), output)
    direction = torch.randn(output.shape, generator=RNG, dtype=output.dtype)
    step = 1e-3 if name == "fourier" else 1e-6
    with torch.no_grad():
        difference = loss(output + step * direction, high) - loss(output - step * direction, high)
    assert difference.item() / (2 * step) == pytest.approx(float((gradient * direction).sum()), rel=2e-2, abs=1e-4)


def test_charbonnier_by_hand() -> None:
    output, high = torch.tensor([0.5, 0.3]), torch.tensor([0.5, 0.7])
    assert float(charbonnier_loss(output, high)) == pytest.approx((1e-3 + np.hypot(0.4, 1e-3)) / 2, rel=1e-6)


def test_fourier_agrees_with_numpy() -> None:
    output, high = pictures()
    spectrum = np.fft.rfft2((output - high).double().numpy())
    parts = np.stack([spectrum.real, spectrum.imag])
    expected = (output - high).abs().mean() + 0.2 * np.abs(parts).mean()
    assert float(fourier_loss(output, high, weight=0.2)) == pytest.approx(float(expected), rel=1e-5)
    assert float(make_loss("fourier", fourier_weight=0.2)(output, high)) == pytest.approx(float(expected), rel=1e-5)


def test_luma_and_chroma_are_those_of_jpeg_weighted() -> None:
    red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
    expected = [2 * 0.299, 0.5 * -0.168736, 0.5 * 0.5]
    assert luma_and_chroma(red).flatten().tolist() == pytest.approx(expected, abs=1e-6)
    grey = torch.full((1, 3, 1, 1), 0.4)
    assert luma_and_chroma(grey).flatten().tolist() == pytest.approx([0.8, 0.0, 0.0], abs=1e-6)


def test_an_error_of_luma_is_heard_beside_a_larger_one_of_colour() -> None:
    """In R, G and B the larger error of colour decides every sign, and L1 has nothing to say about the luma."""
    luma = torch.full((1, 3, 1, 1), 0.01)
    colour = torch.tensor([0.114, -0.114, (0.587 - 0.299)]).reshape(1, 3, 1, 1)  # changes no luma
    for channels, heard in (("rgb", False), ("luma_chroma", True)):
        loss = make_loss("l1", channels=channels)
        worse, better = (loss(colour + k * luma, torch.zeros(1, 3, 1, 1)).item() for k in (1, 0.5))
        assert (worse - better > 0.002) == heard


def test_huber_by_hand() -> None:
    """One pixel each: a small error, a large one, one beyond white, and one beyond white where white is right."""
    output = torch.tensor([0.52, 0.9, 1.5, 1.5]).reshape(1, 1, 2, 2).requires_grad_(True)
    high = torch.tensor([0.5, 0.4, 0.95, 1.0]).reshape(1, 1, 2, 2)
    loss = clipped_weighted_huber_loss(output, high)
    expected = [0.5 * 0.02**2, 0.1 * (0.5 - 0.05), 0.5 * 0.05**2, 0.0]
    assert loss.item() == pytest.approx(sum(expected) / 4, rel=1e-5)
    (7.0 * loss).backward()
    assert output.grad is not None
    np.testing.assert_allclose(output.grad.flatten(), 7.0 / 4 * np.array([0.02, 0.1, 0.05, 0.0]), rtol=1e-5, atol=1e-9)


def test_huber_weights_channels_once_in_the_gradient() -> None:
    """R, G, B count 0.89673, 1.75983, 0.34344; an error of 0.06 is inside the parabola for R and B, outside for G."""
    high = torch.full((1, 3, 1, 1), 0.5)
    output = (high + torch.tensor([0.06, -0.06, 0.06])[None, :, None, None]).requires_grad_(True)
    loss = clipped_weighted_huber_loss(output, high)
    red, green, blue = 0.06 * 0.89673, 0.06 * 1.75983, 0.06 * 0.34344
    assert loss.item() == pytest.approx((0.5 * red**2 + 0.1 * (green - 0.05) + 0.5 * blue**2) / 3, rel=1e-5)
    loss.backward()
    assert output.grad is not None
    np.testing.assert_allclose(output.grad.flatten(), np.array([red, -0.1, blue]) / 3, rtol=1e-5)


def test_unknown_losses_are_named() -> None:
    with pytest.raises(RecipeError, match=r"'l3'.*\n.*charbonnier"):
        make_loss("l3")


def small_vgg(*, blocks: tuple[int, ...] = (2, 2), width: int = 4) -> nn.Sequential:
    """Build a network with VGG's layout, layer numbers included."""
    layers: list[nn.Module] = []
    channels = 3
    for number, count in enumerate(blocks, 1):
        for _ in range(count):
            layers += [nn.Conv2d(channels, number * width, 3, padding=1), nn.ReLU()]
            channels = number * width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def state_of(network: nn.Sequential) -> dict[str, Tensor]:
    state = {f"features.{name}": value for name, value in network.state_dict().items()}
    return {**state, "classifier.0.weight": torch.zeros(2, 2)}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(("layer", "activated", "last"), [("conv2_2", False, 8), ("conv2_1", True, 7)])
def test_vgg_features_are_those_of_the_network_the_file_was_made_of(
    tmp_path: Path, layer: str, activated: bool, last: int, zipped: bool
) -> None:
    torch.manual_seed(1)
    network = small_vgg()
    torch.save(state_of(network), tmp_path / "vgg.pth", _use_new_zipfile_serialization=zipped)
    features = read_vgg(tmp_path / "vgg.pth", layer=layer, activated=activated)
    x = torch.rand(2, 3, 18, 22)
    normal = (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    torch.testing.assert_close(features(x), network[:last](normal))
    grey = torch.rand(1, 1, 8, 8)
    torch.testing.assert_close(features(grey), features(grey.repeat(1, 3, 1, 1)))
    assert not any(parameter.requires_grad for parameter in features.parameters())


def test_the_default_layer_is_the_last_convolution_of_vgg19() -> None:
    network = small_vgg(blocks=(2, 2, 4, 4, 4), width=1)
    features = VGGFeatures(state_of(network))
    assert len(features.layers) == 35
    assert isinstance(features.layers[-1], nn.Conv2d)
    assert features(torch.rand(1, 3, 16, 16)).shape == (1, 5, 1, 1)


def test_vgg_loss_moves_the_output_and_nothing_else() -> None:
    vgg = VGGFeatures(state_of(small_vgg()), layer="conv2_2")
    output, high = pictures()
    output.requires_grad_(True)
    high.requires_grad_(True)
    vgg.loss(output, high).backward()
    assert output.grad is not None
    assert output.grad.abs().sum() > 0
    assert high.grad is None
    assert vgg.loss(high, high).item() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features.2.weight": torch.zeros(4, 4, 5, 5)}, "features.2 is not a 3x3 convolution of 4 channels"),
        ({"features.2.bias": torch.zeros(3)}, "features.2 is not"),
        ({"features.1.weight": torch.zeros(4), "features.1.bias": torch.zeros(4)}, "features.1 is not"),
        ({"features.12.weight": torch.zeros(4, 8, 3, 3), "features.12.bias": torch.zeros(4)}, "12 .* cannot follow"),
    ],
)
def test_weights_of_another_network_are_refused(change: dict[str, Tensor], message: str, tmp_path: Path) -> None:
    torch.save(state_of(small_vgg()) | change, tmp_path / "vgg.pth")
    with pytest.raises(RecipeError, match=rf"vgg\.pth: .*{message}"):
        read_vgg(tmp_path / "vgg.pth", layer="conv4_1")


def test_files_that_are_no_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="names no file"):
        read_vgg(None)
    with pytest.raises(RecipeError, match=r"no VGG weights at .*missing.*\n.*vgg19-dcbb9e9d"):
        read_vgg(tmp_path / "missing.pth")
    with pytest.raises(RecipeError, match="no VGG weights"):
        read_vgg(tmp_path)
    for number, content in enumerate([b"", b"not weights", b"PK\x03\x04", b"\x80\x02csubprocess\nPopen\n(tR."]):
        (tmp_path / f"{number}.pth").write_bytes(content)
        with pytest.raises(RecipeError, match="not a file of weights"):
            read_vgg(tmp_path / f"{number}.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(RecipeError, match="no dictionary"):
        read_vgg(tmp_path / "list.pth")
    torch.save({"classifier.0.weight": torch.zeros(1)}, tmp_path / "empty.pth")
    with pytest.raises(RecipeError, match=r"empty\.pth: there is no features"):
        read_vgg(tmp_path / "empty.pth")
    torch.save(state_of(small_vgg()), tmp_path / "small.pth")
    with pytest.raises(RecipeError, match=r"no layer 'conv5_4'; the last is conv2_2"):
        read_vgg(tmp_path / "small.pth")
