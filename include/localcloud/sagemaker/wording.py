"""The control plane's error texts, in one place: clients match on some of them word for word.

"Cannot create already existing …", "Could not find …" and "Could not find model data at …" are seen in public
issues; "Cannot update in-progress endpoint …" and the limits on shadow variants are our own wording.
"""

from include.localcloud.protocol import AwsError
from include.localcloud.quota import Quota, excess


def invalid(message: str) -> AwsError:
    """Return a ValidationException."""
    return AwsError("ValidationException", message)


def exists(kind: str, arn: str) -> AwsError:
    """Return the refusal to create what already exists."""
    return invalid(f'Cannot create already existing {kind} "{arn}".')


def missing(kind: str, arn: str) -> AwsError:
    """Return the answer about what does not exist; the endpoint-deleted waiter relies on its code."""
    return invalid(f'Could not find {kind} "{arn}".')


def in_progress(arn: str) -> AwsError:
    """Return the refusal to change an endpoint that is changing."""
    return invalid(f'Cannot update in-progress endpoint "{arn}".')


def unsupported(what: str) -> AwsError:
    """Return the refusal of something that AWS has and the local cloud has not."""
    return invalid(f"The local cloud does not support {what}.")


def conflict(message: str) -> AwsError:
    """Return the refusal of a change that the resource's status does not allow."""
    return AwsError("ConflictException", message)


def in_use(message: str) -> AwsError:
    """Return the refusal to take a name, or a resource, that another has."""
    return AwsError("ResourceInUse", message)


def check_quota(quota: Quota, kind: str, used: int, more: int = 1) -> None:
    """Raise ResourceLimitExceeded where the quota has no room for `more` beside the `used` ones."""
    refusal = excess(quota, kind, used, more)
    if refusal is not None:
        raise AwsError("ResourceLimitExceeded", refusal)


def not_found(kind: str, arn: str) -> AwsError:
    """Return the answer about an inference experiment that does not exist; unlike endpoints, it has its own code."""
    return AwsError("ResourceNotFound", f'Could not find {kind} "{arn}".')
