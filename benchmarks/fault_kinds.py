"""The faults: each makes something go wrong a number of times, and says what became of the results."""

import ctypes
import resource
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from fault_scene import Ended, Scene, names_in
from kakudai import read_image, write_image
from kakudai.image.formats import output_formats
from kakudai.image.picture import Picture

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
"""Of Linux: a program without this capability obeys the permissions of files, whoever runs it."""
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}
SCRIPTS = (
    "名前 の 絵.png",
    "фото (1).png",
    "صورة.png",
    "ภาพ.png",
    "e\u0301te\u0301.png",
    "🖼.png",
    "-q.png",
    "a'b\"c$d.png",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a fault.

    Args:
        what: The fault.
        times: How often it happened.
        said: What the program did.
        lost: Results, or old files, that are not what they should be.
        litter: Files that nobody asked for.
    """

    what: str
    times: int
    said: str
    lost: int
    litter: int


Fault = Callable[[Scene, int], list[Outcome]]
"""Takes the scene and how often the program is to be killed."""


def killed(scene: Scene, kills: int) -> list[Outcome]:
    """Kill the program, and start it again, until it has been killed often enough; then let it finish."""
    lost = litter = struck = finished = 0
    words = scene.inputs, "-o", scene.output, "--on-exists", "skip"
    while struck < kills:
        ended = scene.struck(signal.SIGKILL, *words)
        lost += scene.lost()
        litter += scene.litter()
        if ended.code == 0:
            finished += 1
            scene.empty()
        else:
            struck += ended.code == -signal.SIGKILL
    ended = scene.run(*words)
    lost += scene.lost() + len(names_in(scene.whole) - names_in(scene.output))
    said = f"goes on with `--on-exists skip`; all {len(scene.visible())} results are there in the end"
    scene.empty()
    return [
        Outcome(f"`kill -9` at any moment of a folder of {len(names_in(scene.inputs))}", struck, said, lost, litter)
    ]


def interrupted(scene: Scene, kills: int) -> list[Outcome]:
    """Send the signals that ask a program to end."""
    outcomes = []
    for number, code in SIGNALS.items():
        lost = litter = struck = 0
        times = max(2, kills // 5)
        while struck < times:
            ended = scene.struck(number, scene.inputs, "-o", scene.output)
            lost += scene.lost()
            litter += scene.litter()
            struck += ended.code != 0
            lost += ended.code not in (0, code, -number)  # the latter before Python listens
            scene.empty()
        outcomes.append(Outcome(f"{number.name} at any moment", struck, f"ends with {code}", lost, litter))
    return outcomes


def full_disk(scene: Scene, kills: int) -> list[Outcome]:
    """Let the system refuse to write more than so many bytes, from none up to the last one of each format."""
    times, lost, litter, steps = 0, 0, 0, max(2, kills // 4)
    source = scene.folder / "noise.png"
    write_image(Picture(np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)), source)
    for name in output_formats():
        target = scene.output / f"result.{name}"
        scene.output.mkdir(exist_ok=True)
        if scene.run(source, "-o", target).code:
            continue  # DeepZoom: a folder of small files
        size, old = target.stat().st_size, b"old"
        for step in range(steps):
            target.write_bytes(old)
            limit = (size - 1) * step // (steps - 1)
            before = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit))
            ended = scene.run(source, "-o", target, "--on-exists", "overwrite", before=before)
            times += 1
            lost += target.read_bytes() != old or not failed(ended)
            litter += len(names_in(scene.output)) - 1
        target.unlink()
    scene.empty()
    said = "one error that says why; the old file stays"
    return [
        Outcome(
            "no more can be written, at bytes from the first to the last, in every format", times, said, lost, litter
        )
    ]


def read_only(scene: Scene, _: int) -> list[Outcome]:
    """Let a folder forbid to write."""
    target = scene.output
    target.mkdir()
    target.chmod(0o555)
    ended = scene.run(scene.inputs, "-o", target, before=obey_permissions)
    target.chmod(0o755)
    lost, litter = int(not failed(ended) or "permission" not in ended.said.lower()), len(names_in(target))
    scene.empty()
    return [
        Outcome("the folder forbids to write", len(names_in(scene.inputs)), "an error for each picture", lost, litter)
    ]


def changing(scene: Scene, kills: int) -> list[Outcome]:
    """Write another picture into a file, again and again, while it is read."""
    source, target = scene.folder / "changing.png", scene.output / "changing.png"
    files, results = [], []
    for value, side in ((40, 64), (200, 90)):
        pixels = np.random.default_rng(value).integers(0, 256, (side, side, 3), np.uint8)
        write_image(Picture(pixels), source)
        files.append(source.read_bytes())
        assert scene.run(source, "-o", target).code == 0
        results.append(target.read_bytes())
        target.unlink()
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            for data in files:
                source.write_bytes(data)
                stop.wait(0.01)

    writer = threading.Thread(target=rewrite)
    writer.start()
    lost = refused = 0
    for _ in range(kills):
        ended = scene.run(source, "-o", target)
        if target.exists():
            lost += target.read_bytes() not in results
            target.unlink()
        else:
            refused += failed(ended)
            lost += not failed(ended)
    stop.set()
    writer.join()
    litter = scene.litter()
    scene.empty()
    said = f"the one picture or the other, or an error ({refused} times)"
    return [Outcome("a picture is overwritten while it is read", kills, said, lost, litter)]


def names(scene: Scene, _: int) -> list[Outcome]:
    """Names in all scripts, links that run in a circle, and two pictures of one result."""
    folder = scene.folder / "names"
    folder.mkdir()
    picture = read_image(scene.inputs / "0000.png")
    for name in SCRIPTS:
        write_image(picture, folder / name)
    (folder / "circle").symlink_to(folder)
    (folder / "itself.png").symlink_to("itself.png")
    ended = scene.run(folder, "-r", "-o", scene.output)
    wanted = (scene.whole / "0000.png").read_bytes()
    results = {path.name: path.read_bytes() for path in scene.visible()}
    lost = int(ended.code != 0) + sum(results.get(name) != wanted for name in SCRIPTS) + len(results) - len(SCRIPTS)
    litter = scene.litter()
    scene.empty()
    one = Outcome("names in eight scripts, links in a circle", len(SCRIPTS) + 2, "each picture once", lost, litter)

    other = scene.folder / "other"
    other.mkdir()
    write_image(picture, other / "0000.png")
    ended = scene.run(other, scene.inputs, "-o", scene.output)
    lost = int(not failed(ended)) + scene.lost() + int(len(scene.visible()) != len(names_in(scene.inputs)))
    scene.empty()
    said = "the first is made, the second is an error"
    return [one, Outcome("two pictures have one result", 1, said, lost, 0)]


def obey_permissions() -> None:
    """Let the program that this process becomes obey permissions, also where it is run by root."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def failed(ended: Ended) -> bool:
    """Say whether a run ended with an error that the program knows, and that says what to do."""
    return ended.code == 1 and "Traceback" not in ended.said and "unexpected" not in ended.said and "hint" in ended.said


FAULTS: tuple[Fault, ...] = (killed, interrupted, full_disk, read_only, changing, names)
