"""Losses and training times of several runs in one table."""

from collections.abc import Sequence
from typing import Any

from kakudai.evaluate.markup import printable
from kakudai.evaluate.runs import Run

HEADINGS = {
    "run": "run",
    "network": "network",
    "parameters": "parameters",
    "steps": "steps",
    "epochs": "epochs",
    "seconds": "training time",
    "loss": "loss",
    "loss_name": "loss is",
    "psnr": "PSNR dB",
    "best_psnr": "best PSNR dB",
    "best_step": "at step",
    "validated_on": "measured on",
}
"""Key of a row, and what stands above its column."""


def table_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return one row per run, None where a figure is not known.

    `loss` is the mean of the last epoch, or of the last tenth of the run where that is shorter; `psnr` that of the
    last validation; `parameters` are those of the exported network.
    """
    return [_row(run) for run in runs]


def _row(run: Run) -> dict[str, Any]:
    losses, psnr = run.losses(), run.series.get("psnr")
    return {
        "run": run.name,
        "network": (run.recipe or {}).get("network", run.model.card.get("network") if run.model else None),
        "parameters": run.model.parameters if run.model else None,
        "steps": run.steps,
        "epochs": run.steps / run.epoch,
        "seconds": run.seconds,
        "loss": run.final_loss(),
        "loss_name": list(losses)[-1] or None if losses else None,
        "psnr": float(psnr.values[-1]) if psnr else None,
        "best_psnr": run.best.psnr if run.best else None,
        "best_step": run.best.step if run.best else None,
        "validated_on": f"{run.validated_on} x{run.scale}" if run.validated_on and run.scale else run.validated_on,
    }


def shown(key: str, value: Any) -> str:
    """Return one figure of a row as text."""
    if value is None:
        return "–"
    if key == "seconds":
        return duration(value)
    digits = {"psnr": ".2f", "best_psnr": ".2f", "loss": ".4g", "epochs": ",.4g"}
    if key in digits:
        return f"{value:{digits[key]}}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def duration(seconds: float) -> str:
    """Return a time as people read it: 12 s, 4 min 5 s, 1 h 20 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def as_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Return a table whose columns also align as plain text. Columns of which nothing is known are left out."""
    keys = [key for key in HEADINGS if any(row[key] is not None for row in rows)]
    cells = [[HEADINGS[key] for key in keys]]
    cells += [[_cell(shown(key, row[key])) for key in keys] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(keys))]
    left = [key in ("run", "network", "loss_name", "validated_on") for key in keys]
    rule = [
        f":{'-' * (width - 1)}" if at_left else f"{'-' * (width - 1)}:"
        for width, at_left in zip(widths, left, strict=True)
    ]
    lines = [cells[0], rule, *cells[1:]]
    return "".join(f"| {' | '.join(_padded(line, widths, left))} |\n" for line in lines)


def _padded(line: Sequence[str], widths: Sequence[int], left: Sequence[bool]) -> list[str]:
    columns = zip(line, widths, left, strict=True)
    return [text.ljust(width) if at_left else text.rjust(width) for text, width, at_left in columns]


def _cell(text: str) -> str:
    """Keep a name from ending its cell or its line."""
    return printable(text).replace("\\", "\\\\").replace("|", "\\|")
