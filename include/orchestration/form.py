"""The trigger form: the few fields people change, flat, and one object for any other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import Param

from include.rollout.pattern import INSTANCE_TYPE

SPECS = Path(__file__).resolve().parent.parent / "specs"

# field of the form -> where it lies in the spec
_PLACES: Mapping[str, tuple[str, ...]] = {
    "artifact": ("candidate", "artifact"),
    "package": ("candidate", "package"),
    "image": ("candidate", "image"),
    "instance_type": ("candidate", "instance_type"),
    "instance_count": ("candidate", "instance_count"),
    "sampling": ("sampling",),
    "window_length": ("window", "length"),
    "window_maximum": ("window", "maximum"),
    "replay_rate": ("replay", "rate"),
    "approval": ("promotion", "approval"),
}


def params() -> dict[str, Param]:
    """Return the form's fields; an empty one leaves what the spec says."""
    names = sorted(path.stem for path in SPECS.glob("*.yaml"))
    text = {"type": ["null", "string"], "minLength": 1}

    def field(section: str, title: str, description: str, **schema: Any) -> Param:
        return Param(None, section=section, title=title, description=description, **schema)

    return {
        "spec": Param(
            None,  # nobody starts the first of the list by not looking
            type="string",
            minLength=1,
            section="Rollout",
            title="Spec",
            description="Which rollout to run: a file under include/specs, without .yaml",
            examples=names,
        ),
        "dry_run": Param(
            False,
            type="boolean",
            section="Rollout",
            title="Dry run",
            description="Judge the candidate and record what would have been done, then restore the endpoint",
        ),
        "artifact": field(
            "Candidate",
            "Artefact",
            "model.tar.gz: an s3:// URI or a file of the project",
            examples=["s3://my-bucket/churn/model.tar.gz"],
            **text,
        ),
        "package": field(
            "Candidate",
            "Model package",
            "ARN of a model package; excludes artefact and image",
            examples=["arn:aws:sagemaker:us-east-1:111122223333:model-package/churn/7"],
            **text,
        ),
        "image": field(
            "Candidate",
            "Container image",
            "Image URI of the candidate's container",
            examples=["683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"],
            **text,
        ),
        "instance_type": field(
            "Candidate",
            "Instance type",
            "Instance type of the shadow",
            examples=["ml.m5.xlarge", "ml.c5.large"],
            type=["null", "string"],
            pattern=INSTANCE_TYPE,
        ),
        "instance_count": field(
            "Candidate",
            "Instances",
            "Instances of the shadow",
            type=["null", "integer"],
            minimum=1,
            maximum=100,
        ),
        "sampling": field(
            "Traffic",
            "Sampling",
            "Share of the requests that is copied to the shadow, above 0 and at most 1",
            type=["null", "number"],
            exclusiveMinimum=0,
            maximum=1,
        ),
        "replay": Param(
            "as in the spec",
            type="string",
            enum=["as in the spec", "off"],
            section="Traffic",
            title="Replay",
            description="Off: look at live traffic alone",
        ),
        "replay_rate": field(
            "Traffic",
            "Replay rate",
            "Replayed requests per second",
            type=["null", "number"],
            exclusiveMinimum=0,
            maximum=10000,
        ),
        "window_length": field(
            "Window",
            "Length",
            "Seconds to look, after the warm-up; a multiple of the spec's period",
            type=["null", "integer"],
            minimum=10,
            maximum=2592000,
        ),
        "window_maximum": field(
            "Window",
            "Maximum",
            "Seconds to look at most, when the window's end is inconclusive",
            type=["null", "integer"],
            minimum=10,
            maximum=2592000,
        ),
        "approval": field(
            "Promotion",
            "Approval",
            "Whether a person must approve before the candidate is promoted",
            type=["null", "boolean"],
        ),
        "overrides": Param(
            {},
            type=["object", "null"],
            section="Anything else",
            title="Overrides",
            description='Values laid over the spec, by its own paths, e.g. {"deploy_timeout": 1800}; recorded with the rollout',
        ),
    }


def overrides(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form changes of the spec, as one object; the free object comes first, the fields win."""
    found: dict[str, Any] = dict(given.get("overrides") or {})
    for name, path in _PLACES.items():
        value = given.get(name)
        if value is not None:
            _put(found, path, value)
    if given.get("dry_run"):
        found["mode"] = "dry_run"
    if given.get("replay") == "off":
        found["replay"] = None
    return found


def _put(found: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        below = found.get(part)
        found[part] = dict(below) if isinstance(below, Mapping) else {}
        found = found[part]
    found[path[-1]] = value
