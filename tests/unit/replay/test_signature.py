"""Signatures equal botocore's own, header for header."""

from __future__ import annotations

import datetime
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from include.replay.signature import INFERENCE_ID_HEADER, Signature
from include.replay.target import Credentials, Target

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z

text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
spaced = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40).filter(
    str.strip
)
names = st.text(st.sampled_from("abcXYZ019-_"), min_size=1, max_size=20)
extra_headers = st.dictionaries(
    st.one_of(
        names.map(lambda n: f"X-Amzn-SageMaker-{n}").filter(lambda n: not n.lower().endswith("inference-id")),
        names.map(lambda n: f"zz-{n}"),
        st.sampled_from(["User-Agent", "X-Amzn-Trace-Id", "te", "Cache-Control", "baggage"]),
    ),
    spaced.map(str.strip),
    max_size=4,
).filter(lambda headers: len({name.lower() for name in headers}) == len(headers))


def botocore_headers(
    target: Target, headers: dict[str, str], body: bytes, keys: Credentials, now: float
) -> dict[str, str]:
    url = f"{target.url.scheme}://{target.url.netloc}{target.path}"
    request = AWSRequest(method="POST", url=url, headers=headers, data=body)
    moment = datetime.datetime.fromtimestamp(int(now), tz=datetime.UTC)
    original = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda *_: moment
    try:
        credentials = BotocoreCredentials(keys.access_key, keys.secret_key, keys.token)
        botocore.auth.SigV4Auth(credentials, "sagemaker", target.region).add_auth(request)
    finally:
        botocore.auth.get_current_datetime = original
    return dict(request.headers.items())


def parsed(message: bytes, body: bytes) -> tuple[str, dict[str, str]]:
    head, _, sent = message.partition(b"\r\n\r\n")
    assert sent == body
    line, *rest = head.decode().split("\r\n")
    return line, dict(item.split(": ", 1) for item in rest)


def check(
    target: Target, keys: Credentials, body: bytes, content_type: str | None, inference_id: str, now: float
) -> None:
    line, sent = parsed(Signature(target, keys).message(body, content_type, inference_id, now), body)
    plain = dict(target.all_headers) | {INFERENCE_ID_HEADER: inference_id}
    if content_type is not None:
        plain["Content-Type"] = content_type
    expected = botocore_headers(target, plain, body, keys, now)
    assert line == f"POST {target.path} HTTP/1.1"
    assert sent.pop("Host") == botocore.auth._host_from_url(f"{target.url.scheme}://{target.url.netloc}")
    assert sent.pop("Content-Length") == str(len(body))
    assert sent == expected


@settings(max_examples=1200, deadline=None)
@given(
    endpoint=st.text(min_size=1, max_size=63).filter(lambda name: name not in {".", ".."}),
    base=st.sampled_from(
        [
            None,
            "http://127.0.0.1:4566",
            "http://Localhost:80/prefix/",
            "https://vpce-1.example.com:443",
            "https://[::1]:8443",
        ]
    ),
    region=st.sampled_from(["eu-west-1", "us-gov-west-1", "cn-north-1"]),
    access_key=text,
    secret_key=st.text(min_size=1, max_size=40).filter(lambda s: s.isprintable()),
    token=st.none() | text,
    content_type=st.none() | spaced.map(str.strip),
    accept=st.none() | spaced.map(str.strip),
    headers=extra_headers,
    body=st.binary(max_size=300),
    inference_id=text,
    now=st.floats(min_value=0, max_value=4e9),
)
def test_a_signature_is_the_one_that_botocore_writes(
    endpoint: str,
    base: str | None,
    region: str,
    access_key: str,
    secret_key: str,
    token: str | None,
    content_type: str | None,
    accept: str | None,
    headers: dict[str, str],
    body: bytes,
    inference_id: str,
    now: float,
) -> None:
    target = Target(endpoint=endpoint, region=region, base_url=base, accept=accept, headers=headers)
    keys = Credentials(access_key=access_key, secret_key=secret_key, token=token)
    check(target, keys, body, content_type, inference_id, now)


def test_one_signature_serves_seconds_days_content_types_and_rotated_keys() -> None:
    target = Target(endpoint="churn", region="eu-west-1")
    keys = Credentials(access_key="A", secret_key="one")
    signature = Signature(target, keys)
    for now in (NOW, NOW + 0.9, NOW + 1, NOW + 86_399, NOW + 86_400):
        for content_type in (None, "application/json"):
            head = signature.message(b"1", content_type, "id", now)
            assert head == Signature(target, keys).message(b"1", content_type, "id", now)
    new = Credentials(access_key="B", secret_key="two", token="t")
    signature.rotate(new)
    assert signature.message(b"1", None, "id", NOW) == Signature(target, new).message(b"1", None, "id", NOW)


def test_without_credentials_a_request_carries_no_signature() -> None:
    target = Target(endpoint="churn", region="eu-west-1")
    _, headers = parsed(Signature(target, None).message(b"12", None, "id", NOW), b"12")
    assert headers == {
        "Content-Type": "text/csv",
        "Host": "runtime.sagemaker.eu-west-1.amazonaws.com",
        INFERENCE_ID_HEADER: "id",
        "Content-Length": "2",
    }


def test_secrets_are_in_no_representation() -> None:
    keys = Credentials(access_key="AKID", secret_key="very-secret", token="tok-secret")
    target = Target(endpoint="churn", region="eu-west-1", credentials=keys)
    assert "secret" not in repr(keys) + repr(target)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"base_url": "ftp://x"}, "base URL"),
        ({"endpoint": ""}, "no endpoint name"),
        ({"timeout": 0.0}, "timeout"),
        ({"headers": {"X": "a\r\nb"}}, "printable"),
        ({"headers": {"Host": "evil"}}, "own field"),
        ({"headers": {"a": "1", "A": "2"}}, "twice"),
    ],
    ids=["scheme", "name", "timeout", "injection", "reserved", "twice"],
)
def test_a_target_that_cannot_be_meant_is_refused(options: dict[str, object], said: str) -> None:
    settings_: dict[str, object] = {"endpoint": "churn", "region": "eu-west-1"} | options
    with pytest.raises(ValueError, match=said):
        Target(**settings_)  # type: ignore[arg-type]


def test_the_address_follows_the_region() -> None:
    assert Target(endpoint="e", region="cn-north-1").url == urlsplit(
        "https://runtime.sagemaker.cn-north-1.amazonaws.com.cn"
    )
