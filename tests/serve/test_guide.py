"""The guide's commands and lines of Python do what they say."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.serve.running import Running, drawing, encoded

from kakudai.cli.main import COMMANDS

GUIDE = (Path(__file__).parents[2] / "docs/guides/server.md").read_text()
HERE = "http://127.0.0.1:8812"


def test_the_commands_run(server: Running, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    (tmp_path / "photo.jpg").write_bytes(encoded(drawing(200, 150), "JPEG"))
    lines = [line.partition("  #")[0].strip() for line in re.findall(rf"^curl .*{HERE}.*$", GUIDE, re.MULTILINE)]
    assert len(lines) >= 8
    job = ""
    for line in lines:
        words = line.replace(HERE, server.address).replace("/jobs/ID", f"/jobs/{job}")
        command = words.replace("curl ", "curl -s -S --fail ", 1)
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        if line.endswith("/v1/jobs"):
            job = re.findall(r'"id":"(\w+)"', done.stdout)[0]
            server.finish(job)
    assert server.empty()


def test_the_python_runs(server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(encoded(drawing(), "JPEG"))
    (source,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    exec(compile(source.replace(HERE, server.address), "server.md", "exec"), {})
    assert (tmp_path / "from-server.jpg").exists()


def test_its_options_are_those_of_the_command() -> None:
    reference = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text()
    own = reference.partition("## kakudai serve")[2].partition("\n## ")[0]
    assert "serve" in COMMANDS
    for option in set(re.findall(r"`(--[a-z-]+)`", GUIDE)):
        assert option in own, option
