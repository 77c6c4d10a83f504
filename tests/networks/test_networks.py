"""Every file in networks/ keeps the contract of DESIGN, and each paper's numbers come out."""

import inspect
import json

import numpy as np
import pytest
import torch
from torch import nn

from kakudai.networks import find_network, network_names
from kakudai.networks.ecbsr import ECBSR
from kakudai.networks.srcnn import SRCNN

NAMES = network_names()


def tiny(name: str, **arguments: object) -> nn.Module:
    module = find_network(name)
    torch.manual_seed(0)
    return getattr(module, module.__all__[0])(**{**module.TINY, **arguments}).eval()


def with_random_weights(network: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network


def test_there_are_networks_and_an_unknown_one_is_named() -> None:
    assert {"ecbsr", "srcnn"} <= set(NAMES)
    with pytest.raises(KeyError, match="ecbsr"):
        find_network("no_such_network")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_exports_one_module_made_from_plain_values(name: str) -> None:
    module = find_network(name)
    assert len(module.__all__) == 1
    network = getattr(module, module.__all__[0])
    assert issubclass(network, nn.Module)
    defaults = {}
    for parameter in inspect.signature(network).parameters.values():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        defaults[parameter.name] = parameter.default
    assert json.loads(json.dumps(defaults)) == defaults
    assert "Paper:" in module.__doc__
    assert "https://" in module.__doc__
    assert "Shape:" in network.__doc__


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (16, 5)])
def test_output_is_input_enlarged(name: str, channels: int, scale: int, size: tuple[int, int]) -> None:
    network = tiny(name, scale=scale, in_channels=channels)
    with torch.inference_mode():
        y = network(torch.rand(2, channels, *size))
    assert y.shape == (2, channels, scale * size[0], scale * size[1])
    assert y.dtype == torch.float32
    assert network.scale == scale


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_halo_is_measured_not_trusted(name: str, scale: int) -> None:
    """A change further away than `halo` changes nothing; the halo is not claimed larger than three times what is
    seen.
    """
    network = with_random_weights(tiny(name, scale=scale))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()  # no ReLU is closed and nothing cancels, so everything that is connected shows
    x = torch.rand(1, 1, 61, 61)
    changed = x.clone()
    changed[..., 30, 30] += 0.5
    with torch.inference_mode():
        difference = (network(x) - network(changed)).abs()[0, 0].numpy()
    rows, columns = np.nonzero(difference)
    middle = scale * 30 + (scale - 1) / 2
    reach = max(np.abs(rows - middle).max(), np.abs(columns - middle).max()) / scale
    assert reach <= network.halo + 0.5
    assert reach > network.halo / 3


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter(name: str) -> None:
    network = tiny(name).train()
    network(torch.rand(1, 1, 12, 12)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [
        ({"blocks": 4, "channels": 16}, 10_020),
        ({"blocks": 4, "channels": 32}, 38_468),
        ({"blocks": 4, "channels": 32, "in_channels": 3}, 41_356),
        ({"blocks": 10, "channels": 32}, 93_956),
        ({"blocks": 16, "channels": 64}, 593_796),
    ],
)
def test_ecbsr_parameter_counts(arguments: dict[str, int], parameters: int) -> None:
    assert sum(p.numel() for p in ECBSR(branches=False, **arguments).parameters()) == parameters


@pytest.mark.parametrize(("second", "weights"), [(1, 8_032), (3, 24_416), (5, 57_184)])
def test_srcnn_weight_counts_are_the_papers(second: int, weights: int) -> None:
    assert SRCNN(kernel_second=second).weight_count() == weights


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_merged_branches_are_the_same_network(activation) -> None:
    network = with_random_weights(ECBSR(channels=16, blocks=2, activation=activation))
    x = torch.rand(1, 1, 20, 30)
    with torch.inference_mode():
        torch.testing.assert_close(network.merged()(x), network(x), atol=1e-5, rtol=1e-5)


def test_merging_equals_running_the_branches_one_by_one() -> None:
    """The paper's block: five branches side by side, against the one kernel. Away from the border, where padding
    differs.
    """
    block = with_random_weights(ECBSR(channels=16, blocks=1)).body[0]
    x = torch.rand(1, 16, 12, 12)
    conv = nn.functional.conv2d
    edges = block.edges[:, None, None] * block.edge_scale[:, :, None, None, None]
    with torch.inference_mode():
        expected = conv(x, block.weight, block.bias, padding=1)
        expected = expected + conv(conv(x, block.widen[:, :, None, None]), block.narrow, padding=1)
        for mix, edge in zip(block.edge_mix, edges, strict=True):
            expected = expected + conv(conv(x, mix[:, :, None, None]), edge, padding=1, groups=16)
        torch.testing.assert_close(block(x)[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_untrained_ecbsr_is_nearest_neighbour_enlargement(scale: int) -> None:
    x = torch.rand(1, 3, 9, 11)
    with torch.inference_mode():
        y = tiny("ecbsr", scale=scale, in_channels=3)(x)
    assert (y - nn.functional.interpolate(x, scale_factor=scale)).abs().max() < 0.02


def test_srcnns_own_enlargement_is_the_bicubic_of_the_literature() -> None:
    from kakudai.image.resize import resize

    image = np.random.default_rng(0).random((10, 12, 1), np.float32)
    network = SRCNN(scale=3)
    with torch.inference_mode():
        ours = network._bicubic(torch.from_numpy(image.transpose(2, 0, 1)[None]))[0].numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(ours[9:-9, 9:-9], resize(image, (30, 36))[9:-9, 9:-9], atol=1e-5)
