"""Faults inside the program: its process begins with a few lines that spoil one call of a library."""

from fault_kinds import Fault, Outcome, failed
from fault_scene import Scene, names_in

BURSTING = """
import itertools, onnxruntime
run, calls = onnxruntime.InferenceSession.run, itertools.count(1)
def burst(*given):
    if next(calls) == {number}:
        raise RuntimeError("the runtime burst")
    return run(*given)
onnxruntime.InferenceSession.run = burst
"""
"""With one thread every picture of the scene is one call of the network."""

FORGETTING = """
import itertools, sys, numpy
calls = itertools.count(1)
def once_without_memory(make):
    def allocate(*given, **named):
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller.startswith(("kakudai.engine", "kakudai.image")) and next(calls) == {number}:
            raise MemoryError("no memory, once")
        return make(*given, **named)
    return allocate
for name in ("empty", "zeros", "pad", "clip", "ascontiguousarray", "concatenate"):
    setattr(numpy, name, once_without_memory(getattr(numpy, name)))
"""
"""What reads, cuts, enlarges and joins pictures has no memory in one of its calls."""

FIRST, EACH = 2, 6
"""The first call that is made for a picture, as one is made while the program starts; and how many each has, about."""


def bursting(scene: Scene, kills: int) -> list[Outcome]:
    """Let the network raise an error at its first call, at its last, and at some between."""
    count = len(names_in(scene.inputs))
    numbers = {1, count, *(scene.random.randint(1, count) for _ in range(kills // 5))}
    lost = litter = 0
    for number in sorted(numbers):
        lost += _spoiled(scene, BURSTING.format(number=number), done=count - 1)
        litter += scene.litter()
        scene.empty()
    said = "an error for the picture that it was in; all others are made"
    return [Outcome("the runtime raises an error in the middle", len(numbers), said, lost, litter)]


def forgetting(scene: Scene, kills: int) -> list[Outcome]:
    """Let memory be refused once, at some allocation while pictures are worked on."""
    count = len(names_in(scene.inputs))
    times = max(3, kills // 5)
    lost = litter = made = 0
    for _ in range(times):
        number = scene.random.randint(FIRST, EACH * count)
        lost += _spoiled(scene, FORGETTING.format(number=number), done=None)
        made += len(scene.visible()) == count
        litter += scene.litter()
        scene.empty()
    said = f"smaller tiles ({made} times), or an error for that picture; all others are made"
    return [Outcome("memory is refused once, anywhere", times, said, lost, litter)]


def _spoiled(scene: Scene, meddling: str, *, done: int | None) -> int:
    """Run the program with a fault inside, and nothing tried a second time; count what is not as it should be.

    Args:
        done: How many pictures are to be made; None where all may be, or all but one.
    """
    ended = scene.run(scene.inputs, "-o", scene.output, "--no-manifest", meddling=meddling)
    missing = names_in(scene.whole) - {path.name for path in scene.visible()}
    expected = len(missing) == len(names_in(scene.whole)) - done if done is not None else len(missing) <= 1
    honest = failed(ended) if missing else ended.code == 0
    return scene.lost() + (not expected) + (not honest) + sum(name not in ended.said for name in missing)


FAULTS: tuple[Fault, ...] = (bursting, forgetting)
