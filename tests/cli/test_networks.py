"""`kakudai networks`."""

import json
import subprocess
import sys

import pytest

from kakudai.cli import networks, table
from kakudai.cli.main import run
from kakudai.cli.networks import cited
from kakudai.networks import network_names

KEYS = {
    "name", "variant", "network", "arguments", "scale", "in_channels", "parameters", "macs_per_output_pixel",
    "macs_1280x720", "receptive_field", "paper",
}  # fmt: skip


def test_all_networks_are_listed_with_their_variants(capsys) -> None:
    assert run(["networks", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in rows} == set(network_names())
    assert all(set(row) == KEYS for row in rows)
    found = {row["variant"]: row for row in rows}
    assert len(found) == len(rows)
    assert found["EDSR x2"]["parameters"] == 40_729_603
    assert found["VDSR"]["macs_1280x720"] == pytest.approx(612.6e9, rel=1e-3)
    assert found["upcunet"]["receptive_field"] is None
    assert found["EDSR-baseline x3"]["scale"] == 3
    assert found["EDSR x2"]["arguments"] == {"blocks": 32, "channels": 256, "residual_scale": 0.1}
    assert found["ECBSR-M4C16 x2"]["network"] == "ECBSR"


def test_one_network_as_a_table(capsys) -> None:
    assert run(["networks", "waifu2x"]) == 0
    out = capsys.readouterr().out
    lines = {line.split("  ")[0].strip(): line.split() for line in out.splitlines()}
    assert lines["upcunet"][1:5] == ["waifu2x", "2x", "3", "1,284,598"]
    assert "all" in lines["upcunet"]
    assert lines["upconv_7"][-3:] == ["15", "nagadomi", "2015"]
    assert "SRCNN" not in out


def test_an_unknown_network_is_named(capsys) -> None:
    assert run(["networks", "srgan"]) == 2
    error = capsys.readouterr().err
    assert "no network is called 'srgan'" in error
    assert "srresnet" in error


def test_a_mistyped_name_is_found_without_torch() -> None:
    code = "import sys\nfrom kakudai.cli.main import run\nassert run(['networks', 'srgan']) == 2\n"
    code += "assert 'torch' not in sys.modules\n"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_one_network_asked_for_is_one_counted(monkeypatch, capsys) -> None:
    counted = []
    monkeypatch.setattr("kakudai.train.count.count_variants", lambda name: counted.append(name) or [])
    assert run(["networks", "srcnn"]) == 0
    assert counted == ["srcnn"]


def test_a_narrow_terminal_cuts_nothing_off(monkeypatch, capsys) -> None:
    monkeypatch.setattr(table, "WIDE", 80)
    assert run(["networks", "edsr"]) == 0
    out = capsys.readouterr().out
    assert "Lim 2017" in out
    assert "10,183,104" in out
    assert "…" not in out


def test_without_torch_it_says_what_to_install(monkeypatch, capsys) -> None:
    monkeypatch.setattr(networks, "find_spec", lambda name: None)
    assert run(["networks"]) == 2
    assert "kakudai[train]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("paper", "short"),
    [
        ('Kim, Lee, Lee, "Very Deep", CVPR 2016, https://arxiv.org/abs/1511.04587', "Kim 2016"),
        ('no paper; nagadomi, "waifu2x", 2015 to 2018, https://github.com', "nagadomi 2015"),
        ("no paper; the three-CNN comparison with waifu2x, of about 2018", "the three-CNN comparison… 2018"),
        ("nobody, https://arxiv.org/abs/2001.00001", "nobody"),
    ],
)
def test_papers_are_cited_short(paper: str, short: str) -> None:
    assert cited(paper) == short
