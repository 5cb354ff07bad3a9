"""airflow_settings.yaml (Astro's format) as plain Airflow can take it: environment variables, and pools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class SettingsError(ValueError):
    """airflow_settings.yaml says something that cannot be loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """An Airflow pool: at most `slots` of its tasks run at once."""

    name: str
    slots: int
    description: str = ""
    include_deferred: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the file defines: connections and variables by id, and pools."""

    connections: Mapping[str, Mapping[str, Any]]  # in the JSON form of AIRFLOW_CONN_*, or {"uri": …}
    variables: Mapping[str, str]
    pools: tuple[Pool, ...]

    def environment(self, *, cloud_url: str | None = None) -> dict[str, str]:
        """Return AIRFLOW_CONN_* and AIRFLOW_VAR_*; every AWS connection that names an endpoint is pointed
        to `cloud_url` where one is given, so that a moved port needs no edit of the file.
        """
        variables = {f"AIRFLOW_VAR_{name.upper()}": value for name, value in self.variables.items()}
        connections = {}
        for conn_id, connection in self.connections.items():
            extra = connection.get("extra")
            if cloud_url and connection.get("conn_type") == "aws" and extra and "endpoint_url" in extra:
                connection = {**connection, "extra": {**extra, "endpoint_url": cloud_url}}  # noqa: PLW2901
            value = connection["uri"] if "uri" in connection else json.dumps(connection)
            connections[f"AIRFLOW_CONN_{conn_id.upper()}"] = value
        return connections | variables


def load(file: Path) -> Settings:
    """Read a file in Astro's format; an empty entry, as Astro's template has them, is skipped.

    Raises SettingsError with the entry and what it lacks.
    """
    document = yaml.safe_load(file.read_text()) or {}
    sections = document.get("airflow") or {}
    unknown = sorted(set(sections) - {"connections", "pools", "variables"})
    if unknown:
        raise SettingsError(f"{file.name} has {unknown[0]!r}; connections, pools and variables are allowed.")

    def entries(section: str, key: str) -> list[dict[str, Any]]:
        return [entry for entry in sections.get(section) or () if _required(file, section, entry, key)]

    return Settings(
        connections={
            entry["conn_id"]: _connection(file, entry) for entry in entries("connections", "conn_id")
        },
        variables={
            entry["variable_name"]: str(entry.get("variable_value", ""))
            for entry in entries("variables", "variable_name")
        },
        pools=tuple(_pool(file, entry) for entry in entries("pools", "pool_name")),
    )


def _required(file: Path, section: str, entry: Mapping[str, Any], key: str) -> bool:
    if not any(entry.values()):
        return False
    if not entry.get(key):
        raise SettingsError(f"{file.name} has an entry without {key} under {section}: {dict(entry)}.")
    return True


def _connection(file: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    if uri := entry.get("conn_uri"):
        return {"uri": uri}
    extra = entry.get("conn_extra") or {}
    if isinstance(extra, str):
        extra = json.loads(extra)
    if not entry.get("conn_type"):
        raise SettingsError(f"{file.name}: connection {entry['conn_id']} needs conn_type or conn_uri.")
    fields = ("host", "schema", "login", "password", "port")
    parts = {
        field: entry[f"conn_{field}"] for field in fields if entry.get(f"conn_{field}") not in (None, "")
    }
    return {"conn_type": entry["conn_type"], **parts, "extra": extra}


def _pool(file: Path, entry: Mapping[str, Any]) -> Pool:
    slots = entry.get("pool_slot")
    if not isinstance(slots, int) or slots < 1:
        raise SettingsError(
            f"{file.name}: pool {entry['pool_name']} has pool_slot {slots!r}; at least 1 is needed."
        )
    return Pool(
        name=entry["pool_name"],
        slots=slots,
        description=entry.get("pool_description") or "",
        include_deferred=bool(entry.get("pool_include_deferred", False)),
    )
