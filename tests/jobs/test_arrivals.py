"""A file is whole when it has stayed as it is for a while."""

from pathlib import Path

from kakudai.jobs.arrivals import Arrivals


def test_files_are_given_once_when_they_have_settled(tmp_path: Path) -> None:
    clock = [0.0]
    arrivals = Arrivals(2.0, lambda: clock[0])
    first, second = tmp_path / "a", tmp_path / "b"

    def look(at: float) -> list[str]:
        clock[0] = at
        return [path.name for path in arrivals.settled([first, second])]

    assert look(0) == []
    assert arrivals.are_all_given
    first.write_bytes(b"1")
    assert look(1) == []
    assert not arrivals.are_all_given
    first.write_bytes(b"12")
    assert look(2.5) == []
    second.write_bytes(b"1")
    assert look(4) == []
    assert look(4.5) == ["a"]
    assert look(6) == ["b"]
    assert look(9) == []
    assert arrivals.are_all_given
    first.write_bytes(b"123")
    second.unlink()
    assert look(10) == []
    assert look(12) == ["a"]


def test_what_is_put_off_is_given_again_later_and_later(tmp_path: Path) -> None:
    clock, path = [0.0], tmp_path / "a"
    arrivals = Arrivals(2.0, lambda: clock[0])
    path.write_bytes(b"1")
    given = []
    for second in range(500):
        clock[0] = second
        if arrivals.settled([path]):
            given.append(second)
            arrivals.put_off([path])
            assert not arrivals.are_all_given
    assert given == [2, 62, 182, 422]
    path.write_bytes(b"12")
    clock[0] = 500
    assert arrivals.settled([path]) == []
    clock[0] = 502
    assert arrivals.settled([path]) == [path]
