"""Train a recipe on the machines of a Ray cluster: Ray Train starts `kakudai train` once for each device.

    pip install 'kakudai[train]' 'ray[train]'                            # on every machine
    python examples/train_on_ray.py recipes/photo-x2.toml /shared/runs/photo-x2 --workers 8 --gpu --set batch=64

The recipe, its pack and the folder of the run have to be at the same paths on all machines. Give the command again with
--resume to go on with a run that was stopped.
"""

import argparse
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer


def work(config: dict[str, Any]) -> None:
    """Be one of the processes; Ray Train has told this one which, in its environment."""
    from kakudai.cli.main import run

    os.chdir(config["folder"])
    code = run(config["words"])
    if code:
        raise RuntimeError(f"kakudai train has ended with {code}")


def main() -> None:
    """Have the machines train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("run", type=Path)
    parser.add_argument("--workers", type=int, required=True, help="processes, of all machines together")
    parser.add_argument("--gpu", action="store_true", help="give each of them a GPU")
    parser.add_argument("--address", default="auto", help="of the cluster")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for kakudai train")
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()
    words = ["train", given.recipe, "-o", str(given.run.absolute())]
    accelerator = "cuda" if given.gpu else "cpu"
    for change in (f"devices={given.workers}", f"accelerator={accelerator}", *given.set):
        words += ["--set", change]
    ray.init(address=given.address)
    TorchTrainer(
        work,
        train_loop_config={"words": words + ["--resume"] * given.resume, "folder": str(Path.cwd())},
        scaling_config=ScalingConfig(num_workers=given.workers, use_gpu=given.gpu, placement_strategy="SPREAD"),
        run_config=RunConfig(name="ray", storage_path=str(given.run.absolute())),
    ).fit()


if __name__ == "__main__":
    main()
