"""An inference experiment as values: its rules, and the endpoint configs it generates. Nothing acts here."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from include.localcloud.sagemaker.wording import conflict, invalid
from include.localcloud.state import Record

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
# Seconds an experiment lasts: developer guide, service model.
SHORTEST, LONGEST, DEFAULT = HOUR, 30 * DAY, 7 * DAY
OVER = ("Completed", "Cancelled")
_CARRIED = ("ModelName", "VariantName", "InstanceType", "InitialInstanceCount", "InitialVariantWeight")


def schedule(
    wanted: Mapping[str, datetime.datetime], known: Mapping[str, float], now: float
) -> dict[str, float]:
    """Return the experiment's start and end in epoch seconds; raise ValidationException for one that cannot be.

    What is not wanted stays as known; else it starts now and lasts 7 days. A start that has passed starts at once.
    How long it lasts counts to the nearest minute: who asks for an hour from now means an hour.
    """
    start = wanted["StartTime"].timestamp() if "StartTime" in wanted else known.get("StartTime", now)
    end = wanted["EndTime"].timestamp() if "EndTime" in wanted else known.get("EndTime", start + DEFAULT)
    lasts = round((end - start) / MINUTE) * MINUTE
    if not SHORTEST <= lasts <= LONGEST:
        raise invalid(
            f"The schedule lasts {lasts / HOUR:.4g} hours; an inference experiment lasts between 1 hour and 30 "
            "days (720 hours)."
        )
    if end <= now:
        raise invalid(f"The schedule's EndTime {_utc(end)} has passed; it must be in the future.")
    return {"StartTime": start, "EndTime": end}


def started_now(planned: Mapping[str, float], now: float) -> dict[str, float]:
    """Return the schedule of an experiment started before its time: its end moves only if it would pass 30 days."""
    return {"StartTime": now, "EndTime": min(planned["EndTime"], now + LONGEST)}


def check(record: Mapping[str, Any]) -> None:
    """Raise ValidationException unless the experiment has one production and one shadow variant that can run."""
    variants = record["ModelVariants"]
    names = [variant["VariantName"] for variant in variants]
    roles = [source_name(record), shadow_name(record)]
    if len(set(names)) != len(names):
        raise invalid(f"Variant names must be unique within an inference experiment; found {names}.")
    if sorted(names) != sorted(roles):
        raise invalid(
            f"ModelVariants are {names} and ShadowModeConfig names {roles}; both must name one production and one "
            "shadow variant, the same in both."
        )
    for variant in variants:
        if not instance_count(variant):
            raise invalid(
                f"Variant {variant['VariantName']} has an InstanceCount of 0; it needs at least one instance."
            )
    percentage = sampling(record)
    if percentage < 0:
        raise invalid(f"SamplingPercentage is {percentage}; it must be between 0 and 100.")
    destination = record.get("DataStorageConfig", {}).get("Destination", "s3://")
    if not destination.startswith("s3://"):
        raise invalid(f"The data storage destination {destination} is not in S3; use an s3:// URL.")


def check_endpoint(record: Mapping[str, Any], serving: Mapping[str, Any]) -> None:
    """Raise ValidationException unless the endpoint's one production variant is the experiment's."""
    found = [variant["VariantName"] for variant in serving["Variants"] if not variant["Shadow"]]
    shadows = [variant["VariantName"] for variant in serving["Variants"] if variant["Shadow"]]
    if shadows or len(found) != 1:
        raise invalid(
            f"The endpoint {record['EndpointName']} has the production variants {found} and the shadow variants "
            f"{shadows}; an inference experiment needs exactly one production variant and no shadow."
        )
    (live,) = serving["Variants"]
    source = variant_of(record, source_name(record))
    for field in ("VariantName", "ModelName"):
        if source[field] != live[field]:
            raise invalid(
                f"The production variant's {field} is {source[field]}; on the endpoint {record['EndpointName']} it "
                f"is {live[field]}, and an inference experiment keeps it."
            )


def source_name(record: Mapping[str, Any]) -> str:
    """Return the production variant's name."""
    name: str = record["ShadowModeConfig"]["SourceModelVariantName"]
    return name


def shadow_name(record: Mapping[str, Any]) -> str:
    """Return the shadow variant's name."""
    name: str = record["ShadowModeConfig"]["ShadowModelVariants"][0]["ShadowModelVariantName"]
    return name


