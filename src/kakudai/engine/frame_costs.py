"""What an animation will keep in memory, before it is begun. Its frames lie in memory, never in files."""

from typing import TYPE_CHECKING

from kakudai.engine.estimate import ENCODERS, MAX_KEPT, enlarged_pixels
from kakudai.engine.plan import Plan
from kakudai.engine.tools import Tools
from kakudai.errors import OutputError
from kakudai.image.animation import Animation
from kakudai.image.formats import Format

if TYPE_CHECKING:
    from kakudai.engine.job import FileOptions

COPIES = 10
"""How often there is a frame, as it came and as it becomes: one is decoded and enlarged while another is encoded, and
each is compared with the one before. Measured for APNG, at 8 and 16 bits."""

BETWEEN = 3
"""How often there is each picture between two networks: of the frame before, of this one, and one on its way."""

AVIF, AHEAD, AHEAD_BYTES = 45.0, 35, 2.5
"""Bytes that the encoder of AVIF sequences keeps for each pixel of a frame; frames that it looks at before it begins;
and its bytes for each of their pixels. Measured, at its fastest."""


def frames_memory(animation: Animation, plan: Plan, tools: Tools, entry: Format) -> int:
    """Return the bytes that are kept at most while an animation is enlarged, besides the program itself."""
    before, after = animation.width * animation.height, plan.size[0] * plan.size[1]
    between = sum(enlarged_pixels((animation.height, animation.width), plan, tools)) * max(2, animation.sample)
    encoder = ENCODERS.get(entry.name, 0.0)
    if entry.name == "avif":
        encoder = AVIF + AHEAD_BYTES * min(animation.count, AHEAD)
    frames = animation.channels * (COPIES * (before + after) * animation.sample + BETWEEN * between)
    return frames + int(encoder * after)


def check_frames(animation: Animation, plan: Plan, tools: Tools, *, entry: Format, options: "FileOptions") -> None:
    """Refuse, before any work, an animation whose frames are too large to be kept in memory.

    Raises:
        OutputError: They take more than `MAX_KEPT`, and `max_pixels` is not given.
    """
    kept = frames_memory(animation, plan, tools, entry)
    if kept > MAX_KEPT and options.max_pixels is None:
        raise OutputError(
            f"frames of {animation.width} x {animation.height} to {plan.size[1]} x {plan.size[0]} pixels take "
            f"{kept / 1e9:.1f} GB of memory as {entry.title}",
            "use a smaller --scale, take the first frame with --still, or use --max-pixels 0 where there is the memory",
        )
