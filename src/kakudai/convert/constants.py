"""What a graph knows before it is given a picture."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kakudai.convert.packages import needed

if TYPE_CHECKING:
    import onnx

OPSET = 18
"""What a graph is taken to mean that does not say it."""

LARGEST_CONSTANT = 4096
"""Numbers in a constant that is computed here; arguments of operators have far fewer."""

COMPUTED = frozenset({
    "Add", "Cast", "Ceil", "Concat", "Constant", "ConstantOfShape", "Div", "Equal", "Expand", "Floor", "Gather", "Mod",
    "Mul", "Neg", "Reshape", "Shape", "Slice", "Split", "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where",
})  # fmt: skip
"""Operators by which exporters compute arguments of others."""

GROWING = frozenset({"ConstantOfShape", "Expand"})
"""Those of them whose last argument says how large their result is."""


class NotConstant(Exception):
    """It cannot be known, or nothing is known that could compute it; the message says what."""


class Constants:
    """What a graph knows without a picture: its weights, and the arguments of operators that are computed of others.

    They are unpacked when they are asked for; of weights, only the shape ever is.
    """

    def __init__(self, model: "onnx.ModelProto") -> None:
        self._onnx = needed("onnx")
        self._packed = {tensor.name: tensor for tensor in model.graph.initializer}
        self._values: dict[str, NDArray[Any]] = {}
        versions = (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        self._opsets = {"": next(versions, OPSET)}

    def __contains__(self, name: str) -> bool:
        return name in self._packed or name in self._values

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a constant.

        Raises:
            NotConstant: It is none.
        """
        return tuple(self._packed[name].dims if name in self._packed else self.value(name).shape)

    def value(self, name: str) -> NDArray[Any]:
        """Return a constant.

        Raises:
            NotConstant: It is none.
        """
        if name not in self:
            raise NotConstant(f"an argument that is not constant: {name[:100]!r}")
        if name not in self._values:
            self._values[name] = self._onnx.numpy_helper.to_array(self._packed[name])
        return self._values[name]

    def argument(self, node: Any, index: int, default: Any = None) -> NDArray[Any]:
        """Return an input of a node.

        Raises:
            NotConstant: It is not constant, or left out and there is no default.
        """
        if index < len(node.input) and node.input[index]:
            return np.ravel(self.value(node.input[index]))
        if default is None:
            raise NotConstant(f"{node.op_type} without an argument")
        return np.asarray(default)

    def compute(self, node: Any) -> None:
        """Compute a node that depends on constants alone. None is so large, or so strange, that it could do harm.

        Raises:
            NotConstant: It is, or the node makes no sense.
        """
        stored = next((entry.t for entry in node.attribute if entry.name == "value"), None)
        if node.op_type == "Constant" and stored is not None:
            self._packed[node.output[0]] = stored
            return
        given = {name: self.value(name) for name in node.input if name}
        if node.op_type == "Identity":
            self._values[node.output[0]] = given[node.input[0]]
            return
        if node.op_type not in COMPUTED or any(value.size > LARGEST_CONSTANT for value in given.values()):
            raise NotConstant(f"{node.op_type} without a picture")
        if node.op_type in GROWING and not np.prod(given[node.input[-1]].astype(float)) <= LARGEST_CONSTANT:
            raise NotConstant(f"{node.op_type} of a large constant")
        from onnx.reference import ReferenceEvaluator

        evaluator: Any = ReferenceEvaluator(node, opsets=self._opsets)
        try:
            results = evaluator.run(None, given)
        except Exception as error:  # numpy's, and whatever else nonsense makes of it
            raise NotConstant(f"{node.op_type} that cannot be computed") from error
        if any(np.size(value) > LARGEST_CONSTANT for value in results):
            raise NotConstant(f"{node.op_type} of a large constant")
        self._values.update(zip(node.output, results, strict=True))
