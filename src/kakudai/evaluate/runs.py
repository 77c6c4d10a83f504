"""Read the folder that a training run leaves behind, also while the run still goes on."""

import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakudai.errors import ModelError, UsageError
from kakudai.models import Model, find_model

LOG = "log.jsonl"
EPOCH = 1000
"""Steps that are called an epoch where a run has no recipe.json, as runs of version 0.1.0 have none."""

EPOCH_FILE = re.compile(r"epoch-(\d{1,9})\.png")


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One figure of the log, in the order of steps. Shape: three arrays (points,)."""

    steps: NDArray[np.int64]
    seconds: NDArray[np.float64]
    values: NDArray[np.float64]

    def where(self, mask: NDArray[np.bool_]) -> "Series":
        """Return the points that a mask keeps."""
        return Series(self.steps[mask], self.seconds[mask], self.values[mask])


@dataclass(frozen=True, slots=True)
class Best:
    """The validation whose weights are kept as the best."""

    step: int
    psnr: float


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress picture: itself, enlarged by bicubic, and enlarged by the network at the end of epochs."""

    original: Path | None
    bicubic: Path | None
    epochs: dict[int, Path]


@dataclass(frozen=True)
class Run:
    """What a training run has left in its folder.

    Args:
        folder: Where it is.
        name: The folder's name.
        recipe: The recipe as it was applied, or None where the folder has no recipe.json.
        series: Figure, such as "loss" or "psnr" -> its course.
        best: What best.json says, else the best validation of the log.
        progress: The progress picture.
        model: The exported network, or None where there is none yet.
        notes: What could not be read, one sentence each.
    """

    folder: Path
    name: str
    recipe: dict[str, Any] | None
    series: dict[str, Series]
    best: Best | None
    progress: Progress
    model: Model | None
    notes: tuple[str, ...]

    @property
    def epoch(self) -> int:
        """Steps that are called an epoch."""
        value = (self.recipe or {}).get("epoch")
        return value if isinstance(value, int) and value > 0 else EPOCH

    @property
    def scale(self) -> int | None:
        """Enlargement factor, where recipe or network say it."""
        value = (self.recipe or {}).get("scale")
        return value if isinstance(value, int) else self.model.scale if self.model else None

    @property
    def validated_on(self) -> str | None:
        """Name of the set that the PSNR of the log was measured on."""
        value = (self.recipe or {}).get("validate_on")
        return os.path.basename(os.path.normpath(value)) if isinstance(value, str) and value else None  # noqa: PTH119

    @cached_property
    def steps(self) -> int:
        """Steps taken, as far as the log knows."""
        return max((int(series.steps[-1]) for series in self.series.values()), default=0)

    @cached_property
    def seconds(self) -> float:
        """Training time."""
        return max((float(series.seconds[-1]) for series in self.series.values()), default=0.0)

    def losses(self) -> dict[str, Series]:
        """Return the course of the loss by the loss's name: many runs end with steps of mean squared error, whose
        values cannot be compared with those before. The name is empty where there is no recipe that says it.
        """
        if "loss" not in self.series:
            return {}
        series, recipe = self.series["loss"], self.recipe or {}
        name, steps, last = str(recipe.get("loss", "")), recipe.get("steps"), recipe.get("mse_steps")
        if recipe.get("adversarial"):
            return {f"{name} + adversarial": series}
        if name in ("", "mse") or not isinstance(steps, int) or not isinstance(last, int) or last < 1:
            return {name: series}
        change = steps - last
        before = np.concatenate([[0], series.steps[:-1]])
        parts = {name: series.steps <= change, "mse": before >= change}
        return {key: series.where(mask) for key, mask in parts.items() if mask.any()}

    def final_loss(self) -> float | None:
        """Return the mean loss of the last epoch, or of the last tenth of the run where that is shorter."""
        if "loss" not in self.series:
            return None
        loss = self.series["loss"]
        window = min(self.epoch, int(loss.steps[-1]) / 10)
        return float(loss.values[loss.steps > loss.steps[-1] - window].mean())


