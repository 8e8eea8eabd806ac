"""The function's contract as it is usually implemented in Python: boto3, clients created once, the default session.

The benchmark compares the Rust function with it, so it sends the same requests: HeadObject, DetectFaces, HeadObject
again if the object has no version, and PutItem or TransactWriteItems.
"""

import hashlib
import json
import os
from decimal import Decimal
from urllib.parse import unquote_plus

import boto3
from botocore.exceptions import ClientError

REGION = os.environ["AWS_REGION"]
TABLE = os.environ["TABLE_NAME"]
LARGEST = 15 * 1024 * 1024

s3 = boto3.client("s3")
rekognition = boto3.client("rekognition")
dynamodb = boto3.client("dynamodb")


def handle(event, context):
    records = [process(record) for record in event.get("Records", [])]
    worst = max((record["statusCode"] for record in records), default=200)
    for record in records:
        print(json.dumps({"requestId": context.aws_request_id, **record}))
    document = {"statusCode": worst, "body": {"records": records}}
    if worst == 500:
        raise RuntimeError(json.dumps(document))
    return document


def process(record):
    try:
        return work(record)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("404", "412"):
            return {"outcome": "skipped", "statusCode": 200, "code": code}
        return {"outcome": "failed", "statusCode": 500, "code": code}


def work(record):
    if record["awsRegion"] != REGION:
        return {"outcome": "failed", "statusCode": 500, "code": "WrongRegion"}
    bucket = record["s3"]["bucket"]["name"]
    key = unquote_plus(record["s3"]["object"]["key"])
    version = record["s3"]["object"].get("versionId")
    etag = record["s3"]["object"].get("eTag")
    which = {"VersionId": version} if version else {"IfMatch": f'"{etag}"'}
    head = s3.head_object(Bucket=bucket, Key=key, **which)
    if not 0 < head["ContentLength"] <= LARGEST:
        return {"outcome": "unusable", "statusCode": 400}
    picture = {"Bucket": bucket, "Name": key, **({"Version": version} if version else {})}
    found = rekognition.detect_faces(Image={"S3Object": picture}, Attributes=["AGE_RANGE", "EMOTIONS"])["FaceDetails"]
    if not found:
        return {"outcome": "no_face", "statusCode": 400}
    if not version:
        s3.head_object(Bucket=bucket, Key=key, **which)
    store(rows(found, bucket, key, version, etag, record["eventTime"]))
    return {"outcome": "stored", "statusCode": 200, "faces": len(found)}


def rows(found, bucket, key, version, etag, time):
    digest = hashlib.sha256()
    for part in ("v1", "aws", bucket, key, version or f"etag:{etag}"):
        digest.update(len(part.encode()).to_bytes(8, "big") + part.encode())
    identity = digest.hexdigest()[:32]
    area = lambda face: face["BoundingBox"]["Width"] * face["BoundingBox"]["Height"]
    found.sort(key=lambda face: (-area(face), face["BoundingBox"]["Top"], face["BoundingBox"]["Left"]))
    for rank, face in enumerate(found):
        emotion = max(face["Emotions"], key=lambda emotion: emotion["Confidence"])
        low, high = face["AgeRange"]["Low"], face["AgeRange"]["High"]
        row = {
            "FaceID": {"S": f"{identity}#{rank:03}"},
            "Age": {"S": f"{low}-{high}"},
            "AgeLow": {"N": str(low)},
            "AgeHigh": {"N": str(high)},
            "Emotion": {"S": emotion["Type"]},
            "EmotionConfidence": number(emotion["Confidence"]),
            "Confidence": number(face["Confidence"]),
            "BoundingBox": {"M": {side: number(value) for side, value in face["BoundingBox"].items()}},
            "FaceCount": {"N": str(len(found))},
            "Bucket": {"S": bucket},
            "Key": {"S": key},
            "EventTime": {"S": time},
        }
        yield {**row, "VersionId": {"S": version}} if version else row


def number(value):
    return {"N": str(Decimal(str(value)))}


def store(items):
    items = list(items)
    if len(items) == 1:
        dynamodb.put_item(TableName=TABLE, Item=items[0])
    else:
        puts = [{"Put": {"TableName": TABLE, "Item": item}} for item in items]
        dynamodb.transact_write_items(TransactItems=puts)
