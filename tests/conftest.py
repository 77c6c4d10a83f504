"""Fixtures for all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of pictures and models that are not part of the project; its tests are skipped without it, but not
    in CI.
    """
    default = Path(__file__).parents[2] / "shared"
    folder = Path(os.environ.get("KAKUDAI_SHARED", default))
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI needs the shared pictures at {folder}")
        pytest.skip(f"no shared pictures at {folder}; set KAKUDAI_SHARED")
    return folder


@pytest.fixture(autouse=True, scope="session")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep imported models and conversions of tests away from those of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAKUDAI_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Let torch use one processor: for networks this small, threads that wait for each other cost far more."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
