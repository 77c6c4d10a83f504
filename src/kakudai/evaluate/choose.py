"""What a user names as a model: a shipped name, an ONNX file, or the folder of a training run."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kakudai.engine.loading import load_model
from kakudai.errors import ModelNotFound, UsageError
from kakudai.evaluate.published import Published, find_same
from kakudai.models import Model, list_models

SCALES = (2, 3, 4)
"""Enlargement factors that the literature has tables for."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One model with what the tables call it.

    Args:
        label: Its own name, or what the user typed where two have the same name.
        source: A shipped or imported name, or the path of a model file.
    """

    label: str
    source: str
    model: Model

    @property
    def published(self) -> Published | None:
        """What the literature prints for the same network at the same scale."""
        return find_same(self.model.card["network"], self.model.parameters, self.model.scale)


def model_source(text: str) -> str:
    """Return the ONNX file of a run's folder, RUN/NAME.onnx, where recipe.json says the name; anything else as it is.

    Raises:
        ModelNotFound: The folder has no network, or several and none of its own name.
    """
    folder = Path(text)
    if not folder.is_dir() or text in {model.name for model in list_models()}:
        return text
    own = folder / f"{_run_name(folder)}.onnx"
    files = sorted(folder.glob("*.onnx"))
    if own in files or len(files) == 1:
        return str(own if own in files else files[0])
    found = f"it has {', '.join(file.name for file in files)}" if files else "kakudai train writes it at the end"
    raise ModelNotFound(f"{folder} has no network {own.name}", found)


def _run_name(folder: Path) -> str:
    """Return the name of a run's recipe, or the folder's where there is none that says it."""
    try:
        name = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))["name"]
    except (OSError, ValueError, KeyError, TypeError):
        name = None
    return name if isinstance(name, str) else folder.resolve().name


def choose_models(names: Sequence[str], scales: Sequence[int]) -> tuple[list[Chosen], list[int], list[str]]:
    """Open the models to measure.

    Args:
        names: Shipped and imported names, model files and folders of runs; none means all shipped models.
        scales: Wanted enlargement factors; none means those of the models.

    Returns:
        The models, the scales, and one sentence for each model that is left out.

    Raises:
        ModelError: A model cannot be found or used.
        UsageError: No model is left.
    """
    sources = list(dict.fromkeys(map(model_source, names or [model.name for model in list_models()])))
    models = [(source, load_model(source)) for source in sources]
    usable = [(source, model) for source, model in models if model.scale in (scales or SCALES)]
    left_out = [
        f"{model.name} is left out: it enlarges {model.scale}x"
        for _, model in models
        if model.scale not in (scales or SCALES)
    ]
    if not usable:
        wanted = ", ".join(f"{scale}x" for scale in scales or SCALES)
        raise UsageError(f"no model enlarges {wanted}", "; ".join(left_out) or "see them with: kakudai models")
    count = Counter(model.name for _, model in usable)
    chosen = [Chosen(source if count[model.name] > 1 else model.name, source, model) for source, model in usable]
    return chosen, list(scales) or sorted({entry.model.scale for entry in chosen}), left_out
