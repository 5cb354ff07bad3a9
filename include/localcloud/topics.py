"""SNS as the parts of the local cloud use it: a notification becomes a Publish request to the services behind."""

import html
import re
import urllib.parse
from typing import Protocol

from include.localcloud.cloudwatch.actions import PublishError
from include.localcloud.cloudwatch.notification import Notification
from include.localcloud.http import Request, Response

_CODE, _MESSAGE = (
    re.compile(r"<Code>(.*?)</Code>", re.DOTALL),
    re.compile(r"<Message>(.*?)</Message>", re.DOTALL),
)


class Backend(Protocol):
    """Whatever answers SNS's requests."""

    async def handle(self, request: Request, region: str) -> Response: ...


class Topics:
    """The topics of the services behind the front, each in the region that its ARN names."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def publish(self, notification: Notification) -> None:
        """Return when the topic has the notification; raise PublishError with SNS's reason if it does not take it."""
        region = notification.topic.split(":")[3]
        form = {
            "Action": "Publish",
            "Version": "2010-03-31",
            "TopicArn": notification.topic,
            "Subject": notification.subject,
            "Message": notification.message,
        }
        headers = {
            "host": f"sns.{region}.amazonaws.com",
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
            # Unsigned: the scope alone says which service it is for.
            "authorization": f"AWS4-HMAC-SHA256 Credential=cloudwatch/20000101/{region}/sns/aws4_request, "
            "SignedHeaders=host, Signature=0",
        }
        body = urllib.parse.urlencode(form).encode()
        response = await self._backend.handle(Request("POST", "/", "", headers, body), region)
        if response.status != 200:
            raise PublishError(_reason(response))


def _reason(response: Response) -> str:
    text = response.body.decode(errors="replace")
    code, message = _CODE.search(text), _MESSAGE.search(text)
    if code is None or message is None:
        return f"SNS answered with the status {response.status}"
    return f"{code[1]}: {html.unescape(message[1])}"
