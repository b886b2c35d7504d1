"""Keys that somebody has mistyped are refused by the Secret's name, and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from videojob_agent.errors import CredentialsRefused
from videojob_agent.stores.s3_client import create_s3_client
from videojob_api.resource.storage import S3Location


def keys(root: Path, *, access: bytes = b"id", secret: bytes = b"secret") -> S3Location:
    """A bucket whose Secret holds these bytes."""
    folder = root / "art-s3"
    folder.mkdir()
    (folder / "AWS_ACCESS_KEY_ID").write_bytes(access)
    (folder / "AWS_SECRET_ACCESS_KEY").write_bytes(secret)
    return S3Location.model_validate({"bucket": "art", "credentials": {"secretName": folder.name}})


@pytest.mark.parametrize("bad", [b"KEY\xff\xfe", b"KEY\nKEY", b"KEY\0KEY"])
@pytest.mark.parametrize("name", ["access", "secret"])
def test_a_key_that_is_not_one_line_of_text_is_refused(tmp_path: Path, name: str, bad: bytes) -> None:
    location = keys(tmp_path, **{name: bad})
    with pytest.raises(CredentialsRefused, match=r"secret 'art-s3': AWS_.* must be one line of text") as refusal:
        create_s3_client(location, credentials_root=tmp_path)
    assert "KEY\n" not in str(refusal.value)


def test_the_newline_at_the_end_of_a_file_is_no_part_of_a_key(tmp_path: Path) -> None:
    create_s3_client(keys(tmp_path, access=b"id\n", secret=b"secret\r\n"), credentials_root=tmp_path)
