"""The tables of compressed pictures for the page of `benchmarks/quality.py`."""

from pathlib import Path
from statistics import fmean

from quality_automatic import AUTOMATIC
from quality_damaged import CHROMAS, EVERY, GRID, QUALITIES, SETS, Task, best_strength, others, tasks
from quality_methods import Method, Methods
from quality_store import Store
from quality_table import MISSING, decibels, table

HEADS = {
    2: """## Compressed pictures, enlarged 2x

Shrunk 2x, bicubic, and compressed as JPEG. Beside ours: bicubic, our network for clean pictures, and for each row the
best of waifu2x's upconv_7 at its noise levels.

{levels}
""",
    1: """## Compressed pictures of full size

Compressed as JPEG and not enlarged, of fewer pictures. There are no networks of waifu2x here that only remove noise.

{few}
""",
}

STRENGTHS = f"""
Automatic: no strength is given to kakudai, which finds it in the file. Best: the one strength that is best for the
set, of {", ".join(map(str, GRID))}.
Difference: ours, automatic, to the best of the others, ours not among them; by luma, and by all channels, where the
halved colour of 4:2:0 shows. Sprites of anime are laid on white.

"""


def damaged(methods: Methods, store: Store, scale: int) -> str:
    """Write a table for each set and way to compress, and whether ours is above everywhere.

    Args:
        scale: 2 or 1.
    """
    found = {style: [level(method) for method in methods.levels(style)] for style in dict.fromkeys(SETS.values())}
    levels = "\n".join(f"- {style}: levels {', '.join(names) or 'are not here'}" for style, names in found.items())
    few = "\n".join(f"- {name}: {f'one picture in {every}' if every > 1 else 'all'}" for name, every in EVERY.items())
    text = HEADS[scale].format(levels=levels, few=few) + STRENGTHS
    for task in tasks(Path(), None):
        if task.scale == scale:
            text += _of_set(methods, store, task)
    return text


def level(method: Method) -> str:
    """Name a noise level of waifu2x: 0 to 3, or none."""
    return method.label.partition(", noise ")[2] or "none"


def _of_set(methods: Methods, store: Store, task: Task) -> str:
    restoring = methods.restoring(task.style, task.scale)
    if restoring is None:
        return f"### {task.name}\n\n{task.style}-restore-x{task.scale} is not shipped.\n\n"
    text, measured = f"### {task.name}: {restoring.label}\n\n", False
    differences: dict[str, float | None] = {}
    for chroma in CHROMAS:
        rows = []
        for quality in QUALITIES:
            condition = f"{chroma} {quality}"
            cells, differences[condition] = _row(methods, store, task, condition, restoring=restoring)
            measured |= any(cell != MISSING for cell in cells)
            rows.append([str(quality), *cells])
        text += table([chroma, *_columns(methods, task)], rows) + "\n"
    if not measured:
        return f"### {task.name}: {restoring.label}\n\nNot measured yet.\n\n"
    known = {condition: value for condition, value in differences.items() if value is not None}
    return f"{text}{verdict(task.name, _rival(task), known)}\n\n"


def _rival(task: Task) -> str:
    return "waifu2x's best" if task.scale == 2 else "the others"


def _columns(methods: Methods, task: Task) -> list[str]:
    plain = [method.label for method in others(methods, task) if method not in methods.levels(task.style)]
    theirs = ["waifu2x's best", "level"] if task.scale == 2 else []
    return [*plain, *theirs, "ours, automatic", "strength", "ours, best", "strength", "difference", "in RGB"]


def _row(
    methods: Methods, store: Store, task: Task, condition: str, *, restoring: Method
) -> tuple[list[str], float | None]:
    """Return the cells of a row, and the difference of ours, automatic, to the best of what it is compared with."""
    found = {method: store.mean(task.part, task.name, condition, method.key) for method in others(methods, task)}
    rivals = methods.levels(task.style) if task.scale == 2 else list(found)
    reached = {method: value for method in rivals if (value := found[method]) is not None}
    best = max(reached, key=lambda method: reached[method], default=None)
    cells = [decibels(value) for method, value in found.items() if method not in methods.levels(task.style)]
    if task.scale == 2:
        cells += [decibels(reached[best]), level(best)] if best else [MISSING] * 2
    entry = store.get(task.part, task.name, condition, restoring.at(AUTOMATIC))
    cells += [f"**{fmean(entry['psnr']):.2f}**", f"{fmean(entry['strengths']):.0f}"] if entry else [MISSING] * 2
    top = best_strength(store, task, condition, restoring)
    cells += [decibels(top[0]), str(top[1])] if top else [MISSING] * 2
    difference = fmean(entry["psnr"]) - reached[best] if entry and best else None
    colour = None
    if entry and best and "rgb" in entry:
        theirs = store.mean(task.part, task.name, condition, best.key, "rgb")
        colour = fmean(entry["rgb"]) - theirs if theirs is not None else None
    return [*cells, decibels(difference, "+.2f"), decibels(colour, "+.2f")], difference


def verdict(name: str, rival: str, differences: dict[str, float]) -> str:
    """Say whether ours is above everywhere, and where it is not."""
    if not differences:
        return f"{name}: nothing to compare yet."
    below = {condition: value for condition, value in differences.items() if value <= 0}
    least = min(differences, key=lambda condition: differences[condition])
    count = f"{len(differences) - len(below)} of {len(differences)}"
    if not below:
        return f"**{name}: above {rival} in all {count}**; least: {differences[least]:+.2f} dB, {least}."
    listed = ", ".join(f"{condition} ({value:+.2f})" for condition, value in below.items())
    return f"**{name}: above {rival} in {count}**; not above: {listed}."
