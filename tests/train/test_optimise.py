"""Optimisers, clipping, the last layer's own rate, precision, and the average."""

import copy
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from tests.train.tiny import losses, stop_at
from torch import nn

from kakudai.errors import RecipeError
from kakudai.train.loop import train
from kakudai.train.optimise import Average, Descent, parameter_groups
from kakudai.train.recipe import Recipe

CPU = Fabric(accelerator="cpu", devices=1)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 1, 3), nn.Sigmoid())


def change(recipe: Recipe, rate: float, **update: object) -> list[torch.Tensor]:
    """Return how one step changes each parameter of the network."""
    trained = network()
    descent = Descent(recipe.model_copy(update=update), trained, CPU)
    descent.descend(1000.0 * trained(torch.ones(1, 1, 8, 8)).sum(), rate)
    return [(new - old).detach() for new, old in zip(trained.parameters(), network().parameters(), strict=True)]


def gradients() -> list[torch.Tensor]:
    untrained = network()
    (1000.0 * untrained(torch.ones(1, 1, 8, 8)).sum()).backward()
    return [parameter.grad for parameter in untrained.parameters() if parameter.grad is not None]


def test_sgd_goes_down_the_gradient_and_adam_by_its_sign(recipe: Recipe) -> None:
    for step, gradient in zip(change(recipe, 1e-3, optimiser="sgd"), gradients(), strict=True):
        torch.testing.assert_close(step, -1e-3 * gradient)
    for step, gradient in zip(change(recipe, 1e-3), gradients(), strict=True):
        torch.testing.assert_close(step, -1e-3 * gradient.sign(), atol=1e-6, rtol=1e-3)


def test_weight_decay_pulls_to_zero(recipe: Recipe) -> None:
    plain, decayed = (change(recipe, 1.0, optimiser="sgd", weight_decay=decay) for decay in (0.0, 0.1))
    for without, with_, weights in zip(plain, decayed, network().parameters(), strict=True):
        torch.testing.assert_close(with_ - without, -0.1 * weights.detach(), atol=2e-3, rtol=0)


def test_the_last_layer_has_a_rate_of_its_own(recipe: Recipe) -> None:
    slow = change(recipe, 1e-3, optimiser="sgd", last_layer_rate=0.1)
    for step, gradient, factor in zip(slow, gradients(), (1.0, 1.0, 0.1, 0.1), strict=True):
        torch.testing.assert_close(step, -1e-3 * factor * gradient)
    groups = parameter_groups(network(), 0.1)
    assert [len(group["params"]) for group in groups] == [2, 2]
    assert len(parameter_groups(network(), 1.0)) == 1


def test_clipping_by_norm_keeps_the_direction(recipe: Recipe) -> None:
    clipped = change(recipe, 1.0, optimiser="sgd", clip_gradient=0.4)
    norm = torch.cat([step.flatten() for step in clipped]).norm()
    assert float(norm) == pytest.approx(0.4, rel=1e-3)
    whole = torch.cat([gradient.flatten() for gradient in gradients()])
    torch.testing.assert_close(torch.cat([step.flatten() for step in clipped]), -0.4 * whole / whole.norm())


@pytest.mark.parametrize("rate", [1e-1, 1e-4])
def test_clipping_by_rate_bounds_each_step_whatever_the_rate(recipe: Recipe, rate: float) -> None:
    """Gradients within +-0.01 / rate make steps within +-0.01."""
    clipped = change(recipe, rate, optimiser="sgd", clip_gradient_by_rate=0.01)
    for step, gradient in zip(clipped, gradients(), strict=True):
        torch.testing.assert_close(step, -(rate * gradient).clamp(-0.01, 0.01))


@pytest.mark.parametrize("update", [
    {"optimiser": "sgd", "clip_gradient_by_rate": 0.01, "learning_rate": 0.1, "schedule": "step", "step_every": 50},
    {"last_layer_rate": 0.1, "clip_gradient": 0.4, "schedule": "inverse", "weight_decay": 1e-4},
])  # fmt: skip
def test_the_state_of_every_optimiser_survives_a_resume(
    recipe: Recipe, tmp_path: Path, update: dict[str, object]
) -> None:
    from kakudai.train.loop import Run

    changed = recipe.model_copy(update=update)
    train(changed, tmp_path / "whole")
    stop_at(Run(changed, tmp_path / "halves", resume=False), 60)
    train(changed, tmp_path / "halves", resume=True)
    assert losses(tmp_path / "halves") == losses(tmp_path / "whole")


def test_float16_needs_a_gpu(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="float16 needs a GPU, and this run is on the cpu"):
        train(recipe.model_copy(update={"precision": "float16"}), tmp_path / "run")


def test_devices_that_are_not_there_are_an_error(recipe: Recipe, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(RecipeError, match=r"accelerator 'cuda' with 1 device.*: this machine has no GPU") as error:
        train(recipe.model_copy(update={"accelerator": "cuda"}), tmp_path / "run")
    assert 'accepted are "cpu", "cuda"' in error.value.hint
    assert "Accelerator" not in str(error.value)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_gpu_trains_in_every_precision(recipe: Recipe, tmp_path: Path, precision: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    update = {"accelerator": "cuda", "precision": precision, "float32_steps": 10}
    train(recipe.model_copy(update=update), tmp_path / "run")
    train(recipe, tmp_path / "cpu")
    for (_, ours), (_, expected) in zip(losses(tmp_path / "run"), losses(tmp_path / "cpu"), strict=True):
        assert ours == pytest.approx(expected, rel=0.1)


def test_the_average_follows_weights_and_statistics_and_copies_counts(recipe: Recipe) -> None:
    trained = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    average = Average(trained, copy.deepcopy(trained))
    expected = {name: value.clone() for name, value in average.network.state_dict().items()}
    for step in range(5):
        trained(torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(step)))
        with torch.no_grad():
            trained[0].weight += 1.0
        average.follow(recipe, step)
        decay = (1 + step) / (10 + step)
        for name, value in trained.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value if value.is_floating_point() else value
    for name, value in average.network.state_dict().items():
        torch.testing.assert_close(value, expected[name])
