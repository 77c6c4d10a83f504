"""Whatever is sent, the answer is the right status with words, and nothing is left on disk."""

import errno
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.serve.running import Running, drawing, encoded, name_of, start_server

from kakudai.serve.dispatch import order_for
from kakudai.serve.handover import ANSWER, COLOR
from kakudai.serve.header import Header
from kakudai.serve.jobs import Job
from kakudai.serve.options import Options
from kakudai.serve.server import listen
from kakudai.serve.settings import Settings

HOSTILE_LEAST = 150


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that soon loses its patience."""
    limits = {"upload_seconds": 4.0, "pause_seconds": 1.5, "header_seconds": 2.0, "per_client": 40}
    with start_server(tmp_path_factory.mktemp("server") / "files", limits=limits) as running:
        yield running


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def bomb(width: int, height: int) -> bytes:
    """Make a PNG of one colour, of many pixels and few bytes."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def long_animation(frames: int) -> bytes:
    """Make a GIF of tiny frames."""
    image = b"\x2c\0\0\0\0\1\0\1\0\0\x02\x02\x44\x01\0"
    return b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff" + image * frames + b";"


def refused(server: Running, data: bytes, **parts: object) -> tuple[int, str]:
    """Send a file to both endpoints, which must refuse it alike; return status and problem."""
    found = set()
    for address in ("/v1/upscale", "/v1/jobs"):
        answer = server.http.post(address, files={"file": ("a.png", data)}, **parts)  # type: ignore[arg-type]
        found.add((answer.status_code, name_of(answer)))
    (one,) = found
    assert server.empty()
    return one


def test_what_is_no_picture_is_415(server: Running) -> None:
    assert refused(server, b"%PDF-1.7 not a picture") == (415, "not-a-picture")
    assert refused(server, b"<svg xmlns='http://www.w3.org/2000/svg'/>") == (415, "not-a-picture")
    assert refused(server, b"%!PS-Adobe-3.0 EPSF-3.0\n") == (415, "not-a-picture")


def test_an_empty_file_or_none_is_400(server: Running, picture: bytes) -> None:
    assert refused(server, b"") == (400, "no-picture")
    for parts in ({"files": {"image": ("a.png", picture)}}, {"data": {"scale": "2"}}, {"content": b""}):
        answer = server.http.post("/v1/upscale", **parts)  # type: ignore[arg-type]
        assert (answer.status_code, name_of(answer)) in ((400, "no-picture"), (400, "too-many-fields"))


def test_bombs_are_413_before_they_are_decoded(server: Running) -> None:
    data = bomb(13_310, 13_310)
    assert len(data) < 600_000
    started = time.monotonic()
    assert refused(server, data) == (413, "too-large-pixels")
    assert time.monotonic() - started < 30
    assert refused(server, bomb(17_000, 10)) == (413, "too-large-side")
    assert refused(server, long_animation(20_000)) == (413, "too-many-frames")
    assert refused(server, bomb(3000, 2000), params={"scale": "4"}) == (413, "too-large-result")


def test_a_header_that_lies_is_found_out(server: Running) -> None:
    """The size in the header is small, and the decoder finds another: here, a PNG in which the rows are missing."""
    data = bytearray(bomb(400, 400))
    data[16:29] = struct.pack(">IIBBBBB", 4000, 4000, 8, 2, 0, 0, 0)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    answer = server.http.post("/v1/upscale", files={"file": ("a.png", bytes(data))})
    assert (answer.status_code, name_of(answer)) == (422, "broken-picture")


