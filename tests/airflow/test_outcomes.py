"""The table of outcomes, row by row, through a real Airflow: endpoint, run colour and end are as the design says.

All rollouts run at once, each on its own endpoint; the tests look at how each of them ended.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.airflow.rollouts import DAG, Stage

pytestmark = pytest.mark.timeout(2400)

AT_ONCE = 6
DRY = {"mode": "dry_run"}
ASKED = {"promotion": {"approval": True}}
WATCHED = {"promotion": {"watch": 10}}
GUARDED = {"promotion": {"guardrails": {"traffic": "all_at_once", "wait": 15, "error_rate": 0.5}}}
BEFORE_A_DECISION = ("register", "deploy_shadow", "replay", "monitor_window", "evaluate_gates", "decide")

CRASHES = {
    **{
        f"{how}-{task.replace('_', '-')}": (task, how, {})
        for task in BEFORE_A_DECISION
        for how in ("raise", "kill")
    },
    "raise-promote": ("promote", "raise", {}),
    "kill-promote": ("promote", "kill", {}),
    "raise-approve": ("approve", "raise", ASKED),
    "kill-approve": ("approve", "kill", ASKED),
    "raise-rollback": ("rollback", "raise", DRY),
    "kill-rollback": ("rollback", "kill", DRY),
}


@pytest.fixture(scope="module")
def stage(api, local_cloud, layout):
    api.ensure_pool("replay", slots=6, description="as many as cases run at once", include_deferred=False)
    yield Stage(api, local_cloud, layout.home)
    api.ensure_pool(
        "replay", slots=2, description="Replay shards that send at the same time", include_deferred=False
    )


def simple(stage, name, **changes):
    stage.endpoint(name)
    run = stage.trigger(name, **changes)
    run.colour = run.wait()
    return run


def crash(name):
    task, how, changes = CRASHES[name]
    return lambda stage: simple(stage, name, sabotage={task: f"{how} before"}, **changes)


def killed_settle(stage):
    return simple(stage, "kill-settle", sabotage={"settle": "kill before"})


def raised_settle(stage):
    return simple(stage, "raise-settle", sabotage={"settle": "raise before"})


def marked_task(state, task):
    name = f"mark-{task.replace('_', '-')}-{state}"

    def act(stage):
        stage.endpoint(name)
        run = stage.trigger(name)
        run.until(task, state)
        with stage.writing:
            stage.api.mark_task(DAG, run.run_id, task, "failed")
        run.colour = run.wait()
        return run

    return act


def marked_running_task(stage):
    """A task that is running is marked failed: its process is killed, and the rest follows."""
    name = "mark-replay-running"
    stage.endpoint(name)
    run = stage.trigger(name)
    run.until("replay[0]", "running")
    with stage.writing:
        stage.api.mark_task(DAG, run.run_id, "replay", "failed", map_index=0)
    run.colour = run.wait()
    return run


def marked_run(state, task):
    name = f"mark-run-{state}"

    def act(stage):
        stage.endpoint(name)
        run = stage.trigger(name)
        run.until(task, state)
        with stage.writing:
            stage.api.mark_run(DAG, run.run_id, "failed")
        stage.api.wait(lambda: run.end, timeout=240, what=lambda: f"{name}: {run.states()}")
        run.colour = run.wait()
        return run

    return act


def cleared(state, task):
    name = f"clear-{state}"

    def act(stage):
        stage.endpoint(name)
        run = stage.trigger(name)
        run.until(task, state)
        with stage.writing:
            run.cleared = stage.api.clear(DAG, run.run_id, [task.partition("[")[0]], downstream=False)
        run.colour = run.wait()
        return run

    return act


def foreign(stage):
    name = "foreign"
    stage.endpoint(name)
    stage.config(name, f"{name}-theirs")
    run = stage.trigger(name)
    run.until("monitor_window", "deferred")
    stage.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-theirs")
    run.colour = run.wait()
    return run


def refused(stage):
    """Two rollouts at once on one endpoint: the second is refused."""
    name = "refused"
    stage.endpoint(name)
    first = stage.trigger(name, run_id=f"{name}-first")
    first.until("deploy_shadow", "success")
    run = stage.trigger(name)
    run.colour = run.wait()
    run.first, run.first_colour = first, first.wait()
    return run


def no_metrics(stage):
    stage.cloud.ask("/_local/faults", {"metrics": "drop", "endpoint": "no-metrics"})
    return simple(stage, "no-metrics")


def guarded(stage):
    """A promotion that SageMaker watches for longer than a task waits in place."""
    name = "guarded"
    stage.endpoint(name)
    run = stage.trigger(name, **GUARDED)
    run.until("promote", "deferred", timeout=480)
    run.colour = run.wait()
    return run


def failing(stage):
    return simple(stage, "failing", candidate={"environment": {"LOCAL_ERROR_SHARE": "0.5"}})


CASES = {
    "healthy": lambda stage: simple(stage, "healthy"),
    "guarded": guarded,
    "failing": failing,
    "no-metrics": no_metrics,
    "dry-run": lambda stage: simple(stage, "dry-run", **DRY),
    "foreign": foreign,
    "refused": refused,
    "raise-open": lambda stage: simple(stage, "raise-open", sabotage={"open": "raise after"}),
    "kill-open": lambda stage: simple(stage, "kill-open", sabotage={"open": "kill after"}),
    **{name: crash(name) for name in CRASHES},
    "watched": lambda stage: simple(stage, "watched", **WATCHED),
    "raise-watch": lambda stage: simple(stage, "raise-watch", sabotage={"watch": "raise before"}, **WATCHED),
    "kill-watch": lambda stage: simple(stage, "kill-watch", sabotage={"watch": "kill before"}, **WATCHED),
    "kill-settle": killed_settle,
    "raise-settle": raised_settle,
    "mark-replay-running": marked_running_task,
    "mark-monitor-window-deferred": marked_task("deferred", "monitor_window"),
    "mark-run-deferred": marked_run("deferred", "monitor_window"),
    "mark-run-running": marked_run("running", "replay[0]"),
    "clear-deferred": cleared("deferred", "monitor_window"),
    "clear-running": cleared("running", "replay[0]"),
}


@pytest.fixture(scope="module")
def ended(stage):
    """Run every case, a few at a time, and return each by its name; one that broke is its exception."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = {name: pool.submit(case, stage) for name, case in CASES.items()}
        runs = {name: future.exception() or future.result() for name, future in futures.items()}
    stage.cloud.ask("/_local/faults", method="DELETE")
    return runs


