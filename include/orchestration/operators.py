"""Operators exist only where a task must wait, and there they defer: a window of days holds no worker slot."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator
from airflow.sdk import BaseOperator, Param
from airflow.sdk.exceptions import AirflowFailException

from include.orchestration.asking import who_asked
from include.orchestration.connection import ledger_place, performing
from include.orchestration.form import overrides
from include.orchestration.links import ROLLOUT_URL, RolloutLink
from include.orchestration.triggers import WaitTrigger, WindowTrigger
from include.rollout.names import page_url

if TYPE_CHECKING:
    from include.steps.rollout import Rollout, Wait

# What deferring costs, in seconds: the start of another process, and a trigger that must not fire before this one was
# reaped. What is over sooner is waited for in place.
_DEFERRING = 5.0
_LOOK = 0.5
_APPROVE, _REFUSE = "Promote", "Roll back"


class StepOperator(BaseOperator):
    """Runs a step that may have to wait: the step says for what, the operator defers, and the step is asked again."""

    operator_extra_links = (RolloutLink(),)

    def advance(self, rollout: Rollout, context: Any, wait: Wait | None) -> Any:
        """Run the step; a subclass says which."""
        raise AssertionError(f"{type(self).__name__} does not say which step it runs")

    def connection(self, context: Any) -> str:
        """Return the AWS connection to use before the spec is in the ledger; afterwards the ledger knows."""
        return ""

    def on_kill(self) -> None:
        """Leave the step where it is, so that it undoes what it holds, such as a lease, and asks AWS for nothing more.

        Airflow calls this when the process gets SIGTERM, seconds before it kills it for good.
        """
        raise SystemExit("the task was asked to end")

    def execute(self, context: Any) -> Any:
        """Run the step for the first time."""
        return self._go(context, None)

    def resume(self, context: Any, event: Any, wait: Mapping[str, Any]) -> Any:
        """Run the step again after a wait."""
        return self._go(context, _recalled(wait))

    def _go(self, context: Any, wait: Wait | None) -> Any:
        from include.rollout.errors import DeploymentError
        from include.steps.rollout import Wait

        with performing(context, connection=self.connection(context)) as rollout:
            context["ti"].xcom_push(key=ROLLOUT_URL, value=page_url(rollout.run.airflow, rollout.id))
            result = self._linger(rollout, context, self.advance(rollout, context, wait))
            if not isinstance(result, Wait):
                return result
            if wait is not None and rollout.now() >= result.until:
                raise DeploymentError(f"waited until {result.until:%H:%M:%S} UTC for {result.what}, in vain.")
            connection = rollout.spec.connection if result.endpoint else ""
        _wait_for(self, result, connection=connection, method="resume")
        return None

    def _linger(self, rollout: Rollout, context: Any, result: Any) -> Any:
        """Wait in place for an update that is over before deferring would have paid."""
        from include.aws.endpoints import is_quiet
        from include.rollout.errors import CloudError
        from include.steps.rollout import Wait

        enough = time.monotonic() + _DEFERRING
        while isinstance(result, Wait) and result.endpoint and time.monotonic() < enough:
            time.sleep(_LOOK)
            try:
                quiet = is_quiet(rollout.clients, result.endpoint)
            except CloudError:
                break  # whoever waits on asks again, and says so
            if quiet:
                result = self.advance(rollout, context, result)
        return result


class OpenOperator(StepOperator):
    """Opens the rollout: spec, baseline, plan, and the endpoint's lease last. The form says which spec and what of it to change."""

    def connection(self, context: Any) -> str:
        """Return the connection that the spec names."""
        from include.rollout.errors import SpecError
        from include.steps.specs import load

        changed = overrides(context["params"])
        try:
            named = {**load(context["params"]["spec"]), **changed}.get("connection")
        except SpecError:
            named = None  # the step says what is wrong with the file
        return named if isinstance(named, str) else ledger_place()[1]

    def advance(self, rollout: Rollout, context: Any, wait: Wait | None) -> Any:
        """Open it, and say which shards the replay has."""
        from include.rollout.spec import RolloutSpec
        from include.steps.open import Request, open_rollout

        params = context["params"]
        request = Request(
            name=params["spec"],
            overrides=overrides(params),
            asked_by=who_asked(context["dag_run"]),
        )
        result = open_rollout(rollout, request, wait)
        if isinstance(result, RolloutSpec):
            context["ti"].xcom_push(key="rollout", value=rollout.id)
            # The replay maps over its shards.
            return list(range(result.replay.shards if result.replay else 0))
        return result


