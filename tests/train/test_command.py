"""`kakudai train` as its users meet it: in a process of its own, or in two."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from tests.train.tiny import log_of, losses, write_recipe

from kakudai.cli import main

KAKUDAI = [sys.executable, "-m", "kakudai"]
ON_RAY = Path(__file__).parents[2] / "examples/train_on_ray.py"


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*KAKUDAI, *map(str, words)], capture_output=True, text=True, timeout=200, check=False)


def test_a_run_becomes_a_model_with_a_card(recipe_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = run("train", recipe_file, "-o", folder, "--measure", tmp_path / "pictures", "--set", "blur=[0.0,0.5]")
    assert done.returncode == 0, done.stderr
    assert f"written: {folder / 'tiny.onnx'}" in done.stderr
    assert {path.name for path in folder.iterdir()} == {
        "recipe.json", "log.jsonl", "last.ckpt", "best.safetensors", "best.json", "tensorboard",
        "tiny.onnx", "tiny.safetensors",
    }  # fmt: skip
    card = onnxruntime.InferenceSession(folder / "tiny.onnx").get_modelmeta().custom_metadata_map
    assert card["kakudai.data"].startswith(
        "3 pictures of pictures, offered with Gaussian blurs of 0, 0.5 pixels, shrunk 2 times by antialiased bicubic; "
        "120 steps of 4 crops of 8x8 low-resolution pixels; "
    )
    assert re.search(r"pixels; (?!0\.0 )\d+\.\d seconds on 1 processor", card["kakudai.data"])
    assert "states no quality" not in done.stderr
    assert json.loads(card["kakudai.quality"])["pictures x2"]["psnr"] > 15
    again = run("train", recipe_file, "-o", folder)
    assert again.returncode == 2
    assert "holds a run already" in again.stderr
    assert "--resume" in again.stderr
    before = (folder / "recipe.json").read_bytes()
    done = run("train", recipe_file, "-o", folder, "--resume", "--set", "learning_rate=0.5", "--set", "mse_steps=120")
    assert done.returncode == 0
    assert (folder / "recipe.json").read_bytes() == before, "it says what the run was trained with"
    assert "the run is finished: another " in done.stderr
    assert done.stderr.count("warning: the card states no quality; ") == 1
    assert "never used" not in done.stderr, "nothing is trained"


def test_ctrl_c_says_how_to_go_on(recipe_file: Path, tmp_path: Path) -> None:
    words = ["train", str(recipe_file), "-o", str(tmp_path / "run"), "--set", "steps=100000"]
    words += ["--set", "checkpoint_every=1000000", "--set", "validate_every=100"]
    process = subprocess.Popen([*KAKUDAI, *words], stderr=subprocess.PIPE, text=True)
    wait_for(lambda: len(log_of(tmp_path / "run")) > 2, tmp_path / "run/log.jsonl")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted" not in said
    command = next(line for line in said.splitlines() if line.startswith("stopped; go on with: "))
    assert shlex.split(command.partition(": ")[2]) == ["kakudai", *words, "--resume"]
    step = torch.load(tmp_path / "run/last.ckpt", weights_only=True)["step"]
    assert step >= log_of(tmp_path / "run")[-1]["step"]
    assert run(*words[:-4], "--set", f"steps={step + 10}", "--resume").returncode == 0


def wait_for(ready: object, path: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if path.exists() and callable(ready) and ready():
            return
        time.sleep(0.05)
    pytest.fail(f"{path} never came")


CHANGES = ["--set", "optimiser=sgd", "--set", "learning_rate=1e-3", "--set", "checkpoint_every=50"]
"""What the losses of one process and of two are compared with."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """The folder of a run in one process."""
    folder = tmp_path_factory.mktemp("alone")
    done = run("train", write_recipe(folder), "-o", folder / "run", *CHANGES)
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(recipe_file: Path, alone: Path, tmp_path: Path) -> None:
    """Fabric starts the second process; gloo joins them on this machine's own address."""
    both = run("train", recipe_file, "-o", tmp_path / "two", *CHANGES, "--set", "devices=2")
    assert both.returncode == 0, both.stderr
    assert both.stderr.count("written: ") == 1
    one, two = losses(alone), losses(tmp_path / "two")
    assert [step for step, _ in two] == [50, 100]
    assert [loss for _, loss in two] == pytest.approx([loss for _, loss in one], rel=1e-4)
    weights = [torch.load(path / "last.ckpt", weights_only=True)["network"] for path in (alone, tmp_path / "two")]
    for name, value in weights[0].items():
        np.testing.assert_allclose(weights[1][name], value, atol=1e-5)
    assert log_of(tmp_path / "two")[-1]["psnr"] == pytest.approx(log_of(alone)[-1]["psnr"], abs=0.01)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def torchrun(machine: int, port: int, *words: str) -> subprocess.Popen[str]:
    """Start one of two processes, each on a machine of its own; both are this one."""
    meeting = ["--nnodes=2", f"--node-rank={machine}", "--nproc-per-node=1", "--master-addr=127.0.0.1"]
    command = [sys.executable, "-m", "torch.distributed.run", *meeting, f"--master-port={port}", "-m", "kakudai"]
    return subprocess.Popen([*command, *words], stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_two_machines_have_the_losses_of_one(recipe_file: Path, alone: Path, tmp_path: Path) -> None:
    words = ["train", str(recipe_file), "-o", str(tmp_path / "two"), *CHANGES, "--set", "devices=2"]
    port = free_port()
    started = [torchrun(machine, port, *words) for machine in (0, 1)]
    said = [process.communicate(timeout=200)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert [text.count("written: ") for text in said] == [1, 0]
    assert [loss for _, loss in losses(tmp_path / "two")] == pytest.approx(
        [loss for _, loss in losses(alone)], rel=1e-4
    )


@pytest.mark.slow
def test_ray_train_has_the_losses_of_one(recipe_file: Path, alone: Path, tmp_path: Path) -> None:
    """Ray Train starts two processes on the two nodes of a cluster, and gloo joins them."""
    pytest.importorskip("ray.train.torch")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        words = [str(recipe_file), str(tmp_path / "two"), "--workers", "2", "--address", cluster.address, *CHANGES]
        done = subprocess.run(
            [sys.executable, ON_RAY, *words], capture_output=True, text=True, timeout=200, check=False
        )
    finally:
        cluster.shutdown()
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "two/tiny.onnx").exists()
    assert [loss for _, loss in losses(tmp_path / "two")] == pytest.approx(
        [loss for _, loss in losses(alone)], rel=1e-4
    )


def test_processes_and_devices_have_to_agree(recipe_file: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "3", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)

    def refused(devices: int) -> str:
        changes = ["--set", "batch=6", "--set", f"devices={devices}"]
        assert main.run(["train", str(recipe_file), "-o", str(tmp_path / "run"), *changes]) == 2
        return str(capsys.readouterr().err)

    assert "3 processes were started, and the recipe has devices = 2" in refused(2)
    assert "--set devices=3" in refused(2)
    assert "the others cannot have as many each" in refused(3)


@pytest.mark.slow
def test_ctrl_c_stops_two_processes_at_one_step(recipe_file: Path, tmp_path: Path) -> None:
    words = ["train", str(recipe_file), "-o", str(tmp_path / "run"), "--set", "steps=100000", "--set", "devices=2"]
    process = subprocess.Popen([*KAKUDAI, *words], stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: len(log_of(tmp_path / "run")) > 2, tmp_path / "run/log.jsonl")
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said.count("stopped; go on with: ") == 1
    assert torch.load(tmp_path / "run/last.ckpt", weights_only=True)["step"] >= 100
