"""How rollouts end, on a real local cloud: the endpoint, the ledger and what is left behind."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.aws import endpoints
from include.aws.clients import Clients, connect
from include.ledger.reader import Reader
from include.orchestration.operators import OpenOperator
from include.rollout.errors import (
    CloudError,
    FenceError,
    ForeignChangeError,
    LeaseHeldError,
    LedgerError,
    RefusedError,
    TerminalError,
)
from include.rollout.stage import Stage, endpoint_config
from include.rollout.verdict import Action, End, Verdict
from include.steps.decide import decide
from include.steps.deploy import deploy_shadow
from include.steps.janitor import is_left_behind, settle_dead, unsettled
from include.steps.judge import settle_verdict
from include.steps.open import Request, open_rollout
from include.steps.promote import promote
from include.steps.reach import reach
from include.steps.register import register
from include.steps.restore import roll_back
from include.steps.settle import settle
from tests.integration.rollouts.conftest import Drive, document, make_endpoint, resources, serves, session

Make = Callable[..., Drive]
FAILING = {"candidate": {"environment": {"LOCAL_ERROR_SHARE": "0.2"}}}


def test_a_healthy_candidate_is_promoted_under_productions_name(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    run = drive()
    assert run.all() is End.PROMOTED
    config, shadows = serves(clients, endpoint)
    described = endpoints.describe_config(clients, config)
    assert described is not None
    assert (shadows, described["ProductionVariants"][0]["VariantName"]) == (0, "production")
    candidate = run.rollout.ledger.require("candidate")
    assert described["ProductionVariants"][0]["ModelName"] == candidate["model"]
    assert resources(clients, run.rollout.id) == sorted([config, candidate["model"]])
    package = clients.sagemaker.describe_model_package(ModelPackageName=candidate["package"])
    assert package["ModelApprovalStatus"] == "Approved"
    assert run.rollout.leases.current(endpoint) is None
    account = run.rollout.ledger.require("replay/0000")["account"]
    assert account["scheduled"] == account["answered"] + sum(account["failed"].values()) + account["shed"]
    assert run.rollout.ledger.require("report.json")["end"] == "PROMOTED"
    page = run.rollout.ledger.read_page()
    assert page is not None
    assert b"Plotly" in page
    assert candidate["model"].encode() in page


def test_a_failing_candidate_is_rolled_back_before_the_windows_end(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    run = drive(**FAILING)
    assert run.all() is End.ROLLED_BACK
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    assert resources(clients, run.rollout.id) == []
    verdict = run.rollout.ledger.require("verdict")
    assert verdict["closed"] == "abort"
    assert verdict["gate"] == "error_rate:InvocationModelErrors"
    assert len(run.rollout.ledger.ticks()) < 2
    package = run.rollout.ledger.require("candidate")["package"]
    assert (
        clients.sagemaker.describe_model_package(ModelPackageName=package)["ModelApprovalStatus"]
        == "Rejected"
    )


def test_metrics_that_stay_empty_are_inconclusive_and_never_promoted(
    clients: Clients, endpoint: str, drive: Make, faults: Callable[..., None]
) -> None:
    faults(metrics="drop", endpoint=endpoint)
    run = drive(window={"opening": 15})
    run.begin()
    assert run.watch() is Verdict.INCONCLUSIVE
    assert run.finish() is End.INCONCLUSIVE
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)


def test_a_dry_run_records_what_it_would_have_done_and_restores(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    run = drive(mode="dry_run")
    assert run.all() is End.DRY_RUN
    assert run.rollout.ledger.require("decision")["would_have"] == "promote"
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)


def test_without_a_decision_settling_restores_and_says_crashed(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    run = drive()
    run.begin()
    assert serves(clients, endpoint)[1] == 1
    assert run.step(settle) is End.CRASHED
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    assert resources(clients, run.rollout.id) == []
    assert run.rollout.leases.current(endpoint) is None
    with pytest.raises(TerminalError, match="ended as CRASHED"):
        run.open()


def test_restoring_makes_a_deleted_config_again(clients: Clients, endpoint: str, drive: Make) -> None:
    run = drive()
    run.begin()
    before = run.rollout.baseline.config
    clients.sagemaker.delete_endpoint_config(EndpointConfigName=f"{endpoint}-config")
    assert run.step(settle) is End.CRASHED
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    assert endpoints.describe_config(clients, f"{endpoint}-config") == before


def scale_out(clients: Clients, endpoint: str, *, to: int) -> None:
    clients.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": "production", "DesiredInstanceCount": to}],
    )
    clients.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig={"Delay": 1})


def test_restoring_keeps_the_instance_count_of_the_moment(clients: Clients, drive: Make, source: str) -> None:
    name = make_endpoint(clients, instances=1)
    run = drive(document(name, source))
    run.begin()
    scale_out(clients, name, to=3)
    run.step(settle)
    state = endpoints.describe(clients, name)
    assert state is not None
    assert state.production[0].instance_count == 3


def test_what_scaled_out_between_two_tries_of_an_update_is_not_scaled_in(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    run = drive()
    run.open()
    rollout, candidate = run.rollout, register(run.rollout)["model"]
    tried = endpoint_config(
        rollout.spec,
        rollout.baseline,
        rollout=rollout.id,
        stage=Stage.SHADOW,
        candidate_model=candidate,
        live_count=1,
    )
    endpoints.ensure_config(clients, tried, rollout.tags)  # and then the endpoint was busy: it scaled out
    scale_out(clients, endpoint, to=3)
    run.step(deploy_shadow)
    state = endpoints.describe(clients, endpoint)
    assert state is not None
    assert (len(state.shadow), state.production[0].instance_count) == (1, 3)


@pytest.mark.parametrize("moment", ["before", "deployed"])
def test_a_foreign_change_is_found_and_left_alone(
    clients: Clients, endpoint: str, drive: Make, moment: str
) -> None:
    run = drive()
    config = clients.sagemaker.describe_endpoint_config(EndpointConfigName=f"{endpoint}-config")
    clients.sagemaker.create_endpoint_config(
        EndpointConfigName=f"{endpoint}-theirs", ProductionVariants=config["ProductionVariants"]
    )
    if moment == "before":
        run.open()
        register(run.rollout)
    else:
        run.begin()
    clients.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=f"{endpoint}-theirs")
    clients.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig={"Delay": 1})
    notice = partial(run.step, deploy_shadow) if moment == "before" else run.watch
    with pytest.raises(ForeignChangeError, match=f"{endpoint}-theirs"):
        notice()
    assert run.step(settle) is End.FOREIGN_CHANGE
    assert serves(clients, endpoint) == (f"{endpoint}-theirs", 0)
    assert resources(clients, run.rollout.id) == []
    assert run.rollout.leases.current(endpoint) is None


def test_a_shadow_that_somebody_took_away_by_hand_is_not_promoted(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    run = drive()
    run.begin()
    said = {
        "verdict": "PROMOTE",
        "action": "promote",
        "end": "PROMOTED",
        "who": "the gates",
        "why": "all passed",
    }
    run.rollout.write("decision", said)
    clients.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=f"{endpoint}-config")
    with pytest.raises(ForeignChangeError, match=f"back to endpoint config {endpoint}-config"):
        run.step(promote)
    deadline = time.monotonic() + 60
    while not getattr(endpoints.describe(clients, endpoint), "in_service", False):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with pytest.raises(ForeignChangeError, match=f"back to endpoint config {endpoint}-config"):
        run.step(promote)
    assert run.step(settle) is End.FOREIGN_CHANGE
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    assert resources(clients, run.rollout.id) == []


def test_of_two_rollouts_on_one_endpoint_the_second_is_refused(drive: Make) -> None:
    first, second = drive(), drive()
    second.owner_is_over = lambda lease: False
    first.open()
    with pytest.raises(LeaseHeldError, match=first.rollout.id):
        second.open()
    outcome = second.rollout.ledger.require("outcome")
    assert outcome["end"] == "REFUSED"
    assert first.rollout.id in outcome["reason"]
    first.rollout.leases.check(first.rollout.lease())


def test_a_rollout_that_may_wait_takes_its_turn(clients: Clients, endpoint: str, drive: Make) -> None:
    first, second = drive(), drive(when_busy="wait")
    first.begin()
    opened = threading.Thread(target=second.open, daemon=True)
    opened.start()
    opened.join(timeout=2)
    assert opened.is_alive()
    first.step(settle)
    opened.join(timeout=60)
    assert not opened.is_alive()
    assert second.rollout.baseline.config_name == f"{endpoint}-config"


def test_what_a_dead_rollout_left_is_settled_by_the_next(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    dead, successor = drive(), drive(when_busy="wait")
    dead.begin()
    successor.owner_is_over = lambda lease: True
    successor.open()
    assert dead.rollout.ledger.require("outcome")["end"] == "CRASHED"
    assert successor.rollout.baseline.config_name == f"{endpoint}-config"
    assert resources(clients, dead.rollout.id) == []


def test_a_task_that_is_asked_to_end_gives_its_lease_back(
    cloud_url: str, clients: Clients, endpoint: str, drive: Make
) -> None:
    """Airflow sends SIGTERM and calls on_kill, which ends the step where it is: here between the lease and the baseline."""
    own, looked = session(), []

    def terminate(**_: Any) -> None:
        looked.append(run.rollout.leases.current(endpoint))
        if looked[-1] is not None:
            OpenOperator(task_id="open").on_kill()

    own.events.register("before-call.sagemaker.DescribeEndpoint", terminate)
    run = drive()
    run.clients = connect(own, {"": cloud_url})
    with pytest.raises(SystemExit):
        run.open()
    assert looked[-1].owner == run.rollout.id
    run.clients = clients
    assert run.rollout.leases.current(endpoint) is None
    run.open()
    assert run.rollout.baseline.config_name == f"{endpoint}-config"


def test_opening_again_adopts_the_baseline(drive: Make) -> None:
    run = drive()
    run.open()
    fence = run.rollout.lease().fence
    baseline = run.rollout.baseline
    run.begin()
    assert run.rollout.baseline == baseline
    run.open()
    assert run.rollout.baseline == baseline
    assert run.rollout.lease().fence == fence


@pytest.mark.parametrize("broken", ["the spec's file", "the lease", "the noise"])
def test_opening_again_in_vain_is_no_refusal_and_the_shadow_is_taken_away(
    clients: Clients, endpoint: str, drive: Make, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Clearing a task runs `open` again, while the shadow serves: an outcome written then would leave it there."""

    def fails(*_: object) -> None:
        raise OSError("no route to anything")

    run = drive()
    run.begin()
    if broken == "the spec's file":
        assert open_rollout(run.rollout, Request(name="gone.yaml")) == run.rollout.spec
    else:
        monkeypatch.setattr(
            f"include.steps.open.{'_acquire' if broken == 'the lease' else 'fix_noise'}", fails
        )
        with pytest.raises(OSError, match="no route"):
            run.open()
    assert run.rollout.ledger.read("outcome") is None
    assert run.step(settle) is End.CRASHED
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    assert resources(clients, run.rollout.id) == []


