"""What runs on a GPU, tried on the processor: batches, shorter numbers, and the choice of the device."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.small_models import nearest

from kakudai.engine import machine, runtimes
from kakudai.engine.runtimes import open_session
from kakudai.engine.runtimes.gathering import Gathering
from kakudai.engine.runtimes.torch import BATCH, open_model
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import ModelInvalid, RuntimeUnavailable, UsageError
from kakudai.models import find_model
from kakudai.models.catalogue import model_from_bytes

Tiles = Sequence[NDArray[np.float32]]


@pytest.fixture
def gpu(monkeypatch) -> None:
    """A machine with a GPU, which torch uses; in truth it is the processor."""
    monkeypatch.setattr(runtimes, "has_gpu", lambda: True)
    monkeypatch.setattr(machine, "has_gpu", lambda: True)
    monkeypatch.setattr("kakudai.engine.runtimes.torch.has_gpu", lambda: True)
    monkeypatch.setattr("kakudai.engine.runtimes.torch.DEVICE", "cpu")


def tile(height: int = 5, width: int = 7, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((1, 3, height, width), np.float32)


def photograph() -> NDArray[np.uint8]:
    y, x = np.mgrid[:150, :170] / 170
    image = np.stack([x, 0.8 - 0.6 * y, 0.3 + 0.2 * np.sin(60 * x * y)], axis=2)
    return (255 * image).astype(np.uint8)


def test_tiles_that_wait_are_done_together() -> None:
    seen, first, busy = [], threading.Event(), threading.Event()

    def double(tiles: Tiles) -> Tiles:
        seen.append([each.shape for each in tiles])
        first.set()
        busy.wait(10)
        return [2 * each for each in tiles]

    gathering = Gathering(double, 4)
    tiles = [tile(5, 7, seed) for seed in range(6)] + [tile(3, 3, 9)]
    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(gathering.run, tiles[0])]
        first.wait(10)
        results += [pool.submit(gathering.run, each) for each in tiles[1:]]
        while len(gathering._waiting) < 6:
            time.sleep(0.001)
        busy.set()
        for given, result in zip(tiles, results, strict=True):
            np.testing.assert_array_equal(result.result(10), 2 * given)
    assert sorted(map(len, seen)) == [1, 1, 1, 4], "at most four, and no other size among them"
    assert all(len(set(shapes)) == 1 for shapes in seen)


def test_what_goes_wrong_is_told_to_all_whose_tiles_it_concerns() -> None:
    def refuse(tiles: Tiles) -> Tiles:
        raise MemoryError("too large")

    gathering = Gathering(refuse, 4)
    with ThreadPoolExecutor(3) as pool:
        for result in [pool.submit(gathering.run, tile()) for _ in range(3)]:
            with pytest.raises(MemoryError, match="too large"):
                result.result(10)


@pytest.mark.parametrize("name", ["photo-fast-x2", "photo-restore-x1", "photo-restore-x2"])
@pytest.mark.usefixtures("gpu")
def test_torch_gives_what_the_file_gives(name: str) -> None:
    model = find_model(name)
    session, exact = open_model(model), open_session(model, runtime="onnxruntime")
    sides = [(40, 48), (40, 48), (40, 48), (24, 56)]
    inputs = [tile(*side, seed) for seed, side in enumerate(sides)]
    if model.takes_strength:
        inputs = [np.concatenate([x, np.full_like(x[:, :1], 0.4)], axis=1) for x in inputs]
    with ThreadPoolExecutor(BATCH) as pool:
        results = list(pool.map(session.run, inputs))
    assert model.halo is not None
    kept = slice(model.scale * model.halo, -model.scale * model.halo)
    for x, result in zip(inputs, results, strict=True):
        expected = exact.run(x)
        assert result.shape == expected.shape
        np.testing.assert_allclose(result[..., kept, kept], expected[..., kept, kept], atol=2e-5)


@pytest.mark.usefixtures("gpu")
def test_pictures_go_through_the_gpu() -> None:
    image = photograph()
    with (
        Upscaler(2, model="photo-x2", runtime="onnxruntime", device="cpu") as exact,
        Upscaler(2, model="photo-x2", device="cuda", tile=64) as tiled,
        Upscaler(2, model="photo-x2", device="cuda", tile=0) as whole,
    ):
        assert (exact.runtime, tiled.runtime, whole.runtime) == ("onnxruntime", "torch", "torch")
        assert (exact.numbers, tiled.numbers) == ("float32", "float16")
        result, expected = tiled.upscale(image).astype(int), exact.upscale(image)
        assert np.abs(result - expected).max() <= 1
        assert np.abs(result - whole.upscale(image)).max() <= 1
        deep = image.astype(np.uint16) * 257
        assert np.abs(tiled.upscale(deep).astype(int) - exact.upscale(deep)).max() <= 2


@pytest.mark.usefixtures("gpu")
def test_what_a_gpu_computes_with() -> None:
    ours, theirs = find_model("photo-x2"), replace(find_model("photo-x2"), name="theirs")
    usual = machine.Machine(device="cuda")
    assert (usual.numbers_of(ours), usual.numbers_of(theirs), usual.exact.numbers_of(ours)) == (
        "float16", "float32", "float32",
    )  # fmt: skip
    assert machine.Machine(device="cuda", precision="bfloat16").numbers_of(theirs) == "bfloat16"
    assert not machine.Machine().on_gpu, "until somebody has measured when it is faster"


@pytest.mark.usefixtures("gpu")
def test_a_gpu_that_cannot_be_used_is_said(monkeypatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeUnavailable("no CUDA-capable device is detected")

    model = find_model("photo-fast-x2")
    with pytest.raises(RuntimeUnavailable, match="this ONNX Runtime has no CUDA"):
        Upscaler(2, model=model, runtime="onnxruntime", device="cuda")
    with pytest.raises(RuntimeUnavailable, match="openvino runs on no GPU here"):
        open_session(model, runtime="openvino", gpu=True)
    monkeypatch.setattr("kakudai.engine.runtimes.torch.open_model", refuse)
    with pytest.raises(RuntimeUnavailable, match="no CUDA-capable device"):
        Upscaler(2, model=model, device="cuda")


def test_without_a_gpu(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(runtimes, "DRIVERS", (tmp_path / "nvidiactl",))
    asked = []
    monkeypatch.setattr(runtimes, "_uses_gpu", lambda name: asked.append(name) or name == "onnxruntime")
    assert not runtimes.has_gpu()
    assert asked == [], "no package is loaded to ask for what cannot be there"
    (tmp_path / "nvidiactl").touch()
    assert runtimes.has_gpu()
    assert asked == ["torch", "onnxruntime"]
    monkeypatch.setattr(machine, "has_gpu", lambda: False)
    with pytest.raises(RuntimeUnavailable, match="there is no GPU that a runtime can use") as caught:
        Upscaler(2, device="cuda")
    assert "onnxruntime-gpu" in caught.value.hint
    with pytest.raises(RuntimeUnavailable, match="float16 needs a GPU"):
        Upscaler(2, precision="float16")
    with pytest.raises(UsageError, match="no device is called 'tpu'"):
        Upscaler(2, device="tpu")  # type: ignore[arg-type]
    with pytest.raises(RuntimeUnavailable, match="torch sees no GPU"):
        open_model(find_model("photo-fast-x2"))


@pytest.mark.usefixtures("gpu")
def test_a_network_that_torch_does_not_have_is_refused() -> None:
    with pytest.raises(ModelInvalid, match="which kakudai does not have"):
        open_model(model_from_bytes(nearest(2), "nearest"))


@pytest.mark.usefixtures("gpu")
def test_a_batch_and_a_session_that_has_no_memory() -> None:
    model = find_model("photo-fast-x2")
    session = open_model(model)
    x = np.concatenate([tile(40, 48, seed) for seed in range(3)])
    np.testing.assert_allclose(session.run(x), np.concatenate([session.run(one[None]) for one in x]), atol=1e-6)

    def full(_: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    session._network_on = full  # type: ignore[method-assign]
    with pytest.raises(MemoryError, match="out of memory"):
        session.run(x)
    session._network_on = lambda _: torch.zeros(1, 2)[3]  # type: ignore[method-assign]
    with pytest.raises((ModelInvalid, IndexError)):
        session.run(x)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_real_gpu_gives_the_same_picture_with_every_tile() -> None:
    image = photograph()
    with Upscaler(2, model="photo-x2", device="cpu", runtime="onnxruntime") as exact:
        expected = exact.upscale(image).astype(int)
    for tile_side, precision in product((0, 64, 100), ("auto", "float32", "bfloat16")):
        with Upscaler(2, model="photo-x2", device="cuda", tile=tile_side, precision=precision) as upscaler:  # type: ignore[arg-type]
            assert np.abs(upscaler.upscale(image) - expected).max() <= (4 if precision == "bfloat16" else 1)
