"""All pictures of one command, where some are in buckets: fetched, enlarged, delivered; or planned."""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kakudai.cli.bucket_inputs import Refused
from kakudai.cli.dry_run import plan
from kakudai.cli.keeping import Again, damage
from kakudai.cli.report import explain, uninterrupted
from kakudai.cli.results import Results
from kakudai.errors import BucketError, KakudaiError, NoRoom, OutputError, OutputExists, PictureNotFound
from kakudai.jobs.carrying import Fetched, Task, fetched
from kakudai.jobs.cluster import everywhere
from kakudai.jobs.errand import Errand, delivered, failed_errand, renamed, retold
from kakudai.jobs.lines import Status
from kakudai.jobs.requests import PictureRequest
from kakudai.jobs.sides import Sides

if TYPE_CHECKING:
    from kakudai.cli.progress import Progress
    from kakudai.engine.job import FileOptions, FileResult, Job
    from kakudai.engine.upscaler import Upscaler
    from kakudai.jobs.bucket_keeper import BucketKeeper
    from kakudai.jobs.cluster import Cluster

MOST_BEHIND = 3
"""Results that wait to be delivered, or are; no other picture is finished before there is room."""

Behind = tuple[Fetched, Future[Errand]]
"""A result on its way."""


FINAL = (BucketError, NoRoom, OutputExists, PictureNotFound)
"""Errors after which a picture is not tried once more at the end."""


