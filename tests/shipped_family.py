"""A family of networks as if it were shipped: those that restore make pictures darker, the others repeat pixels."""

import pytest

from kakudai.engine import toolbox
from kakudai.models import Model, shipped
from kakudai.models.catalogue import model_from_bytes
from tests.small_models import nearest, told


def ship(patch: pytest.MonkeyPatch, *names: str) -> None:
    """Ship networks of these names, such as photo-x2 and photo-restore-x1, instead of the real ones."""

    def load(name: object) -> Model:
        text = str(name)
        scale = int(text.removesuffix(shipped.INT8)[-1])
        return model_from_bytes(told(scale, text) if "restore" in text else nearest(scale, name=text), text)

    patch.setattr(shipped, "is_shipped", lambda name: name in names)
    patch.setattr(toolbox, "load_model", load)
