"""The page about the HTTP API, from its OpenAPI document; docs/make_reference.py writes it."""

from typing import Any

from kakudai.serve.openapi import document
from kakudai.serve.problems import KINDS
from kakudai.serve.settings import Limits

HEAD = """# The HTTP API

Written by `docs/make_reference.py` from the OpenAPI document of `kakudai serve`, which is at `/openapi.json`; do not
edit. Pictures are sent as the field `file` of a form (`multipart/form-data`), or as the whole body. Options stand in
the query or in fields of the form, and mean what they mean on the [command line](cli.md). How to run a server:
[guides/server.md](../guides/server.md).
"""


def http_page() -> str:
    """Return the page as the program would have it now."""
    found = document(token=False)
    text = HEAD
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            text += _operation(f"{method.upper()} {path}", operation)
    return text + _options(found) + _job(found) + _problems() + _limits()


def _operation(title: str, operation: dict[str, Any]) -> str:
    text = f"\n## {title}\n\n{operation['summary']}"
    if "description" in operation:
        text += f" {operation['description']}"
    text += f"\n\n```\n{operation['x-codeSamples'][0]['source']}\n```\n\n"
    for status, answer in operation["responses"].items():
        if int(status) < 400:
            text += f"{status}: {answer['description']}\n"
    problems = sorted(status for status in operation["responses"] if int(status) >= 400)
    return f"{text}Problems: {', '.join(problems)}.\n"


def _options(found: dict[str, Any]) -> str:
    text = "\n## Options\n\n| name | meaning |\n|---|---|\n"
    for option in found["paths"]["/v1/upscale"]["post"]["parameters"]:
        text += f"| `{option['name']}` | {option['description'].replace('|', '/')} |\n"
    form = found["paths"]["/api"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    text += "\nOf `/api`, in waifu2x's words:\n\n| name | accepts | meaning |\n|---|---|---|\n"
    for name, field in form.items():
        if "enum" in field:
            text += f"| `{name}` | {', '.join(field['enum'])} | {field['description']} |\n"
    text += "\nHeaders of pictures:\n\n| header | meaning |\n|---|---|\n"
    for name, header in found["paths"]["/v1/upscale"]["post"]["responses"]["200"]["headers"].items():
        text += f"| `{name}` | {header['description']} |\n"
    return text


def _job(found: dict[str, Any]) -> str:
    text = "\n## A job\n\n| key | type |\n|---|---|\n"
    for name, schema in found["components"]["schemas"]["Job"]["properties"].items():
        kind = schema.get("enum") or schema.get("type") or ["a problem", "null"]
        text += f"| `{name}` | {' or '.join(kind) if isinstance(kind, list) else kind} |\n"
    return text


def _problems() -> str:
    text = "\n## Problems\n\nRFC 9457 documents: `type` is `/problems/NAME` and never changes its meaning.\n\n"
    text += "| status | name | meaning |\n|---|---|---|\n"
    for name, kind in sorted(KINDS.items(), key=lambda entry: entry[1].status):
        text += f"| {kind.status} | `{name}` | {kind.title}. {kind.meaning} |\n"
    return text


def _limits() -> str:
    """Return the table of limits, whose words are those of the source."""
    words = dict(
        line.strip().split(": ", 1)
        for line in (Limits.__doc__ or "").partition("Args:")[2].splitlines()
        if ": " in line
    )
    text = "\n## Limits\n\n| limit | default | meaning |\n|---|---|---|\n"
    defaults = Limits()
    for name, meaning in words.items():
        text += f"| `{name}` | {getattr(defaults, name):,} | {meaning} |\n"
    return text
