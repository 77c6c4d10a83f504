"""`kakudai models`: list, show, verify."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kakudai.cli.progress import counting
from kakudai.cli.report import one_line
from kakudai.cli.table import print_table

if TYPE_CHECKING:
    from kakudai.models import Model

app = typer.Typer(rich_markup_mode=None)

SETS = ("Set5", "Set14", "BSD100")
TOLERANCE = {"psnr": 0.01, "ssim": 0.001}
"""How far a figure may fall below its card (PSNR in decibels), for another processor may round otherwise."""

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
            model.card.get("task", "-"),
            f"{model.parameters:,}",
            f"{len(model.data) / 1024:.0f}",
            *(_psnr(model, name) for name in SETS),
            model.card.get("licence", "-"),
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
        typer.echo(json.dumps({**model.card, "quality": model.quality}))
        return
    for key, value in model.card.items():
        if key != "quality":
            typer.echo(f"{one_line(key.replace('_', ' ')) + ':':<24}{one_line(value)}")
    for key in model.quality:
        psnr, ssim, protocol = stated(model, key)
        typer.echo(f"{one_line(key) + ':':<24}{psnr:.2f} dB, SSIM {ssim:.4f}  ({one_line(protocol)})")


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

    PSNR may fall by 0.01 dB and SSIM by 0.001, for processors round differently.

    Example: kakudai models verify photo-x2 --set ../shared/data/test/Set5
    """
    from kakudai.errors import PictureNotFound, UsageError
    from kakudai.evaluate.measure import set_name
    from kakudai.models import find_model, list_models

    if not sets:
        raise UsageError("no test set is named", "for example: --set ../shared/data/test/Set5")
    for folder in sets:
        if not folder.is_dir():
            raise PictureNotFound(f"{folder} is not a folder", "name the folder of a test set, such as Set5")
    models = [find_model(name) for name in names] if names else list_models()
    rows = [row for model in models for folder in sets for row in _verify(model, folder)]
    if not rows:
        known = sorted({key for model in models for key in model.quality})
        found = ", ".join(set_name(folder) for folder in sets)
        hint = f"they state figures for {', '.join(known)}" if known else "they state no figures at all"
        raise UsageError(f"the cards state no figure for {found}", hint)
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        print_table(["model", "set", "", "card", "measured", "difference", ""], [_shown(row) for row in rows])
    return 0 if all(row["ok"] for row in rows) else 1


def _verify(model: "Model", folder: Path) -> list[dict[str, Any]]:
    """Compare one card with one set: one row for PSNR and one for SSIM, none where the card does not name the set."""
    from kakudai.engine.upscaler import Upscaler
    from kakudai.evaluate.measure import measure_set, set_name

    key = f"{set_name(folder)} x{model.scale}"
    if key not in model.quality:
        return []
    psnr, ssim, _ = stated(model, key)
    with Upscaler(model.scale, model=model) as upscaler, counting(key) as progress:
        methods = {model.name: upscaler.upscale}
        scores = measure_set(folder, model.scale, methods, published=True, progress=progress)
    mean = scores.mean(model.name)
    return [
        {
            "model": model.name,
            "set": key,
            "figure": figure,
            "card": card,
            "measured": measured,
            "ok": measured >= card - TOLERANCE[figure],
        }
        for figure, card, measured in (("psnr", psnr, mean.psnr), ("ssim", ssim, mean.ssim))
    ]


def _shown(row: dict[str, Any]) -> list[str]:
    digits, unit = (2, " dB") if row["figure"] == "psnr" else (4, "")
    figures = [f"{row['card']:.{digits}f}{unit}", f"{row['measured']:.{digits}f}{unit}"]
    difference = f"{row['measured'] - row['card']:+.{digits + 1}f}{unit}"
    return [row["model"], row["set"], row["figure"].upper(), *figures, difference, "ok" if row["ok"] else "WORSE"]


def stated(model: "Model", key: str) -> tuple[float, float, str]:
    """Return PSNR, SSIM and protocol that a card states for a set.

    Raises:
        ModelInvalid: The card says something else there.
    """
    from kakudai.errors import ModelInvalid

    figures = model.quality[key]
    try:
        return float(figures["psnr"]), float(figures["ssim"]), str(figures["protocol"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelInvalid(f"the card of {model.name} makes no sense at {key!r}", "export the model again") from error


def _psnr(model: "Model", name: str) -> str:
    key = f"{name} x{model.scale}"
    return f"{stated(model, key)[0]:.2f}" if key in model.quality else "-"


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
