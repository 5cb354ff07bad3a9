"""What AWS does not document and the local cloud had to decide, and where it knowingly differs.

The control plane's and S3's part; each entry is one sentence, kept here so that the documentation is made from it.
"""

UNDOCUMENTED = (
    "A model, endpoint or endpoint config ARN carries the lower-cased name; endpoint names are unique whatever their "
    "case, and an invocation must use the name as it was created.",
    "Texts that no public source shows word for word: 'Cannot update in-progress endpoint', 'Cannot update failed "
    "endpoint', and every refusal of a combination of shadow variants; they are ValidationExceptions.",
    "DeleteEndpoint while an endpoint is changing is refused like UpdateEndpoint: it is in progress.",
    "UpdateEndpoint may name the config that serves already; it brings up a new fleet of it.",
    "UpdateEndpoint works although the config that serves was deleted: a deployment keeps its own copy.",
    "DescribeEndpoint shows neither ProductionVariants nor ShadowProductionVariants until the endpoint first served, "
    "and shows the old EndpointConfigName until an update is over.",
    "RetainAllVariantProperties matches a production variant with the production variant of its name and a shadow "
    "with the shadow of its name; data capture always comes from the new config.",
    "LastDeploymentConfig stays when a later update names no DeploymentConfig.",
    "UpdateEndpointWeightsAndCapacities takes shadow variants; at least one instance stays.",
    "When it fails the endpoint goes Updating, RollingBack and InService at its former weights and counts, with a "
    "FailureReason.",
    "Inference components, instance pools, asynchronous inference and explainers are refused beside a shadow "
    "although the list of exclusions does not name all of them.",
    "A container's own environment lies on top of its model package's; a package need not be approved to be deployed.",
    "A ClientToken of CreateModelPackage counts for ever; with other parameters it is a ConflictException.",
    "ListObjectsV2 with StartAfter beneath a common prefix does not list that prefix again.",
    "GetObject ignores a range it cannot read or that names several ranges, and answers the whole object.",
)

DIFFERENCES = (
    "There is one account, 123456789012; the region is the one a request was signed for, but names are shared by all "
    "regions. Signatures and permissions are not checked.",
    "Traffic moves all at once: canary and linear routing, rolling updates and rollback on alarms are refused.",
    "Serverless, asynchronous, multi-model and multi-container hosting, inference components and explainers are "
    "refused.",
    "Model data must be one tar.gz in S3. A deployment keeps the artefact as it first found it: instances started "
    "later run the same one, even if the object was replaced or deleted.",
    "A fleet that does not come back after a restart of the local cloud fails its endpoint.",
    "Buckets have no versions, policies, encryption settings or life cycles; CRC-32C and CRC-64/NVME checksums are "
    "kept and returned, not verified.",
    "Services other than SageMaker, its runtime, CloudWatch and S3 come from moto and are forgotten at a restart.",
)
