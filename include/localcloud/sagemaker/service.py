"""SageMaker's control plane, assembled from its resources and one state folder."""

from pathlib import Path

from include.localcloud.clock import Clock
from include.localcloud.faults import Faults
from include.localcloud.s3.store import ObjectStore
from include.localcloud.sagemaker.artifact import Artifacts
from include.localcloud.sagemaker.endpoint_configs import EndpointConfigs
from include.localcloud.sagemaker.endpoints import Endpoints
from include.localcloud.sagemaker.experiment_runs import ExperimentRuns
from include.localcloud.sagemaker.experiments import InferenceExperiments
from include.localcloud.sagemaker.models import Models
from include.localcloud.sagemaker.package_groups import PackageGroups
from include.localcloud.sagemaker.packages import Packages
from include.localcloud.sagemaker.replacement import AlarmState
from include.localcloud.sagemaker.tags import Tags
from include.localcloud.sagemaker.transitions import Runtime, Transitions
from include.localcloud.state import Table


class SageMaker:
    """Every resource of the control plane; `parts` are the objects whose methods are the operations."""

    def __init__(
        self,
        folder: Path,
        *,
        runtime: Runtime,
        objects: ObjectStore,
        clock: Clock,
        faults: Faults,
        alarm_state: AlarmState,
    ) -> None:
        tables = {
            name: Table(folder / name)
            for name in (
                "models",
                "endpoint-configs",
                "endpoints",
                "package-groups",
                "packages",
                "experiments",
                "tags",
            )
        }
        arn_fields = {
            "models": "ModelArn",
            "endpoint-configs": "EndpointConfigArn",
            "endpoints": "EndpointArn",
            "package-groups": "ModelPackageGroupArn",
            "packages": "ModelPackageArn",
            "experiments": "Arn",
        }

        def exists(arn: str) -> bool:
            return any(
                record[field] == arn for name, field in arn_fields.items() for record in tables[name].values()
            )

        artifacts = Artifacts(objects, folder / "artifacts")
        tags = Tags(tables["tags"], exists)
        packages = Packages(tables["packages"], tags=tags, clock=clock, quota=faults.quota)
        groups = PackageGroups(
            tables["package-groups"],
            tags=tags,
            clock=clock,
            quota=faults.quota,
            has_packages=packages.in_group,
        )
        packages.groups = groups
        models = Models(
            tables["models"],
            tags=tags,
            clock=clock,
            package=packages.get,
            artifact=artifacts.present,
            quota=faults.quota,
        )
        configs = EndpointConfigs(
            tables["endpoint-configs"], models=models, tags=tags, clock=clock, quota=faults.quota
        )
        self.transitions = Transitions(
            tables["endpoints"],
            runtime=runtime,
            artifacts=artifacts,
            clock=clock,
            faults=faults,
            forget=tags.drop,
            alarm_state=alarm_state,
        )
        self.variants = endpoints = Endpoints(
            tables["endpoints"],
            configs=configs,
            models=models,
            transitions=self.transitions,
            tags=tags,
            clock=clock,
            quota=faults.quota,
        )
        faults.maintain = endpoints.maintain
        self._runs = ExperimentRuns(tables["experiments"], endpoints=endpoints, configs=configs, clock=clock)
        experiments = InferenceExperiments(
            tables["experiments"],
            endpoints=endpoints,
            configs=configs,
            runs=self._runs,
            tags=tags,
            clock=clock,
            quota=faults.quota,
        )
        endpoints.holder = experiments.holder
        self.endpoints = tables["endpoints"]
        self.experiments = tables["experiments"]
        self.parts = (models, configs, endpoints, packages, groups, experiments, tags)

    async def resume(self) -> None:
        """Return when every endpoint that served before the restart serves again; go on with what was under way."""
        await self.transitions.resume()
        self._runs.resume()

    async def close(self) -> None:
        """Stop everything where it is, as stored; first those that wait for an endpoint's transition."""
        await self._runs.close()
        await self.transitions.close()