def read_run(folder: Path) -> Run:
    """Read what is there; a line of the log that is half written is left out.

    Raises:
        UsageError: The folder is no run.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no run at {folder}", "a run is the folder that kakudai train makes, runs/NAME")
    if not (folder / LOG).is_file():
        inside = sorted(path.parent.name for path in folder.glob(f"*/{LOG}"))
        named = f"it holds the runs {', '.join(inside[:8])}" if inside else "kakudai train makes runs, in runs/NAME"
        raise UsageError(f"{folder} is no run: it has no {LOG}", named)
    notes: list[str] = []
    name = folder.resolve().name
    recipe = _read_object(folder / "recipe.json", notes)
    series = read_log(folder / LOG, notes)
    best = _read_best(folder / "best.json", series, notes)
    model = _read_model(folder, (recipe or {}).get("name", name), notes)
    return Run(folder, name, recipe, series, best, _find_progress(folder / "progress"), model, tuple(notes))


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read several runs and give those that share a folder name longer ones."""
    runs = [read_run(folder) for folder in folders]
    names = distinct_names([run.folder.resolve() for run in runs])
    return [replace(run, name=name) for run, name in zip(runs, names, strict=True)]


def distinct_names(folders: Sequence[Path]) -> list[str]:
    """Return as much of the end of each path as tells it from the others."""
    names = []
    for folder in folders:
        others = [other for other in folders if other != folder]
        parts = 1
        while parts < len(folder.parts) and any(other.parts[-parts:] == folder.parts[-parts:] for other in others):
            parts += 1
        names.append("/".join(folder.parts[-parts:]))
    return names


def read_log(path: Path, notes: list[str]) -> dict[str, Series]:
    """Read a log: figure -> its course. A later line about the same step replaces an earlier one."""
    figures: dict[str, dict[int, tuple[float, float]]] = {}
    lines = path.read_bytes().split(b"\n")
    broken = lost = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        entry = _entry(line)
        if entry is None:
            broken += number < len(lines)  # behind the last line break stands what is being written just now
            continue
        step, seconds, values = entry
        for name, value in values.items():
            if math.isfinite(value):
                figures.setdefault(name, {})[step] = (seconds, value)
            else:
                lost += 1
    if broken:
        notes.append(f"{broken} {'line' if broken == 1 else 'lines'} of {path} cannot be read")
    if lost:
        notes.append(f"{lost} {'figure' if lost == 1 else 'figures'} of {path} are no numbers (NaN or infinite)")
    return {name: _series(points) for name, points in figures.items()}


def _series(points: Mapping[int, tuple[float, float]]) -> Series:
    steps = sorted(points)
    return Series(
        np.array(steps, np.int64),
        np.array([points[step][0] for step in steps], np.float64),
        np.array([points[step][1] for step in steps], np.float64),
    )


def _entry(line: bytes) -> tuple[int, float, dict[str, float]] | None:
    """Read one line of a log: step, seconds and figures; None where it is damaged or half written."""
    try:
        values = json.loads(line)
        step, seconds = values.pop("step"), float(values.pop("seconds"))
        numbers = {name: float(v) for name, v in values.items() if isinstance(v, int | float)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None
    whole = isinstance(step, int) and 0 <= step < 1 << 62
    return (step, seconds, numbers) if whole and math.isfinite(seconds) else None


def _read_object(path: Path, notes: list[str]) -> dict[str, Any] | None:
    """Read a JSON object; None where there is no such file, or, with a note, where it is something else."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        notes.append(f"{path} cannot be read: {error}")
        return None
    if isinstance(value, dict):
        return value
    notes.append(f"{path} is no object")
    return None


def _read_best(path: Path, series: Mapping[str, Series], notes: list[str]) -> Best | None:
    stated = _read_object(path, notes) or {}
    step, value = stated.get("step"), stated.get("psnr")
    if isinstance(step, int) and isinstance(value, int | float) and math.isfinite(value):
        return Best(step, float(value))
    if "psnr" not in series:
        return None
    index = int(series["psnr"].values.argmax())
    return Best(int(series["psnr"].steps[index]), float(series["psnr"].values[index]))


def _read_model(folder: Path, name: object, notes: list[str]) -> Model | None:
    """Read NAME.onnx, the network under the recipe's name."""
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name) or not (folder / f"{name}.onnx").exists():
        return None
    try:
        return find_model(folder / f"{name}.onnx")
    except ModelError as error:
        notes.append(error.message)
        return None


def _find_progress(folder: Path) -> Progress:
    def existing(path: Path) -> Path | None:
        return path if path.is_file() else None

    epochs = {int(match[1]): path for path, match in _epoch_files(folder.glob("epoch-*.png"))}
    return Progress(existing(folder / "original.png"), existing(folder / "bicubic.png"), dict(sorted(epochs.items())))


def _epoch_files(paths: Iterable[Path]) -> Iterable[tuple[Path, re.Match[str]]]:
    matches = ((path, EPOCH_FILE.fullmatch(path.name)) for path in paths)
    return ((path, match) for path, match in matches if match)
