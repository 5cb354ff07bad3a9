"""What a rollout has written to its ledger so far, read as anybody with access to the bucket can."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

Document = Mapping[str, Any]


class Record:
    """A growing copy of one rollout's JSON objects, by key; they are written once, so each is read once."""

    def __init__(self, s3: Any, ledger: str, rollout: str) -> None:
        """`ledger` is its location, `s3://bucket/prefix`."""
        self.rollout = rollout
        self._s3 = s3
        place = urlsplit(ledger)
        self._bucket = place.netloc
        self._home = f"{place.path.strip('/')}/rollouts/{rollout}/".lstrip("/")
        self._documents: dict[str, Document] = {}

    def refresh(self) -> list[str]:
        """Read what is new and return its keys, in the order of writing."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._home)
        keys = [item["Key"].removeprefix(self._home) for page in pages for item in page.get("Contents", [])]
        fresh = [key for key in keys if key not in self._documents and not key.endswith(".html")]
        for key in fresh:
            body = self._s3.get_object(Bucket=self._bucket, Key=self._home + key)["Body"].read()
            self._documents[key] = json.loads(body)
        return sorted(fresh, key=lambda key: self._documents[key].get("written_at", ""))

    def written_keys(self) -> list[str]:
        """List what was written, by name."""
        return sorted(self._documents)

    def get(self, key: str) -> Document | None:
        """Return one object, or None while it is not written."""
        return self._documents.get(key)

    def last(self, prefix: str) -> Document | None:
        """Return the last of the objects under a prefix, in the order of their names."""
        keys = sorted(key for key in self._documents if key.startswith(prefix))
        return self._documents[keys[-1]] if keys else None

    def written(self, *keys: str) -> datetime | None:
        """Return when the first of these that exists was written."""
        for key in keys:
            if document := self._documents.get(key):
                return datetime.fromisoformat(document["written_at"])
        return None

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """Return begin and end of the window as it stands, an extension included."""
        opened = self._documents.get("window")
        if opened is None:
            return None
        begin, end = (datetime.fromisoformat(opened[name]) for name in ("begin", "end"))
        extension = self._documents.get("extension") or {"seconds": 0}
        return begin, end + timedelta(seconds=extension["seconds"])

    @property
    def phases(self) -> list[tuple[str, float]]:
        """Return what the rollout spent its time on, in seconds, as far as it has come."""
        window = self.window
        marks: list[tuple[str, datetime | None]] = [
            ("", self.written("open")),
            ("plan and take the lease", self.written("baseline")),
            ("register and deploy the shadow", self.written("deployment/shadow")),
            ("wait for traffic, warm up", window[0] if window else None),
            ("window", self.written("verdict")),
            ("promote or roll back", self.written("promotion", "restore")),
            ("settle and report", self.written("report.json")),
        ]
        known = [(name, moment) for name, moment in marks if moment is not None]
        return [(name, (moment - before).total_seconds()) for (_, before), (name, moment) in pairwise(known)]
