"""How a manifest names files: relative to its own folder, so that all of a job can be moved together."""

import os
from pathlib import Path
from typing import Protocol, TypeVar

from kakudai.jobs.fingerprint import Stamp, is_same

Name = TypeVar("Name")
"""What the rest of a program calls a picture: a path, or a word that is a path or an address."""


class Names(Protocol[Name]):
    """How a manifest names pictures, and what is known of those."""

    def key(self, name: Name) -> str:
        """Return what to call a picture in the manifest."""

    def path(self, key: str) -> Name:
        """Return the picture that is called so."""

    def is_same(self, name: Name, stamp: Stamp, *, verify: bool = False) -> bool:
        """Say whether a picture has the bytes that it had when it was stamped; see `fingerprint.is_same`."""


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

    def is_same(self, name: Path, stamp: Stamp, *, verify: bool = False) -> bool:
        """Say whether a file has the bytes that it had when it was stamped."""
        return is_same(name, stamp, verify=verify)

    def _way(self, folder: Path) -> Path:
        """Return how to get to a folder, without links."""
        whole = os.path.realpath(folder)
        try:
            return Path(os.path.relpath(whole, self._folder))
        except ValueError:  # Windows: it lies on another drive
            return Path(whole)
