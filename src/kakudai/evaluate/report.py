"""One page about one or several training runs: a single HTML file that fetches nothing and opens from any disk."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template

from kakudai.evaluate import published
from kakudai.evaluate.before_after import Group
from kakudai.evaluate.chart import chart_svg, series_class
from kakudai.evaluate.curves import make_panels
from kakudai.evaluate.markup import details, paragraph, row, section, table, text
from kakudai.evaluate.report_tables import Key, card_table, commands, quality_table, recipe_table
from kakudai.evaluate.run_table import HEADINGS, duration, shown, table_rows
from kakudai.evaluate.runs import Run


def make_report(
    runs: Sequence[Run],
    *,
    pictures: Sequence[Group] = (),
    progress: Sequence[Group] = (),
    keys: Mapping[str, Key] | None = None,
    output: str = "report.html",
) -> str:
    """Return a whole page.

    Args:
        runs: At least one.
        pictures: Comparisons of real pictures.
        progress: Progress pictures of the runs.
        keys: What the keys of a recipe mean.
        output: What the commands at the end call the page.
    """
    title = runs[0].name if len(runs) == 1 else f"{len(runs)} training runs"
    many = len(runs) > 1
    body = [
        f"<header><h1>{text(title)}</h1>{_lead(runs)}{_headline(runs[0]) if not many else ''}</header>\n<main>\n",
        section("The runs", _runs_table(runs) if many else ""),
        section("Curves", _curves(runs)),
        section("Before and after", *map(_comparison, pictures)),
        section("While it learnt", *(_slides(group, titled=many) for group in progress)),
        section("Quality", quality_table(runs)),
        section("The recipe" if not many else "The recipes", recipe_table(runs, keys or {})),
        section("The network" if not many else "The networks", *(_card(run, many) for run in runs)),
        section("Do it again", *(_again(run, output, many) for run in runs)),
        section("Not read", *(paragraph(f"{note}.") for run in runs for note in run.notes)),
        "</main>\n<footer>Made by kakudai from the folders of the runs. "
        "This page is one file and fetches nothing.</footer>",
    ]
    return _page(title, "".join(body))


def _page(title: str, body: str) -> str:
    """Put a page together. Only this style and this script may act on it, whatever else should get in."""
    here = resources.files(__package__)
    style, script = (here.joinpath(f"report.{kind}").read_text("utf-8") for kind in ("css", "js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    template = Template(here.joinpath("report.html").read_text("utf-8"))
    return template.substitute(policy=policy, title=text(title), style=style, script=script, body=body)


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _lead(runs: Sequence[Run]) -> str:
    """Say in one sentence what was trained."""
    if len(runs) > 1:
        return paragraph(f"{', '.join(run.name for run in runs[:-1])} and {runs[-1].name}.", "lead")
    recipe = runs[0].recipe or (runs[0].model.card if runs[0].model else None)
    if recipe is None:
        return ""
    seen = {"luma": "brightness alone", "rgb": "all three colours"}.get(str(recipe.get("color")), "")
    words = f"The network {recipe.get('network')}, enlarging {recipe.get('scale')} times"
    return paragraph(f"{words}{f', looking at {seen}' if seen else ''}.", "lead")


def _headline(run: Run) -> str:
    figures: list[tuple[str, str, str]] = []
    if run.best:
        where = f"on {run.validated_on} x{run.scale}, " if run.validated_on and run.scale else ""
        figures.append(("Best PSNR", f"{run.best.psnr:.2f} dB", f"{where}step {run.best.step:,}"))
        bicubic = published.find(published.BICUBIC, run.scale or 0)
        if bicubic and run.validated_on in bicubic.sets:
            gain = run.best.psnr - bicubic.sets[run.validated_on].psnr
            figures.append(("Against bicubic", f"{gain:+.2f} dB", "bicubic as published"))
    if run.model:
        work = float(run.model.card["macs_per_output_pixel"])
        figures.append(("Parameters", f"{run.model.parameters:,}", f"{work:,.0f} multiply-adds a pixel of output"))
    figures.append(("Training", duration(run.seconds), f"{run.steps:,} steps, {run.steps / run.epoch:,.4g} epochs"))
    tiles = (
        f"<div><dt>{text(name)}</dt><dd>{text(value)} <small>{text(note)}</small></dd></div>"
        for name, value, note in figures
    )
    return f'<dl class="figures">{"".join(tiles)}</dl>'


def _runs_table(runs: Sequence[Run]) -> str:
    rows = table_rows(runs)
    keys = [key for key in HEADINGS if key != "run" and any(entry[key] is not None for entry in rows)]
    lines = [row(text(entry["run"]), [text(shown(key, entry[key])) for key in keys], numbers=True) for entry in rows]
    note = "Loss is the mean of the last epoch, or of the last tenth of a run where that is shorter. "
    note += "Losses of different kinds cannot be compared."
    return table(["run", *(HEADINGS[key] for key in keys)], lines, kind="runs", numbers=1) + paragraph(note, "note")


def _curves(runs: Sequence[Run]) -> str:
    if not any(run.series for run in runs):
        return paragraph("Nothing is logged yet.")
    figures = (
        f"<figure><h3>{text(panel.title)}</h3>{chart_svg(panel, f'chart-{number}')}</figure>"
        for number, panel in enumerate(make_panels(runs))
    )
    legend = ""
    if len(runs) > 1:
        lines = (
            f'<li><svg viewBox="0 0 24 10" aria-hidden="true"><path class="curve {series_class(number)}" d="M0 5H24"/>'
            f"</svg>{text(run.name)}</li>"
            for number, run in enumerate(runs)
        )
        legend = f'<ul class="legend">{"".join(lines)}</ul>'
    note = "Strong lines of losses are running medians over a fiftieth of the run; pale ones are the log itself."
    return f'{legend}<div class="charts">{"".join(figures)}</div>{paragraph(note, "note")}'


def _comparison(group: Group) -> str:
    notes = "".join(paragraph(note, "note") for note in group.notes)
    return f"<h3>{text(group.title)}</h3>{_viewer(group, 'compare')}{notes}"


def _slides(group: Group, *, titled: bool) -> str:
    notes = "".join(paragraph(note, "note") for note in group.notes)
    return (f"<h3>{text(group.title)}</h3>" if titled else "") + _viewer(group, "slides") + notes


def _viewer(group: Group, kind: str) -> str:
    """Return pictures side by side, which the page's script makes a viewer of."""
    figures = []
    for layer in group.layers:
        name, (width, height) = text(layer.title), layer.size
        figure = "" if layer.psnr is None else f"{layer.psnr:.2f}"
        figures.append(
            f'<figure data-name="{name}" data-psnr="{figure}">'
            f'<img src="{layer.address}" alt="{text(group.title)}: {name}" width="{width}" height="{height}">'
            f"<figcaption>{name}{f', {figure} dB' if figure else ''}</figcaption></figure>"
        )
    return f'<div class="layers" data-viewer="{kind}" data-title="{text(group.title)}">{"".join(figures)}</div>'


def _card(run: Run, many: bool) -> str:
    card = card_table(run)
    return details(run.name, card) if many and card else card


def _again(run: Run, output: str, many: bool) -> str:
    return (f"<h3>{text(run.name)}</h3>" if many else "") + commands(run, output)
