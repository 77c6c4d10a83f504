"""A real S3 server on this machine that counts requests, and refuses some where that is asked."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "pictures"

Answer = Callable[[str, list[tuple[str, str]]], Any]


class Silent(WSGIRequestHandler):
    """Writes no line for each request."""

    def log_request(self, *_: object) -> None:
        """Say nothing."""


class Server:
    """Answers requests in threads of this process.

    Attributes:
        asked: How often each method was asked for, with its path.
        faulty: Every so manieth request gets 503; 0 for none. Of these every other is carried out all the same.
        denied: Words in the method and path of requests that get 403.
        forgets: It overwrites what is there, also where it is told not to, as servers do that know no conditions.
        is_terse: It says that something is there in the words of MinIO, which names no condition.
        after: Called with the method and path of each request that has been carried out, before it is answered.
    """

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self.asked: Counter[tuple[str, str]] = Counter()
        self.asked_lock = threading.Lock()
        self.reset()
        self.server = make_server("127.0.0.1", 0, self.answer, threaded=True, request_handler=Silent)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def reset(self) -> None:
        """Be a good server again."""
        self.asked.clear()
        self.faulty, self.faults, self.denied = 0, 0, "\0"
        self.forgets = self.is_terse = False
        self.after: Callable[[str, str], None] = lambda _method, _path: None

    def answer(self, environ: dict[str, Any], start: Answer) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        with self.asked_lock:
            self.asked[method, path] += 1
            is_faulty = self.faulty and self.asked.total() % self.faulty == 0
            self.faults += bool(is_faulty)
        if is_faulty:
            if self.faults % 2:
                list(self._moto(environ, lambda *_: None))
                environ["CONTENT_LENGTH"] = "0"
            return _refused(environ, start, "503 Service Unavailable", "ServiceUnavailable")
        if self.denied in f"{method} {path}":
            return _refused(environ, start, "403 Forbidden", "AccessDenied")
        if self.forgets:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        said: list[tuple[str, list[tuple[str, str]]]] = []
        body = list(self._moto(environ, lambda status, headers, *_: said.append((status, headers))))
        self.after(method, path)
        [(status, headers)] = said
        if self.is_terse and status.startswith("412"):
            environ["CONTENT_LENGTH"] = "0"
            return _refused(environ, start, "412 Precondition Failed", "PreconditionFailed")
        start(status, headers)
        return body

    def count(self, *methods: str, below: str = "") -> int:
        """Say how many requests there were of some methods for paths that hold a word."""
        return sum(number for (method, path), number in self.asked.items() if method in methods and below in path)


def _refused(environ: dict[str, Any], start: Answer, status: str, code: str) -> Iterable[bytes]:
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = f"<Error><Code>{code}</Code><Message>on purpose</Message></Error>".encode()
    start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


@contextmanager
def credentials(url: str) -> Iterator[None]:
    """Let all clients of this process speak to a server, with credentials that mean nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", url)
        patch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", "/nowhere")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        yield


class Bucket:
    """A bucket, seen without the code that is tested."""

    def __init__(self, url: str) -> None:
        self.client = boto3.client("s3", endpoint_url=url)
        self.client.create_bucket(Bucket=BUCKET)

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=data)

    def get(self, key: str) -> bytes:
        data = self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        assert isinstance(data, bytes)
        return data

    def all(self, prefix: str = "") -> dict[str, bytes]:
        """Return all objects below a prefix, by the rest of their names."""
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return {entry["Key"].removeprefix(prefix): self.get(entry["Key"]) for entry in found}

    def times(self, prefix: str) -> dict[str, object]:
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return {entry["Key"].removeprefix(prefix): entry["LastModified"] for entry in found}

    def empty(self, *, take_away: bool = False) -> None:
        for key in self.all():
            self.client.delete_object(Bucket=BUCKET, Key=key)
        if take_away:
            self.client.delete_bucket(Bucket=BUCKET)
