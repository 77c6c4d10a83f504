"""A recipe so small that a run of it takes a second, and what its log says."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakudai.data.pack import pack_folders
from kakudai.image.resize import resize
from kakudai.train.loop import Run

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


def write_recipe(folder: Path) -> Path:
    """Put the recipe into a folder, with its pictures and its pack; return its path."""
    pictures = folder / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for index in range(3):
        coarse = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        Image.fromarray(resize(coarse, (48, 64))).save(pictures / f"{index}.png")
    pack_folders([pictures], folder / "pack")
    text = TINY.replace("PACK", str(folder / "pack")).replace("PICTURES", str(pictures))
    (folder / "tiny.toml").write_text(text)
    return folder / "tiny.toml"


def log_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def losses(folder: Path) -> list[tuple[float, float]]:
    return [(line["step"], line["loss"]) for line in log_of(folder) if "loss" in line]


def stop_at(run: Run, step: int) -> None:
    """Press Ctrl-C during a step."""

    def press(done: int, total: int, figures: dict[str, float]) -> None:
        if done == step - 1:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run.finish(press)
