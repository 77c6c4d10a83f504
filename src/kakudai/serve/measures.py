"""What the server counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from kakudai.serve.jobs import Job

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Measures:
    """Counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter("kakudai_requests", "Answers, by route and status.", ["route", "method", "status"],
                                 registry=registry)  # fmt: skip
        self._seconds = Histogram("kakudai_request_seconds", "Time to the end of an answer, by route.", ["route"],
                                  buckets=SECONDS, registry=registry)  # fmt: skip
        self._jobs = Counter("kakudai_jobs", "Pictures that have ended, by how.", ["state"], registry=registry)
        self._job_seconds = Histogram("kakudai_job_seconds", "Time from the turn of a picture to its end.",
                                      buckets=SECONDS, registry=registry)  # fmt: skip
        self._pixels = Counter("kakudai_output_pixels", "Pixels of results.", registry=registry)
        self._died = Counter("kakudai_processes_died", "Helping processes that ended by themselves.", ["process"],
                             registry=registry)  # fmt: skip
        self._waiting = Gauge("kakudai_queue_waiting", "Pictures that wait.", registry=registry)
        self._running = Gauge("kakudai_queue_running", "Pictures that run.", registry=registry)
        self._disk = Gauge("kakudai_results_bytes", "Bytes of results on disk.", registry=registry)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def job_ended(self, job: Job) -> None:
        """Count a picture that has ended."""
        self._jobs.labels(job.state).inc()
        if job.seconds is not None:
            self._job_seconds.observe(job.seconds)
        if job.state == "done" and job.output_size is not None:
            self._pixels.inc(job.output_size[0] * job.output_size[1])

    def died(self, process: str) -> None:
        """Count a helping process that has died."""
        self._died.labels(process).inc()

    def page(self, waiting: int, running: int, disk: int) -> bytes:
        """Return what Prometheus reads."""
        self._waiting.set(waiting)
        self._running.set(running)
        self._disk.set(disk)
        return generate_latest(self.registry)
