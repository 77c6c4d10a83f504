"""`kakudai models`: list, show, verify."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kakudai.cli.report import say
from kakudai.cli.table import print_table

if TYPE_CHECKING:
    from kakudai.models import Model

app = typer.Typer(rich_markup_mode=None)

SETS = ("Set5", "Set14", "BSD100")
TOLERANCE = 0.01
"""Decibels by which a figure may fall below its card, for another processor may round otherwise."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """The networks that can be used; lists them if nothing else is said.

    Example: kakudai models
    """
    if context.invoked_subcommand is None:
        list_all()


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the shipped networks.

    Example: kakudai models list
    """
    from kakudai.models import list_models

    models = list_models()
    if as_json:
        typer.echo(json.dumps([_summary(model) for model in models]))
        return
    rows = [
        [
            model.name,
            f"{model.scale}x",
            model.card["task"],
            f"{model.parameters:,}",
            f"{len(model.data) / 1024:.0f}",
            *(_psnr(model, name) for name in SETS),
            model.card["licence"],
        ]
        for model in models
    ]
    print_table(["name", "scale", "task", "parameters", "KB", *(f"{name} dB" for name in SETS), "licence"], rows)


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name or path.")], as_json: AsJson = False) -> None:
    """Show everything that is known about one network.

    Example: kakudai models show photo-x2
    """
    from kakudai.models import find_model

    model = find_model(name)
    if as_json:
        typer.echo(
            json.dumps({**model.card, "arguments": json.loads(model.card["arguments"]), "quality": model.quality})
        )
        return
    for key, value in model.card.items():
        if key != "quality":
            typer.echo(f"{key.replace('_', ' ') + ':':<24}{value}")
    for key, figures in model.quality.items():
        typer.echo(f"{key + ':':<24}{figures['psnr']:.2f} dB, SSIM {figures['ssim']:.4f}  ({figures['protocol']})")


@app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Names or paths; all shipped ones if none."),
    ] = None,
    sets: Annotated[
        list[Path] | None, typer.Option("--set", metavar="DIR", help="Folder of a test set; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Measure again what the cards say, and fail if a figure has become worse.

    Example: kakudai models verify photo-x2 --set ../shared/data/test/Set5
    """
    from kakudai.errors import UsageError
    from kakudai.models import find_model, list_models

    if not sets:
        raise UsageError("no test set is named", "for example: --set ../shared/data/test/Set5")
    models = [find_model(name) for name in names] if names else list_models()
    rows = [row for model in models for folder in sets for row in _verify(model, folder)]
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        table = [
            [r["model"], r["set"], f"{r['card']:.2f}", f"{r['measured']:.2f}", "ok" if r["ok"] else "WORSE"]
            for r in rows
        ]
        print_table(["model", "set", "card dB", "measured dB", ""], table)
    if not rows:
        say("error: the cards state no figure for these sets")
    return 0 if rows and all(row["ok"] for row in rows) else 1


def _verify(model: "Model", folder: Path) -> list[dict[str, Any]]:
    from kakudai.engine.upscaler import Upscaler
    from kakudai.evaluate.measure import measure_set

    key = f"{folder.name} x{model.scale}"
    if key not in model.quality:
        return []
    with Upscaler(model.scale, model=model) as upscaler:
        scores = measure_set(folder, model.scale, {model.name: upscaler.upscale})
    card, measured = model.quality[key]["psnr"], scores.mean(model.name).psnr
    return [
        {
            "model": model.name,
            "set": key,
            "card": card,
            "measured": measured,
            "ok": measured >= card - TOLERANCE,
        }
    ]


def _psnr(model: "Model", name: str) -> str:
    figures = model.quality.get(f"{name} x{model.scale}")
    return f"{figures['psnr']:.2f}" if figures else "-"


def _summary(model: "Model") -> dict[str, Any]:
    return {
        "name": model.name,
        "scale": model.scale,
        "task": model.card["task"],
        "color": model.color,
        "parameters": model.parameters,
        "macs_per_output_pixel": float(model.card["macs_per_output_pixel"]),
        "bytes": len(model.data),
        "quality": model.quality,
        "licence": model.card["licence"],
    }
