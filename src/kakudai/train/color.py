"""A network of luma alone, made into one that takes and gives RGB: training and converting do it in the same way."""

from kakudai.convert.torch_color import LumaInRGB

__all__ = ["LumaInRGB"]
