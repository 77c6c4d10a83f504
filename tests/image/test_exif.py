"""What EXIF says of the camera; blocks come from strangers."""

import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from kakudai.image.exif import is_by_camera


def block(first: dict[int, object], below: dict[int, object]) -> bytes:
    exif = Image.Exif()
    exif.update(first)
    exif.get_ifd(IFD.Exif).update(below)
    return exif.tobytes().removeprefix(b"Exif\0\0")


CAMERA = block({Base.Make: "Rikoh"}, {Base.DateTimeOriginal: "1998:01:01 00:00:00"})


def test_a_camera_names_its_maker_and_when_or_how_a_picture_was_taken() -> None:
    assert is_by_camera(CAMERA)
    assert is_by_camera(block({Base.Make: "Rikoh"}, {Base.FNumber: 2.8}))
    assert is_by_camera(block({Base.Make: "Rikoh"}, {Base.ExposureTime: 0.01}))


@pytest.mark.parametrize(
    ("first", "below"),
    [
        ({}, {Base.FNumber: 2.8}),
        ({Base.Make: "a scanner"}, {}),
        ({Base.Make: "a scanner"}, {Base.ColorSpace: 1}),
        ({Base.Software: "a program"}, {Base.ColorSpace: 1}),
    ],
)
def test_scanners_and_programs_are_no_cameras(first: dict[int, object], below: dict[int, object]) -> None:
    assert not is_by_camera(block(first, below))


def test_no_block_and_none_that_is_cut_off_is_believed() -> None:
    assert not is_by_camera(None)
    for length in range(len(CAMERA)):
        is_by_camera(CAMERA[:length])
    assert not is_by_camera(CAMERA[:20])
    assert not is_by_camera(b"II*\0\xff\xff\xff\xff")
