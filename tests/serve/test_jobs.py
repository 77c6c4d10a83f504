"""Jobs: their states, places, events, results, ends; with and without scripts in the browser."""

import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from tests.serve.running import Running, drawing, encoded, name_of, start_server, wait_until

KEYS = {
    "id", "name", "state", "place", "progress", "seconds_left", "input_size", "output_size", "model", "strength",
    "precision", "reason", "notes", "seconds", "result", "problem", "expires",
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with a short queue, for clients that a proxy names."""
    limits = {"queue": 3, "per_client": 2}
    folder = tmp_path_factory.mktemp("server") / "files"
    with start_server(folder, limits=limits, behind_proxy=True) as running:
        yield running


@pytest.fixture(scope="module")
def long() -> bytes:
    """A picture that takes its time with tta=8."""
    return encoded(drawing(640, 500))


@pytest.fixture(autouse=True)
def quiet(server: Running) -> Iterator[None]:
    """Let each test begin with an empty queue."""
    yield
    assert wait_until(lambda: metric(server, "kakudai_queue_running") + metric(server, "kakudai_queue_waiting") == 0)


def metric(server: Running, name: str) -> float:
    found = re.findall(rf"^{re.escape(name)} (\S+)$", server.http.get("/metrics").text, re.MULTILINE)
    return float(found[0]) if found else 0.0


def submit(server: Running, data: bytes, client: str, **options: str) -> httpx.Response:
    headers = {"X-Forwarded-For": f"192.0.2.1, {client}"}
    return server.http.post("/v1/jobs", params=options, files={"file": ("a.png", data)}, headers=headers)


def test_a_job_from_beginning_to_end(server: Running, picture: bytes) -> None:
    accepted = server.http.post("/v1/jobs", params={"scale": "2"}, files={"file": ("猫.png", picture)})
    assert accepted.status_code == 202
    job = accepted.json()["id"]
    assert re.fullmatch("[0-9a-f]{32}", job)
    assert accepted.json()["address"] == accepted.headers["location"] == f"/v1/jobs/{job}"
    state = server.finish(job)
    assert set(state) == KEYS
    assert (state["state"], state["name"], state["progress"]) == ("done", "猫.png", 1.0)
    assert (state["input_size"], state["output_size"]) == ([48, 36], [96, 72])
    assert state["problem"] is None
    assert 3000 < datetime.fromisoformat(state["expires"]).timestamp() - datetime.now(UTC).timestamp() < 3700
    result = server.http.get(state["result"])
    waited = server.http.post("/v1/upscale", files={"file": ("猫.png", picture)})
    assert result.content == waited.content
    assert result.headers["content-disposition"].startswith("attachment;")
    assert result.headers["kakudai-model"] == state["model"]
    assert server.http.get(f"{state['result']}?inline=1").headers["content-disposition"].startswith("inline;")
    assert server.http.delete(f"/v1/jobs/{job}").status_code == 204
    assert name_of(server.http.get(f"/v1/jobs/{job}")) == "job-not-found"
    assert name_of(server.http.get(f"/v1/jobs/{job}/result")) == "job-not-found"
    assert server.empty()


def test_events_tell_places_progress_and_the_end(server: Running, picture: bytes) -> None:
    with server.frozen():
        jobs = [submit(server, picture, "a").json()["id"] for _ in range(2)]
        assert wait_until(lambda: server.state(jobs[0])["state"] == "running")
        with server.http.stream("GET", f"/v1/jobs/{jobs[1]}/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.iter_lines()
            said = [next(lines), next(lines)]
            server.thaw()
            said += lines
    events = [json.loads(line.removeprefix("data: ")) for line in said if line.startswith("data: ")]
    assert all(line == "event: state" for line in said if line.startswith("event"))
    assert all(set(event) == KEYS for event in events)
    assert (events[0]["state"], events[0]["place"]) == ("waiting", 1)
    assert events[0]["seconds_left"] >= 0
    assert events[-1]["state"] == "done"
    with server.http.stream("GET", f"/v1/jobs/{jobs[0]}/events") as stream:
        assert "done" in "".join(stream.iter_lines())
    server.delete(*jobs)


def test_what_runs_tells_its_progress_and_stops_between_tiles(server: Running, picture: bytes, long: bytes) -> None:
    job = submit(server, long, "a", tta="4").json()["id"]
    last = submit(server, picture, "b").json()["id"]
    (engine,) = server.children("engine_process")
    assert server.runs(job)
    answer = server.http.get(f"/v1/jobs/{job}/result")
    assert (answer.status_code, name_of(answer)) == (409, "no-result")
    state = server.state(job)
    assert state["model"]
    assert 0 < state["progress"] < 1
    assert state["seconds_left"] > 0
    assert server.state(last)["place"] == 1
    with server.http.stream("GET", f"/v1/jobs/{job}/events") as stream:
        lines = stream.iter_lines()
        next(lines)
        server.delete(job)
        assert '"cancelled"' in "".join(lines)
    assert server.http.get(f"/v1/jobs/{job}").status_code == 404
    assert server.finish(last)["state"] == "done"
    assert server.children("engine_process") == [engine]
    server.delete(last)
    assert server.empty()


def test_cancelling_what_waits(server: Running, picture: bytes) -> None:
    with server.frozen():
        jobs = [submit(server, picture, client).json()["id"] for client in "abc"]
        assert wait_until(lambda: server.state(jobs[2])["place"] == 2)
        server.delete(jobs[1])
        assert server.state(jobs[2])["place"] == 1
    assert server.finish(jobs[2])["state"] == "done"
    server.delete(jobs[0], jobs[2])
    assert server.empty()


def test_a_full_queue_is_503_and_a_greedy_client_429(server: Running, picture: bytes) -> None:
    with server.frozen():
        jobs = [submit(server, picture, "a").json()["id"]]
        assert wait_until(lambda: server.state(jobs[0])["state"] == "running")
        jobs.append(submit(server, picture, "a").json()["id"])
        greedy = submit(server, picture, "a")
        assert (greedy.status_code, name_of(greedy)) == (429, "too-many-requests")
        assert int(greedy.headers["retry-after"]) >= 1
        jobs += [submit(server, picture, client).json()["id"] for client in ("b", "c")]
        for address in ("/v1/jobs", "/v1/upscale", "/api"):
            full = server.http.post(address, files={"file": ("a.png", picture)}, headers={"X-Forwarded-For": "d"})
            assert (full.status_code, name_of(full)) == (503, "queue-full")
            assert int(full.headers["retry-after"]) >= 1
    assert all(server.finish(job)["state"] == "done" for job in jobs)
    server.delete(*jobs)
    assert server.empty()


def test_a_client_that_sends_too_many_at_once_is_429(server: Running, picture: bytes) -> None:
    """Nor can it hide behind other names: the last address of all, which the proxy has added, counts."""
    head = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n"
    with contextlib.ExitStack() as stack:
        for number in range(2):
            line = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            line.sendall(f"{head}X-Forwarded-For: {number}.0.0.1\r\nX-Forwarded-For: a\r\n\r\n".encode() + picture[:99])
        assert wait_until(lambda: len(server.files()) == 4)
        greedy = submit(server, picture, "a")
        assert (greedy.status_code, name_of(greedy)) == (429, "too-many-requests")
        other = submit(server, picture, "b")
        assert other.status_code == 202
    server.finish(other.json()["id"])
    server.delete(other.json()["id"])
    assert server.empty()


def test_health_is_quick_while_pictures_run(server: Running, picture: bytes, long: bytes) -> None:
    """The event loop does nothing that takes time: even here, with everything else that the machine does."""
    jobs = [
        submit(server, data, client).json()["id"] for client, data in zip("abcd", [long, *[picture] * 3], strict=True)
    ]
    taken = []
    for _ in range(30):
        started = time.monotonic()
        assert server.http.get("/healthz").text == "ok"
        taken.append(time.monotonic() - started)
        time.sleep(0.02)
    assert sorted(taken)[15] < 0.5
    server.delete(*jobs)
    assert server.empty()


def test_a_client_that_leaves_is_worked_for_no_more(server: Running, long: bytes) -> None:
    before = metric(server, 'kakudai_jobs_total{state="cancelled"}')
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        head = f"POST /v1/upscale?tta=8 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(long)}\r\n\r\n"
        line.sendall(head.encode() + long)
        assert wait_until(lambda: metric(server, "kakudai_queue_running") == 1)
    assert wait_until(lambda: metric(server, "kakudai_queue_running") == 0, 30)
    assert metric(server, 'kakudai_jobs_total{state="cancelled"}') == before + 1
    assert server.empty()


def test_the_plain_form_works_without_scripts(server: Running, picture: bytes) -> None:
    html = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    blank = {"scale": "2", "width": "", "height": "", "model": "auto", "format": ""}
    sent = server.http.post("/v1/jobs", data=blank, files={"file": ("<b>.png", picture)}, headers=html)
    assert sent.status_code == 303
    address = sent.headers["location"]
    assert re.fullmatch("/jobs/[0-9a-f]{32}", address)
    server.finish(address.removeprefix("/jobs/"))
    page = server.http.get(address, headers=html)
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "http-equiv" not in page.text
    assert "96 x 72" in page.text
    assert "<b>" not in page.text
    (link,) = re.findall(r'href="(/v1/jobs/\w+/result)"', page.text)
    assert server.http.get(link).status_code == 200
    assert not re.search(r"<script|<style|\son\w+=|style=", page.text)
    cancel = re.findall(r'action="(/jobs/\w+/cancel)"', page.text)[0]
    assert server.http.post(cancel).headers["location"] == "/"
    assert server.http.get(address, headers=html).status_code == 404
    with server.frozen():
        running = server.http.post("/v1/jobs", data={"scale": "2"}, files={"file": ("a.png", picture)}, headers=html)
        assert 'http-equiv="refresh"' in server.http.get(running.headers["location"], headers=html).text
        assert server.http.post(f"{running.headers['location']}/cancel").status_code == 303
    wrong = server.http.post("/v1/jobs", data={"scale": "99"}, files={"file": ("a.png", picture)}, headers=html)
    assert wrong.status_code == 422
    assert "0.1 to 16" in wrong.text
    assert wrong.headers["content-type"].startswith("text/html")


def test_deadlines_and_what_comes_after_them(tmp_path: Path, picture: bytes, long: bytes) -> None:
    limits = {"deadline_seconds": 2.0, "job_seconds": 5.0, "life_seconds": 4.0}
    with start_server(tmp_path / "files", limits=limits) as server:
        costly = server.http.post("/v1/upscale", files={"file": ("a.png", long)}, params={"tta": "8", "scale": "8"})
        assert (costly.status_code, name_of(costly)) == (413, "too-costly")
        with server.frozen():
            job = server.submit(picture)
            late = server.http.post("/v1/upscale", files={"file": ("a.png", picture)})
            assert (late.status_code, name_of(late)) == (504, "deadline")
            state = server.finish(job)
            assert (state["state"], state["problem"]["type"]) == ("failed", "/problems/deadline")
        job = server.submit(picture)
        assert server.finish(job)["state"] == "done"
        assert wait_until(lambda: server.http.get(f"/v1/jobs/{job}").status_code == 404)
        assert wait_until(server.empty, 30)
