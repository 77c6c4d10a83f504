"""Addresses of objects in buckets, such as s3://bucket/in/a.png: what belongs to what, by their words alone."""

import os
import re

from kakudai.errors import UsageError

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?:::[A-Za-z][A-Za-z0-9+.-]+)*://")
"""What an address begins with; a Windows drive is one letter only."""

FOLDED = re.compile(ADDRESS.pattern.removesuffix("/"))
"""The same of a path that was made of an address, and has lost a slash."""

LOCAL = ("file", "local")
"""Protocols of files of this machine."""

OTHER_NAMES = {"s3a": "s3", "gcs": "gs", "abfss": "abfs", "az": "abfs"}
"""Protocols that are another by another name; a manifest knows each object by one."""


def is_address(text: str | None) -> bool:
    """Say whether a word is an address, of whatever protocol."""
    return text is not None and ADDRESS.match(text) is not None


def is_about_buckets(words: list[str], *names: str | None) -> bool:
    """Say whether an address is among the words of a command."""
    return any(map(is_address, [*words, *names]))


def understood(text: str) -> str:
    """Return an address as it is written here, without slashes at its end; of a file of this machine its path.

    Raises:
        UsageError: It is about more than one protocol, names nothing, or holds what nobody else should read.
    """
    if not is_address(text):
        return text
    _refuse_secrets(text)
    protocol, _, rest = text.partition("://")
    if "::" in protocol:
        raise UsageError(f"{text} is an address within an address", "name the object itself, such as s3://bucket/a.png")
    if protocol.lower() in LOCAL:
        return rest
    rest = rest.strip("/") if protocol.lower() == "memory" else rest.rstrip("/")
    if not rest:
        raise UsageError(f"{text} names no bucket", "name one: s3://bucket/folder/")
    return f"{OTHER_NAMES.get(protocol.lower(), protocol.lower())}://{rest}"


def _refuse_secrets(text: str) -> None:
    """Refuse addresses with passwords: they would stand in messages and in the manifest.

    Raises:
        UsageError: There is a password, or the query of a web address, which often holds one.
    """
    protocol, _, rest = text.partition("://")
    if ":" in rest.partition("/")[0].rpartition("@")[0]:
        hint = "leave it out, and let the package of the protocol find it where it looks for credentials"
        raise UsageError(f"there is a password in an address of {protocol}://", hint)
    if protocol.lower() in ("http", "https") and "?" in rest:
        hint = "fetch it first: addresses are written into manifests, and queries often hold keys"
        raise UsageError(f"the address {shown(text)} has a query", hint)


def shown(text: str) -> str:
    """Return an address without its password and, on the web, its query, as it may stand in a message."""
    found = FOLDED.match(text)
    if found is None:
        return text
    host, slash, rest = text[found.end() :].lstrip("/").partition("/")
    user, at, machine = host.rpartition("@")
    whole = f"{found[0].rstrip('/')}//{user.partition(':')[0]}{at}{machine}{slash}{rest}"
    return whole.partition("?")[0] if found[0].lower().startswith("http") else whole


def is_bucket(address: str) -> bool:
    """Say whether an address is that of a whole bucket."""
    return "/" not in address.partition("://")[2]


def beside(name: str, other: str) -> str:
    """Return the address or path of what is called `other` in the folder of `name`."""
    if is_address(name):
        return f"{name.rpartition('/')[0]}/{other}"
    return os.path.join(os.path.dirname(name), other)  # noqa: PTH118, PTH120 - names, whether addresses or paths, are words


def within(folder: str, *parts: str) -> str:
    """Return the address or path of what lies in a folder; empty parts are left out."""
    kept = [part for part in parts if part]
    return "/".join([folder, *kept]) if is_address(folder) else os.path.join(folder, *kept)  # noqa: PTH118 - likewise


def lies_in(name: str, folder: str) -> bool:
    """Say whether an object is in a prefix, by their addresses."""
    return name.startswith(f"{folder}/")


def is_plain(below: str) -> bool:
    """Say whether the name of an object, from some prefix on, leads nowhere else as a path of files, and is not hidden.

    Keys may hold anything: empty parts, "..", and what another system takes for a folder or a drive.
    """
    parts = below.split("/")
    foreign = "\\:" if os.sep == "\\" else "\0"
    return not any(part == "" or part.startswith(".") or set(foreign) & set(part) for part in parts)


def refuse_addresses(command: str, *names: object) -> None:
    """Refuse addresses where only files are taken.

    Args:
        command: Which takes none; empty for "this command".
        names: What it was given: words, paths that were made of them, or nothing.

    Raises:
        UsageError: One is an address, and no file that is called so.
    """
    for name in names:
        if name is not None and FOLDED.match(str(name)) and not os.path.lexists(str(name)):
            hint = "kakudai upscale takes addresses; here, fetch the object first"
            who = f"kakudai {command}" if command else "this command"
            raise UsageError(f"{who} takes no addresses, such as {shown(str(name))}", hint)
