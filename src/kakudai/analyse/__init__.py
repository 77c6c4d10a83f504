"""What is this picture? How JPEG has treated it, its noise, drawn or photographed, enlarged before, grey."""

from kakudai.analyse.analysis import Analysis, analyse_picture
from kakudai.analyse.jpeg_file import JpegHistory, read_jpeg_history

__all__ = ["Analysis", "JpegHistory", "analyse_picture", "read_jpeg_history"]