class BucketBatch:
    """What is to be done, and who says what became of it; as `kakudai.cli.batch` does for files.

    Args:
        upscaler: Enlarges.
        options: How files are read and written.
        results: Says it.
        sides: Knows what is where.
        staging: Where pictures are between buckets and the engine.
        keeper: Keeps the manifest; None where there is none. With one, what fails is tried once more at the end.
        again: What is done again that the manifest has already.
        fail_fast: Stop at the first picture that fails.
        cluster: Who enlarges pictures, while there are some; this process if None.
    """

    def __init__(
        self,
        upscaler: "Upscaler",
        options: "FileOptions",
        results: Results,
        sides: Sides,
        staging: Path,
        *,
        keeper: "BucketKeeper | None",
        again: Again,
        fail_fast: bool,
        cluster: "Cluster | None" = None,
    ) -> None:
        self._upscaler, self._options, self._results, self._sides = upscaler, options, results, sides
        self._staging, self._keeper, self._again, self._fail_fast = staging, keeper, again, fail_fast
        self._cluster = cluster
        self._here: dict[str, tuple[Task, Fetched]] = {}
        self._put_off: list[Task] = []
        self._refused: list[Refused] = []
        self._is_over = self._is_last = False

    def refuse(self, refused: list[Refused], pictures: int) -> None:
        """Say what cannot even be begun.

        Args:
            refused: With the reasons.
            pictures: How many there are in all.
        """
        self._results.pictures, self._refused = pictures, refused
        for one in refused:
            if one.error is not None:
                self._results.fail(one.name, one.error)
            elif one.is_no_picture:
                self._results.warn(one.name, [one.note])
            else:
                self._results.skip(one.name, one.note)

    def plan(self, tasks: list[Task]) -> int:
        """Say what would be done; return the exit code. Pictures are fetched for that, and nothing is written."""
        from kakudai.engine.job import Job

        with contextlib.closing(fetched(self._remaining(tasks), self._sides, self._staging)) as coming:
            for task, got in coming:
                if isinstance(got, KakudaiError):
                    self._results.fail(task.source, got)
                    continue
                job = Job(got.path, got.result(task.target), task.source)
                plan(job, self._upscaler, self._options, self._results, target=task.target)
                got.drop()
        return self._results.finish()

    def run(self, tasks: list[Task]) -> int:
        """Enlarge pictures; return the exit code."""
        from kakudai.cli.progress import Progress

        if self._fail_fast and self._results.failures:
            return self._results.finish()
        self._warn_of_damage()
        self._keep_refused()
        remaining = self._remaining(tasks)
        cluster = self._cluster if remaining else None
        with Progress(len(remaining), quiet=self._results.quiet) as progress, cluster or contextlib.nullcontext():
            self._is_last = self._keeper is None or self._fail_fast
            self._work(remaining, progress)
            self._is_last = True
            if self._put_off and not self._is_over:
                self._work(self._put_off, progress)
        for task, error in self._keeper.unbegun if self._keeper is not None else ():
            self._results.fail(task.source, error)
        return self._results.finish()

    def _work(self, tasks: list[Task], progress: "Progress") -> None:
        begun: Iterable[Task] = tasks if self._keeper is None else self._keeper.begin(tasks)
        if self._cluster is not None:
            self._have_done(begun, self._cluster, progress)
        else:
            self._do(begun, progress)

    def _have_done(self, tasks: Iterable[Task], cluster: "Cluster", progress: "Progress") -> None:
        """Let the machines of a cluster enlarge pictures, and say what they tell."""
        sent: dict[Task, Task] = {}

        def given() -> Iterator[PictureRequest]:
            for task in tasks:
                reachable = everywhere(task)
                sent[reachable] = task
                if self._keeper is not None:
                    self._keeper.check()
                stamps = () if self._keeper is None else self._keeper.ledger.stamps(task.source, task.target)
                yield PictureRequest(reachable, stamps)

        def say(text: str, *, matters: bool) -> None:
            if matters or not self._results.quiet:
                progress.line(text)

        with contextlib.closing(cluster.run(given(), say)) as coming:
            for errand in coming:
                task = sent.pop(errand.task)
                names = {errand.task.source: task.source, errand.task.target: task.target}
                result = retold(errand.result, names)
                job = replace(result.job, name=task.source)
                self._end(replace(errand, task=task, result=replace(result, job=job)), progress)
                if self._is_over:
                    break

    def _do(self, begun: Iterable[Task], progress: "Progress") -> None:
        """Enlarge pictures in this process, which come and go meanwhile."""
        from kakudai.engine.batch import upscale_files

        behind: deque[Behind] = deque()
        with (
            ThreadPoolExecutor(MOST_BEHIND, "kakudai-deliver") as pool,
            contextlib.closing(fetched(begun, self._sides, self._staging)) as coming,
        ):
            jobs = self._jobs(coming, progress)
            done = upscale_files(self._upscaler, jobs, self._options, progress=progress.advance)
            try:
                with contextlib.closing(done):
                    for result in done:
                        self._deliver(result, behind, pool, progress)
                        while behind and (len(behind) > MOST_BEHIND or behind[0][1].done()):
                            self._delivered(behind, progress)
                        if self._is_over:
                            break
            finally:  # at Ctrl-C too: what is on its way arrives, and is written down
                while behind:
                    self._delivered(behind, progress)

    def _jobs(self, coming: Iterable[tuple[Task, Fetched | KakudaiError]], progress: "Progress") -> Iterator["Job"]:
        """Give the engine pictures as they come; say of the others why they do not."""
        from kakudai.engine.job import Job

        for task, got in coming:
            if isinstance(got, KakudaiError):
                self._end(failed_errand(task, got), progress)
                if self._is_over:
                    return
                continue
            self._here[task.source] = task, got
            yield Job(got.path, got.result(task.target), task.source)

    def _deliver(
        self, result: "FileResult", behind: deque[Behind], pool: ThreadPoolExecutor, progress: "Progress"
    ) -> None:
        """Send a result on its way, or say why there is none."""
        task, got = self._here.pop(result.job.name)
        named = renamed(result, task, got)
        if named.error is not None:
            got.drop()
            self._end(Errand(task, named, got.stamp), progress)
            return
        with uninterrupted():  # what arrives without being waited for would not be written down
            behind.append((got, pool.submit(self._bring, task, got, named)))

    def _bring(self, task: Task, got: Fetched, result: "FileResult") -> Errand:
        """Deliver a result, unless another run has the manifest by now, and with it this picture."""
        try:
            if self._keeper is not None:
                self._keeper.check()
        except KakudaiError as error:
            return Errand(task, replace(result, error=error, failed=(), output_size=None), got.stamp)
        return delivered(task, got, result, self._sides, owned=self._owns)

    def _delivered(self, behind: deque[Behind], progress: "Progress") -> None:
        """Wait until the first result has arrived, and say so; only then it is on its way no more, also at Ctrl-C."""
        got, arriving = behind[0]
        errand = arriving.result()
        got.drop()
        self._end(errand, progress)
        behind.popleft()

    def _owns(self, source: str, target: str) -> bool:
        return self._keeper is not None and self._keeper.ledger.owns(source, target)

    def _end(self, errand: Errand, progress: "Progress") -> None:
        """Write down and say what has become of a picture, unless it is tried once more."""
        task, result = errand.task, errand.result
        error = result.error
        # The transfers of what is in a bucket have been tried again already.
        if error is not None and not self._is_last and not (errand.is_final or isinstance(error, FINAL)):
            self._put_off.append(task)
            progress.put_off(result.job)
            self._results.warn(task.source, [f"{explain(error)[0]}; it is tried once more at the end"], progress.line)
            return
        has_no_room = isinstance(error, NoRoom)
        self._is_over |= has_no_room
        if self._keeper is not None:
            with contextlib.suppress(*([OutputError] if self._is_over else [])):  # it may be the very same disk
                self._keeper.finish(task, result, errand.before, errand.after)
        progress.finish(result)
        self._results.tell(result, self._upscaler.runtime, progress.line)
        if has_no_room:
            progress.line("the disk takes no more: make room, and give the same command again")
        self._is_over |= error is not None and self._fail_fast

    def _warn_of_damage(self) -> None:
        """Say which lines of the manifest cannot be read."""
        if self._keeper is not None:
            self._results.warn(self._keeper.name, damage(self._keeper.contents.corrupt))

    def _keep_refused(self) -> None:
        """Write down what is not even begun; results of earlier runs are none of it."""
        for one in self._refused if self._keeper is not None else ():
            if self._keeper is not None and not one.is_no_picture and not one.is_result:
                status: Status = "failed" if one.error else "skipped"
                self._keeper.refuse(one.name, status, one.error or KakudaiError(one.note))

    def _remaining(self, tasks: list[Task]) -> list[Task]:
        """Leave out what an earlier run has ended, and say so."""
        keeper, remaining, done = self._keeper, [], 0
        for task in tasks:
            try:
                verify = self._again.verify
                known = keeper.judge(task.source, task.target, verify=verify) if keeper is not None else None
            except BucketError as error:
                self._results.fail(task.source, error)
                continue
            if known is None or (known.status == "failed" and self._again.failed):
                remaining.append(task)
            elif known.status == "failed":
                hint = f"{known.hint}; or try it again with --retry-failed".removeprefix("; or ")
                self._results.fail(task.source, KakudaiError(known.error, hint))
            else:
                done += 1
                self._results.print(task.source, "skipped", reason="done already", output=task.target)
        if done and keeper is not None:
            self._results.note([f"{done} of {len(tasks)} pictures are done already, says {keeper.name}"])
        return remaining
