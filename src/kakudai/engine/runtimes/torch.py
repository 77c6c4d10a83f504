"""torch: for networks that are in memory, such as one in the middle of its training, and for files on an NVIDIA GPU."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from math import lcm

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kakudai.engine.runtimes.gathering import Gathering
from kakudai.errors import ModelInvalid, RuntimeUnavailable
from kakudai.models import Model

DEVICE = "cuda"
"""What torch calls NVIDIA GPUs."""

BATCH = 8
"""Tiles that a GPU does at once."""

STEP = 32
"""Sides of tiles are filled up to multiples of this, so that there are few sizes: each is recorded once."""

OFTEN = 3
"""Times that a size has come when it is recorded, which costs as much as three runs."""

DEVICE_LOCK = threading.Lock()
"""Held by whoever uses the GPU: nothing else may be asked of it while work is recorded."""

MOST_RECORDED = 16
"""Sizes and numbers of tiles whose recordings are kept; each holds the memory of its features."""


class TorchSession:
    """A module that takes and gives RGB, as `train.color.LumaInRGB` makes one of a luma network."""

    name = "torch"
    workers = 1

    def __init__(self, network: nn.Module) -> None:
        self._network = network.eval()
        self._device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Session.run`."""
        try:
            with torch.inference_mode():
                y = self._network(torch.from_numpy(x).to(self._device))
            output: NDArray[np.float32] = y.float().cpu().numpy()
        except RuntimeError as error:
            if _is_memory(error):
                raise MemoryError(_first_line(error)) from error
            raise
        return output


class BatchedSession:
    """A network on a device that is quickest with several tiles at once.

    Convolutions, and what follows them without a sum in float32, compute in shorter numbers if asked to, as while the
    network was trained; float32 is float32, and not the shorter TF32 that GPUs take by themselves.

    Args:
        network: Takes and gives RGB.
        device: Where it runs.
        numbers: "float32", "float16" or "bfloat16", of the convolutions.
        step: Tiles are filled up at their ends to multiples of this; 1 for networks that look at all they are given.
    """

    name = "torch"
    workers = 2 * BATCH

    def __init__(self, network: nn.Module, device: torch.device, numbers: str, *, step: int) -> None:
        self._network = network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device, self._step = device, step
        self._kind: torch.dtype = getattr(torch, numbers)
        self._recorded: dict[tuple[int, ...], Recorded] = {}
        self._met: Counter[tuple[int, ...]] = Counter()
        self._gathering = Gathering(self._together, BATCH)

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Session.run`."""
        return np.concatenate([self._gathering.run(one[None]) for one in x])

    def _together(self, tiles: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        _, channels, height, width = tiles[0].shape
        rows, columns = (-(-side // self._step) * self._step for side in (height, width))
        count = 1 << (len(tiles) - 1).bit_length()  # so few numbers of tiles have to be recorded: 1, 2, 4, 8
        x = torch.zeros(count, channels, rows, columns)
        for place, tile in zip(x, tiles, strict=False):
            place[:, :height, :width] = torch.from_numpy(tile[0])
        try:
            with DEVICE_LOCK, torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
                results = self._enlarged(x.to(self._device, memory_format=torch.channels_last)).float().cpu().numpy()
        except RuntimeError as error:
            if _is_memory(error):
                self._recorded.clear()
                torch.cuda.empty_cache()
                raise MemoryError(_first_line(error)) from error
            raise ModelInvalid(f"torch failed: {_first_line(error)}", "try --device cpu") from error
        scale = results.shape[2] // rows
        return [result[None, :, : scale * height, : scale * width] for result in results[: len(tiles)]]

    def _enlarged(self, x: Tensor) -> Tensor:
        key = tuple(x.shape)
        self._met[key] += 1
        if self._device.type != "cuda" or self._step == 1 or self._met[key] < OFTEN:
            return self._network_on(x)
        recorded = self._recorded.pop(key, None) or Recorded(self._network_on, x)
        self._recorded[key] = recorded  # at the end: what was used last goes last
        if len(self._recorded) > MOST_RECORDED:
            self._recorded.pop(next(iter(self._recorded)))
        return recorded(x)

    def _network_on(self, x: Tensor) -> Tensor:
        short = self._kind != torch.float32
        with torch.autocast(self._device.type, self._kind if short else None, enabled=short, cache_enabled=False):
            y: Tensor = self._network(x)
        return y


class Recorded:
    """All work of a network on one size of input, recorded once and then started as one (CUDA graph)."""

    def __init__(self, network: Callable[[Tensor], Tensor], x: Tensor) -> None:
        self._x = x.clone()
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):  # libraries choose their kernels, which must not be recorded
                network(self._x)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._y = network(self._x)

    def __call__(self, x: Tensor) -> Tensor:
        """Run it on another input of that size. The result is overwritten by the next one."""
        self._x.copy_(x)
        self._graph.replay()
        return self._y


def has_gpu() -> bool:
    """Say whether torch can use an NVIDIA GPU here."""
    return torch.cuda.is_available()


def open_model(model: Model, *, numbers: str = "float32") -> BatchedSession:
    """Open a file of a network that kakudai has, on a GPU.

    Raises:
        RuntimeUnavailable: This torch cannot use one.
        ModelInvalid: It is of another network.
    """
    from kakudai.convert.to_safetensors import export_safetensors
    from kakudai.convert.torch_file import open_module
    from kakudai.engine.loading import open_network

    if not has_gpu():
        raise RuntimeUnavailable("torch sees no GPU that it can use", "install a torch for CUDA, or use --device cpu")
    weights = export_safetensors(model.data, model.name, open_network)
    network = open_module(weights, model.name)
    step = 1 if model.halo is None else lcm(STEP, model.multiple)
    try:
        return BatchedSession(network, torch.device(DEVICE), numbers, step=step)
    except RuntimeError as error:  # it is taken by others, or has no memory left
        raise RuntimeUnavailable(f"torch cannot use the GPU: {_first_line(error)}", "use --device cpu") from error


def _is_memory(error: RuntimeError) -> bool:
    # Its own OutOfMemoryError is for accelerators only; processors say it in words.
    return isinstance(error, torch.OutOfMemoryError) or "alloc" in str(error).lower()


def _first_line(error: RuntimeError) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
