"""Tags of any resource, kept by ARN."""

from collections.abc import Callable, Iterable
from typing import Any

from include.localcloud.sagemaker.listing import bad_token
from include.localcloud.sagemaker.wording import invalid
from include.localcloud.state import Table

_MOST = 50


class Tags:
    """AddTags, DeleteTags and ListTags; `exists` tells whether an ARN is a resource."""

    def __init__(self, table: Table, exists: Callable[[str], bool]) -> None:
        self._table = table
        self._exists = exists

    def set(self, arn: str, tags: Iterable[dict[str, str]] | None) -> None:
        """Add the tags to the resource, replacing values of equal keys; at most 50 stay on one resource."""
        merged = {tag["Key"]: tag["Value"] for tag in self._of(arn)}
        merged |= {tag["Key"]: tag["Value"] for tag in tags or ()}
        if len(merged) > _MOST:
            raise invalid(f"A resource has at most {_MOST} tags; {arn} would have {len(merged)}.")
        if merged:
            self._table[arn] = {"Tags": [{"Key": key, "Value": value} for key, value in merged.items()]}

    def drop(self, arn: str) -> None:
        """Forget the tags of a resource that was deleted."""
        self._table.pop(arn, None)

    def _of(self, arn: str) -> list[dict[str, str]]:
        record = self._table.get(arn)
        return [] if record is None else list(record["Tags"])

    def _require(self, arn: str) -> None:
        if not self._exists(arn):
            raise invalid(f'Could not find resource "{arn}".')

    async def AddTags(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = params["ResourceArn"]
        self._require(arn)
        self.set(arn, params["Tags"])
        return {"Tags": self._of(arn)}

    async def DeleteTags(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = params["ResourceArn"]
        self._require(arn)
        kept = [tag for tag in self._of(arn) if tag["Key"] not in params["TagKeys"]]
        if kept:
            self._table[arn] = {"Tags": kept}
        else:
            self.drop(arn)
        return {}

    async def ListTags(self, params: dict[str, Any]) -> dict[str, Any]:
        self._require(params["ResourceArn"])
        if "NextToken" in params:  # the 50 tags that a resource may have are one page, so none was ever given
            raise bad_token()
        return {"Tags": self._of(params["ResourceArn"])}
