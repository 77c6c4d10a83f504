"""jobs/spreading.py: one picture in parts over the actors of a cluster; two nodes on this machine."""

import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.jobs.test_cluster import wait_for
from tests.small_models import convolutional

from kakudai.engine import block as block_module
from kakudai.engine.block import Which, enlarge_block, rows_of_blocks
from kakudai.engine.ensemble import Turn
from kakudai.engine.job import FileOptions
from kakudai.engine.loaded import Loaded, Run
from kakudai.engine.machine import Machine
from kakudai.engine.tiles import Tile
from kakudai.errors import RuntimeUnavailable, WrongResult
from kakudai.image.files import write_image
from kakudai.image.picture import Picture
from kakudai.jobs.actor import Duty
from kakudai.jobs.cluster import Cluster
from kakudai.jobs.requests import BlockRequest, Piece
from kakudai.jobs.roster import Place, Worker
from kakudai.jobs.spreading import Background, Canvas, Spread
from kakudai.models.catalogue import model_from_bytes

ray = pytest.importorskip("ray")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "kakudai", "upscale", *words]


@pytest.fixture
def giant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture, in the current folder."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(1).integers(0, 256, (2200, 2900, 4), np.uint8)
    write_image(Picture(pixels[..., :3], pixels[..., 3:]), tmp_path / "giant.tif")
    return tmp_path / "giant.tif"


@pytest.mark.slow
def test_a_picture_is_the_same_although_a_machine_dies(giant: Path) -> None:
    from ray.cluster_utils import Cluster as Nodes

    target, plain = "large.dzi", giant.parent / "plain"
    plain.mkdir()
    subprocess.run(command(giant.name, "-o", f"plain/{target}", "-m", "photo-fast-x2"), check=True, capture_output=True)
    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        node = nodes.add_node(num_cpus=1)
        words = command(giant.name, "-o", target, "-m", "photo-fast-x2", "--threads", "1", "--ray", nodes.address)
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as working:
            assert working.stderr is not None
            wait_for(working.stderr, "actors at work: 2")
            time.sleep(0.3)
            nodes.remove_node(node, allow_graceful=False)
            complaints = working.communicate(timeout=120)[1]
    finally:
        nodes.shutdown()
    assert working.returncode == 0, complaints
    assert "an actor has died, and others do its work" in complaints
    made = sorted(path.relative_to(giant.parent) for path in giant.parent.glob("large_files/**/*.*"))
    same = sorted(path.relative_to(plain) for path in plain.glob("large_files/**/*.*"))
    assert made == same
    assert len(made) > 50
    for name in (Path(target), *made):
        assert (giant.parent / name).read_bytes() == (plain / name).read_bytes()


class Backwards:
    """Stands for a cluster: does what it was given when there is room for no more, the last first."""

    def __init__(self, loaded: Loaded, size: int = 3) -> None:
        self._loaded, self.size, self.most, self.entered = loaded, size, 0, 0

    def __enter__(self) -> "Backwards":
        self.entered += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.entered -= 1

    def run(self, requests: Iterator[BlockRequest], _say: object, **words: Any) -> Generator[Piece, None, None]:
        given = list[BlockRequest]()
        while not words["enough"].is_set():
            while words["has_room"]() and (one := next(requests, None)) is not None:
                given.append(one)
            self.most = max(self.most, len(given))
            if not given:
                return
            one = given.pop()
            with ThreadPoolExecutor(1) as pool:
                yield Piece(one.number, enlarge_block(self._loaded, one.cut(), pool))


class Failing(Backwards):
    """Cannot do any block."""

    def run(self, requests: Iterator[BlockRequest], _say: object, **words: Any) -> Generator[Piece, None, None]:
        for one in requests:
            yield one.failed(WrongResult("black"))


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """A network, whose blocks are small."""
    monkeypatch.setattr(block_module, "ROWS", 64)
    monkeypatch.setattr(block_module, "RESULT_BYTES", 64 * 80 * 4 * 3)
    monkeypatch.setattr(ray, "put", lambda model: model)
    return Loaded.open(model_from_bytes(convolutional(), "net"), Machine(threads=1))


