"""The process that enlarges: it owns the networks, takes one picture at a time, and says how far it is."""

import json
import os
import queue
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kakudai.serve.channel import Channel

if TYPE_CHECKING:
    from kakudai.engine.upscaler import Report, Upscaler
    from kakudai.image.picture import Picture

KEPT = 4
"""Upscalers that stay open, for the options that were used last."""

CANNOT_WRITE = "cannot write '"
"""What errors of the disk begin with; the path that follows is nobody's business."""

PAUSE = 0.1
"""Seconds between two messages about progress."""


class Cancelled(Exception):
    """Nobody wants the picture any more."""


class Engine:
    """All upscalers of this process.

    Args:
        channel: To the server.
        machine: How networks are run: arguments of `Upscaler`.
    """

    def __init__(self, channel: Channel, machine: dict[str, Any]) -> None:
        self._channel, self._machine = channel, machine
        self._upscalers: OrderedDict[str, Upscaler] = OrderedDict()
        self.unwanted: set[int] = set()

    def upscaler(self, wish: dict[str, Any]) -> "Upscaler":
        """Return an upscaler for some options, open already or newly opened."""
        from kakudai.engine.upscaler import Upscaler

        key = repr(sorted(wish.items()))
        if key not in self._upscalers:
            box = None if wish["fit"] is None else tuple(wish["fit"])
            self._upscalers[key] = Upscaler(**{**wish, "fit": box}, **self._machine)
            while len(self._upscalers) > KEPT:
                self._upscalers.popitem(last=False)[1].close()
        self._upscalers.move_to_end(key)
        return self._upscalers[key]

    def work(self, order: dict[str, Any]) -> dict[str, Any]:
        """Enlarge one picture; return the message about how that ended."""
        from kakudai.errors import KakudaiError
        from kakudai.serve.problems import name_of

        try:
            return {"event": "done", **self._enlarge(order)}
        except Cancelled:
            return {"event": "cancelled"}
        except KakudaiError as error:
            if error.message.startswith(CANNOT_WRITE):
                return _failed("no-room", f"the result cannot be kept: {error.message.rpartition(': ')[2]}")
            return _failed(name_of(error), error.message)  # its hint has options of the command line
        except MemoryError:
            return _failed("out-of-memory", "there is not enough memory")
        except Exception as error:  # a mistake of ours must not end the process
            sys.stderr.write(f"kakudai: {type(error).__name__}: {error}\n")
            return _failed("internal", type(error).__name__)

    def _enlarge(self, order: dict[str, Any]) -> dict[str, Any]:
        from kakudai.image.writing import check_target, write_image
        from kakudai.serve.handover import read_picture

        started = time.perf_counter()
        picture = read_picture(Path(order["folder"]))
        result, report, entry = self._result(order, picture)
        target = Path(order["target"])
        check_target(target, entry, result.width, result.height)
        self._check(order["id"])
        lost = write_image(result, target, format=entry, quality=order["quality"], strip=order["strip"])
        return {
            "output_size": [result.width, result.height],
            "model": report.model,
            "networks": report.networks,
            "strength": report.strength,
            "precision": report.precision,
            "reason": report.reason,
            "notes": [*report.notes, *picture.metadata.notes, *picture.metadata.dropped, *lost],
            "seconds": time.perf_counter() - started,
            "network_seconds": report.network_seconds,
            "bytes": target.stat().st_size,
        }

    def _result(self, order: dict[str, Any], picture: "Picture") -> "tuple[Picture, Report, str]":
        """Enlarge a picture or a part of it; return the result, the report, and the name of its format."""
        from kakudai.image.writing import check_target
        from kakudai.serve.parts import check_region
        from kakudai.serve.region import enlarge_region

        entry, wish, region = str(order["format"]), order["wish"], order["region"]
        progress = self._progress(order["id"])
        if region is not None:
            check_region(tuple(region), picture.width, picture.height)
            upscaler = self.upscaler(wish)
            height, width = upscaler.size.of(picture.height, picture.width)
            ratio = max(width / picture.width, height / picture.height)
            if wish["scale"] is None:
                upscaler = self.upscaler({**wish, "scale": ratio, "width": None, "height": None, "fit": None})
            return *enlarge_region(upscaler, picture, tuple(region), ratio, progress), entry
        upscaler = self.upscaler(wish)
        chosen = upscaler.choose(picture)
        report = upscaler.plan_picture(picture, chosen)
        height, width = report.plan.size
        check_target(None, entry, width, height)
        self._channel.send(
            {
                "id": order["id"],
                "event": "chosen",
                "model": report.model,
                "strength": report.strength,
                "precision": report.precision,
                "reason": report.reason,
                "output_size": [width, height],
            }
        )
        return *upscaler.upscale_picture(picture, chosen, progress=progress), entry

    def _progress(self, number: int) -> Callable[[int, int], None]:
        """Return what tells the server how far a picture is, and stops it when nobody wants it any more."""
        said = 0.0

        def progress(done: int, total: int) -> None:
            nonlocal said
            self._check(number)
            now = time.monotonic()
            if now - said >= PAUSE:
                said = now
                self._channel.send({"id": number, "event": "progress", "share": min(1.0, done / max(1, total))})

        return progress

    def _check(self, number: int) -> None:
        if number in self.unwanted:
            raise Cancelled


def _failed(name: str, detail: str) -> dict[str, Any]:
    return {"event": "failed", "problem": name, "detail": detail}


def main() -> None:
    """Enlarge one picture after the other until the server has gone."""
    channel = Channel()
    engine = Engine(channel, json.loads(sys.argv[1]))
    orders: queue.Queue[dict[str, Any]] = queue.Queue()

    def listen() -> None:
        for message in channel.messages():
            if "cancel" in message:
                engine.unwanted.add(message["cancel"])
            else:
                orders.put(message)
        os._exit(0)

    engine.upscaler({"scale": None, "width": None, "height": None, "fit": None, "model": "auto", "denoise": "auto",
                     "tta": 1})  # fmt: skip
    channel.send({"event": "ready"})
    threading.Thread(target=listen, daemon=True).start()
    while True:
        order = orders.get()
        message = engine.work(order)
        engine.unwanted.clear()  # one that came too late, too: there is one order at a time
        channel.send({"id": order["id"], **message})


if __name__ == "__main__":
    main()
