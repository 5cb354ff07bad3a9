"""The only place that says boto3."""
