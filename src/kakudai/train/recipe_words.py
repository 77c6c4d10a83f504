"""What the keys of a recipe accept, and what is wrong with their values, in words: for errors and the reference."""

import json
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, TypeAlias

from pydantic import ValidationError

Schema: TypeAlias = dict[str, Any]
"""JSON Schema, as pydantic makes it of a type."""

KINDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text"}


def accepted(schema: Schema) -> str:
    """Say what a key accepts, such as "a whole number of 1 or more"; that it may be left out is not said."""
    words = schema.get("kind", "")
    match {} if words else schema:
        case {"anyOf": list(parts)}:
            kinds = {part.get("type") for part in parts}
            left_out = {"null", "integer"} if "number" in kinds else {"null"}
            words = " or ".join(accepted(part) for part in parts if part.get("type") not in left_out)
        case {"enum": list(values)}:
            words = f"one of {', '.join(map(shown, values))}"
        case {"format": "path"}:
            words = "a path"
        case {"prefixItems": list(parts)}:
            words = f"a list of {len(parts)}: {', '.join(map(accepted, parts))}"
        case {"items": dict(items)}:
            least = " that is not empty" if schema.get("minItems") else ""
            words = f"a list{least}; each is {accepted(items)}"
        case {"additionalProperties": dict(values)}:
            words = f"a table; each value is {accepted(values)}"
        case {"type": str(kind)}:
            words = " ".join([KINDS[kind], *_range(schema)])
    return str(words)


def complaints(error: ValidationError, schema: Schema) -> str:
    """Say what is wrong with the values of a recipe, key by key.

    Args:
        schema: Of the recipe.
    """
    return "; ".join(dict.fromkeys(_complaint(one, schema) for one in error.errors()))


def unknown_keys(error: ValidationError) -> list[str]:
    """Return the keys that a recipe does not have."""
    return [str(one["loc"][0]) for one in error.errors() if one["type"] == "extra_forbidden"]


def suggestion(words: Iterable[str], known: Sequence[str], title: str) -> str:
    """Ask whether a known word was meant; where none looks alike, name all after a title."""
    close = [name for word in words for name in get_close_matches(word, known, 1)]
    return f"did you mean {', '.join(close)}?" if close else f"{title} {', '.join(known) or 'none'}"


def shown(value: Any) -> str:
    """Write a value as TOML would have it."""
    return str(value) if isinstance(value, float) else json.dumps(value, default=str, ensure_ascii=False)


def _complaint(one: Any, schema: Schema) -> str:
    place, part = _walk(schema, one["loc"])
    match one["type"]:
        case "value_error":  # our own words
            return str(one["msg"]).removeprefix("Value error, ")
        case "extra_forbidden":
            return f"{place}: there is no such key"
        case "missing":
            return f"{place}: it is missing"
        case "finite_number":
            return f"{place}: {one['input']} is not a finite number"
    return f"{place}: {shown(one['input'])} is not {accepted(part)}"


def _walk(schema: Schema, places: Sequence[int | str]) -> tuple[str, Schema]:
    """Follow the place of an error as far as the schema does; pydantic adds the branches of a union to it."""
    names: list[str] = []
    for place in places:
        if "properties" in schema:
            schema = schema["properties"].get(place, {})
        else:
            parts = [part for part in schema.get("anyOf", []) if part.get("type") != "null"]
            schema = parts[0] if len(parts) == 1 else schema
            if "prefixItems" in schema:
                schema = schema["prefixItems"][int(place)]
            elif below := schema.get("items") or schema.get("additionalProperties"):
                schema = below
            else:
                break
        names.append(_key(str(place)))
    return ".".join(names), schema


def _key(name: str) -> str:
    """Write a key as TOML would have it: in quotes where it is more than letters, digits, "_" and "-"."""
    return name if re.fullmatch(r"[\w-]+", name) else shown(name)


def _range(schema: Schema) -> list[str]:
    if schema.get("minLength"):
        return ["that is not empty"]
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if high is not None:
        return [f"from {low} to {high}"]
    if below is not None:
        return [f"from {low} to below {below}" if above is None else f"between {above} and {below}"]
    if above is not None:
        return [f"above {above}"]
    return [] if low is None else [f"of {low} or more"]
