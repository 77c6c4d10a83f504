"""Everything that one server has, made once and handed to all who answer requests."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import Request

from kakudai.image.archive import is_book
from kakudai.image.formats import FORMATS, PACKAGES, is_readable
from kakudai.models import Model, list_models, shipped
from kakudai.serve.child import Child
from kakudai.serve.cost import Estimator, check_header, check_result, output_size
from kakudai.serve.dispatch import Dispatcher
from kakudai.serve.header import Header, read_header, upright_size
from kakudai.serve.jobs import Job
from kakudai.serve.measures import Measures
from kakudai.serve.options import Options, read_options
from kakudai.serve.problems import Problem
from kakudai.serve.settings import Settings
from kakudai.serve.store import Store
from kakudai.serve.uploads import Upload, receive_upload


@dataclass(slots=True)
class Service:
    """One server.

    Args:
        settings: How it was started.
        models: What is shipped, by name.
        store: Jobs and files.
        estimator: What pictures cost.
        measures: What is counted.
        dispatcher: The queue.
        analyser: The process that decodes pictures which are only looked at.
        uploads: Client -> bodies that arrive from it at the moment.
        streams: Event streams that are open.
        analyses: Pictures that wait to be looked at.
    """

    settings: Settings
    models: dict[str, Model]
    store: Store
    estimator: Estimator
    measures: Measures
    dispatcher: Dispatcher
    analyser: Child
    uploads: Counter[str] = field(default_factory=Counter)
    streams: int = 0
    analyses: int = 0

    @classmethod
    def make(cls, settings: Settings) -> "Service":
        """Make everything, and start nothing."""
        models = {model.name: model for model in list_models()}
        store, measures, estimator = Store(settings.folder, settings.limits), Measures(), Estimator(models)
        dispatcher = Dispatcher(settings, store, estimator, measures)
        analyser = Child("kakudai.serve.decoder_process", [], lambda: measures.died("decoder"))
        return cls(settings, models, store, estimator, measures, dispatcher, analyser)

    @property
    def words(self) -> tuple[str, ...]:
        """What stands for several networks."""
        return tuple(shipped.words())

    def client_of(self, request: Request) -> str:
        """Name who asks: the connecting address, or what a proxy says of it."""
        if self.settings.behind_proxy:
            said = ",".join(request.headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
            if said:
                return said[:60]
        return request.client.host if request.client else ""

    def start(self) -> None:
        """Start the processes and the queue."""
        self.dispatcher.start()

    async def close(self) -> None:
        """End everything, and leave nothing on disk."""
        await self.dispatcher.close()
        await self.analyser.close()
        await asyncio.to_thread(self.store.close)

    async def receive(
        self, request: Request, options: Callable[[list[tuple[str, str]]], Options], *, queued: bool = True
    ) -> Job:
        """Read a request's picture and options, look at the header, and make a job of it that is not yet in the queue.

        Args:
            request: With the picture in its body.
            options: Makes options of the query and of the fields.
            queued: The picture is meant for the queue, and is refused where there is no room in it.

        Raises:
            Problem: Anything is wrong with it.
            Gone: The client has hung up.
        """
        client, limits = self.client_of(request), self.settings.limits
        if queued:
            self.dispatcher.check_room(client)
        if self.uploads.total() >= limits.uploads:
            raise Problem("too-many-uploads", f"{limits.uploads} uploads are under way already")
        if self.uploads[client] >= limits.per_client:
            raise Problem("too-many-requests", f"{limits.per_client} uploads of yours are under way already")
        name, folder = self.store.new_folder()
        self.uploads[client] += 1
        try:
            upload = await receive_upload(request, folder / "upload", limits)
            given = [*request.query_params.multi_items(), *upload.fields]
            return await self._job(name, upload, client, options(given), weigh=queued)
        except OSError as error:
            self.store.delete(folder)
            raise Problem("no-room", f"the upload cannot be kept: {error.strerror}") from None
        except BaseException:
            self.store.delete(folder)
            raise
        finally:
            self.uploads -= Counter([client])  # and forgets who has none

    async def _job(self, name: str, upload: Upload, client: str, options: Options, *, weigh: bool) -> Job:
        """Make a job of an upload whose header promises no harm."""
        limits = self.settings.limits
        header, size = await asyncio.to_thread(look, upload, limits.frames)
        if header is None:
            raise Problem("not-a-picture", "its content is of no format that is read")
        if not is_readable(header.format):
            title, package = FORMATS[header.format].title, PACKAGES[header.format]
            raise Problem("not-a-picture", f"{title} is not read here: {package} is not installed", "send JPEG or PNG")
        check_header(header, size, limits)
        job = Job(name, upload.path.parent, client, upload.name, options, header, size)
        if weigh:
            self._weigh(job)
        return job

    def _weigh(self, job: Job) -> None:
        """Find out how large the result will be and what it costs, where the header tells.

        Raises:
            Problem: The result would be too large, or the options exclude each other.
        """
        options, size = job.options, job.input_size
        if size is None:
            return
        job.output_size = output_size(options, size, self.settings.limits)
        check_result(job.format, job.output_size)
        worked = options.part[2:] if options.part is not None else size
        work = self.estimator.multiply_adds(options, worked, job.output_size)
        job.estimate = self.estimator.seconds(work, size, job.output_size)

    def check_cost(self, job: Job, seconds: float) -> None:
        """Refuse a picture that will not be done in time.

        Raises:
            Problem: It takes longer by far, as pictures have taken so far.
        """
        if job.estimate > seconds:
            raise Problem(
                "too-costly",
                f"it would take about {job.estimate:.0f} seconds; {seconds:.0f} are allowed here",
                ""
                if seconds < self.settings.limits.job_seconds
                else "ask for a smaller scale, a smaller tta, or a part",
            )

    def options(self, given: list[tuple[str, str]]) -> Options:
        """Read options in the command line's words; see `read_options`."""
        return read_options(given, (*self.words, *self.models))


def look(upload: Upload, frames: int) -> tuple[Header | None, tuple[int, int] | None]:
    """Return what the header of an uploaded file says, and its size the right way up.

    Raises:
        Problem: It is a book of pages.
    """
    data = upload.path.read_bytes()
    if is_book(data):
        hint = "unpack it and send its pages one by one; `kakudai upscale` takes whole books"
        raise Problem("not-a-picture", "it is a ZIP, such as a book of pages (CBZ), and no picture", hint)
    header = read_header(data, frames)
    return header, None if header is None else upright_size(data, header)


def service_of(request: Request) -> Service:
    """Return the server that a request came to."""
    service: Service = request.app.state.service
    return service
