"""The process that decodes: it loads the decoders once, and forks for every picture.

Each picture is decoded in a process of its own, which has limits on time, memory and files, does nothing else, and
ends. The one that waits never touches a byte of a picture, and has one thread, so that forking it is safe.
"""

import contextlib
import ctypes
import gc
import importlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from kakudai.serve.channel import Channel

GRACE = 0.02
"""Seconds between looks at a process that decodes; shorter at first."""

BROKEN, TOO_HARD, NO_ROOM, CLOSED = 3, 4, 5, 6
"""Exit codes of the process that decodes."""

ALONE = 0x10000000 | 0x40000000
"""Linux: CLONE_NEWUSER and CLONE_NEWNET, users and a network of its own, in which there is nobody else."""

NO_MEMORY = ("out of memory", "creating thread")
"""Parts of what libvips says when it gets no memory."""


def main() -> None:
    """Decode one picture after the other until the server has gone."""
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["VIPS_CONCURRENCY"] = "1"
    channel = Channel()
    _load()
    channel.send({"event": "ready"})
    for order in channel.messages():
        channel.send({"id": order["id"], **_decode_apart(order, channel)})


def _load() -> None:
    """Import all that decoding needs, so that it need not be done for every picture."""
    import kakudai.analyse
    import kakudai.image.reading
    import kakudai.serve.handover
    import kakudai.serve.privacy
    import kakudai.serve.problems  # noqa: F401
    from kakudai.image.formats import PACKAGES, is_readable
    from kakudai.image.vips import libvips

    libvips()
    for name, package in PACKAGES.items():
        if is_readable(name):
            importlib.import_module(package)
    if is_readable("jxl"):
        importlib.import_module("imagecodecs._jpegxl")  # which it loads when first used
    gc.freeze()


def _decode_apart(order: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Fork, wait, and say how it ended: "done", or "failed" with the name of a problem."""
    process = os.fork()
    if process == 0:
        code = CLOSED
        try:
            channel.close()
            code = _child(order)
        finally:
            os._exit(code)
    status, late = _wait(process, order["seconds"])
    if not late and os.WIFEXITED(status) and os.WEXITSTATUS(status) in (0, BROKEN):
        return {"event": "done" if os.WEXITSTATUS(status) == 0 else "failed"}
    signalled = os.WIFSIGNALED(status)
    if late or (signalled and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)):
        return _too_hard(f"decoding it takes more than {order['cpu_seconds']} seconds")
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == TOO_HARD:
        return _too_hard(f"decoding it takes more than {order['bytes'] >> 20} MiB of memory")
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == NO_ROOM:
        return {"event": "failed", "problem": "no-room", "detail": "its pixels cannot be kept"}
    how = f"signal {os.WTERMSIG(status)}" if signalled else f"code {os.WEXITSTATUS(status)}"
    return {"event": "failed", "problem": "broken-picture", "detail": f"its decoder ended with {how}"}


def _too_hard(detail: str) -> dict[str, Any]:
    return {"event": "failed", "problem": "too-hard-to-decode", "detail": detail}


def _wait(process: int, seconds: float) -> tuple[int, bool]:
    """Wait for a process; return its status, and whether it had to be ended."""
    end, pause = time.monotonic() + seconds, 0.001
    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return status, False
        if time.monotonic() > end:
            os.kill(process, signal.SIGKILL)
            return os.waitpid(process, 0)[1], True
        time.sleep(pause)
        pause = min(GRACE, pause * 1.5)


def _child(order: dict[str, Any]) -> int:
    """Decode one picture into its folder: the whole of the process that touches it. Return its exit code."""
    limit_this_process(order["cpu_seconds"], order["bytes"])
    from kakudai.errors import KakudaiError, OutOfMemory
    from kakudai.serve.handover import write_answer
    from kakudai.serve.problems import name_of

    folder = Path(order["folder"])
    try:
        write_answer(folder, _decode(order, folder))
    except (MemoryError, OutOfMemory):
        return TOO_HARD
    except KakudaiError as error:
        if any(words in error.message for words in NO_MEMORY):
            return TOO_HARD
        write_answer(folder, {"problem": name_of(error), "detail": error.message})
        return BROKEN
    except OSError:  # nor could an answer be written
        return NO_ROOM
    return 0


def _decode(order: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the answer for one picture, whose pixels then lie in the folder, or that has been analysed."""
    from dataclasses import replace

    from kakudai.analyse import analyse_picture, read_jpeg_history
    from kakudai.image.exif import is_by_camera
    from kakudai.image.reading import read_image
    from kakudai.serve.handover import write_picture
    from kakudai.serve.privacy import without_place

    picture = read_image(Path(order["source"]).read_bytes(), max_pixels=order["pixels"])
    if order["analyse"]:
        jpeg = picture.metadata.jpeg
        camera = is_by_camera(picture.metadata.exif)
        found = analyse_picture(
            picture.color, read_jpeg_history(jpeg) if jpeg else None, picture.alpha, by_camera=camera
        )
        return {**found.as_json(), "notes": picture.metadata.notes}
    if not order["keep_gps"]:
        picture = replace(picture, metadata=without_place(picture.metadata))
    return write_picture(picture, folder)


def limit_this_process(seconds: int, memory: int) -> None:
    """Take from this process what decoding a picture does not need."""
    import resource

    limits = (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 32),
    )
    if hasattr(libc := ctypes.CDLL(None), "unshare"):
        libc.unshare(ALONE)  # where the system does not let us, it stays connected: the guide says so
    for kind, limit in limits:
        hard = resource.getrlimit(kind)[1]
        own = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        with contextlib.suppress(ValueError):
            resource.setrlimit(kind, (own, own))


if __name__ == "__main__":
    main()
    sys.exit(0)
