"""Names and labels of metrics are public: dashboards stand on them."""

from __future__ import annotations

from tests.unit.operator.fakes import metrics

PROMISED = {
    "videojob_build_info": ("version",),
    "videojob_jobs": ("state",),
    "videojob_transitions": ("to", "reason"),
    "videojob_create_to_job_seconds": (),
    "videojob_start_latency_seconds": (),
    "videojob_run_seconds": ("outcome",),
    "videojob_frames": (),
    "videojob_publish_bytes": (),
    "videojob_status_requests": ("code",),
    "videojob_tokenreviews": ("result", "cache"),
    "videojob_status_writes": ("manager", "result"),
    "videojob_progress_lag_seconds": (),
    "videojob_events": ("result",),
    "workqueue_depth": (),
    "workqueue_oldest_seconds": (),
    "workqueue_latency_seconds": (),
    "workqueue_retries": (),
    "reconcile_seconds": ("result",),
    "reconcile_panics": (),
    "informer_objects": ("kind",),
    "informer_last_event_age_seconds": ("kind",),
    "informer_relists": ("kind", "cause"),
    "api_requests": ("verb", "kind", "code"),
    "api_seconds": ("verb", "kind"),
    "eventloop_lag_seconds": (),
}


def test_metrics_are_a_promise() -> None:
    counters = metrics()
    families = {
        value._name: value._labelnames for value in vars(counters).values() if hasattr(value, "_labelnames")
    } | {"videojob_build_info": ("version",)}
    assert families == PROMISED
    assert {family.name for family in counters.registry.collect()} == set(PROMISED)


def test_no_label_can_hold_the_name_of_a_job() -> None:
    labels = {label for names in PROMISED.values() for label in names}
    assert labels.isdisjoint({"name", "uid", "job", "pod", "namespace", "user"})
