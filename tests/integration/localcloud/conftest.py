"""The real program on a free port, driven by unmodified boto3 clients."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

PROJECT = Path(__file__).resolve().parents[3]
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/penumbra/light:1"
ROLE = "arn:aws:iam::123456789012:role/serving"


class Program:
    """`python -m include.localcloud` on one state folder; it can be killed and started again."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "include.localcloud", "--port", "0", "--state", str(self.state)]
        self.process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready http://127.0.0.1:"), line
        self.url = line.split()[1]

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(40)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def client(self, service: str, region: str = "us-east-1", **config: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(**config),
        )

    def ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data), timeout=10) as answer:
            return json.load(answer)

    def let_pass(self, minutes: float = 1.5) -> None:
        """Let the clock run ahead, as waiting would, and on at the machine's pace."""
        until = self.ask("/_local/clock")["now"] + minutes * 60
        self.ask("/_local/clock", {"scale": 60})
        while self.ask("/_local/clock")["now"] < until:
            time.sleep(0.05)
        self.ask("/_local/clock", {"scale": 1})

    def instances(self, endpoint: str) -> dict[str, list[int]]:
        """Return the process ids of each variant's instances."""
        served = self.ask("/_local/state")["endpoints"][endpoint]["served"]
        return {
            variant["variant"]: [instance["pid"] for instance in variant["instances"]]
            for variant in served["variants"]
        }


def alive(pid: int) -> bool:
    """Tell whether a process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def until(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait until something holds; tell whether it came to that."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class Hosting:
    """Models, configs and endpoints of the light image, in few words."""

    def __init__(self, program: Program) -> None:
        self.sagemaker = program.client("sagemaker")

    def model(self, name: str, **environment: str) -> None:
        container = {"Image": IMAGE, "Environment": environment}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)

    def config(self, name: str, production: str, shadow: str | None = None, **more: Any) -> None:
        params: dict[str, Any] = {"ProductionVariants": [self._variant("production", production)], **more}
        if shadow is not None:
            params["ShadowProductionVariants"] = [self._variant("shadow", shadow)]
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, **params)

    def settled(self, endpoint: str) -> dict[str, Any]:
        """Return the endpoint's description once it is changing no more."""
        described: dict[str, Any] = {}

        def rests() -> bool:
            described.update(self.sagemaker.describe_endpoint(EndpointName=endpoint))
            return described["EndpointStatus"] not in {"Creating", "Updating", "RollingBack"}

        assert until(rests, 60)
        return self.sagemaker.describe_endpoint(EndpointName=endpoint)  # type: ignore[no-any-return]

    def create(self, endpoint: str, config: str) -> dict[str, Any]:
        self.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
        return self.settled(endpoint)

    def update(self, endpoint: str, config: str, **more: Any) -> dict[str, Any]:
        self.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config, **more)
        return self.settled(endpoint)

    @staticmethod
    def _variant(name: str, model: str) -> dict[str, Any]:
        return {
            "VariantName": name,
            "ModelName": model,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
            "InitialVariantWeight": 1.0,
        }


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(tmp_path_factory.mktemp("cloud"))
    yield program
    assert program.stop() == 0


@pytest.fixture
def own_program(tmp_path: Path) -> Iterator[Program]:
    """A program that the test may kill."""
    program = Program(tmp_path / "state")
    yield program
    program.stop()


@pytest.fixture(scope="session")
def hosting() -> type[Hosting]:
    return Hosting


@pytest.fixture(scope="session")
def is_alive() -> Callable[[int], bool]:
    return alive


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., bool]:
    return until


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def cloud(own_program: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A local cloud that this process takes for AWS."""
    for name, value in {
        "AWS_ENDPOINT_URL": own_program.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    yield own_program
    own_program.ask("/_local/clock", {"scale": 1})


@pytest.fixture
def role(cloud: Any) -> str:
    """A role made as a person makes one, with no more than SageMaker may assume."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    created = boto3.client("iam").create_role(RoleName="shadow-tests", AssumeRolePolicyDocument=policy)
    arn: str = created["Role"]["Arn"]
    return arn
