"""Shrinking: the one damage that super-resolution is defined by."""

from kakudai.image.picture import Pixels
from kakudai.image.resize import imresize_matlab


def crop_to_multiple(image: Pixels, multiple: int) -> Pixels:
    """Cut height and width down to a multiple of a whole number, keeping the top left corner. Returns a view."""
    return image[: image.shape[0] // multiple * multiple, : image.shape[1] // multiple * multiple]


def shrink_bicubic(image: Pixels, scale: int) -> Pixels:
    """Shrink by a whole factor as the literature does: MATLAB's antialiased bicubic, rounded to 8 bits.

    Shape: (scale H, scale W, C) uint8 -> (H, W, C) uint8.
    """
    return imresize_matlab(image, 1.0 / scale)