def test_a_truncated_picture_is_422(server: Running) -> None:
    data = encoded(drawing(200, 150), "JPEG")
    answer = server.http.post("/v1/upscale", content=data[: len(data) // 2])
    assert (answer.status_code, name_of(answer)) == (422, "broken-picture")
    job = server.submit(data[: len(data) // 2])
    state = server.finish(job)
    assert state["state"] == "failed"
    assert state["problem"]["type"] == "/problems/broken-picture"
    result = server.http.get(f"/v1/jobs/{job}/result")
    assert (result.status_code, name_of(result)) == (422, "broken-picture")
    server.http.delete(f"/v1/jobs/{job}")
    assert server.empty()


def test_twenty_one_megabytes_are_413_however_they_come(server: Running) -> None:
    data = encoded(drawing()) + bytes(21_000_000)
    assert refused(server, data) == (413, "too-large-bytes")

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(data), 100_000):
            yield data[start : start + 100_000]

    answer = server.http.post("/v1/upscale", content=pieces())
    assert (answer.status_code, name_of(answer)) == (413, "too-large-bytes")
    huge = raw(
        server, f"POST /v1/jobs HTTP/1.1\r\nHost: {host(server)}\r\nContent-Length: 99999999999\r\n\r\n".encode()
    )
    assert b" 413 " in huge.splitlines()[0]
    assert server.empty()


def host(server: Running) -> str:
    return server.address.removeprefix("http://")


def raw(server: Running, data: bytes, seconds: float = 20.0) -> bytes:
    """Send bytes as they are; return what comes back until the server hangs up or has said enough."""
    with socket.create_connection(("127.0.0.1", server.port), seconds) as line:
        line.sendall(data)
        answer = b""
        try:
            while piece := line.recv(65_536):
                answer += piece
                if b"\r\n\r\n" in answer and b"}" in answer:
                    break
        except TimeoutError:
            pass
        return answer


def test_an_endless_slow_upload_is_cut_off(server: Running, picture: bytes) -> None:
    for address in ("/token", "/v1/upscale"):
        head = f"POST {address} HTTP/1.1\r\nHost: {host(server)}\r\nContent-Length: 3000\r\n\r\n".encode()
        started = time.monotonic()
        assert b" 408 " in raw(server, head + picture[:50]).splitlines()[0]
        assert time.monotonic() - started < 15
    with socket.create_connection(("127.0.0.1", server.port), 20) as line:
        line.sendall(head)
        ends = time.monotonic() + 15
        line.settimeout(0.5)
        answer = b""
        while not answer and time.monotonic() < ends:
            line.sendall(b"x")
            try:
                answer = line.recv(1000)
            except TimeoutError:
                continue
    assert b" 408 " in answer.splitlines()[0]
    assert server.empty()


def test_a_connection_that_says_nothing_is_closed(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 15) as line:
        line.sendall(b"GET / HT")
        assert line.recv(100) == b""


@pytest.mark.parametrize("said", ["", "Content-Length: 1000\r\n"])
def test_a_second_request_that_never_ends_is_not_waited_for(server: Running, said: str) -> None:
    """Nor is a body that nobody wants, byte by byte."""
    with socket.create_connection(("127.0.0.1", server.port), 15) as line:
        line.sendall(f"GET /healthz HTTP/1.1\r\nHost: {host(server)}\r\n{said}\r\n".encode())
        answer = b""
        while not answer.endswith(b"ok"):
            piece = line.recv(5000)
            assert piece, answer
            answer += piece
        ends, line_is_open = time.monotonic() + 30, True
        line.settimeout(0.2)
        while line_is_open and time.monotonic() < ends:
            try:
                line.sendall(b"x")
                line_is_open = line.recv(100) != b""
            except TimeoutError:
                continue
            except OSError:
                line_is_open = False
        assert not line_is_open


def test_nobody_is_asked_for_a_body_that_is_refused(server: Running) -> None:
    head = "POST /v1/upscale HTTP/1.1\r\nHost: evil\r\nContent-Length: 9000000\r\nExpect: 100-continue\r\n\r\n"
    assert raw(server, head.encode()).startswith(b"HTTP/1.1 403 ")


def test_a_client_that_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kakudai.serve.server.UNREAD", 500)
    with listen("127.0.0.1", 0) as waiting, socket.create_connection(waiting.getsockname()):
        waiting.setblocking(True)
        line, _ = waiting.accept()
        line.settimeout(60)
        with line, pytest.raises(OSError) as caught:
            line.sendall(bytes(64 << 20))
    assert caught.value.errno == errno.ETIMEDOUT


def test_a_client_that_leaves_while_it_reads_leaves_nothing(server: Running) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (1000, 1000, 3), dtype=np.uint8)
    data = encoded(noise)
    head = f"POST /v1/upscale?scale=1&denoise=0 HTTP/1.1\r\nHost: {host(server)}\r\nContent-Length: {len(data)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 60) as line:
        line.sendall(head.encode() + data)
        assert line.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert server.files()
    assert server.empty()


def test_a_client_that_hangs_up_while_it_sends_leaves_nothing(server: Running, picture: bytes) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port), 15) as line:
            line.sendall(
                f"POST /v1/jobs HTTP/1.1\r\nHost: {host(server)}\r\nContent-Length: 5000\r\n\r\n".encode()
                + picture[:50]
            )
    assert server.empty()


