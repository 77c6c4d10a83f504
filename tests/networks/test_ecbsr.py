"""networks/ecbsr.py: what is merged is what was trained."""

import numpy as np
import pytest
import torch
from tests.networks.building import inputs_reached, tiny, with_positive_weights, with_random_weights
from torch import nn

from kakudai.networks.ecbsr import ECBSR

RESTORER = {"scale": 1, "in_channels": 3, "planes": 1, "unshuffle": 2, "channels": 16, "blocks": 1}


@pytest.mark.parametrize("arguments", [{"activation": "relu"}, {"activation": "leaky_relu"}, RESTORER])
def test_merged_branches_are_the_same_network(arguments) -> None:
    network = with_random_weights(ECBSR(**({"channels": 16, "blocks": 2} | arguments)))
    x = torch.rand(1, 4 if network.planes else 1, 20, 30)
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


def test_an_untrained_restorer_changes_nothing() -> None:
    x = torch.rand(1, 4, 10, 14)
    with torch.inference_mode():
        y = ECBSR(**RESTORER)(x)
    assert (y - x[:, :3]).abs().max() < 0.02


def test_the_halo_of_a_restorer_is_measured() -> None:
    network = with_positive_weights(ECBSR(**RESTORER))
    reaches = []
    for side in (24, 26):  # the middle pixel is the first or the second of its square
        rows, columns = np.nonzero(inputs_reached(network, 4, side, side))
        reaches.append(max(np.abs(rows - side // 2).max(), np.abs(columns - side // 2).max()))
    assert max(reaches) == network.halo


def test_squares_become_channels_only_where_nothing_is_enlarged() -> None:
    with pytest.raises(ValueError, match="unshuffle is 2 at scale 2"):
        ECBSR(scale=2, unshuffle=2)


def test_a_plain_network_goes_on_from_one_with_branches() -> None:
    torch.manual_seed(2)
    branched, plain = (ECBSR(channels=8, blocks=2, branches=branches, planes=1) for branches in (True, False))
    state = branched.state_dict()
    assert branched.translated(state) == state
    plain.load_state_dict(plain.translated(state))
    x = torch.rand(1, 2, 9, 11)
    torch.testing.assert_close(plain(x), branched(x), atol=1e-5, rtol=1e-5)
    assert plain.translated(plain.state_dict()).keys() == plain.state_dict().keys()
