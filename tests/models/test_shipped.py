"""models/shipped.py: which files are for which wish, whatever is there."""

import pytest

from kakudai.models import shipped
from kakudai.models.shipped import Picked, pick


@pytest.fixture
def there(monkeypatch):
    def say(*names: str) -> None:
        monkeypatch.setattr(shipped, "is_shipped", lambda name: name in names)

    return say


WHOLE = ("photo-x2", "photo-x3", "photo-x4", "photo-restore-x1", "photo-restore-x2")


@pytest.mark.parametrize(
    ("ratio", "restore", "picked"),
    [
        (0.5, False, Picked("photo-x2")),
        (1.5, False, Picked("photo-x2")),
        (2.5, False, Picked("photo-x3")),
        (16, False, Picked("photo-x4")),
        (0.5, True, Picked("photo-x2", denoising="photo-restore-x1")),
        (1, True, Picked("photo-x2", denoising="photo-restore-x1")),
        (2, True, Picked("photo-x2", combined="photo-restore-x2")),
        (3, True, Picked("photo-x3", denoising="photo-restore-x1")),
    ],
)
def test_the_whole_family(there, ratio: float, restore: bool, picked: Picked) -> None:
    there(*WHOLE)
    assert pick("photo", ratio, restore=restore) == picked


@pytest.mark.parametrize("ratio", [0.5, 1, 2, 3, 4, 8])
def test_one_restoring_network_is_used_for_all_sizes(there, ratio: float) -> None:
    there("photo-x2", "photo-x4", "photo-restore-x2")
    assert shipped.restores("photo")
    picked = pick("photo", ratio, restore=True)
    assert (picked.enlarging, picked.combined, picked.denoising) == ("photo-x2", "photo-restore-x2", None)


def test_without_a_restoring_network_nothing_is_restored(there) -> None:
    there("art-x2")
    assert not shipped.restores("art")
    assert pick("art", 2, restore=True) == Picked("art-x2")
    assert shipped.enlarges("art")
    assert not shipped.enlarges("photo")


def test_quicker_and_slower_networks_have_words_of_their_own(there) -> None:
    there(*WHOLE, "photo-fast-x2", "photo-best-x2", "photo-best-x4")
    assert shipped.file_of("photo-fast") == "photo-fast-x2"
    assert shipped.enlarges("photo", "best")
    assert not shipped.enlarges("art", "fast")
    assert pick("photo", 2, restore=False, grade="best") == Picked("photo-best-x2")
    assert pick("photo", 4, restore=True, grade="best") == Picked("photo-best-x4", denoising="photo-restore-x1")
    fast = pick("photo", 3, restore=False, grade="fast")
    assert fast.enlarging == "photo-fast-x2"
    assert fast.notes == ("for photo-fast there is 2x and no 3x: it is enlarged in several passes",)


def test_scales_that_are_missing_are_named_with_what_is_done_instead(there) -> None:
    there("art-x2", "art-x4")
    assert pick("art", 2.5, restore=False).notes == ("for art there is 2x and 4x and no 3x: its 4x is shrunk",)
    assert pick("art", 8, restore=False).notes == ()


def test_what_is_in_the_package_is_found() -> None:
    assert shipped.is_shipped("photo-x2")
    assert shipped.file_of("auto") == shipped.file_of("photo") == "photo-x2"
    assert shipped.file_of("photo-x4") == "photo-x4"
