"""CloudWatch's errors, each with the code that its clients know."""

from include.localcloud.protocol import AwsError


def invalid(message: str) -> AwsError:
    """Return the error of GetMetricData for a request that makes no sense."""
    return AwsError("ValidationError", message)


def invalid_value(message: str) -> AwsError:
    """Return the error for a parameter with a wrong value."""
    return AwsError("InvalidParameterValue", message)


def invalid_combination(message: str) -> AwsError:
    """Return the error for parameters that do not go together."""
    return AwsError("InvalidParameterCombination", message)


def missing(message: str) -> AwsError:
    """Return the error for a parameter that is needed and absent."""
    return AwsError("MissingParameter", message)
