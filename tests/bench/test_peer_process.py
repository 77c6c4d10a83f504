"""Another program in its own process: it answers, fails or dies, and this one goes on."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from tests.small_models import convolutional

from kakudai.bench import peer_process
from kakudai.bench.peer_process import CHECKED, PeerProcess
from kakudai.bench.peers import Lanczos, RawOnnxRuntime
from kakudai.bench.subject import Subject, photograph
from kakudai.errors import KakudaiError
from kakudai.models.catalogue import model_from_bytes

IMAGE = photograph(120, 100)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    (tmp_path / "net.onnx").write_bytes(convolutional())
    return Subject(str(tmp_path / "net.onnx"), model_from_bytes(convolutional(), "net"))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def instead(monkeypatch, code: str) -> None:
    """Let the process do something else."""
    monkeypatch.setattr(peer_process, "PYTHON", [sys.executable, "-c", code])


def test_it_gives_its_picture_and_its_memory_and_runs_as_often_as_it_is_asked(
    subject: Subject, stack: ExitStack
) -> None:
    peer = RawOnnxRuntime()
    process = PeerProcess(peer, subject, 1, IMAGE, stack)
    np.testing.assert_array_equal(process.piece, peer.open(subject, 1)(IMAGE[:CHECKED, :CHECKED]))
    if Path("/proc/self/status").exists():
        assert process.peak_memory is not None
        assert process.peak_memory > 20e6
    process.run()
    process.run()
    assert process._child.poll() is None
    stack.close()
    assert process._child.poll() is not None


def test_openmp_is_told_the_number_of_threads(subject: Subject, stack: ExitStack, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    number = "int(os.environ['OMP_NUM_THREADS'])"
    instead(monkeypatch, f"import numpy, os, sys\nnumpy.save(sys.argv[-1] + '/result.npy', {number})\nprint(0)")
    assert PeerProcess(Lanczos(), subject, 3, IMAGE, stack).piece == 3


def test_what_it_raises_is_the_reason(subject: Subject, stack: ExitStack) -> None:
    subject = Subject("no-such-network", subject.model)
    with pytest.raises(KakudaiError, match="no-such-network"):
        PeerProcess(Lanczos(), subject, 1, IMAGE, stack)


def test_a_crash_before_the_first_answer_is_the_reason(subject: Subject, stack: ExitStack, monkeypatch) -> None:
    instead(monkeypatch, "import os; os.abort()")
    with pytest.raises(KakudaiError, match="it was killed by signal 6"):
        PeerProcess(Lanczos(), subject, 1, IMAGE, stack)


def test_a_crash_while_it_is_measured_is_the_reason(subject: Subject, stack: ExitStack, monkeypatch) -> None:
    answers = (
        "import numpy, os, sys\nnumpy.save(sys.argv[-1] + '/result.npy', numpy.zeros(1))\n"
        "print('None', flush=True)\nsys.stdin.readline()\nsys.exit('out of order')"
    )
    instead(monkeypatch, answers)
    process = PeerProcess(Lanczos(), subject, 1, IMAGE, stack)
    assert process.peak_memory is None
    for _ in range(2):  # it stays dead
        with pytest.raises(KakudaiError, match="out of order"):
            process.run()


def test_one_that_never_answers_is_ended(subject: Subject, stack: ExitStack, monkeypatch) -> None:
    instead(monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(peer_process, "PATIENCE", 0.2)
    started = time.monotonic()
    with pytest.raises(KakudaiError, match="killed by signal 9"):
        PeerProcess(Lanczos(), subject, 1, IMAGE, stack)
    assert time.monotonic() - started < 30
