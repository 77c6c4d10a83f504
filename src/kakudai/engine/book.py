"""Enlarge the pages of a book, CBZ or ZIP, into another one.

A page that cannot be enlarged stays in the book as it was: a reader would rather have a small page than a gap. It is
named, and the command does not end as if all had gone well.
"""

import contextlib
import io
import time
from collections import Counter
from collections.abc import Iterator
from os import PathLike
from pathlib import Path, PurePosixPath

from kakudai.engine.batch import upscale_files
from kakudai.engine.job import FailedPage, FileOptions, FileResult, Job, Progress
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import KakudaiError, PictureUnreadable, UsageError
from kakudai.image.archive import Binding, Book, Member, is_book, open_book
from kakudai.image.formats import BOOKS, SNIFFED, sniff
from kakudai.image.writing import check_place, whole_target


def upscale_book(upscaler: Upscaler, job: Job, options: FileOptions, *, progress: Progress | None) -> FileResult:
    """Enlarge a book. All names, their order, and files that are no pages stay.

    Returns: What became of it; `failed` names the pages that stayed as they were.
    """
    started = time.perf_counter()
    try:
        check_book_target(job.target)
        with open_book(job.source) as book:
            binder = Binder(upscaler, book, options)
            with whole_target(job.target) as file, Binding(file, book.archive.comment) as binding:
                binder.bind(job, binding, progress)
    except Exception as error:  # whatever a decoder or encoder raises
        return FileResult(job, error)
    seconds = time.perf_counter() - started
    return FileResult(
        job, None, seconds=seconds, notes=(*book.notes, *binder.notes), pages=len(book.pages),
        failed=tuple(binder.failed), networks=tuple(binder.networks),
    )  # fmt: skip


def check_book_target(target: object) -> None:
    """Refuse, before any work, what is no place for a book.

    Raises:
        UsageError: It is named as something else.
        OutputError: Its folder cannot be written.
    """
    if isinstance(target, str | PathLike):
        if Path(target).suffix.lower() not in BOOKS:
            raise UsageError(f"a book of pages cannot become {Path(target)}", "name it .cbz or .zip")
        check_place(target)


class Binder:
    """Enlarges the pages of a book and binds them anew.

    Args:
        upscaler: Enlarges.
        book: Whose pages they are.
        options: How they are written.

    Attributes:
        failed: Pages that stayed as they were.
        networks: What was used, in the order of first use.
    """

    def __init__(self, upscaler: Upscaler, book: Book, options: FileOptions) -> None:
        self.failed: list[FailedPage] = []
        self.networks: dict[str, None] = {}
        self._upscaler, self._book, self._options = upscaler, book, options
        self._counted: Counter[str] = Counter()
        self._spoiled: dict[str, KakudaiError] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be kept, with how many pages that happened to."""
        pages = len(self._book.pages)
        return tuple(
            note if count == pages else f"{note} ({count} of {pages} pages)" for note, count in self._counted.items()
        )

    def bind(self, job: Job, binding: Binding, progress: Progress | None) -> None:
        """Write the whole book.

        Raises:
            Exception: Not one page could be enlarged; this is the error of the first.
            OutputError: It cannot be written.
        """
        numbers = {page.name: number for number, page in enumerate(self._book.pages)}

        def step(page: Job, pixels: int, total: int) -> None:
            if progress:  # as if all pages had the size of this one
                progress(job, numbers[page.name] * total + pixels, len(numbers) * total)

        results = upscale_files(self._upscaler, self._jobs(), self._options, progress=step)
        with contextlib.closing(results):
            for member in self._book.members:
                if member.page:
                    self._add(member, next(results), binding)
                else:
                    self._copy(member, binding)
        if len(self.failed) == len(numbers):
            raise self.failed[0].error

    def _jobs(self) -> Iterator[Job]:
        """Unpack page by page; one that cannot even be unpacked becomes nothing, and is remembered."""
        for page in self._book.pages:
            data = b""
            try:
                data = self._unpack(page)
            except KakudaiError as error:
                self._spoiled[page.name] = error
            yield Job(data, io.BytesIO(), page.name)

    def _unpack(self, page: Member) -> bytes:
        data = self._book.read(page)
        if is_book(data):
            raise PictureUnreadable("it is a book within the book", "take it out, and enlarge it by itself")
        return data

    def _add(self, page: Member, result: FileResult, binding: Binding) -> None:
        """Add a page as it has become, or as it was."""
        error = self._spoiled.get(page.name) or result.error
        if error:
            kept = self._copy(page, binding)
            self.failed.append(FailedPage(page.name, error, kept=kept))
            return
        assert isinstance(result.job.target, io.BytesIO)
        assert result.report is not None
        self._counted.update(result.notes)
        self.networks.update(dict.fromkeys(result.report.networks))
        data = result.job.target.getvalue()
        binding.add(page, _renamed(page.name, result.job.source, data), data)

    def _copy(self, member: Member, binding: Binding) -> bool:
        """Add a file as it is; say whether that could be done."""
        try:
            binding.add(member, member.name, self._book.read(member), packed=not member.page)
        except KakudaiError as error:
            if member.name not in self._spoiled:
                self._counted[f"{member.name} was left out: {error.message}"] += len(self._book.pages)
            return False
        return True


def _renamed(name: str, before: object, after: bytes) -> str:
    """Return the name of a page, with another ending where its format has become another."""
    assert isinstance(before, bytes)
    old, new = sniff(before[:SNIFFED]), sniff(after[:SNIFFED])
    assert new is not None
    return name if old == new else str(PurePosixPath(name).with_suffix(f".{new.extensions[0]}"))
