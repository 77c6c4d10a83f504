"""engine/plan.py: from a wish to passes and a size."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakudai.engine.plan import Means, Plan, Size, make_plan
from kakudai.errors import UsageError


@pytest.mark.parametrize(
    ("wish", "plan"),
    [
        (Size(), Plan(1, (80, 120))),
        (Size(scale=2), Plan(1, (80, 120))),
        (Size(scale=1), Plan(0, (40, 60))),
        (Size(scale=0.5), Plan(0, (20, 30))),
        (Size(scale=1.5), Plan(1, (60, 90))),
        (Size(scale=3), Plan(2, (120, 180))),
        (Size(scale=4), Plan(2, (160, 240))),
        (Size(scale=16), Plan(4, (640, 960))),
        (Size(scale=2.001), Plan(1, (80, 120))),
        (Size(width=120), Plan(1, (80, 120))),
        (Size(height=81), Plan(2, (81, 122))),
        (Size(width=30, height=100), Plan(2, (100, 30))),
        (Size(fit=(120, 1000)), Plan(1, (80, 120))),
        (Size(fit=(1000, 20)), Plan(0, (20, 30))),
    ],
)
def test_plans_for_a_picture_of_60x40(wish: Size, plan: Plan) -> None:
    assert make_plan(40, 60, wish, Means(2)) == plan


@given(st.integers(1, 5000), st.integers(1, 5000), st.floats(0.1, 16), st.integers(2, 4))
def test_passes_reach_the_size_and_one_fewer_does_not(height: int, width: int, scale: float, network: int) -> None:
    plan = make_plan(height, width, Size(scale=scale), Means(network))
    assert plan.size == tuple(max(1, math.floor(scale * side + 0.5)) for side in (height, width))
    reached = network**plan.passes
    assert height * reached >= min(plan.size[0], height * scale - 0.5)
    if plan.passes > 1:
        fewer = network ** (plan.passes - 1)
        assert height * fewer < plan.size[0] or width * fewer < plan.size[1]


def test_a_network_that_does_not_enlarge_is_not_run_to_enlarge() -> None:
    assert make_plan(40, 60, Size(scale=2), Means(1)).passes == 0


@pytest.mark.parametrize("scale", [0, -1, 99, math.nan, math.inf, 0.05])
def test_impossible_scales_are_refused(scale: float) -> None:
    with pytest.raises(UsageError, match="scale") as caught:
        Size(scale=scale)
    assert caught.value.hint


@pytest.mark.parametrize(
    "wish",
    [
        {"width": 0},
        {"height": -5},
        {"fit": (10, 0)},
        {"width": 10.5},
        {"scale": 2.0, "width": 100},
        {"width": 10, "fit": (1, 1)},
    ],
)
def test_impossible_sizes_are_refused(wish) -> None:
    with pytest.raises(UsageError):
        Size(**wish)


def test_a_size_that_is_too_far_away_is_refused() -> None:
    with pytest.raises(UsageError, match="times larger"):
        make_plan(10, 10, Size(width=1000), Means(2))
