"""Register the candidate: its artefact in S3, its package in the registry, its model."""

from __future__ import annotations

from typing import Any

from include.aws import artifacts, registry
from include.ledger.objects import Kind
from include.rollout.errors import RefusedError
from include.rollout.names import moment, timestamp
from include.rollout.stage import candidate_container, candidate_model, changes_model
from include.steps.rollout import EXPIRES, NEVER, Rollout

_COPIED = ("ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation")
REGISTERED_BY = "penumbra-rollout"  # in a package's metadata: the rollout that made it from its own candidate

PACKAGE_EXPIRES = EXPIRES.replace(":", "-")  # in a package's metadata: what the tag says of everything else


def register(rollout: Rollout) -> dict[str, Any]:
    """Make sure that the candidate's model exists and return what is on trial, as the ledger keeps it.

    A candidate that only changes instances is production's own model: nothing is registered. A package that was named
    in the spec is used as it is; otherwise one is registered under the rollout's id, once, however often this runs.
    """
    rollout.refuse_if_over()
    say = rollout.headline("register")
    known = rollout.ledger.read(Kind.CANDIDATE)
    if known is not None:
        say(f"the candidate is model {known['model']}, registered before")
        return known
    spec, baseline = rollout.spec, rollout.baseline
    if not changes_model(spec):
        say(f"the candidate is production's own model {baseline.model_name} on other instances")
        return rollout.write(
            Kind.CANDIDATE,
            {"model": baseline.model_name, "package": None, "registered": False, "created": False},
        )
    lease = rollout.lease()
    package, registered = spec.candidate.package, False
    if package is None:
        artifact = spec.candidate.artifact
        if artifact is not None:
            say(f"placing the artefact {artifact}")
            artifact = artifacts.ensure_uploaded(rollout.clients, artifact, _destination(rollout))
        container = candidate_container(spec, baseline, artifact)
        group = spec.candidate.package_group or baseline.endpoint
        rollout.leases.check(lease)
        registry.ensure_group(
            rollout.clients, group, {"penumbra:endpoint": baseline.endpoint, EXPIRES: NEVER}
        )
        package = registry.register_package(
            rollout.clients,
            group,
            container,
            token=rollout.id,
            content_type=spec.replay.content_type if spec.replay else "text/csv",
            metadata={REGISTERED_BY: rollout.id, PACKAGE_EXPIRES: timestamp(rollout.expires)},
        )
        registered = True
        say(f"registered model package {package}, pending approval")
    model = candidate_model(rollout.id, spec, baseline)
    arguments = {
        "ModelName": model,
        "PrimaryContainer": {"ModelPackageName": package},
        **{key: baseline.model[key] for key in _COPIED if key in baseline.model},
    }
    rollout.leases.check(lease)
    registry.ensure_model(rollout.clients, arguments, rollout.tags)
    say(f"created model {model}")
    return rollout.write(
        Kind.CANDIDATE, {"model": model, "package": package, "registered": registered, "created": True}
    )


def candidate_of(rollout: Rollout) -> dict[str, Any] | None:
    """Return what is on trial as the ledger has it, or as far as it was made by a process that died before saying so.

    Names and the package's metadata derive from the rollout, so its own work is found without the ledger.
    """
    known = rollout.ledger.read(Kind.CANDIDATE)
    spec, baseline = rollout.spec, rollout.baseline
    if known is not None or not changes_model(spec):
        return known
    package = None
    if spec.candidate.package is None:
        group = spec.candidate.package_group or baseline.endpoint
        since = moment(rollout.ledger.require(Kind.BASELINE)["written_at"])
        package = registry.find_package(
            rollout.clients, group, key=REGISTERED_BY, value=rollout.id, since=since
        )
    return {
        "model": candidate_model(rollout.id, spec, baseline),
        "package": package,
        "registered": package is not None,
        "created": True,
    }


def _destination(rollout: Rollout) -> str:
    location = rollout.store.location
    if not location.startswith("s3://"):
        raise RefusedError(
            f"the artefact is a local file and the ledger is at {location}; upload the artefact to S3 and name its s3:// URI."
        )
    return f"{location.rstrip('/')}/artifacts/{rollout.id}"
