"""Curves of training runs: what is drawn where, and the files and sheets that come of it."""

import io
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.training_runs import RECIPE, make_run

from kakudai.errors import RuntimeUnavailable, UsageError
from kakudai.evaluate.chart import Scale, chart_svg, series_class
from kakudai.evaluate.curves import draw, encode, make_panels, smooth
from kakudai.evaluate.progress_sheet import SIDE, progress_sheet
from kakudai.evaluate.runs import Run, read_run, read_runs
from kakudai.evaluate.sheet import GAP, LABEL
from kakudai.image.files import read_image


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return read_run(make_run(tmp_path / "first"))


@pytest.fixture
def two(tmp_path: Path) -> list[Run]:
    other = {**RECIPE, "epoch": 50, "validate_on": None}
    return read_runs([make_run(tmp_path / "a"), make_run(tmp_path / "b", recipe=other)])


def test_without_an_axis_all_that_matters_is_drawn(run: Run) -> None:
    panels = make_panels([run])
    assert [panel.title for panel in panels] == [
        "Loss (l1) against epoch",
        "Loss (mse) against epoch",
        "PSNR against epoch",
        "PSNR against time",
    ]
    assert [panel.logarithmic for panel in panels] == [True, True, False, False]
    assert panels[0].x_label == "epoch of 100 steps"
    assert panels[0].curves[0].x.tolist() == [step / 100 for step in range(50, 801, 50)]
    assert panels[3].x_label == "minutes of training"
    assert panels[3].curves[0].x[-1] == pytest.approx(500 / 60)
    assert panels[2].references == [("bicubic, Set5 x2", 33.66)]
    assert panels[2].y_label == "luma PSNR on Set5, dB"


@pytest.mark.parametrize(("axis", "last"), [("step", 1000), ("epoch", 10), ("time", 500 / 60)])
def test_one_axis_for_all(run: Run, axis: str, last: float) -> None:
    panels = make_panels([run], axis)  # type: ignore[arg-type]
    assert all(panel.title.endswith(f"against {axis}") for panel in panels)
    assert panels[-1].curves[0].x[-1] == pytest.approx(last)
    assert len(panels) == 3


def test_runs_of_different_epochs_share_an_axis(two: list[Run]) -> None:
    panel = make_panels(two)[0]
    assert panel.x_label == "epoch"
    assert [curve.x[-1] for curve in panel.curves] == [8.0, 16.0]
    assert [curve.name for curve in panel.curves] == ["a", "b"]


def test_a_chain_begins_where_the_run_before_ended(two: list[Run]) -> None:
    for axis, end in (("step", 1000.0), ("epoch", 10.0), ("time", 500 / 60)):
        psnr = make_panels(two, axis, chain=True)[-1]  # type: ignore[arg-type]
        assert psnr.curves[0].x[-1] == pytest.approx(end)
        assert psnr.curves[1].x[0] > end


def test_what_an_objective_adds_has_its_own_panel(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "gan")
    with (folder / "log.jsonl").open("a") as file:
        file.writelines(
            f'{{"step": {step}, "seconds": {step}, "discriminator": {step - 120}, "waiting": 0.1}}\n'
            for step in (50, 100, 150)
        )
    panel = make_panels([read_run(folder)])[-1]
    assert panel.title == "Discriminator against epoch"
    assert not panel.logarithmic, "it goes below zero"


def test_first_steps_do_not_flatten_the_rest(run: Run) -> None:
    panel = make_panels([run])[2]
    assert panel.curves[0].values.min() == 33.0
    assert panel.bottom is None, "all of it is near the line of bicubic"
    run.series["psnr"].values[0] = 8.0
    assert make_panels([run])[2].bottom == pytest.approx(33.66 - 1.5)


