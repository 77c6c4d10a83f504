"""A client for `kakudai serve`.

    from kakudai.serve.client import Client, Wish

    with Client("http://127.0.0.1:8812") as client:
        Path("large.png").write_bytes(client.upscale("small.png", Wish(scale=2)).data)
        job = client.submit("photo.jpg", Wish(scale=4, model="photo"))
        client.wait(job, progress=lambda state: print(state.state, state.place, state.progress))
        Path("photo_4x.jpg").write_bytes(client.result(job).data)

It needs httpx: pip install 'kakudai[serve]'.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import unquote

import httpx

from kakudai.errors import KakudaiError

Source = str | PathLike[str] | bytes
"""A path, or the bytes of an encoded picture."""

BETWEEN = 0.25
"""Seconds between two questions about a job."""


class ServerProblem(KakudaiError):
    """The server did not do what was asked.

    Args:
        message: What happened.
        hint: What to do about it.
        name: Of the problem, such as "queue-full"; they are stable.
        status: Of the answer.
        retry_after: Seconds after which another try makes sense, or None.
    """

    def __init__(
        self, message: str, hint: str = "", name: str = "", status: int = 0, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint)
        self.name, self.status, self.retry_after = name, status, retry_after


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a picture; see `kakudai upscale`. None leaves it to the server."""

    scale: float | None = None
    width: int | None = None
    height: int | None = None
    fit: tuple[int, int] | None = None
    model: str = "auto"
    denoise: int | Literal["auto"] = "auto"
    tta: int = 1
    format: str | None = None
    quality: int | None = None
    strip: bool = False
    region: tuple[int, int, int, int] | None = None

    def query(self) -> dict[str, str]:
        """Return it as the server wants it."""
        said = {name: value for name, value in asdict(self).items() if value is not None}
        if self.fit is not None:
            said["fit"] = f"{self.fit[0]}x{self.fit[1]}"
        if self.region is not None:
            said["region"] = ",".join(map(str, self.region))
        return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in said.items()}


@dataclass(frozen=True, slots=True)
class Enlarged:
    """A result: the encoded picture, what to call its file, and what was done."""

    data: bytes
    name: str
    model: str
    strength: int
    precision: str
    reason: str
    seconds: float
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobState:
    """How far a job is; see `GET /v1/jobs/{id}`."""

    id: str
    name: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    place: int | None
    progress: float
    seconds_left: float | None
    input_size: tuple[int, int] | None
    output_size: tuple[int, int] | None
    model: str | None
    strength: int | None
    precision: str | None
    reason: str | None
    notes: tuple[str, ...]
    seconds: float | None
    problem: Mapping[str, Any] | None
    expires: str

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ("done", "failed", "cancelled")


class Client:
    """Speaks to one server. Several threads may use one object.

    Args:
        address: Of the server, such as "http://127.0.0.1:8812".
        token: Where the server wants one.
        timeout: Seconds to wait for an answer; requests that wait for a picture have the server's deadline.
    """

    def __init__(self, address: str, *, token: str | None = None, timeout: float = 90.0) -> None:
        headers = {"Accept": "application/json, image/*"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(base_url=address, headers=headers, timeout=timeout, trust_env=False)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def upscale(self, picture: Source, wish: Wish | None = None) -> Enlarged:
        """Enlarge a picture and wait for it.

        Raises:
            ServerProblem: See its name.
        """
        return _enlarged(self._send("/v1/upscale", picture, wish))

    def submit(self, picture: Source, wish: Wish | None = None) -> str:
        """Queue a picture; return the id of its job.

        Raises:
            ServerProblem: See its name.
        """
        return str(self._send("/v1/jobs", picture, wish).json()["id"])

    def state(self, job: str) -> JobState:
        """Say how far a job is.

        Raises:
            ServerProblem: There is no such job.
        """
        said = self._ask("GET", f"/v1/jobs/{job}").json()
        known = {field.name: said[field.name] for field in fields(JobState)}
        for name in ("input_size", "output_size", "notes"):
            known[name] = None if known[name] is None else tuple(known[name])
        return JobState(**known)

    def wait(self, job: str, progress: Callable[[JobState], None] | None = None) -> JobState:
        """Wait until a job has ended, well or not; return its last state.

        Args:
            job: Its id.
            progress: Called with every state that is new.

        Raises:
            ServerProblem: There is no such job, or not any more.
        """
        last = None
        while True:
            state = self.state(job)
            if progress is not None and state != last:
                progress(state)
            if state.is_final:
                return state
            last = state
            time.sleep(BETWEEN)

    def result(self, job: str) -> Enlarged:
        """Return the result of a job.

        Raises:
            ServerProblem: It has failed, or is not done.
        """
        return _enlarged(self._ask("GET", f"/v1/jobs/{job}/result"))

    def cancel(self, job: str) -> None:
        """Cancel a job, and delete all its files on the server.

        Raises:
            ServerProblem: There is no such job.
        """
        self._ask("DELETE", f"/v1/jobs/{job}")

    def models(self) -> dict[str, Any]:
        """Return the networks, the words for them, and the server's limits."""
        said: dict[str, Any] = self._ask("GET", "/v1/models").json()
        return said

    def analyse(self, picture: Source) -> dict[str, Any]:
        """Say what a picture is, as `kakudai analyse --json` does.

        Raises:
            ServerProblem: See its name.
        """
        said: dict[str, Any] = self._send("/v1/analyse", picture, None).json()
        return said

    def _send(self, address: str, picture: Source, wish: Wish | None) -> httpx.Response:
        data, name = (picture, "picture") if isinstance(picture, bytes) else _read(Path(picture))
        query = {} if wish is None else wish.query()
        return self._ask("POST", address, params=query, files={"file": (name, data)})

    def _ask(
        self,
        method: str,
        address: str,
        params: dict[str, str] | None = None,
        files: dict[str, tuple[str, bytes]] | None = None,
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, address, params=params, files=files)
        except httpx.HTTPError as error:
            raise ServerProblem(f"{self._http.base_url} does not answer: {error}", "is the server running?") from error
        if answer.is_success:
            return answer
        raise _problem(answer)


def _read(path: Path) -> tuple[bytes, str]:
    return path.read_bytes(), path.name


def _problem(answer: httpx.Response) -> ServerProblem:
    after = answer.headers.get("retry-after", "")
    try:
        said = answer.json()
        name = str(said["type"]).rpartition("/")[2]
        detail, hint = str(said["detail"]), str(said["hint"])
    except (ValueError, KeyError, TypeError):
        name, detail, hint = "", f"the server answered {answer.status_code}", ""
    return ServerProblem(detail, hint, name, answer.status_code, float(after) if after.isdecimal() else None)


def _enlarged(answer: httpx.Response) -> Enlarged:
    headers = answer.headers
    named = re.search(r"filename\*=UTF-8''([^;]+)", headers.get("content-disposition", ""))
    return Enlarged(
        answer.content,
        unquote(named[1]) if named else "picture",
        headers.get("kakudai-model", ""),
        int(headers.get("kakudai-strength", 0)),
        headers.get("kakudai-precision", ""),
        headers.get("kakudai-reason", ""),
        float(headers.get("kakudai-seconds", 0)),
        tuple(json.loads(headers.get("kakudai-notes", "[]"))),
    )
