"""How networks are run: by which runtime, on how many processors, with which numbers."""

import platform
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from kakudai.engine.runtimes import RuntimeName, available, check_runtime, has_gpu
from kakudai.errors import RuntimeUnavailable, UsageError
from kakudai.models import Model
from kakudai.models.shipped import is_shipped, ships_int8

Numbers: TypeAlias = Literal["float32", "bfloat16", "float16", "int8"]

Device: TypeAlias = Literal["auto", "cpu", "cuda"]

Precision: TypeAlias = Literal["auto", Numbers]

DOT_PRODUCTS = {"avx512_vnni", "avx_vnni"}
"""What x86 processors call instructions that add up products of 8-bit numbers in 32 bits. Others cut sums of two off at
16 bits, so that large values come out wrong."""

MATRIX_UNIT = "amx_bf16"
"""What x86 processors call the unit that multiplies matrices of bfloat16 and adds up in float32."""

LONGEST_NAME = 64
"""Of a shipped network; what others call theirs may be longer than any file's name."""

PROCESSOR = Path("/proc/cpuinfo")
"""Where Linux says what its processors can do."""


@dataclass(frozen=True, slots=True)
class Machine:
    """How networks are run.

    Args:
        runtime: See `open_session`.
        threads: Processor threads; None uses all that this process may.
        precision: What networks compute with: "float32"; "bfloat16", for which OpenVINO and a processor with a matrix
            unit are needed, or a GPU; "float16", on a GPU; "int8", which takes shipped networks of 8-bit numbers where
            there are some. "auto" takes what is faster for shipped networks, and as good: float16 on a GPU; with
            OpenVINO bfloat16 where there is a matrix unit, else int8 where there is a file; float32 everywhere else.
        device: "cpu", "cuda" for an NVIDIA GPU, or "auto", which is the processor: nobody has measured yet when a GPU
            is faster.

    Attributes:
        numbers: What shipped networks compute with, where there are such.

    Raises:
        UsageError: There is no such runtime, precision or device, or there are no threads.
        RuntimeUnavailable: The device, or the runtime, is not there or cannot compute with it.
    """

    runtime: RuntimeName = "auto"
    threads: int | None = None
    precision: Precision = "auto"
    device: Device = "auto"
    numbers: Numbers = field(init=False)

    def __post_init__(self) -> None:
        check_runtime(self.runtime)
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"threads is {self.threads}", "accepted are whole numbers from 1")
        if self.device not in get_args(Device):
            raise UsageError(f"no device is called {self.device!r}", f"accepted are {', '.join(get_args(Device))}")
        if self.precision not in get_args(Precision):
            hint = f"accepted are {', '.join(get_args(Precision))}"
            raise UsageError(f"no precision is called {self.precision!r}", hint)
        if self.precision == "int8":
            check_int8()
        if self.on_gpu and not has_gpu():
            hint = "with an NVIDIA GPU: pip install torch onnx safetensors, or onnxruntime-gpu instead of onnxruntime"
            raise RuntimeUnavailable("there is no GPU that a runtime can use", hint)
        if self.precision == "bfloat16" and not (self.on_gpu or (self._has_openvino and has_matrix_unit())):
            needs = "a GPU, or OpenVINO and a processor with a matrix unit (AMX)"
            raise RuntimeUnavailable(f"bfloat16 needs {needs}", "use --precision auto")
        if self.precision == "float16" and not self.on_gpu:
            raise RuntimeUnavailable("float16 needs a GPU", "use --precision auto")
        # Once: what is installed, and what the processor can do, is found out from files.
        object.__setattr__(self, "numbers", self._found_numbers())

    @property
    def arguments(self) -> dict[str, Any]:
        """What `Upscaler` has to be told to run networks like this; JSON can hold it."""
        return {name: getattr(self, name) for name in ("runtime", "threads", "precision", "device")}

    @property
    def on_gpu(self) -> bool:
        """Whether networks run on a GPU."""
        return self.device == "cuda"

    def _found_numbers(self) -> Numbers:
        if self.precision != "auto":
            return self.precision
        if self.on_gpu:
            return "float16"
        if not self._has_openvino:
            return "float32"
        if has_matrix_unit():
            return "bfloat16"
        return "int8" if adds_exactly() and ships_int8() else "float32"

    @property
    def exact(self) -> "Machine":
        """The same for pictures of more than 8 bits, which show what shorter numbers lose: `auto` is float32."""
        return replace(self, precision="float32") if self.precision == "auto" else self

    def numbers_of(self, model: Model) -> Numbers:
        """Return what one network computes with: one that does not ship, only by request with other than its own."""
        if model.precision == "int8":
            return "int8"
        taken = self.numbers
        known = len(model.name) < LONGEST_NAME and is_shipped(model.name)
        short = taken in ("bfloat16", "float16") and (self.precision == taken or known)
        return taken if short else "float32"

    @property
    def _has_openvino(self) -> bool:
        return (available()[0].name if self.runtime == "auto" else self.runtime) == "openvino"


def check_int8() -> None:
    """Make sure that this processor computes exactly with 8-bit numbers.

    Raises:
        RuntimeUnavailable: It is not known to.
    """
    if not adds_exactly():
        raise RuntimeUnavailable("this processor does not compute exactly with int8", "use --precision float32")


def adds_exactly() -> bool:
    """Say whether sums of products of 8-bit numbers are known to be exact on this processor."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    return not DOT_PRODUCTS.isdisjoint(_instructions())


def has_matrix_unit() -> bool:
    """Say whether the processor is known to have a unit for matrices of bfloat16."""
    return MATRIX_UNIT in _instructions()


def _instructions() -> frozenset[str]:
    """Return the words of what the system says of its processors; none where it does not say."""
    try:
        return frozenset(PROCESSOR.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return frozenset()
