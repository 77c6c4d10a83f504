"""train/adversarial.py: both networks learn, each from its own loss, and a checkpoint changes nothing."""

import copy
import math
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

import kakudai.train.perceptual
from kakudai.errors import RecipeError
from kakudai.networks.srresnet import Discriminator
from kakudai.train.adversarial import AdversarialObjective
from kakudai.train.losses import make_loss
from kakudai.train.recipe import Recipe, read_recipe

RECIPES = Path(__file__).parents[2] / "recipes"
SIZE = 32


class SmallDiscriminator(Discriminator):
    """The real one, an eighth as wide."""

    def __init__(self, *, in_channels: int, size: int) -> None:
        super().__init__(in_channels=in_channels, channels=8, size=size)


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setattr("kakudai.train.adversarial.Discriminator", SmallDiscriminator)
    changes = {"patch": str(SIZE // 2), "steps": "100", "precision": "float32", "discriminator_rate": "1e-3"}
    return read_recipe(RECIPES / "srgan-x2.toml", changes)


@pytest.fixture(scope="module")
def fabric() -> Iterator[Fabric]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    fabric = Fabric(accelerator="cpu", devices=1)
    fabric.launch()
    yield fabric
    torch.set_num_threads(threads)


class Generator(nn.Module):
    """A toy network: noisy bars in, bars out."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, channels, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)  # type: ignore[no-any-return]


def batches(channels: int = 3, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield blurred and sharp bars of random places."""
    for step in count(start):
        generator = torch.Generator().manual_seed(step)
        bars = (torch.rand(4, channels, 1, SIZE, generator=generator) > 0.5).float().expand(-1, -1, SIZE, -1)
        yield functional.avg_pool2d(bars, (1, 5), 1, (0, 2), count_include_pad=False), bars


def run(
    objective: AdversarialObjective, network: nn.Module, optimiser: Any, *, steps: range, channels: int = 3
) -> list[dict[str, float]]:
    """Take training steps as the loop does."""
    figures = []
    for step, (low, high) in zip(steps, batches(channels, steps.start), strict=False):
        optimiser.zero_grad()
        output = network(low)
        loss = objective.loss(output, high, step)
        objective.fabric.backward(loss)
        optimiser.step()
        figures.append({"loss": loss.item(), **objective.learn(output, high, step)})
    return figures


def set_up(recipe: Recipe, fabric: Fabric, channels: int = 3) -> tuple[AdversarialObjective, nn.Module, Any]:
    network = Generator(channels)
    network, optimiser = fabric.setup(network, torch.optim.Adam(network.parameters(), lr=1e-3))
    return AdversarialObjective(recipe, fabric), network, optimiser


@pytest.mark.parametrize(("color", "channels"), [("rgb", 3), ("luma", 1)])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_both_networks_learn(recipe: Recipe, fabric: Fabric, color: str, channels: int, precision: str) -> None:
    recipe = recipe.model_copy(update={"color": color, "precision": precision, "float32_steps": 2})
    objective, network, optimiser = set_up(recipe, fabric, channels)
    before = copy.deepcopy(network.state_dict())
    figures = run(objective, network, optimiser, steps=range(40), channels=channels)
    assert abs(figures[0]["discriminator"] - math.log(2)) < 0.2
    assert min(line["discriminator"] for line in figures) < 0.95 * math.log(2)
    assert figures[-1]["real"] > figures[-1]["fake"]
    assert set(figures[0]) == {"loss", "plain", "adversarial", "feature_matching", "discriminator", "real", "fake"}
    assert all(math.isfinite(value) for line in figures for value in line.values())
    assert all(not torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_the_loss_is_the_weighted_sum_of_its_parts(recipe: Recipe, fabric: Fabric) -> None:
    objective, network, optimiser = set_up(recipe, fabric)
    (line,) = run(objective, network, optimiser, steps=range(1))
    expected = (
        line["plain"] + recipe.adversarial * line["adversarial"] + recipe.feature_matching * line["feature_matching"]
    )
    assert line["loss"] == pytest.approx(expected, rel=1e-5)


def test_the_adversarial_part_alone_reaches_the_network_and_only_the_network(recipe: Recipe, fabric: Fabric) -> None:
    """Where the output is already right by L1, only the discriminator has something to say."""
    recipe = recipe.model_copy(update={"feature_matching": 0.0, "adversarial": 1.0})
    objective, _, _ = set_up(recipe, fabric)
    _, high = next(batches())
    output = high.clone().requires_grad_(True)
    loss = objective.loss(output, high, 0)
    loss.backward()
    assert output.grad is not None
    assert output.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in objective.plain.parameters())
    assert all(parameter.requires_grad for parameter in objective.plain.parameters())
    assert "feature_matching" not in objective.figures
    better = objective.loss(output.detach() - 1e-2 * output.grad / output.grad.abs().max(), high, 0)
    assert objective.figures["adversarial"] < loss.item()
    assert torch.isfinite(better)


def test_learning_sends_nothing_back_to_the_network(recipe: Recipe, fabric: Fabric) -> None:
    objective, network, _ = set_up(recipe, fabric)
    low, high = next(batches())
    before = copy.deepcopy(objective.state()["discriminator"])
    objective.learn(network(low), high, 0)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not torch.equal(before["verdict.4.weight"], objective.state()["discriminator"]["verdict.4.weight"])


def test_a_checkpoint_changes_nothing(recipe: Recipe, fabric: Fabric, tmp_path: Path) -> None:
    objective, network, optimiser = set_up(recipe, fabric)
    run(objective, network, optimiser, steps=range(5))
    state = {"objective": objective.state(), "network": network.state_dict(), "optimiser": optimiser.state_dict()}
    torch.save(state, tmp_path / "last.ckpt")
    whole = run(objective, network, optimiser, steps=range(5, 9))
    other, network, optimiser = set_up(recipe.model_copy(update={"seed": 77}), fabric)
    found = torch.load(tmp_path / "last.ckpt", weights_only=True)
    other.restore(found["objective"])
    network.load_state_dict(found["network"])
    optimiser.load_state_dict(found["optimiser"])
    assert run(other, network, optimiser, steps=range(5, 9)) == whole


def test_the_discriminator_begins_as_the_seed_says_and_leaves_the_random_numbers_alone(
    recipe: Recipe, fabric: Fabric
) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = AdversarialObjective(recipe, fabric).state()["discriminator"]
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
    again = AdversarialObjective(recipe, fabric).state()["discriminator"]
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_vgg_needs_weights_and_counts(
    recipe: Recipe, fabric: Fabric, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = recipe.model_copy(update={"vgg": 0.5})
    with pytest.raises(RecipeError, match="names no file"):
        AdversarialObjective(asked, fabric)
    monkeypatch.setattr(kakudai.train.perceptual.read_vgg, "__kwdefaults__", {"layer": "conv1_1", "activated": False})
    weights = {"features.0.weight": torch.randn(2, 3, 3, 3), "features.0.bias": torch.zeros(2)}
    torch.save(weights, tmp_path / "vgg.pth")
    asked = asked.model_copy(update={"vgg_weights": tmp_path / "vgg.pth", "feature_matching": 0.0})
    objective, network, optimiser = set_up(asked, fabric)
    (line,) = run(objective, network, optimiser, steps=range(1))
    assert line["vgg"] > 0
    total = line["plain"] + asked.adversarial * line["adversarial"] + 0.5 * line["vgg"]
    assert line["loss"] == pytest.approx(total, rel=1e-5)


def test_the_plain_part_is_the_recipes_own(recipe: Recipe, fabric: Fabric) -> None:
    asked = recipe.model_copy(update={"loss": "fourier", "fourier_weight": 0.2, "mse_steps": 10})
    objective, network, _ = set_up(asked, fabric)
    low, high = next(batches())
    for step, name in ((0, "fourier"), (95, "mse")):
        objective.loss(network(low), high, step)
        torch.testing.assert_close(
            objective.figures["plain"], make_loss(name, fourier_weight=0.2)(network(low), high).detach()
        )
