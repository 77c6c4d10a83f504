"""Whatever goes wrong with a run, what it has learnt is not lost, and it says what happened."""

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.train.tiny import log_of, losses, stop_at

from kakudai.errors import OutputError, RecipeError
from kakudai.train.best import Best, Standing
from kakudai.train.checkpoint import write_whole
from kakudai.train.export import averaged_network, trained_network
from kakudai.train.log import Log
from kakudai.train.loop import Run, train
from kakudai.train.recipe import Recipe
from kakudai.train.validate import Validation


def spoil(run: Run, step: int, spoiled: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Spoil the loss of one step, counted from 1."""
    loss = run.objective.loss

    def changed(output: torch.Tensor, high: torch.Tensor, number: int) -> torch.Tensor:
        value = loss(output, high, number)
        return spoiled(value) if number + 1 == step else value

    run.objective.loss = changed  # type: ignore[method-assign]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_state(
    recipe: Recipe, tmp_path: Path, value: float
) -> None:
    run = Run(recipe, tmp_path / "run", resume=False)
    spoil(run, 63, lambda loss: loss * value)
    with pytest.raises(RecipeError, match=f"the loss of step 63 is {value}") as error:
        run.finish()
    assert "learning_rate" in error.value.hint
    kept = torch.load(tmp_path / "run/last.ckpt", weights_only=True)
    assert kept["step"] == 60
    assert all(tensor.isfinite().all() for part in ("network", "average") for tensor in kept[part].values())
    assert json.loads((tmp_path / "run/best.json").read_text())["step"] == 60
    train(recipe, tmp_path / "whole")
    train(recipe, tmp_path / "run", resume=True)
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")


def test_weights_that_are_no_numbers_are_not_saved_though_the_loss_was_one(recipe: Recipe, tmp_path: Path) -> None:
    """The gradient of the last step before a checkpoint is infinite, and no loss has shown it yet."""
    run = Run(recipe, tmp_path / "run", resume=False)
    spoil(run, 40, lambda loss: loss + (loss - loss.detach()) * float("inf"))
    spoil(run, 40, torch.nan_to_num)
    with pytest.raises(RecipeError, match="after step 40 there are weights that are not numbers"):
        run.finish()
    assert torch.load(tmp_path / "run/last.ckpt", weights_only=True)["step"] == 20


def test_a_discriminator_that_is_no_number_is_not_saved_though_the_network_is_one(
    recipe: Recipe, tmp_path: Path
) -> None:
    run = Run(recipe.model_copy(update={"adversarial": 1e-2, "patch": 16}), tmp_path / "run", resume=False)
    learn = run.objective.learn

    def spoiled(output: torch.Tensor, high: torch.Tensor, step: int) -> dict[str, float]:
        figures = learn(output, high, step)
        if step == 39:
            with torch.no_grad():
                next(run.objective.plain.parameters()).fill_(float("nan"))  # type: ignore[attr-defined]
        return figures

    run.objective.learn = spoiled  # type: ignore[method-assign]
    with pytest.raises(RecipeError, match="after step 40 there are weights of the loss that are not numbers"):
        run.finish()
    assert torch.load(tmp_path / "run/last.ckpt", weights_only=True)["step"] == 20


FULL_DISK = """
import resource, sys
from pathlib import Path
from kakudai.errors import OutputError
from kakudai.train.loop import train
from kakudai.train.recipe import Recipe
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    train(Recipe.model_validate_json(sys.argv[1]), Path(sys.argv[2]), resume=True)
except OutputError as error:
    sys.exit(error.message)
"""
"""A limit on file sizes stands for the disk."""


def test_a_disk_that_is_full_at_checkpoint_time_leaves_the_old_checkpoint(recipe: Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    stop_at(Run(recipe, folder, resume=False), 20)
    before = (folder / "last.ckpt").read_bytes()
    words = [sys.executable, "-c", FULL_DISK, recipe.model_dump_json(), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search(r"cannot write .*last\.ckpt': File too large", done.stderr), done.stderr
    assert (folder / "last.ckpt").read_bytes() == before
    assert not list(folder.glob(".*"))
    train(recipe, folder, resume=True)
    train(recipe, tmp_path / "whole")
    assert losses(folder) == losses(tmp_path / "whole")


def test_a_disk_that_is_full_at_log_time_is_a_clear_error(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(recipe, tmp_path / "run", resume=False)
    write = Log.write

    def write_on_a_full_disk(log: Log, step: int, seconds: float, **figures: float) -> None:
        log.file.close()
        log.file = open("/dev/full", "a")  # noqa: PTH123, SIM115
        write(log, step, seconds, **figures)

    monkeypatch.setattr(Log, "write", write_on_a_full_disk)
    with pytest.raises(OutputError, match=r"log in .*run cannot be written: No space left on device"):
        run.finish()
    assert torch.load(tmp_path / "run/last.ckpt", weights_only=True)["step"] == 40


def test_a_line_that_a_full_disk_cut_off_is_dropped(recipe: Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(recipe.model_copy(update={"steps": 60}), folder)
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"step": 60, "seco')
    train(recipe, folder, resume=True)
    assert [step for step, _ in losses(folder)] == [50, 100]


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    write_whole(target, b"old")

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"cannot write .*file': No space left on device") as error:
        write_whole(target, b"new")
    assert "--resume" in error.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert target.read_bytes() == b"old"


def test_checkpoints_that_cannot_be_used(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no checkpoint"):
        train(recipe, tmp_path / "run", resume=True)
    for content in (b"not a checkpoint", b""):
        (tmp_path / "run/last.ckpt").write_bytes(content)
        with pytest.raises(RecipeError, match="not a checkpoint"):
            train(recipe, tmp_path / "run", resume=True)
    torch.save({"something": 1}, tmp_path / "run/last.ckpt")
    with pytest.raises(RecipeError, match="not a checkpoint"):
        train(recipe, tmp_path / "run", resume=True)


@pytest.mark.parametrize(("update", "message"), [
    ({"network": "espcn", "arguments": {}}, "there network = ecbsr, arguments = .* in the recipe network = espcn, "),
    ({"name": "other"}, "there name = tiny; in the recipe name = other"),
    ({"scale": 3}, "there scale = 2; in the recipe scale = 3"),
    ({"color": "rgb"}, "there color = luma; in the recipe color = rgb"),
    ({"optimiser": "sgd"}, "there optimiser = adam; in the recipe optimiser = sgd"),
])  # fmt: skip
def test_a_checkpoint_of_another_run_is_refused(
    recipe: Recipe, tmp_path: Path, update: dict[str, object], message: str
) -> None:
    train(recipe.model_copy(update={"steps": 20}), tmp_path / "run")
    before = (tmp_path / "run/recipe.json").read_bytes()
    with pytest.raises(RecipeError, match=message):
        train(recipe.model_copy(update=update), tmp_path / "run", resume=True)
    assert (tmp_path / "run/recipe.json").read_bytes() == before


def test_a_checkpoint_that_lacks_what_the_recipe_now_asks_for_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe.model_copy(update={"steps": 20}), tmp_path / "run")
    with pytest.raises(RecipeError, match=r"last\.ckpt does not fit the recipe") as error:
        train(recipe.model_copy(update={"adversarial": 1e-2}), tmp_path / "run", resume=True)
    assert "adversarial" in error.value.hint


def test_a_checkpoint_of_a_later_version_is_not_exported(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe.model_copy(update={"steps": 1, "mse_steps": 0}), tmp_path / "run")
    state = torch.load(tmp_path / "run/last.ckpt", weights_only=True)
    state["recipe"]["invented"] = 1
    torch.save(state, tmp_path / "run/last.ckpt")
    with pytest.raises(RecipeError, match=r"of another version of kakudai: .*\n*.*invented"):
        trained_network(tmp_path / "run")


def test_a_folder_that_cannot_be_made_is_an_error(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(OutputError, match="run cannot be made: File exists"):
        train(recipe, tmp_path / "run")


def test_a_recipe_that_is_refused_removes_nothing(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe.model_copy(update={"steps": 1, "mse_steps": 0}), tmp_path / "run")
    with pytest.raises(RecipeError, match=r"there is no folder .*missing"):
        train(recipe.model_copy(update={"validate_on": tmp_path / "missing"}), tmp_path / "run")
    (tmp_path / "bare").mkdir()
    with pytest.raises(RecipeError, match="no pictures in"):
        train(recipe.model_copy(update={"validate_on": tmp_path / "bare"}), tmp_path / "run")
    assert Best(tmp_path / "run", fresh=False).read() is not None


def test_a_checkpoint_of_version_0_1_is_understood(recipe: Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(recipe.model_copy(update={"steps": 60}), folder)
    state = torch.load(folder / "last.ckpt", weights_only=True)
    for key in ("objective", "standing", "tally", "scaler"):
        del state[key]
    for key in ("schedule", "epoch", "optimiser", "shave"):
        del state["recipe"][key]
    for group in state["optimiser"]["param_groups"]:
        del group["factor"]
    torch.save(state, folder / "last.ckpt")
    assert averaged_network(folder / "last.ckpt")[0].schedule == "cosine"
    train(recipe, folder, resume=True)
    assert [step for step, _ in losses(folder)] == [50, 100]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let the validations of a run have these figures, one after the other."""
    coming: list[float] = []
    monkeypatch.setattr(Validation, "psnr", lambda self, network: coming.pop(0))
    return coming


def test_a_run_that_gets_worse_says_so_and_keeps_its_best(
    recipe: Recipe, tmp_path: Path, figures: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    often = recipe.model_copy(update={"validate_every": 20})
    figures += [30.0, 31.0, 30.5, 29.0, 28.0, 27.0]
    last = train(often, tmp_path / "run").state_dict()
    assert json.loads((tmp_path / "run/best.json").read_text()) == {"step": 40, "psnr": 31.0}
    assert "ends at 27.000 dB, below the 31.000 dB of step 40" in caplog.text
    assert log_of(tmp_path / "run")[-1].items() >= {"step": 120, "best": 31.0, "best_step": 40}.items()
    trained = trained_network(tmp_path / "run")
    assert (trained.best_step, trained.steps) == (40, 120)
    figures += [30.0, 31.0]
    at_40 = train(often.model_copy(update={"steps": 40, "mse_steps": 0}), tmp_path / "short").state_dict()
    different = [name for name, value in trained.network.state_dict().items() if not torch.equal(value, last[name])]
    assert different
    assert at_40.keys() == trained.network.state_dict().keys()


def test_the_last_weights_are_exported_where_the_recipe_says_so(
    recipe: Recipe, tmp_path: Path, figures: list[float]
) -> None:
    figures += [30.0, 31.0, 30.5, 29.0, 28.0, 27.0]
    last = train(recipe.model_copy(update={"validate_every": 20, "ship": "last"}), tmp_path / "run").state_dict()
    trained = trained_network(tmp_path / "run")
    assert trained.best_step is None
    for name, value in trained.network.state_dict().items():
        torch.testing.assert_close(value, last[name], atol=0, rtol=0)


def test_the_last_weights_are_exported_where_they_are_the_best(
    recipe: Recipe, tmp_path: Path, figures: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    figures += [30.0, 31.0]
    last = train(recipe, tmp_path / "run").state_dict()
    trained = trained_network(tmp_path / "run")
    assert trained.best_step is None
    for name, value in trained.network.state_dict().items():
        torch.testing.assert_close(value, last[name], atol=0, rtol=0)
    assert not caplog.text


def test_a_best_found_after_the_last_checkpoint_survives_a_kill(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe.model_copy(update={"steps": 1, "mse_steps": 0, "validate_every": 5}), tmp_path)
    network = averaged_network(tmp_path / "last.ckpt")[1]
    best = Best(tmp_path, fresh=True)
    assert best.read() is None
    for step, psnr in ((20, 30.0), (40, 31.0), (30, 30.5)):
        best.offer(recipe, network, step, psnr)
    assert Best(tmp_path, fresh=False).read() == (40, 31.0)
    assert Best(tmp_path, fresh=True).read() is None


def test_resuming_keeps_the_best_and_a_run_that_begins_anew_does_not(
    recipe: Recipe, tmp_path: Path, figures: list[float]
) -> None:
    figures += [31.0, 30.0, 29.0]
    train(recipe.model_copy(update={"steps": 60}), tmp_path / "run")
    train(recipe, tmp_path / "run", resume=True)
    assert json.loads((tmp_path / "run/best.json").read_text()) == {"step": 60, "psnr": 31.0}
    figures[:] = [20.0, 20.5]
    train(recipe, tmp_path / "run")
    assert json.loads((tmp_path / "run/best.json").read_text()) == {"step": 120, "psnr": 20.5}


def test_validations_that_stay_flat_end_the_run_for_good(recipe: Recipe, tmp_path: Path, figures: list[float]) -> None:
    early = recipe.model_copy(update={"validate_every": 10, "early_stop": 3})
    figures += [30.0, 31.0, 30.9, 31.0, 30.0, 99.0]
    train(early, tmp_path / "run")
    assert torch.load(tmp_path / "run/last.ckpt", weights_only=True)["step"] == 50
    train(early, tmp_path / "run", resume=True)
    assert figures == [99.0]
    assert trained_network(tmp_path / "run").best_step == 20


def test_a_plateau_lowers_the_rate_and_remembers_it(recipe: Recipe, tmp_path: Path, figures: list[float]) -> None:
    update: dict[str, Any] = {"schedule": "plateau", "patience": 2, "validate_every": 10, "warmup_steps": 0}
    plateau = recipe.model_copy(update=update)
    figures += [30.0, 29.0, 29.0, 29.0, 29.0, 30.1, *[29.0] * 6]
    train(plateau.model_copy(update={"steps": 60}), tmp_path / "run")
    assert torch.load(tmp_path / "run/last.ckpt", weights_only=True)["standing"]["drops"] == 2
    run = Run(plateau, tmp_path / "run", resume=True)
    rates = []
    descend = run.descent.descend
    run.descent.descend = lambda loss, rate: rates.append(rate) or descend(loss, rate)  # type: ignore[func-returns-value]
    run.finish()
    assert rates == pytest.approx([1e-5] * 60)  # 1e-5 is final_learning_rate, which a third drop does not pass


def test_standing_counts_from_the_best_or_the_last_drop() -> None:
    standing = Standing()
    drops = []
    for step, psnr in enumerate([1.0, 2.0, 1.5, 1.5, 1.5, 1.5, 3.0, 2.0], 1):
        standing.take(psnr, step, patience=2)
        drops.append(standing.drops)
    assert drops == [0, 0, 0, 1, 1, 2, 2, 2]
    assert (standing.psnr, standing.step, standing.latest, standing.since) == (3.0, 7, 2.0, 1)
