"""OpenVINO: faster than ONNX Runtime on x86 processors for large networks."""

import functools
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakudai.errors import ModelInvalid
from kakudai.models import Model

TELEMETRY = "openvino_telemetry"

# Importing OpenVINO reports that to Google Analytics, from a forked process, and leaves an identity in ~/intel. It does
# without where this package cannot be imported, and kakudai goes to no address that the user has not named.
_SILENCED = TELEMETRY not in sys.modules
if _SILENCED:
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]
try:
    import openvino
finally:
    if _SILENCED:
        del sys.modules[TELEMETRY]


@functools.cache
def the_core() -> Any:
    """Return the one core of this process.

    Each core gives the main thread a stack of its own for signals, and takes it away again when it goes. When two go in
    the order in which they came, the stack that is left is one that no longer exists, and the next Ctrl-C is a
    segmentation fault (2026.4). The first core therefore stays.
    """
    return openvino.Core()


class Binding:
    """What OpenVINO's Python binding has to be spared, in all sessions of this process.

    When it is first used, it prepares itself inside a lock of C++ and lets Python's own lock go and takes it again
    meanwhile. A second thread that comes then holds Python's lock and waits for that of C++ for ever (2026.4; one of
    two hundred runs that began with two networks at once). The first run is therefore alone.
    """

    def __init__(self) -> None:
        self._first, self._begun = threading.Lock(), threading.Event()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the end of the first run, if this is not it."""
        if self._begun.is_set():
            yield
            return
        with self._first:
            if not self._begun.is_set():
                yield
                self._begun.set()
                return
        yield


BINDING = Binding()


class OpenVinoSession:
    """One compiled model that uses all threads for one tile.

    Runs of one session take turns, for a request holds its inputs. Two workers are still worth it: one converts pixels
    while the other's tile is in the network.
    """

    name = "openvino"
    workers = 2

    def __init__(self, model: Model, threads: int, *, bfloat16: bool = False) -> None:
        settings = {
            # Unasked, it would take bfloat16 wherever the processor has it. What follows the last convolution, as the
            # sum with the picture, stays float32 in both cases.
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            core = the_core()
            self._request = core.compile_model(core.read_model(model.data, b""), "CPU", settings).create_infer_request()
        except Exception as error:
            raise ModelInvalid(
                f"OpenVINO refuses {model.name}: {_last_line(error)}", "try --runtime onnxruntime"
            ) from error
        self._turn = threading.Lock()

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Session.run`."""
        try:
            with self._turn, BINDING.turn():
                result = self._request.infer([x], share_inputs=True)[0]
        except Exception as error:
            if "alloc" in str(error).lower():
                raise MemoryError(_last_line(error)) from error
            raise ModelInvalid(f"OpenVINO failed: {_last_line(error)}", "try --runtime onnxruntime") from error
        output: NDArray[np.float32] = result
        return output


def open_model(model: Model, *, threads: int, bfloat16: bool = False) -> OpenVinoSession:
    """Load a model, see `open_session`."""
    return OpenVinoSession(model, threads, bfloat16=bfloat16)


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]
