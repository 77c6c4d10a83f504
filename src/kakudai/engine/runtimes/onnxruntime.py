"""ONNX Runtime: the default, the same on every platform."""

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from kakudai.errors import ModelInvalid
from kakudai.models import Model

LOG_FATAL = 4


class OnnxRuntimeSession:
    """One session whose runs use one thread each: tiles in parallel scale better than the inside of one tile."""

    name = "onnxruntime"

    def __init__(self, model: Model, threads: int) -> None:
        self.workers = threads
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = LOG_FATAL
        # What was checked was an ONNX file: no bytes may be taken for its other format, which nobody has checked.
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            self._session = onnxruntime.InferenceSession(model.data, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelInvalid(f"ONNX Runtime refuses {model.name}: {_first_line(error)}", "export it again") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type != "tensor(float)":
            raise ModelInvalid(f"{model.name} does not take one float32 tensor and give one", "export it again")
        self._input = inputs[0].name

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Session.run`."""
        try:
            output: NDArray[np.float32] = self._session.run(None, {self._input: x})[0]
        except Exception as error:
            if "alloc" in str(error).lower():
                raise MemoryError(_first_line(error)) from error
            raise ModelInvalid(f"ONNX Runtime failed: {_first_line(error)}", "try another --runtime") from error
        return output


def open_model(model: Model, *, threads: int) -> OnnxRuntimeSession:
    """Load a model, see `open_session`."""
    return OnnxRuntimeSession(model, threads)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
