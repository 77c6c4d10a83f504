"""The public face of picture files: read one, write one, and what each format can hold."""

from kakudai.image.formats import FORMATS, Format, output_formats
from kakudai.image.reading import read_image
from kakudai.image.writing import check_target, write_image

__all__ = ["FORMATS", "Format", "check_target", "output_formats", "read_image", "write_image"]
