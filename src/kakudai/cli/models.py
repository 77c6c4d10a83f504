"""`kakudai models`: list, show, verify, import, export, remove."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kakudai.cli.progress import counting
from kakudai.cli.report import one_line, printable, say
from kakudai.cli.table import print_table

if TYPE_CHECKING:
    from kakudai.models import Model

app = typer.Typer(rich_markup_mode=None)

SETS = ("Set5", "Set14", "BSD100")
"""Test sets whose figures stand first in a list; the others follow by name."""

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
    """List the shipped networks, then the imported ones.

    Example: kakudai models list
    """
    from kakudai.models import list_models

    shipped, imported = list_models(), _imported()
    models = shipped + imported
    if as_json:
        typer.echo(json.dumps([{**_summary(model), "imported": model in imported} for model in models]))
        return
    sets = _sets(models)
    rows = [
        [
            model.name,
            f"{model.scale}x",
            model.card.get("task", "-"),
            f"{model.parameters:,}",
            f"{len(model.data) / 1024:.0f}",
            *(_psnr(model, name) for name in sets),
            _conditions(model),
            one_line(model.card.get("licence", "-")),
        ]
        for model in models
    ]
    figures = [f"{one_line(name)} dB" for name in sets]
    print_table(["name", "scale", "task", "parameters", "KB", *figures, "measured on", "licence"], rows)


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name or path.")], as_json: AsJson = False) -> None:
    """Show everything that is known about one network.

    Example: kakudai models show photo-x2
    """
    from kakudai.engine.loading import load_model

    model = load_model(name)
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
    from kakudai.engine.loading import load_model
    from kakudai.errors import PictureNotFound, UsageError
    from kakudai.evaluate.measure import set_name
    from kakudai.models import list_models

    if not sets:
        raise UsageError("no test set is named", "name a folder of PNG files, for example: --set Set5")
    for folder in sets:
        if not folder.is_dir():
            raise PictureNotFound(f"there is no folder {folder}", "name the folder of a test set, such as Set5")
    models = [load_model(name) for name in names] if names else list_models()
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


@app.command("import")
def take_in(
    file: Annotated[Path, typer.Argument(help="Model file: .onnx, .json, .param, .pth, .pt or .safetensors.")],
    name: Annotated[str | None, typer.Option(help="What to call it; the name of the file if not given.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence that its weights are under, for its card.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of an imported one of that name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a model file of any kind in, so that -m NAME finds it.

    Nothing in the file is executed. Where it lies is said by `kakudai doctor` and decided by KAKUDAI_HOME.

    Example: kakudai models import 4x-UltraSharp.pth --name ultrasharp
    """
    from kakudai.engine.loading import describe, import_model

    model = import_model(file, name=name, licence=licence, replace_old=replace)
    if as_json:
        typer.echo(json.dumps(model.card))
        return
    typer.echo(f"{model.name}: {one_line(describe(model))}")
    typer.echo(f"use it with: kakudai upscale photo.jpg -m {model.name}")


@app.command("export")
def give_out(
    name: Annotated[str, typer.Argument(help="Name or path.")],
    to: Annotated[str, typer.Option("--to", help="onnx, waifu2x-json, ncnn or safetensors.")] = "onnx",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File; NAME with the ending of its kind if not given.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
) -> None:
    """Write a model for another program. ncnn models are two files, .param and .bin. Folders that are missing are made.

    Example: kakudai models export photo-x2 --to ncnn -o photo.param
    """
    from kakudai.engine.loading import load_model
    from kakudai.errors import OutputError, OutputExists, UsageError
    from kakudai.image.writing import write_whole
    from kakudai.models.store import name_for

    check_kind(to)
    model = load_model(name)
    first = output or Path(name_for(model.name) + ENDINGS[to][0])
    written = [first, *(first.with_suffix(ending) for ending in ENDINGS[to][1:])]
    if len(set(written)) < len(written):
        raise UsageError(f"{first} would be both files", f"name the {ENDINGS[to][0]} with -o; the other lies beside it")
    for path in written:
        if path.exists() and not overwrite:
            raise OutputExists(f"there is a file {path} already", "add --overwrite, or name another with -o")
    parts = _exported(model, to)
    try:
        first.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{first.parent} cannot be made: {error.strerror}", "choose another folder") from error
    for path, data in zip(written, parts, strict=True):
        write_whole(path, data)
        typer.echo(printable(str(path)))


