"""Reaching into an `Upscaler`: tests replace the session that runs its network."""

from dataclasses import replace
from typing import Any

from kakudai.engine.upscaler import Upscaler


def session_of(upscaler: Upscaler) -> Any:
    """Return the session of the network that enlarges."""
    enlarging = upscaler._shop.tools.enlarging
    assert enlarging is not None
    return enlarging.session


def give_session(upscaler: Upscaler, session: Any) -> None:
    """Let another session run the network that enlarges."""
    tools = upscaler._shop.tools
    assert tools.enlarging is not None
    tools = replace(tools, enlarging=replace(tools.enlarging, session=session))
    upscaler._shop = replace(upscaler._shop, tools=tools)
