"""ONNX Runtime: the default, the same on every platform."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from kakudai.errors import ModelInvalid, RuntimeUnavailable
from kakudai.models import Model

LOG_FATAL = 4

CUDA = "CUDAExecutionProvider"


class OnnxRuntimeSession:
    """One session whose runs use one thread each: tiles in parallel scale better than the inside of one tile.

    Networks that look at the whole picture, and are best run on it at once, use all threads inside one run.

    Args:
        model: The network.
        threads: Processor threads.
        gpu: Run it on an NVIDIA GPU, for which the package onnxruntime-gpu is needed.
    """

    name = "onnxruntime"

    def __init__(self, model: Model, threads: int, *, gpu: bool = False) -> None:
        whole = model.halo is None
        self.workers = 1 if whole else threads
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads if whole else 1
        options.inter_op_num_threads = 1
        options.log_severity_level = LOG_FATAL
        # What was checked was an ONNX file: no bytes may be taken for its other format, which nobody has checked.
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            providers = [(CUDA, {"use_tf32": "0"})] * gpu + ["CPUExecutionProvider"]
            self._session = onnxruntime.InferenceSession(model.data, options, providers=providers)
        except Exception as error:
            raise ModelInvalid(f"ONNX Runtime refuses {model.name}: {_first_line(error)}", "export it again") from error
        if gpu and self._session.get_providers()[0] != CUDA:  # it goes on without, and says so in its log only
            raise RuntimeUnavailable("ONNX Runtime cannot use the GPU", "see that CUDA and cuDNN fit onnxruntime-gpu")
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        expected = 1 + (len(model.pools.averages) if model.pools else 0)
        if len(inputs) != 1 or len(outputs) != expected or inputs[0].type != "tensor(float)":
            raise ModelInvalid(f"{model.name} does not take one float32 tensor and give one", "export it again")
        self._input, self._output = inputs[0].name, outputs[0].name
        self._options = onnxruntime.RunOptions()
        self._options.only_execute_path_to_fetches = True

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Session.run`."""
        return self.run_stage(x, {}, ())[0]

    def run_stage(
        self, x: NDArray[np.float32], given: Mapping[str, NDArray[Any]], names: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """See `StagedSession.run_stage`."""
        wanted = list(names) or [self._output]
        try:
            outputs: list[NDArray[np.float32]] = self._session.run(wanted, {self._input: x, **given}, self._options)
        except Exception as error:
            if "alloc" in str(error).lower():
                raise MemoryError(_first_line(error)) from error
            raise ModelInvalid(f"ONNX Runtime failed: {_first_line(error)}", "try another --runtime") from error
        return outputs


def open_model(model: Model, *, threads: int, gpu: bool = False) -> OnnxRuntimeSession:
    """Load a model, see `open_session`.

    Raises:
        RuntimeUnavailable: It is to run on a GPU, and cannot.
    """
    if gpu and not has_gpu():
        raise RuntimeUnavailable("this ONNX Runtime has no CUDA", "pip install onnxruntime-gpu instead of onnxruntime")
    return OnnxRuntimeSession(model, threads, gpu=gpu)


def has_gpu() -> bool:
    """Say whether this ONNX Runtime is made for NVIDIA GPUs."""
    return CUDA in onnxruntime.get_available_providers()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
