"""A real server on a free port of this machine, for tests: its own process, with limits of the test's choice."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

PATIENCE = 90.0
"""Seconds for whatever has to happen, on a machine that has other things to do."""

CODE = """
import json, sys
from pathlib import Path
from kakudai.engine.machine import Machine
from kakudai.serve import dispatch
from kakudai.serve.server import run
dispatch.PATIENCE = 90.0  # a busy machine takes its time between two tiles
from kakudai.serve.settings import Limits, Settings
words = json.loads(sys.argv[1])
limits = Limits(**words.pop("limits"))
names, machine = tuple(words.pop("names", ())), Machine(**words.pop("machine"))
settings = Settings(folder=Path(words.pop("folder")), names=names, machine=machine, limits=limits, **words)
run(settings, lambda address: print(address, flush=True))
"""


class Running:
    """A server that was started for tests.

    Args:
        address: Without a slash at the end.
        process: It.
        folder: Where it keeps uploads and results.
    """

    def __init__(self, address: str, process: "subprocess.Popen[str]", folder: Path) -> None:
        self.address, self.process, self.folder = address.rstrip("/"), process, folder
        self.http = httpx.Client(base_url=self.address, timeout=PATIENCE, trust_env=False)

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def files(self) -> list[str]:
        """Name what lies in its folder, but for its lock."""
        below = [
            Path(place).relative_to(self.folder) / name
            for place, folders, names in os.walk(self.folder)  # which does not mind what goes meanwhile
            for name in (*folders, *names)
        ]
        return sorted(str(path) for path in below if len(path.parts) > 1 and path.name != "lock")

    def empty(self) -> bool:
        """Wait until nothing lies in its folder any more; say whether that happened."""
        return wait_until(lambda: not self.files(), 20.0)

    def children(self, module: str) -> list[int]:
        """Return the numbers of its processes that run a module."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                parent = int(path.read_text().rpartition(")")[2].split()[1])
                if parent == self.process.pid and module in (path.parent / "cmdline").read_text():
                    found.append(int(path.parent.name))
        return found

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the engine where it is, as if it worked for ever."""
        (engine,) = self.children("engine_process")
        os.kill(engine, signal.SIGSTOP)
        try:
            yield
        finally:
            self.thaw()

    def thaw(self) -> None:
        """Let the engine go on."""
        for engine in self.children("engine_process"):
            os.kill(engine, signal.SIGCONT)

    def delete(self, *jobs: str) -> None:
        for job in jobs:
            assert self.http.delete(f"/v1/jobs/{job}").status_code == 204

    def submit(self, picture: bytes, **options: Any) -> str:
        """Queue a picture; return its id."""
        answer = self.http.post("/v1/jobs", params=options, files={"file": ("a.png", picture)})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def state(self, job: str) -> dict[str, Any]:
        said: dict[str, Any] = self.http.get(f"/v1/jobs/{job}").json()
        return said

    def finish(self, job: str) -> dict[str, Any]:
        """Wait until a job has ended; return its last state."""
        assert wait_until(lambda: self.state(job)["state"] in ("done", "failed", "cancelled"))
        return self.state(job)

    def runs(self, job: str) -> bool:
        """Wait until a job is enlarged; say whether that came."""
        return wait_until(lambda: self.state(job)["state"] == "running" and self.state(job)["progress"] > 0)


def wait_until(happened: Any, seconds: float = PATIENCE) -> bool:
    """Wait for something; say whether it happened in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.05)
    return bool(happened())


@contextlib.contextmanager
def start_server(folder: Path, *, limits: dict[str, Any] | None = None, **words: Any) -> Iterator[Running]:
    """Start a server and end it."""
    folder.mkdir(exist_ok=True)
    settings = {"port": 0, "machine": {"threads": 1}, "folder": str(folder), "limits": limits or {}, **words}
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (folder.parent / f"{folder.name}.log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-c", CODE, json.dumps(settings)], stdout=subprocess.PIPE,
                                   stderr=log, text=True, env=environment)  # fmt: skip
    try:
        assert process.stdout is not None
        running = Running(process.stdout.readline().strip(), process, folder)
        with contextlib.closing(running.http):
            assert wait_until(lambda: running.http.get("/readyz").status_code == 200)
            yield running
    finally:
        process.kill() if process.poll() is not None else process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def drawing(width: int = 48, height: int = 36, seed: int = 0) -> Any:
    """Draw a picture: (H, W, 3) uint8, smooth with edges."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin((x * (1 + k) + y * (2 - k)) / 9 + seed) for k in range(3)]
    pixels = 128 + 60 * np.stack(waves, axis=2) + 40 * (((x // 7 + y // 5) % 2)[..., None] - 0.5)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def encoded(pixels: Any, kind: str = "PNG", **options: Any) -> bytes:
    """Encode pixels."""
    import io

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def name_of(answer: httpx.Response) -> str:
    """Return the name of the problem that an answer tells of, after a look at its form."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    said = answer.json()
    assert said["status"] == answer.status_code
    assert said["title"]
    assert said["detail"]
    assert said["hint"]
    return str(said["type"]).removeprefix("/problems/")
