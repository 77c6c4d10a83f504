"""How a manifest names files: relative to its own folder, so that all of a job can be moved together."""

import os
from pathlib import Path


class Places:
    """Paths as a manifest writes them.

    Args:
        folder: The folder of the manifest.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = os.path.realpath(folder)
        self._ways: dict[Path, Path] = {}

    def key(self, path: Path) -> str:
        """Return what to call a file: with forward slashes, from the manifest's folder if a way leads there."""
        folder = path.parent
        if folder not in self._ways:  # asked once for all pictures of a folder
            self._ways[folder] = self._way(folder)
        return (self._ways[folder] / path.name).as_posix()  # the name itself may be a link

    def path(self, key: str) -> Path:
        """Return the file that is called so."""
        return Path(os.path.normpath(Path(self._folder, key)))

    def _way(self, folder: Path) -> Path:
        """Return how to get to a folder, without links."""
        whole = os.path.realpath(folder)
        try:
            return Path(os.path.relpath(whole, self._folder))
        except ValueError:  # Windows: it lies on another drive
            return Path(whole)
