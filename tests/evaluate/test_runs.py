"""Reading what a training run has left, also half of it."""

import json
import math
from pathlib import Path

import pytest
from tests.small_models import spoiled, without_metadata
from tests.training_runs import RECIPE, log_lines, make_run

from kakudai.errors import UsageError
from kakudai.evaluate.run_table import as_markdown, duration, table_rows
from kakudai.evaluate.runs import Best, read_run, read_runs


def test_a_whole_run(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "first"))
    assert (run.name, run.epoch, run.scale, run.validated_on) == ("first", 100, 2, "Set5")
    assert (run.steps, run.seconds) == (1000, 500.0)
    assert set(run.series) == {"loss", "rate", "psnr"}
    assert run.series["psnr"].steps.tolist() == [200, 400, 600, 800, 1000]
    assert run.best == Best(800, 35.25)
    assert list(run.progress.epochs) == [1, 5, 10]
    assert run.progress.original is not None
    assert run.model is not None
    assert run.model.parameters == 57281
    assert run.notes == ()


def test_an_old_run_has_a_log_and_nothing_else(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "old", recipe=None, progress=False, model=None))
    assert run.recipe is None
    assert (run.epoch, run.scale, run.validated_on, run.model) == (1000, None, None, None)
    assert run.best == Best(1000, 35.4)
    assert run.progress.epochs == {}
    assert list(run.losses()) == [""]


def test_the_logs_of_this_repository_can_be_read() -> None:
    folder = Path(__file__).parents[2] / "training/photo-x2"
    run = read_run(folder)
    assert run.steps == 24000
    assert run.best is not None
    assert run.best.psnr == pytest.approx(37.586, abs=1e-3)


@pytest.mark.parametrize("tail", ['{"step": 1050, "sec', '{"step": 1050}', "nul", "\x00\x00", '{"step": 1050, "loss"'])
def test_a_line_that_is_being_written_is_left_out(tmp_path: Path, tail: str) -> None:
    folder = make_run(tmp_path / "run")
    with (folder / "log.jsonl").open("a") as file:
        file.write(tail)
    run = read_run(folder)
    assert run.steps == 1000
    assert run.notes == ()


def test_broken_lines_inside_are_counted(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    text = (folder / "log.jsonl").read_text()
    bad = [
        '{"step": 60, "lo',
        "[]",
        '{"step": -1, "seconds": 1, "loss": 1}',
        '{"step": 5.5, "seconds": 1}',
        "[" * 10**5,
    ]
    (folder / "log.jsonl").write_text("\n".join(bad) + "\n\n" + text)
    run = read_run(folder)
    assert run.steps == 1000
    assert run.notes == (f"5 lines of {folder / 'log.jsonl'} cannot be read",)


def test_figures_that_are_no_numbers_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"step": 1050, "seconds": 600, "loss": NaN, "rate": 1e-4}\n')
        file.write('{"step": 1100, "seconds": 600, "loss": Infinity, "psnr": "high"}\n')
    run = read_run(folder)
    assert run.series["loss"].steps[-1] == 1000
    assert run.series["rate"].steps[-1] == 1050
    assert all(math.isfinite(value) for series in run.series.values() for value in series.values)
    assert "2 figures" in run.notes[0]


def test_a_later_line_about_a_step_replaces_an_earlier_one(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", recipe=None)
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"step": 100, "seconds": 51, "loss": 0.5}\n{"step": 1000, "seconds": 501, "psnr": 40}\n')
    run = read_run(folder)
    assert run.series["loss"].values[1] == 0.5
    assert sorted(run.series["loss"].steps) == list(run.series["loss"].steps)
    assert run.best == Best(1000, 40.0)


@pytest.mark.parametrize("text", ["{", "[]", "\xff", '{"step": "x"}', '{"psnr": NaN, "step": 1}', ""])
def test_a_damaged_best_falls_back_on_the_log(tmp_path: Path, text: str) -> None:
    folder = make_run(tmp_path / "run")
    (folder / "best.json").write_bytes(text.encode("latin-1"))
    assert read_run(folder).best == Best(1000, 35.4)


