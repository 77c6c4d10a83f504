"""The contact sheet shows the right places, at exact pixels."""

import numpy as np
import pytest

from kakudai.evaluate import sheet
from kakudai.evaluate.sheet import GAP, LABEL, Column, as_rgb8, contact_sheet, interesting_places


def noise(height: int = 100, width: int = 140, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (height, width, channels)).astype(np.uint8)


def test_the_places_are_where_pictures_differ_and_do_not_touch() -> None:
    a = noise()
    b = a.copy()
    b[70:80, 110:120] += 50
    b[4:10, 6:12] += 20
    first, second = interesting_places(a, b, 20, 2)
    assert first[0] <= 70 < 80 <= first[0] + 20
    assert first[1] <= 110 < 120 <= first[1] + 20
    assert second == (0, 0)
    many = interesting_places(a, b, 20, 8)
    assert all(abs(y - v) >= 20 or abs(x - u) >= 20 for y, x in many for v, u in many if (y, x) != (v, u))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 300), (96, 96)])
def test_any_size_has_a_sheet(height: int, width: int) -> None:
    image = noise(height, width)
    places = interesting_places(image, image, 96, 4)
    assert places
    assert contact_sheet([Column("a", image), Column("b", image)], places, side=96, zoom=2).width > 2 * GAP


def test_every_pixel_becomes_a_square() -> None:
    a, b = noise(), noise() // 2
    sheet = np.asarray(contact_sheet([Column("a", a), Column("b" * 200, b)], [(30, 40), (0, 0)], side=16, zoom=3))
    for column, image in enumerate((a, b)):
        for row, (top, left) in enumerate([(30, 40), (0, 0)]):
            x, y = GAP + column * (48 + GAP), LABEL + row * (LABEL + 48) + LABEL
            shown = sheet[y : y + 48, x : x + 48]
            expected = image[top : top + 16, left : left + 16].repeat(3, 0).repeat(3, 1)
            np.testing.assert_array_equal(shown, expected)


def test_places_are_said_to_be_places(monkeypatch) -> None:
    written = []
    monkeypatch.setattr(sheet, "cut_to_width", lambda text, *_: written.append(text) or text)
    contact_sheet([Column("a", noise())], [(30, 40)], side=16, zoom=3)
    assert written == ["a", "at x 40, y 30"]


def test_titles_stay_within_their_column() -> None:
    image = noise()
    columns = [Column("W" * 300, image), Column("", image)]
    sheet = np.asarray(contact_sheet(columns, [(0, 0)], side=32, zoom=2))
    second = sheet[:LABEL, GAP + 64 + GAP :]
    assert (second == 245).all()
    assert (sheet[:LABEL, : GAP + 64] != 245).any()


def test_depths_and_grey_are_shown_as_8_bit_rgb() -> None:
    assert as_rgb8(np.full((2, 3, 1), 65535, np.uint16)).tolist() == [[[255] * 3] * 3] * 2
    assert as_rgb8(np.full((1, 1, 3), 0.5, np.float32)).tolist() == [[[128] * 3]]
