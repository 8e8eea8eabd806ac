"""Compares the deployments of provisioner, the AWS CLI and SAM, on a local cloud with the delays of the real one.

The local cloud replies within milliseconds and finishes a stack at once. A proxy in front of it adds a round trip to each
request, keeps a stack in progress for a fixed time and a change set for a shorter one, and counts the requests. The report
shows the time that each tool needs in addition to the stack's own time. All requests stay on 127.0.0.1.
"""

import argparse
import datetime
import http.client
import http.server
import os
import pathlib
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import zipfile
from collections import Counter

TEMPLATE = pathlib.Path(__file__).parents[2] / "templates" / "stack.yaml"
POLLS = {"DescribeStacks", "DescribeStackEvents", "DescribeEvents", "DescribeChangeSet"}
STARTS = {"CreateStack", "UpdateStack", "DeleteStack", "ExecuteChangeSet"}
SUBRESOURCES = {
    "versions": "ListObjectVersions", "uploads": "ListMultipartUploads", "list-type": "ListObjectsV2", "delete": "DeleteObjects",
    "policy": "{}BucketPolicy", "location": "GetBucketLocation",
}  # fmt: skip
REGION = "us-east-1"
ACTIONS = ("create", "no change", "code update", "delete")


class Proxy(http.server.ThreadingHTTPServer):
    """A proxy in front of the local cloud that adds the delays of AWS."""

    daemon_threads = True

    def __init__(self, upstream, options):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream, self.options = upstream, options
        self.lock = threading.Lock()
        self.stacks, self.change_sets = {}, {}
        self.reset(0, 0)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def reset(self, stack_seconds, change_set_seconds):
        """Starts a measurement."""
        with self.lock:
            self.calls, self.polls, self.connections, self.started = Counter(), 0, 0, False
            self.stack_seconds, self.change_set_seconds = stack_seconds, change_set_seconds

    def count(self, name):
        with self.lock:
            if self.started and name in POLLS:
                self.polls += 1
            else:
                self.calls[name] += 1
            self.started |= name in STARTS or name == "CreateChangeSet"

    def forward(self, method, path, headers, body):
        connection = http.client.HTTPConnection(*self.upstream, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for key, value in headers:
                connection.putheader(key, value)
            connection.endheaders(body)
            reply = connection.getresponse()
            return reply.status, reply.getheaders(), reply.read()
        finally:
            connection.close()

    def answer(self, name, fields, request):
        """Forwards a request, and changes the reply to what AWS would reply at this time."""
        stack = stack_name(fields.get("StackName", ""))
        if name == "DeleteStack":
            return self.delete_later(stack, request)
        began = datetime.datetime.now(datetime.timezone.utc)
        status, headers, body = self.forward(*request)
        if status != 200:
            return status, headers, body
        with self.lock:
            now = time.monotonic()
            if name == "CreateChangeSet":
                kind = fields.get("ChangeSetType", "UPDATE")
                known = (stack, kind, now + self.change_set_seconds)
                self.change_sets[tag(body, "Id")] = self.change_sets[fields["ChangeSetName"]] = known
            elif name in STARTS:
                kind = {"CreateStack": "CREATE", "UpdateStack": "UPDATE"}.get(name)
                if name == "ExecuteChangeSet":
                    stack, kind, _ = self.change_sets[fields["ChangeSetName"]]
                self.stacks[stack] = (f"{kind}_IN_PROGRESS", now + self.stack_seconds, began)
            elif name == "DescribeChangeSet" and now < self.change_sets.get(fields["ChangeSetName"], ("", "", 0))[2]:
                body = replace(body, "Status", "CREATE_IN_PROGRESS")
                body = replace(body, "ExecutionStatus", "UNAVAILABLE")
            elif stack in self.stacks and now < self.stacks[stack][1]:
                progress, _, began = self.stacks[stack]
                if name == "DescribeStacks":
                    body = replace(body, "StackStatus", progress)
                elif name == "DescribeStackEvents":
                    body = withhold(body, progress, began)
        return status, headers, body

    def delete_later(self, stack, request):
        """Forwards a deletion after the stack's own time, because a stack can be described until its deletion has ended."""

        def delete():
            self.forward(*request)
            with self.lock:
                self.stacks.pop(stack, None)

        with self.lock:
            began = datetime.datetime.now(datetime.timezone.utc)
            self.stacks[stack] = ("DELETE_IN_PROGRESS", float("inf"), began)
        threading.Timer(self.stack_seconds, delete).start()
        body = b'<DeleteStackResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"/>'
        return 200, [("Content-Type", "text/xml")], body


HOP = {"transfer-encoding", "content-length", "expect", "connection"}  # Headers that concern only one connection.


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def handle_any(self):
        body = self.body()
        form = self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
        fields = dict(urllib.parse.parse_qsl(body.decode())) if form else {}
        name = operation(self.command, self.path, self.headers, fields)
        self.server.count(name)
        time.sleep(self.server.options.round_trip)
        headers = [(key, value) for key, value in self.headers.items() if key.lower() not in HOP]
        headers.append(("Content-Length", str(len(body))))
        status, headers, reply = self.server.answer(name, fields, (self.command, self.path, headers, body))
        lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, '')}"]
        length = len(reply)
        for key, value in headers:
            if key.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif key.lower() not in HOP:
                lines.append(f"{key}: {value}")
        lines.append(f"Content-Length: {length}")
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + reply)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def log_message(self, *_):
        pass


