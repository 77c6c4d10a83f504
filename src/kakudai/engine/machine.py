"""How networks are run: by which runtime, on how many processors, with which numbers."""

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from kakudai.engine.runtimes import RuntimeName, available
from kakudai.errors import RuntimeUnavailable, UsageError

Precision: TypeAlias = Literal["auto", "float32", "int8"]

DOT_PRODUCTS = {"avx512_vnni", "avx_vnni"}
"""What x86 processors call instructions that add up products of 8-bit numbers in 32 bits. Others cut sums of two off at
16 bits, so that large values come out wrong."""

PROCESSOR = Path("/proc/cpuinfo")
"""Where Linux says what its processors can do."""


@dataclass(frozen=True, slots=True)
class Machine:
    """How networks are run.

    Args:
        runtime: See `open_session`.
        threads: Processor threads; None uses all that this process may.
        precision: "int8" takes shipped networks of 8-bit numbers where there are some, "float32" never does. "auto"
            does where the runtime gains from them: OpenVINO is more than twice as fast with them, ONNX Runtime slower.

    Raises:
        UsageError: There is no such precision.
        RuntimeUnavailable: The processor does not compute exactly with it.
    """

    runtime: RuntimeName = "auto"
    threads: int | None = None
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        if self.precision not in get_args(Precision):
            hint = f"accepted are {', '.join(get_args(Precision))}"
            raise UsageError(f"no precision is called {self.precision!r}", hint)
        if self.precision == "int8":
            check_int8()

    @property
    def takes_int8(self) -> bool:
        """Whether networks of 8-bit numbers are taken where there are some."""
        if self.precision != "auto":
            return self.precision == "int8"
        runtime = available()[0].name if self.runtime == "auto" else self.runtime
        return runtime == "openvino" and adds_exactly()


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
    try:
        words = PROCESSOR.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return False
    return not DOT_PRODUCTS.isdisjoint(words)
