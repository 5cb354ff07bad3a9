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
    "An endpoint is SystemUpdating only while a fault has it maintained; that changes neither LastModifiedTime nor "
    "anything that was asked for, is told of no variant, and a restart ends it.",
    "An inference experiment whose StartTime has passed starts at once; the limits of 1 hour and 30 days hold for "
    "Create and Update alike, to the nearest minute, and a schedule beyond them is a ValidationException.",
    "On an existing endpoint an inference experiment keeps the production variant's name and model, and may give it "
    "other instances; its generated config takes everything that the experiment has no words for, data capture "
    "included, from the config that served before. Requests that it captures are all requests.",
    "From its start to the end of its stop an inference experiment has its endpoint to itself: UpdateEndpoint and "
    "DeleteEndpoint are refused, UpdateEndpointWeightsAndCapacities (and so automatic scaling) is not.",
    "A new SamplingPercentage while it runs changes the shadow's weight, with no new fleet or config.",
    "At its natural end an inference experiment on an endpoint that it created leaves the production variant serving "
    "alone; on one that was there before it restores the whole state, instance counts included.",
    "StopInferenceExperiment ends Cancelled unless DesiredState says Completed. A variant without an action: "
    "production is retained unless the shadow is promoted, the shadow is removed. What stays gets a generated config, "
    "at the instance counts of that moment unless DesiredModelVariants says others; Promote beside a retained "
    "production variant, and a stop after which nothing would serve, are ValidationExceptions.",
    "A scheduled inference experiment can be stopped, which leaves the endpoint untouched, and only one that is over "
    "can be deleted.",
    "An inference experiment whose start or stop fails is Cancelled with the reason in StatusReason; the endpoint "
    "stays as it was before that step.",
    "Inference components, instance pools, asynchronous inference and explainers are refused beside a shadow "
    "although the list of exclusions does not name all of them.",
    "An update that names an alarm that does not exist, or is in ALARM already, ends before a fleet comes up, with a "
    "FailureReason; alarms count until the last wait is over, not during TerminationWaitInSeconds, and "
    "INSUFFICIENT_DATA trips nothing. A step that is watched is told as ActivatingTraffic, then Baking.",
    "While an update is guarded or rolled back the endpoint is Updating; RollingBack is for failed changes of weights "
    "and counts. A rolling update whose way back fails too is UpdateRollbackFailed: both fleets serve until the next "
    "update, of which a restart brings back the old one.",
    "Canary, linear and rolling updates, a wait, and automatic rollback need production variants of the same names, "
    "with a ValidationException; a shadow may be beside them, but not in a rolling update. Sizes are shares of the "
    "new fleet's production instances; an update that a restart cut short begins again.",
    "An alarm looks at two periods beyond its evaluation periods when some of those are missing, is evaluated when a "
    "period is over, and, treating missing data as missing, keeps its state while all its datapoints breach but are "
    "still too few and too young.",
    "An alarm's actions are carried out when its state changes and are not tried again; a change that was caught up on "
    "late carries its own time. Topics are forgotten at a restart, and an action on one that is gone fails.",
    "Target tracking wants ceil(instances × metric / target), the metric being the newest datapoint of the policy's "
    "alarm: 3 minutes above the target scale out, 15 minutes under nine tenths of it scale in, and without data "
    "nothing does. Within a direction's cooldown nothing scales that way again. Bounds act as soon as they are "
    "registered, and an endpoint that is changing is scaled when it rests.",
    "A scalable target outlives its endpoint until it is deregistered, and stands still meanwhile.",
    "A container's own environment lies on top of its model package's; a package need not be approved to be deployed.",
    "A model package group that still has packages is not deleted, with a ConflictException, the only error that the "
    "model of DeleteModelPackageGroup has.",
    "A quota that a fault sets counts an update's new instances beside those that serve, of a rolling update the "
    "largest batch, and is looked at when the call is made.",
    "A ClientToken of CreateModelPackage counts as long as its package exists; with other parameters it is a "
    "ConflictException.",
    "ListModelPackages lists the newest first unless asked otherwise: the service model says Ascending, but AWS's own "
    "project templates take the first one for the latest. A pagination token is refused with another order than its "
    "own.",
    "ListObjectsV2 with StartAfter beneath a common prefix does not list that prefix again.",
    "GetObject ignores a range it cannot read or that names several ranges, and answers the whole object.",
    "A container's answer of more bytes than a request may have (6,291,456) is a ModelError with the status 0.",
    "Percentiles interpolate linearly between neighbouring samples; STDDEV in metric math is the population's, and "
    "FILL leaves a series without any point as it is.",
    "A score as recordio-protobuf is one record with the float32 label score.",
    "A script's missing input and output hooks answer 415 and 406 to types that they cannot read or write; whatever "
    "a script raises is the instance's 500.",
)

DIFFERENCES = (
    "There is one account, 123456789012; the region is the one a request was signed for, but names are shared by all "
    "regions. Signatures and permissions are not checked.",
    "Alarms are metric alarms with a fixed threshold: no anomaly detection, composite alarms or PromQL. Of their "
    "actions, SNS topics are told, and scaling policies act; others (Lambda, EC2, Systems Manager) are stored, and "
    "the alarm's history says that they failed.",
    "Automatic scaling is target tracking of a variant's instance count, by invocations per instance or a customized "
    "metric: no step, scheduled or predictive scaling.",
    "Serverless, asynchronous, multi-model and multi-container hosting, inference components and explainers are "
    "refused.",
    "Model data must be one tar.gz in S3. A deployment keeps it, and scripts from S3, as it first found them: instances "
    "started later run the same, even if the object was replaced or deleted.",
    "A fleet that does not come back after a restart of the local cloud fails its endpoint.",
    "Buckets have no versions, policies, encryption settings or life cycles, and objects no tags, access lists, locks or "
    "storage classes: what a write says about these is dropped. CRC-32C and CRC-64/NVME checksums are kept and "
    "returned, not verified.",
    "CloudWatch is spoken in CBOR and JSON, as today's SDKs do, not in the Query protocol of older ones.",
    "Services other than SageMaker, its runtime, CloudWatch, Application Auto Scaling and S3 come from moto, keep the machine's time and are "
    "forgotten at a restart.",
    "The XGBoost image serves one model: of several in an archive the first by name, where AWS's averages them, and "
    "answers scores alone; SAGEMAKER_INFERENCE_OUTPUT fails the endpoint.",
    "Every XGBoost or scikit-learn tag runs the one XGBoost or scikit-learn of requirements.lock, scripts run in the "
    "local cloud's own Python, and a requirements.txt beside them is not installed.",
)
