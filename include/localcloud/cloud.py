"""The local cloud as one object: every part joined, started and closed in the right order."""

import logging
from pathlib import Path
from typing import Any

from include.localcloud.autoscaling.service import AutoScaling
from include.localcloud.clock import Clock
from include.localcloud.cloudwatch.alarms import Alarms
from include.localcloud.cloudwatch.service import CloudWatch
from include.localcloud.cloudwatch.store import MetricStore
from include.localcloud.faults import Faults
from include.localcloud.front import Front, Service
from include.localcloud.local import LocalApi
from include.localcloud.moto import Moto
from include.localcloud.protocol import Protocol
from include.localcloud.runtime.gateway import Gateway
from include.localcloud.s3.service import S3Service
from include.localcloud.s3.store import ObjectStore
from include.localcloud.sagemaker.service import SageMaker
from include.localcloud.server import HttpServer
from include.localcloud.state import claim
from include.localcloud.topics import Topics

log = logging.getLogger(__name__)


class _Captures:
    """Lets the gateway write captured records; raises S3Error where the bucket does not exist."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        await self._store.put(bucket, key, body, {"content-type": "application/jsonlines"})


class LocalCloud:
    """One local cloud on one port with one state folder; raises StateInUseError when another has the folder."""

    def __init__(self, folder: Path, clock: Clock | None = None, *, clock_scale: float | None = None) -> None:
        self._lock = claim(folder)
        self.clock = clock or Clock(clock_scale, folder / "clock.json")
        self.objects = ObjectStore(folder / "s3", self.clock)
        self.metrics = MetricStore(self.clock)
        self.faults = Faults(set_metric_fault=self.metrics.set_fault)
        self.gateway = Gateway(
            metrics=self.metrics,
            objects=_Captures(self.objects),
            workdir=folder / "runtime",
            clock=self.clock,
        )
        self._moto = Moto(self.faults)
        self.alarms = Alarms(
            folder / "alarms",
            self.metrics,
            self.clock,
            quota=self.faults.quota,
            publish=Topics(self._moto).publish,
        )
        self.sagemaker = SageMaker(
            folder / "sagemaker",
            runtime=self.gateway,
            objects=self.objects,
            clock=self.clock,
            faults=self.faults,
            alarm_state=self.alarms.state,
        )
        self.autoscaling = AutoScaling(
            folder / "autoscaling",
            variants=self.sagemaker.variants,
            alarms=self.alarms,
            clock=self.clock,
            quota=self.faults.quota,
        )
        self.sagemaker.variants.is_scaled = self.autoscaling.is_target
        self.services = (
            Service.of(Protocol("sagemaker"), self.sagemaker.parts),
            Service.of(
                Protocol("cloudwatch"),
                [CloudWatch(self.metrics, self.clock), self.alarms],
                reads_metrics=True,
            ),
            Service.of(Protocol("application-autoscaling"), [self.autoscaling]),
        )
        self.front = Front(
            gateway=self.gateway,
            services=self.services,
            s3=S3Service(self.objects, self.gateway.flush, self.faults),
            local=LocalApi(self.faults, self._state, self.clock),
            others=self._moto,
            faults=self.faults,
            clock=self.clock,
        )
        self._server = HttpServer(self.front.handle, self.clock, self.front.begin)

    async def start(self, host: str, port: int) -> int:
        """Take the port, bring every endpoint back, serve; return the port, or raise OSError if it is taken."""
        bound = self._server.bind(host, port)
        await self.sagemaker.resume()
        self.alarms.start()
        self.autoscaling.scaling.start()
        await self._server.listen()
        self._moto.warm_up()
        return bound

    async def close(self) -> None:
        """Stop listening, let requests in flight finish, end every instance and release the state folder."""
        await self._server.close()
        await self.autoscaling.scaling.close()
        await self.alarms.close()
        await self.sagemaker.close()
        await self.gateway.close()
        self._moto.close()
        self.objects.close()
        self._lock.close()

    def _state(self) -> dict[str, Any]:
        served = self.gateway.counts()
        return {
            "now": self.clock.now(),
            "endpoints": {
                name: {
                    "status": record["EndpointStatus"],
                    "config": record["EndpointConfigName"],
                    "served": served.get(name),
                }
                for name, record in self.sagemaker.endpoints.items()
            },
        }
