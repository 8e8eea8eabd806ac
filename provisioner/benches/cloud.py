"""A scripted S3, SQS, DynamoDB and CloudFormation on 127.0.0.1 that replies to each request after a fixed time.

It stores nothing. A bucket has as many pictures as its name says (`pictures-1000`), none of which was processed; the table
has as many rows as the stack's name says (`faces-1000`). A picture that is uploaded has one face, whose row exists at once. Replies are computed beforehand where possible, so that the server
does not limit its clients.
"""

import asyncio
import functools
import hashlib
import json
import re
import sys
import urllib.parse

PAGE = 1_000
ROWS_PER_PAGE = 2_000
ACCOUNT = "123456789012"
KEY = "archive/2019/05/picture-{:09}.jpg"


def _entries(start, end, tag, extra):
    one = (
        "<{tag}><Key>{key}</Key><LastModified>2019-05-01T12:00:00.000Z</LastModified>"
        "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>2400000</Size>"
        "<StorageClass>STANDARD</StorageClass>{extra}</{tag}>"
    )
    return "".join(one.format(tag=tag, key=KEY.format(n), extra=extra) for n in range(start, end))


def listing(bucket, query):
    total = int(bucket.rsplit("-", 1)[1])
    if "versions" in query:
        start = int(re.search(r"(\d{9})", query["key-marker"]).group(1)) + 1 if "key-marker" in query else 0
        end = min(start + PAGE, total)
        extra = "<VersionId>null</VersionId><IsLatest>true</IsLatest>"
        more = f"<NextKeyMarker>{KEY.format(end - 1)}</NextKeyMarker><NextVersionIdMarker>null</NextVersionIdMarker>"
        kind, tag = "ListVersionsResult", "Version"
    else:
        start = int(query.get("continuation-token", 0))
        end = min(start + PAGE, total)
        more, extra = f"<NextContinuationToken>{end}</NextContinuationToken>", ""
        kind, tag = "ListBucketResult", "Contents"
    more = more if end < total else ""
    truncated = str(end < total).lower()
    head = f"<Name>{bucket}</Name><IsTruncated>{truncated}</IsTruncated>{more}"
    return f"<{kind}>{head}{_entries(start, end, tag, extra)}</{kind}>".encode()


@functools.cache
def rows(total, segment, segments):
    """The page of rows that all pages repeat, without its end, and the number of pages of a segment."""
    row = {
        "FaceID": {"S": "0123456789abcdef0123456789abcdef#000"}, "Age": {"S": "26-43"}, "AgeLow": {"N": "26"},
        "AgeHigh": {"N": "43"}, "Emotion": {"S": "HAPPY"}, "EmotionConfidence": {"N": "98.7"},
        "Confidence": {"N": "99.99"}, "FaceCount": {"N": "1"}, "Bucket": {"S": "pictures"}, "Key": {"S": KEY.format(7)},
        "EventTime": {"S": "2026-05-01T12:00:00Z"},
        "BoundingBox": {"M": {side: {"N": "0.25"} for side in ("Left", "Top", "Width", "Height")}},
    }  # fmt: skip
    return json.dumps(row), total // segments + (segment < total % segments)


def scan(total, body):
    request = json.loads(body)
    row, count = rows(total, request.get("Segment", 0), request.get("TotalSegments", 1))
    start = int(request.get("ExclusiveStartKey", {}).get("FaceID", {}).get("S", 0))
    here = min(ROWS_PER_PAGE, request.get("Limit", ROWS_PER_PAGE), count - start)
    more = f',"LastEvaluatedKey":{{"FaceID":{{"S":"{start + here}"}}}}' if start + here < count else ""
    return f'{{"Count":{here},"Items":[{",".join([row] * here)}]{more}}}'.encode()


