"""The page docs/reference/quality.md from what `benchmarks/quality.py` has measured."""

from collections.abc import Sequence
from pathlib import Path

from kakudai.evaluate.published import PIXELS, Published, published
from kakudai.evaluate.results import quality, short
from kakudai.metrics import Protocol
from quality_clean import DRAWN, KERNELS, PUBLISHED, SCALES, Condition, methods_for
from quality_damaged_page import damaged
from quality_methods import Method, Methods
from quality_store import Store
from quality_strength_page import automatic, strengths
from quality_table import MISSING, table

NEAR = 1.5
"""Networks of the literature are put beside ours that cost up to so many times what our largest does."""

HEAD = """# Quality

Written by `benchmarks/quality.py`; do not edit. Every figure is PSNR in decibels, or PSNR / SSIM, the mean over the
pictures of a set; protocol: {protocol}.
Multiply-adds are for one pixel of the output.

"""

CLEAN = """## Clean pictures

Ours: files that `kakudai upscale --denoise 0` wrote, of 8-bit PNG files; waifu2x: its own weights, run by kakudai; in
italics: what the literature prints for networks that cost up to {near:g} times what our largest does, at 1280x720.
Pictures are shrunk as MATLAB's `imresize` does, bicubic; drawings also by a box and by Lanczos. Sprites of anime count
with what lies under their transparent parts, most of it black; below, where they are compressed, on white.

"""


def page(methods: Methods, store: Store, image: Path) -> str:
    """Write the whole page.

    Args:
        image: The plot, relative to docs/.
    """
    protocol = str(Protocol.published(2)).replace("shave 2", "shave the scale")
    stand_ins = f"**Not of shipped networks: {', '.join(methods.stand_ins)}.**\n\n" if methods.stand_ins else ""
    plot = f"![PSNR against multiply-adds at 2x: ours, waifu2x's and the published frontier](../{image.as_posix()})\n"
    parts = [HEAD.format(protocol=protocol) + stand_ins + clean(methods, store) + plot]
    parts += [damaged(methods, store, 2), damaged(methods, store, 1)]
    parts += [strengths(methods, store), automatic(methods, store)]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def clean(methods: Methods, store: Store) -> str:
    """Write the tables of clean enlargement, two for each scale that we have a network of."""
    text = CLEAN.format(near=NEAR)
    for scale in SCALES:
        ours = methods.clean(scale)
        if not ours:
            text += f"No network of {scale}x is shipped.\n\n"
            continue
        conditions = [Condition(name, "bicubic", scale) for name in PUBLISHED]
        rows = [_clean_row(store, method, conditions) for method in methods_for(methods, conditions[0])]
        largest = max(method.multiply_adds(scale) or 0.0 for method in ours)
        theirs = [row for row in published() if row.scale == scale and _near(row, largest)]
        rows += [_published_row(row) for row in sorted(theirs, key=lambda row: row.multiply_adds or 0.0)]
        text += table([f"x{scale}", "parameters", "multiply-adds", *PUBLISHED], rows) + "\n"
        conditions = [Condition(name, kernel, scale) for name in DRAWN for kernel in KERNELS]
        head = [f"x{scale}, drawn", "parameters", "multiply-adds", *(f"{c.name}, {c.kernel}" for c in conditions)]
        text += table(head, [_clean_row(store, method, conditions) for method in methods_for(methods, conditions[0])])
        text += "\n"
    return text


def _clean_row(store: Store, method: Method, conditions: Sequence[Condition]) -> list[str]:
    figures = []
    for condition in conditions:
        name = condition.part, condition.name, condition.kernel, method.key
        psnr, ssim = store.mean(*name), store.mean(*name, value="ssim")
        figures.append(MISSING if psnr is None else quality(psnr, ssim))
    parameters = MISSING if method.model is None else f"{method.model.parameters:,}"
    return [method.label, parameters, short(method.multiply_adds(conditions[0].scale)), *figures]


def _near(row: Published, largest: float) -> bool:
    return bool(row.multiply_adds) and (row.multiply_adds or 0.0) / PIXELS <= NEAR * largest


def _published_row(row: Published) -> list[str]:
    figures = [row.sets.get(name) for name in PUBLISHED]
    return [
        f"*{row.model}*",
        MISSING if row.parameters is None else f"{short(row.parameters)}",
        short(row.multiply_adds and row.multiply_adds / PIXELS),
        *(MISSING if f is None else f"*{quality(f.psnr, f.ssim, '?' if f.remembered else '')}*" for f in figures),
    ]
