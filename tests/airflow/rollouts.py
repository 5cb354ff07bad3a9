"""Rollouts on light endpoints through a real Airflow, many at a time."""

import threading
import time
from dataclasses import dataclass, field

import yaml

from include.rollout.names import rollout_id
from quickstart.record import Record

DAG = "shadow_rollout"
BUCKET = "penumbra-local"
LEDGER = f"s3://{BUCKET}/penumbra"
SOURCE = f"s3://{BUCKET}/light/requests.csv"
ROLE = "arn:aws:iam::000000000000:role/penumbra-local"

SPEC = {
    "connection": "aws_local",
    "side_effect_free": True,
    "candidate": {"environment": {"CANDIDATE": "1"}},
    "replay": {"source": SOURCE, "rate": 40, "seed": 1, "timeout": 10},
    # One period is enough for a machine that keeps up. Where a replay was struck, or a busy machine held it up, the
    # judge extends once; and a few silent periods are no reason, for these rollouts show ends, not statistics.
    "window": {"period": 10, "warm_up": 0, "length": 10, "maximum": 60, "lag": 3, "opening": 60},
    "gates": {
        "rules": [
            {"kind": "completeness", "periods": 0.3, "gap": 4},
            {"kind": "min_sample", "requests": 200},
            {"kind": "error_rate", "absolute": 0.05},
        ]
    },
    "deploy_timeout": 120,
}


@dataclass
class Stage:
    """Where rollouts are tried: one Airflow, one local cloud, and a folder for spec files and orders to strike."""

    api: object
    cloud: object
    folder: object
    # Airflow's API server blocks its own loop when two requests write to SQLite at once, for as long as
    # SQLite waits for a lock; so the tests write one at a time.
    writing: object = field(default_factory=threading.Lock)
    sagemaker: object = field(init=False)
    s3: object = field(init=False)

    def __post_init__(self):
        self.sagemaker = self.cloud.client("sagemaker")
        self.s3 = self.cloud.client("s3")
        rows = "".join(f"{i},{i + 1}\n" for i in range(500))
        self.s3.put_object(Bucket=BUCKET, Key="light/requests.csv", Body=rows.encode())

    def endpoint(self, name):
        """Make a light endpoint, InService within a second."""
        self.sagemaker.create_model(
            ModelName=f"{name}-model", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "penumbra/light:1"}
        )
        self.config(name, f"{name}-config")
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-config")
        self.in_service(name)

    def config(self, name, config, variants=("production",)):
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=config,
            ProductionVariants=[
                {
                    "VariantName": variant,
                    "ModelName": f"{name}-model",
                    "InstanceType": "ml.m5.large",
                    "InitialInstanceCount": 1,
                    "InitialVariantWeight": 1.0,
                }
                for variant in variants
            ],
            MetricsConfig={"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": 10},
        )

    def in_service(self, name):
        deadline = time.monotonic() + 60
        while self.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] != "InService":
            assert time.monotonic() < deadline, name
            time.sleep(0.2)

    def trigger(self, name, *, sabotage=None, run_id=None, **changes):
        """Trigger a rollout on the endpoint; `sabotage` maps a task to how it is struck."""
        run_id = run_id or f"{name}-run"
        for task, order in (sabotage or {}).items():
            (self.folder / "sabotage").mkdir(exist_ok=True)
            (self.folder / "sabotage" / f"{run_id}.{task}").write_text(order)
        file = self.folder / f"{run_id}.yaml"
        spec = {**SPEC, "endpoint": {"name": name}}
        for key, value in changes.items():
            spec[key] = {**spec[key], **value} if isinstance(value, dict) and key in spec else value
        file.write_text(yaml.safe_dump(spec))
        with self.writing:
            self.api.trigger(DAG, {"spec": str(file)}, run_id=run_id)
        return Run(self, name, run_id)


@dataclass
class Run:
    """One triggered rollout, looked at from outside."""

    stage: Stage
    endpoint: str
    run_id: str

    @property
    def id(self):
        return rollout_id(DAG, self.run_id)

    @property
    def record(self):
        record = Record(self.stage.s3, LEDGER, self.id)
        record.refresh()
        return record

    def wait(self, timeout=720):
        return self.stage.api.wait_for_run(DAG, self.run_id, timeout=timeout)

    def states(self):
        return self.stage.api.states(DAG, self.run_id)

    def until(self, task, state, timeout=240):
        self.stage.api.wait(
            lambda: self.states().get(task) == state, timeout=timeout, what=lambda: f"{task}: {self.states()}"
        )

    @property
    def end(self):
        outcome = self.record.get("outcome")
        return outcome and outcome["end"]

    @property
    def serving(self):
        """Return config, number of shadows and model of production, once the endpoint is InService."""
        self.stage.in_service(self.endpoint)
        found = self.stage.sagemaker.describe_endpoint(EndpointName=self.endpoint)
        config = self.stage.sagemaker.describe_endpoint_config(EndpointConfigName=found["EndpointConfigName"])
        return (
            found["EndpointConfigName"],
            len(found.get("ShadowProductionVariants", [])),
            config["ProductionVariants"][0]["ModelName"],
        )

    @property
    def left(self):
        """List what the rollout created and that still exists."""
        sagemaker = self.stage.sagemaker
        models = [m["ModelName"] for m in sagemaker.list_models(NameContains=self.id)["Models"]]
        configs = [
            c["EndpointConfigName"]
            for c in sagemaker.list_endpoint_configs(NameContains=self.id)["EndpointConfigs"]
        ]
        return sorted(models + configs)

    @property
    def holder(self):
        """Return who has the endpoint's lease, or None."""
        import json

        key = f"penumbra/leases/{self.stage.cloud.client('sts').get_caller_identity()['Account']}/us-east-1/{self.endpoint}"
        return json.loads(self.stage.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())["owner"]
