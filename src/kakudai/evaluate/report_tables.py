"""The tables of a report: quality beside the literature, the recipe, the network's card, how to do it again."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kakudai.evaluate import published
from kakudai.evaluate.markup import block, code, details, paragraph, row, table, text
from kakudai.evaluate.runs import Run
from kakudai.evaluate.tables import LEGEND, REMEMBERED

CLASSICS = ("Bicubic", "SRCNN 9-5-5", "FSRCNN", "ESPCN", "VDSR", "EDSR-baseline")
"""Published rows that every table of quality begins with."""

CARD = (
    "name", "version", "network", "arguments", "scale", "color", "parameters", "macs_per_output_pixel", "halo",
    "enlarges", "data", "data_licences", "licence", "recipe", "commit",
)  # fmt: skip
"""Entries of a card that are shown, in this order."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a key of a recipe means.

    Args:
        description: One sentence.
        default: What it is where the recipe does not say it; `...` where it must.
    """

    description: str
    default: Any


def quality_table(runs: Sequence[Run]) -> str:
    """Return the figures of the runs' cards beside the published ones, or nothing where no card has any."""
    measured = [(run, _quality(run)) for run in runs]
    columns = list(dict.fromkeys(key for _, quality in measured for key in quality))
    if not columns:
        return ""
    same = {run.name: _same(run) for run in runs}
    names = [*CLASSICS, *(found.model for found in same.values() if found)]
    scales = {int(column.rpartition(" x")[2]) for column in columns}
    printed = [entry.model for scale in sorted(scales) for entry in published.published() if entry.scale == scale]
    rows = [_printed_row(name, columns) for name in dict.fromkeys(printed) if name in names]
    rows += [_own_row(run, quality, columns, same[run.name]) for run, quality in measured if quality]
    notes = "PSNR in decibels and SSIM, on luma, as the literature measures them. Rows in bold are of these runs, "
    notes += "the others as published."
    if any(f"{REMEMBERED}</td>" in entry for entry in rows):
        notes += f" {LEGEND}."
    sources = sorted({key for name in names for scale in scales for key in _sources(name, scale)})
    listed = "; ".join(published.sources().get(key, key) for key in sources)
    return (
        table(["", "parameters", *columns], rows, numbers=1)
        + paragraph(notes, "note")
        + (details("Where the published figures come from", paragraph(listed, "note")) if listed else "")
    )


def _quality(run: Run) -> dict[str, tuple[float, float]]:
    """Return the figures of a card that make sense: "Set5 x2" -> PSNR, SSIM."""
    figures = {}
    for key, value in (run.model.quality if run.model else {}).items():
        try:
            psnr, ssim = float(value["psnr"]), float(value["ssim"])
        except (KeyError, TypeError, ValueError):
            continue
        if re.fullmatch(r".+ x\d{1,2}", key):
            figures[key] = (psnr, ssim)
    return figures


def _same(run: Run) -> published.Published | None:
    """Return what is printed for the run's own network."""
    if run.model is None:
        return None
    return published.find_same(run.model.card.get("network", ""), run.model.parameters, run.model.scale)


def _sources(name: str, scale: int) -> tuple[str, ...]:
    found = published.find(name, scale)
    return found.sources if found else ()


def _printed(name: str, column: str) -> published.Figure | None:
    set_name, _, scale = column.rpartition(" x")
    found = published.find(name, int(scale))
    return found.sets.get(set_name) if found else None


def _printed_row(name: str, columns: Sequence[str]) -> str:
    found = next(filter(None, (published.find(name, int(column.rpartition(" x")[2])) for column in columns)), None)
    cells = [f"{found.parameters:,}" if found and found.parameters else "–"]
    for column in columns:
        figure = _printed(name, column)
        cells.append(_figures(figure.psnr, figure.ssim) + (REMEMBERED if figure.remembered else "") if figure else "–")
    return row(text(name), cells, numbers=True)


def _own_row(
    run: Run, quality: Mapping[str, tuple[float, float]], columns: Sequence[str], same: published.Published | None
) -> str:
    cells = [f"{run.model.parameters:,}" if run.model else "–"]
    for column in columns:
        if column not in quality:
            cells.append("–")
            continue
        psnr, ssim = quality[column]
        compared = [(_printed("Bicubic", column), "bicubic"), (_printed(same.model, column) if same else None, "print")]
        gains = [f"{psnr - figure.psnr:+.2f} against {name}" for figure, name in compared if figure]
        cells.append(_figures(psnr, ssim) + "".join(f"<small>{text(gain)}</small>" for gain in gains))
    return row(text(run.name), cells, kind="ours", numbers=True)


def _figures(psnr: float, ssim: float | None) -> str:
    return f"{psnr:.2f}" + ("" if ssim is None else f" / {ssim:.4f}")