def test_a_task_that_settle_overtook_changes_nothing_any_more(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    run = drive()
    run.open()
    register(run.rollout)
    stale = run.rollout.lease()
    run.rollout.leases.raise_fence(stale)
    candidate = run.rollout.ledger.require("candidate")["model"]
    with pytest.raises(FenceError):
        reach(run.rollout, Stage.SHADOW, stale, None, candidate=candidate)
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)


def test_a_fence_that_is_raised_while_a_look_takes_long_stops_the_update(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    run = drive()
    run.open()
    lease = run.rollout.lease()

    def slow() -> Iterator[float]:
        yield 0.0
        run.rollout.leases.raise_fence(lease)
        yield from itertools.count(10.0)  # what was seen is too old by now, so it is looked at again

    with pytest.raises(FenceError):
        endpoints.begin_update(
            clients,
            endpoint,
            config=f"{endpoint}-never",
            ours={f"{endpoint}-config"},
            allowed=run.rollout.guard(lease),
            clock=slow().__next__,
        )
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"endpoint": {"name": "nobody"}}, "does not exist"),
        ({"endpoint": {"variant": "green"}}, "no production variant green"),
        ({"candidate": {"artifact": "s3://rollouts/missing.tar.gz"}}, "missing.tar.gz failed"),
        ({"candidate": {"artifact": "s3://no-such-bucket-here/model.tar.gz"}}, "no-such-bucket-here"),
        ({"window": {"length": 10, "maximum": 10}, "replay": {"rate": 2}}, "set window.maximum"),
        ({"sampling": 7}, "sampling is 7"),
    ],
    ids=["endpoint", "variant", "artefact", "bucket", "hopeless window", "spec"],
)
def test_what_cannot_work_is_refused_in_a_sentence_before_anything_is_touched(
    clients: Clients, endpoint: str, drive: Make, changes: dict[str, Any], said: str
) -> None:
    run = drive(**changes)
    with pytest.raises(Exception, match=said):
        run.open()
    outcome = run.rollout.ledger.require("outcome")
    assert outcome["end"] == "REFUSED"
    assert said in outcome["reason"]
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    assert resources(clients, run.rollout.id) == []


