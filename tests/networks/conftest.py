"""Fixtures for the networks' tests."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def quick(one_thread: None) -> None:
    """Every test of a network runs on one processor."""
