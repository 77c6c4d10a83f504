"""Tables and plots of measured results: what is in them, and that names do not overlap."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from tests.evaluate.results_file import result

from kakudai.errors import RuntimeUnavailable, UsageError
from kakudai.evaluate.frontier import plot_gain, plot_results, points
from kakudai.evaluate.labels import Label, place_labels
from kakudai.evaluate.results import difference, quality, read_results, rows, scales, set_names, short
from kakudai.evaluate.tables import grid, markdown


def test_rows_of_several_files_come_together_with_bicubic_first() -> None:
    results = [result("photo-x2"), result("srcnn-955-x2", "fsrcnn-x2", speed=False)]
    table = rows(results, 2)
    assert [row.label for row in table] == ["bicubic", "photo-x2", "srcnn-955-x2", "fsrcnn-x2"]
    assert table[0].published is not None
    assert table[2].published.model == "SRCNN 9-5-5"
    assert table[2].multiply_adds == pytest.approx(52.7e9, rel=1e-3)
    assert (table[1].seconds, table[2].seconds) == (0.8, None)
    assert scales(results) == [2]
    assert set_names(results, 2) == ["Set5", "Set14"]
    assert rows(results, 3) == rows([], 3)


def test_a_later_file_adds_speed_and_keeps_what_is_known() -> None:
    slow, fast = result("photo-x2", speed=False), result("photo-x2")
    assert rows([slow, fast], 2)[1].seconds == 0.8
    assert rows([fast, slow], 2)[1].seconds == 0.8


def test_the_table_has_theirs_and_the_difference_below_ours() -> None:
    headings, lines = grid([result("photo-x2", "srcnn-955-x2")], 2)
    assert headings[:3] == ["PSNR dB / SSIM", "Set5 x2", "Set14 x2"]
    assert [line[0].strip().split(" [")[0] for line in lines] == [
        "bicubic", "Bicubic", "difference", "photo-x2", "srcnn-955-x2", "SRCNN 9-5-5", "difference",
    ]  # fmt: skip
    assert lines[5][1:3] == ["36.66 / .9542", "32.42 / .9063"]
    assert lines[6][1] == "+0.04 / -.0042"
    without = grid([result("photo-x2", "srcnn-955-x2")], 2, compared=False)[1]
    assert [line[0] for line in without] == ["bicubic", "photo-x2", "srcnn-955-x2"]


def test_columns_that_say_nothing_are_left_out() -> None:
    assert "memory" in grid([result("photo-x2")], 2)[0]
    assert "memory" not in grid([result("photo-x2", speed=False)], 2)[0]


def test_markdown() -> None:
    text = markdown([result("photo-x2"), result("fsrcnn-x2")], sets=["Set14", "Set5"])
    lines = text.splitlines()
    assert lines[0].startswith("| x2 | parameters | multiply-adds | s / MP | memory | Set14 | published | difference |")
    assert lines[0].count("|") == lines[1].count("|") == lines[-1].count("|")
    assert lines[-1] == "| fsrcnn-x2 | 12,809 | 2.9 G | 0.9 | 150 MB | 32.62 | 32.63 | -0.01 | 37.02 | 37.00 | +0.02 |"
    assert ".9500" in markdown([result("photo-x2")], ssim=True)


def test_numbers_are_written_as_in_papers() -> None:
    assert [short(value) for value in (None, 12.0, 57_281.0, 52.7e9, 612.6e9, 17.974e12)] == [
        "-", "12", "57.3 K", "52.7 G", "613 G", "18.0 T",
    ]  # fmt: skip
    assert quality(37.336, 0.95821) == "37.34 / .9582"
    assert quality(37.336, None, "?") == "37.34? / -"
    assert difference(rows([result("photo-x2")], 2)[1].scores["Set5"], 37.0, None) == "+0.34 / -"


def test_files_are_read_again_and_others_refused(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(json.dumps(result("photo-x2")))
    assert read_results(tmp_path / "good.json")["schema"] == 2
    for text in ("no json", "[]", '{"schema": 1}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(UsageError, match=r"bad\.json"):
            read_results(tmp_path / "bad.json")


def test_points_and_their_costs() -> None:
    table = rows([result("photo-x2", "srcnn-955-x2")], 2)
    by_label = {(p.label, p.ours): p for p in points(table, "Set5", "per input pixel")}
    assert by_label["srcnn-955-x2", True].x == pytest.approx(57184 * 4 / 1e6)
    assert by_label["srcnn-955-x2", True].y == pytest.approx(36.70 - 33.67)
    assert by_label["SRCNN 9-5-5", False].x == pytest.approx(57184 * 4 / 1e6, rel=1e-3)
    assert by_label["SRCNN 9-5-5", False].y == pytest.approx(36.66 - 33.66)
    assert all(p.ours for p in points(table, "Set5", "seconds"))
    assert not points(table, "Set5", "multiply-adds", compared=False)[0].y < 30
    assert not points(table, "holiday", "multiply-adds")


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_plots_are_drawn_and_the_same_again(tmp_path: Path, ending: str) -> None:
    pytest.importorskip("matplotlib")
    results = [result("photo-x2", "srcnn-955-x2", "fsrcnn-x2")]
    assert len(plot_results(results, tmp_path / f"both.{ending}")) < 5
    first, second = (tmp_path / f"{k}.{ending}" for k in range(2))
    assert plot_gain(results, first) == plot_gain(results, second)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size > 10_000


def test_plots_of_little_or_nothing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot_results([result("photo-x2")], tmp_path / "one.png", compared=False)
    plot_results([result(speed=False)], tmp_path / "none.png", compared=False)
    plot_gain([result("photo-x2"), result("fsrcnn-x2", scale=3)], tmp_path / "scales.png", name="Set14")
    with pytest.raises(UsageError, match="Set6"):
        plot_gain([result("photo-x2")], tmp_path / "no.png", name="Set6")
    with pytest.raises(UsageError, match=r"\.png or \.svg"):
        plot_gain([result("photo-x2")], tmp_path / "no.jpeg")


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("kakudai.evaluate.curves.find_spec", lambda name: None)
    with pytest.raises(RuntimeUnavailable, match="matplotlib"):
        plot_results([result("photo-x2")], tmp_path / "a.png")


def test_the_legend_is_not_among_the_points(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    drawn: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: drawn.append(self) or save(self, *a, **k))
    plot_results([result("photo-x2")], tmp_path / "one.png")
    for axes in drawn[0].axes:
        assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1


def test_a_name_that_could_be_a_neighbours_gets_a_line_which_crosses_nothing() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    dots = [(0.5, 0.5), (0.53, 0.5), (0.47, 0.5)]
    assert not place_labels(axes, [Label("a long name", *dots[0], "black", 8)], dots)
    (line,) = axes.lines
    places = np.linspace(*axes.transData.transform(line.get_xydata()), 50)
    for dot in axes.transData.transform(dots[1:]):
        assert np.hypot(*(places - dot).T).min() > 5


def test_names_do_not_overlap() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4))
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    dots = [(x / 8, 0.5 + 0.02 * (x % 3)) for x in range(8)]
    axes.set(xlim=(-0.1, 1.1), ylim=(0, 1))
    left_out = place_labels(axes, [Label(f"a name, {k}", x, y, "black", 8) for k, (x, y) in enumerate(dots)], dots)
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in axes.texts]
    assert len(boxes) + len(left_out) == 8
    assert len(boxes) >= 7
    for a, b in itertools.combinations(boxes, 2):
        assert min(a.x1, b.x1) - max(a.x0, b.x0) < 0.5 or min(a.y1, b.y1) - max(a.y0, b.y0) < 0.5
