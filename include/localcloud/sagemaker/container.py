"""Container definitions: what CreateModel accepts here, and the image, artefact and environment they come to."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from include.localcloud.sagemaker.wording import invalid, unsupported
from include.localcloud.state import Record

MULTI_MODEL = "MultiModel"


def containers(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the model's containers; raise unless exactly one of PrimaryContainer and Containers is given."""
    primary, several = params.get("PrimaryContainer"), params.get("Containers")
    if primary is not None and several:
        raise invalid("Both PrimaryContainer and Containers are given; a model has one or the other.")
    if primary is None and not several:
        raise invalid("Neither PrimaryContainer nor Containers is given; a model needs one of them.")
    return [primary] if primary is not None else list(several or ())


def resolve(
    container: Mapping[str, Any], package: Callable[[str], Record], artifact: Callable[[str], bool]
) -> dict[str, Any]:
    """Return the container with Image, ModelDataUrl and Environment as they will run.

    A ModelPackageName is replaced by its package's first container, under which the container's own
    environment lies on top. Raises ValidationException for a container that cannot run, or whose artefact
    is not in S3 (the text is SageMaker's).
    """
    resolved = dict(container)
    name = container.get("ModelPackageName")
    if name is not None:
        if "Image" in container:
            raise invalid("Both Image and ModelPackageName are given; a container has one or the other.")
        inference = package(name).get("InferenceSpecification")
        if not inference:
            raise invalid(f'Model package "{name}" has no inference specification; it cannot be deployed.')
        packaged = inference["Containers"][0]
        resolved = {**packaged, **container}
        resolved["Environment"] = {**packaged.get("Environment", {}), **container.get("Environment", {})}
    elif "Image" not in container:
        raise invalid("A container needs an Image or a ModelPackageName.")
    url = _artifact_url(resolved)
    if url is not None and resolved.get("Mode") != MULTI_MODEL and not artifact(url):
        raise invalid(f"Could not find model data at {url}.")
    resolved.pop("ModelDataSource", None)
    if url is not None:
        resolved["ModelDataUrl"] = url
    return resolved


def _artifact_url(container: Mapping[str, Any]) -> str | None:
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source is not None:
        if (source["S3DataType"], source["CompressionType"]) != ("S3Object", "Gzip"):
            raise unsupported("uncompressed model data; use S3DataType S3Object with CompressionType Gzip")
        url: str = source["S3Uri"]
    else:
        if container.get("ModelDataUrl") is None:
            return None
        url = container["ModelDataUrl"]
    if not url.startswith("s3://"):
        raise unsupported(f"model data at {url}; use an s3:// URL")
    return url


def exclusions(model: Record) -> Iterator[str]:
    """Yield why this model can neither run here nor take part in a shadow test."""
    resolved = model["Resolved"]
    if len(resolved) > 1:
        yield "multi-container models"
    if any(container.get("Mode") == MULTI_MODEL for container in resolved):
        yield "multi-model containers"