@pytest.fixture
def run(request, ended):
    found = ended[request.param]
    if isinstance(found, BaseException):
        raise found
    return found


def baseline_is_back(run):
    assert run.serving == (f"{run.endpoint}-config", 0, f"{run.endpoint}-model")
    assert run.left == []
    assert run.holder is None


@pytest.mark.parametrize("run", ["healthy", "guarded"], indirect=True)
def test_a_healthy_candidate_is_promoted(run):
    config, shadows, model = run.serving
    assert (run.end, run.colour, shadows) == ("PROMOTED", "success", 0)
    assert model == run.record.get("candidate")["model"]
    assert run.left == sorted([config, model])
    assert run.holder is None


@pytest.mark.parametrize("run", ["failing"], indirect=True)
def test_a_failing_candidate_is_rolled_back(run):
    assert (run.end, run.colour) == ("ROLLED_BACK", "success")
    assert run.record.get("verdict")["gate"].startswith("error_rate")
    baseline_is_back(run)


@pytest.mark.parametrize(
    ("run", "end"), [("no-metrics", "INCONCLUSIVE"), ("dry-run", "DRY_RUN")], indirect=["run"]
)
def test_without_a_reason_to_promote_the_baseline_returns_and_the_run_is_green(run, end):
    assert (run.end, run.colour) == (end, "success")
    baseline_is_back(run)


@pytest.mark.parametrize(
    "run",
    [
        *CRASHES,
        "mark-replay-running",
        "mark-monitor-window-deferred",
        "mark-run-deferred",
        "mark-run-running",
    ],
    indirect=True,
)
def test_without_a_decision_that_was_carried_out_the_rollout_crashed(run):
    """Whatever dies: the endpoint is right, the run is red, and the ledger says CRASHED."""
    assert (run.end, run.colour) == ("CRASHED", "failed"), run.states()
    baseline_is_back(run)


