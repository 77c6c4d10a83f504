"""Training steps per second of the real loop, beside those of the bare network on random tensors.

    python benchmarks/training_speed.py [--rounds 9] [--seconds 4] [--threads 2]

The bare loop is forward, backward and Adam on one random batch that never changes: no pictures, no average of the
weights, no log. The real one is `kakudai.train.loop.Run` on a pack, with everything it does in every step. Both are
measured in turn in one process, with the same network, batch, precision and threads; a ratio is taken within a round,
so that what else the machine is doing weighs on both. Writes benchmarks/results/training-speed.json.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

from kakudai.cli.doctor import processor_name
from kakudai.train.build import build_network
from kakudai.train.feed import channels_last
from kakudai.train.loop import Run
from kakudai.train.recipe import Recipe

ROOT = Path(__file__).parents[1]
WARM = 3
"""Steps that do not count."""
RESULT = ROOT / "benchmarks/results/training-speed.json"
CASES = {
    "ECBSR-M4C32": {"network": "ecbsr", "arguments": {"blocks": 4, "channels": 32, "activation": "leaky_relu"},
                    "color": "luma", "patch": 32, "batch": 16},
    "waifu2x vgg_7": {"network": "waifu2x", "arguments": {"variant": "vgg_7"},
                      "color": "rgb", "patch": 24, "batch": 16},
}  # fmt: skip


def recipe_of(name: str, pack: str, threads: int, precision: str) -> Recipe:
    """Make a recipe that never ends."""
    return Recipe.model_validate({
        "name": "speed", "version": "0", "licence": "none", "scale": 2, **CASES[name],
        "pack": pack, "blur": [0.0], "steps": 10**9, "loss": "l1", "mse_steps": 0, "learning_rate": 1e-4,
        "warmup_steps": 0, "average": 0.999, "precision": precision, "float32_steps": 0, "accelerator": "cpu",
        "threads": threads, "seed": 1, "validate_on": None, "validate_every": 10**9, "checkpoint_every": 10**9,
    })  # fmt: skip


def bare_steps(recipe: Recipe) -> Callable[[], None]:
    """Return what takes one step of the bare loop."""
    network = build_network(recipe).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    adam = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    channels = 1 if recipe.color == "luma" else 3
    sides = recipe.patch, recipe.scale * recipe.patch
    low, high = (channels_last(torch.rand(recipe.batch, channels, side, side).numpy()) for side in sides)

    def step() -> None:
        adam.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            output = network(low)
        torch.nn.functional.l1_loss(output.float(), high).backward()  # type: ignore[no-untyped-call]
        adam.step()

    return step


def steps_per_second(step: Callable[[], None], seconds: float) -> float:
    """Take steps for a while."""
    started, count = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < seconds:
        step()
        count += 1
    return count / elapsed


class Enough(Exception):
    """All rounds are measured."""


def measure(name: str, arguments: argparse.Namespace) -> dict[str, float | str]:
    """Time one network: a real run that is interrupted for the bare loop after every round."""
    recipe = recipe_of(name, arguments.pack, arguments.threads, arguments.precision)
    bare = bare_steps(recipe)
    rates: list[tuple[float, float]] = []
    began, done_before = 0.0, 0

    def after_step(done: int, total: int, figures: dict[str, float]) -> None:  # noqa: ARG001
        nonlocal began, done_before
        now = time.perf_counter()
        if done <= WARM or (began and now - began < arguments.seconds):
            return
        if began:
            rates.append(((done - done_before) / (now - began), steps_per_second(bare, arguments.seconds)))
        else:
            steps_per_second(bare, 0.5)
        if len(rates) == arguments.rounds:
            raise Enough
        began, done_before = time.perf_counter(), done

    with tempfile.TemporaryDirectory() as folder:
        run = Run(recipe, Path(folder), resume=False)
        with suppress(Enough):
            run.finish(after_step)
    real, alone = (statistics.median(side) for side in zip(*rates, strict=True))
    share = statistics.median(ours / theirs for ours, theirs in rates)
    return {"network": name, "bare": round(alone, 2), "real": round(real, 2), "share": round(share, 3)}


def main() -> None:
    """Measure everything, write the file and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each half of a round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--pack", default=str(ROOT / "packs/photo.pack"))
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    rows = [measure(name, arguments) for name in CASES]
    setting = {key: getattr(arguments, key) for key in ("rounds", "seconds", "threads", "precision")}
    result = {"processor": processor_name(), "torch": torch.__version__, **setting, "networks": rows}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    print("| network | bare steps/s | real steps/s | share |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row['network']} | {row['bare']} | {row['real']} | {row['share']} |")


if __name__ == "__main__":
    main()
