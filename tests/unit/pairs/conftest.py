"""Captures made to order, in a folder laid out as SageMaker lays out a bucket."""

import base64
import itertools
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from obstore.store import LocalStore

from include.pairs.collect import Shard, collect
from include.pairs.folder import Folder
from include.rollout.comparison import PairsSection
from include.rollout.pairs import Pairs

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
END = BEGIN + timedelta(minutes=10)

_events = itertools.count()


def record(
    output: object,
    *,
    id: str | None = None,
    input: str = "1,2,3",
    second: float = 0,
    type: str = "text/csv",
    encoding: str = "CSV",
    event: str | None = None,
) -> bytes:
    """Return one line as SageMaker writes it; base64 is applied here."""

    def side(mode: str, text: str) -> dict[str, str]:
        data = base64.b64encode(text.encode()).decode() if encoding == "BASE64" else text
        return {"observedContentType": type, "mode": mode, "data": data, "encoding": encoding}

    metadata = {"eventId": event or f"event-{next(_events)}"}
    if id is not None:
        metadata["inferenceId"] = id
    metadata["inferenceTime"] = (BEGIN + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = output if isinstance(output, str) else json.dumps(output)
    document = {
        "captureData": {"endpointInput": side("INPUT", input), "endpointOutput": side("OUTPUT", text)},
        "eventMetadata": metadata,
        "eventVersion": "0",
    }
    return json.dumps(document).encode()


@pytest.fixture
def pairs(tmp_path: Path) -> Callable[..., Pairs]:
    """Collect the pairs of records given for each variant."""
    numbers = itertools.count()

    def made(
        production: list[bytes],
        shadow: list[bytes],
        *,
        shard: Shard | None = None,
        files: int = 1,
        begin: datetime = BEGIN,
        end: datetime = END,
        period: int = 60,
        sample: bool = False,
        margins: Sequence[float] = (),
        **terms: object,
    ) -> Pairs:
        root = tmp_path / str(next(numbers))
        for side, lines in (("production", production), ("shadow", shadow)):
            folder = root / "captures" / "churn" / side / BEGIN.strftime("%Y/%m/%d/%H")
            folder.mkdir(parents=True)
            for i in range(files):
                (folder / f"{i}.jsonl").write_bytes(b"".join(line + b"\n" for line in lines[i::files]))
        store = LocalStore(root)
        return collect(
            Folder(store=store, prefix="captures/churn/production"),
            Folder(store=store, prefix="captures/churn/shadow"),
            PairsSection(**terms),
            begin=begin,
            end=end,
            period=period,
            shard=shard,
            sample=sample,
            margins=margins,
        )

    return made
