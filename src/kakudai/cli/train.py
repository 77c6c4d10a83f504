"""`kakudai train`."""

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kakudai.cli.report import Interrupted, say
from kakudai.errors import KakudaiError, RecipeError, RuntimeUnavailable, UsageError

if TYPE_CHECKING:
    from kakudai.data.pack import Pack
    from kakudai.train.loop import Run
    from kakudai.train.recipe import Recipe

INTERRUPTED = 130


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe, see recipes/.")],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one value of the recipe; may be repeated."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="RUN", help="Folder of the run; runs/NAME if not given."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
    measure: Annotated[
        list[Path] | None,
        typer.Option("--measure", metavar="DIR", help="Test set whose figures go into the card; may be repeated."),
    ] = None,
) -> None:
    """Train a network and write it as RUN/NAME.onnx with its card.

    Ctrl-C stops after the step it came in, with a checkpoint that --resume goes on from.

    Example: kakudai train recipes/photo-x2.toml --measure ../shared/data/test/Set5
    """
    for package in ("torch", "lightning_fabric", "pydantic", "safetensors", "onnx", "tensorboard"):
        if find_spec(package) is None:
            hint = "pip install 'kakudai[train]'"
            raise RuntimeUnavailable(f"training needs {package}, which is not installed", hint)
    from kakudai.train.recipe import read_recipe, surprises  # torch comes when all that is quickly checked is right

    for change in changes or []:
        if "=" not in change:
            raise UsageError(f"--set is {change!r}", "accepted is KEY=VALUE, for example --set steps=1000")
    settings = read_recipe(recipe, dict(change.split("=", 1) for change in changes or []))
    folder = output or Path("runs") / settings.name
    check_files(recipe, settings, folder, measure or [], resume=resume)
    from kakudai.train.loop import Run

    run = Run(settings, folder, resume=resume)
    if run.leads and not run.over:
        for text in surprises(settings):
            say(f"warning: {text}")
    take_steps(run)
    target = export(recipe, folder, run.feed.pack, measure or [])
    say(f"written: {target}")


def check_files(recipe: Path, settings: "Recipe", folder: Path, sets: list[Path], *, resume: bool) -> None:
    """Refuse, before any work, what is bound to fail after it.

    Raises:
        UsageError: The folder holds a run that would be lost.
        RecipeError: There is no run to go on with, there are no weights to start from, or no folder to validate on.
        PictureNotFound: A set to measure on has no pictures.
    """
    from kakudai.evaluate.measure import set_files
    from kakudai.train.recipe import check_validation

    checkpoint, start = folder / "last.ckpt", settings.start
    if checkpoint.exists() and not resume:
        hint = "go on with --resume, name another folder with -o, or remove that one"
        raise UsageError(f"{folder} holds a run already, which would be lost", hint)
    if resume and not checkpoint.exists():
        raise RecipeError(f"no checkpoint at {checkpoint}", "leave --resume out to start from the beginning")
    if start and not resume and not start.exists():
        first = recipe.with_name(f"{start.stem}.toml")
        known = f"train it first: kakudai train {first}"
        hint = known if first.exists() else "correct `start`, or leave it out of the recipe"
        raise RecipeError(f"no weights to start from in {start}: there is no such file", hint)
    for path in sets:
        set_files(path)
    if settings.validate_on is not None:
        check_validation(settings.validate_on)


def take_steps(run: "Run") -> None:
    """Finish a run with its progress on stderr, or say how to go on with it.

    Of several processes only the first one comes back; the others, started by it, end here.
    """
    try:
        with Bar(shown=run.leads) as bar:
            run.finish(bar.show)
    except KeyboardInterrupt:
        if run.leads and (run.folder / "last.ckpt").exists():
            say(f"stopped; go on with: {resuming()}")
            raise Interrupted from None
        raise typer.Exit(INTERRUPTED if run.leads else 0) from None
    except KakudaiError:
        if run.leads:
            raise
    if not run.leads:
        raise typer.Exit


def resuming() -> str:
    """Return the command that goes on with the run that this one began."""
    words = ["kakudai", *sys.argv[1:]]
    return shlex.join(words if "--resume" in words else [*words, "--resume"])


def export(recipe: Path, folder: Path, pack: "Pack", sets: list[Path]) -> Path:
    """Write the best network of a finished run, measure it, and write it again with its figures."""
    from kakudai.cli.doctor import processor_name
    from kakudai.convert.torch_export import merged_for_use
    from kakudai.train.build import save_weights
    from kakudai.train.card import commit, describe_data
    from kakudai.train.export import Provenance, export_onnx, trained_network

    trained = trained_network(folder)
    settings = trained.recipe
    save_weights(settings, trained.network, folder / f"{settings.name}.safetensors")
    network = merged_for_use(trained.network)
    target = folder / f"{settings.name}.onnx"
    data, licences = describe_data(trained, pack, processor_name())
    provenance = Provenance(recipe.as_posix(), data, licences, commit(), {})
    export_onnx(settings, network, provenance, target)
    if sets:
        quality = quality_of(target, settings.name, settings.scale, sets)
        provenance = Provenance(recipe.as_posix(), data, licences, provenance.commit, quality)
        export_onnx(settings, network, provenance, target)
    else:
        say("warning: the card states no quality; the same command with --resume --measure DIR adds it")
    return target


def quality_of(model: Path, name: str, scale: int, sets: list[Path]) -> dict[str, dict[str, float | str]]:
    """Measure an exported network on some test sets."""
    from kakudai.engine.upscaler import Upscaler
    from kakudai.evaluate.measure import measure_set, told_strength

    quality: dict[str, dict[str, float | str]] = {}
    for path in sets:
        with Upscaler(scale, model=model, denoise=told_strength(scale), precision="float32") as upscaler:
            scores = measure_set(path, scale, {name: upscaler.upscale})
        mean = scores.mean(name)
        quality[f"{scores.name} x{scores.scale}"] = {
            "psnr": round(mean.psnr, 4),
            "ssim": round(mean.ssim, 5),
            "protocol": scores.conditions,
        }
        say(f"{scores.name} x{scores.scale}: {mean.psnr:.3f} dB, SSIM {mean.ssim:.4f}")
    return quality


class Bar:
    """Progress of a training run: a bar on a terminal, else a line every thousand steps.

    Args:
        shown: Whether anything is to be seen of it.
    """

    def __init__(self, *, shown: bool = True) -> None:
        self.shown = shown

    def __enter__(self) -> "Bar":
        self.bars = None
        if self.shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(),
            )
            self.bars = Progress(*columns, console=Console(stderr=True))
            self.row = self.bars.add_task("steps", figures="")
            self.bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.bars:
            self.bars.stop()

    def show(self, done: int, total: int, figures: dict[str, float]) -> None:
        """Show how far the run is and its latest figures."""
        if not self.bars and (not self.shown or (done % 1000 and done != total)):
            return
        text = "  ".join(f"{name} {value:.5g}" for name, value in figures.items())
        if self.bars:
            self.bars.update(self.row, completed=done, total=total, figures=text)
        else:
            say(f"step {done} of {total}  {text}")
