"""What a user names as a model: a shipped name, an ONNX file, or the folder of a training run."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kakudai.engine.loading import load_model
from kakudai.errors import UsageError
from kakudai.evaluate.published import Published, find_same
from kakudai.models import Model, list_models
from kakudai.models.catalogue import is_folder
from kakudai.models.runs import network_of_run

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
    return str(network_of_run(Path(text))) if is_folder(text) else text


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
