"""Measures how fast `provisioner` queues existing pictures and exports rows, beside what a user would run instead.

`cloud.py` plays AWS with a round trip of 40 ms. All requests stay on 127.0.0.1.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
ENVIRONMENT = {
    "PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    # Only the time until the queue is filled is measured, so the program need not wait long until it is empty.
    "PROVISIONER_POLL_LIMIT_MS": "1",
}  # fmt: skip

# What a careful user would write: list, check 100 pictures per request, send 10 per request, on 32 threads.
BOTO3 = """
import concurrent.futures, json, sys
import boto3
from botocore.config import Config
endpoint, bucket = sys.argv[1:]
of = lambda name: boto3.client(name, endpoint_url=endpoint, config=Config(max_pool_connections=32))
s3, dynamodb, sqs = of("s3"), of("dynamodb"), of("sqs")

def work(objects):
    if not objects:
        return
    keys = [{"Picture": {"S": f"{bucket}/{one['Key']}"}, "Content": {"S": "etag:" + one["ETag"].strip('"')}} for one in objects]
    dynamodb.batch_get_item(RequestItems={"FaceDataPictures": {"Keys": keys}})
    rows = [{"FaceID": {"S": one["Key"]}} for one in objects]
    dynamodb.batch_get_item(RequestItems={"FaceData": {"Keys": rows}})
    for at in range(0, len(objects), 10):
        entries = [{"Id": str(n), "MessageBody": json.dumps({"bucket": bucket, "key": one["Key"]})}
                   for n, one in enumerate(objects[at : at + 10])]
        sqs.send_message_batch(QueueUrl="http://127.0.0.1/backfill", Entries=entries)

with concurrent.futures.ThreadPoolExecutor(32) as pool:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    chunks = (page["Contents"][at : at + 100] for page in pages for at in range(0, 1000, 100))
    list(pool.map(work, chunks))
"""

# The same with the AWS CLI: one process per picture and step.
SHELL = """
set -e
aws s3api list-objects-v2 --bucket "$2" --query 'Contents[].[Key]' --output text --endpoint-url "$1" | while read -r key; do
  aws dynamodb batch-get-item --endpoint-url "$1" --request-items \
    "{\\"FaceDataPictures\\": {\\"Keys\\": [{\\"Picture\\": {\\"S\\": \\"$2/$key\\"}, \\"Content\\": {\\"S\\": \\"etag:e\\"}}]}}" > /dev/null
  aws sqs send-message --endpoint-url "$1" --queue-url http://127.0.0.1/backfill --message-body "{\\"key\\": \\"$key\\"}" > /dev/null
done
"""


def usage():
    """The peak memory in megabytes and the CPU time in seconds of the program, which is the only child process."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"peak": used.ru_maxrss / 1024, "cpu": used.ru_utime + used.ru_stime}


def backfill(program, endpoint, pictures):
    """Returns the seconds until all pictures were listed, checked, and queued, and those of the search before."""
    command = [program, "backfill", "--stack", f"s-{pictures}", "--endpoint-url", endpoint, "--yes", "--output", "json"]
    started, found, queued = time.monotonic(), None, None
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            event = json.loads(line)
            if event["type"] == "backfill_found":
                assert event["report"]["tally"]["to_process"] == pictures, event
                found = time.monotonic() - started
            elif event["type"] == "backfill_queued":
                assert event["pictures"] == pictures, event
                queued = time.monotonic() - started
    assert process.returncode == 0, process.returncode
    return queued, found


class Services:
    """Tells how busy the scripted services were, which have one thread: close to 100 %, they limit what is measured."""

    def __init__(self, pid):
        self.pid = pid
        self.busy()

    def busy(self):
        """The share of the time since the last call, in percent."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        now = time.monotonic()
        used, self.last = getattr(self, "last", (0, now)), (seconds, now)
        passed = now - used[1]
        return 100 * (seconds - used[0]) / passed if passed else 0


def timed(command, **options):
    started = time.monotonic()
    subprocess.run(command, check=True, env=ENVIRONMENT, **options)
    return time.monotonic() - started


def measured(*arguments):
    """Runs one measurement in a process of its own, because the peak memory of child processes never goes down."""
    output = subprocess.run([sys.executable, __file__, "--one", *map(str, arguments)], check=True, stdout=subprocess.PIPE)
    return json.loads(output.stdout)


def one(kind, program, endpoint, count):
    count = int(count)
    if kind == "backfill":
        seconds, search = backfill(program, endpoint, count)
        return {"seconds": seconds, "search": search, **usage()}
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "export", f"{folder}/rows.csv", "--stack", f"s-{count}", "--endpoint-url", endpoint]
        seconds = timed(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(f"{folder}/rows.csv", "rb") as file:
            assert sum(1 for _ in file) == count + 1
        return {"seconds": seconds, **usage()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--peers", help="folder with the AWS CLI and a Python that has boto3")
    parser.add_argument("--pictures", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--boto3-pictures", type=int, default=10_000)
    parser.add_argument("--shell-pictures", type=int, default=20)
    parser.add_argument("--delay", type=float, default=0.04)
    options = parser.parse_args()
    cloud = subprocess.Popen([sys.executable, HERE / "cloud.py", str(options.delay)], stdout=subprocess.PIPE, text=True)
    try:
        report(options, f"http://127.0.0.1:{cloud.stdout.readline().strip()}", Services(cloud.pid))
    finally:
        cloud.terminate()


def report(options, endpoint, services):
    print("| tool | pictures | seconds | of them search | pictures per second | CPU s | peak MB | services busy | ratio |\n|---|---|---|---|---|---|---|---|---|")  # fmt: skip
    rates = {}
    for pictures in options.pictures:
        result = measured("backfill", options.program, endpoint, pictures)
        rates[pictures] = pictures / result["seconds"]
        print(f"| `provisioner backfill` | {pictures:,} | {result['seconds']:.1f} | {result['search']:.1f} | {rates[pictures]:,.0f} | {result['cpu']:.1f} | {result['peak']:.0f} | {services.busy():.0f} % | |", flush=True)  # fmt: skip
    if options.peers and rates:
        best = rates[min(rates, key=lambda pictures: abs(pictures - options.boto3_pictures))]
        peers = [
            ("boto3, 32 threads", options.boto3_pictures, [f"{options.peers}/python", "-c", BOTO3]),
            ("AWS CLI in a shell loop", options.shell_pictures, ["bash", "-c", SHELL, "bash"]),
        ]
        ENVIRONMENT["PATH"] = f"{options.peers}:{ENVIRONMENT['PATH']}"
        for name, pictures, command in peers:
            seconds = timed([*command, endpoint, f"pictures-{pictures}"])
            print(f"| {name} | {pictures:,} | {seconds:.1f} | | {pictures / seconds:,.1f} | | | {services.busy():.0f} % | {best * seconds / pictures:,.0f} |", flush=True)  # fmt: skip
    print("\n| tool | rows | seconds | rows per second | CPU s | peak MB | services busy |\n|---|---|---|---|---|---|---|")
    for rows in options.rows:
        result = measured("export", options.program, endpoint, rows)
        print(f"| `provisioner export` | {rows:,} | {result['seconds']:.1f} | {rows / result['seconds']:,.0f} | {result['cpu']:.1f} | {result['peak']:.0f} | {services.busy():.0f} % |", flush=True)  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(*sys.argv[2:])))
    else:
        main()
