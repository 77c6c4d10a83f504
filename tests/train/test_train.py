"""A run learns, logs, resumes exactly, stops when it is asked to, and keeps its best."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tests.train.tiny import log_of, losses, stop_at

from kakudai.errors import RecipeError
from kakudai.train.build import build_network, save_weights, start_from
from kakudai.train.checkpoint import changed_keys
from kakudai.train.export import averaged_network, trained_network
from kakudai.train.loop import Run, train
from kakudai.train.recipe import Recipe, read_recipe
from kakudai.train.schedule import scale_of_step
from kakudai.train.validate import Validation


def test_wrong_networks_and_arguments_are_named(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no network is called"):
        train(recipe.model_copy(update={"network": "none"}), tmp_path / "run")
    with pytest.raises(RecipeError, match="layers"):
        train(recipe.model_copy(update={"arguments": {"layers": 3}}), tmp_path / "run")


def test_training_learns_and_logs(recipe: Recipe, tmp_path: Path) -> None:
    seen = []
    train(
        recipe,
        tmp_path / "run",
        progress=lambda done, total, figures: seen.append((done, total, dict(figures))),
    )
    assert seen[-1][:2] == (120, 120)
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    psnr = [line["psnr"] for line in lines if "psnr" in line]
    assert len(psnr) == 2
    untrained = train(recipe.model_copy(update={"steps": 1, "mse_steps": 0}), tmp_path / "first")
    assert untrained is not None
    first = json.loads((tmp_path / "first/log.jsonl").read_text().splitlines()[-1])["psnr"]
    assert psnr[-1] > first + 1.0
    assert any((tmp_path / "run/tensorboard").iterdir())


def test_the_same_seed_gives_the_same_losses_and_another_does_not(recipe: Recipe, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(recipe.model_copy(update={"seed": seed, "steps": 100}), tmp_path / name)
    assert losses(tmp_path / "a") == losses(tmp_path / "b") != losses(tmp_path / "c")


def test_a_killed_run_resumes_with_the_losses_of_one_that_was_not(recipe_file: Path, tmp_path: Path) -> None:
    """Kill -9 in the middle, then resume, against an uninterrupted run: same losses, same weights, to the bit."""
    recipe = read_recipe(recipe_file, {"steps": "200"})
    whole = train(recipe, tmp_path / "whole")
    code = (
        "import sys, time; from pathlib import Path; from kakudai.train.loop import train;"
        "from kakudai.train.recipe import read_recipe;"
        "recipe = read_recipe(Path(sys.argv[1]), {'steps': '200'});"
        "train(recipe, Path(sys.argv[2]), progress=lambda *figures: time.sleep(0.01))"
    )
    folder = tmp_path / "killed"
    words = [sys.executable, "-c", code, str(recipe_file), str(folder)]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 150
    while not (folder / "last.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 0 < torch.load(folder / "last.ckpt", weights_only=True)["step"] < 200
    resumed = train(recipe, folder, resume=True)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=0, rtol=0)
    expected, found = losses(tmp_path / "whole"), losses(folder)
    assert [step for step, _ in found] == [50, 100, 150, 200]
    assert found[-2:] == expected[-2:]


def test_what_ships_is_trained_so_and_resumes_to_the_bit(recipe: Recipe, tmp_path: Path) -> None:
    """Muon, bfloat16, damage of random strength, half the resolution: nothing of it begins anew after Ctrl-C."""
    changes = {
        "scale": 1,
        "color": "rgb",
        "damage": "photo",
        "arguments": {"blocks": 2, "channels": 16, "branches": False, "planes": 1, "unshuffle": 2},
        "optimiser": "muon",
        "precision": "bfloat16",
        "float32_steps": 20,
        "steps": 100,
    }
    ours = recipe.model_copy(update=changes)
    whole = train(ours, tmp_path / "whole")
    stop_at(Run(ours, tmp_path / "stopped", resume=False), 55)
    resumed = train(ours, tmp_path / "stopped", resume=True)
    assert losses(tmp_path / "whole") == losses(tmp_path / "stopped")
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=0, rtol=0)


def test_a_run_can_start_from_the_weights_of_another(recipe: Recipe, tmp_path: Path) -> None:
    """Another scale begins with the body that was learnt, and another last layer."""
    train(recipe, tmp_path / "run")
    save_weights(*averaged_network(tmp_path / "run/last.ckpt"), tmp_path / "x2.safetensors")
    start = tmp_path / "x2.safetensors"
    changes = {
        "scale": 3,
        "start": start,
        "steps": 1,
        "mse_steps": 0,
        "learning_rate": 1e-9,
        "final_learning_rate": 1e-10,
    }
    warm = train(recipe.model_copy(update=changes), tmp_path / "warm")
    learnt = averaged_network(tmp_path / "run/last.ckpt")[1]
    torch.testing.assert_close(warm.body[0].weight, learnt.body[0].weight, atol=1e-6, rtol=0)
    assert warm.tail.weight.shape[0] == 9
    longer = {**changes, "steps": 2, "start": tmp_path / "gone"}  # a run that has begun does not need it any more
    train(recipe.model_copy(update=longer), tmp_path / "warm", resume=True)
    with pytest.raises(RecipeError, match="no weights"):
        train(recipe.model_copy(update={"start": tmp_path / "missing"}), tmp_path / "bad")
    with pytest.raises(RecipeError, match="nothing in"):
        train(recipe.model_copy(update={"start": start, "network": "srcnn", "arguments": {}}), tmp_path / "bad")


def test_keys_that_an_older_run_did_not_know_have_not_changed(recipe: Recipe, tmp_path: Path) -> None:
    earlier = recipe.model_dump(mode="json")
    for key in ("damage_spread", "favour", "start"):
        del earlier[key]
    assert changed_keys({"recipe": earlier}, recipe, tmp_path) == []
    other = recipe.model_copy(update={"damage_spread": (2.0, 2.0)})
    assert changed_keys({"recipe": earlier}, other, tmp_path) == ["damage_spread"]


def test_more_channels_begin_as_the_function_that_was_learnt(recipe: Recipe, tmp_path: Path) -> None:
    plain = recipe.model_copy(update={"arguments": {**recipe.arguments, "branches": False}})
    train(plain, tmp_path / "run")
    narrow = averaged_network(tmp_path / "run/last.ckpt")[1]
    save_weights(plain, narrow, tmp_path / "narrow.safetensors")
    wider = plain.model_copy(update={"arguments": {**plain.arguments, "channels": 24}})
    wide = build_network(wider)
    start_from(wider, wide, tmp_path / "narrow.safetensors")
    x = torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(wide(x), narrow(x), atol=1e-6, rtol=0)
    assert wide.body[0].weight[16:].abs().min() > 0, "new channels have something to learn from"


def test_a_run_leaves_what_plots_and_reports_read(recipe: Recipe, tmp_path: Path) -> None:
    picture = tmp_path / "pictures/0.png"
    changed = recipe.model_copy(update={"progress_picture": picture, "progress_epochs": [1, 3], "epoch": 20})
    train(changed, tmp_path / "run")
    assert Recipe.model_validate(json.loads((tmp_path / "run/recipe.json").read_text())) == changed
    first, *_, last = log_of(tmp_path / "run")
    assert set(first) == {"step", "seconds", "loss", "rate", "waiting"}
    assert first["step"] == 50
    assert 0.0 <= first["waiting"] <= 1.0
    best = json.loads((tmp_path / "run/best.json").read_text())
    assert best == {"step": 120, "psnr": pytest.approx(last["psnr"])}
    names = {path.name for path in (tmp_path / "run/progress").iterdir()}
    assert names == {"original.png", "bicubic.png", "epoch-0001.png", "epoch-0003.png"}


def test_tensorboard_reads_what_the_log_says(recipe: Recipe, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(recipe.model_copy(update={"steps": 60, "seed": 9}), tmp_path / "run")
    (tmp_path / "run/last.ckpt").unlink()  # what the first run has written is not shown
    train(recipe.model_copy(update={"steps": 60}), tmp_path / "run")
    train(recipe, tmp_path / "run", resume=True)
    events = EventAccumulator(str(tmp_path / "run/tensorboard")).Reload()
    assert [(event.step, pytest.approx(event.value, abs=1e-6)) for event in events.Scalars("loss")] == losses(
        tmp_path / "run"
    )


def test_the_log_has_the_rate_of_its_step_and_enough_digits_of_it(recipe: Recipe, tmp_path: Path) -> None:
    small = recipe.model_copy(update={"learning_rate": 1e-6, "final_learning_rate": 1e-7, "steps": 50})
    train(small, tmp_path / "run")
    (rate,) = [line["rate"] for line in log_of(tmp_path / "run") if "rate" in line]
    assert rate == pytest.approx(1e-7, rel=1e-6)


def test_losses_between_two_lines_of_the_log_survive_a_resume(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "whole")
    run = Run(recipe, tmp_path / "halves", resume=False)
    stop_at(run, 70)
    train(recipe, tmp_path / "halves", resume=True)
    assert losses(tmp_path / "halves") == losses(tmp_path / "whole")


def test_ctrl_c_finishes_the_step_and_leaves_a_checkpoint(recipe: Recipe, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    stop_at(Run(recipe.model_copy(update={"checkpoint_every": 1000}), tmp_path / "run", resume=False), 33)
    assert torch.load(tmp_path / "run/last.ckpt", weights_only=True)["step"] == 33
    assert signal.getsignal(signal.SIGINT) == before


def test_the_average_has_the_running_statistics_of_batch_normalisation(recipe: Recipe, tmp_path: Path) -> None:
    arguments = {"blocks": 1, "channels": 8}
    changed = recipe.model_copy(update={"network": "srresnet", "arguments": arguments, "color": "rgb", "steps": 60})
    run = Run(changed, tmp_path / "run", resume=False)
    average = run.finish()
    trained = dict(run.plain.named_buffers())
    means = {name: value for name, value in average.named_buffers() if "running_mean" in name}
    assert means
    assert all((value != 0).any() and not torch.equal(value, trained[name]) for name, value in means.items())
    counts = [value for name, value in average.named_buffers() if "num_batches" in name]
    assert [int(count) for count in counts] == [60] * len(counts)
    assert not average.training
    assert run.plain.training
    last = log_of(tmp_path / "run")[-1]
    assert Validation(changed.validate_on, 2, "rgb").psnr(average) == pytest.approx(last["psnr"])
    exported = trained_network(tmp_path / "run").network
    for name, value in exported.named_buffers():
        torch.testing.assert_close(value, dict(average.named_buffers())[name])


def test_one_network_learns_several_scales(recipe: Recipe, tmp_path: Path) -> None:
    arguments = {"layers": 3, "channels": 8}
    update = {"network": "vdsr", "arguments": arguments, "scales": [2, 3], "learning_rate": 1e-3, "steps": 60}
    changed = recipe.model_copy(update=update)
    run = Run(changed, tmp_path / "run", resume=False)
    seen = []
    forward = run.plain.forward
    run.plain.forward = lambda x: seen.append((run.plain.scale, x.shape[2])) or forward(x)
    run.finish()
    assert seen == [(scale_of_step(changed, step), 8) for step in range(60)]
    assert {scale for scale, _ in seen} == {2, 3}
    assert run.average.network.scale == 2
    assert log_of(tmp_path / "run")[-1]["psnr"] > 15


def test_shave_leaves_the_border_out_of_the_loss(recipe: Recipe, tmp_path: Path) -> None:
    run = Run(recipe.model_copy(update={"shave": 3}), tmp_path / "run", resume=False)
    shapes = []
    loss = run.objective.loss
    run.objective.loss = lambda output, high, step: (
        shapes.append((tuple(output.shape), tuple(high.shape))) or loss(output, high, step)
    )
    with run.feed:
        run._take_step()
    assert shapes == [((4, 1, 10, 10), (4, 1, 10, 10))]


def test_adversarial_training_runs_in_the_same_loop_and_resumes(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kakudai.train.loop.LOG_EVERY", 4)
    update = {"adversarial": 1e-2, "feature_matching": 1e-2, "patch": 16, "batch": 2, "steps": 12}
    changed = recipe.model_copy(update=update)
    train(changed, tmp_path / "whole")
    stop_at(Run(changed, tmp_path / "halves", resume=False), 6)
    train(changed, tmp_path / "halves", resume=True)
    assert {"loss", "adversarial", "discriminator", "plain"} <= set(log_of(tmp_path / "whole")[0])
    assert losses(tmp_path / "halves") == losses(tmp_path / "whole")


def test_a_resumed_run_says_which_keys_have_changed(
    recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(recipe.model_copy(update={"steps": 20}), tmp_path / "run")
    train(recipe.model_copy(update={"steps": 30, "batch": 2}), tmp_path / "run", resume=True)
    assert "resumed with another batch, steps than the run began with" in caplog.text


def test_data_never_keeps_the_loop_waiting(recipe: Recipe, tmp_path: Path) -> None:
    """A step of a network that takes a while finds its batch ready."""
    arguments = {"blocks": 4, "channels": 32, "activation": "leaky_relu"}
    train(recipe.model_copy(update={"arguments": arguments, "patch": 16, "steps": 50}), tmp_path / "run")
    assert log_of(tmp_path / "run")[0]["waiting"] < 0.1
