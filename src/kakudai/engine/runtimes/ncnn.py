"""ncnn: runs its own .param and .bin as they are, without a conversion in between."""

import tempfile
import threading
from pathlib import Path

import ncnn
import numpy as np
from numpy.typing import NDArray

from kakudai.errors import ModelInvalid
from kakudai.models import Model

HALF = (
    "use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_packed", "use_bf16_storage",
    "use_int8_inference", "use_int8_packed", "use_int8_storage", "use_int8_arithmetic", "use_vulkan_compute",
)  # fmt: skip
"""Options that would change the result, or the device."""


class NcnnSession:
    """A network in ncnn that uses all threads for one tile.

    Two workers are worth it: one converts pixels while the other's tile is in the network. What ncnn's networks lose at
    their border is added in front of them, as edge pixels: tiles carry real pixels there already.
    """

    name = "ncnn"
    workers = 2

    def __init__(self, model: Model, threads: int) -> None:
        param, weights, pad = _files(model)
        self._pad, self._scale, self._turn = pad, model.scale, threading.Lock()
        self._net = ncnn.Net()
        self._net.opt.num_threads = threads
        for option in HALF:
            if hasattr(self._net.opt, option):
                setattr(self._net.opt, option, False)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "weights.bin"
            path.write_bytes(weights)
            if self._net.load_param_mem(param.decode("utf-8-sig")) or self._net.load_model(str(path)):
                raise ModelInvalid(f"ncnn refuses {model.name}", "run it with --runtime onnxruntime")
        inputs, outputs = self._net.input_names(), self._net.output_names()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelInvalid(f"{model.name} does not take one picture and give one", "try another --runtime")
        self._input, self._output = inputs[0], outputs[0]

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Session.run`."""
        return np.stack([self._run(planes) for planes in x])

    def _run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Enlarge (3, H, W)."""
        pad = self._pad
        padded = np.pad(planes, ((0, 0), (pad, pad), (pad, pad)), mode="edge") if pad else planes
        padded = np.ascontiguousarray(padded)  # ncnn takes its address and does not hold it
        with self._turn:
            extractor = self._net.create_extractor()
            extractor.input(self._input, ncnn.Mat(padded).clone())
            code, result = extractor.extract(self._output)
        if code == NO_MEMORY:
            raise MemoryError("ncnn has no memory for a tile of this size")
        if code:
            raise ModelInvalid(f"ncnn failed with the code {code}", "try another --runtime")
        y: NDArray[np.float32] = np.array(result)
        top, left = ((y.shape[axis] - planes.shape[axis] * self._scale) // 2 for axis in (1, 2))
        return y[:, top : y.shape[1] - top, left : y.shape[2] - left]


NO_MEMORY = -100


def open_model(model: Model, *, threads: int) -> NcnnSession:
    """Load a model, see `open_session`.

    Raises:
        ModelInvalid: It cannot be written in ncnn's form, or ncnn refuses it.
    """
    return NcnnSession(model, threads)


def _files(model: Model) -> tuple[bytes, bytes, int]:
    """Return the .param, the .bin and how many pixels are added around a picture."""
    pad = model.card.get("native_pad", "none")
    if model.native is not None and pad.isdecimal():
        return *model.native, int(pad)
    from kakudai.convert.to_ncnn import export_ncnn

    param, weights = export_ncnn(model.data, model.name, check=False)
    return param.encode(), weights, 0
