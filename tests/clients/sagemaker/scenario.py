"""The SageMaker Python SDK, version 2: a script behind the XGBoost image, a predictor, capture, an update."""

import io
import os
import tarfile
import time
from pathlib import Path

os.environ["SAGEMAKER_SUPPRESS_V2_WARNING"] = "1"

import boto3
import sagemaker
from sagemaker import image_uris
from sagemaker.deserializers import CSVDeserializer
from sagemaker.model import Model
from sagemaker.model_monitor import DataCaptureConfig
from sagemaker.predictor import Predictor
from sagemaker.s3 import S3Downloader, S3Uploader
from sagemaker.serializers import CSVSerializer
from sagemaker.session import production_variant
from sagemaker.xgboost.model import XGBoostModel

ROLE = "arn:aws:iam::123456789012:role/serving"
SCRIPT = """
def model_fn(directory):
    with open(directory + "/weights") as file:
        return float(file.read())

def input_fn(body, content_type):
    return [float(field) for field in body.split(",")]

def predict_fn(row, model):
    return model * sum(row)

def output_fn(prediction, accept):
    return str(prediction)
"""

# The bucket is named here because the SDK asks STS for the account to make up a name, at an address that it builds
# itself whatever AWS_ENDPOINT_URL says.
bucket = "mine-and-the-sdks"
boto3.client("s3").create_bucket(Bucket=bucket)
session = sagemaker.Session(default_bucket=bucket)
with tarfile.open("model.tar.gz", "w:gz") as tar:
    member = tarfile.TarInfo("weights")
    member.size = 1
    tar.addfile(member, io.BytesIO(b"3"))
artifact = S3Uploader.upload("model.tar.gz", f"s3://{bucket}/models", sagemaker_session=session)

# script mode, as the SDK does it: the scripts go to S3, their place into the environment
Path("inference.py").write_text(SCRIPT)
scripted = XGBoostModel(
    model_data=artifact,
    role=ROLE,
    entry_point="inference.py",
    framework_version="1.7-1",
    name="scripted",
    sagemaker_session=session,
)
capture = DataCaptureConfig(
    enable_capture=True,
    sampling_percentage=100,
    destination_s3_uri=f"s3://{bucket}/captures",
    sagemaker_session=session,
)
predictor = scripted.deploy(
    initial_instance_count=1,
    instance_type="ml.m5.large",
    endpoint_name="scripted",
    serializer=CSVSerializer(),
    deserializer=CSVDeserializer(),
    data_capture_config=capture,
)
assert predictor.predict([1, 2]) == [["9.0"]], predictor.predict([1, 2])
captured: list[str] = []
for _ in range(60):
    captured = S3Downloader.list(f"s3://{bucket}/captures/scripted/AllTraffic", sagemaker_session=session)
    if captured:
        break
    time.sleep(1)
assert '"data":"1,2"' in S3Downloader.read_file(captured[0], sagemaker_session=session), captured
predictor.delete_endpoint()

# production and shadow, as the public notebook makes them
assert image_uris.retrieve("xgboost", "us-east-1", "0.90-1").endswith("sagemaker-xgboost:0.90-1-cpu-py3")
for name, answer in (("old", "0.25"), ("new", "0.75")):
    Model(
        "penumbra/light:1", role=ROLE, env={"LOCAL_ANSWER": answer}, name=name, sagemaker_session=session
    ).create()
production = production_variant("old", "ml.m5.xlarge", 2, "production")
shadow = production_variant("new", "ml.m5.xlarge", 1, "shadow", initial_weight=0.5)
session.sagemaker_client.create_endpoint_config(
    EndpointConfigName="shadowed",
    ProductionVariants=[production],
    ShadowProductionVariants=[shadow],
)
session.create_endpoint("churn", "shadowed", wait=True)
predictor = Predictor("churn", session, serializer=CSVSerializer(), deserializer=CSVDeserializer())
assert predictor.predict([1, 2]) == [["0.25"]]
predictor.update_endpoint(model_name="new", initial_instance_count=1, instance_type="ml.m5.large")
assert predictor.predict([1, 2]) == [["0.75"]]
predictor.delete_endpoint()
print("the SageMaker SDK did all of it")
