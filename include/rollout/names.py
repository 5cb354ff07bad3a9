"""Names that derive from the rollout, so that a retry finds its own work.

SageMaker's names are at most 63 characters of [a-zA-Z0-9-] and begin with a letter or digit.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime

ROLLOUT_ID_LENGTH = 12
_NAME_LIMIT = 63
_OURS = re.compile(r"^pen-([a-z2-7]{12})-")
_ROLLOUT_ID = re.compile(r"^[a-z2-7]{12}$")


def rollout_id(dag_id: str, run_id: str) -> str:
    """Return the same 12 base32 characters for the same DAG run, always and everywhere."""
    digest = hashlib.sha256(f"{dag_id}\n{run_id}".encode()).digest()
    return base64.b32encode(digest).decode().lower()[:ROLLOUT_ID_LENGTH]


def is_rollout_id(text: str) -> bool:
    """Say whether `text` has the form of a rollout id."""
    return _ROLLOUT_ID.match(text) is not None


def resource_name(rollout: str, role: str, subject: str = "") -> str:
    """Name a resource that a rollout creates: `pen-<rollout id>-<role>[-<subject>]`, at most 63 characters."""
    tail = re.sub(r"[^a-zA-Z0-9-]+", "-", subject).strip("-")
    name = f"pen-{rollout}-{role}" + (f"-{tail}" if tail else "")
    return name[:_NAME_LIMIT].rstrip("-")


def name_part(role: str, subject: str) -> str:
    """Return the part that the names of all resources of a role and a subject share, whichever rollout made them."""
    return resource_name("." * ROLLOUT_ID_LENGTH, role, subject).partition("." * ROLLOUT_ID_LENGTH)[2]


def rollout_of(name: str) -> str | None:
    """Return the id of the rollout that a resource's name derives from, or None for any other name."""
    found = _OURS.match(name)
    return found[1] if found else None


def page_url(airflow: str, rollout: str) -> str:
    """Return a rollout's page in the console of the Airflow at `airflow` (its `[api] base_url`)."""
    return f"{airflow.rstrip('/')}/shadow/rollouts/{rollout}"


def inference_ids(rollout: str, shard: int) -> Callable[[int], str]:
    """Give what names a shard's requests by their index: unique over the rollout, recognisable by the prefix."""
    return f"{inference_id_prefix(rollout)}{shard}-{{}}".format


def inference_id_prefix(rollout: str = "") -> str:
    """Give the prefix of the inference ids of one rollout's replay, or of every replay of ours."""
    return f"pen-{rollout}-" if rollout else "pen-"


def timestamp(moment: datetime) -> str:
    """Write a moment as ISO 8601 in UTC with a Z, whole seconds unless there is a fraction."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """Read what `timestamp` wrote."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
