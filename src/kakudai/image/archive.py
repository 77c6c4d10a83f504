"""Books of pages, CBZ and ZIP: opened with care, and written with all that lay beside the pages."""

import contextlib
import io
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO

from kakudai.errors import PictureError, PictureTooLarge, PictureUnreadable
from kakudai.image.formats import FORMATS
from kakudai.image.reading import opened

MAX_MEMBERS = 20_000
MAX_FILE = 512 << 20
"""Bytes of one file, which is unpacked into memory."""
MAX_TOTAL = 16 << 30
"""Bytes of all files together, unpacked."""
MAX_RATIO = 100
"""How many times its size a book may unpack to; pictures are compressed already, and hardly get smaller."""
HARMLESS = 256 << 20
"""Bytes that any book may unpack to."""

PIECE = 4096
"""Bytes that are unpacked at a time: asked for all, zipfile unpacks what there is, whatever size was stated."""

SPOILED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)
"""What reading a damaged member raises."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a book.

    Args:
        info: As the archive has it.
        name: With forward slashes; it leads nowhere but into the book.
        page: It is a picture, by its ending.
    """

    info: zipfile.ZipInfo
    name: str
    page: bool


@dataclass(frozen=True, slots=True)
class Book:
    """An opened book.

    Args:
        archive: What its files are read from.
        members: In their order.
        notes: What is left out, one sentence each.
    """

    archive: zipfile.ZipFile
    members: tuple[Member, ...]
    notes: tuple[str, ...]

    @property
    def pages(self) -> list[Member]:
        """The members that are pictures."""
        return [member for member in self.members if member.page]

    def read(self, member: Member) -> bytes:
        """Unpack a file.

        Raises:
            PictureUnreadable: It is damaged, or packed as books are not: zipfile unpacks 4 KB of bzip2 to gigabytes.
            PictureTooLarge: It is too large.
        """
        if member.info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise PictureUnreadable("it is neither stored nor deflated", "unpack the book, and pack it as plain ZIP")
        if member.info.file_size > MAX_FILE:
            raise PictureTooLarge(f"it has {member.info.file_size} bytes; the limit is {MAX_FILE}", "unpack the book")
        try:
            with self.archive.open(member.info) as file:
                return b"".join(iter(partial(file.read, PIECE), b""))
        except SPOILED as error:
            raise PictureUnreadable(f"it is damaged: {error}", "copy or download the book again") from None


def is_book(source: str | os.PathLike[str] | bytes) -> bool:
    """Say whether a file begins as a ZIP does."""
    try:
        with opened(source, "the file") as file:
            return file.read(4) in (b"PK\3\4", b"PK\5\6")
    except PictureError:  # whoever reads it as a picture will say so
        return False


@contextlib.contextmanager
def open_book(source: str | os.PathLike[str] | bytes) -> Iterator[Book]:
    """Open a book and look at all its names and sizes; nothing is unpacked yet.

    Raises:
        PictureUnreadable: It is damaged or encrypted, or has no page.
        PictureTooLarge: It would unpack to too much.
    """
    name = "the book" if isinstance(source, bytes) else repr(os.fspath(source))
    with opened(source, name) as file:
        try:
            archive = zipfile.ZipFile(file)
        except SPOILED as error:
            raise PictureUnreadable(f"{name} is a damaged ZIP: {error}", "copy or download it again") from None
        with archive:
            infos = archive.infolist()
            _check_sizes(infos, file.seek(0, io.SEEK_END), name)
            if any(info.flag_bits & 1 for info in infos):
                raise PictureUnreadable(f"{name} is encrypted", "unpack it with its password, and pack it without")
            book = Book(archive, *_sorted_out(infos))
            if not book.pages:
                raise PictureUnreadable(f"{name} has no pages", "pages end in .jpg, .png, .webp and the like")
            yield book


def _check_sizes(infos: list[zipfile.ZipInfo], size: int, name: str) -> None:
    total = sum(info.file_size for info in infos)
    most = min(MAX_TOTAL, max(HARMLESS, MAX_RATIO * size))
    if len(infos) > MAX_MEMBERS or total > most:
        raise PictureTooLarge(
            f"{name} has {len(infos)} files, together {total} bytes; the limit is {MAX_MEMBERS} files and {most} bytes",
            "unpack it, if you trust it, and name the folder",
        )


def _sorted_out(infos: list[zipfile.ZipInfo]) -> tuple[tuple[Member, ...], tuple[str, ...]]:
    """Leave out what leads outside of the book, and names that were there before."""
    pictures = {f".{extension}" for entry in FORMATS.values() for extension in entry.extensions}
    members: dict[str, Member] = {}
    notes = []
    for info in infos:
        name = info.filename.replace("\\", "/")
        path = PurePosixPath(name)
        why = _harm(name, path, info)
        if not why and name in members:
            why = "another file has the same name"
        if why:
            shown = "".join(letter if letter.isprintable() else "?" for letter in name)
            notes.append(f"{shown} was left out: {why}")
            continue
        hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
        page = path.suffix.lower() in pictures and not hidden and not info.is_dir()
        members[name] = Member(info, name, page)
    return tuple(members.values()), tuple(notes)


def _harm(name: str, path: PurePosixPath, info: zipfile.ZipInfo) -> str:
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a link"
    if not path.parts or path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", name):
        return "its name leads outside of the book"
    strange = any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)  # control codes, halves of letters
    return "its name is not readable" if strange else ""


class Binding:
    """A book that is being written.

    Args:
        file: Where to.
        comment: Of the archive: some readers keep what they know of a book there.
    """

    def __init__(self, file: BinaryIO, comment: bytes) -> None:
        self._archive = zipfile.ZipFile(file, "w")
        self._archive.comment = comment
        self._names: set[str] = set()

    def __enter__(self) -> "Binding":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with contextlib.nullcontext() if kind is None else contextlib.suppress(OSError):
            self._archive.close()

    def add(self, member: Member, name: str, data: bytes, *, packed: bool = False) -> None:
        """Add a file, under a name that is not taken.

        Args:
            member: Of which book; its time and permissions stay.
            name: What it is called now.
            data: What is in it.
            packed: It is compressed. Pictures are already.
        """
        path, number = PurePosixPath(name), 1
        while name in self._names:
            name, number = str(path.with_name(f"{path.stem}-{number}{path.suffix}")), number + 1
        self._names.add(name)
        info = zipfile.ZipInfo(name, member.info.date_time)
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        info.create_system, info.external_attr = member.info.create_system, member.info.external_attr
        self._archive.writestr(info, data)
