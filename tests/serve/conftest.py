"""One server for each module of tests."""

from collections.abc import Iterator

import pytest
from tests.serve.running import Running, drawing, encoded, start_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with start_server(tmp_path_factory.mktemp("server") / "files") as running:
        yield running


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A small PNG."""
    return encoded(drawing())
