"""The runtime's errors, in the words and codes that clients of InvokeEndpoint match on.

The error *code* is ValidationError here, where the control plane says ValidationException.
"""

import json
from typing import Any

from include.localcloud.http import Response


class InvocationError(Exception):
    """An invocation that is answered with an error: status, code and members of the modelled shape."""

    def __init__(self, status: int, code: str, message: str, **members: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.members = status, code, {"Message": message, **members}

    def response(self) -> Response:
        """Return the REST-JSON form: the code in x-amzn-ErrorType, the members as body."""
        headers = {"Content-Type": "application/json"}
        if self.code:
            headers["x-amzn-ErrorType"] = self.code
        return Response(self.status, headers, json.dumps(self.members).encode())


def validation(message: str) -> InvocationError:
    """Return the 400 for a request that no container sees."""
    return InvocationError(400, "ValidationError", message)


def unknown_endpoint(endpoint: str, account: str) -> InvocationError:
    """Return the 400 for an endpoint that does not serve."""
    return validation(f"Endpoint {endpoint} of account {account} not found.")


def too_large(limit: int) -> InvocationError:
    """Return the 413 of the front door; it carries no modelled code."""
    return InvocationError(413, "", f"HTTP content length exceeded {limit} bytes.")


def unavailable() -> InvocationError:
    """Return the 503 for a variant without a ready instance; SDKs try again."""
    return InvocationError(
        503, "ServiceUnavailable", "No instance of the endpoint is ready to serve; try your call again."
    )


def internal_failure() -> InvocationError:
    """Return the 500 for a mistake of ours."""
    return InvocationError(
        500, "InternalFailure", "The request processing has failed because of an internal error."
    )


def model_error(*, endpoint: str, account: str, region: str, status: int, said: str) -> InvocationError:
    """Return the 424 for a container's own error; status 0 means that it gave no answer at all."""
    side = "client" if 400 <= status < 500 else "server"
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group}"
    return InvocationError(
        424,
        "ModelError",
        f'Received {side} error ({status}) from primary with message "{said}". '
        f"See {console} in account {account} for more information.",
        OriginalStatusCode=status,
        OriginalMessage=said,
        LogStreamArn=f"arn:aws:logs:{region}:{account}:log-group:{group}",
    )
