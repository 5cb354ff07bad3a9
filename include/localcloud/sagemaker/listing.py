"""What all List operations share: filters by name and time, order, pages with tokens."""

import base64
import datetime
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from include.localcloud.protocol import AwsError
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

    `name` and `status` are the fields that SortBy calls Name and Status, `order` the service model's default for
    SortOrder; equal values are ordered by name. A token names the last record returned, so pages stay whole while
    records come and go; with another order it is refused, which AWS documents neither way.
    """
    chosen = [record for record in records if _passes(record, params, name)]
    sort_by, sort_order = params.get("SortBy", "CreationTime"), params.get("SortOrder", order)
    field = {"Name": name, "Status": status}.get(sort_by, sort_by)

    def position(record: Record) -> tuple[Any, str]:
        return record[field], record[name]

    descending = sort_order == "Descending"
    chosen.sort(key=position, reverse=descending)
    if token := params.get("NextToken"):
        last = _from_token(token, sort_by, sort_order)
        chosen = [
            record
            for record in chosen
            if (position(record) < last if descending else position(record) > last)
        ]
    limit = params.get("MaxResults", _DEFAULT_PAGE)
    result: dict[str, Any] = {key: [summary(record) for record in chosen[:limit]]}
    if len(chosen) > limit:
        result["NextToken"] = _token(sort_by, sort_order, *position(chosen[limit - 1]))
    return result


def bad_token() -> AwsError:
    """Return the refusal of a token that no page of such a list gave."""
    return invalid("The pagination token is not valid; use the NextToken of the previous page.")


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


def _token(sort_by: str, sort_order: str, value: Any, name: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([sort_by, sort_order, value, name]).encode()).decode()


def _from_token(token: str, sort_by: str, sort_order: str) -> tuple[Any, str]:
    """Return the position that the token names, which is one of a list in this order."""
    try:
        found = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
    except ValueError as error:
        raise bad_token() from error
    if not isinstance(found, list) or len(found) != 4 or found[:2] != [sort_by, sort_order]:
        raise bad_token()
    _, _, value, name = found
    kind = float | int if sort_by in _TIMES else str
    if not isinstance(value, kind) or not isinstance(name, str):
        raise bad_token()
    return value, name
