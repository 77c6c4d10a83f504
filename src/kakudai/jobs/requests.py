"""What actors of a cluster are asked: a whole picture, or a block of one. `Cluster` knows no more of either."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from kakudai.errors import BucketError, NoRoom, PictureNotFound
from kakudai.jobs.carrying import Task
from kakudai.jobs.errand import Errand, failed_errand
from kakudai.jobs.fingerprint import Stamp

if TYPE_CHECKING:
    from kakudai.engine.block import Block, Which
    from kakudai.image.picture import Pixels

OUT_OF_REACH = (PictureNotFound, BucketError, NoRoom)
"""Errors that may be those of a machine, and not of the picture: another one tries."""

Outcome_co = TypeVar("Outcome_co", covariant=True)


class Request(Protocol[Outcome_co]):
    """Something that an actor is asked."""

    def ask(self, actor: Any) -> Any:
        """Ask an actor; return Ray's reference to the outcome."""
        ...

    def failed(self, error: Exception, *, is_final: bool = False) -> Outcome_co:
        """Return the outcome of what no actor could do.

        Args:
            error: Why.
            is_final: It is not to be tried again.
        """
        ...

    def is_refused(self, outcome: Any) -> bool:
        """Say whether another actor may do better."""
        ...


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """A picture to be fetched, enlarged and delivered.

    Args:
        task: Which.
        stamps: What may be at its target as an earlier result of ours.
    """

    task: Task
    stamps: tuple[Stamp, ...] = ()

    def ask(self, actor: Any) -> Any:
        """See `Request`."""
        return actor.enlarge.remote(self.task, self.stamps)

    def failed(self, error: Exception, *, is_final: bool = False) -> Errand:
        """See `Request`."""
        return failed_errand(self.task, error, is_final=is_final)

    def is_refused(self, outcome: Errand) -> bool:
        """See `Request`."""
        return isinstance(outcome.result.error, OUT_OF_REACH)


@dataclass(frozen=True, slots=True)
class Piece:
    """What became of a block.

    Args:
        number: Of the request.
        pixels: The result; None where there is none.
        error: Why.
    """

    number: int
    pixels: "Pixels | None" = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class BlockRequest:
    """A part of a picture to be enlarged.

    Args:
        number: Its place in the order of all.
        cut: Cuts it out of the picture, once more where an actor has died over it.
        which: The network.
        model: Ray's reference to the network, in a list: so it is fetched only by an actor that does not have it.
    """

    number: int
    cut: "Callable[[], Block]"
    which: "Which"
    model: list[Any]

    def ask(self, actor: Any) -> Any:
        """See `Request`."""
        return actor.enlarge_block.remote(self.number, self.cut(), self.which, self.model)

    def failed(self, error: Exception, *, is_final: bool = False) -> Piece:  # noqa: ARG002 - nobody tries it again
        """See `Request`."""
        return Piece(self.number, None, error)

    def is_refused(self, outcome: Piece) -> bool:
        """See `Request`: whatever is wrong, with one block so much else would be lost that another actor tries."""
        return outcome.error is not None
