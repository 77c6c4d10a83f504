"""train/muon.py: which weights it takes, where its steps go, and that it trains."""

import copy

import pytest
import torch
from torch import nn

from kakudai.train.muon import LENGTH, Muon, inner_kernels, orthogonalised
from kakudai.train.optimise import make_optimiser
from kakudai.train.recipe import Recipe


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 6, 3), nn.Conv2d(6, 6, 3), nn.PReLU(), nn.Conv2d(6, 4, 3), nn.Conv2d(4, 2, 3)]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 4, 50), (2, 50, 4)])
def test_singular_values_come_near_1_and_directions_stay(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = orthogonalised(matrices)
    assert found.shape == shape
    for matrix, result in zip(matrices, found.double(), strict=True):
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        turned = left.T @ result @ right.T
        clear = values > 0.05 * values.max()  # what is almost nothing takes more rounds
        assert ((turned.diagonal()[clear] > 0.6) & (turned.diagonal()[clear] < 1.3)).all()
        assert (turned - turned.diagonal().diag()).abs().max() < 1e-4


def test_nothing_stays_nothing() -> None:
    assert (orthogonalised(torch.zeros(2, 3, 5)) == 0).all()


def test_only_kernels_inside_are_its_own() -> None:
    layers = network()
    assert inner_kernels(layers) == [layers[1].weight, layers[3].weight]
    muon = Muon(layers, rate=1e-3)
    numbers = [sum(parameter.numel() for parameter in group["params"]) for group in muon.param_groups]
    assert sum(numbers) == sum(parameter.numel() for parameter in layers.parameters())
    assert numbers[0] == layers[1].weight.numel() + layers[3].weight.numel()


def test_a_step_has_one_length_whatever_the_gradient(recipe: Recipe) -> None:
    for strength in (1e-3, 1e3):
        trained = network()
        before = copy.deepcopy(trained)
        muon = make_optimiser(recipe.model_copy(update={"optimiser": "muon", "kernel_rate": 0.5}), trained)
        for group in muon.param_groups:
            group["lr"] = 1e-2 * group["factor"]
        (strength * trained(torch.ones(1, 2, 12, 12)).square().sum()).backward()
        muon.step()
        kernel, bias = (trained[1].weight - before[1].weight), (trained[1].bias - before[1].bias)
        # One singular value is 1 where a constant picture asks for one direction only.
        rows = kernel.flatten(1)
        assert torch.linalg.matrix_norm(rows, 2).item() == pytest.approx(5e-3 * LENGTH * 54**0.5, rel=0.35)
        assert bias.abs().max().item() == pytest.approx(1e-2, rel=1e-2)


def test_adam_for_the_rest_is_adam() -> None:
    ours, theirs = network(), network()
    muon = Muon(ours, rate=1e-3, betas=(0.9, 0.99))
    adam = torch.optim.Adam([theirs[0].weight, theirs[0].bias], lr=1e-3, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(2)
    for _ in range(5):
        for mine, other in zip(ours[0].parameters(), theirs[0].parameters(), strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad.clone()
        muon.step()
        adam.step()
    for mine, other in zip(ours[0].parameters(), theirs[0].parameters(), strict=True):
        torch.testing.assert_close(mine, other)


def test_it_goes_on_from_its_state() -> None:
    def steps(muon: Muon, trained: nn.Module, count: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for _ in range(count):
            muon.zero_grad()
            trained(torch.rand(1, 2, 12, 12, generator=generator)).square().mean().backward()
            muon.step()

    whole = network()
    muon = Muon(whole, rate=1e-3)
    steps(muon, whole, 3, 1)
    broken = copy.deepcopy(whole)
    resumed = Muon(broken, rate=1e-3)
    resumed.load_state_dict(copy.deepcopy(muon.state_dict()))
    steps(muon, whole, 3, 2)
    steps(resumed, broken, 3, 2)
    for one, other in zip(whole.parameters(), broken.parameters(), strict=True):
        assert torch.equal(one, other)