@pytest.mark.parametrize("run", [name for name in CRASHES if name.startswith("raise")], indirect=True)
def test_an_exception_is_named_in_the_outcome(run):
    assert "sabotaged" in run.record.get("outcome")["reason"]


@pytest.mark.parametrize("run", ["watched"], indirect=True)
def test_a_promoted_candidate_is_watched_and_stays(run):
    assert (run.end, run.colour) == ("PROMOTED", "success"), run.states()
    assert run.record.get("watch/over")["closed"] == "end"
    text = run.stage.api.log(DAG, run.run_id, "watch")
    looks = [key for key in run.record.written_keys() if key.startswith("watch/2")]
    assert looks
    for key in looks:
        assert run.record.get(key)["line"] in text


@pytest.mark.parametrize("run", ["raise-watch", "kill-watch"], indirect=True)
def test_a_watch_that_dies_takes_nothing_back_and_the_outcome_says_so(run):
    assert (run.end, run.colour) == ("PROMOTED", "success"), run.states()
    assert run.record.get("outcome")["reason"].endswith("its watch was cut short")
    assert run.holder is None


@pytest.mark.parametrize("run", ["kill-settle", "raise-settle"], indirect=True)
def test_settling_goes_on_where_it_died(run):
    """The decision was carried out before, and the retry of settle finds that."""
    assert (run.end, run.colour) == ("PROMOTED", "success"), run.states()
    assert run.holder is None


@pytest.mark.parametrize("run", ["clear-deferred", "clear-running"], indirect=True)
def test_clearing_a_task_runs_open_again_and_the_rollout_goes_on(run):
    assert "open" in run.cleared
    assert (run.end, run.colour) == ("PROMOTED", "success"), run.states()
    assert run.holder is None


@pytest.mark.parametrize("run", ["foreign"], indirect=True)
def test_a_foreign_change_stays_and_the_run_is_red(run):
    assert (run.end, run.colour) == ("FOREIGN_CHANGE", "failed")
    assert run.serving == ("foreign-theirs", 0, "foreign-model")
    assert run.left == []
    assert run.holder is None


@pytest.mark.parametrize("run", ["refused"], indirect=True)
def test_the_second_rollout_on_an_endpoint_is_refused_and_the_first_goes_on(run):
    assert (run.end, run.colour) == ("REFUSED", "failed")
    assert run.first.id in run.record.get("outcome")["reason"]
    assert (run.first.end, run.first_colour) == ("PROMOTED", "success")


@pytest.mark.parametrize("run", ["raise-open", "kill-open"], indirect=True)
def test_an_open_that_died_touched_nothing_and_the_next_rollout_takes_over(run):
    assert run.colour == "failed"
    assert run.serving == (f"{run.endpoint}-config", 0, f"{run.endpoint}-model")
    following = run.stage.trigger(run.endpoint, run_id=f"{run.endpoint}-next", mode="dry_run")
    assert following.wait() == "success"
    assert (run.end, following.end) == ("CRASHED", "DRY_RUN")
    assert following.holder is None


@pytest.mark.parametrize("run", ["healthy"], indirect=True)
def test_a_terminal_rollout_is_never_taken_up_again(run):
    """Clearing a task of it refuses, and names a new run."""
    before = run.serving
    run.stage.api.clear(DAG, run.run_id, ["decide"], downstream=True)
    assert run.wait() == "failed"
    assert "trigger a new run" in run.stage.api.log(DAG, run.run_id, "open", try_number=2)
    assert run.serving == before
    assert run.end == "PROMOTED"


@pytest.mark.parametrize("run", ["healthy"], indirect=True)
def test_the_monitoring_task_waited_deferred_and_its_log_has_a_line_a_tick(run):
    text = run.stage.api.log(DAG, run.run_id, "monitor_window")
    ticks = [key for key in run.record.written_keys() if key.startswith("tick/")]
    assert ticks
    for key in ticks:
        assert run.record.get(key)["line"] in text


@pytest.mark.parametrize("run", ["healthy", "failing"], indirect=True)
def test_the_replays_accounts_add_up(run):
    account = run.record.get("replay/0000")["account"]
    assert account["scheduled"] == account["answered"] + sum(account["failed"].values()) + account["shed"]
    assert account["answered"] > 0
