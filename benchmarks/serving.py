"""Load on a server, on this machine alone: what it does when far more is asked than it can do, and whether it grows.

    python benchmarks/serving.py                    # all three, 27 minutes, on a machine that does nothing else
    python benchmarks/serving.py load soak          # some of them; the others stay as they were measured last
    python benchmarks/serving.py load --seconds 10  # to see that it works; prints the page, keeps nothing
    python benchmarks/serving.py page               # write the page again

    load    200 clients at once, 5 minutes
    ten     10 clients with pictures of 2 megapixels, 1 minute: does the server still answer others at once?
    soak    4 clients, 20 minutes, all kinds of requests: does memory grow?

Each client sends a picture, waits for it, and sends the next; after 503 and 429 it waits as Retry-After says, up to a
second. Clients and server share the processors. Rewrites benchmarks/results/serving.json, docs/reference/serving.md and
its plot. Exits with 1 where an answer was not among those that are right, or memory grows by more than `MOST`.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from growth import Growth, line_through
from kakudai.cli.doctor import processor_name
from serving_page import PLOT, TELLING_SECONDS, draw, page

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks/results/serving.json", ROOT / "docs/reference/serving.md"

EACH_CLIENT = 1_000
"""All clients have one address here; the limit for each would hide that of the queue."""

MOST = 20 * 1024.0
"""KB for an hour, beyond twice the standard error."""

SAMPLES = 240
"""How often memory is read, at full length; 1.25 to 5 seconds apart."""

Ask = Callable[[httpx.Client, int], httpx.Response]
"""Sends the request with a number, and returns the answer."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One kind of load.

    Args:
        words: What it is, for the page.
        clients: At the same time.
        seconds: How long.
        ask: See `Ask`.
        right: The status codes that may come.
    """

    words: str
    clients: int
    seconds: float
    ask: Ask
    right: tuple[str, ...]


@dataclass(slots=True)
class Load:
    """What the clients have seen."""

    statuses: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    writing: threading.Lock = field(default_factory=threading.Lock)

    def client(self, http: httpx.Client, ask: Ask, numbers: Iterator[int], ends: float) -> None:
        """Send one request after the other."""
        while time.monotonic() < ends:
            started = time.monotonic()
            try:
                answer = ask(http, next(numbers))
                status, wait = str(answer.status_code), float(answer.headers.get("retry-after", 0))
            except httpx.HTTPError as error:
                status, wait = type(error).__name__, 0.5
            with self.writing:
                self.statuses[status] += 1
                if status == "200":
                    self.times.append(time.monotonic() - started)
            if status in ("429", "503"):
                time.sleep(min(1.0, wait))


def encode(height: int, width: int, kind: str = "JPEG") -> bytes:
    """Cut a part out of a real photograph, continued as a mirror image where it is too small."""
    with Image.open(ROOT / "examples/chelsea.png") as cat:
        pixels = np.asarray(cat.convert("RGB"))
    pad = [(0, max(0, length - has)) for length, has in zip((height, width), pixels.shape[:2], strict=True)]
    pixels = np.pad(pixels, [*pad, (0, 0)], mode="symmetric")[:height, :width]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def one_picture(height: int, width: int) -> Ask:
    """Send the same picture again and again."""
    data = encode(height, width)
    return lambda http, _: http.post("/v1/upscale?denoise=0", content=data)


def all_kinds() -> Ask:
    """Send pictures of many sizes and formats, damaged ones, bombs, jobs that are fetched or given up."""
    random = np.random.default_rng(1)
    kinds = ("JPEG", "PNG", "WEBP", "TIFF")
    pictures = [encode(*(int(side) for side in random.integers(16, 400, 2)), kinds[n % 4]) for n in range(40)]
    bomb = b"GIF89a" + (30_000).to_bytes(2, "little") * 2 + bytes(40)

    def ask(http: httpx.Client, number: int) -> httpx.Response:
        data = pictures[number % len(pictures)]
        match number % 10:
            case 3:
                return http.post("/v1/upscale", content=data[: len(data) // 2])
            case 5:
                return http.post("/v1/upscale", content=bomb)
            case 6:
                return http.post("/v1/analyse", content=data)
            case 7 | 8:
                sent = http.post("/v1/jobs?scale=3", content=data)
                if sent.status_code != 202:
                    return sent
                address = sent.json()["address"]
                if number % 10 == 7:
                    http.get(f"{address}/events")  # until it has ended
                    http.get(f"{address}/result")
                return http.delete(address)
            case _:
                return http.post("/v1/upscale", content=data)

    return ask


TRIALS = {
    "load": Trial("200 clients, JPEG of 256 x 256", 200, 300, one_picture(256, 256), ("200", "503")),
    "ten": Trial("10 clients, JPEG of 1200 x 1700", 10, 60, one_picture(1200, 1700), ("200", "503")),
    "soak": Trial("4 clients, all kinds of requests", 4, 1200, all_kinds(), ("200", "204", "413", "422")),
}


def watch_health(address: str, stop: Event, into: Any) -> None:
    """Ask for the server's health, from a process of its own: how busy the clients are must not count."""
    with httpx.Client(base_url=address, timeout=30, trust_env=False) as http:
        while not stop.wait(0.1):
            started = time.monotonic()
            http.get("/healthz").raise_for_status()
            into.put(time.monotonic() - started)
    into.put(None)