def test_a_thousand_fields_are_400(server: Running, picture: bytes) -> None:
    fields = {f"field{number}": "x" for number in range(1000)}
    answer = server.http.post("/v1/upscale", data=fields, files={"file": ("a.png", picture)})
    assert (answer.status_code, name_of(answer)) == (400, "too-many-fields")
    long = server.http.post("/v1/upscale", data={"model": "x" * 100_000}, files={"file": ("a.png", picture)})
    assert (long.status_code, name_of(long)) == (400, "too-many-fields")
    twice = [("file", ("a.png", picture)), ("file", ("b.png", picture))]
    answer = server.http.post("/v1/upscale", files=twice)
    assert (answer.status_code, name_of(answer)) == (400, "malformed-request")
    assert server.empty()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b\r\n",
        b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nPNG',
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\n" + b"X: y\r\n" * 100 + b"\r\nx\r\n--b--\r\n",
        b"no boundary at all",
    ],
)
def test_malformed_forms_are_400(server: Running, body: bytes) -> None:
    for kind in ("multipart/form-data; boundary=b", "multipart/form-data"):
        answer = server.http.post("/v1/jobs", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 400
        assert name_of(answer) in ("malformed-request", "no-picture")
    assert server.empty()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"denoise": "101"}, "wrong-option"),
        ({"denoise": "-1"}, "wrong-option"),
        ({"denoise": "some"}, "wrong-option"),
        ({"scale": "99"}, "wrong-option"),
        ({"scale": "nan"}, "wrong-option"),
        ({"scale": "inf"}, "wrong-option"),
        ({"tta": "3"}, "wrong-option"),
        ({"quality": "0"}, "wrong-option"),
        ({"format": "svg"}, "wrong-option"),
        ({"fit": "axb"}, "wrong-option"),
        ({"width": "1e3"}, "wrong-option"),
        ({"strip": "perhaps"}, "wrong-option"),
        ({"region": "1,2,3"}, "wrong-option"),
        ({"scale": ["2", "3"]}, "wrong-option"),
        ({"scale": "2", "width": "100"}, "not-possible"),
        ({"fit": "60000x60000"}, "not-possible"),
        ({"model": "no-such"}, "unknown-model"),
        ({"model": "../../etc/passwd"}, "unknown-model"),
        ({"model": "/etc/passwd"}, "unknown-model"),
        ({"url": "http://localhost/"}, "unknown-option"),
        ({"tile": "32"}, "unknown-option"),
    ],
)
def test_wrong_options_are_422_and_say_what_is_accepted(
    server: Running, picture: bytes, options: dict[str, str], name: str
) -> None:
    answer = server.http.post("/v1/upscale", params=options, files={"file": ("a.png", picture)})
    assert (answer.status_code, name_of(answer)) == (422, name)
    if name == "wrong-option":
        (error,) = answer.json()["errors"]
        assert error["field"] in options
        assert error["accepted"]
    assert server.empty()


def test_no_network_removes_noise_where_none_is_shipped(server: Running, picture: bytes) -> None:
    """With networks that restore, strength 50 is done; without, the answer says so: never a 500."""
    answer = server.http.post("/v1/upscale", params={"denoise": "50"}, files={"file": ("a.png", picture)})
    assert answer.status_code == 200 or (answer.status_code, name_of(answer)) == (422, "not-possible")


def test_addresses_that_are_not_there_are_404(server: Running) -> None:
    jobs = [f"/v1/jobs/{'0' * 32}", f"/v1/jobs/{'0' * 32}/result", f"/v1/jobs/{'0' * 32}/events", "/v1/jobs/..%2fx"]
    for address in (*jobs, "/v1/none", "/page/", "/page/..%2fserver.py", "/page/%2e%2e/server.py", "/page/a%00b",
                    "/page/" + "a" * 5000, "/page/networks/none.onnx", "/problems/none", "/jobs/1"):  # fmt: skip
        answer = server.http.get(address)
        assert answer.status_code == 404, address
        assert name_of(answer) in ("job-not-found", "not-found")
    assert name_of(server.http.delete(jobs[0])) == "job-not-found"
    answer = server.http.put("/v1/upscale")
    assert (answer.status_code, name_of(answer)) == (405, "method-not-allowed")
    assert "POST" in answer.headers["allow"]


def test_names_of_files_are_harmless(server: Running, picture: bytes) -> None:
    for sent, kept in (("../../etc/x.png", "x_2x.png"), ("C:\\a\\b.png", "b_2x.png"), ("猫.png", "%E7%8C%AB_2x.png"),
                       ("a\"\r\nSet-Cookie: b.png", None), ("x" * 500 + ".png", None)):  # fmt: skip
        answer = server.http.post("/v1/upscale", files={"file": (sent, picture)})
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        if kept:
            assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{kept}"
        assert len(answer.headers["content-disposition"]) < 1000


def test_every_problem_is_explained(server: Running) -> None:
    document = server.http.get("/openapi.json").json()
    kinds = document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
    assert len(kinds) > 30
    for address in kinds:
        answer = server.http.get(address)
        assert answer.status_code == 200
        assert len(answer.text) > 40
    assert "<h1>" in server.http.get(kinds[0], headers={"Accept": "text/html"}).text


