"""The packages of the extra `convert`, imported when a foreign file is met and not before."""

from importlib import import_module
from typing import Any

from kakudai.errors import RuntimeUnavailable


def needed(package: str) -> Any:
    """Import a package that converting needs.

    Raises:
        RuntimeUnavailable: It is not installed, or does not start.
    """
    try:
        return import_module(package)
    except (ImportError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RuntimeUnavailable(
            f"files of other programs are converted with the package {package}, which cannot be imported: {reason}",
            "pip install 'kakudai[convert]'",
        ) from error