def silent(text: str, *, matters: bool) -> None:
    assert not matters


def background() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "kakudai-spread"]


def test_blocks_may_come_in_any_order(loaded: Loaded) -> None:
    image = np.random.default_rng(0).integers(0, 256, (700, 200, 3), np.uint8)
    done = list[int]()
    cluster = Backwards(loaded)
    with ThreadPoolExecutor(1) as pool, Spread(cluster, silent) as spread:  # type: ignore[arg-type]
        run = Run((Turn(),), pool, done.append)
        expected = loaded.run(image, 64, np.uint8, run)
        done.clear()
        assert not cluster.entered, "nothing is started before it is wanted"
        for _ in range(2):
            bands = list(spread.bands(loaded, image, None, np.uint8, run=run))
            np.testing.assert_array_equal(np.concatenate(bands), expected)
            assert cluster.entered == 1
    places = [place for row in rows_of_blocks(loaded, image, np.uint8) for place in row]
    assert cluster.most < len(places), "there is a bound on what is made ahead"
    assert sum(done) == 2 * 700 * 200
    assert not cluster.entered


def test_a_block_that_fails_is_the_pictures_failure(loaded: Loaded) -> None:
    image = np.zeros((300, 200, 3), np.uint8)
    with ThreadPoolExecutor(1) as pool, Spread(Failing(loaded), silent) as spread:  # type: ignore[arg-type]
        run = Run((Turn(),), pool, lambda _: None)
        with pytest.raises(WrongResult, match="black"):
            list(spread.bands(loaded, image, None, np.uint8, run=run))


def test_whoever_is_interrupted_leaves_no_thread_behind_when_the_cluster_ends(loaded: Loaded) -> None:
    """As when Ctrl-C comes while a row is encoded: nobody closes what gives the rows."""
    image, kept = np.zeros((700, 200, 3), np.uint8), list[Iterator[object]]()

    def interrupted() -> None:
        with ThreadPoolExecutor(1) as pool, Spread(Backwards(loaded), silent) as spread:  # type: ignore[arg-type]
            bands = spread.bands(loaded, image, None, np.uint8, run=Run((Turn(),), pool, lambda _: None))
            kept.append(bands)
            next(bands)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not background()


def test_a_block_that_fails_is_tried_by_another(loaded: Loaded) -> None:
    request = BlockRequest(7, lambda: None, Which.of(loaded), [])  # type: ignore[arg-type,return-value]
    piece = request.failed(WrongResult("black"), is_final=True)
    assert (piece.number, piece.pixels) == (7, None)
    assert request.is_refused(piece)
    assert not request.is_refused(Piece(7, np.zeros((1, 1, 3), np.uint8)))


class Actor:
    """Stands for an actor that does blocks, some of which it dies over."""

    def __init__(self) -> None:
        self.enlarge_block, self.asked = self, 0

    def remote(self, number: int, *_: object) -> tuple[int, "Actor", object]:
        self.asked += 1
        return number, self, object()


def test_the_driver_gives_blocks_of_the_dead_to_others_and_takes_no_more_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch, loaded: Loaded
) -> None:
    from ray.exceptions import RayActorError

    first, second = Worker(Actor(), Place("a", 1)), Worker(Actor(), Place("b", 1))

    def get(reference: tuple[int, Actor, object]) -> Piece:
        if reference[1] is first.actor:
            raise RayActorError
        return Piece(reference[0], np.zeros((1, 1, 3), np.uint8))

    monkeypatch.setattr(ray, "wait", lambda waited, **_: (waited[:1], waited[1:]))
    monkeypatch.setattr(ray, "get", get)
    monkeypatch.setattr(ray, "kill", lambda _: None)
    driver, said, taken = Cluster("local", Duty({}, FileOptions())), list[str](), list[int]()
    monkeypatch.setattr(driver, "_fill", lambda: None)
    driver._working = [first, second]
    requests = (BlockRequest(number, lambda: None, Which.of(loaded), []) for number in range(9))  # type: ignore[arg-type,return-value]

    def say(text: str, *, matters: bool) -> None:
        said.append(text)

    coming = driver.run(requests, say, has_room=lambda: first.actor.asked + second.actor.asked - len(taken) < 6)
    for piece in coming:
        taken.append(piece.number)
        if len(taken) == 5:
            coming.close()
    assert len(set(taken)) == 5
    assert first.actor.asked >= 1
    assert len(said) == 1
    assert driver._working == [second]
    assert second.doing == 0, "of what is not waited for any longer"