def stack(name):
    total = name.rsplit("-", 1)[1]
    outputs = {
        "BucketName": f"pictures-{total}", "TableName": f"faces-{total}", "PictureTableName": "FaceDataPictures",
        "BackfillQueueUrl": "http://127.0.0.1/backfill", "FailureQueueUrl": "http://127.0.0.1/failures",
        "LogGroupName": "/aws/lambda/faces",
    }  # fmt: skip
    if total == "0":
        # `detect` asks the table of processed pictures, too, if there is one.
        del outputs["PictureTableName"]
    members = "".join(
        f"<member><OutputKey>{k}</OutputKey><OutputValue>{v}</OutputValue></member>" for k, v in outputs.items()
    )
    tag = "<Tags><member><Key>created-by</Key><Value>provisioner</Value></member></Tags>"
    arn = f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/{name}/0a1b"
    return (
        "<DescribeStacksResponse><DescribeStacksResult><Stacks><member>"
        f"<StackName>{name}</StackName><StackId>{arn}</StackId><CreationTime>2026-01-01T00:00:00Z</CreationTime>"
        f"<StackStatus>CREATE_COMPLETE</StackStatus>{tag}<Outputs>{members}</Outputs>"
        "</member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    ).encode()


TEMPLATE = (
    b"<GetTemplateResponse><GetTemplateResult><TemplateBody>Resources: {}</TemplateBody></GetTemplateResult>"
    b"</GetTemplateResponse>"
)
RESOURCES = (
    b"<ListStackResourcesResponse><ListStackResourcesResult><StackResourceSummaries/></ListStackResourcesResult>"
    b"</ListStackResourcesResponse>"
)
EMPTY = {
    "BatchGetItem": b'{"Responses":{}}',
    "SendMessage": b'{"MessageId":"m"}',
    "GetQueueAttributes": b'{"Attributes":{"ApproximateNumberOfMessages":"0"}}',
}
QUOTAS = b'{"Quotas":[{"QuotaName":"Transactions per second for DetectFaces","Value":50}]}'


def reply(target, path, body):
    """The body of the reply."""
    operation = target.rsplit(".", 1)[-1]
    if operation in EMPTY:
        return EMPTY[operation]
    if operation == "SendMessageBatch":
        ids = range(body.count(b'"MessageBody"'))
        return json.dumps({"Successful": [{"Id": str(n), "MessageId": "m", "MD5OfMessageBody": "x"} for n in ids]}).encode()
    if operation == "Scan":
        total = int(re.search(rb'"TableName": ?"[a-z]+-(\d+)"', body).group(1))
        return scan(total, body)
    if operation == "GetItem":
        return f'{{"Item":{rows(1, 0, 1)[0]}}}'.encode() if b"#000" in body else b"{}"
    if "Quotas" in operation:
        return QUOTAS
    if b"Action=DescribeStacks" in body:
        return stack(urllib.parse.parse_qs(body.decode())["StackName"][0])
    if b"Action=GetTemplate" in body:
        return TEMPLATE
    if b"Action=ListStackResources" in body:
        return RESOURCES
    bucket, _, query = path.lstrip("/").partition("?")
    query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    if "versioning" in query:
        return b"<VersioningConfiguration/>"
    return listing(bucket.strip("/"), query)


class Connection(asyncio.Protocol):
    """A connection whose requests are answered after a fixed time."""

    def __init__(self, delay):
        self.delay, self.buffer = delay, b""
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode("latin-1")
            if "expect: 100-continue" in head.lower() and len(self.buffer) == end + 4:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                return
            length = re.search(r"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            whole = end + 4 + (int(length.group(1)) if length else 0)
            if len(self.buffer) < whole:
                return
            body, self.buffer = self.buffer[end + 4 : whole], self.buffer[whole:]
            target = re.search(r"\r\nx-amz-target: *([^\r]+)", head, re.IGNORECASE)
            path = head.split(" ", 2)[1]
            stored = head.startswith("PUT ")
            content = b"" if stored else reply(target.group(1) if target else "", path, body)
            tag = b'etag: "%s"\r\n' % hashlib.md5(body).hexdigest().encode() if stored else b""
            self.loop.call_later(self.delay, self.send, tag, content)

    def send(self, headers, content):
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 200 OK\r\n%scontent-length: %d\r\n\r\n" % (headers, len(content)) + content)


async def serve(delay):
    server = await asyncio.get_running_loop().create_server(lambda: Connection(delay), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