class DeployShadowOperator(StepOperator):
    """Brings the endpoint to the stage SHADOW."""

    def advance(self, rollout: Rollout, context: Any, wait: Wait | None) -> Any:
        """Deploy the candidate beside production."""
        from include.steps.deploy import deploy_shadow

        return deploy_shadow(rollout, wait)


class PromoteOperator(StepOperator):
    """Brings the endpoint to the stage PROMOTED, over BASELINE."""

    def advance(self, rollout: Rollout, context: Any, wait: Wait | None) -> Any:
        """Carry out the decision to promote."""
        from include.steps.promote import promote

        return promote(rollout, wait)


class WatchOperator(StepOperator):
    """Looks after the promoted candidate from the triggerer, and takes the promotion back on evidence; if the spec asks."""

    def execute(self, context: Any) -> Any:
        """Begin to watch, or go on with what was found before."""
        from include.steps.watch import is_watching

        with performing(context) as rollout:
            rollout.refuse_if_over()
            context["ti"].xcom_push(key=ROLLOUT_URL, value=page_url(rollout.run.airflow, rollout.id))
            watching = is_watching(rollout)
        if watching:
            self.defer(trigger=_looking(context, promoted=True), method_name="closed")
        return self._go(context, None)

    def closed(self, context: Any, event: Mapping[str, Any]) -> Any:
        """Act on what was found."""
        with performing(context):
            _refuse_error(event)
        return self._go(context, None)

    def advance(self, rollout: Rollout, context: Any, wait: Wait | None) -> Any:
        """Take the promotion back where the watch says so."""
        from include.steps.restore import roll_back
        from include.steps.watch import taken_back

        return roll_back(rollout, wait) if taken_back(rollout) is not None else None


class RollBackOperator(StepOperator):
    """Brings the endpoint back to the stage BASELINE."""

    def advance(self, rollout: Rollout, context: Any, wait: Wait | None) -> Any:
        """Carry out the decision to roll back."""
        from include.steps.restore import roll_back

        return roll_back(rollout, wait)


class ApproveOperator(StepOperator, HITLBranchOperator):
    """Takes the shadow away, then asks a person in Airflow's Required Actions; no answer in time is a no."""

    def __init__(self, **arguments: Any) -> None:
        # Airflow hands the DAG's own params in; only the answer's belong to this form.
        arguments["params"] = {
            "why": Param("", type="string", title="Why", description="Kept with the decision")
        }
        super().__init__(
            subject="Promote the candidate?",
            options=[_APPROVE, _REFUSE],
            options_mapping={_APPROVE: "promote", _REFUSE: "rollback"},
            defaults=[_REFUSE],
            **arguments,
        )

    def advance(self, rollout: Rollout, context: Any, wait: Wait | None) -> Any:
        """Take the shadow away, unless the spec keeps it."""
        from include.steps.restore import withdraw

        return withdraw(rollout, wait)

    def execute(self, context: Any) -> Any:
        """Begin with the shadow."""
        super().execute(context)
        return self._ask(context)

    def resume(self, context: Any, event: Any, wait: Mapping[str, Any]) -> Any:
        """Go on once the shadow is gone."""
        super().resume(context, event, wait)
        return self._ask(context)

    def _ask(self, context: Any) -> Any:
        """Show what the gates found, and wait as long as the spec says."""
        from include.ledger.objects import Kind
        from include.steps.notify import tell_question

        with performing(context) as rollout:
            spec, verdict = rollout.spec, rollout.ledger.require(Kind.VERDICT)
            self.subject = f"Promote the candidate on endpoint {spec.endpoint.name}?"
            page = page_url(rollout.run.airflow, rollout.id)
            self.body = (
                f"Verdict **{verdict['verdict']}**: {verdict['reason']}\n\n[Rollout {rollout.id}]({page})"
            )
            self.response_timeout = timedelta(seconds=spec.promotion.approval_timeout)
            tell_question(rollout)
        return HITLBranchOperator.execute(self, context)

    def execute_complete(self, context: Any, event: Any) -> Any:
        """Record the answer, then go where it leads."""
        from include.steps.decide import approve

        user = (event.get("responded_by_user") or {}).get("name")
        why = str((event.get("params_input") or {}).get("why", ""))
        with performing(context) as rollout:
            approve(
                rollout,
                approved=event.get("chosen_options") == [_APPROVE],
                who=user or "nobody (the time was over)",
                why=why,
            )
        return super().execute_complete(context, event)


