"""Questions to the servers of buckets: asked again while there is hope; every error is one line with a hint."""

import errno
import time
from collections.abc import Callable
from typing import TypeVar

from kakudai.errors import BucketError, NoRoom, OutputExists, PictureNotFound

WAITS = (1.0, 3.0)
"""Seconds before the second and third try; the packages of the protocols make more of their own."""

PASSING = {
    getattr(errno, name)
    for name in ("EBUSY", "EIO", "EREMOTEIO", "ETIMEDOUT", "ECONNRESET", "ECONNREFUSED", "EPIPE", "EAGAIN")
    if hasattr(errno, name)
}
"""What may be otherwise a moment later: too busy, no answer, an error of the server."""

FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
"""What the own disk says that takes no more."""

CONDITION = ("PreconditionFailed", "ConditionalRequestConflict")
PRECONDITION_FAILED = 412
"""What servers say where an object is there that must not be, in words and as the status of HTTP."""

Made = TypeVar("Made")


def asked(address: str, ask: Callable[[], Made]) -> Made:
    """Ask a server, again after a while where it may answer otherwise then.

    Raises:
        PictureNotFound: There is no such object or bucket.
        OutputExists: There is one that must not be.
        BucketError: It cannot be done.
        NoRoom: The own disk is full.
    """
    for wait in (*WAITS, None):
        try:
            return ask()
        except (BucketError, OutputExists):
            raise
        except Exception as error:  # of as many kinds as there are packages
            if wait is None or not _may_pass(error):
                raise _told(address, error) from error
        time.sleep(wait)
    raise AssertionError


def _may_pass(error: Exception) -> bool:
    """Say whether it may be otherwise a moment later."""
    if isinstance(error, FileNotFoundError | FileExistsError | PermissionError) or _is_condition(error):
        return False
    words = ("Timeout", "Connection", "HTTPClient", "ClientPayload", "IncompleteRead")
    named = any(word in type(error).__name__ for word in words)
    return isinstance(error, TimeoutError | ConnectionError) or named or getattr(error, "errno", None) in PASSING


def _told(address: str, error: Exception) -> BucketError | PictureNotFound | OutputExists | NoRoom:
    """Say in one line what is wrong."""
    kind, said = type(error).__name__, " ".join(str(error).split())[:300]
    if isinstance(error, FileNotFoundError):
        return no_bucket(address) if "bucket" in said.lower() else PictureNotFound(f"there is no {address}", "check it")
    if isinstance(error, FileExistsError) or _is_condition(error):
        return exists(address)
    if "Credential" in kind or "locate credentials" in said:
        hint = "set them in the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or sign in"
        return BucketError(f"there are no credentials for {address}", hint)
    if getattr(error, "errno", None) in FULL:
        return NoRoom("the disk for temporary files is full", "make room, or let TMPDIR name another disk")
    what, hint = "cannot be used", "check the address and what it allows"
    if isinstance(error, PermissionError):
        what, hint = "may not be used", "access is denied: check the credentials, and what they allow"
    elif _may_pass(error):
        what, hint = "gives no answer", "try again later: it goes on where it was"
    return BucketError(f"{address} {what}: {said or kind}", hint)


def exists(address: str) -> OutputExists:
    return OutputExists(f"{address} exists", "use --on-exists skip, overwrite or rename")


def no_bucket(address: str) -> PictureNotFound:
    return PictureNotFound(f"there is no bucket for {address}", "check its name, and the endpoint or region")


def _is_condition(error: Exception) -> bool:
    """Say whether a server has refused because an object is there, by its words, or by the answer behind the error."""
    for one in (error, error.__cause__):
        answer = getattr(one, "response", None)
        if isinstance(answer, dict):
            status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status == PRECONDITION_FAILED or answer.get("Error", {}).get("Code") in CONDITION:
                return True
    return isinstance(error, OSError) and any(word in str(error) for word in CONDITION)
