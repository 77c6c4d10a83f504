"""Enlarge an animation: one choice of networks for all of it, and nothing done twice."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import TypeVar

import numpy as np

from kakudai.engine.recall import Recall
from kakudai.engine.toolbox import Chosen
from kakudai.engine.upscaler import Report, Upscaler
from kakudai.image.animation import Animation, Frame
from kakudai.image.picture import Picture

LOOKED_AT = 4
"""Frames, all different, by which networks are chosen; of so many opinions the middle one counts."""
KEPT = 64 << 20
"""Bytes of results that are kept for frames that come again, as those of animations that swing to and fro do."""

Item = TypeVar("Item")


def choose_for(upscaler: Upscaler, animation: Animation) -> Chosen:
    """Choose the networks of a whole animation by its first frames: a choice for each would flicker.

    Raises:
        PictureUnreadable: One of them is damaged.
    """
    seen: set[bytes] = set()
    opinions: list[Chosen] = []
    for frame in islice(animation.frames(), 4 * LOOKED_AT):
        digest = _digest(frame.picture)
        if digest not in seen:
            seen.add(digest)
            opinions.append(upscaler.choose(frame.picture))
        if len(opinions) == LOOKED_AT:
            break
    opinions.sort(key=lambda opinion: (opinion.choice.style, opinion.choice.strength) if opinion.choice else ("", 0))
    return opinions[len(opinions) // 2]


class FrameByFrame:
    """An animation that is being enlarged.

    Args:
        upscaler: Enlarges.
        animation: What is enlarged.
        chosen: Its networks.
        progress: Called with (pixels done, pixels in all) of the frames.

    Attributes:
        report: What has been done, as of one picture; times are those of all frames.
    """

    def __init__(
        self,
        upscaler: Upscaler,
        animation: Animation,
        chosen: Chosen,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._upscaler, self._animation, self._chosen, self._progress = upscaler, animation, chosen, progress
        self._recall, self._known, self._bytes = Recall(), OrderedDict[bytes, Picture](), 0
        self.report: Report | None = None

    def frames(self) -> Generator[Frame, None, None]:
        """Enlarge frame by frame; the next is worked on while one is used.

        Whoever stops early closes it: it waits for its thread, which the garbage collector must not do.

        Raises:
            PictureUnreadable: A frame is damaged.
            WrongResult: A frame came out wrong.
        """
        pixels = self._animation.width * self._animation.height
        total = pixels * self._animation.count

        def enlarged() -> Iterator[Frame]:
            for number, frame in enumerate(self._animation.frames()):

                def step(done: int, of: int, before: int = pixels * number) -> None:
                    if self._progress:
                        self._progress(before + pixels * done // of, total)

                output = self._enlarged(frame.picture, step)
                step(1, 1)
                yield Frame(output, frame.seconds)

        return one_ahead(enlarged())

    def _enlarged(self, picture: Picture, step: Callable[[int, int], None]) -> Picture:
        digest = _digest(picture)
        if digest in self._known:
            self._known.move_to_end(digest)
            return self._known[digest]
        output, report = self._upscaler.upscale_picture(picture, self._chosen, progress=step, recall=self._recall)
        seconds = self.report.network_seconds if self.report else 0.0
        tile = max(report.tile, self.report.tile if self.report else 0)
        self.report = replace(report, tile=tile, network_seconds=seconds + report.network_seconds)
        self._known[digest] = output
        self._bytes += _size(output)
        while self._bytes > KEPT:
            self._bytes -= _size(self._known.popitem(last=False)[1])
        return output


def one_ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """Yield items while the next is made in a thread of its own."""
    with ThreadPoolExecutor(1, "kakudai-frame") as pool:
        end = object()
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item  # type: ignore[misc]  # it is not the end


def _digest(picture: Picture) -> bytes:
    digest = hashlib.blake2b(np.ascontiguousarray(picture.color).data, digest_size=16)
    if picture.alpha is not None:
        digest.update(np.ascontiguousarray(picture.alpha).data)
    return digest.digest()


def _size(picture: Picture) -> int:
    return picture.color.nbytes + (0 if picture.alpha is None else picture.alpha.nbytes)
