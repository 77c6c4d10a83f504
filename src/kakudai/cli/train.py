"""`kakudai train`."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kakudai.cli.report import say
from kakudai.errors import RuntimeUnavailable, UsageError

if TYPE_CHECKING:
    from kakudai.train.recipe import Recipe


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

    Example: kakudai train recipes/photo-x2.toml --measure ../shared/data/test/Set5
    """
    for package in ("torch", "lightning_fabric", "pydantic", "safetensors", "onnx"):
        if find_spec(package) is None:
            hint = "pip install 'kakudai[train]'"
            raise RuntimeUnavailable(f"training needs {package}, which is not installed", hint)
    from kakudai.train.loop import train as run
    from kakudai.train.recipe import read_recipe

    for change in changes or []:
        if "=" not in change:
            raise UsageError(f"--set is {change!r}", "accepted is KEY=VALUE, for example --set steps=1000")
    settings = read_recipe(recipe, dict(change.split("=", 1) for change in changes or []))
    folder = output or Path("runs") / settings.name
    with Bar() as bar:
        run(settings, folder, resume=resume, progress=bar.show)
    target = export(recipe, folder, measure or [])
    say(f"written: {target}")


def export(recipe: Path, folder: Path, sets: list[Path]) -> Path:
    """Write the network of a finished run, measure it, and write it again with its figures."""
    from kakudai.engine.upscaler import Upscaler
    from kakudai.evaluate.measure import measure_set
    from kakudai.train.checkpoint import load_checkpoint
    from kakudai.train.export import Provenance, averaged_network, export_onnx, merged_for_use, save_weights

    settings, trained = averaged_network(folder / "last.ckpt")
    save_weights(settings, trained, folder / f"{settings.name}.safetensors")
    network = merged_for_use(trained)
    target = folder / f"{settings.name}.onnx"
    data, licences = describe_data(settings, load_checkpoint(folder / "last.ckpt")["seconds"])
    provenance = Provenance(recipe.as_posix(), data, licences, commit(), {})
    export_onnx(settings, network, provenance, target)
    quality: dict[str, dict[str, float | str]] = {}
    for path in sets:
        with Upscaler(settings.scale, model=target) as upscaler:
            scores = measure_set(path, settings.scale, {settings.name: upscaler.upscale})
        mean = scores.mean(settings.name)
        quality[f"{scores.name} x{scores.scale}"] = {
            "psnr": round(mean.psnr, 4),
            "ssim": round(mean.ssim, 5),
            "protocol": str(scores.protocol),
        }
        say(f"{scores.name} x{scores.scale}: {mean.psnr:.3f} dB, SSIM {mean.ssim:.4f}")
    export_onnx(settings, network, Provenance(recipe.as_posix(), data, licences, provenance.commit, quality), target)
    return target


def describe_data(recipe: "Recipe", seconds: float) -> tuple[str, str]:
    """Say what a network was trained on, for how long and where, and under which licences the pictures stand."""
    import platform

    from kakudai.cli.doctor import processor_name
    from kakudai.data.pack import open_pack

    pack = open_pack(recipe.pack)
    folders = ", ".join(sorted({picture.folder for picture in pack.pictures}))
    blur = ", ".join(f"{sigma:g}" for sigma in recipe.blur)
    data = (
        f"{len(pack.pictures)} pictures of {folders}, offered with Gaussian blurs of {blur} pixels, "
        f"shrunk {recipe.scale} times by antialiased bicubic; {recipe.steps} steps of {recipe.batch} crops of "
        f"{recipe.patch}x{recipe.patch} low-resolution pixels; {seconds / 3600:.2f} hours on {recipe.threads} "
        f"processor(s): {processor_name()}, {platform.machine()}"
    )
    if recipe.start is not None:
        data += f"; started from the weights of {recipe.start.stem}{_earlier_hours(recipe.start)}"
    return data, "; ".join(f"{name} ({count})" for name, count in pack.licences().items())


def _earlier_hours(start: Path) -> str:
    """Say how long the run took whose weights these are, where its checkpoint still lies beside them."""
    from kakudai.train.checkpoint import load_checkpoint

    checkpoint = start.with_name("last.ckpt")
    if not checkpoint.exists():
        return ""
    return f", trained on the same for {load_checkpoint(checkpoint)['seconds'] / 3600:.2f} hours"


def commit() -> str:
    """Return the commit of the code, marked where files were changed since; "unknown" outside a repository."""
    import subprocess

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = bool(git("status", "--porcelain", "--untracked-files=no", "--", "src", "recipes"))
        return git("rev-parse", "--short=12", "HEAD") + ("-changed" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


class Bar:
    """Progress of a training run: a bar on a terminal, else a line every thousand steps."""

    def __enter__(self) -> "Bar":
        self.bars = None
        if sys.stderr.isatty():
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
        text = "  ".join(f"{name} {value:.5g}" for name, value in figures.items())
        if self.bars:
            self.bars.update(self.row, completed=done, total=total, figures=text)
        elif done % 1000 == 0 or done == total:
            say(f"step {done} of {total}  {text}")
