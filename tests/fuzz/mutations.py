"""Damage to files, as disks, networks and attackers do it: a hypothesis strategy for bytes."""

import re
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy], int]
Change = Callable[[bytes, Draw], bytes]

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
WORD = re.compile(rb"\"[^\"\n]*\"|[^\s,:=\[\]{}\"]+")
WORDS = (
    b"0", b"-1", b"1", b"65536", b"2147483648", b"18446744073709551616", b"9" * 5000, b"1e999", b"-1e-999", b"0.5",
    b"NaN", b"Infinity", b"true", b"null", b"\"\"", b"\"\\ud800\"", b"\"x\\ny\"", b"[]", b"{}", b"[[1], [2, 3]]",
    b"[" * 100_000, b"a" * 10_000, b"../../x", b"\x00", b"\xff", b"\xe2\x80\xae", b"",
)  # fmt: skip
"""What texts do not expect in the place of a number or of a word."""

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 40, (1 << 64) - 1)
"""What binary formats do not expect as a length."""


def flip(data: bytes, draw: Draw) -> bytes:
    """Turn one bit over."""
    at = draw(st.integers(0, 8 * len(data) - 1))
    return data[: at // 8] + bytes([data[at // 8] ^ 1 << at % 8]) + data[at // 8 + 1 :]


def cut(data: bytes, draw: Draw) -> bytes:
    """Leave the end out."""
    return data[: draw(st.integers(0, len(data) - 1))]


def leave_out(data: bytes, draw: Draw) -> bytes:
    """Leave out something in the middle."""
    start = draw(st.integers(0, len(data) - 1))
    return data[:start] + data[start + draw(st.integers(1, 64)) :]


def repeat(data: bytes, draw: Draw) -> bytes:
    """Put a piece of the file into another place."""
    start, place = draw(st.integers(0, len(data) - 1)), draw(st.integers(0, len(data)))
    return data[:place] + data[start : start + draw(st.integers(1, 256))] + data[place:]


def put_number(data: bytes, draw: Draw) -> bytes:
    """Write an extreme number over some bytes, of any width and in either order, or as protocol buffers have it."""
    at, value = draw(st.integers(0, len(data) - 1)), EXTREMES[draw(st.integers(0, len(EXTREMES) - 1))]
    width, way = 1 << draw(st.integers(0, 3)), draw(st.integers(0, 2))
    value &= (1 << 8 * width) - 1
    written = _varint(value) if way == 2 else value.to_bytes(width, "little" if way else "big")
    return data[:at] + written + data[at + len(written) :]


def _varint(value: int) -> bytes:
    groups = [value >> shift & 0x7F for shift in range(0, max(1, value.bit_length()), 7)]
    return bytes(group | 0x80 for group in groups[:-1]) + bytes(groups[-1:])


def put_word_for_number(data: bytes, draw: Draw) -> bytes:
    """Write something odd in the place of a number of a text."""
    return _replaced(NUMBER, data, draw)


def put_word(data: bytes, draw: Draw) -> bytes:
    """Write something odd in the place of a word of a text."""
    return _replaced(WORD, data, draw)


def _replaced(pattern: re.Pattern[bytes], data: bytes, draw: Draw) -> bytes:
    places = [found.span() for found in pattern.finditer(data, 0, 20_000)]
    if not places:
        return data
    start, end = places[draw(st.integers(0, len(places) - 1))]
    return data[:start] + WORDS[draw(st.integers(0, len(WORDS) - 1))] + data[end:]


CHANGES: tuple[Change, ...] = (flip, flip, cut, leave_out, repeat, put_number, put_number, put_number)
CHANGES_OF_TEXTS: tuple[Change, ...] = (*CHANGES, *3 * (put_word_for_number, put_word))


@st.composite
def _changed(draw: Callable[[st.SearchStrategy], int], seeds: Sequence[bytes], changes: Sequence[Change]) -> bytes:
    data = seeds[draw(st.integers(0, len(seeds) - 1))]
    for _ in range(draw(st.integers(1, 4))):
        if data:
            data = changes[draw(st.integers(0, len(changes) - 1))](data, draw)
    return data


@st.composite
def _joined(draw: Callable[[st.SearchStrategy], int], seeds: Sequence[bytes]) -> bytes:
    """Put the end of one file behind the beginning of another."""
    first, second = (seeds[draw(st.integers(0, len(seeds) - 1))] for _ in range(2))
    return first[: draw(st.integers(0, len(first)))] + second[draw(st.integers(0, len(second))) :]


def damaged(seeds: Sequence[bytes], *, text: bool) -> st.SearchStrategy[bytes]:
    """Return what makes files of good ones: changed in up to four places, spliced, or nothing but arbitrary bytes.

    Args:
        seeds: Good files.
        text: They are texts, in which words and numbers are exchanged as well.
    """
    changed = _changed(seeds, CHANGES_OF_TEXTS if text else CHANGES)
    beginnings = st.sampled_from([seed[:16] for seed in seeds])
    arbitrary = st.builds(bytes.__add__, beginnings | st.just(b""), st.binary(max_size=300))
    return changed | changed | changed | _joined(seeds) | arbitrary
