"""Every error that kakudai raises on purpose.

KakudaiError                     anything below; `message` and `hint` are plain text
├── UsageError                   a value that no input can make right: scale 99, an unknown model option
├── PictureError                 this input cannot be used
│   ├── PictureNotFound          no such file, or not a file
│   ├── PictureUnreadable        empty, truncated, corrupt, not a picture, or of a format that is not allowed
│   └── PictureTooLarge          more pixels than the limit
├── OutputError                  the result cannot be written: folder, permission, disk full, limits of the format
│   ├── OutputExists             there is a file already and `on_exists` is "error"
│   └── NoRoom                   the disk is full or read-only, or the quota is used up: no other result fits either
├── BucketError                  a bucket cannot be used: no credentials, no access, no answer
├── ModelError                   the network file cannot be used
│   ├── ModelNotFound            no model of that name, no file at that path
│   └── ModelInvalid             not ONNX, truncated, without our metadata, or with external data
├── RuntimeUnavailable           the way to run networks that was asked for is not installed here
├── WrongResult                  the network returned something that is not the enlarged picture
├── OutOfMemory                  not enough memory even for the smallest tile
└── RecipeError                  a training recipe, pack or checkpoint that cannot be used
"""


class KakudaiError(Exception):
    """Base of all errors of this package.

    Args:
        message: What happened, with the value, and what is accepted. One line.
        hint: What to do about it. One line, or empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[type["KakudaiError"], tuple[str, str]]:
        return type(self), (self.message, self.hint)


class UsageError(KakudaiError):
    """A value that no input can make right."""


class PictureError(KakudaiError):
    """This input cannot be used."""


class PictureNotFound(PictureError):
    """There is no such file."""


class PictureUnreadable(PictureError):
    """The file is empty, truncated, corrupt, not a picture, or of a format that is not allowed."""


class PictureTooLarge(PictureError):
    """The picture has more pixels than the limit."""


class OutputError(KakudaiError):
    """The result cannot be written."""


class OutputExists(OutputError):
    """There is a file at the output path already."""


class NoRoom(OutputError):
    """The disk is full or read-only, or its quota is used up."""


class BucketError(KakudaiError):
    """A bucket cannot be reached, read or written."""


class ModelError(KakudaiError):
    """The network file cannot be used."""


class ModelNotFound(ModelError):
    """No model has that name, and no file is at that path."""


class ModelInvalid(ModelError):
    """The file is not a network that kakudai can run."""


class RuntimeUnavailable(KakudaiError):
    """The runtime that was asked for is not installed on this machine."""


class WrongResult(KakudaiError):
    """The network returned something that is not the enlarged picture."""


class OutOfMemory(KakudaiError):
    """There is not enough memory even for the smallest tile."""


class RecipeError(KakudaiError):
    """A training recipe, pack or checkpoint cannot be used."""
