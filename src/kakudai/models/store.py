"""Models that the user has imported, and conversions that need not be done twice.

Imported models lie in folders of their names under the user's data folder; conversions lie under the user's cache
folder, by the hash of what they were made of. `KAKUDAI_HOME` puts both into one folder. Everything is written beside
its place and renamed, so a kill or a full disk leaves nothing torn.

Source: https://specifications.freedesktop.org/basedir-spec, and what macOS and Windows use in its place.
"""

import contextlib
import hashlib
import logging
import os
import re
import secrets
import shutil
import sys
from pathlib import Path
from typing import TypeAlias

from kakudai.errors import ModelInvalid, ModelNotFound, OutputError, OutputExists, UsageError

logger = logging.getLogger(__name__)

Native: TypeAlias = tuple[bytes, bytes]
"""The .param and the .bin that a model came from, for the runtime ncnn."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
ONNX, PARAM, BIN = "model.onnx", "native.param", "native.bin"
CACHE_BYTES = 2 << 30
"""Above this the conversions that were not used for longest go."""

DIGEST_BYTES = 32


def data_folder() -> Path:
    """Return where imported models lie."""
    return _folder("XDG_DATA_HOME", ".local/share", "Library/Application Support", "models")


def cache_folder() -> Path:
    """Return where conversions lie; everything in it can be deleted at any time."""
    return _folder("XDG_CACHE_HOME", ".cache", "Library/Caches", "cache")


def _folder(variable: str, linux: str, mac: str, kind: str) -> Path:
    """Follow the system's rule for one kind of folder; relative paths in variables do not count."""
    if home := os.environ.get("KAKUDAI_HOME"):
        return Path(home).absolute() / kind
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        base = Path(local) if local else Path.home() / "AppData/Local"
    elif sys.platform == "darwin":
        base = Path.home() / mac
    else:
        named = os.environ.get(variable, "")
        base = Path(named) if Path(named).is_absolute() else Path.home() / linux
    return base / "kakudai" / kind


def check_name(name: str) -> str:
    """Return a name that a model may be stored under.

    Raises:
        UsageError: It could be taken for a path, or for nothing.
    """
    if not NAME.fullmatch(name) or name.endswith("."):
        hint = "accepted are letters, digits, and . _ + - after the first, for example --name photo-old"
        raise UsageError(f"{name!r} is no name for a model", hint)
    return name


def name_for(stem: str) -> str:
    """Make a name of a file's."""
    name = re.sub(r"[^A-Za-z0-9._+-]+", "-", stem).strip("-._+")[:100].rstrip(".")
    return name or "model"


def imported_names() -> list[str]:
    """Return the names of all imported models."""
    try:
        return sorted(path.name for path in data_folder().iterdir() if NAME.fullmatch(path.name) and path.is_dir())
    except OSError:
        return []


def read_imported(name: str) -> tuple[bytes, Native | None] | None:
    """Return the ONNX file of an imported model, and the ncnn files it came from; None where no model has that name.

    Raises:
        ModelInvalid: It is there and cannot be read.
    """
    if not NAME.fullmatch(name) or not (data_folder() / name).is_dir():
        return None
    folder = data_folder() / name
    try:
        native = (folder / PARAM, folder / BIN)
        both = (native[0].read_bytes(), native[1].read_bytes()) if native[0].exists() else None
        return (folder / ONNX).read_bytes(), both
    except OSError as error:
        hint = f"kakudai models remove {name}, and import it again"
        raise ModelInvalid(f"the imported model {name} cannot be read: {error.strerror}", hint) from error


def keep(name: str, data: bytes, native: Native | None = None, *, replace: bool = False) -> Path:
    """Store a model under a name.

    Raises:
        UsageError: The name is none.
        OutputExists: Another model has it, and `replace` is False.
        OutputError: The folder cannot be written.
    """
    folder = data_folder() / check_name(name)
    if folder.exists() and not replace:
        hint = f"give another with --name, or: kakudai models remove {name}"
        raise OutputExists(f"there is an imported model {name} already", hint)
    new = folder.with_name(f".{name}.{secrets.token_hex(4)}.part")
    try:
        new.mkdir(parents=True)
        for file, content in zip((ONNX, PARAM, BIN), (data, *(native or ())), strict=False):
            _write(new / file, content)
        _put(new, folder)
    except OSError as error:
        shutil.rmtree(new, ignore_errors=True)
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}", "see KAKUDAI_HOME") from error
    return folder


def remove(name: str) -> None:
    """Delete an imported model.

    Raises:
        ModelNotFound: None has that name.
        OutputError: It cannot be deleted.
    """
    if name not in imported_names():
        known = ", ".join(imported_names()) or "none"
        raise ModelNotFound(f"no imported model is called {name!r}", f"imported are: {known}")
    try:
        shutil.rmtree(_moved_away(data_folder() / name), ignore_errors=True)
    except OSError as error:
        raise OutputError(f"{data_folder() / name} cannot be deleted: {error.strerror}", "check its owner") from error


def _put(new: Path, folder: Path) -> None:
    """Put a folder into the place of another, which comes back where that fails, and goes where it does not."""
    away = _moved_away(folder) if folder.exists() else None
    try:
        new.rename(folder)
    except OSError:
        if away:
            away.rename(folder)
        raise
    if away:
        shutil.rmtree(away, ignore_errors=True)


def _moved_away(folder: Path) -> Path:
    away = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.old")
    return folder.rename(away)


def cached(key: str) -> bytes | None:
    """Return what was stored under a key; None where there is nothing, or where it is not what was stored."""
    path = _cache_path(key)
    try:
        content = path.read_bytes()
        os.utime(path)
    except OSError:
        return None
    digest, data = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if hashlib.sha256(data).digest() == digest:
        return data
    logger.info("%s is damaged and is made again", path)
    return None


def remember(key: str, data: bytes) -> None:
    """Store a conversion. Where that is not possible it is only said: the next start is slower, and nothing else."""
    path = _cache_path(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            _write(temporary, hashlib.sha256(data).digest() + data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _make_room(path.parent, path)
    except OSError as error:
        logger.info("the conversion is not kept in %s: %s", path.parent, error)


def forget(key: str) -> None:
    """Delete a conversion that turned out to be none."""
    with contextlib.suppress(OSError):
        _cache_path(key).unlink()


def _cache_path(key: str) -> Path:
    return cache_folder() / f"{hashlib.sha256(key.encode()).hexdigest()}.model"


def _make_room(folder: Path, newest: Path) -> None:
    files = sorted(((path.stat().st_mtime, path.stat().st_size, path) for path in folder.glob("*.model")), reverse=True)
    total = 0
    for _, size, path in files:
        total += size
        if total > CACHE_BYTES and path != newest:
            path.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
