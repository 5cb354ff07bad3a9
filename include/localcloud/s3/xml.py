"""S3's XML: small documents built from names and values, and read back."""

import datetime
import urllib.parse
from collections.abc import Iterable
from xml.etree import ElementTree
from xml.sax.saxutils import escape

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class MalformedXMLError(ValueError):
    """The document cannot be read."""


def element(name: str, value: object) -> str:
    """Return one element; None is left out, booleans are lower case."""
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{name}>{escape(text)}</{name}>"


def parent(name: str, children: Iterable[str]) -> str:
    """Return an element that holds finished elements."""
    return f"<{name}>{''.join(children)}</{name}>"


def document(name: str, children: Iterable[str]) -> bytes:
    """Return a whole document in S3's namespace."""
    return f'{_HEAD}<{name} xmlns="{_NAMESPACE}">{"".join(children)}</{name}>'.encode()


def error(code: str, message: str, resource: str, request_id: str) -> bytes:
    """Return an error document, which has no namespace."""
    fields = {"Code": code, "Message": message, "Resource": resource, "RequestId": request_id}
    return (_HEAD + parent("Error", (element(name, value) for name, value in fields.items()))).encode()


def time(epoch_seconds: float) -> str:
    """Return a time as S3's documents write it, in UTC with milliseconds."""
    moment = datetime.datetime.fromtimestamp(epoch_seconds, tz=datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def name(text: str, encoding: str | None) -> str:
    """Return a key or prefix as the listing's `encoding-type` wants it."""
    return urllib.parse.quote(text, safe="/") if encoding == "url" else text


def parse(body: bytes) -> ElementTree.Element:
    """Return the root of a small document, its namespaces removed; raise MalformedXMLError.

    A document type is refused: entities would let a small body grow without bound.
    """
    if b"<!DOCTYPE" in body:
        raise MalformedXMLError("a document type is not allowed")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 (document types were refused)
    except ElementTree.ParseError as problem:
        raise MalformedXMLError(str(problem)) from problem
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    return root
