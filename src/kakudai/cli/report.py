"""How errors and warnings are said, and which exit code follows."""

import contextlib
import errno
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from types import FrameType

import typer
from typer.exceptions import TyperException

from kakudai.errors import KakudaiError, ModelError, RecipeError, RuntimeUnavailable, UsageError

WRONG_USAGE = (UsageError, ModelError, RuntimeUnavailable, RecipeError)
"""Errors that no input can make right: exit code 2. All others are inputs or outputs that failed: exit code 1."""

TOO_LONG = "choose a shorter name, with -o or --name"
"""What to do where the name of a result is longer than the disk takes."""

STRENGTH = "the strength is given with -d, for example -d 50; "
"""What is said to those who look for the option by the word that results have."""


class Interrupted(Exception):
    """Ctrl-C was pressed, and the command has said itself what that means."""


class Terminated(Exception):
    """SIGTERM came, and what was unfinished is removed."""


@contextlib.contextmanager
def ending_at_sigterm() -> Iterator[None]:
    """Let SIGTERM end what runs in here as Ctrl-C does, so that nothing unfinished is left.

    Raises:
        Terminated: It came.
    """
    came: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not disturb the tidying
        came.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        if came:
            raise Terminated from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until what runs in here, which is short, has ended."""
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in numbers:
            signal.signal(number, lambda number, _frame: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)


def report_error(error: Exception) -> int:
    """Print an error as one line and a hint on stderr; return the exit code."""
    message, hint = explain(error)
    say(f"error: {message}")
    if hint:
        say(f"hint: {hint}")
    trace(error)
    if isinstance(error, TyperException):
        return error.exit_code
    return 2 if isinstance(error, WRONG_USAGE) else 1


def report_failure(name: str, error: Exception, line: Callable[[str], None]) -> tuple[str, str]:
    """Say that one picture of several failed; return what happened and what to do about it."""
    message, hint = explain(error)
    line(f"error: {name}: {message}" if name and name not in message else f"error: {message}")
    if hint:
        line(f"hint: {hint}")
    trace(error)
    return message, hint


def trace(error: Exception) -> None:
    """Print the traceback of an error where --debug or KAKUDAI_DEBUG asks for it."""
    if os.environ.get("KAKUDAI_DEBUG", "0") not in ("", "0"):
        traceback.print_exception(error)


def explain(error: Exception) -> tuple[str, str]:
    """Return what happened, in one line, and what to do about it."""
    if isinstance(error, KakudaiError):
        return one_line(error.message), one_line(error.hint)
    if isinstance(error, TyperException):
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "kakudai"
        known = {word for option in context.command.params for word in option.opts} if context else set()
        meant = STRENGTH if getattr(error, "option_name", "") == "--strength" and "-d" in known else ""
        return one_line(error.format_message()), f"{meant}see: {path} --help"
    if isinstance(error, MemoryError):
        return "there is not enough memory", "use a smaller --tile, or close other programs"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        hint = "check the path, its permissions and the room on the disk"
        return one_line(f"{where}{error.strerror}"), TOO_LONG if error.errno == errno.ENAMETOOLONG else hint
    return (
        one_line(f"unexpected {type(error).__name__}: {error}"),
        "this is a mistake of kakudai: run it again with --debug and report what it prints",
    )


def one_line(text: str) -> str:
    """Fold text into one line of printable characters."""
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    """Replace control characters, so that neither a file's name nor a model's card can write on the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def say(text: str) -> None:
    """Print a line on stderr."""
    typer.echo(printable(text), err=True)