def recipe_table(runs: Sequence[Run], keys: Mapping[str, Key]) -> str:
    """Return the recipes of runs: where they differ, what was chosen, and, folded up, what stayed at its default.

    Args:
        runs: Those without a recipe.json are left out.
        keys: What the keys mean, as far as that is known here.
    """
    known = [(run.name, run.recipe) for run in runs if run.recipe is not None]
    if not known:
        return ""
    recipes = [recipe for _, recipe in known]
    order = list(dict.fromkeys([*keys, *(key for recipe in recipes for key in recipe)]))
    order = [key for key in order if any(key in recipe for recipe in recipes)]
    differing = [key for key in order if len({_cell(recipe, key) for recipe in recipes}) > 1]
    same = [key for key in order if key not in differing]
    default = [key for key in same if key in keys and _is_default(recipes[0], key, keys[key])]
    chosen = [key for key in same if key not in default]
    parts = []
    if differing:
        rows = [row(code(key), [code(_cell(recipe, key)) for recipe in recipes]) for key in differing]
        parts = ["<h3>Where they differ</h3>", table(["key", *(name for name, _ in known)], rows), "<h3>The rest</h3>"]
    parts.append(_recipe_part(recipes[0], chosen, keys))
    if default:
        summary = f"{len(default)} more, which stayed at their defaults"
        parts.append(details(summary, _recipe_part(recipes[0], default, keys)))
    return "".join(parts)


def _recipe_part(recipe: Mapping[str, Any], chosen: Sequence[str], keys: Mapping[str, Key]) -> str:
    if not keys:
        return table(["key", "value"], [row(code(key), [code(_cell(recipe, key))]) for key in chosen], kind="recipe")
    meanings = [text(keys[key].description) if key in keys else "" for key in chosen]
    marked = [re.sub("`([^`]+)`", r"<code>\1</code>", meaning) for meaning in meanings]
    rows = [row(code(key), [code(_cell(recipe, key)), meaning]) for key, meaning in zip(chosen, marked, strict=True)]
    return table(["key", "value", "meaning"], rows, kind="recipe")


def _is_default(recipe: Mapping[str, Any], key: str, meaning: Key) -> bool:
    return key not in recipe or (meaning.default is not ... and recipe[key] == meaning.default)


def _cell(recipe: Mapping[str, Any], key: str) -> str:
    """Return a recipe's value as people write it."""
    if key not in recipe:
        return "–"
    value = recipe[key]
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return json.dumps(value, ensure_ascii=False)


def card_table(run: Run) -> str:
    """Return what the exported file says about itself."""
    if run.model is None:
        return ""
    card = run.model.card
    rows = [row(text(key.replace("_", " ")), [text(card[key])]) for key in CARD if card.get(key)]
    return table(["card", "value"], rows, kind="recipe")


def commands(run: Run, output: str) -> str:
    """Return how to repeat a run, and the recipe as it was applied."""
    folder = shlex.quote(str(run.folder))
    name = str((run.recipe or {}).get("name", run.name))
    card = run.model.card if run.model else {}
    lines = []
    if card.get("commit"):
        lines.append(f"git checkout {shlex.quote(card['commit'].removesuffix('-changed'))}")
    source = f"{name}.toml" if run.recipe else card.get("recipe")
    if source:
        sets = " ".join(f"--measure {shlex.quote(path)}" for path in _sets(run))
        lines.append(f"kakudai train {shlex.quote(source)} -o {folder} {sets}".rstrip())
    lines.append(f"kakudai plot {folder}")
    lines.append(f"kakudai report {folder} -o {shlex.quote(output)}")
    if run.model:
        lines.append(f"kakudai photo.jpg -m {shlex.quote(str(run.folder / f'{name}.onnx'))}")
    parts = [block("\n".join(lines))]
    if card.get("commit", "").endswith("-changed"):
        parts.append(paragraph("The code was changed after that commit.", "note"))
    if run.recipe:
        parts.append(details(f"{name}.toml: the recipe as it was applied", block(as_toml(run.recipe))))
    return "".join(parts)


def _sets(run: Run) -> list[str]:
    """Return folders of the sets on the card: test sets lie beside each other."""
    path = (run.recipe or {}).get("validate_on")
    beside = Path(path).parent if isinstance(path, str) else Path()
    return [(beside / key.rpartition(" x")[0]).as_posix() for key in _quality(run)]


def as_toml(values: Mapping[str, Any]) -> str:
    """Write a recipe as TOML; what is none is left out."""
    return "".join(f"{_toml_key(key)} = {_toml(value)}\n" for key, value in values.items() if value is not None)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        entries = [f"{_toml_key(key)} = {_toml(inner)}" for key, inner in value.items() if inner is not None]
        return f"{{ {', '.join(entries)} }}" if entries else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)
