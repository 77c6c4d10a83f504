"""engine/runtimes/: what is chosen, what it says when it fails, and that nobody hears of it."""

import logging
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.small_models import CARD, convolutional

from kakudai.engine import runtimes
from kakudai.engine.runtimes import Session, open_session, usable_processors
from kakudai.engine.runtimes.onnxruntime import OnnxRuntimeSession
from kakudai.engine.runtimes.openvino import Binding
from kakudai.engine.runtimes.torch import TorchSession
from kakudai.errors import ModelInvalid, RuntimeUnavailable
from kakudai.models import Model, find_model

NOT_A_NETWORK = Model("broken", 2, 0, 1, b"\x3a\x00", CARD)


@pytest.fixture
def network(tmp_path: Path) -> Model:
    (tmp_path / "test.onnx").write_bytes(convolutional())
    return find_model(tmp_path / "test.onnx")


@pytest.fixture
def fallback_only(monkeypatch) -> None:
    """OpenVINO is installed on an x86 processor, and its import fails."""
    real = runtimes.import_module

    def broken(name: str):
        if name.endswith("openvino"):
            raise ImportError("libopenvino.so: cannot open shared object file\nsecond line")
        return real(name)

    monkeypatch.setattr(runtimes, "import_module", broken)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def test_openvino_computes_in_float32_although_the_processor_could_do_less(network: Model) -> None:
    session = open_session(network, runtime="openvino")
    precision = session._request.get_compiled_model().get_property("INFERENCE_PRECISION_HINT")
    assert precision.to_string() == "f32"
    x = np.random.default_rng(0).random((1, 3, 60, 50), np.float32)
    np.testing.assert_allclose(session.run(x), open_session(network, runtime="onnxruntime").run(x), atol=1e-5)


def test_openvino_reports_to_nobody(tmp_path: Path) -> None:
    """Its import would start a process that goes to Google Analytics, and leave an identity in ~/intel."""
    code = (
        "import sys, threading\n"
        "from kakudai.engine.runtimes import open_session\nfrom kakudai.models import find_model\n"
        "open_session(find_model(sys.argv[1]), runtime='openvino')\n"
        "print(*[name for name in sys.modules if name.startswith('openvino_telemetry')], threading.active_count())"
    )
    (tmp_path / "test.onnx").write_bytes(convolutional())
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home)}
    words = [sys.executable, "-c", code, tmp_path / "test.onnx"]
    result = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["1"]
    assert list(home.rglob("*")) == []


@pytest.mark.usefixtures("fallback_only")
def test_an_openvino_that_does_not_start_is_replaced_or_named(network: Model, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        assert open_session(network).name == "onnxruntime"
    assert "libopenvino.so" in caplog.text
    with pytest.raises(RuntimeUnavailable, match="does not start: libopenvino") as caught:
        open_session(network, runtime="openvino")
    assert "\n" not in caught.value.message
    assert "kakudai[openvino]" in caught.value.hint


@pytest.mark.parametrize("runtime", ["auto", "onnxruntime", "openvino"])
def test_bytes_that_no_runtime_takes_are_one_error_and_no_warning(runtime, caplog) -> None:
    with pytest.raises(ModelInvalid, match="refuses broken"):
        open_session(NOT_A_NETWORK, runtime=runtime)
    assert not caplog.records


def test_the_other_format_of_onnx_runtime_is_not_tried(tmp_path: Path) -> None:
    flat = Model("flat", 2, 0, 1, b"\x20\x00\x00\x00ORTM" + bytes(64), CARD)
    with pytest.raises(ModelInvalid, match=r"(?i)protobuf"):
        OnnxRuntimeSession(flat, 1)


class Failing(torch.nn.Module):
    """Also stands for the objects inside other sessions."""

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def run(self, *ignored: object, **options: object) -> None:
        raise RuntimeError(self.message)

    forward = infer = run


@pytest.mark.parametrize(
    "message", ["Failed to allocate memory for requested buffer of size 9", "std::bad_alloc", "can't allocate memory"]
)
def test_failed_allocations_are_memory_errors(network: Model, message: str) -> None:
    onnx, vino = open_session(network, runtime="onnxruntime"), open_session(network, runtime="openvino")
    onnx._session = vino._request = Failing(message)
    for session in (onnx, vino, TorchSession(Failing(message))):
        with pytest.raises(MemoryError):
            session.run(np.zeros((1, 3, 8, 8), np.float32))


def test_other_failures_are_not_memory_errors(network: Model) -> None:
    session = open_session(network, runtime="onnxruntime")
    session._session = Failing("a bug")
    with pytest.raises(ModelInvalid, match="a bug"):
        session.run(np.zeros((1, 3, 8, 8), np.float32))
    with pytest.raises(RuntimeError, match="a bug"):
        TorchSession(Failing("a bug")).run(np.zeros((1, 3, 8, 8), np.float32))


def test_the_first_run_of_openvino_is_alone_and_later_ones_are_not(network: Model, monkeypatch) -> None:
    monkeypatch.setattr("kakudai.engine.runtimes.openvino.BINDING", Binding())
    together = threading.Barrier(2)
    first = threading.Lock()

    class Request:
        """Stands for a compiled network; runs after the first wait until there are two at once."""

        def __init__(self) -> None:
            self.calls = 0

        def infer(self, inputs: list[np.ndarray], **_: bool) -> list[np.ndarray]:
            self.calls += 1
            if self.calls == 1:
                assert first.acquire(blocking=False), "two first runs at once"
                time.sleep(0.02)
                first.release()
            else:
                together.wait(10)
            return inputs

    def work(session: Session) -> None:
        for _ in range(3):
            session.run(np.zeros((1, 3, 8, 8), np.float32))

    sessions = [open_session(network, runtime="openvino") for _ in range(2)]
    for session in sessions:
        monkeypatch.setattr(session, "_request", Request())
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, sessions))


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_two_sessions_run_from_four_threads(network: Model, runtime) -> None:
    """Without turns, OpenVINO calls a request busy that two threads want, or hangs."""
    sessions = [open_session(network, runtime=runtime) for _ in range(2)]
    wrong = []

    def work(seed: int) -> None:
        x = np.random.default_rng(seed).random((1, 3, 20 + seed, 16), np.float32)
        expected = sessions[0].run(x)
        wrong.extend((seed, turn) for turn in range(100) if (sessions[turn % 2].run(x) != expected).any())

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("text", "expected"), [("max 100000", 4), ("150000 100000", 2), ("10000 100000", 1), ("900000 100000", 4), ("x", 4)]
)
def test_a_container_s_quota_limits_the_processors(text: str, expected: int, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(runtimes, "CPU_QUOTA", tmp_path / "cpu.max")
    assert usable_processors() == expected


def test_signals_arrive_after_networks_of_openvino_have_gone_in_any_order(network: Model, tmp_path: Path) -> None:
    """A core of OpenVINO that goes too early leaves the process without a stack for its signals."""
    path = tmp_path / "network.onnx"
    path.write_bytes(network.data)
    code = (
        "import gc, signal, sys\n"
        "from kakudai.engine.runtimes import open_session\n"
        "from kakudai.models import find_model\n"
        "arrived = []\n"
        "signal.signal(signal.SIGINT, lambda number, frame: arrived.append(number))\n"
        "sessions = [open_session(find_model(sys.argv[1]), runtime='openvino') for _ in range(3)]\n"
        "while sessions:\n"
        "    del sessions[0]\n"
        "    gc.collect()\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "print(len(arrived))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
