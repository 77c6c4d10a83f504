"""An ONNX network as a plain list of steps: constants computed, names that only repeat others gone.

Exporters write out what they were told: paddings as chains of five operators over constants, a repetition of channels
as a reshaping by a shape that is looked up. What is left here is what another format can be asked to hold.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakudai.convert.packages import needed
from kakudai.errors import ModelInvalid

if TYPE_CHECKING:
    import onnx

EVERYTHING = 1 << 31
"""A slice that ends here ends with the picture."""

FLOAT = 1
"""float32 in ONNX: what pictures are anyway in networks of ours."""

Given: TypeAlias = str | NDArray[Any] | None
"""Name of a tensor that depends on the picture; a constant; or nothing, for an input that is left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operator that computes something from the picture.

    Args:
        kind: As ONNX calls it; beside these "Repeat", which repeats every channel `factor` times.
        given: What it takes.
        output: Name of what it gives.
        attributes: Of the operator.
    """

    kind: str
    given: tuple[Given, ...]
    output: str
    attributes: dict[str, Any]

    def constant(self, index: int) -> NDArray[Any] | None:
        """Return an input that is a constant; None where it is left out.

        Raises:
            ModelInvalid: It depends on the picture.
        """
        value = self.given[index] if index < len(self.given) else None
        if isinstance(value, str):
            raise ModelInvalid(
                f"the operator {self.kind} that makes {self.output!r} computes its arguments from the picture",
                "such networks can be exported to ONNX only",
            )
        return value


@dataclass(frozen=True, slots=True, eq=False)
class Folded:
    """A network from the picture `input` to `output`, in the order of computation."""

    steps: tuple[Step, ...]
    input: str
    output: str


def fold_network(model: "onnx.ModelProto") -> Folded:
    """Compute everything that does not depend on the picture, and keep what the first output needs.

    Inputs that have a default are constants.
    """
    folding = _Folding(model)
    for node in model.graph.node:
        folding.add(node)
    output = folding.names.get(model.graph.output[0].name, model.graph.output[0].name)
    wanted, kept = {output}, []
    for step in reversed(folding.steps):
        if step.output in wanted:
            kept.append(step)
            wanted.update(name for name in step.given if isinstance(name, str))
    return Folded(tuple(reversed(kept)), model.graph.input[0].name, str(output))


def compute(model: "onnx.ModelProto", x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run a network slowly, in numpy: to compare two networks that should be the same."""
    needed("onnx")
    from onnx.reference import ReferenceEvaluator

    evaluator: Any = ReferenceEvaluator(model)
    y: NDArray[np.float32] = evaluator.run(None, {model.graph.input[0].name: x})[0]
    return y


class _Folding:
    def __init__(self, model: "onnx.ModelProto") -> None:
        self._onnx = needed("onnx")
        to_array = self._onnx.numpy_helper.to_array
        self.constants: dict[str, NDArray[Any]] = {tensor.name: to_array(tensor) for tensor in model.graph.initializer}
        self.names: dict[str, str] = {}
        self.steps: list[Step] = []
        self._made: dict[str, Step] = {}
        self._opsets = {entry.domain: entry.version for entry in model.opset_import}

    def add(self, node: Any) -> None:
        """Compute a node, or make it a step."""
        given = tuple(self._given(name) for name in node.input)
        if not any(isinstance(value, str) for value in given):
            self._evaluate(node)
            return
        attributes = {entry.name: self._onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        step = Step(node.op_type, given, node.output[0], attributes)
        same = _same(step)
        if same is not None:
            self._define(node.output[0], same)
            return
        step = self._recognised(step)
        self.steps.append(step)
        self._made[step.output] = step

    def _given(self, name: str) -> Given:
        name = self.names.get(name, name)
        return self.constants.get(name, name or None)

    def _define(self, name: str, value: str | NDArray[Any]) -> None:
        if isinstance(value, str):
            self.names[name] = value
        else:
            self.constants[name] = value

    def _evaluate(self, node: Any) -> None:
        from onnx.reference import ReferenceEvaluator

        values = {name: self._given(name) for name in node.input if name}
        evaluator: Any = ReferenceEvaluator(node, opsets=self._opsets)
        results = evaluator.run(None, values)
        self.constants.update(zip(node.output, results, strict=True))

    def _recognised(self, step: Step) -> Step:
        """Return the one step that a chain of steps stands for, or the step itself."""
        before = self._made.get(str(step.given[0])) if isinstance(step.given[0], str) else None
        if step.kind == "ReduceMean":
            axes = _mean_axes(step)
            if before is not None and before.kind == "ReduceMean":
                axes, step = axes | _mean_axes(before), Step(step.kind, before.given, step.output, step.attributes)
            if axes == {2, 3}:
                return Step("GlobalAveragePool", step.given[:1], step.output, {})
        if step.kind == "Reshape" and before is not None and before.kind == "Tile":
            first, repeats = self._made.get(str(before.given[0])), before.given[1]
            if first is not None and first.kind == "Unsqueeze" and isinstance(repeats, np.ndarray):
                axes = {int(n) for n in np.ravel(first.given[1])} if isinstance(first.given[1], np.ndarray) else set()
                if axes == {2} and repeats.size == 5 and repeats.prod() == repeats[2]:
                    return Step("Repeat", first.given[:1], step.output, {"factor": int(repeats[2])})
        return step


def _same(step: Step) -> str | NDArray[Any] | None:
    """Return what a step gives where it only hands on one of its inputs."""
    result: Given = None
    if step.kind == "Identity" or (step.kind == "Cast" and step.attributes.get("to") == FLOAT):
        result = step.given[0]
    elif step.kind == "Where" and isinstance(step.given[0], np.ndarray):
        if step.given[0].all():
            result = step.given[1]
        elif not step.given[0].any():
            result = step.given[2]
    elif step.kind == "Slice" and all(isinstance(value, np.ndarray) for value in step.given[1:3]):
        starts, ends = np.ravel(step.given[1]), np.ravel(step.given[2])  # type: ignore[arg-type]
        steps = step.given[4] if len(step.given) > 4 else np.ones(1)
        if not starts.any() and (ends > EVERYTHING).all() and isinstance(steps, np.ndarray) and (steps == 1).all():
            result = step.given[0]
    return result


def _mean_axes(step: Step) -> set[int]:
    """Return the axes of a mean that keeps them, with one element each."""
    axes = step.attributes.get("axes")
    if axes is None and len(step.given) > 1 and isinstance(step.given[1], np.ndarray):
        axes = step.given[1]
    keeps = step.attributes.get("keepdims", 1)
    return set() if axes is None or not keeps else {int(n) % 4 for n in np.ravel(axes)}
