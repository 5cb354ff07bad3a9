"""CloudWatch alarms that watch a promotion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from include.aws.clients import Clients
from include.aws.endpoints import tag_list
from include.aws.faults import calling


def ensure(clients: Clients, arguments: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Make sure that the alarm exists as asked for; putting it again replaces it."""
    name = arguments["AlarmName"]
    with calling(f"Putting alarm {name}"):
        clients.cloudwatch.put_metric_alarm(**arguments, Tags=tag_list(tags))


def delete(clients: Clients, names: Sequence[str]) -> list[str]:
    """Delete those of the alarms that exist and return their names."""
    with calling(f"Deleting alarms {', '.join(names)}"):
        answer = clients.cloudwatch.describe_alarms(AlarmNames=list(names))
        found = sorted(str(alarm["AlarmName"]) for alarm in answer["MetricAlarms"])
        if found:
            clients.cloudwatch.delete_alarms(AlarmNames=found)
    return found
