"""Shrinking: the one damage that super-resolution is defined by."""

from typing import Literal, TypeAlias, get_args

from kakudai.errors import RecipeError
from kakudai.image.picture import Pixels
from kakudai.image.resize import Kernel, imresize_matlab, resize

Downsampling: TypeAlias = Literal["bicubic", "box", "lanczos", "sinc", "catrom", "triangle", "nearest"]
"""Filters that `shrink` knows, by their name in a recipe."""

DOWNSAMPLING: tuple[Downsampling, ...] = get_args(Downsampling)

_KERNEL: dict[Downsampling, Kernel] = {
    "bicubic": "bicubic",
    "box": "box",
    "lanczos": "lanczos3",
    "sinc": "sinc4",
    "catrom": "bicubic",
    "triangle": "triangle",
    "nearest": "nearest",
}


def crop_to_multiple(image: Pixels, multiple: int) -> Pixels:
    """Cut height and width down to a multiple of a whole number, keeping the top left corner. Returns a view."""
    return image[: image.shape[0] // multiple * multiple, : image.shape[1] // multiple * multiple]


def shrink_bicubic(image: Pixels, scale: int) -> Pixels:
    """Shrink by a whole factor as the literature does: MATLAB's antialiased bicubic, rounded to 8 bits.

    Shape: (scale H, scale W, C) uint8 -> (H, W, C) uint8.
    """
    return imresize_matlab(image, 1.0 / scale)


def shrink(image: Pixels, scale: int, kernel: Downsampling = "bicubic", *, blur: float = 1.0) -> Pixels:
    """Shrink by a whole factor with any of the filters that low-resolution pictures are made with.

    Shape: (scale H, scale W, C) -> (H, W, C), uint8, uint16 or float; integers are clipped and rounded half up once.
        Rows and columns that do not fill a whole pixel are cut off at the bottom and at the right.

    Args:
        image: The picture; it must have at least `scale` rows and columns.
        scale: Input pixels per output pixel, on a side.
        kernel: "bicubic" is MATLAB's for 8-bit pictures, to the bit; "catrom" (Catmull-Rom) is the same curve, but
            rounded once; "sinc" is GraphicsMagick's, four lobes under a Blackman window, and "lanczos" three lobes;
            "nearest" takes one pixel and drops the rest.
        blur: Stretches the filter: waifu2x draws 0.95 to 1.05 for each picture. Nothing changes for "nearest".

    Raises:
        RecipeError: No filter has that name.

    Convention: output pixel centres lie at x = scale (x' + 0.5) - 0.5, so that nothing is shifted. "nearest" takes
        the pixel at that place; for an even factor, where it lies between two, the later one, which is a shift of
        half an input pixel.
    """
    if kernel not in _KERNEL:
        raise RecipeError(f"no filter is called {kernel!r}", f"the filters are {', '.join(DOWNSAMPLING)}")
    high = crop_to_multiple(image, scale)
    if scale == 1 and blur == 1.0:
        return high
    if kernel == "bicubic" and blur == 1.0 and image.dtype == "uint8":
        return shrink_bicubic(high, scale)
    size = high.shape[0] // scale, high.shape[1] // scale
    return resize(high, size, kernel=_KERNEL[kernel], blur=blur)
