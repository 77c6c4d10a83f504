"""The matrix product by which roofs are measured is one."""

from contextlib import ExitStack

import numpy as np
import onnx
import pytest

from kakudai.bench.product import matrix_product
from kakudai.bench.roof import roof_cases
from kakudai.engine.machine import adds_exactly
from kakudai.engine.runtimes import RuntimeName, Session, open_session
from kakudai.errors import RuntimeUnavailable
from kakudai.models import Model

SIDE = 64


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_product_is_a_product(precision: str, runtime: RuntimeName) -> None:
    if precision == "int8" and not adds_exactly():
        pytest.skip("this processor does not compute exactly with 8-bit numbers")
    data = matrix_product(SIDE, precision)
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load_from_string(data).graph.initializer}
    weights = tensors["w"].astype(np.float32) / (255 if precision == "int8" else 1)
    x = np.random.default_rng(2).integers(0, 256, (1, 1, SIDE, SIDE)).astype(np.float32) / 255
    y = open_session(Model("product", 1, 0, 1, data, {}), runtime=runtime, threads=1).run(x)
    np.testing.assert_allclose(y, x @ weights, atol=2e-3)


def test_roofs_are_counted_in_multiply_adds_for_each_runtime_that_has_one() -> None:
    with ExitStack() as stack:
        cases = roof_cases(["ncnn", "openvino"], [1, 3], SIDE, stack)
        float32 = [case.facts for case in cases if case.facts.precision == "float32"]
        assert [(facts.runtime, facts.threads) for facts in float32] == [
            ("onnxruntime", 1), ("onnxruntime", 3), ("openvino", 1), ("openvino", 3),
        ]  # fmt: skip
        assert [facts.macs for facts in float32[:2]] == [4 * SIDE**3, 12 * SIDE**3]  # as many for each thread
        assert cases[0].run() is None


def test_a_runtime_that_does_not_start_has_no_roof(monkeypatch) -> None:
    def refuse(model: Model, *, runtime: str, threads: int, numbers: str) -> Session:
        if runtime == "openvino":
            raise RuntimeUnavailable("it does not start")
        return open_session(model, runtime="onnxruntime", threads=threads)

    monkeypatch.setattr("kakudai.bench.roof.open_session", refuse)
    with ExitStack() as stack:
        cases = roof_cases(["openvino"], [1], SIDE, stack)
    assert {case.facts.runtime for case in cases} == {"onnxruntime"}
