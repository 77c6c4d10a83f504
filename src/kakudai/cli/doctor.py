"""`kakudai doctor`: what was found on this machine."""

import importlib.util
import json
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kakudai.cli.report import explain, printable
from kakudai.errors import KakudaiError

if TYPE_CHECKING:
    from kakudai.image.formats import Format

WANTED_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> int:
    """Say what was found: versions, processor, runtimes and which one is used, formats, models; and whether it works.

    Example: kakudai doctor
    """
    facts = collect()
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        column = max(len(key) for values in facts.values() for key in values) + 2
        for heading, values in facts.items():
            typer.echo(f"{heading}:")
            for key, value in values.items():
                typer.echo(printable(f"  {key:<{column}}{value}"))
    return 0 if facts["check"]["result"] == "ok" else 1


def collect() -> dict[str, dict[str, Any]]:
    """Look around. Whatever is broken becomes a fact: this is the command for machines where others fail."""
    from kakudai import __version__
    from kakudai.engine.machine import Machine
    from kakudai.engine.memory import available_bytes
    from kakudai.engine.runtimes import available, usable_processors
    from kakudai.models import store

    runtimes = available()
    free = available_bytes()
    return {
        "program": {"kakudai": __version__, "python": sys.version.split()[0], "system": platform.platform()},
        "machine": {
            "processor": processor_name(),
            "processors": usable_processors(),
            "instructions": " ".join(_flags()) or "unknown",
            "precision": f"{Machine().numbers} for pictures of 8 bits",
            "free memory": "unknown" if free is None else f"{free >> 20} MiB",
        },
        "runtimes": {
            found.name: ", ".join(
                [found.version, found.reason, *(["used"] if found is runtimes[0] else [])]
                if found.version
                else ["not installed"]
            )
            for found in runtimes
        },
        "formats": _formats(),
        "models": _models(),
        "folders": {"imported": str(store.data_folder()), "conversions": str(store.cache_folder())},
        "check": _check(),
    }


def _formats() -> dict[str, str]:
    """Say which formats the libvips of this machine reads and writes; a wheel may lack some."""
    from kakudai.image.formats import FORMATS, PACKAGES

    try:
        import pyvips

        known = {"libvips": ".".join(str(pyvips.version(part)) for part in range(3))}
        has = {name: bool(pyvips.type_find("VipsOperation", name)) for f in FORMATS.values() for name in _operations(f)}
    except Exception as error:  # a library that does not load fails in many ways
        return {"libvips": f"does not work: {explain(error)[0]}"}
    for entry in FORMATS.values():
        if entry.name in PACKAGES and importlib.util.find_spec(PACKAGES[entry.name]) is None:
            known[entry.name] = "not read: pip install 'kakudai[formats]'"
        elif not all(has[name] for name in _operations(entry)):
            known[entry.name] = "missing in this libvips"
        else:
            known[entry.name] = "read and written" if entry.saver else "read"
    return known


def _operations(entry: "Format") -> list[str]:
    return [name for name in (entry.loader, entry.saver) if name.endswith(("load", "save"))]


def _models() -> dict[str, str]:
    from kakudai.models import list_models

    try:
        return {model.name: f"{model.scale}x, {model.parameters:,} parameters" for model in list_models()}
    except KakudaiError as error:
        return {"broken": error.message}


def _check() -> dict[str, str]:
    """Enlarge a small picture with every runtime that is installed, through files as a user does."""
    from kakudai.engine.runtimes import available

    for found in available():
        if found.version is None or found.name == "torch":
            continue
        try:
            _try(found.name)
        except Exception as error:  # likewise
            message, hint = explain(error)
            return {"result": f"{found.name} does not work: {message}", "what to do": hint or f"reinstall {found.name}"}
    return {"result": "ok"}


def _try(runtime: str) -> None:
    import io

    import numpy as np

    from kakudai.engine.upscaler import Upscaler
    from kakudai.image.files import read_image, write_image
    from kakudai.image.picture import Picture

    file = io.BytesIO()
    write_image(Picture(np.linspace(0, 255, 32 * 32 * 3).astype(np.uint8).reshape(32, 32, 3)), file, format="png")
    with Upscaler(runtime=runtime) as upscaler:  # type: ignore[arg-type]
        upscaler.upscale_picture(read_image(file.getvalue()))


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