def test_an_airflow_without_an_address_is_refused(clients: Clients, endpoint: str, drive: Make) -> None:
    run = drive()
    nameless = replace(run.rollout, run=replace(run.rollout.run, airflow=""))
    file = run.folder / "spec.yaml"
    file.write_text(yaml.safe_dump(run.spec))
    with pytest.raises(RefusedError, match="AIRFLOW__API__BASE_URL"):
        open_rollout(nameless, Request(name=str(file), asked_by="a test"))
    assert run.rollout.ledger.require("outcome")["end"] == End.REFUSED
    assert run.rollout.leases.current(endpoint) is None


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("production", "second"), "2 production variants"),
        (
            ("production",),
            r"publishes its metrics every 60 s and window.period is 10; make it a multiple of 60",
        ),
    ],
    ids=["two variants", "coarse metrics"],
)
def test_an_endpoint_that_cannot_be_compared_is_refused(
    clients: Clients, endpoint: str, drive: Make, names: tuple[str, ...], said: str
) -> None:
    variant = clients.sagemaker.describe_endpoint_config(EndpointConfigName=f"{endpoint}-config")[
        "ProductionVariants"
    ][0]
    clients.sagemaker.create_endpoint_config(
        EndpointConfigName=f"{endpoint}-two",
        ProductionVariants=[{**variant, "VariantName": name} for name in names],
    )
    clients.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=f"{endpoint}-two")
    clients.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig={"Delay": 1})
    run = drive()
    with pytest.raises(RefusedError, match=said):
        run.open()


