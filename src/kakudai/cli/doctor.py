"""`kakudai doctor`: what was found on this machine."""

import json
import platform
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

WANTED_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8")


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> int:
    """Say what was found: versions, processor, runtimes and which one is used, formats, models; and whether it works.

    Example: kakudai doctor
    """
    facts = collect()
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        for heading, values in facts.items():
            typer.echo(f"{heading}:")
            for key, value in values.items():
                typer.echo(f"  {key:<14}{value}")
    return 0 if facts["check"]["result"] == "ok" else 1


def collect() -> dict[str, dict[str, Any]]:
    """Look around."""
    from kakudai import __version__
    from kakudai.engine.memory import available_bytes
    from kakudai.engine.runtimes import available, usable_processors
    from kakudai.image.formats import FORMATS
    from kakudai.models import list_models

    runtimes = available()
    free = available_bytes()
    return {
        "program": {"kakudai": __version__, "python": sys.version.split()[0], "system": platform.platform()},
        "machine": {
            "processor": processor_name(),
            "processors": usable_processors(),
            "instructions": " ".join(_flags()) or "unknown",
            "free memory": "unknown" if free is None else f"{free >> 20} MiB",
        },
        "runtimes": {
            found.name: f"{found.version or 'not installed'}, {found.reason}{', used' if found is runtimes[0] else ''}"
            for found in runtimes
        },
        "formats": {entry.name: "read and written" if entry.saver else "read" for entry in FORMATS.values()},
        "models": {model.name: f"{model.scale}x, {model.parameters:,} parameters" for model in list_models()},
        "check": {"result": _check()},
    }


def _check() -> str:
    """Enlarge a small picture with every runtime that is installed."""
    import numpy as np

    from kakudai.engine.runtimes import available
    from kakudai.engine.upscaler import Upscaler
    from kakudai.errors import KakudaiError

    image = np.linspace(0, 255, 32 * 32 * 3).astype(np.uint8).reshape(32, 32, 3)
    for found in available():
        if found.version is None or found.name == "torch":
            continue
        try:
            with Upscaler(runtime=found.name) as upscaler:  # type: ignore[arg-type]
                upscaler.upscale(image)
        except KakudaiError as error:
            return f"{found.name} does not work: {error.message}"
    return "ok"


def processor_name() -> str:
    """Name the processor as well as the system does."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _flags() -> list[str]:
    have = _cpuinfo("flags").split()
    return [flag for flag in WANTED_FLAGS if flag in have]


def _cpuinfo(key: str) -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