class SettleOperator(StepOperator):
    """Ends the rollout safely. Fails unless a decision was carried out: as the run's teardown it gives the run its colour."""

    def advance(self, rollout: Rollout, context: Any, wait: Wait | None) -> Any:
        """Settle, then fail if the end is not one that a run may be green for."""
        from include.ledger.objects import Kind
        from include.steps.rollout import Wait
        from include.steps.settle import settle

        end = settle(rollout, wait)
        if isinstance(end, Wait):
            return end
        if not end.is_green:
            raise AirflowFailException(
                f"rollout {rollout.id} ended {end.value}: {rollout.ledger.require(Kind.OUTCOME)['reason']}"
            )
        return end.value


class MonitorOperator(BaseOperator):
    """Watches the window from the triggerer and asks the judge when it closes; extends it once when inconclusive."""

    operator_extra_links = (RolloutLink(),)

    def execute(self, context: Any) -> None:
        """Begin to watch."""
        with performing(context) as rollout:
            rollout.refuse_if_over()
            context["ti"].xcom_push(key=ROLLOUT_URL, value=page_url(rollout.run.airflow, rollout.id))
        self._watch(context)

    def closed(self, context: Any, event: Mapping[str, Any]) -> str | None:
        """Judge what the window showed, or watch on if it is extended."""
        return self._judge(context, event, None)

    def asked_again(self, context: Any, event: Any, closed: str, wait: Mapping[str, Any]) -> str | None:
        """Ask the judge again after a wait for captures or for an AWS that did not answer."""
        return self._judge(context, {"closed": closed}, _recalled(wait))

    def _judge(self, context: Any, event: Mapping[str, Any], wait: Wait | None) -> str | None:
        from include.rollout.verdict import Verdict
        from include.steps.judge import extend, take_reading
        from include.steps.observe import Closed, stop_replay
        from include.steps.rollout import Wait

        with performing(context) as rollout:
            _refuse_error(event)
            why = Closed(event["closed"])
            verdict = take_reading(rollout, why, wait)
            if not isinstance(verdict, Wait):
                extended = verdict is Verdict.INCONCLUSIVE and why is Closed.END and extend(rollout)
                if not extended:
                    stop_replay(rollout, why)
                    return verdict.value
        if isinstance(verdict, Wait):
            _wait_for(self, verdict, method="asked_again", closed=why.value)
        self._watch(context)
        return None

    def _watch(self, context: Any) -> None:
        self.defer(trigger=_looking(context), method_name="closed")


def _wait_for(task: BaseOperator, wait: Wait, *, method: str, connection: str = "", **arguments: Any) -> None:
    """Defer the task until the wait is worth a look; `method` goes on then, given the wait and the arguments."""
    from dataclasses import asdict

    task.log.info("waiting for %s, until %s at most", wait.what, f"{wait.until:%Y-%m-%d %H:%M:%S} UTC")
    task.defer(
        trigger=WaitTrigger(
            connection=connection, endpoint=wait.endpoint, every=wait.every, until=wait.until.timestamp()
        ),
        method_name=method,
        kwargs={**arguments, "wait": {**asdict(wait), "until": wait.until.isoformat()}},
    )


def _recalled(wait: Mapping[str, Any]) -> Wait:
    """Return a wait as it was before the task was deferred."""
    from include.steps.rollout import Wait

    return Wait(**{**wait, "until": datetime.fromisoformat(wait["until"])})


def _looking(context: Any, *, promoted: bool = False) -> WindowTrigger:
    """Return the trigger that looks at the run's rollout, at the shadow or at the `promoted` candidate."""
    ledger, connection = ledger_place()
    run = context["dag_run"]
    return WindowTrigger(
        dag_id=run.dag_id,
        run_id=run.run_id,
        ledger=ledger,
        ledger_connection=connection,
        promoted=promoted,
    )


def _refuse_error(event: Mapping[str, Any]) -> None:
    """Raise what went wrong in the triggerer, in its own words."""
    from include.rollout.errors import RolloutError

    if "error" in event:
        raise RolloutError(event["error"])