def test_a_cloud_that_does_not_answer_is_said_in_the_ledger(
    endpoint: str, drive: Make, tmp_path: Path
) -> None:
    """The ledger may lie elsewhere, and then it must tell; its stamps come from this machine's clock."""
    with socket.socket() as taken:  # bound and not listening: whoever connects is refused
        taken.bind(("127.0.0.1", 0))
        nobody = connect(session(), {"": f"http://127.0.0.1:{taken.getsockname()[1]}"})
        run = replace(drive(), clients=nobody, location=str(tmp_path / "ledger"))
        with pytest.raises(CloudError, match="check the endpoint_url of the connection and that it is up"):
            run.open()
    outcome = run.rollout.ledger.require("outcome")
    assert outcome["end"] == "REFUSED"
    assert "check the endpoint_url of the connection and that it is up" in outcome["reason"]


def test_the_janitor_settles_what_a_dead_run_left(clients: Clients, endpoint: str, drive: Make) -> None:
    run = drive()
    run.begin()
    reader = Reader(run.rollout.store)
    assert (run.rollout.id, run.rollout.run) in unsettled(reader)
    assert settle_dead(run.rollout, sleep=lambda _: time.sleep(0.3)) is End.CRASHED
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    assert resources(clients, run.rollout.id) == []
    assert run.rollout.id not in {identity for identity, _ in unsettled(reader)}


def test_the_janitor_takes_what_no_airflow_knows_by_its_expired_lease_alone(drive: Make) -> None:
    run = drive()
    run.open()
    lease = run.rollout.lease()
    early, late = lease.expires - timedelta(seconds=1), lease.expires
    assert [
        is_left_behind(run.rollout, over=over, now=now)
        for over, now in ((None, early), (None, late), (False, late), (True, early))
    ] == [False, True, False, True]
    run.rollout.leases.release(lease)  # as seen with other credentials, where it is none of ours
    assert not is_left_behind(run.rollout, over=None, now=late)


def test_a_ledger_that_fails_while_a_rollout_is_opened_refuses_it_and_frees_the_endpoint(
    clients: Clients, endpoint: str, drive: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> None:
        raise LedgerError("Cannot list calibrations: S3 is down.")

    monkeypatch.setattr("include.steps.open.fix_noise", fails)
    run = drive()
    with pytest.raises(LedgerError):
        run.open()
    outcome = run.rollout.ledger.require("outcome")
    assert (outcome["end"], outcome["reason"]) == ("REFUSED", "Cannot list calibrations: S3 is down.")
    assert run.rollout.leases.current(endpoint) is None
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)


