"""S3 as boto3 and obstore use it, and one winner of every race between separate clients."""

import io
import os
import threading
import uuid
from typing import Any

import obstore
import pytest
from botocore.exceptions import ClientError
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store


@pytest.fixture
def s3(program: Any) -> Any:
    return program.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"b-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def objects(program: Any, bucket: str) -> S3Store:
    return S3Store(
        bucket,
        endpoint=program.url,
        access_key_id="local",
        secret_access_key="local",
        region="us-east-1",
        client_options={"allow_http": True},
    )


def refusal(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_an_object_comes_back_with_what_was_said_about_it(s3: Any, bucket: str) -> None:
    key = "a/b c+é?&.txt"
    put = s3.put_object(
        Bucket=bucket, Key=key, Body=b"hello", ContentType="text/plain", Metadata={"who": "me"}
    )
    got = s3.get_object(Bucket=bucket, Key=key)
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (
        b"hello",
        "text/plain",
        {"who": "me"},
    )
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["ContentLength"], head["ETag"], head["LastModified"]) == (
        5,
        put["ETag"],
        got["LastModified"],
    )
    assert s3.get_object(Bucket=bucket, Key=key, Range="bytes=1-2")["Body"].read() == b"el"


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_every_checksum_that_botocore_computes_is_verified_on_both_sides(
    s3: Any, bucket: str, algorithm: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 100_000, ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert len(got["Body"].read()) == 100_000
    assert f"Checksum{algorithm}" in got


def test_missing_things_are_errors_with_s3s_codes(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="none")
    assert refusal(caught) == ("NoSuchKey", 404)
    with pytest.raises(ClientError) as caught:
        s3.head_object(Bucket=bucket, Key="none")
    assert refusal(caught) == ("404", 404)
    with pytest.raises(ClientError) as caught:
        s3.list_objects_v2(Bucket="no-such-bucket")
    assert refusal(caught) == ("NoSuchBucket", 404)
    with pytest.raises(ClientError) as caught:
        s3.get_bucket_acl(Bucket=bucket)
    assert refusal(caught) == ("NotImplemented", 400)


def test_large_files_go_up_and_down_in_parts(s3: Any, bucket: str) -> None:
    body = os.urandom(17 * 1024 * 1024)
    s3.upload_fileobj(io.BytesIO(body), bucket, "large")
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-3"')
    back = io.BytesIO()
    s3.download_fileobj(bucket, "large", back)
    assert back.getvalue() == body
    s3.copy({"Bucket": bucket, "Key": "large"}, bucket, "copied")
    assert s3.get_object(Bucket=bucket, Key="copied")["Body"].read() == body


def test_listings_page_and_group(s3: Any, bucket: str) -> None:
    keys = sorted(f"l/{number % 3}/{number:02d} é" for number in range(25))
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    for operation in ("list_objects_v2", "list_objects"):
        pages = s3.get_paginator(operation).paginate(
            Bucket=bucket, Prefix="l/", PaginationConfig={"PageSize": 4}
        )
        assert [item["Key"] for page in pages for item in page["Contents"]] == keys
    grouped = s3.list_objects_v2(Bucket=bucket, Prefix="l/", Delimiter="/")
    assert [item["Prefix"] for item in grouped["CommonPrefixes"]] == ["l/0/", "l/1/", "l/2/"]
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    assert sorted(item["Key"] for item in deleted["Deleted"]) == keys
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_obstore_creates_once_and_updates_only_what_it_read(objects: S3Store) -> None:
    first = obstore.put(objects, "ledger/x", b"1", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(objects, "ledger/x", b"2", mode="create")
    second = obstore.put(objects, "ledger/x", b"2", mode={"e_tag": first["e_tag"]})
    with pytest.raises(PreconditionError):
        obstore.put(objects, "ledger/x", b"3", mode={"e_tag": first["e_tag"]})
    assert second["e_tag"] == obstore.head(objects, "ledger/x")["e_tag"]
    assert obstore.get(objects, "ledger/x").bytes() == b"2"


def test_obstore_lists_reads_ranges_copies_and_deletes(objects: S3Store) -> None:
    body = os.urandom(12 * 1024 * 1024)
    obstore.put(objects, "a/large", body)
    obstore.put(objects, "a/small", b"small")
    assert {item["path"] for item in obstore.list(objects, "a").collect()} == {"a/large", "a/small"}
    assert bytes(obstore.get_range(objects, "a/large", start=5, end=99)) == body[5:99]
    obstore.copy(objects, "a/large", "b/large")
    assert obstore.get(objects, "b/large").bytes() == body
    obstore.rename(objects, "a/small", "b/small")
    listed = obstore.list_with_delimiter(objects)
    assert sorted(listed["common_prefixes"]) == ["a", "b"]
    obstore.delete(objects, ["a/large", "b/large", "b/small"])
    with pytest.raises(FileNotFoundError):
        obstore.head(objects, "a/large")


def test_of_many_clients_that_create_a_key_one_wins(program: Any, s3: Any, bucket: str) -> None:
    rounds, writers = 15, 6
    barrier = threading.Barrier(writers)
    won: list[tuple[int, bytes]] = []
    odd: list[Exception] = []

    def write(number: int) -> None:
        client = program.client("s3", retries={"total_max_attempts": 1})
        for round_ in range(rounds):
            body = f"{number}".encode() * (10 if round_ % 2 else 200_000)
            barrier.wait()
            try:
                client.put_object(Bucket=bucket, Key=f"race/{round_}", Body=body, IfNoneMatch="*")
                won.append((round_, body))
            except ClientError as error:
                if error.response["Error"]["Code"] != "PreconditionFailed":
                    odd.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert odd == []
    assert sorted(round_ for round_, _ in won) == list(range(rounds))
    for round_, body in won:
        assert s3.get_object(Bucket=bucket, Key=f"race/{round_}")["Body"].read() == body


def test_of_many_clients_that_replace_what_they_read_one_wins(program: Any, s3: Any, bucket: str) -> None:
    """A counter under If-Match loses no increment."""
    s3.put_object(Bucket=bucket, Key="counter", Body=b"0")
    writers, increments = 4, 10
    odd: list[Exception] = []

    def add() -> None:
        client = program.client("s3")
        done = 0
        while done < increments:
            read = client.get_object(Bucket=bucket, Key="counter")
            value = int(read["Body"].read()) + 1
            try:
                client.put_object(
                    Bucket=bucket, Key="counter", Body=str(value).encode(), IfMatch=read["ETag"]
                )
                done += 1
            except ClientError as error:
                if error.response["Error"]["Code"] != "PreconditionFailed":
                    odd.append(error)
                    return

    threads = [threading.Thread(target=add) for _ in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert odd == []
    assert s3.get_object(Bucket=bucket, Key="counter")["Body"].read() == str(writers * increments).encode()


def test_an_unfinished_upload_is_listed_with_its_parts_until_it_is_aborted(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k é")["UploadId"]
    etag = s3.upload_part(Bucket=bucket, Key="k é", UploadId=upload, PartNumber=3, Body=b"part")["ETag"]
    (listed,) = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert (listed["Key"], listed["UploadId"]) == ("k é", upload)
    (part,) = s3.list_parts(Bucket=bucket, Key="k é", UploadId=upload)["Parts"]
    assert (part["PartNumber"], part["ETag"], part["Size"]) == (3, etag, 4)
    s3.abort_multipart_upload(Bucket=bucket, Key="k é", UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    with pytest.raises(ClientError) as caught:
        s3.list_parts(Bucket=bucket, Key="k é", UploadId=upload)
    assert refusal(caught) == ("NoSuchUpload", 404)


def test_a_copy_keeps_or_replaces_what_was_said_about_the_object(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"1", ContentType="text/csv", Metadata={"m": "1"})[
        "ETag"
    ]
    source = {"Bucket": bucket, "Key": "a"}
    s3.copy_object(Bucket=bucket, Key="b", CopySource=source, CopySourceIfMatch=etag)
    assert s3.head_object(Bucket=bucket, Key="b")["Metadata"] == {"m": "1"}
    s3.copy_object(
        Bucket=bucket, Key="c", CopySource=source, MetadataDirective="REPLACE", Metadata={"n": "2"}
    )
    assert s3.head_object(Bucket=bucket, Key="c")["Metadata"] == {"n": "2"}
    with pytest.raises(ClientError) as caught:
        s3.copy_object(Bucket=bucket, Key="d", CopySource=source, CopySourceIfNoneMatch=etag)
    assert refusal(caught) == ("PreconditionFailed", 412)


def test_buckets_are_listed_located_and_deleted(program: Any, s3: Any) -> None:
    name = f"b-{uuid.uuid4().hex[:12]}"
    abroad = program.client("s3", region="eu-west-1")
    abroad.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "eu-west-1"
    assert name in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    assert "Status" not in s3.get_bucket_versioning(Bucket=name)
    s3.delete_bucket(Bucket=name)
    with pytest.raises(ClientError) as caught:
        s3.head_bucket(Bucket=name)
    assert refusal(caught) == ("404", 404)
