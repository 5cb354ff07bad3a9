"""CloudWatch's alarms, by AWS's names: stored, evaluated at the end of every period, with their history."""

import asyncio
import json
import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from include.localcloud.clock import Clock
from include.localcloud.cloudwatch import alarm as rules
from include.localcloud.cloudwatch.actions import Actions, Publish, nowhere
from include.localcloud.cloudwatch.metric import dimensions
from include.localcloud.cloudwatch.refusal import invalid_combination, invalid_value, position_of
from include.localcloud.cloudwatch.store import MetricStore
from include.localcloud.paging import page
from include.localcloud.protocol import AwsError
from include.localcloud.quota import Quota, excess, unlimited
from include.localcloud.scope import arn
from include.localcloud.state import Record, Table

log = logging.getLogger(__name__)

_EVERY = 10.0  # seconds of the clock between two looks at all alarms
_LEAST = 0.2  # seconds of the machine between them, however fast the clock
_MOST_HISTORY = 100  # items kept of an alarm
_MOST_PERIODS = 60  # that are caught up on at once
_OURS = ("History", "EvaluatedTo", "Tags")
_ALARM_ARN = re.compile(r"arn:[^:]+:cloudwatch:[^:]*:[^:]*:alarm:.")
_TYPES = ("MetricAlarm", "CompositeAlarm")


