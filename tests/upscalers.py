"""Reaching into an `Upscaler`: tests replace the session that runs its network."""

from dataclasses import replace
from typing import Any

from kakudai.engine.upscaler import Upscaler


def session_of(upscaler: Upscaler) -> Any:
    """Return the session of the network that enlarges."""
    enlarging = upscaler._box.usual.enlarging
    assert enlarging is not None
    return enlarging.session


def give_session(upscaler: Upscaler, session: Any) -> None:
    """Let another session run the network that enlarges."""
    box = upscaler._box
    enlarging = box.usual.enlarging
    assert enlarging is not None
    changed = replace(enlarging, session=session)
    if box._model is not None:
        box._model = changed
    else:
        box._open = {name: changed if loaded is enlarging else loaded for name, loaded in box._open.items()}
    box.usual = replace(box.usual, enlarging=changed)
