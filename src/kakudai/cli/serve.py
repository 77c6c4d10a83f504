"""`kakudai serve`."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kakudai.cli.options import Device, NumberFormat, Runtime, Threads
from kakudai.cli.report import say
from kakudai.errors import RuntimeUnavailable, UsageError
from kakudai.jobs.address import refuse_addresses

if TYPE_CHECKING:
    from kakudai.engine.machine import Machine

NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; any but this machine's own needs a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes any.")] = 8812,
    token: Annotated[
        str | None,
        typer.Option(envvar="KAKUDAI_TOKEN", show_envvar=True, help="Secret that clients have to send."),
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="Name that this server is called by, behind a proxy; may be repeated.")
    ] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="Believe the X-Forwarded-For of whoever connects.")
    ] = False,
    threads: Threads = None,
    runtime: Runtime = "auto",
    precision: NumberFormat = "auto",
    device: Device = "auto",
    queue: Annotated[int, typer.Option(min=0, max=1000, help="Pictures that may wait.")] = 16,
    per_client: Annotated[int, typer.Option(min=1, help="Pictures of one client that may wait or run.")] = 8,
    deadline: Annotated[float, typer.Option(min=1, help="Seconds for requests that wait for their picture.")] = 60.0,
    life: Annotated[float, typer.Option(min=1, help="Seconds until results are deleted.")] = 3600.0,
    room: Annotated[float, typer.Option(min=1, help="Megabytes for all results; the oldest go first.")] = 2000.0,
    keep_gps: Annotated[bool, typer.Option("--keep-gps", help="Leave places in EXIF and XMP.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where uploads and results lie; else the system's place.")] = None,
) -> int:
    """Serve the API and the page over HTTP, until Ctrl-C.

    Pictures and results stay on this machine, and are deleted after an hour and when the server ends.

    Example: kakudai serve --port 8812
    """
    check_installed()
    from kakudai.serve.server import run
    from kakudai.serve.settings import Limits, Settings

    if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token != ""):
        hint = "leave --token and KAKUDAI_TOKEN out, or give a long random word of ASCII letters"
        raise UsageError("the token is empty, or has letters that no header can hold", hint)
    refuse_addresses("serve", folder)
    if folder is not None and not folder.is_dir():
        raise UsageError(f"--folder {folder} is no folder", "create it first")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    limits = Limits(
        queue=queue, per_client=per_client, deadline_seconds=deadline, life_seconds=life, disk_bytes=round(room * 1e6)
    )
    settings = Settings(
        host=host,
        port=port,
        token=token,
        names=tuple(name or ()),
        behind_proxy=behind_proxy,
        machine=machine_of(runtime, threads, precision, device),
        keep_gps=keep_gps,
        folder=folder,
        limits=limits,
    )
    run(settings, lambda address: greet(address, settings.token is not None, life))
    say("stopped: all uploads and results are deleted")
    return 0


def machine_of(runtime: str, threads: int | None, precision: str, device: str) -> "Machine":
    """Return how networks are to be run.

    Raises:
        UsageError: There is no such runtime, precision or device, or there are no threads.
        RuntimeUnavailable: The runtime or the device is not there, or cannot compute with it.
    """
    from kakudai.engine.machine import Machine

    return Machine(runtime, threads, precision, device)  # type: ignore[arg-type]


def greet(address: str, has_token: bool, life: float) -> None:
    """Say where the server is, and what it does with pictures."""
    say(f"kakudai serves at {address}")
    say(f"results are deleted after {life / 60:g} minutes, and when it stops")
    if has_token:
        say("clients need the token: Authorization: Bearer TOKEN, or typed into the page")
    say(f"try: curl -F file=@photo.jpg {address}v1/upscale -o large.jpg")
    say("stop it with Ctrl-C")


def check_installed() -> None:
    """Refuse to start without the packages of the extra, or where processes have no limits.

    Raises:
        RuntimeUnavailable: It is so.
    """
    from importlib.util import find_spec

    if os.name != "posix":
        raise RuntimeUnavailable(
            "kakudai serve decodes pictures in processes with limits, and this system has none",
            "run it in WSL, in a container, or on another machine",
        )

    missing = [package for package in NEEDED if find_spec(package) is None]
    if missing:
        raise RuntimeUnavailable(f"kakudai serve needs {', '.join(missing)}", "pip install 'kakudai[serve]'")
