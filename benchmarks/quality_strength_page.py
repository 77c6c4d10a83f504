"""What strengths do, for the page of `benchmarks/quality.py`: 0, growing ones, and those chosen automatically."""

import itertools
from pathlib import Path
from statistics import fmean

from quality_automatic import ALARMS, AUTOMATIC, CHOICES, HALF, WHOLE
from quality_damaged import CLEAN, GRID, MIDDLE, SETS, Task, best_strength, conditions, tasks
from quality_methods import Method, Methods
from quality_store import Store
from quality_table import MISSING, decibels, table

ALLOWED = 0.1
"""Decibels that strength 0 may cost on a clean picture."""

ZERO = f"""Strength 0 on clean pictures, asked to be within {ALLOWED} dB of the network for clean pictures. At x1 there
is none, and what counts is how near the result is to the picture itself.

"""

GROWTH = f"""
Growing strength, 0 to 100 in steps of 10, on clean pictures and on JPEG {MIDDLE}. Change: mean absolute difference to
strength 0, of 255. Detail: mean square of what pixels differ from the mean of their eight neighbours. Steps: of all
pictures, those that change more than the step before, and that leave less detail. Setback: the largest step back, as a
share of the whole way of that picture.

"""

LOSS = """Decibels that the automatic strength loses against the one strength of the grid that is best for the set;
below 0 it does better, for it is another one for every picture.

"""

ASKED = 0.1
"""Decibels that the automatic strength may lose."""

FORMER_JPEG = """BSD100 was JPEG of quality 95 once, and backgrounds of anime of 80 and 92, see [analysis](analysis.md).
Compressed so again on the same grid they hardly change: at x1 whatever is cleaned then counts as a loss, of up to 17 dB
from 63. Four of the 25 photographs at x1 are grainy; their grain is removed, which PSNR counts as a loss, too.

"""

CLEAN_PICTURES = """Clean pictures, of full size and shrunk 2x (sprites on white): how many would be denoised. None
should be.

"""


def strengths(methods: Methods, store: Store) -> str:
    """Write what strength 0 costs and whether strengths do more and more."""
    zero, growth = [], []
    for task in tasks(Path(), None):
        restoring, usual = methods.restoring(task.style, task.scale), methods.usual(task.style, task.scale)
        if restoring is None:
            continue
        zero.append(_zero_row(store, task, restoring, usual))
        for condition in (CLEAN, MIDDLE):
            growth += _growth_rows(store, task, condition, restoring)
    text = "## What the strength means\n\n"
    if not zero:
        return f"{text}No restoring network is shipped.\n"
    head = ["strength 0, clean", "network for clean pictures", "restoring, strength 0", "difference", "worst picture"]
    text += ZERO + table([*head, f"within {ALLOWED} dB"], zero) + GROWTH
    head = ["", "change at 50", "at 100", "steps that change more", "detail at 0", "at 100", "steps that leave less"]
    return text + table([*head, "largest setbacks"], growth)


def _zero_row(store: Store, task: Task, restoring: Method, usual: Method | None) -> list[str]:
    name = f"{restoring.label}, {task.name}"
    ours = store.get(task.part, task.name, CLEAN, restoring.at(0))
    plain = store.get(task.part, task.name, CLEAN, usual.key) if usual else None
    if ours is None:
        return [name, *[MISSING] * 5]
    if plain is None or usual is None:
        return [name, MISSING, f"{fmean(ours['psnr']):.2f}", MISSING, f"{min(ours['psnr']):.2f}", MISSING]
    differences = [one - other for one, other in zip(ours["psnr"], plain["psnr"], strict=True)]
    mean = fmean(differences)
    return [
        name,
        f"{fmean(plain['psnr']):.2f} ({usual.label})",
        f"{fmean(ours['psnr']):.2f}",
        f"{mean:+.3f}",
        f"{min(differences):+.3f}",
        "yes" if mean >= -ALLOWED else "**no**",
    ]


def _growth_rows(store: Store, task: Task, condition: str, restoring: Method) -> list[list[str]]:
    entry = store.get(f"strengths x{task.scale}", task.name, condition, restoring.key)
    if entry is None:
        return []
    forward: dict[str, list[bool]] = {"change": [], "detail": []}
    setbacks = {"change": 0.0, "detail": 0.0}
    for kind, sign in (("change", 1.0), ("detail", -1.0)):
        for row in entry[kind]:
            steps = [sign * (after - before) for before, after in itertools.pairwise(row)]
            forward[kind] += [step >= 0 for step in steps]
            way = max(row) - min(row)
            setbacks[kind] = max(setbacks[kind], max(-min(steps), 0.0) / way if way else 0.0)

    def mean(kind: str, strength: int) -> float:
        return fmean(row[GRID.index(strength)] for row in entry[kind])

    def share(kind: str) -> str:
        return f"{sum(forward[kind])} of {len(forward[kind])}"

    return [[
        f"{restoring.label}, {task.name}, {condition}",
        f"{mean('change', 50):.2f}", f"{mean('change', 100):.2f}", share("change"),
        f"{mean('detail', 0):.1f}", f"{mean('detail', 100):.1f}", share("detail"),
        f"{setbacks['change']:.1%}, {setbacks['detail']:.1%}",
    ]]  # fmt: skip


def automatic(methods: Methods, store: Store) -> str:
    """Write what the automatic strength loses against the best one, and false alarms."""
    found = ((task, methods.restoring(task.style, task.scale)) for task in tasks(Path(), None))
    pairs = [(task, restoring) for task, restoring in found if restoring is not None]
    losses = {
        (task, condition): loss(store, task, condition, restoring)
        for task, restoring in pairs
        for condition in conditions()
    }
    text = "## The automatic strength\n\n"
    if pairs:
        rows = [[condition, *(decibels(losses[task, condition]) for task, _ in pairs)] for condition in conditions()]
        text += LOSS + table(["", *(f"{restoring.label}, {task.name}" for task, restoring in pairs)], rows) + "\n"
    known = {place: value for place, value in losses.items() if value is not None}
    if known:
        task, condition = max(known, key=lambda place: known[place])
        within = sum(value <= ASKED for value in known.values())
        text += f"**Worst: {known[task, condition]:.2f} dB, x{task.scale}, {task.name}, {condition}.** "
        text += f"Within {ASKED} dB, as was asked: {within} of {len(known)}.\n\n{FORMER_JPEG}"
    alarms = [_alarm_row(store, name) for name in SETS]
    head = ["", "pictures", "denoised, full size", "denoised, shrunk", "taken for drawn", "taken for drawn, shrunk"]
    return text + CLEAN_PICTURES + table(head, alarms)


def loss(store: Store, task: Task, condition: str, restoring: Method) -> float | None:
    """Return the decibels that the automatic strength loses against the best, or None where one was not measured."""
    best = best_strength(store, task, condition, restoring)
    chosen = store.mean(task.part, task.name, condition, restoring.at(AUTOMATIC))
    return None if best is None or chosen is None else best[0] - chosen


def _alarm_row(store: Store, name: str) -> list[str]:
    whole, half = (store.get(ALARMS, name, size, CHOICES) for size in (WHOLE, HALF))
    if whole is None or half is None:
        return [name, *[MISSING] * 5]
    denoised = [sum(strength > 0 for strength in entry["strengths"]) for entry in (whole, half)]
    drawn = [entry["styles"].count("art") for entry in (whole, half)]
    return [name, str(len(whole["strengths"])), *map(str, [*denoised, *drawn])]
