"""What the card of a weight file says about its training."""

import platform
import subprocess
from pathlib import Path

from kakudai.data.pack import Pack
from kakudai.degrade.strength import DamageKind
from kakudai.train.checkpoint import load_checkpoint
from kakudai.train.export import Trained
from kakudai.train.recipe import Recipe

DAMAGED: dict[DamageKind, str] = {"photo": "photographs", "art": "drawings"}


def describe_data(trained: Trained, pack: Pack, processor: str) -> tuple[str, str]:
    """Say what a network was trained on, for how long and where, and under which licences the pictures stand.

    Args:
        trained: The network of a run.
        pack: What it was trained on.
        processor: Name of this machine's processor.

    Returns:
        A sentence, and the licences with the number of pictures under each, the commonest first.
    """
    recipe = trained.recipe
    data = (
        f"{_pictures(recipe, pack)}; {trained.steps} steps of {recipe.batch} crops of {recipe.patch}x{recipe.patch} "
        f"low-resolution pixels; {_time(trained.seconds)} on {_machine(recipe, processor)}"
    )
    if trained.best_step is not None:
        data += f"; the weights are those of step {trained.best_step}, which did best on {recipe.validate_on}"
    if recipe.start is not None:
        data += f"; started from the weights of {recipe.start.stem}{_earlier_time(recipe)}"
    return data, "; ".join(f"{name} ({count})" for name, count in pack.licences().items())


def commit() -> str:
    """Return the commit of this code, marked where files were changed since; "unknown" where it is in no repository.

    What counts is where kakudai lies, not where it was started: that may be another project's repository.
    """
    code = Path(__file__)

    def git(*words: str) -> str:
        words = ("git", "-C", str(code.parent), *words)
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", code.name)  # fails for an installed copy inside somebody's repository
        changed = bool(git("status", "--porcelain", "--untracked-files=no", "--", ":/src", ":/recipes"))
        return git("rev-parse", "--short=12", "HEAD") + ("-changed" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _pictures(recipe: Recipe, pack: Pack) -> str:
    """Say what the pictures are and what was done to them."""
    folders = ", ".join(sorted({picture.folder for picture in pack.pictures}))
    text = f"{len(pack.pictures)} pictures of {folders}"
    for folder, times in recipe.favour.items():
        text += f", {folder} {times:g} times as often as its size says"
    if recipe.blur != [0.0]:
        text += f", offered with Gaussian blurs of {', '.join(f'{sigma:g}' for sigma in recipe.blur)} pixels"
    factors = " or ".join(str(scale) for scale in sorted(recipe.scales or [recipe.scale]))
    if factors != "1":
        filters = ["antialiased bicubic" if name == "bicubic" else name for name in recipe.downsampling]
        text += f", shrunk {factors} times by {' or '.join(filters)}"
    if recipe.noise is not None:
        text += f", {100 * recipe.noise_rate:g} % of the crops with JPEG damage {recipe.noise} of waifu2x"
    if recipe.damage is not None:
        text += f", damaged by JPEG and noise of every strength as {DAMAGED[recipe.damage]} are"
    return text


def _machine(recipe: Recipe, processor: str) -> str:
    name = f"{processor}, {platform.machine()}"
    if recipe.accelerator != "cpu":
        import torch

        if torch.cuda.is_available():
            return f"{recipe.devices} GPU(s): {torch.cuda.get_device_name()}; {name}"
    return f"{recipe.threads * recipe.devices} processor(s): {name}"


def _time(seconds: float) -> str:
    """Write how long something took in the unit that suits it."""
    if seconds < 120:
        return f"{seconds:.1f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 3600 else f"{seconds / 3600:.2f} hours"


def _earlier_time(recipe: Recipe) -> str:
    """Say how long the run took whose weights a recipe starts from, and on what, where its checkpoint still lies
    beside them.
    """
    checkpoint = recipe.start.with_name("last.ckpt") if recipe.start else None
    if checkpoint is None or not checkpoint.exists():
        return ""
    state = load_checkpoint(checkpoint)
    earlier = state["recipe"]["pack"]
    return f", trained on {'the same' if earlier == recipe.pack else earlier} for {_time(state['seconds'])}"