def test_nothing_logged_is_an_error(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    (folder / "log.jsonl").write_text("\n")
    with pytest.raises(UsageError, match="nothing is logged yet"):
        make_panels([read_run(folder)])


def test_the_median_keeps_steps_and_drops_spikes() -> None:
    values = np.ones(1000)
    values[500:] = 0.1
    values[250] = 50.0
    assert smooth(values).tolist() == [1.0] * 500 + [0.1] * 500
    assert smooth(np.array([3.0, 1.0])).tolist() == [3.0, 1.0]
    assert smooth(np.array([])).tolist() == []


def test_png_and_svg_are_written_and_always_the_same(two: list[Run]) -> None:
    panels = make_panels(two)
    png, svg = encode(draw(panels), ".png"), encode(draw(panels), ".svg")
    image = Image.open(io.BytesIO(png))
    assert image.width > image.height > 300
    assert image.getextrema()[0] != (255, 255)
    words = "".join(ET.fromstring(svg).itertext())
    for text in ("a", "b", "bicubic, Set5 x2", "PSNR against time"):
        assert text in words
    assert encode(draw(panels), ".svg") == svg
    assert encode(draw(panels), ".png") == png


@pytest.mark.parametrize("count", [1, 2, 9, 20])
def test_any_number_of_runs(run: Run, count: int) -> None:
    panels = make_panels([run] * count)
    assert encode(draw(panels), ".png")
    assert all(ET.fromstring(chart_svg(panel, "c")) is not None for panel in panels)
    assert len({series_class(number) for number in range(20)}) == 20


def test_names_cannot_be_mathematics_or_markup(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / r"$\frac{</svg><script>alert(1)</script>".replace("/", "∕")))
    panels = make_panels([run])
    assert encode(draw(panels), ".png")
    for text in (encode(draw(panels), ".svg").decode(), chart_svg(panels[0], "c")):
        assert "<script" not in text
        ET.fromstring(text)


def test_without_matplotlib_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("kakudai.evaluate.curves.find_spec", lambda name: None)
    with pytest.raises(RuntimeUnavailable, match="matplotlib") as caught:
        draw(make_panels([run]))
    assert "kakudai[train]" in caught.value.hint


def test_the_drawing_on_a_page_agrees_with_its_axes(run: Run) -> None:
    panel = make_panels([run])[2]
    drawing = chart_svg(panel, "c")
    points = re.search(r'<polyline class="curve s0" points="([^"]*)"', drawing)
    assert points
    places = [tuple(map(float, pair.split(","))) for pair in points[1].split()]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True), "up is better"
    assert "PSNR against epoch" in drawing
    assert "first from 33 to 35.4" in drawing, "it is told in words"


@pytest.mark.parametrize(
    ("low", "high", "logarithmic", "expected"),
    [
        (0, 10, False, [0, 2, 4, 6, 8, 10]),
        (33.2, 37.4, False, [34, 35, 36, 37]),
        (0, 135000, False, [0, 50000, 100000]),
        (0.0005, 0.02, True, [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02]),
        (0.012, 0.018, True, [0.012, 0.013, 0.014, 0.015, 0.016, 0.017, 0.018]),
        (1e-6, 1.0, True, [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]),
    ],
)
def test_ticks_are_round(low: float, high: float, logarithmic: bool, expected: list[float]) -> None:
    assert Scale(low, high, 0, 100, logarithmic).ticks() == pytest.approx(expected)


def test_one_point_is_drawn(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", recipe=None)
    (folder / "log.jsonl").write_text('{"step": 50, "seconds": 1, "loss": 0.5}\n')
    panels = make_panels([read_run(folder)])
    assert "<circle" in chart_svg(panels[0], "c")
    assert encode(draw(panels), ".png")


def test_the_sheet_shows_the_same_place_at_exact_pixels(two: list[Run]) -> None:
    sheet = np.asarray(progress_sheet(two, (8, 4, 16), zoom=3))
    row = LABEL + LABEL + LABEL + 48 + GAP
    assert sheet.shape[:2] == (2 * row, GAP + 5 * (48 + GAP))
    for number, run in enumerate(two):
        files = [run.progress.original, run.progress.bicubic, *run.progress.epochs.values()]
        for column, file in enumerate(files):
            assert file is not None
            expected = read_image(file).color[4:20, 8:24].repeat(3, 0).repeat(3, 1)
            x, y = GAP + column * (48 + GAP), number * row + LABEL + LABEL + LABEL
            np.testing.assert_array_equal(sheet[y : y + 48, x : x + 48], expected)


def test_a_sheet_of_some_epochs_at_the_place_that_bicubic_does_worst(run: Run) -> None:
    sheet = progress_sheet([run], epochs=[1, 10], zoom=1)
    assert sheet.width == GAP + 4 * (min(SIDE, 48) + GAP)


def test_what_a_sheet_cannot_show(tmp_path: Path, run: Run) -> None:
    with pytest.raises(UsageError, match="ends outside"):
        progress_sheet([run], (60, 0, 16))
    with pytest.raises(UsageError, match="epoch 7"):
        progress_sheet([run], epochs=[1, 7])
    with pytest.raises(UsageError, match="no progress pictures"):
        progress_sheet([read_run(make_run(tmp_path / "without", progress=False))])
    (run.folder / "progress/bicubic.png").unlink()
    assert progress_sheet([read_run(run.folder)]).height > LABEL
