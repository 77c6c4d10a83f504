"""What `benchmarks/quality.py` has measured, kept after every step so that a run goes on where the last one stopped.

A JSON file of one line for each entry, by the name "part | set | condition | method". The method's name ends with the
fingerprint of its network, so a new network has no entries yet, and one that comes back has all of them.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

Entry: TypeAlias = dict[str, Any]
"""Lists with a value for each picture, such as "psnr", in the order of the set's files."""

BETWEEN = " | "
OTHERS = "waifu2x"
"""How the names of networks begin whose figures are never dropped."""

FINGERPRINTED = re.compile(r"^(.+ #[0-9a-f]+)(?: @.+)?$")


class Store:
    """Entries by name.

    Args:
        path: Where they are kept; None keeps them in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._entries: dict[str, Entry] = json.loads(path.read_text()) if path and path.exists() else {}

    def get(self, part: str, name: str, condition: str, method: str) -> Entry | None:
        """Return what was measured, or None.

        Args:
            part: Of the benchmark.
            name: Of the set.
            condition: What was done to its pictures.
            method: With the fingerprint of its network.
        """
        return self._entries.get(BETWEEN.join((part, name, condition, method)))

    def mean(self, part: str, name: str, condition: str, method: str, value: str = "psnr") -> float | None:
        """Return the mean over a set's pictures, or None where it was not measured."""
        entry = self.get(part, name, condition, method)
        return None if entry is None else fmean(entry[value])

    def put(self, part: str, name: str, condition: str, method: str, *, entry: Entry) -> Entry:
        """Keep an entry, on the disk too, and return it."""
        self._entries[BETWEEN.join((part, name, condition, method))] = entry
        self.save()
        return entry

    def forget_others(self, known: Iterable[str]) -> None:
        """Drop what was measured with networks of ours that are no more.

        Args:
            known: Names, with fingerprints, of those that there are.
        """
        names = set(known)

        def lost(key: str) -> bool:
            match = FINGERPRINTED.match(key.rpartition(BETWEEN)[2])
            return match is not None and not match[1].startswith(OTHERS) and match[1] not in names

        self._entries = {key: entry for key, entry in self._entries.items() if not lost(key)}
        self.save()

    def save(self) -> None:
        """Write the file anew, whole or not at all."""
        if self._path is None:
            return
        self._path.parent.mkdir(exist_ok=True)
        lines = [f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in sorted(self._entries.items())]
        beside = self._path.with_suffix(".part")
        beside.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        beside.replace(self._path)