@contextmanager
def health_of(address: str) -> Iterator[list[float]]:
    """Fill a list with the seconds that /healthz took, once that has ended which is done meanwhile."""
    context, health = get_context("spawn"), list[float]()
    stop, queue = context.Event(), context.Queue()
    process = context.Process(target=watch_health, args=(address, stop, queue))
    process.start()
    health.append(queue.get(timeout=60))
    try:
        yield health
    finally:
        stop.set()
        health.extend(iter(lambda: queue.get(timeout=60), None))
        process.join()


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


def percentile(values: list[float], share: float) -> float:
    """Return a percentile in seconds."""
    return round(float(np.quantile(values, share)), 4) if values else float("nan")


def measure(trial: Trial, seconds: float, address: str, process: int) -> dict[str, Any]:
    """Put load on a server; return the figures."""
    load, numbers, ends = Load(), count(), time.monotonic() + seconds
    limits = httpx.Limits(max_connections=trial.clients, max_keepalive_connections=trial.clients)
    at: list[float] = []
    kilobytes: list[int] = []
    with (
        httpx.Client(base_url=address, timeout=90, trust_env=False, limits=limits) as http,
        health_of(address) as health,
    ):
        words = (http, trial.ask, numbers, ends)
        threads = [threading.Thread(target=load.client, args=words) for _ in range(trial.clients)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        while time.monotonic() < ends:
            at.append(time.monotonic() - started)
            kilobytes.append(memory(process))
            time.sleep(seconds / SAMPLES)
        for thread in threads:
            thread.join()
        taken = time.monotonic() - started
    every = sum(load.statuses.values())
    return {
        "processor": processor_name(),
        "words": trial.words,
        "seconds": round(taken, 1),
        "answers_per_second": round(every / taken, 1),
        "results_per_second": round(len(load.times) / taken, 2),
        "shares": {status: round(number / every, 4) for status, number in sorted(load.statuses.items())},
        "seconds_p50": percentile(load.times, 0.5),
        "seconds_p99": percentile(load.times, 0.99),
        "health_p50": percentile(health, 0.5),
        "health_p99": percentile(health, 0.99),
        "health_most": percentile(health, 1.0),
        "at": [round(second, 1) for second in at],
        "kilobytes": kilobytes,
        "kilobytes_per_hour": asdict(line_through([second / 3600 for second in at], kilobytes)),
    }


def run(trial: Trial, seconds: float) -> dict[str, Any]:
    """Start a server, put load on it, end it; return the figures."""
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
            figures = measure(trial, seconds, address, server.pid)
        finally:
            server.terminate()
            server.communicate(timeout=60)
        return {**figures, "left_on_disk": len(list(Path(folder).iterdir()))}


def faults(name: str, figures: dict[str, Any]) -> list[str]:
    """Return what is wrong with the figures of a trial."""
    wrong = [f"{name}: {status} was answered" for status in figures["shares"] if status not in TRIALS[name].right]
    if figures["left_on_disk"]:
        wrong.append(f"{name}: {figures['left_on_disk']} files are left on disk")
    if figures["seconds"] >= TELLING_SECONDS and Growth(**figures["kilobytes_per_hour"]).is_above(MOST):
        wrong.append(f"{name}: memory grows")
    return wrong


def main() -> int:
    """Measure what is asked, and write the page; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", nargs="*", choices=[[], *TRIALS, "page"], help="all if none is named")
    parser.add_argument("--seconds", type=float, help="instead of the full length; nothing is kept")
    words = parser.parse_args()
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    wrong = []
    for name in [name for name in words.trials if name != "page"] or ([] if words.trials else TRIALS):
        known[name] = run(TRIALS[name], words.seconds or TRIALS[name].seconds)
        wrong += faults(name, known[name])
        if words.seconds is None:
            RESULTS.write_text(json.dumps(known) + "\n", encoding="utf-8")
    found = {name: known[name] for name in TRIALS if name in known}
    if words.seconds is None:
        PAGE.write_text(page(found), encoding="utf-8")
        draw(found, PLOT)
    else:
        print(page(found))
    print("\n".join(wrong), file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
