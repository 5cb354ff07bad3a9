"""A local cloud, endpoints on it, and a driver that runs a rollout's steps in this process, without Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
import yaml

from include.aws import endpoints
from include.aws.clients import Clients, connect
from include.ledger.lease import Lease, OwnerRun
from include.ledger.objects import Kind, tick_key
from include.ledger.store import Store
from include.rollout.errors import CloudError, LedgerError
from include.rollout.evidence import Evidence, Period
from include.rollout.names import rollout_id, timestamp
from include.rollout.spec import RolloutSpec, merge
from include.rollout.verdict import Action, Conclusion, End, Verdict
from include.rollout.window import floor_to
from include.steps.conclude import conclude
from include.steps.decide import decide
from include.steps.deploy import deploy_shadow
from include.steps.judge import extend, settle_verdict, take_reading
from include.steps.observe import Closed, Progress, observe, stop_replay, summed
from include.steps.open import Request, open_rollout
from include.steps.promote import promote
from include.steps.register import register
from include.steps.replay import replay_shard
from include.steps.restore import roll_back
from include.steps.rollout import Rollout, Wait
from include.steps.settle import settle
from include.steps.watch import is_watching, look_after, taken_back

ROOT = Path(__file__).resolve().parents[3]
REGION = "us-east-1"
BUCKET = "rollouts"
ROLE = "arn:aws:iam::000000000000:role/penumbra"
PERIOD = 10
POLICY = "follow"  # of an endpoint that scales


@contextmanager
def local_cloud(state: Path, *options: str) -> Iterator[str]:
    """Run a local cloud with a bucket for ledgers on a free port until the block ends; give its URL."""
    command = [sys.executable, "-m", "include.localcloud", "--port", "0", "--state", str(state), *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as process:
        try:
            assert process.stdout is not None
            url = next((line.split()[1] for line in process.stdout if line.startswith("ready ")), None)
            assert url, f"the local cloud ended with {process.wait()} before it was ready"
            threading.Thread(target=process.stdout.read, daemon=True).start()
            session().client("s3", endpoint_url=url).create_bucket(Bucket=BUCKET)
            yield url
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def cloud_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a local cloud on a free port for the whole session."""
    with local_cloud(tmp_path_factory.mktemp("cloud")) as url:
        yield url


def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)


@pytest.fixture
def clients(cloud_url: str) -> Clients:
    return connect(session(), {"": cloud_url})


@pytest.fixture
def faults(cloud_url: str) -> Iterator[Callable[..., None]]:
    """Inject a fault into the local cloud; all are gone after the test."""

    def inject(**fault: Any) -> None:
        ask_local(cloud_url, "POST", "faults", fault)

    yield inject
    ask_local(cloud_url, "DELETE", "faults")


