"""The OpenAPI document of the server: every address, option, answer and problem, with examples that work."""

from collections.abc import Mapping
from typing import Any

import kakudai
from kakudai.serve.answers import problem_schema
from kakudai.serve.jobs import MEDIA_TYPES
from kakudai.serve.options import ACCEPTED, Options
from kakudai.serve.problems import KINDS, MEDIA_TYPE
from kakudai.serve.waifu2x import FORMATS, NOISES, SCALES, STYLES

ALWAYS = ("wrong-host", "token-missing", "token-wrong")
SENT = (
    "malformed-request", "no-picture", "too-many-fields", "cross-site", "upload-too-slow", "too-large-bytes",
    "too-large-pixels", "too-large-side", "too-many-frames", "not-a-picture", "broken-picture", "unknown-option",
    "no-room", "too-many-uploads", "stopping",
)  # fmt: skip
ASKED = (
    *SENT, "too-large-result", "too-costly", "too-hard-to-decode", "wrong-option", "unknown-model", "not-possible",
    "cannot-enlarge", "too-many-requests", "queue-full", "worker-died", "out-of-memory", "deadline",
)  # fmt: skip


def document(*, token: bool) -> dict[str, Any]:
    """Return the document; `token` says whether the server wants one."""
    options = _options()
    paths: dict[str, Any] = {
        "/v1/upscale": {"post": _upscale(options)},
        "/v1/jobs": {"post": _submit(options)},
        "/v1/jobs/{id}/events": {"get": _events()},
        "/v1/jobs/{id}/result": {"get": _result()},
        "/v1/jobs/{id}": {"get": _state(), "delete": _cancel()},
        "/v1/models": {"get": _models()},
        "/v1/analyse": {"post": _analyse()},
        "/api": {"post": _waifu2x()},
        **_plain_paths(),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "kakudai",
            "version": kakudai.__version__,
            "summary": "Makes small, noisy pictures large and clean.",
            "description": "Pictures go in as multipart forms or raw bodies, with options in the query or in fields. "
            "Problems are RFC 9457 documents whose `type` is stable.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {"Problem": problem_schema(), "Job": _job_schema(), "Models": _models_schema()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        **({"security": [{"token": []}]} if token else {}),
    }


def _options() -> dict[str, dict[str, Any]]:
    """Return the schema of each option."""
    properties: dict[str, dict[str, Any]] = Options.model_json_schema()["properties"]
    found = {}
    for name, schema in properties.items():
        plain = [one for one in schema.pop("anyOf", []) if one.get("type") != "null"]
        if len(plain) == 1:
            schema.update(plain[0])
        elif plain:
            schema["anyOf"] = plain
        schema.pop("title", None)
        if schema.get("default", 0) is None:
            del schema["default"]
        found[name] = schema | {"description": f"{schema['description']} Accepted: {ACCEPTED[name]}."}
    return found


EXAMPLES: dict[str, Any] = {"scale": 2, "model": "auto", "denoise": "auto", "format": "png"}


def _query(options: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": schema["description"],
            "schema": {key: value for key, value in schema.items() if key != "description"},
            **({"example": EXAMPLES[name]} if name in EXAMPLES else {}),
        }
        for name, schema in options.items()
    ]


def _body(fields: dict[str, dict[str, Any]], *, raw: bool = True) -> dict[str, Any]:
    """Describe a body: a form with a picture and fields, or the picture alone."""
    picture = {"type": "string", "format": "binary", "description": "The picture."}
    form = {
        "schema": {
            "type": "object",
            "properties": {"file": picture, **fields},
            "required": ["file"],
            "additionalProperties": False,
        },
        "encoding": {"file": {"contentType": "image/png, image/jpeg, image/webp, image/*"}},
    }
    content: dict[str, Any] = {"multipart/form-data": form}
    if raw:
        content["application/octet-stream"] = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
    return {"required": True, "content": content}


def _problems(*names: str) -> dict[str, Any]:
    """Describe the problems that an address can answer with, by their status codes."""
    by_status: dict[int, list[str]] = {}
    for name in (*names, *ALWAYS, "internal"):
        kinds = by_status.setdefault(KINDS[name].status, [])
        if name not in kinds:
            kinds.append(name)
    return {str(status): _problem_answer(status, kinds) for status, kinds in sorted(by_status.items())}


def _problem_answer(status: int, names: list[str]) -> dict[str, Any]:
    words = " ".join(f"`{name}`: {KINDS[name].title}." for name in names)
    headers = (
        {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}} if status in (429, 503) else {}
    )
    schema = {"$ref": "#/components/schemas/Problem"}
    answer = {"description": words, "content": {MEDIA_TYPE: {"schema": schema}, "text/html": {}}}
    return answer | ({"headers": headers} if headers else {})


