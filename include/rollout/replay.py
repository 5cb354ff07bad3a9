"""What a spec says of a replay: which requests, when each is sent, what is kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from include.rollout.section import Section

_PATH = r"^\$(\.[A-Za-z_][A-Za-z0-9_-]*|\['[^']*'\]|\[(\d+|\*)\])+$"
_ONLY_WITH = {  # fields that mean something with one pacer only
    "ramp_from": "ramp",
    "ramp_seconds": "ramp",
    "speed": "recorded",
    "longest_gap": "recorded",
}

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class RedactionRule(Section):
    """What becomes of one column of CSV or one place in JSON before a request is sent."""

    action: Literal["drop", "mask", "hash"] = Field(
        description="drop: it is gone; mask: it is empty (null in JSON); hash: 16 hexadecimal digits of HMAC-SHA256"
    )
    column: int | None = Field(default=None, ge=0, description="of CSV: the column, counted from 0")
    path: str | None = Field(
        default=None, pattern=_PATH, examples=["$.customer.name", "$.items[*].card", "$['odd name']"]
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.column is None) == (self.path is None):
            raise ValueError("it names both or none of column and path; it must name exactly one")
        return self


class RedactionSection(Section):
    """Redaction of requests, applied as they are read: nothing else is ever sent or kept."""

    rules: tuple[RedactionRule, ...] = Field(description="applied together, in this order")
    key: str = Field(
        default="PENUMBRA_REDACTION_KEY",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="name of the environment variable, on the workers, that holds the key of hashes",
    )

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.rules:
            raise ValueError("rules is empty; name at least one, or leave the redaction out")
        return self

    @property
    def hashes(self) -> bool:
        """Whether a key is needed."""
        return any(rule.action == "hash" for rule in self.rules)


class ReplaySection(Section):
    """Recorded requests that are sent again while the window is open."""

    source: str = Field(
        min_length=1, description="where the requests lie: s3:// URI or local path, of a file or a folder"
    )
    kind: Literal["rows", "captures", "files"] = Field(
        default="rows",
        description="`rows`: CSV or JSON Lines, one request a line; `captures`: what SageMaker's data capture filed of one "
        "variant; `files`: one request a file",
    )
    content_type: str = Field(default="text/csv", min_length=1)
    header: bool = Field(
        default=False, description="of rows: the first line of each file names columns and is not sent"
    )
    since: AwareDatetime | None = Field(
        default=None, description="of captures: the first moment, with a time zone"
    )
    until: AwareDatetime | None = Field(
        default=None, description="of captures: the moment after the last, with a time zone"
    )
    malformed: float = Field(
        default=0.01, ge=0, le=1, description="share of unreadable records above which the replay fails"
    )
    redaction: RedactionSection | None = Field(
        default=None, description="columns and JSON fields that are dropped, masked or hashed before sending"
    )
    rate: float = Field(
        gt=0,
        le=10000,
        description="requests per second, over all shards; of a ramp: those at its end; of a recording: those to be "
        "expected on average, for the plan",
    )
    pacer: Literal["poisson", "constant", "ramp", "recorded"] = Field(
        default="poisson", description="how the requests are spread over time"
    )
    ramp_from: float | None = Field(
        default=None,
        ge=0,
        le=10000,
        description="of a ramp: requests per second at its beginning; default: 0",
    )
    ramp_seconds: Positive | None = Field(
        default=None, description="of a ramp: seconds until the rate is reached, and then stays"
    )
    speed: Positive | None = Field(
        default=None, description="of a recording: 2 sends twice as fast as it was recorded; default: 1"
    )
    longest_gap: Positive | None = Field(
        default=None, description="of a recording: seconds that no gap in it may exceed; nights are cut short"
    )
    top_up: bool = Field(
        default=False,
        description="send only what live traffic lacks of the rate, by the metrics of the last minutes",
    )
    passes: int | None = Field(
        default=None, ge=1, description="how often the whole source is sent; left out: again and again"
    )
    copies: int = Field(
        default=1,
        ge=1,
        le=10,
        description="how often each request is sent in a row; 2 shows how far production agrees with itself",
    )
    duration: Positive | None = Field(
        default=None, description="seconds after which a shard ends; left out: when the window closes"
    )
    count: int | None = Field(
        default=None, ge=1, description="requests after which the replay ends, over all shards"
    )
    records: float = Field(
        default=0,
        ge=0,
        le=1,
        description="share of the requests whose times and outcome are kept one by one",
    )
    shards: int = Field(default=1, ge=1, le=64, description="parallel tasks that share the rate")
    in_flight: int = Field(
        default=64, ge=1, le=4096, description="most unanswered requests per shard; what is beyond is shed"
    )
    timeout: float = Field(
        default=70, gt=0, le=120, description="seconds until an unanswered request counts as failed"
    )
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [*self._source_problems(), *self._pacing_problems(), *self._redaction_problems()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _source_problems(self) -> Iterator[str]:
        if not (self.content_type.isascii() and self.content_type.isprintable()):
            yield f"content_type is {self.content_type!r}; it must be printable ASCII"
        if self.kind != "captures":
            for name in ("since", "until"):
                if getattr(self, name) is not None:
                    yield f"{name} is given and kind is {self.kind}; it goes with kind captures alone"
        elif self.since is not None and self.until is not None and self.since >= self.until:
            yield f"since is {self.since.isoformat()} and until {self.until.isoformat()}; since must be earlier"
        if self.header and self.kind != "rows":
            yield f"header is true and kind is {self.kind}; it goes with kind rows alone"

    def _pacing_problems(self) -> Iterator[str]:
        for name, pacer in _ONLY_WITH.items():
            if getattr(self, name) is not None and self.pacer != pacer:
                yield f"{name} is given and pacer is {self.pacer}; it goes with pacer {pacer} alone"
        if self.pacer == "ramp" and self.ramp_seconds is None:
            yield "pacer is ramp and ramp_seconds is missing; it must be given"
        if self.pacer == "recorded" and self.kind != "captures":
            yield f"pacer is recorded and kind is {self.kind}; only captures say when a request was made"
        if self.top_up and self.pacer not in {"poisson", "constant"}:
            yield f"top_up is true and pacer is {self.pacer}; it goes with poisson and constant alone"
        if self.top_up and self.copies > 1:
            yield f"top_up is true and copies is {self.copies}; what tops up is sent once"
        if self.count is not None and self.count < self.shards:
            yield f"count is {self.count} and shards is {self.shards}; every shard needs a request"

    def _redaction_problems(self) -> Iterator[str]:
        if self.redaction is None or self.kind == "captures":  # captures have content types of their own
            return
        kind = self.content_type.partition(";")[0].strip().lower()
        is_csv = kind == "text/csv"
        is_json = kind in {"application/json", "application/jsonlines"} or kind.endswith("+json")
        place = "column" if is_csv else "path"
        if not is_csv and not is_json:
            yield f"redaction is given and content_type is {kind}; only CSV and JSON can be redacted"
        elif all(getattr(rule, place) is None for rule in self.redaction.rules):
            yield f"redaction names no {place} and content_type is {kind}; nothing in it would be redacted"
