"""Each paper's numbers come out, and what it says of its network is true of ours."""

import numpy as np
import pytest
import torch
from tests.networks.building import build, tiny, with_random_weights
from torch import nn

from kakudai.image.resize import resize
from kakudai.networks import find_network, network_names
from kakudai.networks._enlarge import Bicubic, Nearest
from kakudai.networks.edsr import EDSR
from kakudai.networks.srresnet import Discriminator, SRResNet
from kakudai.networks.vdsr import VDSR
from kakudai.train.count import count_variants, multiply_adds_per_output_pixel

PARAMETERS = {
    "SRCNN 9-1-5": 8_129,
    "SRCNN 9-3-5": 24_513,
    "SRCNN 9-5-5": 57_281,
    "SRCNN 9-1-5 RGB": 24_579,
    "FSRCNN (56, 12, 4) x2": 12_809,
    "FSRCNN (56, 12, 4) x3": 12_809,
    "FSRCNN (56, 12, 4) x4": 12_809,
    "FSRCNN-s (32, 5, 1)": 4_086,
    "ESPCN x2": 21_284,
    "ESPCN x3": 22_729,
    "ESPCN x4": 24_752,
    "ESPCN-ReLU x2": 21_284,
    "VDSR": 664_704,
    "VDSR with biases": 665_921,
    "VDSR RGB": 667_008,
    "CNN_SMALL as printed": 1_683,
    "CNN_MEDIUM as printed": 42_627,
    "CNN_DEEP as printed": 333_379,
    "vgg_7": 290_467,
    "vgg_7 luma": 287_585,
    "1-32-32-64-64-128-128-3": 289_891,
    "upconv_7": 552_480,
    "upconv_7 luma": 544_000,
    "upconv_7l": 1_961_984,
    "upconv_7l luma": 1_945_024,
    "cunet": 1_283_254,
    "upcunet": 1_284_598,
    "SRResNet x2": 1_401_749,
    "SRResNet x3": 1_586_389,
    "SRResNet x4": 1_549_462,
    "SRResNet without BN x2": 1_397_525,
    "EDSR-baseline x2": 1_369_859,
    "EDSR-baseline x3": 1_554_499,
    "EDSR-baseline x4": 1_517_571,
    "EDSR x2": 40_729_603,
    "EDSR x3": 43_680_003,
    "EDSR x4": 43_089_923,
    "realesr-animevideov3 x2": 600_652,
    "realesr-animevideov3 x4": 621_424,
    "realesr-general-v3 x4": 1_213_296,
    "ESRGAN x4": 16_697_987,
    "RealESRGAN_x4plus_anime_6B": 4_467_779,
    "RealESRGAN_x2plus": 16_703_171,
    "ECBSR-M4C16 x2": 10_020,
    "ECBSR-M4C32 x2": 38_468,
    "ECBSR-M5C32 x2": 47_716,
    "ECBSR-M10C32 x2": 93_956,
    "ECBSR-M16C64 x2": 593_796,
}

GIGA_MULTIPLY_ADDS = {
    "SRCNN 9-5-5": 52.7,
    "VDSR": 612.6,
    "ESPCN x2": 4.88,
    "EDSR-baseline x2": 316.2,
    "EDSR-baseline x3": 160.2,
    "EDSR-baseline x4": 114.2,
    "EDSR x2": 9_385,
    "ECBSR-M16C64 x2": 136.6,
}
"""Published counts for an output of 1280x720: CARN (ECCV 2018), IMDN, SAFMN, RCAN; shared by the papers."""

LAYERS = {
    "cnn_small": [80, 1168, 435],
    "cnn_medium": [160, 4640, 18496, 18464, 867],
    "cnn_deep": [320, 18496, 73856, 147584, 73792, 18464, 867],
}


@pytest.fixture(scope="module")
def variants() -> dict:
    return {variant.variant: variant for name in network_names() for variant in count_variants(name)}


def test_parameter_counts_are_the_papers(variants: dict) -> None:
    counted = {name: variant.parameters for name, variant in variants.items()}
    assert {name: counted.get(name) for name in PARAMETERS} == PARAMETERS


