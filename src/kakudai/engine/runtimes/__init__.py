"""Ways to execute a network. One file each, and only that file imports the runtime's package."""

import logging
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kakudai.errors import ModelInvalid, RuntimeUnavailable, UsageError
from kakudai.models import Model

logger = logging.getLogger(__name__)

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where Linux tells a container how much processor time it may use per period."""

DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/dxg"), Path("C:/Windows/System32/nvcuda.dll"))
"""What is there where NVIDIA's driver is: no package that knows of GPUs is loaded without."""

EXTRAS = {"openvino": "kakudai[openvino]", "ncnn": "kakudai[convert]"}
"""Runtime -> what installs it, where that is not its own name."""

RuntimeName: TypeAlias = Literal["auto", "onnxruntime", "openvino", "ncnn"]


class Session(Protocol):
    """A network that is loaded and can be run from several threads at once.

    Args:
        name: Name of the runtime.
        workers: How many tiles should be in flight to keep the device busy.
    """

    name: str
    workers: int

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Enlarge a batch of tiles.

        Shape: (N, 3, H, W) RGB in [0, 1] -> (N, 3, scale H, scale W), not clipped.

        Raises:
            MemoryError: The tile is too large for the memory there is.
        """
        ...


@runtime_checkable
class StagedSession(Session, Protocol):
    """A session that can stop inside the network: for averages over a picture that is larger than a tile."""

    def run_stage(
        self, x: NDArray[np.float32], given: Mapping[str, NDArray[Any]], names: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """Run as much of the network as some of its outputs need.

        Args:
            x: See `run`.
            given: Values of its other inputs, by name, instead of their defaults.
            names: The outputs that are wanted; none stands for the picture alone.

        Raises:
            MemoryError: The tile is too large for the memory there is.
        """
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """What is known about one runtime on this machine.

    Args:
        version: Version of its package, or None where it is not installed.
        reason: Why `auto` takes it or not.
    """

    name: str
    version: str | None
    reason: str


def available() -> list[Found]:
    """List all runtimes, the one that `auto` takes first, without importing any of them."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    openvino = _version("openvino")
    takes_openvino = openvino is not None and x86
    why = "not installed" if openvino is None else "installed, x86 processor" if x86 else "the processor is not x86"
    found = [
        Found("openvino", openvino, why),
        Found("onnxruntime", _version("onnxruntime"), "runs everywhere"),
        Found("ncnn", _version("ncnn"), "only when it is asked for"),
        Found("torch", _version("torch"), "for NVIDIA GPUs, and for networks in memory"),
    ]
    return found if takes_openvino else [found[1], found[0], *found[2:]]


def check_runtime(name: str) -> None:
    """Make sure that a runtime is there, as far as can be said without starting it.

    Raises:
        UsageError: No runtime has that name.
        RuntimeUnavailable: It is not installed.
    """
    if name not in get_args(RuntimeName):
        raise UsageError(f"no runtime is called {name!r}", f"accepted are {', '.join(get_args(RuntimeName))}")
    if name != "auto":
        _check_installed(name)


def _check_installed(name: str) -> None:
    if _version(name) is None:
        raise RuntimeUnavailable(
            f"{name} is not installed", f"pip install '{EXTRAS.get(name, name)}', or use --runtime auto"
        )


def open_session(
    model: Model,
    *,
    runtime: RuntimeName = "auto",
    threads: int | None = None,
    numbers: str = "float32",
    gpu: bool = False,
) -> Session:
    """Load a model.

    Args:
        runtime: "auto" takes OpenVINO where it is installed, starts, and the processor is x86, else ONNX Runtime. It
            takes ONNX Runtime for networks that average over the whole picture, for no other can do so with tiles.
            On a GPU it takes torch for networks that kakudai has, and ONNX Runtime for all others.
        threads: Processor threads; None uses all that this process may.
        numbers: What convolutions compute with: "bfloat16" for OpenVINO, it and "float16" for torch on a GPU. Runtimes
            that cannot compute with them take float32.
        gpu: Run it on an NVIDIA GPU.

    Raises:
        UsageError: No runtime has that name.
        RuntimeUnavailable: It is not installed, or does not start, or not on a GPU.
        ModelInvalid: It refuses the model.
    """
    check_runtime(runtime)
    threads = threads or usable_processors()
    if gpu:
        return _open_on_gpu(model, runtime, threads, numbers)
    words = {"bfloat16": True} if numbers == "bfloat16" else {}
    if runtime == "auto" and model.pools is None and available()[0].name == "openvino":
        try:
            return _open("openvino", model, threads=threads, **words)
        except (RuntimeUnavailable, ModelInvalid) as error:
            session = _open("onnxruntime", model, threads=threads)
            logger.warning("OpenVINO is installed and cannot be used, so ONNX Runtime is: %s", error.message)
            return session
    if runtime == "openvino":
        return _open(runtime, model, threads=threads, **words)
    return _open("onnxruntime" if runtime == "auto" else runtime, model, threads=threads)


def _open_on_gpu(model: Model, runtime: RuntimeName, threads: int, numbers: str) -> Session:
    """Load a model on a GPU: with torch if nothing else was named, and ONNX Runtime where that cannot."""
    if runtime not in ("auto", "onnxruntime"):
        raise RuntimeUnavailable(f"{runtime} runs on no GPU here", "use --runtime auto or onnxruntime, or --device cpu")
    if runtime == "auto" and model.pools is None:
        try:
            return _open("torch", model, numbers=numbers)
        except (RuntimeUnavailable, ModelInvalid) as error:
            if not _uses_gpu("onnxruntime"):
                raise
            logger.warning("torch does not run %s on the GPU, so ONNX Runtime does: %s", model.name, error.message)
    return _open("onnxruntime", model, threads=threads, gpu=True)


def _open(name: str, model: Model, **words: Any) -> Session:
    _check_installed(name)
    try:
        module = import_module(f"{__name__}.{name}")
    except (ImportError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RuntimeUnavailable(
            f"{name} is installed and does not start: {reason}",
            f"pip install --force-reinstall '{EXTRAS.get(name, name)}'",
        ) from error
    session: Session = module.open_model(model, **words)
    return session


def has_gpu() -> bool:
    """Say whether there is an NVIDIA GPU that a runtime which is installed can use; asks them only if there is one."""
    return any(path.exists() for path in DRIVERS) and any(map(_uses_gpu, ("torch", "onnxruntime")))


@cache
def _uses_gpu(name: str) -> bool:
    """Say whether a runtime can use a GPU; importing torch takes seconds."""
    if _version(name) is None:
        return False
    try:
        found: bool = import_module(f"{__name__}.{name}").has_gpu()
    except (ImportError, OSError):
        return False
    return found


def usable_processors() -> int:
    """Return how many processors this process may use: its affinity where the system knows it, capped by a
    container's quota.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = CPU_QUOTA.read_text(encoding="ascii").split()
        return count if quota == "max" else max(1, min(count, round(int(quota) / int(period))))
    except (OSError, ValueError):
        return count


def _version(package: str) -> str | None:
    return None if find_spec(package) is None else _stated_version(package)


@cache
def _stated_version(package: str) -> str:
    """Return what a package that is installed says of itself, in a file that takes milliseconds to read."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"
