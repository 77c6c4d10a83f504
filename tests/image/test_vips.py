"""libvips is loaded once, whoever wants it first."""

import subprocess
import sys

TOGETHER = """
import threading
from kakudai.image import vips

started, found = threading.Barrier(8), []

def want():
    started.wait()
    found.append(vips.libvips())

threads = [threading.Thread(target=want) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(found) == 8
"""


def test_threads_that_want_it_at_once_load_it_once() -> None:
    """GLib complains on stderr where two threads take the same handler away."""
    done = subprocess.run([sys.executable, "-c", TOGETHER], capture_output=True, text=True, check=True)
    assert done.stderr == ""
