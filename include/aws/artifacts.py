"""Model artefacts: on disk or in S3."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from include.aws.clients import Clients
from include.aws.faults import calling, is_missing
from include.rollout.errors import RefusedError

_MODELS = ".tar.gz"  # what SageMaker takes as a model artefact
_MOST = 10_000  # objects that are listed to find the newest: S3 lists by name, so all have to be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A model artefact where it was found, and when its content was last written."""

    uri: str  # s3:// URI, or the path of a local file
    modified: datetime


def split(uri: str) -> tuple[str, str]:
    """Return bucket and key of an s3:// URI."""
    parts = urlsplit(uri)
    return parts.netloc, parts.path.lstrip("/")


def locate(clients: Clients, artifact: str) -> None:
    """Raise CloudError or RefusedError, in one sentence, unless the artefact is there."""
    if artifact.startswith("s3://"):
        bucket, key = split(artifact)
        with calling(f"Looking for the artefact {artifact}"):
            clients.s3.head_object(Bucket=bucket, Key=key)
    elif not Path(artifact).is_file():
        raise RefusedError(
            f"the artefact {artifact} is not a file on the worker; give its path from the project's folder or an s3:// URI."
        )


def ensure_uploaded(clients: Clients, artifact: str, destination: str) -> str:
    """Return the artefact's S3 URI, after uploading a local file under `destination` (an s3:// prefix)."""
    if artifact.startswith("s3://"):
        return artifact
    uri = f"{destination.rstrip('/')}/{Path(artifact).name}"
    bucket, key = split(uri)
    with calling(f"Uploading {artifact} to {uri}"):
        clients.s3.upload_file(artifact, bucket, key)
    return uri


def newest(clients: Clients, place: str) -> list[Artifact]:
    """Return the model artefacts (*.tar.gz) below an s3:// prefix or in a local folder, the latest written first.

    Of those written in the same second, as finely as S3 tells time, the last by name comes first. Raises RefusedError
    where there is more than can be looked through, and CloudError.
    """
    found = _in_bucket(clients, place) if place.startswith("s3://") else _in_folder(place)
    return sorted(found, key=lambda artifact: (artifact.modified, artifact.uri), reverse=True)


def version(clients: Clients, artifact: str) -> str | None:
    """Return what changes with the artefact's content (S3's ETag; SHA-256 of a file), or None where there is none."""
    if not artifact.startswith("s3://"):
        path = Path(artifact)
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    bucket, key = split(artifact)
    with calling(f"Looking for the artefact {artifact}"):
        try:
            return str(clients.s3.head_object(Bucket=bucket, Key=key)["ETag"]).strip('"')
        except ClientError as error:
            if is_missing(error):
                return None
            raise


def _in_bucket(clients: Clients, place: str) -> list[Artifact]:
    bucket, prefix = split(place)
    found: list[Artifact] = []
    seen = 0
    with calling(f"Listing {place}"):
        for page in clients.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            objects = page.get("Contents", [])
            seen += len(objects)
            if seen > _MOST:
                raise RefusedError(f"{place} has more than {_MOST} objects; name a narrower prefix.")
            found += [
                Artifact(uri=f"s3://{bucket}/{item['Key']}", modified=item["LastModified"])
                for item in objects
                if item["Key"].endswith(_MODELS)
            ]
    return found


def _in_folder(place: str) -> list[Artifact]:
    if not Path(place).is_dir():
        raise RefusedError(
            f"{place} is not a folder on the worker; give its path from the project's folder or an s3:// prefix."
        )
    return [
        Artifact(uri=str(file), modified=datetime.fromtimestamp(file.stat().st_mtime, tz=UTC))
        for file in Path(place).glob(f"*{_MODELS}")
        if file.is_file()
    ]
