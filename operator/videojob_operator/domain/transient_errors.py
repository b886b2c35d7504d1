"""
Phrases of transient errors: of Go's network stack, gRPC, etcd, and an API server that is starting or shutting down.

An error that contains one of them is no decision by the other side, so nothing was rejected.
"""

TRANSIENT_ERRORS = (
    ": eof",
    "broken pipe",
    "client connection lost",
    "connection refused",
    "connection reset",
    "deadline exceeded",
    "etcdserver",
    "goaway",
    "has prevented the request from succeeding",
    "network is unreachable",
    "no route to host",
    "no such host",
    "not yet ready",
    "shutting down",
    "storage is (re)initializing",
    "time allotted",
    "timed out",
    "timeout",
    "too many requests",
    "transport is closing",
    "try again",
    "unavailable",
    "unexpected eof",
)


def is_transient(text: str) -> bool:
    """True if an error means that the other side did not answer or could not decide."""
    lower = text.lower()
    return any(phrase in lower for phrase in TRANSIENT_ERRORS)
