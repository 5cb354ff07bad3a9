"""The only place that says great_expectations: evidence in, findings out."""
