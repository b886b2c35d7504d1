"""Output in a bucket of a real S3 server, and what clones and faults do to it."""

from __future__ import annotations

import io
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
from videojob_agent.errors import (
    AgentError,
    AlreadyCommitted,
    BucketNotFound,
    CredentialsRefused,
    EndpointUnreachable,
    StorageRefused,
)
from videojob_agent.stores import S3Store, Store
from videojob_agent.stores.s3_client import S3ClientOptions
from videojob_agent.stores.s3_store import MIN_PART_BYTES

from tests.apiserver.agent.s3_server import Reply, Request, Server, clone, place, write_keys
from tests.unit.agent.store_contract import LARGE, StoreContract

pytestmark = pytest.mark.apiserver

PREFIX = "videos/waves/uid-1/"
IMPATIENT = S3ClientOptions(max_attempts=2, connect_timeout=1, read_timeout=0.3)


class TestS3Store(StoreContract):
    server: Server
    bucket: str

    @pytest.fixture
    def store(self, server: Server, bucket: str, tmp_path: Path) -> Store:
        self.server, self.bucket = server, bucket
        return S3Store(place(server.endpoint, bucket=bucket, prefix=PREFIX), credentials_root=write_keys(tmp_path))

    def lying(self) -> Mapping[str, bytes]:
        found = self.server.lying(self.bucket)
        assert all(key.startswith(PREFIX) for key in found)
        return {key.removeprefix(PREFIX): content for key, content in found.items()}

    def test_a_large_file_goes_out_in_parts(self, store: Store) -> None:
        store.put(io.BytesIO(bytes(LARGE)), name="v.mp4", size=LARGE)
        tag = self.server.client.head_object(Bucket=self.bucket, Key=PREFIX + "v.mp4")["ETag"]
        assert tag.strip('"').endswith(f"-{-(-LARGE // MIN_PART_BYTES)}")

    def test_an_upload_that_fails_half_way_is_aborted(self, store: Store) -> None:
        class Breaks(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if self.tell() > MIN_PART_BYTES:
                    raise ZeroDivisionError
                return super().read(size)

        with pytest.raises(ZeroDivisionError):
            store.put(Breaks(bytes(LARGE)), name="v.mp4", size=LARGE)
        assert "Uploads" not in self.server.client.list_multipart_uploads(Bucket=self.bucket)

    def test_a_probe_leaves_no_upload_behind(self, store: Store) -> None:
        store.probe()
        assert "Uploads" not in self.server.client.list_multipart_uploads(Bucket=self.bucket)

    def test_a_browser_is_told_what_a_file_is(self, store: Store) -> None:
        for name in ("v.mp4", "frames/0.png", "x.unknown"):
            store.put(io.BytesIO(b"x"), name=name, size=1)
        heads = self.server.client
        kinds = [
            heads.head_object(Bucket=self.bucket, Key=PREFIX + name)["ContentType"]
            for name in ("v.mp4", "frames/0.png", "x.unknown")
        ]
        assert kinds == ["video/mp4", "image/png", "application/octet-stream"]


def test_wrong_keys_are_refused_by_name_of_the_bucket(server: Server, bucket: str, tmp_path: Path) -> None:
    store = S3Store(
        place(server.endpoint, bucket=bucket), credentials_root=write_keys(tmp_path, access="nobody", secret="nothing")
    )
    with pytest.raises(CredentialsRefused, match=rf"s3://{bucket}/videos/waves.*check the Secret"):
        store.probe()


def test_rotated_keys_are_picked_up_by_the_next_try(server: Server, bucket: str, tmp_path: Path) -> None:
    store = S3Store(
        place(server.endpoint, bucket=bucket), credentials_root=write_keys(tmp_path, secret="expired-secret")
    )
    with pytest.raises(CredentialsRefused):
        store.put(io.BytesIO(b"x"), name="a.png", size=1)
    write_keys(tmp_path)
    store.put(io.BytesIO(b"x"), name="a.png", size=1)
    assert len(server.lying(bucket)) == 1


def test_a_missing_secret_is_named(server: Server, tmp_path: Path) -> None:
    store = S3Store(place(server.endpoint), credentials_root=tmp_path)
    with pytest.raises(CredentialsRefused, match="secret 'art-s3' must hold AWS_ACCESS_KEY_ID"):
        store.probe()


def test_a_missing_bucket_is_told(server: Server, tmp_path: Path) -> None:
    store = S3Store(place(server.endpoint, bucket="no-such-bucket"), credentials_root=write_keys(tmp_path))
    with pytest.raises(BucketNotFound, match="no-such-bucket"):
        store.probe()


def test_nobody_at_the_endpoint_is_trouble(tmp_path: Path) -> None:
    store = S3Store(place("http://127.0.0.1:9"), credentials_root=write_keys(tmp_path), options=IMPATIENT)
    with pytest.raises(EndpointUnreachable, match=r"127\.0\.0\.1:9"):
        store.put(io.BytesIO(b"x"), name="a.png", size=1)


def test_an_endpoint_that_says_nothing_is_trouble(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        store = S3Store(place(address), credentials_root=write_keys(tmp_path), options=IMPATIENT)
        with pytest.raises(EndpointUnreachable, match="timeout"):
            store.probe()


def test_an_overloaded_service_is_asked_again_and_then_is_trouble(tmp_path: Path) -> None:
    with clone(lambda request: (503, "SlowDown")) as (endpoint, seen):
        store = S3Store(place(endpoint), credentials_root=write_keys(tmp_path), options=IMPATIENT)
        with pytest.raises(EndpointUnreachable, match="SlowDown"):
            store.put(io.BytesIO(b"x"), name="a.png", size=1)
    assert len(seen) == IMPATIENT.max_attempts


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ((200, ""), EndpointUnreachable),
        ((404, "NoSuchBucket"), BucketNotFound),
        ((403, "AccessDenied"), CredentialsRefused),
        ((400, "ExpiredToken"), CredentialsRefused),
        ((400, "QuotaExceeded"), StorageRefused),
        ((409, "ConditionalRequestConflict"), EndpointUnreachable),
        ((409, "OperationAborted"), EndpointUnreachable),
        ((404, "NoSuchUpload"), EndpointUnreachable),
        ((412, "PreconditionFailed"), AlreadyCommitted),
        ((429, "TooManyRequests"), EndpointUnreachable),
        ((507, "XMinioStorageFull"), EndpointUnreachable),
        ((502, "<html>Bad gateway</html>"), EndpointUnreachable),
        ((200, "<html>We are back soon"), EndpointUnreachable),
    ],
)
def test_every_answer_has_its_word(tmp_path: Path, reply: Reply, error: type[AgentError]) -> None:
    with clone(lambda request: reply) as (endpoint, _):
        store = S3Store(place(endpoint), credentials_root=write_keys(tmp_path), options=S3ClientOptions(max_attempts=1))
        with pytest.raises(AgentError) as refusal:
            store.probe()
    assert type(refusal.value) is error


