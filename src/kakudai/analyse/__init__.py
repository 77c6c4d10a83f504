"""What is this picture? How JPEG has treated it, its noise, drawn or photographed, enlarged before, grey.

`analyse_picture` finds out all. What needs only a part of it takes the `areas` of the picture once, and asks
`find_compression`, `noise_level` or `drawn_probability`.
"""

from kakudai.analyse.analysis import Analysis, analyse_picture, describe_kind, is_visible
from kakudai.analyse.compression import Compression, find_compression
from kakudai.analyse.drawn import drawn_probability
from kakudai.analyse.jpeg_file import JpegHistory, read_jpeg_history
from kakudai.analyse.noise import noise_level
from kakudai.analyse.sample import Area, areas

__all__ = [
    "Analysis",
    "Area",
    "Compression",
    "JpegHistory",
    "analyse_picture",
    "areas",
    "describe_kind",
    "drawn_probability",
    "find_compression",
    "is_visible",
    "noise_level",
    "read_jpeg_history",
]
