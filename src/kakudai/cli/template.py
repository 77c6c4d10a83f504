"""--name: how results are called."""

from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath
from string import Formatter

from kakudai.errors import UsageError

FIELDS = ("stem", "ext", "scale", "label")


@dataclass(frozen=True, slots=True)
class Template:
    """A name for results such as "{stem}_{scale}x{ext}"; slashes in it make folders.

    Args:
        text: With the fields stem, ext (with its dot), scale, and label (2x, 1920w, clean).
        label: What the size is called.
        scale: Enlargement; None where a size is given instead.

    Raises:
        UsageError: A field is unknown, or a name has no ending or leads out of the output folder.
    """

    text: str
    label: str
    scale: float | None

    def __post_init__(self) -> None:
        try:
            fields = [(name, form or kind) for _, name, form, kind in Formatter().parse(self.text) if name is not None]
        except ValueError as error:
            raise UsageError(
                f"--name is {self.text!r}: {error}", "braces that are meant are written {{ and }}"
            ) from None
        for name, form in fields:
            if name not in FIELDS or form:
                accepted = ", ".join(f"{{{field}}}" for field in FIELDS)
                raise UsageError(f"--name has the field {{{name}}}", f"accepted are {accepted}, as they stand here")
        if self.scale is None and any(name == "scale" for name, _ in fields):
            raise UsageError("--name has {scale}, and a size is given in pixels", "use {label}")
        if not PurePath(self.fill("picture", ".png")).suffix:
            raise UsageError(f"--name {self.text} gives names without an ending", "let it end in {ext}")

    def check(self, endings: frozenset[str]) -> None:
        """Make sure that names end in one of `endings`, for they decide the format.

        Raises:
            UsageError: They do not.
        """
        ending = PurePosixPath(self.fill("picture", ".png")).suffix
        if ending.lower() not in endings:
            raise UsageError(f"--name {self.text} gives names that end in {ending}", "let it end in {ext}")

    def fill(self, stem: str, extension: str) -> str:
        """Return the name of a result, or its path below the output folder.

        Raises:
            UsageError: It leads out of that folder.
        """
        scale = "" if self.scale is None else f"{self.scale:g}"
        name = self.text.format(stem=stem, ext=extension, scale=scale, label=self.label)
        path = PurePath(name)
        if path.is_absolute() or path.drive or ".." in path.parts:
            raise UsageError(f"--name leads out of the output folder: {name}", "leave .. and leading slashes out")
        return name
