"""Runs LocalStack (localstack-core 4.14.0) or its fork LocalEmu (1.3.2) without Docker, network access, or a token.

Usage: emulator.py localstack|localemu PORT STATE REKOGNITION_URL. Both are under the Apache License 2.0.

Two parts need what is not here, and are replaced before the emulator starts:
- Functions ran in Docker. Here the package's `bootstrap` runs as a process, with a Runtime API of its own.
- DynamoDB was a Java program from the internet. Here it is moto's DynamoDB, which both emulators contain.
CloudFormation, S3, SQS, and the control plane of Lambda are the emulator's own.
"""

import importlib
import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue

import typing_extensions

FAMILY, PORT, STATE, REKOGNITION = sys.argv[1:]
os.environ |= {
    "GATEWAY_LISTEN": f"127.0.0.1:{PORT}",
    f"{FAMILY.upper()}_HOST": f"127.0.0.1:{PORT}",
    f"{FAMILY.upper()}_VOLUME_DIR": STATE,
    "FILESYSTEM_ROOT": STATE,
    "EAGER_SERVICE_LOADING": "0",
    "DISABLE_EVENTS": "1",
    "SKIP_SSL_CERT_DOWNLOAD": "1",
    "ACTIVATE_PRO": "0",
    "DNS_ADDRESS": "0",
    "PERSISTENCE": "0",
    "LAMBDA_KEEPALIVE_MS": "600000",
    "LAMBDA_RETRY_BASE_DELAY": "1",
    # Requests to other services are refused.
    "SERVICES": "cloudformation,s3,lambda,iam,sts,dynamodb,logs,sqs,cloudwatch,ssm,sns,kms,events,"
    "dynamodbstreams,resource-groups,resourcegroupstaggingapi",
    # The user `test` is root; all others have only what their policies allow. LocalStack ignores both.
    "IAM_ENFORCEMENT": "1",
    "ROOT_ACCESS_KEYS": "test,000000000000",
}
Path(STATE, "tmp").mkdir(parents=True, exist_ok=True)
tempfile.tempdir = f"{STATE}/tmp"
if not hasattr(warnings, "deprecated"):  # Python 3.13 has it.
    warnings.deprecated = typing_extensions.deprecated

# The server would listen on all addresses of the machine.
from twisted.internet import endpoints  # noqa: E402


class LoopbackOnly(endpoints.TCP4ServerEndpoint):
    def __init__(self, reactor, port, backlog=50, interface="127.0.0.1"):
        super().__init__(reactor, port, backlog, "127.0.0.1")


endpoints.TCP4ServerEndpoint = LoopbackOnly


def part(name):
    return importlib.import_module(f"{FAMILY}.{name}")


# --- DynamoDB by moto ---------------------------------------------------------------------------------------------

plugins = part("services.plugins")


@plugins.aws_provider(api="dynamodb")
def dynamodb():
    own = part("aws.api.dynamodb").DynamodbApi()
    return plugins.Service.for_provider(own, dispatch_table_factory=part("services.moto").MotoFallbackDispatcher)


part("services.providers").dynamodb = dynamodb

# --- Functions as processes ---------------------------------------------------------------------------------------

invocation = "services.lambda_.invocation"
runtime_executor = part(f"{invocation}.runtime_executor")
InvocationResult = part(f"{invocation}.lambda_models").InvocationResult


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _reply(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        own = self.server.executor
        own.ready.set()
        while not own.stopped:
            try:
                payload = own.todo.get(timeout=0.5)
            except Empty:
                continue
            timeout = int(own.function_version.config.timeout or 3)
            self._reply(200, payload["payload"].encode(), [
                ("Lambda-Runtime-Aws-Request-Id", payload["invoke-id"]),
                ("Lambda-Runtime-Invoked-Function-Arn", payload["invoked-function-arn"]),
                ("Lambda-Runtime-Trace-Id", payload["trace-id"]),
                ("Lambda-Runtime-Deadline-Ms", str(int((time.time() + timeout) * 1000))),
                ("Content-Type", "application/json"),
            ])
            return
        self._reply(410)

    def do_POST(self):
        own = self.server.executor
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("/response"):
            own.done.put((body, False))
        elif self.path.endswith("/error"):
            own.done.put((body, True))
            own.ready.set()
        self._reply(202, b"{}")


class ProcessExecutor(runtime_executor.RuntimeExecutor):
    def start(self, variables):
        self.todo, self.done, self.ready, self.stopped = Queue(), Queue(), threading.Event(), False
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.executor = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        code = self.function_version.config.code.get_unzipped_code_location()
        bootstrap = Path(code, "bootstrap")
        mode = bootstrap.stat().st_mode
        if not mode & stat.S_IXOTH:
            raise runtime_executor.LambdaRuntimeException("bootstrap is not executable")
        env = {key: str(value) for key, value in variables.items()}
        for key in [key for key in env if key.startswith(f"{FAMILY.upper()}_")]:
            del env[key]
        env["PATH"] = "/usr/local/bin:/usr/bin:/bin"
        env["AWS_LAMBDA_RUNTIME_API"] = f"127.0.0.1:{self.server.server_address[1]}"
        env["LAMBDA_TASK_ROOT"] = str(code)
        env["AWS_ENDPOINT_URL_REKOGNITION"] = REKOGNITION
        self.log = Path(STATE, f"function-{self.id}.log")
        self.read = 0
        out = self.log.open("wb")
        self.process = subprocess.Popen([str(bootstrap)], cwd=code, env=env, stdout=out, stderr=out)
        if not self.ready.wait(10):
            raise runtime_executor.LambdaRuntimeException("bootstrap did not ask for an event: " + self.get_logs())

    def stop(self):
        self.stopped = True
        self.process.terminate()
        self.process.wait(5)
        self.server.shutdown()

    def invoke(self, payload, **_):
        request = payload["invoke-id"]
        self.todo.put(payload)
        try:
            body, failed = self.done.get(timeout=int(self.function_version.config.timeout or 3))
        except Empty:
            body, failed = json.dumps({"errorMessage": f"{request} Task timed out"}).encode(), True
        whole = self.log.read_bytes()
        new, self.read = whole[self.read:].decode(errors="replace"), len(whole)
        logs = f"START RequestId: {request}\n{new}\nEND RequestId: {request}\nREPORT RequestId: {request}\tDuration: 1 ms\n"
        return InvocationResult(request, body, is_error=failed, logs=logs)

    def get_logs(self):
        return self.log.read_text(errors="replace")

    def get_address(self):
        return "127.0.0.1"

    def get_endpoint_from_executor(self):
        return "127.0.0.1"

    def get_runtime_endpoint(self):
        return "unused"

    @classmethod
    def prepare_version(cls, function_version):
        function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version):
        pass


