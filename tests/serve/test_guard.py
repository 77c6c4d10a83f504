"""Who may ask what: hosts, other sites, tokens; and what browsers are told."""

import re
import socket
from collections.abc import Iterator

import pytest
from tests.serve.running import Running, name_of, start_server

from kakudai.serve.guard import HEADERS, check_exposure, host_of, known_names
from kakudai.serve.routes_page import FOLDER, TYPES
from kakudai.serve.settings import Settings, is_loopback

TOKEN = "correct horse battery"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("server") / "files"
    with start_server(folder, names=["pictures.example"], token=TOKEN) as running:
        running.http.headers["Authorization"] = f"Bearer {TOKEN}"
        yield running


def test_a_forged_host_is_403(server: Running) -> None:
    for host in ("evil.example", "evil.example:8812", "127.0.0.1.evil.example", "10.0.0.1", ""):
        answer = server.http.get("/healthz", headers={"Host": host})
        assert (answer.status_code, name_of(answer)) == (403, "wrong-host")
    for host in ("127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:80", "pictures.example", "Pictures.Example:443"):
        assert server.http.get("/healthz", headers={"Host": host}).status_code == 200


def test_other_sites_may_send_nothing(server: Running, picture: bytes) -> None:
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
    ):
        answer = server.http.post("/v1/jobs", content=picture, headers=headers)
        assert (answer.status_code, name_of(answer)) == (403, "cross-site")
    for headers in (
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": server.address},
        {"Origin": "null"},
    ):
        assert server.http.post("/v1/analyse", content=picture, headers=headers).status_code == 200
    answer = server.http.options("/v1/jobs", headers={"Origin": "http://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_the_token_is_needed(server: Running, picture: bytes) -> None:
    none = {"Authorization": ""}
    for method, address in (("POST", "/v1/upscale"), ("POST", "/v1/jobs"), ("GET", "/v1/models"), ("GET", "/metrics"),
                            ("GET", "/v1/jobs/" + "0" * 32), ("POST", "/api"), ("GET", "/jobs/x")):  # fmt: skip
        answer = server.http.request(method, address, headers=none)
        assert (answer.status_code, name_of(answer)) == (401, "token-missing")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        answer = server.http.request(method, address, headers={"Authorization": "Bearer wrong"})
        assert (answer.status_code, name_of(answer)) == (403, "token-wrong")
    for address in ("/healthz", "/readyz", "/token", "/problems/token-missing", "/openapi.json"):
        assert server.http.get(address, headers=none).status_code == 200
    assert server.http.post("/v1/upscale", content=picture).status_code == 200


def test_the_token_may_be_a_cookie_that_no_script_reads(server: Running) -> None:
    none = {"Authorization": ""}
    form = server.http.get("/token", headers=none)
    assert '<form method="post" action="/token">' in form.text
    wrong = server.http.post("/token", data={"token": "wrong"}, headers=none)
    assert (wrong.status_code, name_of(wrong)) == (403, "token-wrong")
    right = server.http.post("/token", data={"token": TOKEN}, headers=none)
    assert right.status_code == 303
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    server.http.cookies.clear()
    sent = {"Authorization": "", "Cookie": cookie.partition(";")[0]}
    assert server.http.get("/v1/models", headers=sent).status_code == 200
    long = server.http.post("/token", content=b"token=" + b"x" * 10_000, headers=none)
    assert (long.status_code, name_of(long)) == (400, "malformed-request")


def test_a_browser_without_scripts_is_shown_where_to_sign_in(server: Running) -> None:
    answer = server.http.get("/jobs/x", headers={"Authorization": "", "Accept": "text/html"})
    assert answer.status_code == 401
    assert 'href="/token"' in answer.text


def test_every_answer_keeps_browsers_in_bounds(server: Running) -> None:
    for address in ("/healthz", "/", "/page/none.js", "/v1/models", "/token", "/v1/none"):
        answer = server.http.get(address)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "unsafe-inline" not in answer.headers["content-security-policy"]


def test_networks_are_served_for_the_page_and_kept_by_browsers(server: Running) -> None:
    name = server.http.get("/v1/models").json()["models"][0]["name"]
    answer = server.http.get(f"/page/networks/{name}.onnx", headers={"Authorization": ""})
    assert answer.status_code == 200
    assert len(answer.content) > 10_000
    again = server.http.get(f"/page/networks/{name}.onnx", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_files_of_the_page_have_types_and_are_kept_by_browsers(server: Running) -> None:
    none = {"Authorization": ""}
    assert server.http.get("/", headers=none).headers["content-type"] == "text/html; charset=utf-8"
    for path in [path for path in FOLDER.rglob("*") if path.suffix in TYPES and path.is_file()]:
        answer = server.http.get(f"/page/{path.relative_to(FOLDER)}", headers=none)
        assert (answer.status_code, answer.content) == (200, path.read_bytes())
        assert answer.headers["content-type"] == TYPES[path.suffix]
        again = {**none, "If-None-Match": f'"other", W/{answer.headers["etag"]}'}
        assert server.http.get(f"/page/{path.relative_to(FOLDER)}", headers=again).status_code == 304


def test_models_say_what_there_is_and_what_is_allowed(server: Running) -> None:
    said = server.http.get("/v1/models").json()
    assert {"name", "scale", "task", "style", "parameters", "licence", "quality"} <= set(said["models"][0])
    assert said["words"][0] == "auto"
    assert 2 in said["scales"]["photo"]
    assert said["keeps_place"] is False
    assert {"bytes", "input_pixels", "input_side", "output_pixels", "formats_in", "formats_out", "queue",
            "life_seconds"} <= set(said["limits"])  # fmt: skip


def test_metrics_count_answers(server: Running) -> None:
    server.http.get("/healthz")
    assert server.http.request("MADE-UP", "/healthz").status_code == 405
    text = server.http.get("/metrics").text
    assert re.search(r'^kakudai_requests_total\{method="GET",route="healthz",status="200"\} \d', text, re.MULTILINE)
    assert "process_resident_memory_bytes" in text
    assert 'method="other",route="healthz",status="405"' in text
    assert "MADE-UP" not in text


def test_where_a_token_is_needed() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("::")
    assert not is_loopback("localhost.evil.example")
    assert check_exposure(Settings(host="192.0.2.1"))
    assert check_exposure(Settings(host="192.0.2.1", token="x")) is None
    assert check_exposure(Settings()) is None
    assert {"*", socket.gethostname().lower()} <= known_names(Settings(host="0.0.0.0", token="x"))
    assert "*" not in known_names(Settings())
    assert [host_of(word) for word in ("A:1", "[::1]:2", "a", "")] == ["a", "::1", "a", ""]
