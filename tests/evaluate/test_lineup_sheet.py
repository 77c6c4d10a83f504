"""The sheet of models: exact pixels, room for every caption, any number of cards."""

import numpy as np
import pytest

from kakudai.errors import UsageError
from kakudai.evaluate import lineup_sheet
from kakudai.evaluate.lineup_entry import Entry
from kakudai.evaluate.lineup_sheet import (
    CAPTION,
    EDGE,
    PAPERS,
    Words,
    draw_lineup,
    heat_colors,
    heat_limit,
    lay_out,
    short_count,
)
from kakudai.evaluate.wanted import Region
from kakudai.metrics import Consistency


def entry(number: int, *, maps: bool = False, title: str = "a model", channels: int = 3) -> Entry:
    image = np.random.default_rng(number).integers(0, 256, (30, 40, channels)).astype(np.uint8)
    added = np.full((30, 40), float(number), np.float32) if maps else None
    back = Consistency(50.0, 0.4) if maps else None
    return Entry(
        title, image, parameters=47_716, seconds=0.3, megapixels=0.1, psnr=31.25 + number, back=back, added=added
    )


def sheet(entries: list[Entry], **wish) -> np.ndarray:
    words = Words("photo.png", "what was done", ["a note that says much"])
    return np.asarray(draw_lineup(entries, np.zeros((60, 80, 3), np.uint8), Region(5, 6, 20, 15), words, **wish))


@pytest.mark.parametrize("maps", [False, True])
@pytest.mark.parametrize("count", [1, 2, 5, 9])
@pytest.mark.parametrize("background", PAPERS)
def test_every_pixel_becomes_a_square(count: int, maps: bool, background: str) -> None:
    entries = [entry(number, maps=maps) for number in range(count)]
    drawn, layout = sheet(entries, background=background), lay_out(count, 40, 30, maps=maps)
    assert layout.zoom == 10
    for number, shown in enumerate(entries):
        x, y = layout.corner(number)
        y += CAPTION
        expected = shown.image.repeat(10, 0).repeat(10, 1)
        np.testing.assert_array_equal(drawn[y : y + 300, x : x + 400], expected)
        if maps and number:
            y += 300 + lineup_sheet.BETWEEN
            color = heat_colors(shown.added, heat_limit([one.added for one in entries]))[0, 0]
            assert (drawn[y : y + 300, x : x + 400] == color).all()
    assert (drawn[:EDGE] == PAPERS[background].ground).all()
    assert (drawn[:, :EDGE] == PAPERS[background].ground).all()
    assert (drawn[:, -EDGE:] == PAPERS[background].ground).all()


def test_captions_stay_within_their_card() -> None:
    drawn, layout = sheet([entry(0, title="W" * 300), entry(1, title="")]), lay_out(2, 40, 30, maps=False)
    (x, y), ground = layout.corner(1), PAPERS["dark"].ground
    assert (drawn[y : y + CAPTION, x - 20 : x] == ground).all()
    assert (drawn[y : y + CAPTION, x - layout.card[0] : x - 20] != ground).any()


def test_long_names_keep_both_ends() -> None:
    text, size = lineup_sheet._fitting("upconv_7_anime_style_art_rgb-noise3_scale2.0x", 200, 17)
    assert size == lineup_sheet.SMALL
    assert text.startswith("upconv_7")
    assert text.endswith("scale2.0x")
    assert lineup_sheet._fitting("photo", 200, 17) == ("photo", 17)
    assert lineup_sheet._cut_middle("photo", 1, 17) == ""


@pytest.mark.parametrize("count", range(1, 14))
def test_rows_are_of_nearly_equal_length(count: int) -> None:
    layout = lay_out(count, 192, 144, maps=True)
    assert layout.width <= lineup_sheet.WIDTH
    assert layout.columns * layout.rows - count < layout.columns
    assert layout.columns * layout.rows - count < layout.rows


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (3, 400), (400, 2), (1800, 900)])
def test_any_size_of_region_has_a_sheet(width: int, height: int) -> None:
    image = np.zeros((height, width, 1), np.uint8)
    maps = np.zeros((height, width), np.float32)
    words = Words("", "", [])
    drawn = draw_lineup([Entry("a", image, added=maps)] * 2, np.zeros((1, 1, 1), np.uint8), Region(0, 0, 1, 1), words)
    assert drawn.width >= 2 * EDGE + lineup_sheet.NARROW


def test_what_nobody_can_look_at_is_refused() -> None:
    with pytest.raises(UsageError, match="make a sheet of"):
        lay_out(8, 6000, 4000, maps=True)


@pytest.mark.parametrize(("height", "said"), [(30, False), (4, True)])
def test_the_end_of_the_scale_of_colours_is_known_for_maps_of_any_height(monkeypatch, height: int, said: bool) -> None:
    written, real = [], lineup_sheet._wrapped
    monkeypatch.setattr(lineup_sheet, "_wrapped", lambda lines, *rest: written.extend(lines) or real(lines, *rest))
    image, maps = np.zeros((height, 40, 3), np.uint8), np.full((height, 40), 7.0, np.float32)
    sheet([Entry("a", image, added=maps), Entry("b", image, added=maps)])
    assert ("The lightest colour: 8 levels or more." in written) == said


def test_control_characters_are_not_drawn(monkeypatch) -> None:
    drawn = []
    real = lineup_sheet._cut_middle
    monkeypatch.setattr(lineup_sheet, "_cut_middle", lambda text, *rest: drawn.append(text) or real(text, *rest))
    sheet([entry(0, title="a\x1b[2J\nb")])
    assert not any("\x1b" in text or "\n" in text for text in drawn)


def test_numbers_are_short() -> None:
    assert [short_count(n) for n in (0, 830, 999, 1000, 47_716, 999_600, 1_370_000)] == [
        "0",
        "830",
        "999",
        "1.00 K",
        "47.7 K",
        "1.00 M",
        "1.37 M",
    ]
    assert lineup_sheet.decibels(np.inf) == "exact"
    assert lineup_sheet.decibels(31.256) == "31.26 dB"


def test_heat_grows_lighter_all_the_way() -> None:
    colors = heat_colors(np.linspace(0, 8, 200, dtype=np.float32)[None], 8.0)[0].astype(float)
    assert (np.diff(colors @ [0.2126, 0.7152, 0.0722]) >= 0).all()
    assert heat_limit([]) == 2.0
    assert heat_limit([np.full((4, 4), 9.0, np.float32)]) == 12.0
    assert heat_limit([np.full((4, 4), 999.0, np.float32)]) == 256.0
