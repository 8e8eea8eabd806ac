"""The judge of the credentials: the program and botocore must sign with the same access key, whatever is configured.

Both get the same home directory and environment, and a server on 127.0.0.1 that plays STS, SSO and CloudFormation. The
server sees which key signed a request. botocore runs in a process of its own, which this file is as well.
"""

import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

REGION = "eu-west-1"
START_URL = "https://sso.example.com"
FAR = "2099-01-01T00:00:00Z"
# What a profile can hold, in the file it belongs to. N is the number of the case.
PARTS = {
    "shared keys": ("credentials", "aws_access_key_id = SHARED\naws_secret_access_key = s\n"),
    "keys": ("config", "aws_access_key_id = CONFIG\naws_secret_access_key = s\n"),
    "process": (
        "config",
        """credential_process = echo '{"Version": 1, "AccessKeyId": "PROCESS", "SecretAccessKey": "s"}'\n""",
    ),
    "sso": (
        "config",
        f"sso_start_url = {START_URL}\nsso_region = {REGION}\nsso_account_id = 123456789012\nsso_role_name = SSO\n",
    ),
    "web identity": (
        "config",
        "role_arn = arn:aws:iam::123456789012:role/web-N\nweb_identity_token_file = HOME/token\n",
    ),
}
ROLES = {
    "a role": "role_arn = arn:aws:iam::123456789012:role/role-N\nsource_profile = source\n",
    "a role of itself": "role_arn = arn:aws:iam::123456789012:role/self-N\nsource_profile = chosen-N\n",
    "a role of the environment": "role_arn = arn:aws:iam::123456789012:role/env-N\ncredential_source = Environment\n",
    "a role of nothing": "role_arn = arn:aws:iam::123456789012:role/none-N\n",
    "a role of two": (
        "role_arn = arn:aws:iam::123456789012:role/two-N\nsource_profile = source\ncredential_source = Environment\n"
    ),
    "a role of a stranger": "role_arn = arn:aws:iam::123456789012:role/lost-N\nsource_profile = stranger\n",
}
KEYS = {"AWS_ACCESS_KEY_ID": "ENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "s"}
WEB = {"AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/pod-N"}
HALF = {"AWS_ACCESS_KEY_ID": "ENVIRONMENT"}


def cases():
    """What is configured, how the profile is selected, and what the environment holds besides."""
    # Two sources at a time tell which goes before the other.
    sources = [subset for size in range(3) for subset in itertools.combinations(PARTS, size)]
    roles = [(*subset, role) for role in ROLES for subset in ((), ("shared keys",), ("process",))]
    for selected, profile in itertools.product(("--profile", "AWS_PROFILE"), sources + roles):
        environments = [{}] if selected == "--profile" and profile else [{}, KEYS, WEB, HALF]
        for environment in environments[: 4 if len(profile) < 2 else 2]:
            yield {"profile": profile, "selected": selected, "environment": environment}
    some = ((), ("shared keys",), ("a role",), ("sso", "keys"))
    for profile, environment in itertools.product(some, (KEYS, WEB, HALF)):
        for selected in ("--profile", "AWS_DEFAULT_PROFILE", "default"):
            yield {"profile": profile, "selected": selected, "environment": environment}
    for selected, environment in itertools.product(("--profile", "AWS_PROFILE"), ({}, KEYS, WEB)):
        yield {"profile": None, "selected": selected, "environment": environment}


def write_home(home, listed):
    """One home directory for all cases: each has a profile of its own, named after its number."""
    files = {"config": "", "credentials": "[source]\naws_access_key_id = SOURCE\naws_secret_access_key = s\n"}
    for number, case in enumerate(listed):
        if case["profile"] is None:
            continue
        sections = {"config": f"[profile chosen-{number}]\nregion = {REGION}\n", "credentials": ""}
        for part in case["profile"]:
            place, text = PARTS[part] if part in PARTS else ("config", ROLES[part])
            sections[place] = sections[place] or f"[chosen-{number}]\n"
            sections[place] += text.replace("HOME", str(home)).replace("-N", f"-{number}")
        for place, text in sections.items():
            files[place] += text
    (home / ".aws/sso/cache").mkdir(parents=True)
    for name, text in files.items():
        (home / ".aws" / name).write_text(text, encoding="utf-8")
    (home / "token").write_text("a token", encoding="utf-8")
    token = {"startUrl": START_URL, "region": REGION, "accessToken": "t", "expiresAt": FAR}
    name = hashlib.sha1(START_URL.encode()).hexdigest()
    (home / f".aws/sso/cache/{name}.json").write_text(json.dumps(token), encoding="utf-8")


def environment_of(number, case, home, endpoint):
    """The variables of a case. The default profile is a file of its own, because all cases share one home."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in case["environment"].items():
        environment[name] = value.replace("HOME", str(home)).replace("-N", f"-{number}")
    if case["selected"].startswith("AWS_"):
        environment[case["selected"]] = f"chosen-{number}"
    if case["selected"] == "default":
        for name, variable in (("config", "AWS_CONFIG_FILE"), ("credentials", "AWS_SHARED_CREDENTIALS_FILE")):
            text = (home / ".aws" / name).read_text(encoding="utf-8")
            text = re.sub(rf"\[(profile )?chosen-{number}\]", "[default]", text)
            text = text.replace(f"source_profile = chosen-{number}\n", "source_profile = default\n")
            path = home / f"{name}-{number}"
            path.write_text(text, encoding="utf-8")
            environment[variable] = str(path)
    return environment


class Handler(BaseHTTPRequestHandler):
    """Credentials are named after the role and the key that asked for them, so that a wrong source shows as well."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        fields = parse_qs(self.rfile.read(length).decode())
        action = fields.get("Action", [""])[0]
        key = (re.findall(r"Credential=([^/]+)", self.headers.get("authorization", "")) or ["nobody"])[0]
        status, body = 200, ""
        if urlsplit(self.path).path == "/federation/credentials":
            given = {"accessKeyId": "SSO", "secretAccessKey": "s", "sessionToken": "t", "expiration": 4070908800000}
            body = json.dumps({"roleCredentials": given})
        elif action.startswith("AssumeRole"):
            role = fields["RoleArn"][0].rsplit("/", 1)[-1]
            body = (
                f"<{action}Response><{action}Result><Credentials><AccessKeyId>{role} of {key}</AccessKeyId>"
                f"<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>{FAR}</Expiration>"
                f"</Credentials><AssumedRoleUser><AssumedRoleId>A:x</AssumedRoleId>"
                f"<Arn>arn:aws:sts::123456789012:assumed-role/{role}/x</Arn></AssumedRoleUser>"
                f"</{action}Result></{action}Response>"
            )
        else:
            self.server.signed[fields.get("StackName", [""])[0]] = key
            error = "<Code>ValidationError</Code><Message>does not exist</Message>"
            status, body = 400, f"<ErrorResponse><Error>{error}</Error></ErrorResponse>"
        self.send_response(status)
        self.send_header("content-length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


def keys_of_the_program(program, listed, home, server, endpoint):
    """The key with which the program asked CloudFormation in each case; none if it refused."""

    def run(number):
        case = listed[number]
        command = [program, "status", "--region", REGION, "--stack", f"case-{number}", "--output", "json"]
        if case["selected"] == "--profile":
            command += ["--profile", f"chosen-{number}"]
        subprocess.run(command, env=environment_of(number, case, home, endpoint), capture_output=True, check=False)
        return server.signed.get(f"case-{number}")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(run, range(len(listed))))


def keys_of_botocore(listed, home, endpoint):
    """The key that botocore would sign with in each case; none if it refuses."""
    request = json.dumps({"cases": listed, "home": str(home), "endpoint": endpoint})
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, __file__], input=request, env=environment, stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(done.stdout)