def stack_name(text):
    """Returns the name of a stack, given its name or ARN."""
    return text.split("/")[1] if text.startswith("arn:") else text


def tag(body, name):
    return re.search(f"<{name}>(.*?)</{name}>", body.decode()).group(1)


def replace(body, name, value):
    return re.sub(f"<{name}>[^<]*</{name}>".encode(), f"<{name}>{value}</{name}>".encode(), body)


def withhold(body, progress, began):
    """Removes the events of the running operation, except the first one."""

    def keep(match):
        event = match.group(0).decode()
        at = datetime.datetime.fromisoformat(re.search("<Timestamp>(.*?)</Timestamp>", event).group(1))
        since = began.replace(microsecond=began.microsecond // 1000 * 1000)
        return match.group(0) if at < since or f">{progress}<" in event and ">AWS::CloudFormation::Stack<" in event else b""

    return re.sub(rb"<member>.*?</member>", keep, body, flags=re.DOTALL)


def operation(method, path, headers, fields):
    """Returns the name of the operation of a request."""
    if "Action" in fields:
        return fields["Action"]
    if target := headers.get("X-Amz-Target"):
        return target.rsplit(".", 1)[-1]
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers.get("Authorization", ""))
    url = urllib.parse.urlsplit(path)
    if scope is None or scope.group(1) != "s3":
        return f"{method} {scope.group(1) if scope else ''} {'/'.join(url.path.split('/')[2:3])}"
    query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
    for word, name in SUBRESOURCES.items():
        if word in query:
            return name.format(method.capitalize())
    if len(url.path.strip("/").split("/")) > 1:
        return f"{method.capitalize()}Object"
    return {"PUT": "Create", "DELETE": "Delete"}.get(method, method.capitalize()) + "Bucket"


class Provisioner:
    """provisioner up and down, without the smoke test, which the other tools do not have."""

    name = "provisioner"

    def __init__(self, program, work, stack, values):
        self.up = [program, "up", "--no-smoke", "--yes", "--stack", stack, *(f"--parameter={k}={v}" for k, v in values.items())]
        self.down = [program, "down", "--keep-data", "--yes", "--stack", stack]

    def deploy(self, package):
        return [[*self.up, "--bootstrap", package]]

    def delete(self):
        return [self.down]


class Peer:
    """The common part of the other tools: the same template, which refers to the package as a local file to upload."""

    def __init__(self, program, work, stack, values):
        self.program, self.work, self.stack = program, work, stack
        values = {**values, "CodeBucket": "not-used", "CodeKey": "not-used", "BucketPrefix": stack}
        self.values = [f"{key}={value}" for key, value in values.items()]

    def template(self, package):
        code = "      Code:\n        S3Bucket: !Ref CodeBucket\n        S3Key: !Ref CodeKey\n"
        text = TEMPLATE.read_text()
        assert text.count(code) == 1, "the template does not refer to the package as this benchmark expects"
        path = self.work / f"{self.stack}.yaml"
        path.write_text(text.replace(code, f"      Code: {package}\n"))
        return path


