"""Rates, losses, scales and averaging are functions of the step."""

import pytest

from kakudai.train.recipe import Recipe
from kakudai.train.schedule import average_decay, learning_rate, loss_name, precision, scale_of_step, uses_bfloat16


def test_schedules(recipe: Recipe) -> None:
    rates = [learning_rate(recipe, step) for step in range(recipe.steps)]
    assert rates[0] == pytest.approx(1e-4, rel=0.01)
    assert max(rates) == pytest.approx(1e-3, rel=0.03)
    assert rates[-1] == pytest.approx(1e-5)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert [loss_name(recipe, step) for step in (0, 109, 110, 119)] == ["l1", "l1", "mse", "mse"]
    assert average_decay(recipe, 0) == 0.1
    assert average_decay(recipe, 10**6) == recipe.average
    mixed = recipe.model_copy(update={"precision": "bfloat16", "float32_steps": 20})
    assert [uses_bfloat16(mixed, step) for step in (0, 99, 100)] == [True, True, False]
    assert not uses_bfloat16(recipe, 0)


def test_rates_that_do_not_follow_a_cosine(recipe: Recipe) -> None:
    def rates(*steps: int, **changes: object) -> list[float]:
        changed = recipe.model_copy(update={"warmup_steps": 0, "final_learning_rate": 0.0, **changes})
        return [learning_rate(changed, step) for step in steps]

    assert rates(0, 60, 119, schedule="constant") == [1e-3] * 3
    falling = {"schedule": "step", "step_every": 40, "step_factor": 0.5}
    assert rates(39, 40, 80, **falling) == pytest.approx([1e-3, 5e-4, 2.5e-4])
    assert rates(39, 40, 80, **falling, final_learning_rate=4e-4) == pytest.approx([1e-3, 5e-4, 4e-4])
    million = 10**6 // recipe.batch
    assert rates(0, million, schedule="inverse") == pytest.approx([1e-3, 1e-3 / 1.3])
    assert rates(0, 5, schedule="constant", warmup_steps=10) == pytest.approx([1e-4, 6e-4])


def test_a_plateau_falls_with_each_drop_and_not_below_the_last_rate(recipe: Recipe) -> None:
    plateau = recipe.model_copy(update={"schedule": "plateau", "warmup_steps": 0, "final_learning_rate": 5e-5})
    assert [learning_rate(plateau, 7, drops) for drops in range(3)] == pytest.approx([1e-3, 1e-4, 5e-5])


def test_the_scale_of_a_step_is_drawn_from_seed_and_step(recipe: Recipe) -> None:
    assert scale_of_step(recipe, 3) == recipe.scale
    mixed = recipe.model_copy(update={"scales": [2, 3, 4]})
    drawn = [scale_of_step(mixed, step) for step in range(300)]
    assert drawn == [scale_of_step(mixed, step) for step in range(300)]
    assert all(drawn.count(scale) > 70 for scale in (2, 3, 4))
    assert drawn != [scale_of_step(mixed.model_copy(update={"seed": 2}), step) for step in range(300)]


def test_half_precision_ends_before_the_last_steps(recipe: Recipe) -> None:
    half = recipe.model_copy(update={"precision": "float16", "float32_steps": 20})
    assert [precision(half, step) for step in (0, 99, 100)] == ["float16", "float16", "float32"]
    assert not uses_bfloat16(half, 0)