class Alarms:
    """Metric alarms, and `actions`, which carries out what they do when their state changes."""

    def __init__(
        self,
        folder: Path,
        store: MetricStore,
        clock: Clock,
        *,
        quota: Quota = unlimited,
        publish: Publish = nowhere,
    ) -> None:
        self._table = Table(folder)
        self._store = store
        self._clock = clock
        self._quota = quota
        self.actions = Actions(publish, self._acted)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Evaluate from now on, whoever looks."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run()), loop.create_task(self.actions.run())]

    async def close(self) -> None:
        """Evaluate no more, and carry out nothing."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def state(self, name: str) -> str | None:
        """Return the alarm's state as of now, or None if there is no such alarm."""
        if name not in self._table:
            return None
        self._evaluate(name)
        state: str = self._table[name]["StateValue"]
        return state

    def last_value(self, name: str) -> float | None:
        """Return the newest datapoint that the alarm looks at now, None if it has none or does not exist."""
        if name not in self._table:
            return None
        return rules.last_value(self._store, self._table[name], self._boundary(self._table[name]))

    def forget(self, name: str) -> None:
        """Delete the alarm if there is one."""
        self._table.pop(name, None)

    async def PutMetricAlarm(self, params: dict[str, Any]) -> None:
        """Create an alarm, or replace one; a replaced alarm keeps its state until it is evaluated."""
        rules.check(params)
        rules.judged(self._store, params, self._boundary(params))  # what can never be evaluated is refused
        name, now = params["AlarmName"], self._clock.now()
        former = self._table.get(name)
        if former is None and (refusal := excess(self._quota, "alarm", len(self._table))):
            raise AwsError("LimitExceeded", refusal)
        record: Record = {"ActionsEnabled": True} | params
        for field in ("OKActions", "AlarmActions", "InsufficientDataActions", "Dimensions"):
            record.setdefault(field, [])
        record["Tags"] = former["Tags"] if former is not None else list(params.get("Tags", ()))
        record["AlarmArn"] = arn("cloudwatch", f"alarm:{name}")
        record["AlarmConfigurationUpdatedTimestamp"] = now
        if former is None:
            record |= {
                "StateValue": rules.INSUFFICIENT,
                "StateReason": "Unchecked: Initial alarm creation",
                "StateUpdatedTimestamp": now,
                "StateTransitionedTimestamp": now,
                "History": [],
            }
        else:
            record |= {
                field: former[field] for field in former if field.startswith("State") or field == "History"
            }
        said = f'Alarm "{name}" {"created" if former is None else "updated"}'
        self._note(record, "ConfigurationUpdate", said, now)
        self._table[name] = record

    async def DescribeAlarms(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return metric alarms by name, evaluated up to now; there are no composite ones."""
        if "AlarmNames" in params and "AlarmNamePrefix" in params:
            raise invalid_combination("AlarmNames and AlarmNamePrefix are mutually exclusive; give one.")
        for field in ("ChildrenOfAlarmName", "ParentsOfAlarmName"):
            if field in params:
                raise AwsError(
                    "ValidationError", f"{field} is for composite alarms; the local cloud has none."
                )
        names = sorted(self._table) if "MetricAlarm" in params.get("AlarmTypes", _TYPES[:1]) else []
        if "AlarmNames" in params:
            names = [name for name in names if name in params["AlarmNames"]]
        names = [name for name in names if name.startswith(params.get("AlarmNamePrefix", ""))]
        for name in names:
            self._evaluate(name)
        found = [
            record
            for record in (self._table[name] for name in names)
            if params.get("StateValue") in {None, record["StateValue"]}
            and ("ActionPrefix" not in params or _acts(record, params["ActionPrefix"]))
        ]
        shown, token = _page(found, params)
        return {"MetricAlarms": [_shown(record) for record in shown], "CompositeAlarms": []} | token

    async def DescribeAlarmsForMetric(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return the alarms on exactly this metric, and on this statistic, period and unit if they are given."""
        wanted = {
            field: params[field]
            for field in ("Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Period", "Unit")
            if field in params
        }
        at = dimensions(params.get("Dimensions", ()))
        found = []
        for name in sorted(self._table):
            record = self._table[name]
            if dimensions(record["Dimensions"]) == at and wanted.items() <= record.items():
                self._evaluate(name)
                found.append(_shown(self._table[name]))
        return {"MetricAlarms": found}

    async def DescribeAlarmHistory(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return what happened to the alarms, the newest first unless ScanBy says otherwise."""
        for name in self._table:
            self._evaluate(name)
        items = [
            {"AlarmName": name, "AlarmType": "MetricAlarm"} | item
            for name, record in self._table.items()
            if params.get("AlarmName") in {None, name}
            for item in record["History"]
        ]
        start, end = params.get("StartDate"), params.get("EndDate")
        items = [
            item
            for item in items
            if params.get("HistoryItemType") in {None, item["HistoryItemType"]}
            and (start is None or item["Timestamp"] >= start.timestamp())
            and (end is None or item["Timestamp"] <= end.timestamp())
        ]
        items.sort(key=lambda item: item["Timestamp"])  # of one moment, in the order in which they came about
        if params.get("ScanBy") != "TimestampAscending":
            items.reverse()
        shown, token = _page(items, params)
        return {"AlarmHistoryItems": shown} | token

    async def SetAlarmState(self, params: dict[str, Any]) -> None:
        """Set the state until the alarm's next period is over, when it is evaluated again."""
        name = params["AlarmName"]
        self._require([name])
        _check_document(params.get("StateReasonData"))
        self._evaluate(name)
        record = self._table[name]
        self._become(
            record,
            params["StateValue"],
            params["StateReason"],
            params.get("StateReasonData"),
            self._clock.now(),
        )
        record["EvaluatedTo"] = self._boundary(record)
        self._table[name] = record

    async def EnableAlarmActions(self, params: dict[str, Any]) -> None:
        """Have the alarms' actions carried out, from their next change of state on."""
        self._switch(params["AlarmNames"], enabled=True)

    async def DisableAlarmActions(self, params: dict[str, Any]) -> None:
        """Have the alarms' actions carried out no more."""
        self._switch(params["AlarmNames"], enabled=False)

    async def DeleteAlarms(self, params: dict[str, Any]) -> None:
        """Delete all of the alarms, or none if one of them does not exist."""
        self._require(params["AlarmNames"])
        for name in params["AlarmNames"]:
            self._table.pop(name, None)

    async def ListTagsForResource(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return the tags of an alarm."""
        return {"Tags": self._tagged(params)["Tags"]}

    async def TagResource(self, params: dict[str, Any]) -> dict[str, Any]:
        """Add tags to an alarm, replacing values of equal keys."""
        record = self._tagged(params)
        tags = {tag["Key"]: tag for tag in (*record["Tags"], *params["Tags"])}
        self._table[record["AlarmName"]] = record | {"Tags": list(tags.values())}
        return {}

    async def UntagResource(self, params: dict[str, Any]) -> dict[str, Any]:
        """Take tags off an alarm."""
        record = self._tagged(params)
        kept = [tag for tag in record["Tags"] if tag["Key"] not in params["TagKeys"]]
        self._table[record["AlarmName"]] = record | {"Tags": kept}
        return {}

    def _tagged(self, params: dict[str, Any]) -> Record:
        if not _ALARM_ARN.match(params["ResourceARN"]):
            raise invalid_value(f"The value {params['ResourceARN']} for parameter ResourceARN is invalid.")
        for record in self._table.values():
            if record["AlarmArn"] == params["ResourceARN"]:
                return record
        raise AwsError("ResourceNotFoundException", f"There is no alarm {params['ResourceARN']}.", 404)

    def _switch(self, names: Iterable[str], *, enabled: bool) -> None:
        for name in names:
            if name in self._table:
                self._table[name] = self._table[name] | {"ActionsEnabled": enabled}

    def _require(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._table:
                raise AwsError("ResourceNotFound", f"Alarm {name} does not exist.", 404)

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(max(_EVERY, _LEAST * self._clock.scale))
            for name in list(self._table):
                try:
                    self._evaluate(name)
                except Exception:
                    log.exception("alarm %s cannot be evaluated", name)

    def _boundary(self, record: Record) -> int:
        step = rules.period(record)
        return int(self._clock.now() // step) * step

    def _evaluate(self, name: str) -> None:
        """Bring the alarm's state up to the last whole period, through every period since it was last evaluated."""
        record = self._table[name]
        step, end = rules.period(record), self._boundary(record)
        first = max(record.get("EvaluatedTo", end - step) + step, end - _MOST_PERIODS * step)
        if first > end:
            return
        for boundary in range(first, end + 1, step):
            try:
                judgement = rules.judged(self._store, record, boundary)
            except AwsError as error:  # an expression over metrics that cannot be evaluated now
                log.warning("alarm %s cannot be evaluated: %s", name, error.message)
                continue
            if judgement.state not in {None, record["StateValue"]}:
                assert judgement.state is not None
                at = max(float(boundary), record["StateUpdatedTimestamp"])
                self._become(record, judgement.state, judgement.reason, judgement.data, at)
        record["EvaluatedTo"] = end
        self._table[name] = record

    def _become(self, record: Record, state: str, reason: str, data: str | None, at: float) -> None:
        former = record["StateValue"]
        record |= {"StateValue": state, "StateReason": reason[:1023], "StateUpdatedTimestamp": at}
        record.pop("StateReasonData", None)
        if data is not None:
            record["StateReasonData"] = data
        if state != former:
            record["StateTransitionedTimestamp"] = at
            self._note(record, "StateUpdate", f"Alarm updated from {former} to {state}", at)
            log.info("alarm %s: %s → %s", record["AlarmName"], former, state)
            self.actions.begin(record, former, at)

    def _acted(self, name: str, said: str) -> None:
        """Note what came of an action, unless its alarm is gone."""
        if name in self._table:
            record = self._table[name]
            self._note(record, "Action", said)
            self._table[name] = record

    def _note(self, record: Record, kind: str, said: str, at: float | None = None) -> None:
        when = self._clock.now() if at is None else at
        item = {"Timestamp": when, "HistoryItemType": kind, "HistorySummary": said}
        record["History"] = [*record["History"], item][-_MOST_HISTORY:]


def _shown(record: Record) -> dict[str, Any]:
    return {field: value for field, value in record.items() if field not in _OURS}


def _check_document(text: str | None) -> None:
    try:
        json.loads(text or "{}")
    except ValueError as error:
        raise AwsError("InvalidFormat", f"StateReasonData is not a JSON document: {error}.") from error


def _acts(record: Record, prefix: str) -> bool:
    actions = (*record["OKActions"], *record["AlarmActions"], *record["InsufficientDataActions"])
    return any(action.startswith(prefix) for action in actions)


def _page(records: list[Any], params: dict[str, Any]) -> tuple[Sequence[Any], dict[str, str]]:
    return page(records, position_of(params.get("NextToken")), params.get("MaxRecords", 50))
