"""What a client may ask of a picture: the command line's words, from the query or from the fields of a form."""

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from kakudai.engine.plan import MAX_SCALE, MIN_SCALE
from kakudai.image.formats import FORMATS, output_formats
from kakudai.serve.problems import Problem

MAX_SIDE = 65_535
FIT = re.compile(r"(\d{1,5})x(\d{1,5})")
REGION = re.compile(r"(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})")


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _number_or_auto(value: Any) -> Any:
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,3}", value) else value


Strength: TypeAlias = Literal["auto"] | Annotated[int, Field(ge=0, le=100)]


class Options(BaseModel):
    """All options; whatever is left out is as on the command line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: float | None = Field(
        default=None, ge=MIN_SCALE, le=MAX_SCALE, description="Enlargement; 2 if no size is given."
    )
    width: int | None = Field(default=None, ge=1, le=MAX_SIDE, description="Width of the result in pixels.")
    height: int | None = Field(default=None, ge=1, le=MAX_SIDE, description="Height of the result in pixels.")
    fit: str | None = Field(
        default=None, pattern=f"^{FIT.pattern}$", description="Box that the result fits into, as WxH."
    )
    model: str = Field(default="auto", max_length=100, description="What enlarges it.")
    denoise: Annotated[Strength, BeforeValidator(_number_or_auto)] = Field(
        default="auto", description="Strength of noise removal, 0 to 100, or auto by the looks of the picture."
    )
    tta: int = Field(
        default=1,
        json_schema_extra={"enum": [1, 2, 4, 8]},
        description="1, 2, 4 or 8: mean over the picture turned and mirrored.",
    )
    format: Annotated[str | None, BeforeValidator(_lower)] = Field(
        default=None,
        json_schema_extra={"enum": list(output_formats())},
        description="Of the result; else as the input, or png where that is GIF or not written.",
    )
    quality: int | None = Field(default=None, ge=1, le=100, description="Of jpeg, webp and avif.")
    strip: bool = Field(default=False, description="Leave out EXIF, XMP and resolution.")
    region: str | None = Field(
        default=None,
        pattern=f"^{REGION.pattern}$",
        description="X,Y,W,H in pixels of the input: enlarge only that part.",
    )

    @property
    def box(self) -> tuple[int, int] | None:
        """The box of `fit`, (width, height)."""
        found = FIT.fullmatch(self.fit or "")
        return (int(found[1]), int(found[2])) if found else None

    @property
    def part(self) -> tuple[int, int, int, int] | None:
        """The numbers of `region`."""
        found = REGION.fullmatch(self.region or "")
        return (int(found[1]), int(found[2]), int(found[3]), int(found[4])) if found else None

    @property
    def label(self) -> str:
        """Name the size for file names, as the command line does: 2x, 1.5x, 1920w, 1080h, 1920x1080, clean."""
        if self.fit:
            return self.fit
        if self.width and self.height:
            return f"{self.width}x{self.height}"
        if self.width or self.height:
            return f"{self.width}w" if self.width else f"{self.height}h"
        return "clean" if self.scale == 1 else f"{self.scale or 2:g}x"

    def wish(self) -> dict[str, Any]:
        """Return what chooses an upscaler, for JSON."""
        fields = {name: getattr(self, name) for name in ("scale", "width", "height", "model", "denoise", "tta")}
        return {**fields, "fit": self.box}


ACCEPTED = {
    "scale": f"a number from {MIN_SCALE:g} to {MAX_SCALE:g}",
    "width": f"a whole number of pixels from 1 to {MAX_SIDE}",
    "height": f"a whole number of pixels from 1 to {MAX_SIDE}",
    "fit": "WIDTHxHEIGHT, such as 1920x1080",
    "model": "auto, or a word or name that /v1/models lists",
    "denoise": "auto, and 0 for none to 100 for the most",
    "tta": "1, 2, 4 and 8",
    "format": ", ".join(output_formats()),
    "quality": "a whole number from 1 to 100",
    "strip": "true and false",
    "region": "X,Y,W,H in pixels of the input",
}
"""Option -> what is accepted, in words."""

TURNS = (1, 2, 4, 8)


def read_options(given: list[tuple[str, str]], models: tuple[str, ...]) -> Options:
    """Read options; empty values, which plain forms send, mean that nothing was said.

    Args:
        given: Names and values as they came.
        models: All words and names that `model` may be.

    Raises:
        Problem: One is unknown, is given twice, or has a value that is not accepted.
    """
    values: dict[str, str] = {}
    for name, value in given:
        if name not in Options.model_fields:
            raise Problem("unknown-option", f"there is no option {name[:60]!r}", f"there are {', '.join(ACCEPTED)}")
        if value == "":
            continue
        if values.setdefault(name, value) != value:
            raise _wrong({name: f"{values[name][:60]} and {value[:60]}"})
    try:
        options = Options.model_validate(values)
    except ValidationError as error:
        raise _wrong({str(e["loc"][0]): values.get(str(e["loc"][0]), "")[:60] for e in error.errors()}) from None
    if options.tta not in TURNS:
        raise _wrong({"tta": values["tta"][:60]})
    if options.format is not None and options.format not in output_formats():
        alias = next(
            (name for name, entry in FORMATS.items() if entry.saver and options.format in entry.extensions), ""
        )
        if not alias:
            raise _wrong({"format": values["format"][:60]})
        options = options.model_copy(update={"format": alias})
    if options.model not in models:
        raise Problem("unknown-model", f"there is no model {options.model!r}", f"there are {', '.join(models)}")
    return options


def _wrong(values: dict[str, str]) -> Problem:
    errors = [{"field": name, "value": value, "accepted": ACCEPTED[name]} for name, value in values.items()]
    first = errors[0]
    return Problem(
        "wrong-option",
        f"{first['field']} is {first['value']!r}",
        f"accepted: {first['accepted']}",
        more={"errors": errors},
    )