def test_the_same_trouble_with_other_files_is_told_in_the_same_words(tmp_path: Path) -> None:
    store = S3Store(place("http://127.0.0.1:9"), credentials_root=write_keys(tmp_path), options=IMPATIENT)
    told = set()
    for name in ("frames/0.png", "v.mp4"):
        with pytest.raises(EndpointUnreachable) as refusal:
            store.put(io.BytesIO(b"x"), name=name, size=1)
        told.add(str(refusal.value))
    assert len(told) == 1
    assert '"http://127.0.0.1:9"' in told.pop()


def test_a_service_that_recovers_is_no_trouble(tmp_path: Path) -> None:
    replies = iter([(503, "SlowDown"), (200, "")])
    with clone(lambda request: next(replies)) as (endpoint, seen):
        store = S3Store(place(endpoint), credentials_root=write_keys(tmp_path), options=IMPATIENT)
        store.put(io.BytesIO(b"frame"), name="a.png", size=5)
    assert seen[-1].body == b"frame"


def nothing_there(request: Request) -> Reply:
    """An empty bucket that knows no conditions."""
    if request.method == "GET":
        return 404, "NoSuchKey"
    return (501, "NotImplemented") if "if-none-match" in request.headers else (200, "")


def test_a_clone_without_conditions_gets_a_plain_put_after_a_look(tmp_path: Path) -> None:
    with clone(nothing_there) as (endpoint, seen):
        S3Store(place(endpoint), credentials_root=write_keys(tmp_path)).commit(b"{}")
    assert [request.method for request in seen] == ["GET", "PUT", "PUT"]
    assert "if-none-match" not in seen[-1].headers
    assert seen[-1].body == b"{}"


def test_a_clone_without_conditions_still_keeps_a_manifest(tmp_path: Path) -> None:
    with clone(lambda request: (200, "")) as (endpoint, seen):
        store = S3Store(place(endpoint), credentials_root=write_keys(tmp_path))
        with pytest.raises(AlreadyCommitted):
            store.commit(b"{}")
    assert [request.method for request in seen] == ["GET"]


def test_a_clone_without_multipart_uploads_passes_the_probe(tmp_path: Path) -> None:
    with clone(lambda request: (501, "NotImplemented")) as (endpoint, _):
        S3Store(place(endpoint), credentials_root=write_keys(tmp_path)).probe()


def test_rights_that_do_not_reach_to_see_a_manifest_mean_none(tmp_path: Path) -> None:
    with clone(lambda request: (403, "AccessDenied")) as (endpoint, _):
        assert S3Store(place(endpoint), credentials_root=write_keys(tmp_path)).manifest() is None


def test_wrong_keys_do_not_pass_for_a_missing_manifest(tmp_path: Path) -> None:
    with clone(lambda request: (403, "SignatureDoesNotMatch")) as (endpoint, _):
        store = S3Store(place(endpoint), credentials_root=write_keys(tmp_path))
        with pytest.raises(CredentialsRefused):
            store.manifest()


def test_every_body_is_signed_and_no_newer_checksum_is_asked_of_a_clone(tmp_path: Path) -> None:
    with clone(lambda request: (200, "")) as (endpoint, seen):
        store = S3Store(place(endpoint), credentials_root=write_keys(tmp_path))
        store.put(io.BytesIO(b"hello"), name="a.png", size=5)
    headers = seen[0].headers
    assert headers["x-amz-content-sha256"] == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert not [name for name in headers if name.startswith(("x-amz-checksum", "x-amz-sdk-checksum", "x-amz-trailer"))]
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256")
    assert seen[0].path == "/art/videos/waves/uid-1/a.png"


def test_a_session_token_is_sent_along(tmp_path: Path) -> None:
    (write_keys(tmp_path) / "art-s3/AWS_SESSION_TOKEN").write_text("session")
    with clone(lambda request: (200, "")) as (endpoint, seen):
        S3Store(place(endpoint), credentials_root=tmp_path).put(io.BytesIO(b""), name="a", size=0)
    assert seen[0].headers["x-amz-security-token"] == "session"
