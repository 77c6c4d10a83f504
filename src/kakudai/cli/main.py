"""The program `kakudai`: finds the command, and turns every error into one line, a hint and an exit code."""

import difflib
import glob
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.exceptions import Abort

from kakudai.cli import (
    analyse,
    bench,
    compare,
    data,
    denoise,
    doctor,
    evaluate,
    features,
    jobs,
    models,
    networks,
    plot,
    report_run,
    serve,
    train,
    upscale,
    waifu2x,
    watch,
)
from kakudai.cli.report import Interrupted, Terminated, report_error, say
from kakudai.errors import UsageError

COMMANDS: dict[str, Callable[..., Any]] = {
    "upscale": upscale.upscale,
    "denoise": denoise.denoise,
    "waifu2x": waifu2x.waifu2x,
    "watch": watch.watch,
    "analyse": analyse.analyse,
    "compare": compare.compare,
    "evaluate": evaluate.evaluate,
    "features": features.features,
    "train": train.train,
    "plot": plot.plot,
    "report": report_run.report,
    "networks": networks.networks,
    "serve": serve.serve,
    "doctor": doctor.doctor,
}
GROUPS = {"jobs": jobs.app, "models": models.app, "data": data.app, "bench": bench.app}

DONE, FAILED, INTERRUPTED, TERMINATED = 0, 1, 130, 143

ENDED = "what was finished is written, nothing else"


def build() -> typer.Typer:
    """Put the commands together."""
    app = typer.Typer(
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )
    app.callback()(program)
    for name, command in COMMANDS.items():
        app.command(name)(command)
    for name, group in GROUPS.items():
        app.add_typer(group, name=name)
    return app


def show_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        from kakudai import __version__

        typer.echo(f"kakudai {__version__}")
        raise typer.Exit


def program(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=show_version, is_eager=True)
    ] = False,
    debug: Annotated[  # `take_debug` is what reads it, for it is understood anywhere
        bool, typer.Option("--debug", help="Show where an error comes from; KAKUDAI_DEBUG=1 does the same.")
    ] = False,
) -> None:
    """Make small, noisy pictures large and clean.

    `kakudai PICTURE...` is short for `kakudai upscale PICTURE...`.

    Example: kakudai photo.jpg
    """


def main() -> None:
    """Run the program and end the process with its exit code."""
    # Read when numpy is loaded, which nothing above does. Its matrix products are small here, and threads that wait for
    # the next one actively would take the processors from the networks.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run the program on some words and return its exit code: 0 done, 1 inputs failed, 2 wrong usage, 130
    interrupted, 143 terminated.
    """
    try:
        command = typer.main.get_command(build())
        code = command.main(complete(take_debug(words)), prog_name="kakudai", standalone_mode=False)
    except Interrupted:
        return INTERRUPTED
    except Terminated:
        say(f"terminated: {ENDED}")
        return TERMINATED
    except (KeyboardInterrupt, Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:  # a user never sees a traceback unless it is asked for
        return report_error(error)
    if code == INTERRUPTED:  # Typer, too, makes this code of a KeyboardInterrupt
        say(f"interrupted: {ENDED}")
    return code if isinstance(code, int) else DONE


def take_debug(words: list[str]) -> list[str]:
    """Take `--debug` out of the words, wherever it stands before a "--", and remember it in the environment."""
    end = words.index("--") if "--" in words else len(words)
    if "--debug" not in words[:end]:
        return words
    os.environ["KAKUDAI_DEBUG"] = "1"
    return [word for word in words[:end] if word != "--debug"] + words[end:]


def complete(words: list[str]) -> list[str]:
    """Put `upscale` in front of pictures.

    Raises:
        UsageError: The first word is no file, and no path of one either; or it looks like a command that was mistyped.
    """
    if not words:
        return ["--help"]
    if words[0] == "waifu2x":
        return ["waifu2x", *waifu2x.understood(words[1:])]
    if words[0] in {**COMMANDS, **GROUPS}:
        return words
    first = words[0]
    if first in ("-h", "--help", "--version", "--install-completion", "--show-completion"):
        return words
    if os.path.lexists(first) or first.startswith("-"):
        return ["upscale", *words]
    close = difflib.get_close_matches(first, [*COMMANDS, *GROUPS], 1, 0.7)
    meant = f"did you mean: kakudai {close[0]}? " if close else ""
    if close or (first and not glob.has_magic(first) and not {".", "/", os.sep} & set(first)):
        raise UsageError(f"there is no command or file {first!r}", f"{meant}all commands: kakudai --help")
    return ["upscale", *words]
