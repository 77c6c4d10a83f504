"""Where training pictures come from: a pack on disk, or "drawn:photo" and "drawn:art", made on the spot."""

from collections.abc import Callable
from pathlib import Path

from kakudai.data.pack import Pack, open_pack
from kakudai.errors import RecipeError

DRAWN = "drawn:"


def open_source(
    source: str | Path,
    *,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Pack:
    """Open the pictures that a recipe names in `pack`.

    Args:
        source: The path of a pack, or "drawn:KIND", or "drawn:KIND:COUNT" with a number of pictures.
        seed: Decides drawn pictures; a pack is what it is.
        threads: Pictures drawn at once.
        progress: Called with (pictures drawn, pictures in all).

    Raises:
        RecipeError: There is no such pack or kind, or the pack cannot be used.
    """
    if not str(source).startswith(DRAWN):
        return open_pack(Path(source))
    from kakudai.data.drawn import COUNT, KINDS, drawn_pack  # Pillow is loaded only by those who draw

    kind, colon, number = str(source).removeprefix(DRAWN).partition(":")
    if kind not in KINDS or (colon and not (number.isascii() and number.isdecimal() and int(number) > 0)):
        names = ", ".join(f"{DRAWN}{name}" for name in KINDS)
        raise RecipeError(f"no drawn pictures {source!r}", f"accepted is {names}, or with a count, {DRAWN}photo:200")
    return drawn_pack(kind, int(number) if number else COUNT, seed=seed, threads=threads, progress=progress)