def process_executor():
    return ProcessExecutor


for name in (f"{invocation}.execution_environment", f"{invocation}.version_manager", "services.lambda_.provider"):
    part(name).get_runtime_executor = process_executor
runtime_executor.get_runtime_executor = process_executor

# --- CloudFormation: known differences from AWS -------------------------------------------------------------------

preproc = part("services.cloudformation.engine.v2.change_set_model_preproc")
resolve_attribute = preproc.ChangeSetModelPreproc._resolve_attribute
init_resource = preproc.PreprocResource.__init__


def one_sided(self, arguments, select_before):
    """A resource whose condition is false has no attributes; the emulator refuses the template."""
    try:
        return resolve_attribute(self, arguments=arguments, select_before=select_before)
    except preproc.ValidationError as error:
        if "Unresolved resource dependencies" not in str(error):
            raise
        return preproc.Nothing


def with_policy(self, *args, **named):
    """The emulator only knows Retain. RetainExceptOnCreate differs only if the creation itself is rolled back."""
    init_resource(self, *args, **named)
    if self.deletion_policy == "RetainExceptOnCreate":
        self.deletion_policy = "Retain"


preproc.ChangeSetModelPreproc._resolve_attribute = one_sided
preproc.PreprocResource.__init__ = with_policy

executor = part("services.cloudformation.engine.v2.change_set_model_executor").ChangeSetModelExecutor
execute_action = executor._execute_resource_action


def slowly(self, *args, **named):
    """The file `slow` holds the seconds that each resource takes, so that running operations can be observed."""
    slow = Path(STATE, "slow")
    time.sleep(float(slow.read_text()) if slow.exists() else 0)
    return execute_action(self, *args, **named)


executor._execute_resource_action = slowly

if FAMILY == "localstack":
    # Nothing leaves this machine.
    catalog = part("utils.catalog.catalog_loader")

    def no_catalog(self):
        raise catalog.AwsCatalogLoaderException("not needed")

    catalog.RemoteCatalogLoader._get_catalog_from_platform = no_catalog
else:
    # IAM: known differences from AWS.
    enforcer = part("services.iam_enforcement.enforcer")
    conditions_of, arn_of = enforcer._build_conditions, enforcer.build_resource_arn

    def with_account(context, caller):
        """ARNs of S3 contain no account, but every request has the condition key."""
        found = conditions_of(context, caller)
        found.setdefault("aws:ResourceAccount", context.account_id or "000000000000")
        return found

    def as_aws(service, operation, request_params, region, account_id):
        params = request_params or {}
        if operation == "TransactWriteItems":  # decided for each item; all of ours are Puts into tables of the stack
            return f"arn:aws:dynamodb:{region}:{account_id}:table/{params['TransactItems'][0]['Put']['TableName']}"
        if service == "s3" and operation == "DeleteObjects":  # decided for each object; the first one stands for all
            return f"arn:aws:s3:::{params['Bucket']}/{params['Delete']['Objects'][0]['Key']}"
        if service == "cloudformation" and "/" in (params.get("ChangeSetName") or "") and not params.get("StackName"):
            return params["ChangeSetName"]  # arn:...:changeSet/NAME/ID, from which AWS finds the stack
        return arn_of(
            service=service, operation=operation, request_params=request_params, region=region, account_id=account_id
        )

    part("services.iam_enforcement.service_action_map").ACTION_MAP["dynamodb", "TransactWriteItems"] = ["dynamodb:PutItem"]
    enforcer._build_conditions, enforcer.build_resource_arn = with_account, as_aws

if __name__ == "__main__":
    sys.exit(part("runtime.main").main())
