"""Folders as training runs leave them, made by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from kakudai.degrade.shrink import shrink_bicubic
from kakudai.image.files import write_image
from kakudai.image.picture import Picture
from kakudai.image.resize import imresize_matlab, resize
from tests.small_models import nearest

RECIPE: dict[str, Any] = {
    "name": "small", "version": "1.0", "licence": "CC0-1.0", "network": "srcnn", "arguments": {"filters": 64},
    "scale": 2, "color": "rgb", "start": None, "pack": "packs/photo.pack", "blur": [0.0, 0.45], "patch": 32,
    "batch": 16, "steps": 1000, "loss": "l1", "mse_steps": 200, "learning_rate": 1e-05, "warmup_steps": 10,
    "validate_on": "../shared/data/test/Set5", "epoch": 100,
}  # fmt: skip

QUALITY = {
    "Set5 x2": {"psnr": 36.7, "ssim": 0.9551, "protocol": "luma_bt601_studio, 2 pixels cut off"},
    "My <b>set</b> x2": {"psnr": 30.0, "ssim": 0.9, "protocol": "luma"},
}


def photo(height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """Return a soft picture of many colours."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3)).astype(np.uint8)
    return np.asarray(resize(coarse, (height, width)))


def log_lines(steps: int = 1000, *, validate_every: int = 200, change: int = 800) -> list[dict[str, float]]:
    """Return a log: the loss falls, and becomes another one after `change` steps."""
    lines: list[dict[str, float]] = []
    for step in range(50, steps + 1, 50):
        loss = (0.05 if step <= change else 0.002) * (50 / step) ** 0.3
        lines.append({"step": step, "seconds": step * 0.5, "loss": loss, "rate": 1e-3})
        if step % validate_every == 0:
            lines.append({"step": step, "seconds": step * 0.5, "psnr": 36.0 - 600 / step})
    return lines


def make_run(
    folder: Path,
    *,
    recipe: dict[str, Any] | None = RECIPE,
    progress: bool = True,
    model: bytes | None = b"",
    **card: str,
) -> Path:
    """Write a whole run; what is None is left out."""
    folder.mkdir(parents=True)
    (folder / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in log_lines()))
    if recipe is not None:
        (folder / "recipe.json").write_text(json.dumps(recipe))
        (folder / "best.json").write_text(json.dumps({"step": 800, "psnr": 35.25}))
    if progress:
        write_progress(folder / "progress", epochs=[1, 5, 10])
    if model is not None:
        stated = {"quality": json.dumps(QUALITY), "network": "srcnn", "parameters": "57281", "commit": "abc", **card}
        name = (recipe or {}).get("name", folder.name)
        (folder / f"{name}.onnx").write_bytes(model or nearest(**stated))
    return folder


def write_progress(folder: Path, epochs: list[int]) -> None:
    """Write the progress picture, which gets a little better with each epoch."""
    folder.mkdir()
    high = photo()
    low = shrink_bicubic(high, 2)
    bicubic = imresize_matlab(low, 2)
    write_image(Picture(high), folder / "original.png")
    write_image(Picture(bicubic), folder / "bicubic.png")
    for number, epoch in enumerate(epochs, 1):
        share = number / (len(epochs) + 1)
        write_image(Picture((bicubic * (1 - share) + high * share).astype(np.uint8)), folder / f"epoch-{epoch:04}.png")