def test_a_block_goes_to_an_actor_that_has_not_refused_it(monkeypatch: pytest.MonkeyPatch, loaded: Loaded) -> None:
    """Although the one that has is idle and the other busy."""
    broken, sound = Worker(Actor(), Place("a", 1)), Worker(Actor(), Place("b", 1))

    def get(reference: tuple[int, Actor, object]) -> Piece:
        pixels = None if reference[1] is broken.actor else np.zeros((1, 1, 3), np.uint8)
        return Piece(reference[0], pixels, None if pixels is not None else WrongResult("black"))

    monkeypatch.setattr(ray, "wait", lambda waited, **_: (waited[:1], waited[1:]))
    monkeypatch.setattr(ray, "get", get)
    driver = Cluster("local", Duty({}, FileOptions()))
    monkeypatch.setattr(driver, "_fill", lambda: None)
    driver._working = [broken, sound]
    requests = (BlockRequest(number, lambda: None, Which.of(loaded), []) for number in range(9))  # type: ignore[arg-type,return-value]
    pieces = list(driver.run(requests, silent))
    assert sorted(piece.number for piece in pieces) == list(range(9))
    assert all(piece.error is None for piece in pieces)
    driver._working = [broken]
    requests = (BlockRequest(number, lambda: None, Which.of(loaded), []) for number in range(1))  # type: ignore[arg-type,return-value]
    assert [type(piece.error) for piece in driver.run(requests, silent)] == [WrongResult], "there is nobody else"


def test_a_cluster_that_cannot_be_used_is_tried_once(loaded: Loaded) -> None:
    class Absent(Backwards):
        def __enter__(self) -> "Backwards":
            self.entered += 1
            raise RuntimeUnavailable("nobody answers")

    cluster, image = Absent(loaded), np.zeros((70, 70, 3), np.uint8)
    with ThreadPoolExecutor(1) as pool, Spread(cluster, silent) as spread:  # type: ignore[arg-type]
        for _ in range(2):
            with pytest.raises(RuntimeUnavailable):
                list(spread.bands(loaded, image, None, np.uint8, run=Run((Turn(),), pool, lambda _: None)))
    assert cluster.entered == 1


def test_rows_come_out_whole_and_in_order() -> None:
    canvas = Canvas(6, 1, 2, np.uint8)
    first = canvas.begin([Tile(0, 0, 2, 4), Tile(0, 4, 2, 2)])
    second = canvas.begin([Tile(2, 0, 1, 6)])
    assert canvas.across == 1
    assert canvas.put(second[0], np.full((2, 12, 1), 3, np.uint8)) == 6
    assert not list(canvas.finished())
    canvas.put(first[1], np.full((4, 4, 1), 2, np.uint8))
    assert canvas.waiting == 2
    canvas.put(first[0], np.full((4, 8, 1), 1, np.uint8))
    band, last = canvas.finished()
    assert canvas.waiting == 0
    assert band[:, :, 0].tolist() == [[1] * 8 + [2] * 4] * 4
    assert (last == 3).all()


def test_what_is_made_in_the_background_has_a_bound_and_an_end() -> None:
    made = list[int]()

    def count(enough: threading.Event) -> Generator[int, None, None]:
        while not enough.is_set():
            made.append(len(made))
            yield made[-1]

    coming = iter(Background(count, 2))
    assert [next(coming) for _ in range(3)] == [0, 1, 2]
    time.sleep(0.3)
    assert len(made) <= 6
    coming.close()  # type: ignore[attr-defined]
    assert not background()

    def fail(_enough: threading.Event) -> Generator[int, None, None]:
        yield 1
        raise WrongResult("black")

    coming = iter(Background(fail, 2))
    assert next(coming) == 1
    with pytest.raises(WrongResult):
        next(coming)
