"""CloudWatch's errors, each with the code that its clients know."""

from include.localcloud.paging import position
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


def position_of(token: str | None) -> int:
    """Return where the page of this NextToken begins; raise InvalidNextToken for a token that is none."""
    try:
        return position(token)
    except ValueError as error:
        raise AwsError("InvalidNextToken", "The next token specified is invalid.") from error


def missing(message: str) -> AwsError:
    """Return the error for a parameter that is needed and absent."""
    return AwsError("MissingParameter", message)
