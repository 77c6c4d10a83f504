"""jobs/cluster.py: pictures done by the machines of a cluster; two nodes on this one."""

import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from tests.small_models import convolutional

from kakudai.engine.job import FileOptions
from kakudai.errors import OutOfMemory, RuntimeUnavailable, UsageError
from kakudai.image.files import write_image
from kakudai.image.picture import Picture
from kakudai.jobs import cluster, roster
from kakudai.jobs.actor import Duty, Enlarger, Promise
from kakudai.jobs.carrying import Task
from kakudai.jobs.cluster import DEATHS, Cluster, everywhere
from kakudai.jobs.errand import Errand, failed_errand
from kakudai.jobs.fingerprint import Stamp
from kakudai.jobs.requests import PictureRequest
from kakudai.jobs.roster import Place, Worker

ray = pytest.importorskip("ray")

DUTY = Duty({}, FileOptions())


@pytest.fixture(scope="module")
def nodes() -> Iterator["ray.cluster_utils.Cluster"]:
    """A cluster of one node, which has one processor; others may be added."""
    from ray.cluster_utils import Cluster as Nodes

    found = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield found
    found.shutdown()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """The current folder, with a network in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(convolutional())
    (tmp_path / "in").mkdir()
    return tmp_path


def draw(name: str, side: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    write_image(Picture(pixels), Path("in") / name)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "kakudai", "upscale", "in", "-m", "net.onnx", "-r", "--json", *words]


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.suffix == ".png"}


def told(text: str) -> Counter[tuple[str, str]]:
    return Counter((line["input"], line["status"]) for line in map(json.loads, text.splitlines()))


def wait_for(stream: IO[str], words: str) -> None:
    while words not in (line := stream.readline()):
        assert line, f"it ended without saying {words!r}"


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_it_gives_the_same_bytes_names_what_is_broken_and_goes_on_where_it_was(nodes) -> None:
    for number in range(4):
        draw(f"{number}.png", 30 + number, number)
    (Path("in") / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    plain = subprocess.run(command("-o", "plain/"), capture_output=True, text=True, check=False)
    first = subprocess.run(command("-o", "out/", "--ray", nodes.address), capture_output=True, text=True, check=False)
    assert (plain.returncode, first.returncode) == (1, 1), first.stderr
    assert contents("out") == contents("plain")
    assert len(contents("out")) == 4
    assert told(first.stdout) == told(plain.stdout)
    assert "actors at work: 1" in first.stderr
    assert "broken.png" in first.stderr
    draw("4.png", 20, 4)
    again = subprocess.run(command("-o", "out/", "--ray", nodes.address), capture_output=True, text=True, check=False)
    assert "4 of 6 pictures are done already" in again.stderr
    assert len(contents("out")) == 5


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_node_that_dies_takes_no_picture_with_it(nodes) -> None:
    for number in range(60):
        draw(f"{number}.png", 600, number)
    words = command("-o", "out/", "--ray", nodes.address)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as working:
        assert working.stderr is not None
        wait_for(working.stderr, "actors at work: 1")  # the driver belongs to the first node from now on
        node = nodes.add_node(num_cpus=1)
        wait_for(working.stderr, "actors at work: 2")
        time.sleep(0.3)  # it has begun with two pictures
        nodes.remove_node(node, allow_graceful=False)
        said, complaints = working.communicate(timeout=120)
    assert working.returncode == 0, complaints
    assert "an actor has died, and others do its work" in complaints
    assert told(said) == {(f"in/{number}.png", "done"): 1 for number in range(60)}
    lines = map(json.loads, (Path("out") / "kakudai-manifest.jsonl").read_text().splitlines())
    done = Counter(line["input"]["path"] for line in lines if line.get("status") == "done")
    assert sorted(done.values()) == [1] * 60
    subprocess.run(command("-o", "plain/", "-q"), check=True, capture_output=True)
    assert contents("out") == contents("plain")


class Actor:
    """Stands for an actor; what it is given is what comes back."""

    def __init__(self) -> None:
        self.enlarge, self.is_dead = self, False

    def remote(self, task: Task, stamps: tuple[Stamp, ...]) -> tuple[str, "Actor", object]:
        return task.source, self, object()


def test_a_picture_that_kills_every_actor_fails_and_the_others_are_done(monkeypatch) -> None:
    from ray.exceptions import RayActorError

    def get(reference: tuple[str, Actor, object]) -> Errand:
        source, actor, _ = reference
        actor.is_dead |= source == "killer.png"
        if actor.is_dead:  # with all its tasks
            raise RayActorError
        return failed_errand(Task(source, "out.png"), UsageError("it was done, in a way"))

    monkeypatch.setattr(ray, "wait", lambda waited, **_: (waited[:1], waited[1:]))
    monkeypatch.setattr(ray, "get", get)
    monkeypatch.setattr(ray, "kill", lambda _: None)
    monkeypatch.setattr(roster, "LOOK_SECONDS", 60.0)
    driver, said = Cluster("local", DUTY), list[str]()

    def say(text: str, *, matters: bool) -> None:
        assert matters
        said.append(text)

    def refill() -> None:
        driver._working.append(Worker(Actor(), Place("node", 1)))

    monkeypatch.setattr(driver, "_fill", refill)
    refill()
    tasks = [Task(name, "out.png") for name in ("killer.png", "healthy.png")]
    errands = {errand.task.source: errand for errand in driver.run(map(PictureRequest, tasks), say)}
    killer, healthy = errands["killer.png"], errands["healthy.png"]
    assert isinstance(killer.result.error, OutOfMemory)
    assert f"it was lost with {DEATHS} actors" in killer.result.error.message
    assert "--actors" in killer.result.error.hint
    assert killer.is_final
    assert isinstance(healthy.result.error, UsageError), "it came to its end, alone on an actor"
    assert len(said) == DEATHS


def test_nobody_to_work_is_said_with_the_reason(monkeypatch) -> None:
    driver = Cluster("local", DUTY)
    monkeypatch.setattr(roster, "START_SECONDS", 0.0)
    monkeypatch.setattr(driver, "_fill", lambda: None)
    with pytest.raises(RuntimeUnavailable, match="no actor has come to work"):
        list(driver.run(iter([PictureRequest(Task("a.png", "b.png"))]), lambda text, matters: None))
    driver._coming = {1: Worker(None, Place("node", 1))}
    monkeypatch.setattr(ray, "wait", lambda waited, **_: (waited[:1], waited[1:]))
    monkeypatch.setattr(ray, "get", lambda _: RuntimeUnavailable("kakudai is 1 on alpha, and 2 where it was started"))
    with pytest.raises(RuntimeUnavailable, match="kakudai is 1 on alpha"):
        list(driver.run(iter([PictureRequest(Task("a.png", "b.png"))]), lambda text, matters: None))


def test_actors_of_another_version_refuse() -> None:
    problem = Enlarger(Duty({}, FileOptions(), Promise(version="0.0"))).problem()
    assert isinstance(problem, RuntimeUnavailable)
    assert "and 0.0 where the command was started" in problem.message


def test_room_for_actors(monkeypatch) -> None:
    def node(name: str, *, alive: bool = True, **resources: float) -> dict[str, object]:
        return {"NodeID": name, "Alive": alive, "Resources": resources}

    there = [node("a", CPU=8.0), node("b", CPU=4.0, GPU=2.0), node("c", CPU=8.0, alive=False), node("d", memory=1.0)]
    monkeypatch.setattr(ray, "nodes", lambda: there)
    assert Cluster("auto", DUTY)._places() == [Place("a", 8), Place("b", 4)]
    assert [place.node for place in Cluster("auto", DUTY, threads=3)._places()] == ["a", "a", "b"]
    on_gpus = Duty({"device": "cuda"}, FileOptions())
    assert Cluster("auto", on_gpus)._places() == [Place("a", 8), Place("b", 2, 1), Place("b", 2, 1)]
    assert Cluster("auto", DUTY, threads=100)._places()[0] == Place("a", 8), "no more than the node has"


def test_a_cluster_that_does_not_answer_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(RuntimeUnavailable, match=f"nobody answers at {address}"), Cluster(address, DUTY):
            pass


def test_what_cannot_be_begun(monkeypatch, tmp_path) -> None:
    with pytest.raises(UsageError, match="address of the cluster is empty"):
        Cluster(" ", DUTY)
    with pytest.raises(UsageError, match="actors is 0"):
        Cluster("local", DUTY, most=0)
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    with pytest.raises(RuntimeUnavailable, match="ray is not installed") as caught:
        Cluster("local", DUTY)
    assert "kakudai[ray]" in caught.value.hint


def test_paths_mean_the_same_everywhere(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    task = everywhere(Task("a/b.png", "s3://bucket/b.png", replaces=True))
    assert task == Task(str(tmp_path / "a/b.png"), "s3://bucket/b.png", replaces=True)
