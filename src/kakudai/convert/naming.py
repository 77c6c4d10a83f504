"""What the names and sizes of files say about networks that cannot say it themselves."""

import re

KNOWN = {
    290_467: "vgg_7", 287_585: "vgg_7",
    552_480: "upconv_7", 544_000: "upconv_7", 552_483: "upconv_7", 544_001: "upconv_7",
    1_961_984: "upconv_7l", 1_945_024: "upconv_7l", 1_961_987: "upconv_7l", 1_945_025: "upconv_7l",
    1_283_254: "cunet", 1_284_598: "upcunet",
}  # fmt: skip
"""Number of weights and biases -> the variant of networks/waifu2x.py that has as many. ncnn's files give the last layer
of the upconvs a bias, of zeros."""


def stated_scale(name: str) -> int | None:
    """Return the enlargement that a waifu2x file name promises; None where it says nothing.

    "noise1_scale2.0x_model" says 2, "noise1_model" says 1: it only restores.
    """
    found = re.search(r"scale(\d{1,2})(?:\.0+)?x", name, re.IGNORECASE)
    if found:
        return int(found[1])
    return 1 if re.search(r"noise\d", name, re.IGNORECASE) else None