@app.command()
def remove(name: Annotated[str, typer.Argument(help="Name of an imported model.")]) -> None:
    """Delete an imported model.

    Example: kakudai models remove ultrasharp
    """
    from kakudai.models import store

    store.remove(name)
    typer.echo(f"{name} is removed")


ENDINGS = {
    "onnx": (".onnx",),
    "waifu2x-json": (".json",),
    "ncnn": (".param", ".bin"),
    "safetensors": (".safetensors",),
}
"""Kinds of model files that can be written, and how their files end."""


def check_kind(kind: str) -> None:
    """Refuse a kind of file that cannot be written.

    Raises:
        UsageError: There is no such kind.
    """
    from kakudai.errors import UsageError

    if kind not in ENDINGS:
        raise UsageError(f"--to is {kind!r}", f"accepted are {', '.join(ENDINGS)}")


def _exported(model: "Model", kind: str) -> list[bytes]:
    """Return the content of the files that a model becomes."""
    if kind == "onnx":
        return [model.data]
    if kind == "safetensors":
        from kakudai.convert.to_safetensors import export_safetensors
        from kakudai.engine.loading import open_network

        return [export_safetensors(model.data, model.name, open_network)]
    if kind == "waifu2x-json":
        from kakudai.convert.to_waifu2x_json import export_json

        return [export_json(model.data, model.name)]
    from kakudai.convert.to_ncnn import export_ncnn

    param, weights = export_ncnn(model.data, model.name)
    return [param.encode(), weights]


def _imported() -> list["Model"]:
    """Return the imported models; one that cannot be read is said and left out."""
    from kakudai.errors import ModelInvalid
    from kakudai.models import find_model, store

    models = []
    for name in store.imported_names():
        try:
            models.append(find_model(name))
        except ModelInvalid as error:
            say(f"warning: {one_line(error.message)}")
    return models


def _verify(model: "Model", folder: Path) -> list[dict[str, Any]]:
    """Compare one card with one set: one row for PSNR and one for SSIM, none where the card does not name the set."""
    from kakudai.engine.upscaler import Upscaler
    from kakudai.evaluate.measure import measure_set, set_name, told_strength

    key = f"{set_name(folder)} x{model.scale}"
    if key not in model.quality:
        return []
    psnr, ssim, _ = stated(model, key)
    strength = told_strength(model.scale)
    upscaler = Upscaler(model.scale, model=model, denoise=strength, precision="float32")
    with upscaler, counting(key) as progress:
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


def _own_sets(model: "Model") -> list[str]:
    """Return the test sets that a card has figures for, at the scale of its network."""
    ending = f" x{model.scale}"
    return [key.removesuffix(ending) for key in model.quality if key.endswith(ending)]


def _sets(models: list["Model"]) -> list[str]:
    """Return the test sets of all cards, those of the literature first."""
    found = {name for model in models for name in _own_sets(model)}
    return [name for name in SETS if name in found] + sorted(found.difference(SETS))


def _psnr(model: "Model", name: str) -> str:
    from kakudai.errors import ModelInvalid

    key = f"{name} x{model.scale}"
    try:
        return f"{stated(model, key)[0]:.2f}" if key in model.quality else "-"
    except ModelInvalid:  # one bad card must not hide all other networks
        return "?"


def _conditions(model: "Model") -> str:
    """Say what the pictures were like that a network was given: clean, or what its card says behind the protocol."""
    from kakudai.errors import ModelInvalid
    from kakudai.metrics import Protocol

    published = str(Protocol.published(model.scale))
    try:
        protocols = [stated(model, f"{name} x{model.scale}")[2] for name in _own_sets(model)]
    except ModelInvalid:
        return "?"
    damages = dict.fromkeys(protocol.removeprefix(published).lstrip(", ") or "clean" for protocol in protocols)
    return one_line("; ".join(damages)) or "-"


def _summary(model: "Model") -> dict[str, Any]:
    return {
        "name": model.name,
        "scale": model.scale,
        "task": model.card.get("task"),
        "color": model.color,
        "parameters": model.parameters,
        "macs_per_output_pixel": float(model.card.get("macs_per_output_pixel", 0)),
        "bytes": len(model.data),
        "quality": model.quality,
        "licence": model.card.get("licence"),
    }
