"""--include and --exclude: which pictures of a folder are taken."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Patterns:
    """Which pictures of a folder are taken, by their path below it.

    A pattern without a slash is about the names of files, wherever they lie; one with a slash is about all of the path,
    and `**` in it stands for any number of folders; one that ends in a slash is about all that lies in such folders.

    Args:
        include: One of these has to fit, where there are any.
        exclude: None of these may.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def take(self, path: Path) -> bool:
        """Say whether a picture is taken."""
        wanted = not self.include or any(_fits(path, pattern) for pattern in self.include)
        return wanted and not any(_fits(path, pattern) for pattern in self.exclude)

    def fitting(self, path: Path) -> set[tuple[str, str]]:
        """Return the patterns that fit a picture, each with its option."""
        return {(option, pattern) for option, pattern in self.named if _fits(path, pattern)}

    @property
    def named(self) -> list[tuple[str, str]]:
        """All patterns, each with its option."""
        return [*(("--include", one) for one in self.include), *(("--exclude", one) for one in self.exclude)]


def _fits(path: Path, pattern: str) -> bool:
    if pattern.endswith("/"):
        pattern = f"{pattern}**" if pattern.startswith("./") else f"**/{pattern}**"
    parts = path.parts if "/" in pattern else path.parts[-1:]
    return _follows(parts, tuple(pattern.removeprefix("./").split("/")))


def _follows(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_follows(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _follows(parts[1:], pattern[1:])
