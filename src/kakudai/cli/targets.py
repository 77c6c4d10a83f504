"""Files that a command writes at the end, checked before any work."""

from pathlib import Path

from kakudai.errors import OutputError, UsageError


def check_output(path: Path, suffixes: tuple[str, ...] = ()) -> None:
    """Refuse, before any work, a file that cannot be written.

    Args:
        path: The file.
        suffixes: Endings that its name may have; any if none.

    Raises:
        UsageError: Its name ends otherwise.
        OutputError: Its folder is not there, or it is a folder itself.
    """
    if suffixes and path.suffix.lower() not in suffixes:
        raise UsageError(f"{path} is no {' or '.join(suffixes)} file", f"give a name that ends in {suffixes[0]}")
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: there is no such folder", "make it first")
    if path.is_dir():
        raise OutputError(f"{path} cannot be written: it is a folder", "give another name")
