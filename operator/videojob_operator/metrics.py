"""
Prometheus metrics of the operator (VJ-62), in one registry per process; no label holds a name or a uid.

Names and labels are public: dashboards and alerts depend on them, so a test freezes them.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
MINUTES_BUCKETS = (1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400)


class Metrics:
    """All metric families; `registry` is served at `/metrics`."""

    def __init__(self, *, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the number of series
        self.registry = CollectorRegistry()
        self._define_job_metrics()
        self._define_report_metrics()
        self._define_controller_metrics()
        self._gauge("videojob_build_info", "Always 1; the label says which build.", "version").labels(version).set(1)

    def _define_job_metrics(self) -> None:
        self.jobs = self._gauge("videojob_jobs", "VideoJobs by state.", "state")
        self.transitions = self._counter("videojob_transitions", "Changes of state.", "to", "reason")
        self.create_to_job = self._histogram("videojob_create_to_job_seconds", "VideoJob created to Job created.")
        self.start_latency = self._histogram(
            "videojob_start_latency_seconds", "VideoJob created to runner started.", buckets=MINUTES_BUCKETS
        )
        self.run_seconds = self._histogram(
            "videojob_run_seconds", "Runner started to verdict.", "outcome", buckets=MINUTES_BUCKETS
        )
        self.frames = self._counter("videojob_frames", "Frames of succeeded jobs.")
        self.publish_bytes = self._counter("videojob_publish_bytes", "Bytes of succeeded jobs' output.")

    def _define_report_metrics(self) -> None:
        self.status_requests = self._counter("videojob_status_requests", "Answers of the report endpoint.", "code")
        self.token_reviews = self._counter("videojob_tokenreviews", "Tokens judged.", "result", "cache")
        self.status_writes = self._counter("videojob_status_writes", "Writes to VideoJob status.", "manager", "result")
        self.progress_lag = self._histogram("videojob_progress_lag_seconds", "Report received to status written.")
        self.events = self._counter("videojob_events", "Events by what became of them.", "result")

    def _define_controller_metrics(self) -> None:
        self.queue_depth = self._gauge("workqueue_depth", "Keys that wait.")
        self.queue_oldest = self._gauge("workqueue_oldest_seconds", "Age of the key that waits or runs longest.")
        self.queue_latency = self._histogram("workqueue_latency_seconds", "Key added to key taken.")
        self.queue_retries = self._counter("workqueue_retries", "Keys put back after a failure.")
        self.reconciles = self._histogram("reconcile_seconds", "One decision and its effects.", "result")
        self.panics = self._counter("reconcile_panics", "Decisions that ended with an unexpected error.")
        self.informer_objects = self._gauge("informer_objects", "Objects held.", "kind")
        self.informer_age = self._gauge("informer_last_event_age_seconds", "Since the last event or bookmark.", "kind")
        self.relists = self._counter("informer_relists", "Full lists read.", "kind", "cause")
        self.api_requests = self._counter("api_requests", "Calls to the API server.", "verb", "kind", "code")
        self.api_seconds = self._histogram("api_seconds", "Time until the answer's head.", "verb", "kind")
        self.loop_lag = self._gauge("eventloop_lag_seconds", "How late the event loop wakes.")

    def observe_api_call(self, *, verb: str, kind: str, status: int, seconds: float) -> None:
        """Count one call; status 0 means no response."""
        self.api_requests.labels(verb, kind, str(status)).inc()
        self.api_seconds.labels(verb, kind).observe(seconds)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = SECONDS_BUCKETS) -> Histogram:
        return Histogram(name, text, labels, registry=self.registry, buckets=buckets)