def test_parameters_are_counted_as_they_are_when_really_made() -> None:
    for name, variant in (("srcnn", "SRCNN 9-5-5"), ("waifu2x", "upcunet"), ("edsr", "EDSR-baseline x3")):
        network = build(name, **find_network(name).VARIANTS[variant])
        assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[variant]


def test_multiply_adds_are_the_published_ones(variants: dict) -> None:
    for name, expected in GIGA_MULTIPLY_ADDS.items():
        assert variants[name].macs_1280x720 / 1e9 == pytest.approx(expected, rel=2e-3), name


def test_multiply_adds_can_be_counted_by_hand() -> None:
    network = VDSR(layers=3, channels=8, scale=3)
    assert multiply_adds_per_output_pixel(network, 1, 3) == 25 + 9 * (8 + 64 + 8)
    assert torch.equal(network.layers[0].weight, network.layers[0].weight.clone())  # its weights are still real


def test_papers_are_cited(variants: dict) -> None:
    assert variants["VDSR"].paper == (
        'Kim, Lee, Lee, "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", CVPR 2016, '
        "https://arxiv.org/abs/1511.04587"
    )
    assert all("https://" in variant.paper for variant in variants.values())
    assert variants["SRCNN 9-5-5"].receptive_field == 2 * build("srcnn", kernel_second=5).halo + 1
    assert variants["cunet"].receptive_field is None


@pytest.mark.parametrize("name", LAYERS)
def test_the_comparisons_layers_are_as_printed(name: str) -> None:
    network = build(name, in_channels=1, out_channels=3)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert [sum(parameter.numel() for parameter in layer.parameters()) for layer in layers] == LAYERS[name]
    with torch.inference_mode():
        assert network(torch.rand(1, 1, 6, 5)).shape == (1, 3, 12, 10)


@pytest.mark.parametrize(("second", "weights"), [(1, 8_032), (3, 24_416), (5, 57_184)])
def test_srcnn_weight_counts_are_the_papers(second: int, weights: int) -> None:
    assert build("srcnn", kernel_second=second).weight_count() == weights


def test_fsrcnn_weight_counts_are_the_papers() -> None:
    assert build("fsrcnn").weight_count() == 12_464
    assert build("fsrcnn", features=32, mapping=5, depth=1).weight_count() == 3_937


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_fixed_enlargement_is_the_bicubic_of_the_literature(scale: int) -> None:
    image = np.random.default_rng(0).random((10, 12, 3), np.float32)
    ours = Bicubic(scale, 3)(torch.from_numpy(image.transpose(2, 0, 1)[None]))[0].numpy().transpose(1, 2, 0)
    edge = 3 * scale
    expected = resize(image, (10 * scale, 12 * scale))
    np.testing.assert_allclose(ours[edge:-edge, edge:-edge], expected[edge:-edge, edge:-edge], atol=1e-5)


def test_the_nearest_enlargement_repeats_pixels() -> None:
    x = torch.rand(2, 3, 4, 5)
    assert torch.equal(Nearest(3)(x), nn.functional.interpolate(x, scale_factor=3, mode="nearest"))


@pytest.mark.parametrize("name", ["cnn_small", "espcn", "fsrcnn", "srcnn"])
def test_a_residual_network_begins_as_bicubic_enlargement(name: str) -> None:
    x = torch.rand(1, 1, 9, 11)
    with torch.inference_mode():
        assert (build(name, residual=True)(x) - Bicubic(2, 1)(x)).abs().max() < 0.15


def test_one_vdsr_serves_every_scale() -> None:
    network = with_random_weights(VDSR(layers=4, channels=8, scale=2))
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    assert not [key for key in weights if "enlarge" in key]
    for scale in (3, 4, 1, 2):
        network.scale = scale
        assert network.scale == scale
        assert network.state_dict().keys() == weights.keys()
        fresh = VDSR(layers=4, channels=8, scale=scale)
        fresh.load_state_dict(weights)
        assert network.halo == fresh.halo
        x = torch.rand(1, 1, 7, 9)
        with torch.inference_mode():
            assert network(x).shape[2:] == (7 * scale, 9 * scale)
            assert torch.equal(network(x), fresh(x))


def test_vdsr_learns_the_difference_to_bicubic() -> None:
    network = VDSR(layers=3, channels=8, scale=3)
    nn.init.zeros_(network.layers[-1].weight)
    x = torch.rand(1, 1, 7, 9)
    with torch.inference_mode():
        assert torch.equal(network(x), Bicubic(3, 1)(x))


