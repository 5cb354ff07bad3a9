"""The forms that texts in a spec have: a pattern, and for those that people mistake what it allows, in words."""

from __future__ import annotations

from collections.abc import Mapping

NAME = r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"
S3_URI = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$"
INSTANCE_TYPE = r"^ml\.[a-z0-9-]+\.[a-z0-9]+$"
PERCENTILE = r"^p(\d{1,2})(\.\d{1,2})?$"
JSON_PATH = r"^\$"
TOPIC = r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$"
CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"
LABEL = r"^[A-Za-z0-9_.-]{1,40}$"

ALLOWED: Mapping[str, str] = {
    NAME: "letters, digits and hyphens, at most 63",
    S3_URI: "`s3://bucket/prefix`",
    INSTANCE_TYPE: "such as `ml.m5.xlarge`",
    PERCENTILE: "such as `p50`, `p99.9`",
    TOPIC: "the ARN of an SNS topic that is not FIFO",
    CLOCK: 'hours and minutes, such as `"09:00"`',
    JSON_PATH: "a JSON path, which begins with `$`",
}