def _picture() -> dict[str, Any]:
    """Describe an answer that is a picture."""
    headers = {
        "Content-Disposition": "Name of the file, such as NAME_2x.png.",
        "Kakudai-Model": "Networks that were used.",
        "Kakudai-Strength": "Of noise removal, 0 to 100.",
        "Kakudai-Precision": "What the networks computed with, such as float32 or bfloat16.",
        "Kakudai-Reason": "What was seen in the picture, where it decided.",
        "Kakudai-Seconds": "Time that it took.",
        "Kakudai-Notes": "JSON list of sentences: what could not be kept, and what was done otherwise.",
    }
    return {
        "description": "The picture, byte for byte as `kakudai upscale` writes it.",
        "headers": {name: {"description": words, "schema": {"type": "string"}} for name, words in headers.items()},
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()},
    }


HERE = "http://127.0.0.1:8812"
SAMPLES = {
    "upscale": f"curl -F file=@photo.png '{HERE}/v1/upscale?scale=2&format=png' -o large.png",
    "submit": f"curl -F file=@photo.png -F scale=2 {HERE}/v1/jobs",
    "state": f"curl {HERE}/v1/jobs/JOB",
    "events": f"curl --no-buffer {HERE}/v1/jobs/JOB/events",
    "result": f"curl {HERE}/v1/jobs/JOB/result -o large.png",
    "cancel": f"curl -X DELETE {HERE}/v1/jobs/JOB",
    "models": f"curl {HERE}/v1/models",
    "analyse": f"curl --data-binary @photo.png -H 'Content-Type: image/png' {HERE}/v1/analyse",
    "waifu2x": f"curl -F file=@photo.png -F scale=2 -F noise=-1 -F style=photo {HERE}/api -o large.png",
    "healthz": f"curl {HERE}/healthz",
    "readyz": f"curl {HERE}/readyz",
    "metrics": f"curl {HERE}/metrics",
    "problem": f"curl {HERE}/problems/queue-full",
}
"""Operation -> a command that does it; a test runs them all. JOB stands for the id of a job."""


def _operation(name: str, summary: str, **fields: Any) -> dict[str, Any]:
    sample = {"lang": "Shell", "source": SAMPLES[name]}
    return {"operationId": name, "summary": summary, **fields, "x-codeSamples": [sample]}


def _upscale(options: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return _operation(
        "upscale",
        "Enlarge a picture and answer with it.",
        description="For pictures that are done within the deadline; larger ones go to /v1/jobs. Of an animation "
        "the first frame is taken, and `Kakudai-Notes` says so; books of pages (CBZ, ZIP) are not taken.",
        parameters=_query(options),
        requestBody=_body(options),
        responses={"200": _picture(), **_problems(*ASKED)},
    )


def _submit(options: dict[str, dict[str, Any]]) -> dict[str, Any]:
    accepted = {
        "description": "The picture is in the queue.",
        "headers": {"Location": {"schema": {"type": "string"}, "description": "Address of the job."}},
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"id": {"type": "string"}, "address": {"type": "string"}},
                    "required": ["id", "address"],
                }
            }
        },
    }
    page = {"description": "For browsers that ask for text/html: the page of the job."}
    return _operation(
        "submit",
        "Queue a picture.",
        parameters=_query(options),
        requestBody=_body(options),
        responses={"202": accepted, "303": page, **_problems(*ASKED)},
    )


ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "128 random bits in hexadecimal digits: who knows them may see the job.",
    "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "example": "0123456789abcdef0123456789abcdef",
}


def _state() -> dict[str, Any]:
    job = {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}}
    answer = {"description": "State, place in the queue, progress, time left.", "content": job}
    return _operation("state", "Say how far a job is.", parameters=[ID],
                      responses={"200": answer, **_problems("job-not-found")})  # fmt: skip


def _cancel() -> dict[str, Any]:
    gone = {"description": "The job is cancelled, and all its files are deleted."}
    return _operation("cancel", "Cancel a job, or delete its result.", parameters=[ID],
                      responses={"204": gone, **_problems("job-not-found", "cross-site")})  # fmt: skip


