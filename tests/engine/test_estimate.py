"""engine/estimate.py and frame_costs.py: what lies in arrays is what was said, and what is too much is refused."""

import struct
import weakref
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.animations import animated, moving_square
from tests.families import make_family
from tests.small_models import nearest
from tests.upscalers import session_of

from kakudai.engine import estimate, frame_costs, intake
from kakudai.engine.batch import upscale_file
from kakudai.engine.estimate import Sizes, arrays_between
from kakudai.engine.frame_costs import check_frames, frames_memory
from kakudai.engine.job import FileOptions, Job
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import OutputError, PictureTooLarge
from kakudai.image import animation
from kakudai.image.animation import Animation, open_animation
from kakudai.image.formats import FORMATS
from kakudai.image.picture import Metadata, Picture
from kakudai.image.spool import Room, mapping_of
from kakudai.models import find_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(nearest())
    return path


def noise(channels: int, dtype: type = np.uint8) -> np.ndarray:
    return (np.random.default_rng(0).random((41, 52, channels)) * 255).astype(dtype)


PICTURES = {
    "color": Picture(noise(3)),
    "grey": Picture(noise(1)),
    "16 bits": Picture(noise(3, np.uint16)),
    "floats": Picture(noise(3, np.float32) / 255),
    "alpha": Picture(noise(3), np.where(noise(1) > 99, 255, 0).astype(np.uint8)),
    "flat alpha": Picture(noise(3), np.full((41, 52, 1), 255, np.uint8)),
}


class Counting(Room):
    """Puts all arrays into files, and counts the bytes that there are at the same time."""

    there: list[int] = []  # noqa: RUF012
    most = 0

    def array(self, shape: tuple[int, ...], dtype: object) -> np.ndarray:
        array = super().array(shape, dtype)
        mapping = mapping_of(array)
        assert mapping is not None
        Counting.there.append(array.nbytes)
        Counting.most = max(Counting.most, sum(Counting.there))
        weakref.finalize(mapping, Counting.there.remove, array.nbytes)
        return array


@pytest.mark.parametrize("scale", [0.4, 1, 1.7, 2, 3, 3.3, 4, 6, 8])
@pytest.mark.parametrize("kind", PICTURES)
def test_arrays_between_networks_are_those_that_there_are(kind: str, scale: float, model: Path, tmp_path: Path) -> None:
    """4x is two passes of 2x, 8x three; what is not a power of two ends with a resize."""
    Counting.there, Counting.most = [], 0
    with Upscaler(scale, model=find_model(model), runtime="onnxruntime", tile=32) as upscaler:
        picture = PICTURES[kind]
        chosen = upscaler.choose(picture)
        enlarging, report = upscaler.enlarge(picture, chosen, Counting(tmp_path, 0))
        for _ in enlarging.rows():
            pass
        said = arrays_between(picture, report.plan, chosen.tools)
    assert sum(said) == Counting.most
    assert Counting.there == []


@pytest.mark.parametrize("scale", [0.5, 1, 2, 3, 4])
@pytest.mark.parametrize("names", [("noise1", "scale2.0x"), ("noise1_scale2.0x", "scale2.0x"), ("noise1_scale2.0x",)])
@pytest.mark.parametrize("kind", ["color", "alpha"])
def test_networks_that_remove_noise_have_arrays_too(
    kind: str, names: tuple[str, ...], scale: float, tmp_path: Path
) -> None:
    Counting.there, Counting.most = [], 0
    folder = make_family(tmp_path / "family", *names)
    with Upscaler(scale, model=folder, denoise=50, runtime="onnxruntime", tile=32) as upscaler:
        picture = PICTURES[kind]
        chosen = upscaler.choose(picture)
        enlarging, report = upscaler.enlarge(picture, chosen, Counting(tmp_path, 0))
        for _ in enlarging.rows():
            pass
        assert sum(arrays_between(picture, report.plan, chosen.tools)) == Counting.most


def test_sizes_of_a_large_picture_are_known(model: Path) -> None:
    """8000 x 8000 pixels of 3 bytes: at 4x the one picture in between is 16,000 x 16,000, in 16 bits."""
    picture = Picture(np.broadcast_to(np.uint8(7), (8000, 8000, 3)))
    found = {}
    for scale in (2, 3.3, 4):
        with Upscaler(scale, model=find_model(model), runtime="onnxruntime") as upscaler:
            chosen = upscaler.choose(picture)
            found[scale] = Sizes.of(picture, upscaler.plan_picture(picture, chosen).plan, chosen.tools)
    base = 8000 * 8000
    assert found[2].between == ()
    assert found[4].between == (4 * base * 3 * 2,)
    assert found[3.3].between == (4 * base * 3 * 2, 16 * base * 3 * 2)
    assert found[4].spool == base * 3 + 4 * base * 3 * 2


def test_each_array_by_itself_is_small_or_not() -> None:
    """Two that are kept in memory do not become a file because they are large together."""
    sizes = Sizes(estimate.SMALL, (estimate.SMALL, estimate.SMALL, estimate.SMALL + 1), 0, 0, 0)
    assert sizes.spooled_between == sizes.spool == estimate.SMALL + 1
    assert sizes.memory(FORMATS["png"], streamed=False) == estimate.PROCESS + 3 * estimate.SMALL


