"""Find the next candidate of a recurring refresh: the newest package or artefact that was not tried yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from include.aws import artifacts, endpoints, registry
from include.aws.clients import Clients
from include.ledger.candidates import Identity, Tried
from include.ledger.lease import Lease, LeaseDesk, refuse_if_held
from include.ledger.objects import Kind, Ledger
from include.ledger.store import Store
from include.rollout.errors import LeaseHeldError, RefusedError
from include.rollout.refresh import RefreshSection
from include.rollout.spec import RolloutSpec
from include.rollout.verdict import End
from include.steps.register import REGISTERED_BY
from include.steps.rollout import Rollout

_DEPTH = 50  # of the newest candidates, so many are looked at
_UNJUDGED = frozenset({End.REFUSED, End.CRASHED, End.INCONCLUSIVE, End.FOREIGN_CHANGE})


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A rollout to start: what to override in the spec, and a run id that only this attempt can have."""

    run_id: str
    overrides: Mapping[str, Any]
    why: str


@dataclass(frozen=True, kw_only=True)
class Nothing:
    """There is nothing to start, and why."""

    why: str


@dataclass(frozen=True, kw_only=True)
class Search:
    """One look for a candidate: whose spec, where to look, and who can say whether a lease's owner lives.

    `again` names a person's wish to try the newest candidate whatever was tried before; empty for a schedule.
    """

    name: str
    spec: RolloutSpec
    clients: Clients
    store: Store
    owner_is_over: Callable[[Lease], bool | None] = field(default=lambda lease: None)
    again: str = ""


@dataclass(frozen=True, kw_only=True)
class _Found:
    identity: Identity
    overrides: Mapping[str, Any]
    registered_by: str = ""  # the rollout that made this package from its own candidate


def find_candidate(search: Search) -> Proposal | Nothing:
    """Propose the newest candidate that no rollout of the endpoint tried, and never the same one twice.

    What production serves ends the search: a refresh never goes back behind it. Changes nothing, and the same ledger
    gives the same run id, so that two who look at once start one rollout. Raises RefusedError and CloudError.
    """
    refresh, endpoint = search.spec.refresh, search.spec.endpoint.name
    if refresh is None:
        raise RefusedError(
            f"spec {search.name} has no refresh section; add one that says where candidates are."
        )
    state = endpoints.describe(search.clients, endpoint)
    if state is None:
        raise RefusedError(
            f"endpoint {endpoint} does not exist in {search.clients.region}; create it or correct endpoint.name."
        )
    busy = _busy(search, state)
    if busy is not None:
        return Nothing(why=busy)
    clients = search.clients
    tried = Tried(search.store, account=clients.account, region=clients.region, endpoint=endpoint)
    served = _served(clients, state)
    looked_at = 0
    for found in islice(_newest(search, refresh), _DEPTH):
        reference = found.identity.reference
        if search.again:
            why = f"{reference} is the newest candidate and is tried again because a person asked for it"
            return _proposal(search, tried, found, f"again-{search.again}", why)
        if reference in served:
            return Nothing(why=f"endpoint {endpoint} serves {reference} already{_newer(looked_at)}")
        rollouts = {*tried.rollouts(found.identity), *([found.registered_by] if found.registered_by else [])}
        if not any(_counts(search.store, rollout, retry=refresh.retry) for rollout in rollouts):
            why = f"{reference} is the newest candidate that was not tried on endpoint {endpoint}"
            return _proposal(search, tried, found, str(len(rollouts)) if rollouts else "", why)
        looked_at += 1
    source = refresh.package_group or refresh.artifacts
    if not looked_at:
        return Nothing(why=f"{source} holds no candidate yet")
    return Nothing(
        why=f"every candidate in {source} was tried before (the {looked_at} newest were looked at)"
    )


def enter_candidate(rollout: Rollout, spec: RolloutSpec) -> None:
    """Record which package or artefact a rollout tries, whoever started it, so that no refresh starts it again."""
    candidate = spec.candidate
    if candidate.package is not None:
        identity = Identity(reference=candidate.package)
    elif candidate.artifact is not None:
        version = artifacts.version(rollout.clients, candidate.artifact)
        if version is None:
            return  # opening will refuse it in its own words
        identity = Identity(reference=candidate.artifact, version=version)
    else:
        return
    clients = rollout.clients
    tried = Tried(rollout.store, account=clients.account, region=clients.region, endpoint=spec.endpoint.name)
    tried.enter(identity, rollout.id, at=rollout.now())


def _busy(search: Search, state: endpoints.EndpointState) -> str | None:
    """Say why no rollout can start now, so that a candidate is not spent on a refusal; None where one can."""
    if search.spec.when_busy == "wait":
        return None
    leases = LeaseDesk(search.store, account=search.clients.account, region=search.clients.region)
    holder = leases.current(search.spec.endpoint.name)
    if holder is not None:
        try:
            refuse_if_held(holder, now=state.seen, owner_is_over=search.owner_is_over)
        except LeaseHeldError as error:
            return str(error)
        return None  # it died; opening settles what it left
    if not state.in_service:
        return (
            f"endpoint {search.spec.endpoint.name} is {state.status}; the next look comes with the schedule"
        )
    return None


def _served(clients: Clients, state: endpoints.EndpointState) -> frozenset[str]:
    """Return package ARN and artefact URI of what production serves.

    An object under the artefact's own URI is never a candidate, however new: production's instances would load it too.
    """
    config = endpoints.describe_config(clients, state.config) or {}
    served: set[str] = set()
    for variant in config.get("ProductionVariants", []):
        model = registry.describe_model(clients, variant["ModelName"]) if "ModelName" in variant else None
        if model is None:
            continue
        package = (model.get("PrimaryContainer") or {}).get("ModelPackageName")
        container = registry.container(clients, model)
        served |= {name for name in (package, container.get("ModelDataUrl")) if name}
    return frozenset(served)


def _newest(search: Search, refresh: RefreshSection) -> Iterator[_Found]:
    if refresh.package_group is not None:
        for package in registry.newest_packages(
            search.clients, refresh.package_group, approval=refresh.approval
        ):
            metadata = package.get("CustomerMetadataProperties", {})
            if all(metadata.get(key) == value for key, value in refresh.metadata.items()):
                arn = str(package["ModelPackageArn"])
                yield _Found(
                    identity=Identity(reference=arn),
                    overrides={"candidate": {"package": arn, "artifact": None}},
                    registered_by=metadata.get(REGISTERED_BY, ""),
                )
        return
    assert refresh.artifacts is not None
    for artifact in artifacts.newest(search.clients, refresh.artifacts):
        version = artifacts.version(search.clients, artifact.uri)
        if version is not None:
            yield _Found(
                identity=Identity(reference=artifact.uri, version=version),
                overrides={"candidate": {"artifact": artifact.uri, "package": None}},
            )


def _counts(store: Store, rollout: str, *, retry: bool) -> bool:
    """Say whether a rollout counts as a try: every one does, or, with `retry`, one that judged or still may."""
    if not retry:
        return True
    outcome = Ledger(store, rollout).read(Kind.OUTCOME)
    return outcome is None or End(outcome["end"]) not in _UNJUDGED


def _proposal(search: Search, tried: Tried, found: _Found, attempt: str, why: str) -> Proposal:
    name = f"refresh__{Path(search.name).stem}__{tried.digest(found.identity)}"
    return Proposal(run_id=f"{name}__{attempt}" if attempt else name, overrides=found.overrides, why=why)


def _newer(count: int) -> str:
    if not count:
        return ""
    return f", and the {'one' if count == 1 else count} newer {'was' if count == 1 else 'were'} tried before"
