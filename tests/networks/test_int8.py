"""networks/_int8.py: convolutions that round, and learn in spite of it."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from kakudai.networks._int8 import EVERY, LOOKS, Int8Convolution
from kakudai.networks.ecbsr import ECBSR


@pytest.fixture
def convolution() -> Int8Convolution:
    """One that has seen values between -0.1 and 1, a tenth of that in its second channel."""
    torch.manual_seed(0)
    layer = Int8Convolution(0.2 * torch.randn(8, 4, 3, 3)).train()
    for _ in range(LOOKS + 1):
        layer(values(4, 24))
    return layer.eval()


def values(count: int, side: int) -> Tensor:
    x = 1.1 * torch.rand(count, 4, side, side) - 0.1
    x[:, 1] *= 0.1
    return x


def test_at_first_it_only_looks() -> None:
    torch.manual_seed(0)
    layer = Int8Convolution(0.2 * torch.randn(8, 4, 3, 3)).train()
    for _ in range(LOOKS):
        x = values(1, 8)
        torch.testing.assert_close(layer(x), functional.conv2d(x, layer.weight, layer.bias, padding=1))
    assert (layer(x) != functional.conv2d(x, layer.weight, layer.bias, padding=1)).any()


def test_channels_are_divided_by_the_root_of_their_range_and_bounds_hold_what_was_seen(convolution) -> None:
    assert convolution.spread.tolist() == pytest.approx([1, 0.1**0.5, 1, 1], abs=0.02)
    below, above = convolution.bounds.tolist()
    assert below == pytest.approx(0.1, abs=0.01)
    assert above == pytest.approx(1.0, abs=0.01)


def test_bounds_grow_and_never_shrink(convolution) -> None:
    before = convolution.bounds.clone()
    convolution.train()
    for _ in range(EVERY):
        convolution(0.1 * values(1, 24))
    torch.testing.assert_close(convolution.bounds, before)
    for _ in range(EVERY):
        convolution(2 * values(1, 24))
    assert (convolution.bounds > 1.8 * before).all()


def test_kernel_and_input_are_whole_numbers(convolution) -> None:
    weight = convolution.weight * convolution.spread[:, None, None]
    for channel, exact in zip(convolution.kernel(), weight, strict=True):
        levels = channel / (exact.abs().max() / 127)
        torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    rounded = convolution._rounded(torch.linspace(-1, 2, 10_000).repeat(1, 4, 1, 1))
    assert len(rounded.unique()) == 256
    assert (rounded == 0).any(), "zero is one of the levels, so that padding is exact"


def test_the_result_is_nearly_that_of_real_numbers(convolution) -> None:
    x = values(1, 16)
    exact = functional.conv2d(x, convolution.weight, convolution.bias, padding=1)
    assert 0 < (convolution(x) - exact).abs().mean() < 0.01


def test_gradients_pass_the_rounding(convolution) -> None:
    convolution.train()
    x = (3 * values(1, 16) - 1).requires_grad_()
    convolution(x).square().mean().backward()
    assert convolution.weight.grad.abs().min() > 0
    divided = x / convolution.spread[:, None, None]
    inside = (divided > -convolution.bounds[0]) & (divided < convolution.bounds[1])
    assert (x.grad[inside] != 0).all()
    assert (x.grad[~inside] == 0).all()


def test_what_is_used_divides_nothing_and_gives_the_same() -> None:
    torch.manual_seed(0)
    network = ECBSR(blocks=2, channels=16, activation="leaky_relu", branches=False, int8=True).train()
    for _ in range(LOOKS + 1):
        network(torch.rand(2, 1, 16, 16))
    used, x = network.eval().merged(), torch.rand(1, 1, 20, 24)
    assert all(layer.spread is None for layer in used.body)
    assert all(layer.spread is not None for layer in network.body), "the one that is trained stays as it was"
    assert (used.head.weight != network.head.weight).any()
    torch.testing.assert_close(used(x), network(x), atol=2e-3, rtol=0)  # a value at the edge of two levels may turn


def test_a_network_has_its_inner_convolutions_in_8_bits() -> None:
    network = ECBSR(blocks=3, channels=16, branches=False, int8=True)
    assert [type(layer) for layer in network.body] == 3 * [Int8Convolution]
    assert not isinstance(network.head, Int8Convolution)
    assert not isinstance(network.tail, Int8Convolution)
    plain = ECBSR(blocks=3, channels=16, branches=False)
    assert set(plain.state_dict()) < set(network.state_dict()), "it can start from a trained one"
    with pytest.raises(ValueError, match="without branches"):
        ECBSR(int8=True)