def test_large_gifs_are_refused_and_never_come_in_rows(model: Path, tmp_path: Path) -> None:
    picture = Picture(np.broadcast_to(np.uint8(7), (4000, 4000, 3)))
    assert not estimate.is_streamed(picture, (9000, 9000), FORMATS["gif"])
    with Upscaler(model=find_model(model), runtime="onnxruntime") as upscaler:
        chosen = upscaler.choose(picture)
        with pytest.raises(OutputError, match=r"GIF encoder keeps all of a picture: 8000 x 8000 pixels take 2\.8 GB"):
            intake.check(Job("", tmp_path / "x.gif", ""), intake.Read(picture, chosen), upscaler, FileOptions())


def gif(path: Path) -> Path:
    path.write_bytes(animated(moving_square(3), "gif", [Fraction(1, 10)] * 3))
    return path


def test_frames_that_are_too_large_are_refused_before_the_work(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = gif(tmp_path / "in.gif")
    with Upscaler(model=find_model(model), runtime="onnxruntime") as upscaler:
        found = open_animation(source)
        assert found is not None
        plan, tools = upscaler.plan(40, 60), upscaler.choose(PICTURES["color"]).tools
        needed = frames_memory(found, plan, tools, FORMATS["gif"])
        monkeypatch.setattr(frame_costs, "MAX_KEPT", needed)
        assert upscale_file(upscaler, source, tmp_path / "fits.gif").frames == 3
        monkeypatch.setattr(frame_costs, "MAX_KEPT", needed - 1)
        run = session_of(upscaler).run
        session_of(upscaler).run = None  # type: ignore[method-assign]
        with pytest.raises(OutputError, match="frames of 60 x 40 to 120 x 80 pixels") as caught:
            upscale_file(upscaler, source, tmp_path / "out.gif")
        assert "--still" in caught.value.hint
        job = Job(source, tmp_path / "out.gif", "in")
        read = intake.read(job, upscaler, FileOptions())
        assert read is not None
        with pytest.raises(OutputError, match="frames of 60 x 40"):
            intake.estimate(job, read, upscaler, FileOptions())
        session_of(upscaler).run = run  # type: ignore[method-assign]
        assert upscale_file(upscaler, source, tmp_path / "out.gif", FileOptions(max_pixels=0)).frames == 3
        assert upscale_file(upscaler, source, tmp_path / "one.gif", FileOptions(still=True)).frames == 1
        assert upscale_file(upscaler, source, tmp_path / "one.png", FileOptions(format="jpeg")).frames == 1


def test_frames_that_cannot_be_decoded_in_bounded_memory_are_refused(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A still result needs the first frame alone, whose limit is that of pictures."""
    source = gif(tmp_path / "in.gif")
    monkeypatch.setattr(animation, "MAX_HELD", int(60 * 40 * animation.HELD) - 1)
    with pytest.raises(PictureTooLarge, match="60 x 40 pixels, which take 0 MB to decode") as caught:
        open_animation(source)
    assert "--still" in caught.value.hint
    assert open_animation(source, max_pixels=0) is not None
    with Upscaler(model=find_model(model), runtime="onnxruntime") as upscaler:
        assert upscale_file(upscaler, source, tmp_path / "out.jpg").frames == 1
        with pytest.raises(PictureTooLarge):
            upscale_file(upscaler, source, tmp_path / "out.webp")


def test_a_gif_of_144_megapixels_is_refused_by_its_header(model: Path, tmp_path: Path) -> None:
    """Two frames of one pixel, on a canvas that a few bytes make large."""
    frame = b"\x2c" + struct.pack("<HHHH", 11_999, 11_999, 1, 1) + b"\0\x02\x02\x44\x01\0"
    head = b"GIF89a" + struct.pack("<HH", 12_000, 12_000) + b"\x80\0\0\0\0\0\xff\xff\xff"
    (tmp_path / "in.gif").write_bytes(head + 2 * frame + b";")
    with Upscaler(model=find_model(model), runtime="onnxruntime") as upscaler, pytest.raises(PictureTooLarge) as caught:
        upscale_file(upscaler, tmp_path / "in.gif", tmp_path / "out.gif")
    assert "12000 x 12000 pixels, which take 2880 MB" in caught.value.message


@pytest.mark.parametrize("name", ["gif", "png", "webp", "avif"])
def test_which_frames_are_too_large(name: str, model: Path) -> None:
    """12,000 x 12,000 pixels are; the 1280 x 720 of a film are not."""
    with Upscaler(model=find_model(model), runtime="onnxruntime") as upscaler:
        tools = upscaler.choose(PICTURES["color"]).tools
        for height, width, count in ((12_000, 12_000, 2), (720, 1280, 100)):
            film = Animation("x", "x", width, height, count, 0, 3, 1, Metadata(format=name))
            plan, words = upscaler.plan(height, width), {"entry": FORMATS[name], "options": FileOptions()}
            if count == 2:
                with pytest.raises(OutputError, match="GB of memory"):
                    check_frames(film, plan, tools, **words)
            else:
                check_frames(film, plan, tools, **words)
    assert 12_000**2 * animation.HELD > animation.MAX_HELD
