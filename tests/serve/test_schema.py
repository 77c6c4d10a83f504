"""The OpenAPI document against the server: whatever is made of it, no answer is a 500 or contradicts it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.serve.running import Running, start_server

SECONDS = 30.0
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with start_server(tmp_path_factory.mktemp("server") / "files", limits={"per_client": 1000}) as running:
        yield running


def test_schemathesis(server: Running) -> None:
    schema = schemathesis.openapi.from_dict(server.http.get("/openapi.json").json())
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 13
    for operation in operations:
        assert _try(operation, server.address, SECONDS / len(operations)), operation.label
    assert server.http.get("/readyz").status_code == 200


def _try(operation: Any, address: str, seconds: float) -> int:
    """Send what can be made of an operation for some seconds; return how many requests those were."""
    ends, count = time.monotonic() + seconds, 0

    @settings(max_examples=40, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        nonlocal count
        if not count or time.monotonic() < ends:
            count += 1
            case.call_and_validate(base_url=address, checks=CHECKS, timeout=60)

    check()
    return count
