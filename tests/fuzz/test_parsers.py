"""Whatever stands in a file: a result, or an error of ours that says what is wrong; no hang, no flood of memory.

    pytest tests/fuzz                                      # the same files every time
    KAKUDAI_FUZZ_EXAMPLES=5000 pytest tests/fuzz --timeout 0 -o faulthandler_timeout=0      # others, and more of them

What memory is looked at is that of Python and numpy. Decoders in C have tests of their own, in other processes.
"""

import os
import shutil
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tests.fuzz.mutations import damaged
from tests.fuzz.parsers import PARSERS, Parser

from kakudai.errors import KakudaiError

MORE = os.environ.get("KAKUDAI_FUZZ_EXAMPLES")
EXAMPLES = int(MORE or 60)
MOST_MEMORY = 64 << 20
"""Bytes at once, for files of at most a few hundred KB."""

MOST_SECONDS = 5.0


@pytest.mark.parametrize("parser", PARSERS, ids=[parser.name for parser in PARSERS])
def test_good_files_are_read(parser: Parser, tmp_path: Path) -> None:
    for number, data in enumerate(parser.seeds()):
        folder = tmp_path / str(number)
        folder.mkdir()
        parser.read(data, folder)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("parser", PARSERS, ids=[parser.name for parser in PARSERS])
def test_damaged_files_are_read_or_refused(parser: Parser, tmp_path: Path) -> None:
    @settings(
        max_examples=EXAMPLES, derandomize=not MORE, database=None, deadline=None,
        phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(damaged(parser.seeds(), text=parser.text))
    def survives(data: bytes) -> None:
        folder = tmp_path / "files"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        judge(parser, data, folder)

    survives()


def judge(parser: Parser, data: bytes, folder: Path) -> None:
    """Read a file; fail where the reader does anything that it may not do."""
    started = time.thread_time()
    tracemalloc.start()
    try:
        parser.read(data, folder)
    except parser.refuses as error:
        check_message(error)
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < MOST_MEMORY
    assert time.thread_time() - started < MOST_SECONDS


def check_message(error: Exception) -> None:
    """An error says something, and those that users see do so in one line."""
    assert str(error)
    if isinstance(error, KakudaiError):
        assert error.message
        assert "\n" not in error.message
