"""How far a network looks: by its operators where those are known and it is shallow, else by looking."""

from typing import TYPE_CHECKING

from kakudai.convert import probe
from kakudai.convert.geometry import measure_halo
from kakudai.convert.walk import UnknownGeometry

if TYPE_CHECKING:
    import onnx

DEEP = 48
"""Networks that could see further than this are measured: most of what they could see hardly counts."""

LEAST = 16
"""Pixels that a measured halo has at least."""


def find_halo(model: "onnx.ModelProto", run: probe.Run, *, scale: int, multiple: int) -> tuple[int | None, str]:
    """Find the halo of a network in our form.

    Args:
        model: The network.
        run: Runs it.

    Returns:
        The halo, None for a network that sees everything or treats places differently; and what is to be said of it.
    """
    try:
        exact = measure_halo(model, scale)
    except UnknownGeometry:
        return _measured(run, scale, multiple)
    return (exact, "") if exact is None or exact <= DEEP else shorten(exact, run, scale=scale, multiple=multiple)


def shorten(exact: int, run: probe.Run, *, scale: int, multiple: int) -> tuple[int, str]:
    """Measure how far a deep network of a known halo really looks."""
    seen = probe.measure_halo(run, scale=scale, multiple=multiple)
    if seen is None or max(seen, LEAST) >= exact:
        return exact, ""
    halo = max(seen, LEAST)
    return halo, f"it could see {exact} pixels far; beyond {halo} that makes no difference"


def _measured(run: probe.Run, scale: int, multiple: int) -> tuple[int | None, str]:
    if not probe.is_the_same_everywhere(run, scale=scale, multiple=multiple):
        return None, "it treats places of the picture differently, so tiles overlap and are blended"
    seen = probe.measure_halo(run, scale=scale, multiple=multiple)
    if seen is None:
        return None, "it looks at the whole picture"
    return max(seen, LEAST), "its halo was measured"
