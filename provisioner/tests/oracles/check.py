"""Runs the program against LocalStack or LocalEmu: one line per check; exits with 1 if any failed.

Usage: check.py localstack|localemu PROGRAM BOOTSTRAP, with the Python of an environment that has the requirements.

LocalStack is a second implementation of CloudFormation, S3, Lambda, and SQS; its operations take time, so running ones
can be observed. It cannot judge the names of changed properties, imports, rollbacks, drift, or rules. LocalEmu enforces
IAM policies with resources and conditions: the printed policies and the function's role must suffice, and no more than
that is granted to anyone here. Both listen on 127.0.0.1 only.
"""

import json
import os
import platform
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

import boto3

HERE = Path(__file__).parent
FIXTURES = HERE.parent.parent / "fixtures"
REGION, ACCOUNT, STACK = "us-east-1", "000000000000", "face-recognition"
BUCKET = f"{STACK}-{ACCOUNT}-{REGION}-an"
ARCHITECTURE = "arm64" if platform.machine() == "aarch64" else "x86_64"
ROOT = ("test", "test")


class Emulator:
    """An emulator with our Rekognition server and a folder, all of which end with the `with` block."""

    def __init__(self, family, program):
        self.family, self.program, self.processes = family, program, []

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix=f"{self.family}-")
        self.path = Path(self.folder.name)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{port}"
        ready = self.path / "rekognition"
        serve = ["local", "serve-rekognition", "--s3-endpoint", self.endpoint, "--region", REGION, "--ready-file", ready]
        self.start("rekognition.log", [self.program, *serve], ready.exists)
        command = [sys.executable, HERE / "emulator.py", self.family, str(port), self.path, ready.read_text().strip()]
        self.start("emulator.log", command, self.answers)
        return self

    def start(self, log, command, is_ready):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.path), "AWS_EC2_METADATA_DISABLED": "true"}
        environment |= {"AWS_ACCESS_KEY_ID": ROOT[0], "AWS_SECRET_ACCESS_KEY": ROOT[1]}
        with (self.path / log).open("wb") as out:
            self.processes.append(subprocess.Popen(command, env=environment, stdout=out, stderr=out))
        deadline = time.monotonic() + 120
        while not is_ready():
            if self.processes[-1].poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{command[1]} does not start:\n{(self.path / log).read_text()[-2000:]}")
            time.sleep(0.1)

    def answers(self):
        try:
            return urlopen(f"{self.endpoint}/_{self.family}/health", timeout=5).status == 200
        except OSError:
            return False

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)
        self.folder.cleanup()

    def slow(self, seconds):
        (self.path / "slow").write_text(str(seconds))

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ROOT[0],
            aws_secret_access_key=ROOT[1],
        )


class Checks:
    def __init__(self, emulator, bootstrap):
        self.emulator, self.bootstrap, self.keys, self.failed = emulator, bootstrap, ROOT, 0

    def start(self, *arguments):
        arguments = [str(argument) for argument in arguments]
        if arguments[0] in ("up", "plan"):
            arguments += ["--bootstrap", str(self.bootstrap)]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.emulator.path),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": self.keys[0],
            "AWS_SECRET_ACCESS_KEY": self.keys[1],
        }
        command = [self.emulator.program, *arguments, "--region", REGION, "--endpoint-url", self.emulator.endpoint]
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
        return subprocess.Popen([*command, "--yes"], env=environment, text=True, **pipe)

    def run(self, name, code, pattern, *arguments):
        self.ended(name, code, pattern, self.start(*arguments))

    def ended(self, name, code, pattern, process):
        output, _ = process.communicate(timeout=300)
        passed = process.returncode == code and re.search(pattern, output)
        self.check(name, passed, f"exit code {process.returncode}\n{output}")

    def check(self, name, passed, details=""):
        print(f"{'ok  ' if passed else 'FAIL'}  {name}", flush=True)
        if not passed:
            self.failed += 1
            print(re.sub("^", "        ", str(details), flags=re.M), flush=True)

    def nothing_left(self):
        client = self.emulator.client
        left = [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]]
        left += [function["FunctionName"] for function in client("lambda").list_functions()["Functions"]]
        left += client("dynamodb").list_tables()["TableNames"]
        left += [group["logGroupName"] for group in client("logs").describe_log_groups()["logGroups"]]
        left += client("sqs").list_queues().get("QueueUrls", [])
        self.check("boto3 finds nothing that is left", not left, left)