def sampling(record: Mapping[str, Any]) -> int:
    """Return the percentage of requests that is copied to the shadow."""
    percentage: int = record["ShadowModeConfig"]["ShadowModelVariants"][0]["SamplingPercentage"]
    return percentage


def variant_of(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the experiment's variant of that name; raise KeyError when there is none."""
    for variant in record["ModelVariants"]:
        if variant["VariantName"] == name:
            return dict(variant)
    raise KeyError(name)


def instance_count(variant: Mapping[str, Any]) -> int:
    """Return how many instances a ModelVariantConfig asks for."""
    count: int = variant["InfrastructureConfig"]["RealTimeInferenceConfig"]["InstanceCount"]
    return count


def config(record: Mapping[str, Any], name: str, base: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the endpoint config of the running experiment, as CreateEndpointConfig takes it.

    `base` is the config that the endpoint served before; whatever the experiment does not say comes from it.
    """
    source, shadow = (variant_of(record, role) for role in (source_name(record), shadow_name(record)))
    generated = _whole(record, name, base, [_variant(source, base, 1.0)])
    generated["ShadowProductionVariants"] = [_variant(shadow, None, sampling(record) / 100)]
    storage = record.get("DataStorageConfig")
    if storage is not None:
        generated["DataCaptureConfig"] = _capture(storage)
    return generated


def config_after(
    record: Mapping[str, Any],
    name: str,
    base: Mapping[str, Any] | None,
    stop: Mapping[str, Any],
    live: Mapping[str, int],
) -> dict[str, Any]:
    """Return the endpoint config after the experiment, in which `stop` says who serves and who stays beside.

    Instance counts are those desired, else those that live on the endpoint now.
    """
    desired = {variant["VariantName"]: variant for variant in stop.get("Desired", ())}

    def kept(variant: str, base: Mapping[str, Any] | None, weight: float) -> dict[str, Any]:
        settings = _variant(desired.get(variant, variant_of(record, variant)), base, weight)
        if variant not in desired:
            settings["InitialInstanceCount"] = live.get(variant, settings["InitialInstanceCount"])
        return settings

    serves = stop["Serves"]
    inherits = base if serves == source_name(record) else None
    generated = _whole(record, name, base, [kept(serves, inherits, 1.0)])
    if stop.get("Beside"):
        generated["ShadowProductionVariants"] = [kept(stop["Beside"], None, sampling(record) / 100)]
    return generated


def stopping(record: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return who serves and who stays as shadow after a stop; raise ValidationException for what cannot be.

    A variant that no action names: production is retained unless the shadow is promoted, the shadow is removed.
    """
    actions: Mapping[str, str] = params["ModelVariantActions"]
    source, shadow = source_name(record), shadow_name(record)
    unknown = sorted(actions.keys() - {source, shadow})
    if unknown:
        raise invalid(f"Variant {unknown[0]} is not one of the inference experiment's: {source}, {shadow}.")
    of_shadow = actions.get(shadow, "Remove")
    of_source = actions.get(source, "Remove" if of_shadow == "Promote" else "Retain")
    if of_source == "Promote":
        raise invalid(
            f"Variant {source} is the production variant; only the shadow {shadow} can be promoted."
        )
    if of_shadow == "Promote" and of_source == "Retain":
        raise invalid(
            f"Variant {shadow} takes the place of {source}; the action for {source} must be Remove."
        )
    if of_shadow != "Promote" and of_source == "Remove":
        raise invalid(
            f"With {source} removed nothing serves on the endpoint; promote {shadow}, or retain {source}."
        )
    stop: dict[str, Any] = {"Serves": shadow if of_shadow == "Promote" else source}
    if of_shadow == "Retain":
        stop["Beside"] = shadow
    staying = [stop["Serves"], *([shadow] if "Beside" in stop else [])]
    desired = params.get("DesiredModelVariants", [])
    _check_desired(record, desired, staying)
    if desired:
        stop["Desired"] = desired
    return stop


def _check_desired(
    record: Mapping[str, Any], desired: Sequence[Mapping[str, Any]], staying: Sequence[str]
) -> None:
    names = [variant["VariantName"] for variant in desired]
    if len(set(names)) != len(names):
        raise invalid(f"DesiredModelVariants names a variant twice; found {names}.")
    for variant in desired:
        name = variant["VariantName"]
        if name not in staying:
            raise invalid(
                f"DesiredModelVariants has {name}; after the stop these variants stay: {', '.join(staying)}."
            )
        model = variant_of(record, name)["ModelName"]
        if variant["ModelName"] != model:
            raise invalid(
                f"DesiredModelVariants has the model {variant['ModelName']} for {name}; its model is {model}."
            )
        if not instance_count(variant):
            raise invalid(f"Variant {name} has an InstanceCount of 0; it needs at least one instance.")


def changed(record: Record, params: Mapping[str, Any], now: float) -> Record:
    """Return the experiment with an UpdateInferenceExperiment carried out; `record` stays as it was.

    Raises ConflictException for what may not change while it runs: then only the description, the sampling
    percentage and the end may; ValidationException for what can never be.
    """
    new = dict(record)
    for field in ("Description", "ShadowModeConfig", "DataStorageConfig"):
        if field in params:
            new[field] = params[field]
    if "ModelVariants" in params:
        new["ModelVariants"] = _merged(record["ModelVariants"], params["ModelVariants"])
    if "Schedule" in params:
        new["Schedule"] = schedule(params["Schedule"], record["Schedule"], now)
        start = record["Schedule"]["StartTime"]
        if abs(new["Schedule"]["StartTime"] - start) < 1:  # as described, which rounds: not another one
            new["Schedule"]["StartTime"] = start
    if record["Status"] == "Running":
        _check_running(record, new)
    check(new)
    return new


def _check_running(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    moved = [
        what
        for what, before, after in (
            ("the start", old["Schedule"]["StartTime"], new["Schedule"]["StartTime"]),
            ("ModelVariants", old["ModelVariants"], new["ModelVariants"]),
            ("DataStorageConfig", old.get("DataStorageConfig"), new.get("DataStorageConfig")),
            (
                "the variants of ShadowModeConfig",
                (source_name(old), shadow_name(old)),
                (source_name(new), shadow_name(new)),
            ),
        )
        if before != after
    ]
    if moved:
        raise conflict(
            f"The inference experiment is Running, so {moved[0]} cannot change any more; only the description, the "
            "sampling percentage and the end can."
        )


def _merged(
    known: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the variants with those of equal names replaced; a full list replaces all of them."""
    if len(wanted) == len(known):
        return list(wanted)
    by_name = {variant["VariantName"]: variant for variant in wanted}
    unknown = by_name.keys() - {variant["VariantName"] for variant in known}
    if unknown:
        names = ", ".join(variant["VariantName"] for variant in known)
        raise invalid(f"Variant {min(unknown)} is not one of the inference experiment's: {names}.")
    return [by_name.get(variant["VariantName"], variant) for variant in known]


def _variant(asked: Mapping[str, Any], base: Mapping[str, Any] | None, weight: float) -> dict[str, Any]:
    """Return a ProductionVariant; settings that an experiment has no words for come from `base`'s variant."""
    inherited = dict(base["ProductionVariants"][0]) if base is not None else {}
    return {key: value for key, value in inherited.items() if key not in _CARRIED} | {
        "VariantName": asked["VariantName"],
        "ModelName": asked["ModelName"],
        "InstanceType": asked["InfrastructureConfig"]["RealTimeInferenceConfig"]["InstanceType"],
        "InitialInstanceCount": instance_count(asked),
        "InitialVariantWeight": weight,
    }


def _whole(
    record: Mapping[str, Any], name: str, base: Mapping[str, Any] | None, production: list[dict[str, Any]]
) -> dict[str, Any]:
    dropped = {"EndpointConfigArn", "CreationTime", "ShadowProductionVariants"}
    generated = {key: value for key, value in (base or {}).items() if key not in dropped}
    generated |= {"EndpointConfigName": name, "ProductionVariants": production}
    if "KmsKey" in record:
        generated["KmsKeyId"] = record["KmsKey"]
    return generated


def _capture(storage: Mapping[str, Any]) -> dict[str, Any]:
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": storage["Destination"],
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }
    if "KmsKey" in storage:
        capture["KmsKeyId"] = storage["KmsKey"]
    if "ContentType" in storage:
        capture["CaptureContentTypeHeader"] = storage["ContentType"]
    return capture


def _utc(epoch_seconds: float) -> str:
    return datetime.datetime.fromtimestamp(epoch_seconds, datetime.UTC).isoformat(timespec="seconds")