@pytest.mark.parametrize("text", ["{", "[]", "null", "[" * 10**5])
def test_a_damaged_recipe_is_noted(tmp_path: Path, text: str) -> None:
    folder = make_run(tmp_path / "run")
    (folder / "recipe.json").write_text(text)
    run = read_run(folder)
    assert run.recipe is None
    assert any("recipe.json" in note for note in run.notes)


@pytest.mark.parametrize(
    "recipe",
    [
        {"name": "../../etc/passwd", "epoch": 0, "scale": "2", "validate_on": 5, "steps": "x", "mse_steps": None},
        {"name": 7, "epoch": "many", "validate_on": "", "loss": ["l1"]},
        {},
    ],
)
def test_a_recipe_of_nonsense_does_no_harm(tmp_path: Path, recipe: dict) -> None:
    run = read_run(make_run(tmp_path / "run", recipe=recipe, model=None))
    assert run.epoch == 1000
    assert run.scale is None
    assert run.validated_on is None
    assert run.losses()
    assert table_rows([run])


@pytest.mark.parametrize("data", [b"no network", without_metadata(), spoiled("half")[:300]])
def test_a_network_that_cannot_be_used_is_noted(tmp_path: Path, data: bytes) -> None:
    run = read_run(make_run(tmp_path / "run", model=data))
    assert run.model is None
    assert any("small.onnx" in note for note in run.notes)


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no run"):
        read_run(tmp_path / "nothing")
    make_run(tmp_path / "runs/a")
    make_run(tmp_path / "runs/b")
    with pytest.raises(UsageError, match="it holds the runs a, b"):
        read_run(tmp_path / "runs")
    with pytest.raises(UsageError, match="there is no run"):
        read_run(tmp_path / "runs/a/log.jsonl")


def test_an_empty_log_is_a_run_that_has_just_begun(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", recipe=None, model=None, progress=False)
    (folder / "log.jsonl").write_text("")
    run = read_run(folder)
    assert (run.steps, run.seconds, run.best, run.final_loss()) == (0, 0.0, None, None)
    assert table_rows([run])[0]["loss"] is None


def test_names_tell_runs_apart(tmp_path: Path) -> None:
    folders = [make_run(tmp_path / name, model=None) for name in ("a/small", "b/small", "c/other")]
    assert [run.name for run in read_runs(folders)] == ["a/small", "b/small", "other"]
    assert [run.name for run in read_runs([folders[0], folders[0]])] == ["small", "small"]


def test_each_kind_of_loss_has_its_own_course(tmp_path: Path) -> None:
    losses = read_run(make_run(tmp_path / "run")).losses()
    assert {name: (int(s.steps[0]), int(s.steps[-1])) for name, s in losses.items()} == {
        "l1": (50, 800),
        "mse": (850, 1000),
    }
    mixed = read_run(make_run(tmp_path / "mixed", recipe={**RECIPE, "mse_steps": 180})).losses()
    assert int(mixed["l1"].steps[-1]) == 800
    assert int(mixed["mse"].steps[0]) == 900, "the mean over steps of both kinds is of neither"
    plain = read_run(make_run(tmp_path / "plain", recipe={**RECIPE, "loss": "mse"})).losses()
    assert list(plain) == ["mse"]
    gan = read_run(make_run(tmp_path / "gan", recipe={**RECIPE, "adversarial": 0.1})).losses()
    assert list(gan) == ["l1 + adversarial"]


def test_the_final_loss_is_the_mean_of_the_last_epoch(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run"))
    values = {line["step"]: line["loss"] for line in log_lines() if "loss" in line}
    assert run.final_loss() == pytest.approx((values[950] + values[1000]) / 2)


def test_the_table_aligns_and_keeps_its_columns(tmp_path: Path) -> None:
    runs = read_runs([make_run(tmp_path / "a|b"), make_run(tmp_path / "old", recipe=None, model=None)])
    text = as_markdown(table_rows(runs))
    lines = text.splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert "57,281" in lines[2]
    assert "8 min 20 s" in lines[2]
    assert "–" in lines[3]
    assert json.loads(json.dumps(table_rows(runs)))[0]["best_psnr"] == 35.25


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (245, "4 min 5 s"), (3600, "1 h"), (4859, "1 h 20 min")],
)
def test_times_are_as_people_read_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