def _events() -> dict[str, Any]:
    stream = {
        "description": "Events called `state`, whose data is what GET /v1/jobs/{id} says: one at once, then one for "
        "each change, at most five a second. The stream ends with the job.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
    return _operation("events", "Say how far a job is, again and again.", parameters=[ID],
                      responses={"200": stream, **_problems("job-not-found", "too-many-streams")})  # fmt: skip


def _result() -> dict[str, Any]:
    inline = {
        "name": "inline",
        "in": "query",
        "required": False,
        "description": "For showing the picture instead of saving it.",
        "schema": {"type": "string", "enum": ["0", "1"]},
    }
    failed = ("broken-picture", "too-hard-to-decode", "not-possible", "cannot-enlarge", "too-large-pixels",
              "too-large-side", "too-large-result", "no-room", "worker-died", "out-of-memory", "stopping",
              "deadline")  # fmt: skip
    partial = {"description": "A part of it, where a Range was asked for.", "content": _picture()["content"]}
    ranges = {"description": "There is no such range.", "content": {"text/plain": {}}}
    return _operation(
        "result",
        "Fetch the result of a job.",
        description="The problem of a job that failed is answered as such.",
        parameters=[ID, inline],
        responses={"200": _picture(), "206": partial, "416": ranges,
                   **_problems("malformed-request", "job-not-found", "no-result", *failed)},
    )  # fmt: skip


def _models() -> dict[str, Any]:
    answer = {"description": "Networks, words for them, scales, limits.",
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Models"}}}}  # fmt: skip
    return _operation("models", "List networks and limits.", responses={"200": answer, **_problems()})


def _analyse() -> dict[str, Any]:
    answer = {
        "description": "What `kakudai analyse --json` says.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "width": {"type": "integer"},
                        "height": {"type": "integer"},
                        "noise": {"type": ["number", "null"]},
                        "drawn": {"type": ["number", "null"]},
                        "quality": {"type": ["integer", "null"]},
                        "grey": {"type": ["boolean", "null"]},
                        "visible": {"type": "boolean"},
                        "notes": {"type": "array", "items": {"type": "string"}},
                    },
                    "required": ["width", "height", "noise", "drawn", "quality", "grey", "visible", "notes"],
                }
            }
        },
    }
    return _operation(
        "analyse",
        "Say what a picture is: JPEG history, noise, drawn or photographed.",
        requestBody=_body({}),
        responses={
            "200": answer,
            **_problems(*SENT, "too-hard-to-decode", "queue-full", "too-many-requests", "worker-died", "deadline"),
        },
    )


def _waifu2x() -> dict[str, Any]:
    words: dict[str, tuple[Mapping[str, object], str]] = {
        "scale": (SCALES, "-1 keeps the size, 1 is 1.6 times, 2 is twice."),
        "noise": (NOISES, "-1 keeps noise, 0 to 3 remove it at 25, 50, 75, 100."),
        "style": (STYLES, "Which networks."),
        "format": (FORMATS, "0 is png, 1 is webp."),
    }
    fields: dict[str, dict[str, Any]] = {
        name: {"type": "string", "enum": [word for word in table if word], "description": text}
        for name, (table, text) in words.items()
    }
    return _operation(
        "waifu2x",
        "Enlarge a picture, asked for in the words of waifu2x's server.",
        requestBody=_body(fields, raw=False),
        responses={"200": _picture(), **_problems(*ASKED)},
    )


def _plain_paths() -> dict[str, Any]:
    text: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
    name = {
        "name": "name",
        "in": "path",
        "required": True,
        "description": "The last part of a problem's type.",
        "schema": {"type": "string", "enum": list(KINDS)},
        "example": "queue-full",
    }
    own = {"description": "In words.", "content": {**text, "text/html": {"schema": {"type": "string"}}}}
    return {
        "/healthz": {"get": _operation("healthz", "Say that the server lives.", security=[], responses={
            "200": {"description": "ok", "content": text}, **_problems()})},
        "/readyz": {"get": _operation("readyz", "Say whether pictures are taken.", security=[], responses={
            "200": {"description": "ready", "content": text}, **_problems("starting", "stopping")})},
        "/metrics": {"get": _operation("metrics", "Counters for Prometheus.", responses={
            "200": {"description": "Counters.", "content": text}, **_problems()})},
        "/problems/{name}": {"get": _operation("problem", "Explain a type of problem.", parameters=[name], security=[],
            responses={"200": own, **_problems("not-found")})},
    }  # fmt: skip


def _job_schema() -> dict[str, Any]:
    size = {"type": ["array", "null"], "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}
    number = {"type": ["number", "null"]}
    properties: dict[str, Any] = {
        "id": {"type": "string"},
        "name": {"type": "string"},
        "state": {"type": "string", "enum": ["waiting", "running", "done", "failed", "cancelled"]},
        "place": {"type": ["integer", "null"], "description": "In the queue, from 1."},
        "progress": {"type": "number", "minimum": 0, "maximum": 1},
        "seconds_left": number,
        "input_size": size,
        "output_size": size,
        "model": {"type": ["string", "null"]},
        "strength": {"type": ["integer", "null"]},
        "precision": {"type": ["string", "null"], "description": "What the networks compute with."},
        "reason": {"type": ["string", "null"]},
        "notes": {"type": "array", "items": {"type": "string"}},
        "seconds": number,
        "result": {"type": ["string", "null"]},
        "problem": {"anyOf": [{"$ref": "#/components/schemas/Problem"}, {"type": "null"}]},
        "expires": {"type": "string", "format": "date-time"},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _models_schema() -> dict[str, Any]:
    scales = {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "integer"}}}
    model: dict[str, Any] = {
        "name": {"type": "string"},
        "scale": {"type": "integer"},
        "task": {"type": "string"},
        "style": {"type": ["string", "null"]},
        "parameters": {"type": "integer"},
        "licence": {"type": "string"},
        "quality": {"type": "object"},
    }
    properties: dict[str, Any] = {
        "models": {"type": "array", "items": {"type": "object", "properties": model, "required": list(model)}},
        "words": {"type": "array", "items": {"type": "string"}},
        "scales": scales,
        "restores": scales,
        "limits": {"type": "object"},
        "keeps_place": {"type": "boolean", "description": "Whether results say where a photograph was taken."},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}
