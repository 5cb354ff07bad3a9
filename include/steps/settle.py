"""End a rollout safely, whatever happened to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from include.aws import alarms, endpoints, registry
from include.aws.inventory import names_model
from include.ledger.lease import Lease
from include.ledger.objects import Kind
from include.rollout.errors import CloudError, FenceError, ForeignChangeError, LedgerError
from include.rollout.gate import Outcome
from include.rollout.guardrail import alarm_names
from include.rollout.stage import Stage, config_name
from include.rollout.verdict import Action, End
from include.steps.budget import note_cost
from include.steps.creation import ending, is_to_go, is_unfinished, keep, remove
from include.steps.decide import refused_by_approval
from include.steps.experiment import generated_configs, known_configs, promoted_config
from include.steps.generations import remove_former
from include.steps.notify import tell_end
from include.steps.reach import refuse_restored
from include.steps.register import PACKAGE_EXPIRES, candidate_of
from include.steps.report import write_report
from include.steps.restore import restore
from include.steps.rollout import EXPIRES, NEVER, Rollout, Wait
from include.steps.scaling import clear_targets
from include.steps.watch import is_watching, taken_back

_OUTCOME = "penumbra-outcome"  # in a package's metadata
_OTHERS = "others"  # the phase of a wait for an update that is not ours
_ABOUT_EVIDENCE = ("completeness", "min_sample")  # every other kind of gate is about the candidate


def settle(rollout: Rollout, wait: Wait | None = None) -> Wait | End:
    """Make the endpoint right, clean up, write outcome and report, give the lease back, and say how it ended.

    Runs after every rollout that was opened, also when a person marked the run failed. Raises the fence first, so that
    a task that is still dying can change nothing any more. Without a decision that was carried out, the endpoint
    is restored and the end is CRASHED. Re-entrant: a settle that was killed goes on where it stopped.
    """
    ledger = rollout.ledger
    if ledger.read(Kind.BASELINE) is None:
        return _nothing_touched(rollout)
    rollout.write(Kind.REPLAY_STOP, {"closed": "end"})
    known = ledger.read(Kind.OUTCOME)
    if known is not None:
        return _finish(rollout, End(known["end"]))
    try:
        lease = rollout.lease()
    except FenceError:
        return _overtaken(rollout)
    if wait is None:
        lease = rollout.leases.raise_fence(lease)
    say = rollout.headline("settle")
    try:
        right = _make_right(rollout, lease, wait)
        if isinstance(right, Wait):
            return right
        end = right
    except ForeignChangeError as error:
        say(str(error))
        pending = _others_update(rollout, wait)
        if pending is not None:
            return pending
        rollout.write(Kind.FOREIGN, {"reason": str(error)})
        end = End.FOREIGN_CHANGE
    _clean_up(rollout, end, lease)
    note_cost(rollout)
    rollout.write(Kind.OUTCOME, {"end": end.value, "reason": _reason(rollout, end)})
    return _finish(rollout, end)


def _make_right(rollout: Rollout, lease: Lease, wait: Wait | None) -> Wait | End:
    """Bring the endpoint to where it must be at the end, and say which end that is. Raises ForeignChangeError."""
    end = ending(rollout)
    # Once said, it stays said: after the restore the endpoint looks as if a decision had been carried out.
    crashed = rollout.ledger.read(Kind.CRASH) is not None
    if end is None and not crashed and not is_unfinished(rollout):
        end = _carried_out(rollout)
    if end is None:
        if not crashed:
            rollout.headline("settle")("no decision was carried out; restoring the endpoint")
            rollout.write(Kind.CRASH, {"reason": _crash(rollout)})
        if not is_unfinished(rollout):
            pending = restore(rollout, lease, None if _awaits_others(wait) else wait)
            if pending is not None:
                return replace(pending, phase="settle")
        end = End.CRASHED
    if is_to_go(rollout, end):
        pending = remove(rollout, lease, wait, end)
        if pending is not None:
            return pending
    return end


def settle_for_dead(rollout: Rollout, holder: Lease) -> Wait | End | None:
    """Settle the rollout that died holding this endpoint; None when it is settled and the endpoint is free."""
    dead = replace(rollout, id=holder.owner, run=holder.owner_run)
    if dead.ledger.read(Kind.BASELINE) is None:
        if dead.ledger.read(Kind.OUTCOME) is None:
            dead.write(
                Kind.OUTCOME, {"end": End.CRASHED.value, "reason": "its run ended while it was being opened"}
            )
        rollout.leases.release(holder)
        return None
    result = settle(dead)
    return result if isinstance(result, Wait) else None


def _nothing_touched(rollout: Rollout) -> End:
    """End a rollout whose baseline was never written: nothing on AWS is ours, only perhaps the lease."""
    ledger = rollout.ledger
    known = ledger.read(Kind.OUTCOME)
    if known is None:
        known = rollout.write(
            Kind.OUTCOME, {"end": End.CRASHED.value, "reason": "it ended while it was being opened"}
        )
    spec = ledger.read(Kind.SPEC)
    held = rollout.leases.current(spec["spec"]["endpoint"]["name"]) if spec is not None else None
    if held is not None and held.owner == rollout.id:
        rollout.leases.release(held)
    return End(known["end"])


def _overtaken(rollout: Rollout) -> End:
    """End a rollout whose lease another one holds by now: it settled this one, or will not touch what is ours."""
    known = rollout.write(
        Kind.OUTCOME,
        {
            "end": End.CRASHED.value,
            "reason": "its lease was lost; whoever took it over restored the endpoint",
        },
    )
    return _finish(rollout, End(known["end"]))


def _carried_out(rollout: Rollout) -> End | None:
    """Return how the rollout ended if its decision was carried out, as the ledger says or as the endpoint shows."""
    ledger = rollout.ledger
    baseline = rollout.baseline
    state = endpoints.describe(rollout.clients, baseline.endpoint)
    endpoints.refuse_foreign(state, baseline.endpoint, known_configs(rollout, state))
    assert state is not None
    decision = ledger.read(Kind.DECISION)
    if decision is None:
        return None
    refused = refused_by_approval(rollout) is not None
    undone = refused or taken_back(rollout) is not None
    stage = Stage.PROMOTED if decision["action"] == Action.PROMOTE and not undone else Stage.BASELINE
    promoted = stage is Stage.PROMOTED
    target = promoted_config(rollout) if promoted else baseline.config_name
    # What was noted stands while the endpoint scales, or SageMaker maintains it: that is Updating, on the same config.
    noted = ledger.read(Kind.PROMOTION if promoted else Kind.RESTORE) is not None
    still = state.in_service or (noted and state.pending in (None, target))
    if promoted:
        refuse_restored(rollout, state)
    if state.config != target or not still:
        return None
    if promoted:
        rollout.write(
            Kind.PROMOTION, {"config": state.config, "model": ledger.require(Kind.CANDIDATE)["model"]}
        )
        return End.PROMOTED
    rollout.write(Kind.RESTORE, {"config": state.config})
    if refused:
        return End.INCONCLUSIVE
    return End.ROLLED_BACK if undone else End(decision["end"])


def _awaits_others(wait: Wait | None) -> bool:
    return wait is not None and wait.phase == _OTHERS


def _others_update(rollout: Rollout, wait: Wait | None) -> Wait | None:
    """Wait for somebody else's update to end: our config and model are in use until then, and it may yet fail.

    Where it fails, the endpoint is on our config again and is restored. None once it ended, or took too long.
    """
    state = endpoints.describe(rollout.clients, rollout.baseline.endpoint)
    if state is None or state.status not in {"Updating", "SystemUpdating", "RollingBack"}:
        return None
    limit = timedelta(seconds=rollout.spec.deploy_timeout)
    until = wait.until if wait is not None and _awaits_others(wait) else state.seen + limit
    if state.seen >= until:
        return None
    return Wait(
        what=f"somebody else's update of endpoint {state.name} to end",
        every=rollout.poll,
        until=until,
        phase=_OTHERS,
        endpoint=state.name,
    )


def _clean_up(rollout: Rollout, end: End, lease: Lease) -> None:
    """Delete what this rollout created and nothing uses any more; tell the registry what came of the candidate."""
    baseline, clients = rollout.baseline, rollout.clients
    candidate = candidate_of(rollout)
    state = endpoints.describe(clients, baseline.endpoint)
    in_use = {name for name in ((state.config, state.pending) if state else ()) if name}
    deleted: list[str] = []
    rollout.leases.check(lease)
    removed = end is not End.FOREIGN_CHANGE and is_to_go(rollout, end)
    # The baseline's config is ours, and is needed no more.
    made = baseline.created and (removed or end is End.FOREIGN_CHANGE)
    ours = (Stage.SHADOW, Stage.PROMOTED, *((Stage.BASELINE,) if made else ()))
    stages = [config_name(rollout.id, stage, baseline) for stage in ours]
    for name in dict.fromkeys((*stages, *generated_configs(rollout), promoted_config(rollout))):
        if name not in in_use and endpoints.delete_config(clients, name):
            deleted.append(name)
    if baseline.scaling and end is End.FOREIGN_CHANGE:
        deleted += clear_targets(rollout, lease)
    guardrails = rollout.spec.promotion.guardrails
    if guardrails is not None:
        deleted += alarms.delete(clients, alarm_names(guardrails, rollout.id, baseline))
    if (
        candidate
        and candidate["created"]
        and (removed or end is not End.PROMOTED)
        and not _uses(rollout, in_use, candidate["model"])
    ) and registry.delete_model(clients, candidate["model"]):
        deleted.append(candidate["model"])
    if baseline.created and not made:
        keep(rollout)
    if end is End.PROMOTED and not removed:
        # A config that SageMaker made has no tags of ours yet.
        endpoints.tag_config(clients, promoted_config(rollout), {**rollout.tags, EXPIRES: NEVER})
        if candidate and candidate["created"]:
            registry.tag_model(clients, candidate["model"], {EXPIRES: NEVER})
        deleted += _former(rollout, lease)
    if candidate and candidate["registered"]:
        registry.judge_package(
            clients,
            candidate["package"],
            status=_package_status(rollout, end, candidate["package"]),
            metadata={
                "penumbra-rollout": rollout.id,
                _OUTCOME: end.value,
                **({PACKAGE_EXPIRES: NEVER} if end is End.PROMOTED else {}),
            },
        )
    rollout.write(Kind.CLEANUP, {"deleted": deleted})
    rollout.headline("settle")(
        f"deleted {', '.join(deleted)}" if deleted else "nothing of ours was left to delete"
    )


def _uses(rollout: Rollout, configs: set[str], model: str) -> bool:
    """Say whether any of the configs that the endpoint is on names the model; a foreign one may."""
    found = (endpoints.describe_config(rollout.clients, name) or {} for name in configs)
    return any(names_model(config, model) for config in found)


def _former(rollout: Rollout, lease: Lease) -> list[str]:
    """Delete what former promotions left; that this cannot be is no reason to call a promotion failed."""
    try:
        return remove_former(rollout, lease)
    except CloudError as error:
        rollout.headline("settle")(
            f"what former promotions left stays until the janitor's next look: {error}"
        )
        return []


def _package_status(rollout: Rollout, end: End, package: str) -> str | None:
    """Approve what was promoted, reject only what failed a quality gate, and leave everything else pending.

    A settle that was killed may have approved the package already, before somebody else changed the endpoint: that is
    taken back, and an approval of anybody else's is left alone (None).
    """
    if end is End.PROMOTED:
        return "Approved"
    said = registry.describe_package(rollout.clients, package).get("CustomerMetadataProperties") or {}
    if said.get(_OUTCOME) == End.PROMOTED.value:
        return "PendingManualApproval"
    readings = rollout.ledger.keys(f"{Kind.FINDING}/")
    if end is End.ROLLED_BACK and readings:
        findings = rollout.ledger.require(readings[-1])["findings"]
        if any(f["outcome"] == Outcome.FAIL and f["kind"] not in _ABOUT_EVIDENCE for f in findings):
            return "Rejected"
    return None


def _reason(rollout: Rollout, end: End) -> str:
    """Say in one sentence why it ended so."""
    ledger = rollout.ledger
    if end is End.FOREIGN_CHANGE:
        return str(ledger.require(Kind.FOREIGN)["reason"])
    if end is End.CRASHED:
        return str(ledger.require(Kind.CRASH)["reason"])
    refusal = refused_by_approval(rollout)
    if refusal is not None:
        return f"{refusal['who']} did not approve the promotion: {refusal['why'] or 'no reason given'}"
    back = taken_back(rollout)
    if back is not None:
        return back
    cut_short = "; its watch was cut short" if end is End.PROMOTED and is_watching(rollout) else ""
    return f"{ledger.require(Kind.DECISION)['why']}{cut_short}"


def _crash(rollout: Rollout) -> str:
    """Say what went wrong first, as far as the tasks could still say it."""
    failures = list(rollout.ledger.read_many(rollout.ledger.keys(f"{Kind.FAILURE}/")).values())
    if failures:
        first = min(failures, key=lambda failure: str(failure["written_at"]))
        return f"{first['task']} failed: {first['reason']}"
    return "a task was killed or marked failed before a decision was carried out"


def _finish(rollout: Rollout, end: End) -> End:
    """Write the report, give the lease back and tell people; all of it may have happened before."""
    write_report(rollout)
    try:
        rollout.leases.release(rollout.lease())
    except (FenceError, LedgerError) as error:
        rollout.headline("settle")(f"the lease is not ours any more: {error}")
    tell_end(rollout, end)
    rollout.headline("settle")(f"ended {end.value}: {rollout.ledger.require(Kind.OUTCOME)['reason']}")
    return end