def ask_local(url: str, method: str, what: str, body: Any = None) -> None:
    """Ask the local cloud for something that AWS has not: faults, another pace of its clock."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{url}/_local/{what}", data, method=method, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()


@pytest.fixture
def endpoint(clients: Clients) -> str:
    """Give a light endpoint of one production variant, InService, with 10 s metrics."""
    return make_endpoint(clients)


def make_endpoint(
    clients: Clients,
    *,
    environment: dict[str, str] | None = None,
    instances: int = 1,
    instance_type: str = "ml.m5.large",
) -> str:
    name = f"e-{uuid4().hex[:8]}"
    sagemaker = clients.sagemaker
    sagemaker.create_model(
        ModelName=f"{name}-model",
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": "penumbra/light:1", "Environment": environment or {}},
    )
    sagemaker.create_endpoint_config(
        EndpointConfigName=f"{name}-config",
        ProductionVariants=[
            {
                "VariantName": "production",
                "ModelName": f"{name}-model",
                "InstanceType": instance_type,
                "InitialInstanceCount": instances,
                "InitialVariantWeight": 1.0,
            }
        ],
        MetricsConfig={"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": PERIOD},
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-config")
    deadline = time.monotonic() + 120
    while sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] != "InService":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return name


def scale(clients: Clients, endpoint: str, most: int = 3) -> None:
    """Let production scale by its requests, so few that it stays as it is."""
    of: Any = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/production",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    clients.scaling.register_scalable_target(**of, MinCapacity=1, MaxCapacity=most)
    clients.scaling.put_scaling_policy(
        **of,
        PolicyName=POLICY,
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 1e6,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
            },
        },
    )


def document(name: str, source: str, **changes: Any) -> dict[str, Any]:
    """Return a spec that decides in half a minute on a light endpoint."""
    base: dict[str, Any] = {
        "endpoint": {"name": name},
        "side_effect_free": True,
        "candidate": {"environment": {"CANDIDATE": "1"}},
        "replay": {"source": source, "rate": 100, "seed": 1, "timeout": 10},
        "window": {"period": PERIOD, "warm_up": 0, "length": 20, "maximum": 30, "lag": 2, "opening": 60},
        "gates": {
            "rules": [
                {"kind": "completeness"},
                {"kind": "min_sample", "requests": 500},
                {"kind": "error_rate", "absolute": 0.02},
            ]
        },
        "deploy_timeout": 60,
    }
    return merge(base, changes)


@pytest.fixture
def source(tmp_path: Path) -> str:
    file = tmp_path / "requests.csv"
    file.write_text("".join(f"{i},{i + 1},{i + 2}\n" for i in range(500)))
    return str(file)


@dataclass
class Drive:
    """Runs the steps of one rollout as the graph orders them; every Wait is waited for here."""

    clients: Clients
    spec: dict[str, Any]
    folder: Path
    location: str = f"s3://{BUCKET}/ledger"
    run_id: str = field(default_factory=lambda: f"manual__{uuid4().hex}")
    lines: list[str] = field(default_factory=list)
    owner_is_over: Callable[[Lease], bool | None] = lambda lease: None

    @property
    def rollout(self) -> Rollout:
        """Return the rollout as a new process would see it."""
        return Rollout(
            id=rollout_id("shadow_rollout", self.run_id),
            run=OwnerRun(dag_id="shadow_rollout", run_id=self.run_id, airflow="http://here"),
            store=Store(self.location, self.clients.store_access()),
            clients=self.clients,
            say=self.lines.append,
            owner_is_over=self.owner_is_over,
        )

    def step(self, function: Callable[..., Any], *arguments: Any) -> Any:
        result = function(self.rollout, *arguments)
        deadline = time.monotonic() + 240
        while isinstance(result, Wait):
            assert time.monotonic() < deadline, result.what
            time.sleep(0.3)
            result = function(self.rollout, *arguments, result)
        return result

    def open(self) -> RolloutSpec:
        file = self.folder / f"spec-{uuid4().hex[:6]}.yaml"
        file.write_text(yaml.safe_dump(self.spec))
        spec: RolloutSpec = self.step(open_rollout, Request(name=str(file), asked_by="a test"))
        return spec

    def begin(self) -> None:
        """Go on until the shadow serves."""
        self.open()
        register(self.rollout)
        self.step(deploy_shadow)

    def watch(self) -> Verdict:
        """Replay and observe until the window is closed for good."""
        shards = (
            [threading.Thread(target=replay_shard, args=(self.rollout, 0), daemon=True)]
            if "replay" in self.spec
            else []
        )
        for shard in shards:
            shard.start()
        try:
            rollout = self.rollout
            while True:
                progress = self._look(rollout)
                self.lines += progress.lines
                if progress.closed is None:
                    time.sleep(min(progress.again_in, 2))
                    continue
                verdict = self.step(take_reading, progress.closed)
                if not (
                    verdict is Verdict.INCONCLUSIVE and progress.closed is Closed.END and extend(self.rollout)
                ):
                    stop_replay(self.rollout, progress.closed)
                    return verdict
        finally:
            stop_replay(self.rollout, Closed.END)
            for shard in shards:
                shard.join(timeout=30)

    def look_after(self) -> None:
        """Watch the promoted candidate until that is over, and take the promotion back if it is to be."""
        rollout = self.rollout
        while is_watching(rollout):
            progress = look_after(rollout)
            self.lines += progress.lines
            time.sleep(min(progress.again_in, 0.5))
        if taken_back(rollout) is not None:
            self.step(roll_back)

    def _look(self, rollout: Rollout) -> Progress:
        """Observe as the trigger does: a cloud or a ledger that does not answer is asked again for a while."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return observe(rollout)
            except (CloudError, LedgerError) as error:
                lasting = isinstance(error, CloudError) and not error.transient
                if lasting or time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def finish(self) -> End:
        """Decide, carry it out, watch what was promoted, settle."""
        settle_verdict(self.rollout)
        self.step(promote if decide(self.rollout) is Action.PROMOTE else roll_back)
        self.look_after()
        end: End = self.step(settle)
        return end

    def all(self) -> End:
        self.begin()
        self.watch()
        return self.finish()


