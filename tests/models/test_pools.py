"""models/pools.py: what a card says of averages."""

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.small_models import nearest

from kakudai.errors import ModelInvalid
from kakudai.models.catalogue import model_from_bytes
from kakudai.models.pools import Average, Pools, from_json, to_json

POOLS = Pools(
    18, True, (Average("a", Fraction(2), 12, 0), Average("b", Fraction(1, 2), -3, 1), Average("c", Fraction(4), 0, 1))
)


def test_what_is_written_is_read() -> None:
    assert from_json(to_json(POOLS)) == POOLS
    told = replace(POOLS, added=4)
    assert from_json(to_json(told)) == told
    assert told.pads == "a.pads"
    assert [[average.name for average in level] for level in POOLS.levels] == [["a"], ["b", "c"]]


@given(
    st.sampled_from([Fraction(1, 2), Fraction(1), Fraction(2), Fraction(4)]),
    st.integers(-30, 30),
    st.lists(st.integers(1, 20), min_size=1, max_size=6),
)
def test_every_feature_belongs_to_one_tile(ratio: Fraction, extra: int, sides: list[int]) -> None:
    average = Average("a", ratio, extra, 0)
    edges = [4 * sum(sides[:index]) for index in range(len(sides) + 1)]
    count = int(edges[-1] / ratio) + extra
    if count < 0:
        return
    spans = [average.span(start, end, edges[-1]) for start, end in pairwise(edges)]
    assert [feature for span in spans for feature in range(*span)] == list(range(count))


def spoiled(**change: object) -> str:
    content = json.loads(to_json(POOLS))
    first = content["averages"][0]
    (first if set(change) & set(first) else content).update(change)
    return json.dumps(content)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "null", "[" * 100_000, spoiled(halo=-1), spoiled(halo="x"), spoiled(averages=[]),
        spoiled(added=-1), spoiled(added=19),
        spoiled(ratio=[1, 0]), spoiled(ratio=[-1, 2]), spoiled(ratio=[1000, 1]), spoiled(level=7), spoiled(level=-1),
        spoiled(extra=10**9), spoiled(ratio=None), spoiled(ratio=[3, 1]),
    ],
)  # fmt: skip
def test_a_card_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ModelInvalid, match="makes no sense"):
        model_from_bytes(nearest(halo="none", multiple="4", pools=text or "?"), "test")


def test_borders_are_two() -> None:
    assert model_from_bytes(nearest(), "test").border == "mirror"
    assert model_from_bytes(nearest(border="edge"), "test").border == "edge"
    with pytest.raises(ModelInvalid, match="makes no sense"):
        model_from_bytes(nearest(border="wrap"), "test")
