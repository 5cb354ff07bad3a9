"""What instance processes use of the machine, as the utilisation metrics of their endpoint.

CPU, memory and disk are those of the real processes; what they are set against is the capacity of the instance
type that the plan names, since the local processes have no limits of their own.
"""

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path

from include.localcloud.clock import Clock
from include.localcloud.cloudwatch.samples import Samples
from include.localcloud.cloudwatch.store import MetricStore
from include.localcloud.runtime.fleet import Fleet
from include.localcloud.runtime.instance import Instance

_LOOKS = 6  # per publish period
_VCPUS = {"medium": 1, "large": 2, "xlarge": 4}
_GIB_PER_VCPU = {"c": 2.0, "r": 8.0, "x": 16.0}  # compute and memory families; 4 GiB for every other
_VOLUME_BYTES = 30 << 30  # of storage beside the model, when an endpoint asks for none
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What an instance type offers, by the pattern of its name (ml.<family><generation>.<size>)."""

    vcpus: int
    memory: int  # bytes

    @classmethod
    def of(cls, instance_type: str) -> "Capacity":
        """Return 2 vCPU for large, 4 for xlarge, n·4 for n-xlarge, and the family's memory for each."""
        _, family, size = (*instance_type.split("."), "", "")[:3]
        multiple = size.removesuffix("xlarge")
        vcpus = int(multiple) * 4 if multiple.isdigit() else _VCPUS.get(size, 2)
        return cls(vcpus=vcpus, memory=int(_GIB_PER_VCPU.get(family[:1], 4.0) * vcpus * 2**30))


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What one process has used so far, and holds now."""

    cpu_seconds: float
    memory: int  # bytes resident

    @classmethod
    def of(cls, pid: int) -> "Usage | None":
        """Read proc(5); None where there is no such process or no such file system."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            return None
        return cls(cpu_seconds=(int(stat[11]) + int(stat[12])) / _TICKS, memory=resident * _PAGE)


def directory_bytes(directory: Path) -> int:
    """Return the bytes of all files below; what vanishes meanwhile counts nothing."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue
    return total


@dataclass(slots=True)
class _Readings:
    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    disk: list[float] = field(default_factory=list)


class UsageMeter:
    """Looks at every instance several times per publish period and publishes when the period is over."""

    def __init__(self, fleet: Fleet, metrics: MetricStore, clock: Clock) -> None:
        self._fleet, self._metrics, self._clock = fleet, metrics, clock
        self._frequency = fleet.plan.utilisation_frequency or fleet.plan.metrics_frequency
        self._readings: dict[tuple[str, str], _Readings] = {}  # by variant and instance
        self._before: dict[int, tuple[float, float]] = {}  # pid -> (monotonic s, CPU s) at the last look

    async def run(self) -> None:
        """Measure until cancelled."""
        period = self._period()
        while True:
            self.look()
            await self._clock.sleep(self._frequency / _LOOKS)
            if self._period() != period:
                await self.publish(period)
                period = self._period()

    def look(self) -> None:
        """Take one reading of every instance; CPU needs an earlier look at the same process."""
        before, self._before = self._before, {}
        for variant in self._fleet.variants:
            capacity = Capacity.of(variant.plan.instance_type)
            for instance in variant.instances:
                readings = self._readings.setdefault((variant.plan.name, instance.id), _Readings())
                self._look_at(instance, readings, capacity, before)

    def _look_at(
        self,
        instance: Instance,
        readings: _Readings,
        capacity: Capacity,
        before: dict[int, tuple[float, float]],
    ) -> None:
        pid = instance.pid
        usage = Usage.of(pid) if pid is not None else None
        if pid is None or usage is None:
            return
        now = self._clock.monotonic()
        readings.memory.append(100.0 * usage.memory / capacity.memory)
        self._before[pid] = (now, usage.cpu_seconds)
        if pid in before and now > before[pid][0]:
            then, used = before[pid]
            # 100 % is one core; a process can use as many as the machine has.
            readings.cpu.append(100.0 * (usage.cpu_seconds - used) / (now - then))

    async def publish(self, period: int) -> None:
        """Publish what was read, stamped with the period's start (epoch seconds), and begin anew."""
        readings, self._readings = self._readings, {}
        for variant in self._fleet.variants:
            name, instances = variant.plan.name, variant.instances
            sizes = await asyncio.gather(
                *(asyncio.to_thread(directory_bytes, each.workspace.directory) for each in instances)
            )
            for instance, size in zip(instances, sizes, strict=True):
                taken = readings.setdefault((name, instance.id), _Readings())
                taken.disk.append(100.0 * size / _VOLUME_BYTES)
            own = {
                instance: taken for (its_variant, instance), taken in readings.items() if its_variant == name
            }
            self._publish(name, "", period, list(own.values()))
            if self._fleet.plan.enhanced_metrics:
                for instance_id, taken in own.items():
                    self._publish(name, instance_id, period, [taken])

    def _publish(self, variant: str, instance: str, period: int, taken: list[_Readings]) -> None:
        for name, kind in (("CPU", "cpu"), ("Memory", "memory"), ("Disk", "disk")):
            values = [value for readings in taken for value in getattr(readings, kind)]
            if values:
                self._metrics.publish_utilisation(
                    endpoint=self._fleet.plan.endpoint,
                    variant=variant,
                    metric=f"{name}Utilization",
                    start=period,
                    frequency=self._frequency,
                    samples=Samples.of(values),
                    instance=instance,
                )

    def _period(self) -> int:
        return int(self._clock.now() // self._frequency) * self._frequency
