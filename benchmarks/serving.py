"""Load on a server, on this machine alone: what it does when far more is asked than it can do, and whether it grows.

    python benchmarks/serving.py [--clients 200] [--seconds 300] [--side 256] [-o FILE]
    python benchmarks/serving.py --clients 4 --seconds 1200 --soak      # a gentle load, for the slope of memory

Each client sends a picture, waits for it, and sends the next; after 503 and 429 it waits as Retry-After says, up to a
second. Prints one JSON object: pictures and requests per second, shares of the status codes, times of those that
succeeded, the time of /healthz meanwhile, and the memory of the server with all its processes over time.
"""

import argparse
import io
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from kakudai.cli.doctor import processor_name

ROOT = Path(__file__).parents[1]
MOST_SECONDS = 3600.0
EACH_CLIENT = 1_000
"""All clients have one address here; the limit for each would hide that of the queue."""


def photograph(side: int) -> bytes:
    """Cut a square out of a real photograph, repeated as a mirror image where it is too small; as JPEG."""
    with Image.open(ROOT / "examples/chelsea.png") as cat:
        pixels = np.asarray(cat.convert("RGB"))
    pad = [(0, max(0, side - length)) for length in pixels.shape[:2]]
    pixels = np.pad(pixels, [*pad, (0, 0)], mode="symmetric")[:side, :side]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=90)
    return stream.getvalue()


class Load:
    """What the clients have seen."""

    def __init__(self, address: str, picture: bytes, ends: float) -> None:
        self.address, self.picture, self.ends = address, picture, ends
        self.statuses: Counter[str] = Counter()
        self.times: list[float] = []
        self.health: list[float] = []
        self._writing = threading.Lock()

    def client(self, http: httpx.Client) -> None:
        """Send one picture after the other."""
        while time.monotonic() < self.ends:
            started = time.monotonic()
            try:
                answer = http.post("/v1/upscale?denoise=0", content=self.picture)
                status, wait = str(answer.status_code), float(answer.headers.get("retry-after", 0))
            except httpx.HTTPError as error:
                status, wait = type(error).__name__, 0.5
            with self._writing:
                self.statuses[status] += 1
                if status == "200":
                    self.times.append(time.monotonic() - started)
            if status != "200":
                time.sleep(min(1.0, wait))

    def watch(self, http: httpx.Client) -> None:
        """Ask for the server's health."""
        while time.monotonic() < self.ends:
            started = time.monotonic()
            http.get("/healthz")
            self.health.append(time.monotonic() - started)
            time.sleep(0.1)


def memory(process: int) -> int:
    """Return the resident kilobytes of a process and all below it, each page once as far as the system says (PSS)."""
    total, todo = 0, [process]
    while todo:
        number = todo.pop()
        folder = Path(f"/proc/{number}")
        try:
            lines = (folder / "smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            for task in (folder / "task").iterdir():
                todo += [int(word) for word in (task / "children").read_text().split()]
        except (OSError, StopIteration):
            continue
    return total


def slope(samples: list[tuple[float, int]]) -> float:
    """Return megabytes per hour of the second half of the samples: the first fills what is kept on purpose."""
    half = samples[len(samples) // 2 :]
    if len(half) < 3:
        return 0.0
    fit = statistics.linear_regression([at for at, _ in half], [kilobytes for _, kilobytes in half])
    return fit.slope * 3600 / 1024


def percentile(values: list[float], share: float) -> float | None:
    """Return a percentile in seconds."""
    return round(sorted(values)[min(len(values) - 1, int(share * len(values)))], 4) if values else None


def measure(address: str, process: int, clients: int, seconds: float, side: int) -> dict[str, object]:
    """Put load on a server; return the figures."""
    load = Load(address, photograph(side), time.monotonic() + seconds)
    limits = httpx.Limits(max_connections=clients + 1, max_keepalive_connections=clients + 1)
    samples = []
    with (
        httpx.Client(base_url=address, timeout=90, trust_env=False, limits=limits) as http,
        httpx.Client(base_url=address, timeout=90, trust_env=False) as other,
    ):
        threads = [threading.Thread(target=load.client, args=(http,)) for _ in range(clients)]
        threads.append(threading.Thread(target=load.watch, args=(other,)))
        started = time.monotonic()
        for thread in threads:
            thread.start()
        while time.monotonic() < load.ends:
            samples.append((time.monotonic() - started, memory(process)))
            time.sleep(min(5.0, seconds / 20))
        for thread in threads:
            thread.join()
        taken = time.monotonic() - started
    every = sum(load.statuses.values())
    return {
        "processor": processor_name(),
        "clients": clients,
        "seconds": round(taken, 1),
        "picture": f"{side}x{side} JPEG",
        "pictures_per_second": round(len(load.times) / taken, 2),
        "requests_per_second": round(every / taken, 1),
        "shares": {status: round(count / every, 4) for status, count in sorted(load.statuses.items())},
        "seconds_p50": percentile(load.times, 0.5),
        "seconds_p99": percentile(load.times, 0.99),
        "health_p50": percentile(load.health, 0.5),
        "health_p99": percentile(load.health, 0.99),
        "megabytes": [[round(at), round(kilobytes / 1024)] for at, kilobytes in samples],
        "megabytes_per_hour": round(slope(samples), 1),
    }


def main() -> None:
    """Start a server, put load on it, end it, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--soak", action="store_true", help="fail where memory grows by more than 20 MB an hour")
    parser.add_argument("-o", "--output", type=Path)
    words = parser.parse_args()
    seconds, clients = min(words.seconds, MOST_SECONDS), min(words.clients, 500)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "kakudai", "serve", "--port", "0", "--folder", folder,
                   "--per-client", str(EACH_CLIENT)]  # fmt: skip
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert server.stderr is not None
            address = server.stderr.readline().split()[-1].rstrip("/")
            ends = time.monotonic() + 120
            while httpx.get(f"{address}/readyz", trust_env=False).status_code != 200 and time.monotonic() < ends:
                time.sleep(0.2)
            figures = measure(address, server.pid, clients, seconds, words.side)
        finally:
            server.terminate()
            server.communicate(timeout=60)
        figures["left_on_disk"] = len(list(Path(folder).iterdir()))
    text = json.dumps(figures, indent=1)
    print(text)
    if words.output:
        words.output.write_text(text + "\n")
    if words.soak and figures["megabytes_per_hour"] > 20:  # type: ignore[operator]
        sys.exit(1)


if __name__ == "__main__":
    main()
