"""train/: recipes refuse what they do not know, runs resume exactly, and the exported file is the trained network."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from kakudai.data.pack import pack_folders
from kakudai.errors import RecipeError
from kakudai.image.resize import resize
from kakudai.networks.ecbsr import ECBSR
from kakudai.train.color import LumaInRGB
from kakudai.train.export import (
    Provenance,
    averaged_network,
    export_onnx,
    merged_for_use,
    multiply_adds_per_output_pixel,
    save_weights,
)
from kakudai.train.loop import train
from kakudai.train.recipe import Recipe, read_recipe
from kakudai.train.schedule import average_decay, learning_rate, loss_name, uses_bfloat16

RECIPES = Path(__file__).parents[2] / "recipes"

TINY = """
name = "tiny"
version = "1"
licence = "CC0-1.0"
network = "ecbsr"
arguments = { blocks = 1, channels = 16, activation = "leaky_relu" }
scale = 2
color = "luma"
pack = "PACK"
blur = [0.0]
patch = 8
batch = 4
steps = 120
loss = "l1"
mse_steps = 10
learning_rate = 1e-3
final_learning_rate = 1e-5
warmup_steps = 10
betas = [0.9, 0.99]
average = 0.99
precision = "float32"
float32_steps = 0
accelerator = "cpu"
threads = 1
seed = 1
validate_on = "PICTURES"
validate_every = 60
checkpoint_every = 20
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for index in range(3):
        coarse = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        Image.fromarray(resize(coarse, (48, 64))).save(pictures / f"{index}.png")
    pack_folders([pictures], tmp_path / "pack")
    text = TINY.replace("PACK", str(tmp_path / "pack")).replace("PICTURES", str(pictures))
    (tmp_path / "tiny.toml").write_text(text)
    return tmp_path / "tiny.toml"


@pytest.fixture
def recipe(recipe_file: Path) -> Recipe:
    return read_recipe(recipe_file)


def losses(folder: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines if "loss" in line]


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_in_the_repository_is_complete(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    assert path.read_text().startswith("# ")


def test_wrong_recipes_are_named(recipe_file: Path) -> None:
    with pytest.raises(RecipeError, match=r"learning_rat: Extra"):
        read_recipe(recipe_file, {"learning_rat": "1"})
    with pytest.raises(RecipeError, match=r"steps: .*greater.*seed: "):
        read_recipe(recipe_file, {"steps": "0", "seed": "-1"})
    with pytest.raises(RecipeError, match="no recipe"):
        read_recipe(recipe_file.with_name("missing.toml"))
    recipe_file.write_text("name = ")
    with pytest.raises(RecipeError, match=r"tiny\.toml"):
        read_recipe(recipe_file)


def test_changes_are_toml_and_quotes_can_be_left_out(recipe_file: Path) -> None:
    changed = read_recipe(recipe_file, {"steps": "7", "color": "rgb", "blur": "[0.5, 1]"})
    assert (changed.steps, changed.color, changed.blur) == (7, "rgb", [0.5, 1.0])


def test_wrong_networks_and_arguments_are_named(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no network is called"):
        train(recipe.model_copy(update={"network": "none"}), tmp_path / "run")
    with pytest.raises(RecipeError, match="layers"):
        train(recipe.model_copy(update={"arguments": {"layers": 3}}), tmp_path / "run")


def test_schedules(recipe: Recipe) -> None:
    rates = [learning_rate(recipe, step) for step in range(recipe.steps)]
    assert rates[0] == pytest.approx(1e-4, rel=0.01)
    assert max(rates) == pytest.approx(1e-3, rel=0.03)
    assert rates[-1] == pytest.approx(1e-5)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert [loss_name(recipe, step) for step in (0, 109, 110, 119)] == ["l1", "l1", "mse", "mse"]
    assert average_decay(recipe, 0) == 0.1
    assert average_decay(recipe, 10**6) == recipe.average
    mixed = recipe.model_copy(update={"precision": "bfloat16", "float32_steps": 20})
    assert [uses_bfloat16(mixed, step) for step in (0, 99, 100)] == [True, True, False]
    assert not uses_bfloat16(recipe, 0)


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
    with pytest.raises(RecipeError, match="no weights"):
        train(recipe.model_copy(update={"start": tmp_path / "missing"}), tmp_path / "bad")
    with pytest.raises(RecipeError, match="nothing in"):
        train(recipe.model_copy(update={"start": start, "network": "srcnn", "arguments": {}}), tmp_path / "bad")


def test_checkpoints_that_cannot_be_used(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no checkpoint"):
        train(recipe, tmp_path / "run", resume=True)
    (tmp_path / "run/last.ckpt").write_bytes(b"not a checkpoint")
    with pytest.raises(RecipeError, match="not a checkpoint"):
        train(recipe, tmp_path / "run", resume=True)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_chroma_inside_the_graph_is_the_lanczos_of_image_resize(scale: int) -> None:
    """With a network that returns zero, what is left is the enlarged chroma."""
    network = ECBSR(scale=scale, branches=False).eval()
    image = np.random.default_rng(0).random((20, 24, 3), np.float32)
    luma = image @ np.array([0.299, 0.587, 0.114], np.float32)
    expected = resize(image - luma[..., None], (20 * scale, 24 * scale), kernel="lanczos3")
    x = torch.from_numpy(image.transpose(2, 0, 1)[None])
    with torch.inference_mode():
        chroma = LumaInRGB(network)(x) - network(torch.from_numpy(luma[None, None]))
    edge = 3 * scale
    ours = chroma[0].numpy().transpose(1, 2, 0)[edge:-edge, edge:-edge]
    np.testing.assert_allclose(ours, expected[edge:-edge, edge:-edge], atol=2e-6)


def test_the_file_is_the_network_with_its_card(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    trained, network = averaged_network(tmp_path / "run/last.ckpt")
    network = merged_for_use(network)
    quality = {"Set5 x2": {"psnr": 37.0, "ssim": 0.95, "protocol": "test"}}
    provenance = Provenance("recipes/tiny.toml", "three pictures", "CC0-1.0", "abc", quality)
    export_onnx(trained, network, provenance, tmp_path / "tiny.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "tiny.onnx")
    for size in ((1, 1), (7, 30), (33, 20)):
        x = np.random.default_rng(0).random((2, 3, *size), np.float32)
        with torch.inference_mode():
            expected = LumaInRGB(network)(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, atol=2e-6)
    card = session.get_modelmeta().custom_metadata_map
    assert card["kakudai.parameters"] == str(sum(p.numel() for p in network.parameters()))
    assert json.loads(card["kakudai.quality"]) == quality
    wanted = "name version scale halo multiple color task strength network arguments parameters macs_per_output_pixel"
    wanted += " recipe data data_licences licence commit quality"
    assert set(card) == {f"kakudai.{key}" for key in wanted.split()}


def test_multiply_adds_are_those_of_the_layer_table() -> None:
    network = ECBSR(blocks=4, channels=32, branches=False)
    per_low_pixel = 9 * (32 + 4 * 32 * 32 + 32 * 4)
    assert multiply_adds_per_output_pixel(network, 1, 2) == per_low_pixel / 4