class AwsCli(Peer):
    """aws cloudformation package, deploy, delete-stack and wait."""

    name = "AWS CLI"

    def deploy(self, package):
        aws, packed = [self.program, "cloudformation"], self.work / f"{self.stack}.packed.yaml"
        return [
            [*aws, "package", "--template-file", self.template(package), "--s3-bucket", "bench-artefacts", "--output-template-file", packed],
            [*aws, "deploy", "--template-file", packed, "--stack-name", self.stack, "--capabilities", "CAPABILITY_IAM",
             "--no-fail-on-empty-changeset", "--parameter-overrides", *self.values],
        ]  # fmt: skip

    def delete(self):
        aws = [self.program, "cloudformation"]
        return [[*aws, "delete-stack", "--stack-name", self.stack], [*aws, "wait", "stack-delete-complete", "--stack-name", self.stack]]


class Sam(Peer):
    """sam deploy, which also uploads the package, and sam delete."""

    name = "SAM"

    def deploy(self, package):
        return [
            [self.program, "deploy", "--template-file", self.template(package), "--stack-name", self.stack, "--s3-bucket", "bench-artefacts",
             "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--parameter-overrides", *self.values],
        ]  # fmt: skip

    def delete(self):
        return [[self.program, "delete", "--stack-name", self.stack, "--no-prompts", "--s3-bucket", "bench-artefacts", "--region", REGION]]


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="bench-deploy-") as folder:
        work = pathlib.Path(folder)
        cloud = {**os.environ, "PROVISIONER_LOCAL_DIR": str(work / "cloud"), "PROVISIONER_LOCAL_PORT": "0"}
        local = [options.program, "--region", REGION, "local"]
        try:
            run([*local, "start"], cloud)
            exports = subprocess.run([*local, "env"], env=cloud, check=True, capture_output=True, text=True).stdout
            exported = dict(word.split("=", 1) for word in shlex.split(exports) if "=" in word)
            measure_all(options, work, exported)
        finally:
            run([*local, "stop", "--yes"], cloud)


