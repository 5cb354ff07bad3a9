"""What all List operations share: filters by name and time, order, pages with tokens."""

import base64
import datetime
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from include.localcloud.sagemaker.wording import invalid
from include.localcloud.state import Record

_DEFAULT_PAGE = 10
_TIMES = {"CreationTime": "CreationTime", "LastModifiedTime": "LastModifiedTime"}


def page(
    records: Iterable[Record],
    params: Mapping[str, Any],
    *,
    name: str,
    key: str,
    summary: Callable[[Record], dict[str, Any]],
    order: str = "Descending",
    status: str = "EndpointStatus",
) -> dict[str, Any]:
    """Return one page of summaries under `key`, with a NextToken when there are more.

    `name` and `status` are the fields that SortBy calls Name and Status. Newest first unless asked otherwise, as SageMaker does; equal times
    are ordered by name. A token names the last record returned, so pages stay whole while records come and go.
    """
    chosen = [record for record in records if _passes(record, params, name)]
    sort_by = params.get("SortBy", "CreationTime")
    field = {"Name": name, "Status": status}.get(sort_by, sort_by)

    def position(record: Record) -> tuple[Any, str]:
        return record[field], record[name]

    descending = params.get("SortOrder", order) == "Descending"
    chosen.sort(key=position, reverse=descending)
    token = params.get("NextToken")
    if token:
        last = _from_token(token)
        chosen = [
            record
            for record in chosen
            if (position(record) < last if descending else position(record) > last)
        ]
    limit = params.get("MaxResults", _DEFAULT_PAGE)
    result: dict[str, Any] = {key: [summary(record) for record in chosen[:limit]]}
    if len(chosen) > limit:
        result["NextToken"] = _token(position(chosen[limit - 1]))
    return result


def _passes(record: Record, params: Mapping[str, Any], name: str) -> bool:
    wanted = params.get("NameContains")
    if wanted and wanted.lower() not in str(record[name]).lower():
        return False
    for prefix, field in _TIMES.items():
        if field not in record:
            continue
        before, after = params.get(f"{prefix}Before"), params.get(f"{prefix}After")
        if before is not None and not record[field] < _epoch(before):
            return False
        if after is not None and not record[field] > _epoch(after):
            return False
    return True


def _epoch(moment: datetime.datetime) -> float:
    return moment.timestamp()


def _token(position: tuple[Any, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _from_token(token: str) -> tuple[Any, str]:
    try:
        first, second = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise invalid("The pagination token is not valid; use the NextToken of the previous page.") from error
    return first, second
