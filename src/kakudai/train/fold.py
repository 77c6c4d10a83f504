"""What depends on no picture is computed once: kernels that a network rounds to 8 bits are stored as such numbers."""

from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

KEPT = "DequantizeLinear"
"""Runtimes want to see this one: it says what the whole numbers mean."""


def fold_constants(model: onnx.ModelProto) -> None:
    """Replace all nodes whose inputs are constants by their results, in place."""
    graph = model.graph
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in list(graph.node):
        if node.op_type != KEPT and all(name in known for name in node.input if name):
            known |= _results(node, known)
            graph.node.remove(node)
    used = {name for node in graph.node for name in node.input} & set(known)
    del graph.initializer[:]
    graph.initializer.extend(numpy_helper.from_array(known[name], name) for name in known if name in used)


def _results(node: onnx.NodeProto, known: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Run one node with the reference implementation of ONNX."""
    values = ReferenceEvaluator(node).run(None, {name: known[name] for name in node.input if name})
    assert isinstance(values, list)
    return dict(zip(node.output, values, strict=True))
