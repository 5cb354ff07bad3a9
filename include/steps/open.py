"""Open a rollout: resolve the spec, look at the endpoint, plan, and take the lease last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from include.aws import artifacts, endpoints
from include.ledger.lease import Lease, refuse_if_held
from include.ledger.objects import Kind
from include.ledger.reader import enrol
from include.rollout.baseline import Baseline
from include.rollout.errors import LeaseHeldError, PlanError, RefusedError, RolloutError
from include.rollout.spec import RolloutSpec, merge, parse
from include.rollout.verdict import End
from include.stats.calibration import Noise
from include.steps.endpoint import read_baseline
from include.steps.noise import fix_noise, known_noise
from include.steps.plan import make_plan
from include.steps.refresh import enter_candidate
from include.steps.replay import locate_source
from include.steps.rollout import Rollout, Wait, longest
from include.steps.settle import settle_for_dead
from include.steps.specs import check_expectations, load

_BUSY_LOOK = 10.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person or a schedule asked for: a spec file, what of it to override, and who asked."""

    name: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    asked_by: str = ""


def open_rollout(rollout: Rollout, request: Request, wait: Wait | None = None) -> Wait | RolloutSpec:
    """Make everything ready for the rollout and take the endpoint's lease; nothing else is changed on AWS.

    May run again: a ledger that has a baseline is adopted, never re-taken, and so is the spec beside it. A refusal is
    written as the outcome REFUSED and raised; the lease is given back on any failure after it was taken. Returns a
    Wait while another rollout has the endpoint and the spec says to wait.
    """
    rollout.refuse_if_over()
    if rollout.ledger.read(Kind.BASELINE) is not None:
        return _adopt(rollout)
    try:
        return _open(rollout, request, wait)
    except RolloutError:
        raise
    except Exception as error:
        # A defect, not a refusal. settle does not run after an open that failed, so the end is written here.
        reason = f"opening failed: {type(error).__name__}: {error}"
        rollout.write(Kind.OUTCOME, {"end": End.CRASHED.value, "reason": reason})
        raise


def _adopt(rollout: Rollout) -> RolloutSpec:
    """Go on with a rollout that was opened before, by the spec that was resolved then, whatever the file says now.

    The shadow may be there already, so what goes wrong here is no refusal: without an outcome the endpoint is restored.
    """
    rollout.headline("open")("this rollout was opened before; its spec and its baseline stand")
    _acquire(rollout, rollout.spec)
    fix_noise(rollout)
    return rollout.spec


def _open(rollout: Rollout, request: Request, wait: Wait | None) -> Wait | RolloutSpec:
    say = rollout.headline("open")
    try:
        enrol(rollout.ledger, _about(rollout, request), at=rollout.stamp())
        _refuse_nameless(rollout)
        spec = parse(merge(load(request.name), request.overrides), request.name)
        check_expectations(spec, request.name)
        rollout.write(
            Kind.SPEC,
            {
                "name": request.name,
                "spec": spec.model_dump(mode="json"),
                "overrides": dict(request.overrides),
                "asked_by": request.asked_by,
            },
        )
        enter_candidate(rollout, spec)
        if _is_being_settled(rollout, spec):
            return _wait_for_endpoint(rollout, spec, wait)
        baseline = _prepare(rollout, spec)
        lease = _acquire(rollout, spec)
    except LeaseHeldError as error:
        if spec.when_busy == "wait":
            return _wait_for_endpoint(rollout, spec, wait)
        _refuse(rollout, error)
        raise
    except RolloutError as error:
        # Nothing was touched, so whatever went wrong here is a refusal with that reason.
        _refuse(rollout, error)
        raise
    try:
        _confirm(rollout, baseline)
        rollout.write(Kind.BASELINE, baseline.to_document())
        noise = fix_noise(rollout)
    except BaseException as error:
        rollout.leases.release(lease)
        if isinstance(error, RolloutError):
            _refuse(rollout, error)
        raise
    say(f"noise between equal variants: {noise.source}")
    say(
        f"the lease on endpoint {baseline.endpoint} is ours (fence {lease.fence}); baseline is {baseline.config_name}"
    )
    return spec