def measure_all(options, work, exported):
    upstream = urllib.parse.urlsplit(exported["AWS_ENDPOINT_URL"])
    proxy = Proxy((upstream.hostname, upstream.port), options)
    (work / "home").mkdir()
    env = {
        "PATH": os.environ["PATH"], "HOME": str(work / "home"), "LANG": "C.UTF-8", **exported,
        "AWS_ENDPOINT_URL": proxy.url, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "", "SAM_CLI_TELEMETRY": "0",
        # Otherwise, SAM would look for a newer version of itself, but no request may leave this machine.
        "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    first, second, architecture = packages(options.bootstrap, work)
    tools = [(Provisioner, options.program)]
    if options.peers:
        tools += [(AwsCli, options.peers / "aws"), (Sam, options.peers / "sam")]
    put(proxy, exported, "/bench-artefacts")
    # provisioner creates its bucket for packages once per region, so it exists, too, with the package of another stack.
    shared = f"/provisioner-artefacts-{exported['AWS_ACCESS_KEY_ID']}-{REGION}-an"
    put(proxy, exported, shared)
    put(proxy, exported, f"{shared}/another-stack/package.zip")
    values = {"TlsOnly": "no", "Architecture": architecture}
    warm_up(proxy, Provisioner(options.program, work, "bench-warm-up", {**values, "TableName": "bench-warm-up"}), first, env)
    results = {}
    for number in range(options.rounds):
        # In each round, the stack's time ends with a different fraction of a second, so that it does not match the polling interval of a tool
        # by chance.
        times = options.stack_seconds + number / options.rounds, options.change_set_seconds
        for kind, program in tools:
            stack = f"bench-{kind.__name__.lower()}-{number}"
            tool = kind(program, work, stack, {**values, "TableName": stack})
            for action in ACTIONS:
                package = second if action == "code update" else first
                commands = tool.delete() if action == "delete" else tool.deploy(package)
                result = measure(proxy, commands, env, times, runs_stack=action != "no change")
                print(f"{tool.name}, {action}: {result['total']:.2f} s", file=sys.stderr)
                results.setdefault((tool.name, action), []).append(result)
    report(options, [kind.name for kind, _ in tools], results)
    starts = [(kind.name, start_up(program, env)) for kind, program in tools]
    print("\n| start-up (`--version`, median of 20) | ms | ratio |\n|---|--:|--:|")
    for name, milliseconds in starts:
        print(f"| {name} | {milliseconds:.0f} | {milliseconds / starts[0][1]:.1f} |")


def warm_up(proxy, tool, package, env):
    """Uses each service once, because the local cloud loads a service at its first request."""
    for commands in (tool.deploy(package), tool.delete()):
        measure(proxy, commands, env, (0, 0), runs_stack=True)


def put(proxy, exported, path):
    """Creates a bucket or an empty object without measuring it. The local cloud does not verify the signature."""
    scope = f"{exported['AWS_ACCESS_KEY_ID']}/20260101/{REGION}/s3/aws4_request"
    authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    status, _, body = proxy.forward("PUT", path, [("Host", "127.0.0.1"), ("Authorization", authorization), ("Content-Length", "0")], b"")
    assert status == 200, body


def measure(proxy, commands, env, times, runs_stack):
    proxy.reset(*times)
    began = time.monotonic()
    for command in commands:
        run(command, env)
    total = time.monotonic() - began
    with proxy.lock:
        return {"total": total, "overhead": total - times[0] * runs_stack, "calls": proxy.calls, "polls": proxy.polls, "connections": proxy.connections}


def run(command, env):
    done = subprocess.run([str(word) for word in command], env=env, cwd=env.get("HOME"), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed with exit code {done.returncode}:\n{done.stdout}{done.stderr}")


def start_up(program, env):
    def once():
        began = time.monotonic()
        run([program, "--version"], env)
        return (time.monotonic() - began) * 1000

    once()
    return statistics.median(once() for _ in range(20))


def report(options, names, results):
    print(f"Round trip {options.round_trip * 1000:.0f} ms, stack's own time {options.stack_seconds:g} s, change set's own time")
    print(f"{options.change_set_seconds:g} s, median of {options.rounds} rounds.\n")
    print("| | tool | total s | over the stack's own time, s | ratio | calls | polls | connections |\n|---|---|--:|--:|--:|--:|--:|--:|")
    for action in ACTIONS:
        for name in names:
            runs = results[name, action]
            middle = {key: statistics.median(run[key] for run in runs) for key in ("total", "overhead", "polls", "connections")}
            base = statistics.median(run["overhead"] for run in results[names[0], action])
            calls = statistics.median(sum(run["calls"].values()) for run in runs)
            print(
                f"| {action} | {name} | {middle['total']:.2f} | {middle['overhead']:.2f} | {middle['overhead'] / base:.1f} | {calls:g} "
                f"| {middle['polls']:g} | {middle['connections']:g} |"
            )
    print("\n| | tool | calls other than polls |\n|---|---|---|")
    for action in ACTIONS:
        for name in names:
            calls = results[name, action][-1]["calls"]
            print(f"| {action} | {name} | {', '.join(call if n == 1 else f'{call} ×{n}' for call, n in calls.items())} |")


def packages(given, work):
    """Returns two packages that differ in the last bytes of the executable, and their architecture."""
    data = given.read_bytes()
    if zipfile.is_zipfile(given):
        with zipfile.ZipFile(given) as archive:
            data = archive.read("bootstrap")
    paths = []
    for number, tail in enumerate((b"", b"\0another")):
        paths.append(work / f"function-{number}.zip")
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr, entry.create_system, entry.compress_type = 0o100755 << 16, 3, zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(paths[-1], "w") as archive:
            archive.writestr(entry, data + tail)
    return *paths, {62: "x86_64", 183: "arm64"}[int.from_bytes(data[18:20], "little")]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", type=lambda text: pathlib.Path(text).absolute(), required=True, help="the provisioner program to measure")
    parser.add_argument("--bootstrap", type=lambda text: pathlib.Path(text).absolute(), required=True, help="the function: an executable, or a zip file with an executable")
    parser.add_argument("--peers", type=lambda text: pathlib.Path(text).absolute(), help="folder with the programs aws and sam; without it, only provisioner is measured")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds, of which the median is reported [3]")
    parser.add_argument("--stack-seconds", type=float, default=20, help="the stack's own time in seconds [20]")
    parser.add_argument("--change-set-seconds", type=float, default=3, help="the change set's own time in seconds [3]")
    parser.add_argument("--round-trip", type=float, default=0.04, help="delay of each request in seconds [0.04]")
    return parser.parse_args()


if __name__ == "__main__":
    main()
