"""Processes: helpers that die, signals that end the server, and what is left of one that was killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from tests.serve.running import PATIENCE, Running, drawing, encoded, name_of, start_server, wait_until

from kakudai.cli.main import run


def test_a_worker_that_dies_is_replaced(server: Running, picture: bytes) -> None:
    (engine,) = server.children("engine_process")
    with server.frozen():
        job = server.submit(picture)
        assert wait_until(lambda: server.state(job)["state"] == "running")
        following = server.submit(picture)
        time.sleep(0.3)
        os.kill(engine, signal.SIGKILL)
        state = server.finish(job)
    assert state["state"] == "failed"
    assert state["problem"]["type"] == "/problems/worker-died"
    assert state["problem"]["status"] == 503
    assert server.finish(following)["state"] == "done"
    (new,) = server.children("engine_process")
    assert new != engine
    assert 'kakudai_processes_died_total{process="engine"} 1.0' in server.http.get("/metrics").text
    server.delete(job, following)
    assert server.empty()


def test_a_worker_that_died_while_idle_costs_nobody_anything(tmp_path: Path, picture: bytes) -> None:
    """It is started again before anybody asks: /readyz would else be 503 for ever, and nobody would ask."""
    with start_server(tmp_path / "files", limits={"life_seconds": 40.0}) as server:
        assert server.http.post("/v1/analyse", content=picture).status_code == 200
        for module in ("engine_process", "decoder_process"):
            for child in server.children(module):
                os.kill(child, signal.SIGKILL)
                assert wait_until(lambda child=child: not Path(f"/proc/{child}").exists())
        assert server.http.post("/v1/analyse", content=picture).status_code == 200
        assert wait_until(lambda: server.http.get("/readyz").status_code == 200)
        assert len(server.children("engine_process")) == 1
        assert server.finish(server.submit(picture))["state"] == "done"
        assert 'kakudai_processes_died_total{process="engine"} 1.0' in server.http.get("/metrics").text


def test_a_full_disk_is_503(tmp_path: Path, picture: bytes) -> None:
    """The folder goes away under the server, which stands for a disk that takes nothing more."""
    with start_server(tmp_path / "files") as server:
        (inner,) = server.folder.iterdir()
        inner.rename(tmp_path / "away")
        for address in ("/v1/upscale", "/v1/jobs", "/v1/analyse"):
            answer = server.http.post(address, content=picture)
            assert (answer.status_code, name_of(answer)) == (503, "no-room")
        (tmp_path / "away").rename(inner)
        assert server.http.post("/v1/upscale", content=picture).status_code == 200


def test_a_signal_lets_what_runs_finish(tmp_path: Path, picture: bytes) -> None:
    with start_server(tmp_path / "files") as server:
        answers: dict[str, httpx.Response] = {}

        def wait_for_picture(name: str) -> None:
            answers[name] = httpx.post(
                f"{server.address}/v1/upscale", content=picture, timeout=PATIENCE, trust_env=False
            )

        threads = []
        with server.frozen():
            for name, running in (("runs", 1.0), ("waits", 1.0)):
                threads.append(threading.Thread(target=wait_for_picture, args=(name,)))
                threads[-1].start()
                waiting = float(len(threads) - 1)
                lines = f"kakudai_queue_running {running}", f"kakudai_queue_waiting {waiting}"
                assert wait_until(lambda lines=lines: all(one in server.http.get("/metrics").text for one in lines))
            server.process.send_signal(signal.SIGTERM)
            assert wait_until(lambda: server.http.get("/readyz").status_code == 503)
            assert name_of(server.http.get("/readyz")) == "stopping"
            assert name_of(server.http.post("/v1/upscale", content=picture)) == "stopping"
            assert server.http.get("/healthz").status_code == 200
        for thread in threads:
            thread.join(PATIENCE)
        assert answers["runs"].status_code == 200
        assert (answers["waits"].status_code, name_of(answers["waits"])) == (503, "stopping")
        assert server.process.wait(30) == 0
        assert not list(server.folder.iterdir())


def test_a_second_signal_stops_at_once(tmp_path: Path, picture: bytes) -> None:
    with start_server(tmp_path / "files") as server, server.frozen():
        server.submit(picture)
        children = [*server.children("engine_process"), *server.children("decoder_process")]
        server.process.send_signal(signal.SIGTERM)
        assert wait_until(lambda: server.http.get("/readyz").status_code == 503)
        started = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0
        assert time.monotonic() - started < 15
        assert not list(server.folder.iterdir())
        assert wait_until(lambda: not any(Path(f"/proc/{child}/exe").exists() for child in children), 20)


def test_what_a_killed_server_left_is_swept_by_the_next(tmp_path: Path, picture: bytes) -> None:
    with start_server(tmp_path / "files") as server:
        server.finish(server.submit(picture))
        (left,) = server.folder.iterdir()
        children = [*server.children("engine_process"), *server.children("decoder_process")]
        server.process.kill()
        server.process.wait()
        assert left.is_dir()
        assert wait_until(lambda: not any(Path(f"/proc/{child}/exe").exists() for child in children), 30)
    with start_server(tmp_path / "files") as server:
        assert not left.exists()
        assert len(list(server.folder.iterdir())) == 1


def test_the_command_says_where_it_listens_and_ends_well(tmp_path: Path, picture: bytes) -> None:
    words = [sys.executable, "-m", "kakudai", "serve", "--port", "0", "--threads", "1", "--folder", str(tmp_path)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process.stderr as said:
        address = said.readline().split()[-1]
        assert address.startswith("http://127.0.0.1:")
        assert httpx.post(f"{address}v1/upscale", content=picture, timeout=PATIENCE, trust_env=False).status_code == 200
        process.send_signal(signal.SIGINT)
        rest = said.read()
    assert process.wait(30) == 0
    assert "curl" in rest
    assert "stopped" in rest
    assert "Traceback" not in rest
    assert not list(tmp_path.iterdir())


def test_the_command_refuses_what_cannot_be(
    server: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAKUDAI_TOKEN", raising=False)
    for words, said in (
        (["--port", str(server.port)], f"--port {server.port + 1}"),
        (["--host", "0.0.0.0"], "--token"),
        (["--host", "no.such.host.invalid", "--token", "x"], "cannot listen"),
        (["--token", ""], "token is empty"),
        (["--token", "Schlüssel"], "no header can hold"),
        (["--folder", "/no/such/folder"], "no folder"),
        (["--runtime", "abacus"], "no runtime is called 'abacus'"),
        (["--precision", "float8"], "no precision is called 'float8'"),
        (["--threads", "0"], "threads is 0"),
    ):
        assert run(["serve", *words]) == 2
        assert said in capsys.readouterr().err


def test_a_missing_extra_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run(["serve"]) == 2
    said = capsys.readouterr().err
    assert "fastapi" in said
    assert "pip install 'kakudai[serve]'" in said


def test_memory_comes_back(server: Running) -> None:
    """Pictures of very different sizes leave the server itself as small as it was: it never holds their pixels."""

    def resident() -> int:
        lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    for side in (40, 700, 40):
        assert server.http.post("/v1/upscale?scale=1", content=encoded(drawing(side, side))).status_code == 200
    before = resident()
    for _ in range(5):
        assert server.http.post("/v1/upscale?scale=1", content=encoded(drawing(900, 700))).status_code == 200
    assert resident() - before < 20_000
    assert server.empty()