def test_hostile_files_never_give_a_500(server: Running, shared: Path) -> None:
    """All at both endpoints; whatever is done with them, it is one of these."""
    files = sorted(path for path in (shared / "data/test/hostile").iterdir() if path.suffix != ".tsv")
    assert len(files) >= HOSTILE_LEAST
    counted: dict[int, int] = {}
    for path in files:
        data = path.read_bytes()
        if not data:
            continue
        answer = server.http.post(
            "/v1/upscale", files={"file": (path.name, data)}, params={"format": "png", "scale": "1"}
        )
        counted[answer.status_code] = counted.get(answer.status_code, 0) + 1
        assert answer.status_code in (200, 413, 415, 422), f"{path.name}: {answer.text}"
        if answer.status_code != 200:
            name_of(answer)
        queued = server.http.post("/v1/jobs", files={"file": (path.name, data)}, params={"format": "png", "scale": "1"})
        if queued.status_code == 202:
            state = server.finish(queued.json()["id"])
            assert state["state"] == ("done" if answer.status_code == 200 else "failed"), path.name
            assert server.http.delete(f"/v1/jobs/{state['id']}").status_code == 204
        else:
            assert queued.status_code == answer.status_code
    assert counted[422] > 20
    assert counted[415] > 10
    assert server.http.get("/readyz").status_code == 200
    assert server.empty()


def test_two_hundred_clients_at_once_get_an_answer(server: Running, picture: bytes) -> None:
    answers: list[tuple[int, str]] = []

    def send() -> None:
        answer = http.post("/v1/upscale", files={"file": ("a.png", picture)})
        answers.append((answer.status_code, "" if answer.status_code == 200 else name_of(answer)))
        assert answer.status_code == 200 or int(answer.headers["retry-after"]) >= 1

    many = httpx.Limits(max_connections=200)
    with httpx.Client(base_url=server.address, timeout=90, trust_env=False, limits=many) as http:
        threads = [threading.Thread(target=send) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(90)
    assert len(answers) == 200
    assert set(answers) <= {(200, ""), (503, "queue-full"), (503, "too-many-uploads"), (429, "too-many-requests")}
    assert sum(status == 200 for status, _ in answers) >= 17
    assert server.empty()


def test_what_decoding_may_cost_is_limited(tmp_path: Path, picture: bytes) -> None:
    """A decoder that needs more memory or time than it may is ended; the server and the next picture are well."""
    with start_server(tmp_path / "memory", limits={"decode_bytes": 190 << 20}) as server:
        answer = server.http.post("/v1/analyse", content=bomb(4800, 4800))
        assert (answer.status_code, name_of(answer)) == (422, "too-hard-to-decode")
        assert "memory" in answer.json()["detail"]
        assert server.http.post("/v1/analyse", content=picture).status_code == 200
        assert server.empty()
    with start_server(tmp_path / "time", limits={"decode_seconds": 0.0}) as server:
        state = server.finish(server.submit(bomb(3000, 3000)))
        assert state["problem"]["type"] == "/problems/too-hard-to-decode"


def test_a_decoder_reaches_nobody() -> None:
    code = (
        "import os, socket\nfrom kakudai.serve.decoder_process import limit_this_process as limit\n"
        "with socket.create_server(('127.0.0.1', 0)) as server:\n"
        "    before, address = os.readlink('/proc/self/ns/net'), server.getsockname()\n"
        "    limit(10, 2 << 30)\n"
        "    print('free' if os.readlink('/proc/self/ns/net') == before else 'alone')\n"
        "    socket.create_connection(address, 5)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    if done.stdout.startswith("free"):
        pytest.skip("this system lets no ordinary process leave its network")
    assert done.stdout == "alone\n"
    assert "unreachable" in done.stderr


def test_a_disk_that_fills_up_is_no_fault_of_the_picture(tmp_path: Path, picture: bytes) -> None:
    """/dev/full takes nothing more, neither pixels nor an answer."""
    folder, source = tmp_path / "decoded", tmp_path / "upload"
    folder.mkdir()
    source.write_bytes(picture)
    for name in (COLOR, ANSWER):
        (folder / name).symlink_to("/dev/full")
    job = Job("1", tmp_path, "", "a.png", Options(), Header("png", (48, 36)))
    order = json.dumps({**order_for(job, Settings(), analyse=False), "id": 1})
    words = [sys.executable, "-P", "-m", "kakudai.serve.decoder_process"]
    done = subprocess.run(words, input=order, capture_output=True, text=True, timeout=60, check=False)
    answer = json.loads(done.stdout.splitlines()[1])
    assert (answer["event"], answer["problem"]) == ("failed", "no-room")


def test_processor_time_is_limited() -> None:
    code = "from kakudai.serve.decoder_process import limit_this_process as l\nl(1, 2 << 30)\nwhile True: pass"
    done = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert done.returncode in (-signal.SIGXCPU, -signal.SIGKILL)