def _about(rollout: Rollout, request: Request) -> dict[str, Any]:
    return {
        "spec": request.name,
        "asked_by": request.asked_by,
        "dag_id": rollout.run.dag_id,
        "run_id": rollout.run.run_id,
        "airflow": rollout.run.airflow,
    }


def _refuse_nameless(rollout: Rollout) -> None:
    """Raise RefusedError for an Airflow without an address: leases tell by it whose run holds an endpoint."""
    if not rollout.run.airflow.strip():
        raise RefusedError(
            "this Airflow has no address, so another one could take its leases for leases of its own; set base_url in "
            "the section [api] of airflow.cfg, or AIRFLOW__API__BASE_URL, to the URL under which people reach this Airflow, "
            "then start a new rollout."
        )


def _refuse(rollout: Rollout, error: RolloutError) -> None:
    rollout.headline("open")(f"refused: {error}")
    rollout.write(Kind.OUTCOME, {"end": End.REFUSED.value, "reason": str(error)})


def _is_being_settled(rollout: Rollout, spec: RolloutSpec) -> bool:
    """Settle what a dead rollout left behind, and say whether that still takes time.

    Raises LeaseHeldError for an endpoint that a living rollout has, before anything else is looked at: what it made
    of the endpoint is nobody's baseline.
    """
    holder = rollout.leases.current(spec.endpoint.name)
    if holder is None or holder.owner == rollout.id:
        return False
    refuse_if_held(holder, now=rollout.now(), owner_is_over=rollout.owner_is_over)
    rollout.headline("open")(f"rollout {holder.owner} died and left the endpoint; settling it first")
    return settle_for_dead(rollout, holder) is not None


def _wait_for_endpoint(rollout: Rollout, spec: RolloutSpec, wait: Wait | None) -> Wait:
    now = rollout.now()
    until = wait.until if wait else now + timedelta(seconds=spec.busy_timeout)
    if now >= until:
        error = RefusedError(
            f"endpoint {spec.endpoint.name} was busy for all of busy_timeout ({spec.busy_timeout} s); start again later."
        )
        _refuse(rollout, error)
        raise error
    return Wait(what=f"endpoint {spec.endpoint.name} to be free", every=_BUSY_LOOK, until=until)


def _prepare(rollout: Rollout, spec: RolloutSpec) -> Baseline:
    say = rollout.headline("open")
    baseline = read_baseline(rollout.clients, spec, rollout.id)
    verb = "will be created as" if baseline.created else "serves"
    say(
        f"endpoint {baseline.endpoint} {verb} {baseline.config_name} with {baseline.instance_count} instance(s)"
    )
    if spec.candidate.artifact is not None:
        artifacts.locate(rollout.clients, spec.candidate.artifact)
    if spec.replay is not None:
        locate_source(rollout.clients, spec.replay)
    noise = Noise(**known_noise(rollout.store, rollout.clients, baseline.endpoint)["noise"])
    plan = make_plan(rollout.clients, spec, baseline, rollout.id, noise=noise)
    rollout.write(Kind.PLAN, plan.to_document())
    for line in plan.lines():
        say(line)
    if plan.refusal is not None:
        raise PlanError(plan.refusal)
    return baseline


def _acquire(rollout: Rollout, spec: RolloutSpec) -> Lease:
    now = rollout.now()
    return rollout.leases.acquire(
        spec.endpoint.name,
        rollout.id,
        rollout.run,
        now=now,
        until=now + longest(spec),
        owner_is_over=rollout.owner_is_over,
    )


def _confirm(rollout: Rollout, baseline: Baseline) -> None:
    """Refuse if the endpoint moved between looking at it and taking the lease."""
    state = endpoints.describe(rollout.clients, baseline.endpoint)
    same = state is not None and state.in_service and state.config == baseline.config_name
    if state is not None if baseline.created else not same:
        raise RefusedError(
            f"endpoint {baseline.endpoint} changed while the rollout was being opened; it is left alone, so start again."
        )
