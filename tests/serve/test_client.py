"""The Python client against a real server."""

from pathlib import Path

import pytest
from tests.serve.running import Running

from kakudai.serve.client import Client, ServerProblem, Wish


@pytest.fixture
def client(server: Running) -> Client:
    return Client(server.address)


def test_upscale_from_a_path_and_from_bytes(client: Client, picture: bytes, tmp_path: Path) -> None:
    source = tmp_path / "small.png"
    source.write_bytes(picture)
    with client:
        whole = client.upscale(source, Wish(scale=3, format="webp"))
        assert whole.name == "small_3x.webp"
        assert whole.data[8:12] == b"WEBP"
        assert whole.model
        assert whole.seconds > 0
        assert client.upscale(picture, Wish(fit=(100, 50), strip=True)).name == "picture_100x50.png"
        assert client.upscale(picture, Wish(region=(1, 2, 3, 4))).strength == 0


def test_a_job_with_progress(client: Client, picture: bytes) -> None:
    seen = []
    with client:
        job = client.submit(picture, Wish(scale=4))
        last = client.wait(job, progress=seen.append)
        assert last.state == "done"
        assert last.is_final
        assert last.output_size == (192, 144)
        assert seen[-1] == last
        assert client.result(job).data == client.upscale(picture, Wish(scale=4)).data
        client.cancel(job)
        with pytest.raises(ServerProblem) as caught:
            client.state(job)
    assert (caught.value.name, caught.value.status) == ("job-not-found", 404)
    assert caught.value.hint


def test_models_and_analyse(client: Client, picture: bytes) -> None:
    with client:
        assert client.models()["words"][0] == "auto"
        assert client.analyse(picture)["width"] == 48


def test_problems_are_exceptions_with_names(client: Client) -> None:
    with client, pytest.raises(ServerProblem, match="format") as caught:
        client.upscale(b"no picture")
    assert caught.value.name == "not-a-picture"
    with Client("http://127.0.0.1:9", timeout=5) as nobody, pytest.raises(ServerProblem, match="does not answer"):
        nobody.models()
