"""networks/_int8.py: convolutions that round, and learn in spite of it."""

import pytest
import torch
from torch.nn import functional

from kakudai.networks._int8 import Int8Convolution
from kakudai.networks.ecbsr import ECBSR


@pytest.fixture
def convolution() -> Int8Convolution:
    """One that has seen a batch of values between -0.1 and 1."""
    torch.manual_seed(0)
    layer = Int8Convolution(0.2 * torch.randn(8, 4, 3, 3)).train()
    layer(1.1 * torch.rand(4, 4, 24, 24) - 0.1)
    return layer.eval()


def test_bounds_begin_with_what_is_seen_first(convolution) -> None:
    below, above = convolution.bounds.tolist()
    assert below == pytest.approx(0.1, abs=0.01)
    assert above == pytest.approx(1.0, abs=0.01)


def test_kernel_and_input_are_whole_numbers(convolution) -> None:
    kernel = convolution.kernel()
    for channel, exact in zip(kernel, convolution.weight, strict=True):
        levels = channel / (exact.abs().max() / 127)
        torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    rounded = convolution._rounded(torch.linspace(-1, 2, 10_000))
    assert len(rounded.unique()) == 256
    assert (rounded == 0).any(), "zero is one of the levels, so that padding is exact"


def test_the_result_is_nearly_that_of_real_numbers(convolution) -> None:
    x = torch.rand(1, 4, 16, 16)
    exact = functional.conv2d(x, convolution.weight, convolution.bias, padding=1)
    assert 0 < (convolution(x) - exact).abs().mean() < 0.02


def test_gradients_pass_the_rounding(convolution) -> None:
    convolution.train()
    x = (3 * torch.rand(1, 4, 16, 16) - 1).requires_grad_()
    convolution(x).square().mean().backward()
    assert convolution.weight.grad.abs().min() > 0
    assert convolution.bounds.grad.abs().min() > 0, "values lie outside both bounds"
    inside = (x > -convolution.bounds[0]) & (x < convolution.bounds[1])
    assert (x.grad[inside] != 0).all()
    assert (x.grad[~inside] == 0).all()


def test_a_network_has_its_inner_convolutions_in_8_bits() -> None:
    network = ECBSR(blocks=3, channels=16, branches=False, int8=True)
    assert [type(layer) for layer in network.body] == 3 * [Int8Convolution]
    assert not isinstance(network.head, Int8Convolution)
    assert not isinstance(network.tail, Int8Convolution)
    plain = ECBSR(blocks=3, channels=16, branches=False)
    assert set(plain.state_dict()) < set(network.state_dict()), "it can start from a trained one"
    with pytest.raises(ValueError, match="without branches"):
        ECBSR(int8=True)