def localstack(checks):
    emulator, up = checks.emulator, ["up", "-P", f"Architecture={ARCHITECTURE}"]
    changes = ["-P", "Alarms=yes", "-P", "RetentionDays=30", "-P", "MemorySize=1024"]
    checks.run("up", 0, "smoke test passed", *up)
    checks.run("up without changes", 0, "no changes", *up)
    checks.run("plan", 2, r"\+ ErrorsAlarm AWS::CloudWatch::Alarm", "plan", *changes, "--detailed-exitcode")
    checks.run("update", 0, "UPDATE_COMPLETE after[^$]*smoke test passed", *up, *changes)
    with checks.bootstrap.open("ab") as file:
        file.write(b"\0")  # another package; the loader ignores what follows the sections
    checks.run("update of the package alone", 0, r"Code/S3Key[^$]*smoke test passed", *up)
    odd = emulator.path / "ä b+c%20&=?.jpg"
    odd.write_bytes((FIXTURES / "face.jpg").read_bytes())
    checks.run("detect with a key that must be encoded", 0, "1 face", "detect", odd)
    checks.run("smoke --full", 0, "smoke test passed", "smoke", "--full")
    checks.run("status", 0, r"table +1 row", "status")
    checks.run("redrive", 0, "(0|no) events", "redrive")
    for number in range(3):
        emulator.client("s3").create_multipart_upload(Bucket=BUCKET, Key=f"unfinished {number}")
    checks.run("down", 0, "nothing left", "down")
    broken = emulator.path / "broken.yaml"
    template = (HERE.parent.parent.parent / "templates/stack.yaml").read_text()
    queue = "  Broken:\n    Type: AWS::SQS::Queue\n    Properties: {QueueName: not a name}\n"
    template = template.replace("\nResources:\n", f"\nResources:\n{queue}", 1)
    # The first resource fails, because LocalStack does not roll back completely.
    broken.write_text(template.replace("\n  LogGroup:\n", "\n  LogGroup:\n    DependsOn: Broken\n", 1))
    checks.run("a failed creation names its cause", 1, "Broken", *up, "--no-smoke", "--template", broken)
    checks.run("down after it", 0, "nothing left", "down")
    emulator.slow(1)
    first = checks.start(*up, "--no-smoke")
    stacks = emulator.client("cloudformation")
    while first.poll() is None and not stacks.list_stacks(StackStatusFilter=["CREATE_IN_PROGRESS"])["StackSummaries"]:
        time.sleep(0.1)
    checks.run("a second up joins the first", 0, "CREATE_IN_PROGRESS", *up, "--no-smoke")
    checks.ended("the first up", 0, "CREATE_COMPLETE after", first)
    emulator.slow(0)
    checks.run("the last down", 0, "nothing left", "down")
    checks.nothing_left()


def localemu(checks):
    emulator, iam = checks.emulator, checks.emulator.client("iam")
    printed = subprocess.run(
        [emulator.program, "policy", "--account", ACCOUNT, "--region", REGION], capture_output=True, check=True
    )
    iam.create_user(UserName="deployer")
    for purpose, document in json.loads(printed.stdout).items():
        policy = iam.create_policy(PolicyName=purpose, PolicyDocument=json.dumps(document))["Policy"]
        iam.attach_user_policy(UserName="deployer", PolicyArn=policy["Arn"])
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    checks.keys = key["AccessKeyId"], key["SecretAccessKey"]
    checks.run("policies are enforced", 1, "AccessDenied", "status", "--stack", "of-somebody-else")
    up = ["up", "-P", f"Architecture={ARCHITECTURE}"]
    checks.run("up", 0, "smoke test passed", *up)
    checks.run("status", 0, "UPDATE_COMPLETE|CREATE_COMPLETE", "status")
    checks.run("update", 0, "UPDATE_COMPLETE after[^$]*smoke test passed", *up, "-P", "RetentionDays=3")
    checks.run("detect", 0, "2 faces", "detect", FIXTURES / "two-faces.jpg")
    checks.run("faces", 0, "2 rows", "faces")
    checks.run("logs", 0, "stored", "logs")
    checks.run("redrive", 0, "(0|no) events", "redrive")
    checks.run("down", 0, "nothing left", "down")
    checks.nothing_left()


def main(family, program, bootstrap):
    with Emulator(family, Path(program).absolute()) as emulator:
        copy = emulator.path / "bootstrap"
        copy.write_bytes(Path(bootstrap).read_bytes())
        checks = Checks(emulator, copy)
        {"localstack": localstack, "localemu": localemu}[family](checks)
        return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