@pytest.fixture
def drive(clients: Clients, endpoint: str, source: str, tmp_path: Path) -> Callable[..., Drive]:
    """Make a driver for a rollout on the test's endpoint."""

    def make(spec: dict[str, Any] | None = None, **changes: Any) -> Drive:
        return Drive(clients=clients, spec=spec or document(endpoint, source, **changes), folder=tmp_path)

    return make


def note_window(run: Drive) -> Evidence:
    """Note an open window of one period in which both variants answered, and give what was seen of it."""
    rollout = run.rollout
    period = timedelta(seconds=rollout.spec.window.period)
    end = floor_to(rollout.now(), rollout.spec.window.period)
    row = Period(start=end - period, invocations=100.0, latency={"p50": 1000.0, "p90": 2000.0, "p99": 3000.0})
    seen = summed((row,), row.start)
    moments = {
        "opened": timestamp(row.start),
        "begin": timestamp(row.start),
        "end": timestamp(end + 9 * period),
    }
    rollout.write(Kind.WINDOW, {**moments, "closed": None})
    rollout.write(Kind.THRESHOLDS, {"thresholds": []})
    rollout.write(
        tick_key(end),
        {
            "end": timestamp(end),
            "production": seen,
            "shadow": seen,
            "log_e": 0.0,
            "bar": 4.6,
            "by_gate": {},
            "abort": None,
            "line": "one period was seen",
        },
    )
    return Evidence(
        begin=row.start,
        end=end,
        period=rollout.spec.window.period,
        sampling=rollout.spec.sampling,
        production=(row,),
        shadow=(row,),
    )


def promote_now(run: Drive) -> None:
    """Promote as a person does after a look at one period, without waiting for one to pass; again changes nothing."""
    if run.rollout.ledger.read(Kind.WINDOW) is None:
        run.rollout.write(f"{Kind.EVIDENCE}/1", note_window(run).to_document())
    conclude(run.rollout, Conclusion.PROMOTE, who="Ada", why="a test")


def serves(clients: Clients, endpoint: str) -> tuple[str, int]:
    """Return the config that an endpoint serves, InService, and how many shadows are on it."""
    state = endpoints.describe(clients, endpoint)
    assert state is not None
    assert state.in_service
    return state.config, len(state.shadow)


def resources(clients: Clients, part: str) -> list[str]:
    """List the models and endpoint configs whose names hold `part`."""
    models = clients.sagemaker.list_models(NameContains=part)["Models"]
    configs = clients.sagemaker.list_endpoint_configs(NameContains=part)["EndpointConfigs"]
    return sorted([m["ModelName"] for m in models] + [c["EndpointConfigName"] for c in configs])