@pytest.mark.parametrize("channels", [1, 3])
def test_edsr_works_around_the_mean_colour_of_its_pictures(channels: int) -> None:
    network = EDSR(blocks=1, channels=4, in_channels=channels)
    assert "mean" not in network.state_dict()
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    with torch.inference_mode():
        y = network(torch.rand(1, channels, 4, 4))[0, :, 0, 0]
    mean = torch.tensor([0.4488, 0.4371, 0.4040])
    expected = mean if channels == 3 else (mean @ torch.tensor([0.299, 0.587, 0.114]))[None]
    torch.testing.assert_close(y, expected, atol=1e-4, rtol=0)


def test_a_residual_scale_of_zero_leaves_the_blocks_out() -> None:
    network = with_random_weights(EDSR(blocks=2, channels=4, residual_scale=0.0))
    x = torch.rand(1, 3, 6, 6)
    with torch.inference_mode():
        before = network(x)
        for block in network.body[:-1]:
            for parameter in block.parameters():
                nn.init.zeros_(parameter)
        assert torch.equal(network(x), before)


def test_srresnet_uses_running_averages_once_trained() -> None:
    network = tiny("srresnet").train()
    x = torch.rand(4, 3, 12, 12)
    for _ in range(3):
        network(x)
    network.eval()
    with torch.inference_mode():
        alone, together = network(x[:1]), network(x)[:1]
    torch.testing.assert_close(alone, together)
    averages = [layer.running_mean for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(averages) == 5
    assert all(mean.any() for mean in averages)


def test_srresnet_without_normalisation_has_none() -> None:
    network = SRResNet(blocks=2, channels=4, batch_norm=False)
    assert not [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_discriminator_judges_crops_of_any_size(channels: int, spectral: bool) -> None:
    torch.manual_seed(0)
    judge = Discriminator(in_channels=channels, channels=4, size=48, spectral=spectral)
    for size in ((32, 32), (48, 48), (50, 71)):
        x = torch.rand(2, channels, *size)
        assert judge(x).shape == (2, 1)
        features = judge.features(x)
        assert [feature.shape[1] for feature in features] == [4, 4, 8, 8, 16, 16, 32, 32]
        assert features[-1].shape[2:] == (-(-size[0] // 16), -(-size[1] // 16))
    judge(x).sum().backward()
    assert all(parameter.grad is not None for parameter in judge.parameters())


def test_the_discriminator_is_the_papers() -> None:
    judge = Discriminator()
    assert sum(parameter.numel() for parameter in judge.parameters()) == 23_565_505
    layers = [layer for layer in judge.modules() if isinstance(layer, nn.Conv2d)]
    assert [(layer.out_channels, layer.stride[0]) for layer in layers] == [
        (width, stride) for width in (64, 128, 256, 512) for stride in (1, 2)
    ]


def test_spectral_normalisation_bounds_every_layer() -> None:
    torch.manual_seed(0)
    judge = Discriminator(channels=4, size=32, spectral=True)
    assert not [layer for layer in judge.modules() if isinstance(layer, nn.BatchNorm2d)]
    for _ in range(30):  # each call is one power iteration
        judge(torch.rand(1, 3, 32, 32))
    for layer in judge.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.1)


def test_the_discriminator_can_be_trained() -> None:
    torch.manual_seed(0)
    judge = Discriminator(channels=8, size=32)
    optimiser = torch.optim.Adam(judge.parameters(), lr=1e-3)
    real = torch.rand(8, 3, 32, 32)
    fake = nn.functional.avg_pool2d(real, 3, stride=1, padding=1)
    loss = nn.functional.softplus
    losses = []
    for _ in range(10):
        optimiser.zero_grad()
        total = loss(-judge(real)).mean() + loss(judge(fake)).mean()
        total.backward()
        optimiser.step()
        losses.append(total.item())
    assert losses[-1] < 0.5 * losses[0]


def test_scales_that_do_not_exist_are_named() -> None:
    for network in (EDSR, SRResNet):
        with pytest.raises(ValueError, match="5 times; it can 1, 2, 3, 4"):
            network(scale=5)
