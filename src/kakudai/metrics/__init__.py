"""How alike two pictures are, each figure together with the protocol that it was measured by."""

from kakudai.metrics.consistency import Consistency, consistency
from kakudai.metrics.protocol import Protocol
from kakudai.metrics.psnr import psnr
from kakudai.metrics.ssim import ssim

__all__ = ["Consistency", "Protocol", "consistency", "psnr", "ssim"]
