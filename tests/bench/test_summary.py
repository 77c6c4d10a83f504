"""What is made of times: shares, gains, tables, a plot."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.bench.records import COLD, ENGINE, NETWORK, record

from kakudai.bench.picture import bars, plot_record
from kakudai.bench.record import Block, Measured
from kakudai.bench.summary import beside_peers, cold_starts, end_to_end, engines, roof_share
from kakudai.bench.tables import as_markdown, tables
from kakudai.bench.timing import Timed
from kakudai.errors import UsageError
from kakudai.image.files import read_image


def test_the_share_of_the_roof_is_that_of_the_fastest_runtime_in_the_same_round() -> None:
    block = record().measured.blocks[0]
    (network,) = block.of("network")
    assert roof_share(block, network) == 0.5  # 5e9 in 10 s, beside 1e9 in 1 s
    assert roof_share(block, Timed(replace(NETWORK, precision="int8"), (1.0,) * 3)) is None
    assert roof_share(block, block.of("peer")[0]) is None  # nobody has counted its multiply-adds


def test_files_are_put_beside_their_own_network() -> None:
    (found,) = end_to_end(record().measured)
    assert found.share == 0.8
    assert (found.bare.median, found.file.median) == (10.0, 12.5)


def test_other_programs_are_put_beside_our_engine_in_the_first_runtime() -> None:
    (found,) = beside_peers(record().measured)
    assert found.gain == 4.0
    block = record().measured.blocks[0]
    ncnn = Timed(replace(ENGINE, runtime="ncnn"), (1.0,) * 3)
    assert engines(Block("networks: net", (*block.timed, ncnn))) == block.of("engine")


def test_cold_starts_are_counted_in_bare_imports_without_the_network() -> None:
    (found,) = cold_starts(record().measured)
    assert found.process.facts == COLD
    assert found.overhead == 1.0
    assert found.ratio == 2.0


def test_tables_have_all_of_it() -> None:
    made = tables(record())
    assert [len(table.rows) for table in made] == [2, 1, 1, 1, 2]
    assert made[1].rows[0] == ("net", "float32", "onnxruntime", "2", "128", "0.20", "50 %", "100")
    assert made[2].rows[0][-4:] == ("0.04", "0.16", "4.00", "900")
    assert made[3].rows[0][-3:] == ("12.50", "80 %", "0.16")
    assert made[4].rows[1] == ("net, onnxruntime, float32, 750x469", "11.00", "1.00", "2.00")
    assert as_markdown(made[1]).splitlines()[2:4] == [
        "| network | numbers | runtime | threads | tile | MP/s | of the roof | process, peak MB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    empty = replace(record(), measured=Measured(()))
    assert tables(empty) == []


def test_the_plot_has_our_engine_and_the_others_the_fastest_last(tmp_path: Path) -> None:
    assert [entry.facts.kind for entry in bars(record().measured.blocks[0])] == ["peer", "engine"]
    plot_record(record(), tmp_path / "plot.png")
    assert read_image(tmp_path / "plot.png").width > 300
    first, *_ = record().measured.blocks
    alone = Block(first.name, (*first.of("roof"), *first.of("peer")))
    plot_record(replace(record(), measured=Measured((alone,))), tmp_path / "alone.svg")
    with pytest.raises(UsageError, match="no network was measured"):
        plot_record(replace(record(), measured=Measured(())), tmp_path / "none.png")