def test_a_rollout_that_lost_its_lease_has_a_report_too(drive: Make) -> None:
    run = drive()
    run.open()
    run.rollout.leases.release(run.rollout.lease())
    assert run.step(settle) is End.CRASHED
    assert run.rollout.ledger.require("report.json")["end"] == "CRASHED"


def test_a_slower_candidate_is_rolled_back_on_exceedances_counted_against_production_before_the_window(
    clients: Clients, drive: Make, source: str
) -> None:
    timed = {
        "LOCAL_SERVICE_TIME_MEDIAN_MS": "12",
        "LOCAL_SERVICE_TIME_REQUEST_SD": "0.2",
        "LOCAL_SERVICE_TIME_OWN_SD": "0.1",
    }
    name = make_endpoint(clients, environment=timed)
    gates = [
        {"kind": "completeness"},
        {"kind": "latency", "quantile": "p50", "margin": 0.2, "block": 10},
        {
            "kind": "latency",
            "quantile": "p95",
            "margin": 0.5,
            "block": 10,
            "abort": False,
            "severity": "info",
        },
    ]
    run = drive(
        document(
            name,
            source,
            candidate={"environment": {"LOCAL_SERVICE_TIME_FACTOR": "1.6"}},
            window={"warm_up": 10, "length": 80, "maximum": 110},
            gates={"rules": gates},
        )
    )
    run.begin()
    assert run.watch() is Verdict.ROLL_BACK
    assert run.finish() is End.ROLLED_BACK
    ledger = run.rollout.ledger
    fixed = ledger.require("thresholds")["thresholds"]
    assert [threshold["label"] for threshold in fixed] == ["p50"]
    assert fixed[0]["shadow_us"] == pytest.approx(1.2 * fixed[0]["production_us"])
    assert ledger.require("verdict")["gate"] == "latency:p50"
    evidence = ledger.require("evidence/1")
    assert all(row["slower"]["p50"] > 0 for row in evidence["shadow"])
    assert all("p95" in row["latency"] for row in evidence["production"])


def test_a_decision_that_was_not_carried_out_before_settling_is_a_crash(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    """Settling restores the endpoint, and what it restored is not taken for a decision carried out when it is asked again."""
    run = drive(mode="dry_run", window={"length": 10, "maximum": 20})
    run.begin()
    run.watch()
    settle_verdict(run.rollout)
    decide(run.rollout)
    assert run.step(settle) is End.CRASHED
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    assert run.rollout.ledger.read("restore") is None


@pytest.mark.parametrize(("verdict", "end"), [("PROMOTE", End.PROMOTED), ("INCONCLUSIVE", End.INCONCLUSIVE)])
def test_a_decision_that_was_carried_out_stands_while_the_endpoint_scales_or_is_maintained(
    clients: Clients, endpoint: str, drive: Make, faults: Callable[..., None], verdict: str, end: End
) -> None:
    run = drive()
    run.begin()
    run.rollout.write(
        "verdict",
        {"verdict": verdict, "reason": "a test says so", "closed": "end", "gate": None, "evidence": "0" * 64},
    )
    run.step(promote if decide(run.rollout) is Action.PROMOTE else roll_back)
    carried_out, _ = serves(clients, endpoint)
    faults(maintenance=600, endpoint=endpoint)
    state = endpoints.describe(clients, endpoint)
    assert state is not None
    assert state.status == "SystemUpdating"
    assert settle(run.rollout) is end
    state = endpoints.describe(clients, endpoint)
    assert state is not None
    assert (state.config, state.pending) == (carried_out, None)
    assert run.rollout.leases.current(endpoint) is None


def test_an_opening_that_was_killed_behind_its_lease_gives_it_back_when_it_is_settled(
    endpoint: str, drive: Make
) -> None:
    run = drive()
    rollout, now = run.rollout, run.rollout.now()
    rollout.write("spec", {"name": "a spec", "spec": run.spec})
    until = now + timedelta(hours=9)
    rollout.leases.acquire(
        endpoint, rollout.id, rollout.run, now=now, until=until, owner_is_over=lambda _: None
    )
    assert settle(rollout) is End.CRASHED
    assert rollout.leases.current(endpoint) is None