def answer_as_botocore():
    """The process that asks botocore."""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    request = json.load(sys.stdin)
    answers = []
    for number, case in enumerate(request["cases"]):
        environment = environment_of(number, case, Path(request["home"]), request["endpoint"])
        os.environ.clear()
        os.environ.update(environment)
        profile = f"chosen-{number}" if case["selected"] == "--profile" else None
        session = botocore.session.Session(profile=profile)
        session.set_config_variable("region", REGION)
        try:
            credentials = session.get_credentials()
            answers.append(credentials and credentials.get_frozen_credentials().access_key)
        except (BotoCoreError, ValueError):
            answers.append(None)
    json.dump(answers, sys.stdout)


def keys_agree(listed, ours, botocores):
    """the program signs with the key that botocore would sign with, and refuses what botocore refuses."""
    for case, our, botocores_own in zip(listed, ours, botocores, strict=True):
        if our != botocores_own:
            holds = "no profile" if case["profile"] is None else ", ".join(case["profile"]) or "an empty profile"
            yield f"{holds}; {case['selected']}; {sorted(case['environment'])}: {our}, botocore {botocores_own}"


def cache_is_shared(program, home, endpoint):
    """botocore finds the credentials of a role that the program has assumed, as the AWS CLI does."""
    name = "chosen-cache"
    with (home / ".aws/config").open("a", encoding="utf-8") as config:
        config.write(
            f"[profile {name}]\nrole_arn = arn:aws:iam::123456789012:role/cached\nsource_profile = source\n"
            "external_id = é/1\nduration_seconds = 1800\n"
        )
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_ENDPOINT_URL": endpoint}
    command = [program, "status", "--region", REGION, "--profile", name]
    subprocess.run(command, env=environment, check=False, capture_output=True)
    script = (
        "import botocore.session, os\n"
        "from botocore.utils import JSONFileCache\n"
        f"session = botocore.session.Session(profile={name!r})\n"
        "resolver = session.get_component('credential_provider')\n"
        "resolver.get_provider('assume-role').cache = JSONFileCache(os.path.expanduser('~/.aws/cli/cache'))\n"
        "print(resolver.load_credentials().get_frozen_credentials().access_key)\n"
    )
    nowhere = {**environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=nowhere, capture_output=True, text=True, check=False)
    if done.stdout.strip() != "cached of SOURCE":
        yield f"botocore has {done.stdout.strip() or done.stderr.strip().splitlines()[-1]}"


def judge(program):
    """Sentences with their problems."""
    program = str(Path(program).resolve())
    listed = list(cases())
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_home(home, listed)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.signed = {}
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        botocores = keys_of_botocore(listed, home, endpoint)
        ours = keys_of_the_program(program, listed, home, server, endpoint)
        problems = list(keys_agree(listed, ours, botocores))
        yield f"The credentials, in {len(listed)} cases: {keys_agree.__doc__}", problems
        yield f"The credentials: {cache_is_shared.__doc__}", list(cache_is_shared(program, home, endpoint))
        server.shutdown()
    # An environment that goes before a named profile, which is what the SDK's own chain does.
    damaged = [
        "ENVIRONMENT" if case["selected"] == "--profile" and case["environment"] == KEYS else key
        for case, key in zip(listed, ours, strict=True)
    ]
    noticed = list(keys_agree(listed, damaged, botocores))
    yield "keys_agree notices keys of the environment before a named profile", [] if noticed else ["it did not"]


if __name__ == "__main__":
    answer_as_botocore()
