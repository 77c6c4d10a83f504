"""The form of waifu2x's server, `POST /api`, for scripts that were written for it.

| field  | values                                     | means                                                         |
|--------|--------------------------------------------|---------------------------------------------------------------|
| file   | a picture                                  |                                                               |
| scale  | -1 (or 0), 1 (or 1.6), 2                   | keep the size, 1.6 times, twice                               |
| noise  | -1, 0, 1, 2, 3                             | keep noise, or denoise at 25, 50, 75, 100                     |
| style  | art, art_scan, photo                       | which networks                                                |
| format | 0 (or png), 1 (or webp)                    | of the result                                                 |

`url` is refused: this server fetches nothing. `recap`, the answer to a captcha, means nothing.
"""

from dataclasses import dataclass

from kakudai.serve.problems import Problem

SCALES = {"": 1.0, "-1": 1.0, "0": 1.0, "1": 1.6, "1.6": 1.6, "2": 2.0, "2.0": 2.0}
NOISES = {"": 0, "-1": 0, "0": 25, "1": 50, "2": 75, "3": 100}
STYLES = {"": "photo", "art": "art", "art_scan": "art", "photo": "photo"}
FORMATS = {"": "png", "0": "png", "png": "png", "1": "webp", "webp": "webp"}
TABLES: dict[str, dict[str, object]] = {
    "scale": {**SCALES},
    "noise": {**NOISES},
    "style": {**STYLES},
    "format": {**FORMATS},
}
IGNORED = ("recap",)


@dataclass(frozen=True, slots=True)
class Form:
    """What a form of waifu2x asks, in our words, and what could not be done as it asks."""

    options: list[tuple[str, str]]
    notes: tuple[str, ...]


def read_form(given: list[tuple[str, str]], *, restores: dict[str, bool], words: tuple[str, ...]) -> Form:
    """Translate a form.

    Args:
        given: Its fields.
        restores: Style -> whether there is a network that removes noise from it.
        words: What can be asked for as a model.

    Raises:
        Problem: A field is unknown, or has a value that waifu2x does not know.
    """
    fields = dict.fromkeys(TABLES, "")
    for name, value in given:
        if name == "url" and not value:
            continue
        if name == "url":
            raise Problem("not-possible", "this server fetches no addresses", "send the picture as the field file")
        if name in fields:
            fields[name] = value.strip().lower()
        elif name not in IGNORED:
            raise Problem(
                "unknown-option", f"there is no option {name[:60]!r}", "there are file, scale, noise, style, format"
            )
    for name, value in fields.items():
        if value not in TABLES[name]:
            accepted = ", ".join(word for word in TABLES[name] if word)
            error = {"field": name, "value": value[:60], "accepted": accepted}
            raise Problem(
                "wrong-option", f"{name} is {value[:60]!r}", f"accepted: {accepted}", more={"errors": [error]}
            )
    notes = []
    style, denoise = STYLES[fields["style"]], NOISES[fields["noise"]]
    if style not in words:
        notes.append(f"there is no network for {style}: another is used")
        style = "auto"
    if denoise and not any(restores.get(known, False) for known in (restores if style == "auto" else (style,))):
        notes.append(f"there is no network that removes noise from {style}: noise stays")
        denoise = 0
    scale = SCALES[fields["scale"]]
    options = {"scale": f"{scale:g}", "denoise": str(denoise), "model": style, "format": FORMATS[fields["format"]]}
    return Form(list(options.items()), tuple(notes))
