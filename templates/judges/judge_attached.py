"""The judges of a template with attached buckets, as the program prints it."""

import json
import subprocess

from cfnlint.api import ManualArgs, lint

from authorities import findings
from render import Template
from states import ACCOUNT, deployed

REGION = "eu-west-1"
TWO = ["s3://photos/2024/", "s3://photos/holidays/", "s3://scans"]
# The limits of AWS: of a template in a request, of an event pattern, and of a role's inline policies.
TEMPLATE, PATTERN, ROLE = 51_200, 2_048, 10_240


def attached(program, locations):
    """The template that attaches these locations."""
    options = [option for location in locations for option in ("--attach", location)]
    return Template(subprocess.run([program, "template", *options], check=True, capture_output=True, text=True).stdout)


def lints(template):
    return [str(match) for match in lint(template.text, config=ManualArgs(regions=[REGION], include_checks=["I"]))]


def judge(program):
    """Yields a sentence, and what contradicts it."""
    plain, two = attached(program, []), attached(program, TWO)
    # The longest names, with a prefix each.
    twenty = attached(program, [f"s3://{'bucket-' * 8}{number:07}/2024/" for number in range(20)])
    yield "cfn-lint finds nothing in a template with attached buckets", lints(two)
    problems = lints(twenty)
    if len(twenty.text.encode()) > TEMPLATE:
        problems.append(f"it has {len(twenty.text.encode())} bytes")
    yield "Twenty buckets with the longest names fit into a template", problems
    yield "Only what belongs to attached buckets is added to the stack", additions(plain, two)
    yield "The rules send exactly the uploads to the function, and with EraseRows the removals", rules(two)
    yield "The function may read the attached prefixes and nothing else", role(plain, two)
    yield "The limits of patterns and roles hold", limits(twenty)


def additions(plain, two):
    problems = []
    for settings, failures in (({}, True), ({"FailureQueue": "no"}, False)):
        before, after = deployed(plain, **settings), deployed(two, **settings)
        problems += [f"{name} is gone" for name in before if name not in after]
        problems += [f"{name} has changed" for name in before if name != "Role" and before[name] != after.get(name)]
        added = sorted(name for name in after if name not in before)
        kinds = sorted(two.body["Resources"][name]["Type"] for name in added)
        wanted = ["AWS::Events::Rule"] * 2 + ["AWS::Lambda::Permission"] * 2 + ["AWS::SQS::QueuePolicy"] * failures
        if kinds != wanted:
            problems.append(f"it adds {kinds}")
    return problems


def rules(two):
    problems = []
    created, removed = "Object Created", "Object Deleted"
    for settings, types in (({}, [created]), ({"EraseRows": "yes"}, [created, removed])):
        properties = deployed(two, **settings)
        patterns = [it["EventPattern"] for it in properties.values() if "EventPattern" in it]
        keys = [{"prefix": "2024/"}, {"prefix": "holidays/"}]
        wanted = [
            {
                "source": ["aws.s3"],
                "account": [ACCOUNT],
                "detail-type": types,
                "detail": {"bucket": {"name": [bucket]}, **detail},
            }
            for bucket, detail in (("photos", {"object": {"key": keys}}), ("scans", {}))
        ]
        if sorted(map(json.dumps, patterns)) != sorted(map(json.dumps, wanted)):
            problems.append(f"the patterns are {patterns}")
        for it in properties.values():
            for target in it.get("Targets", []):
                if not target["Arn"].endswith(":function:face-recognition"):
                    problems.append(f"a target is {target['Arn']}")
                if ":face-recognition-Queue-" not in target["DeadLetterConfig"]["Arn"]:
                    problems.append("an event that cannot be delivered is lost")
    return problems


def statements(template):
    policy = deployed(template)["Role"]["Policies"][0]["PolicyDocument"]
    return policy, policy["Statement"]


def role(plain, two):
    policy, granted = statements(two)
    problems = list(findings(policy))
    own = {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}
    arn = "arn:aws:s3:::"
    wanted = [
        (
            ["s3:GetObject", "s3:GetObjectVersion"],
            [f"{arn}photos/2024/*", f"{arn}photos/holidays/*", f"{arn}scans/*"],
        ),
        (["s3:ListBucket"], [f"{arn}photos", f"{arn}scans"]),
    ]
    added = [
        {key: value for key, value in it.items() if key != "Sid"} for it in granted if it not in statements(plain)[1]
    ]
    if added != [
        {"Effect": "Allow", "Action": actions, "Resource": resources, "Condition": own} for actions, resources in wanted
    ]:
        problems.append(f"it is granted {added}")
    return problems


def limits(twenty):
    properties = deployed(twenty, PictureKeys=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d", Backfill="yes")
    policies = json.dumps(properties["Role"]["Policies"], separators=(",", ":"))
    problems = [f"the role has {len(policies)} characters"] if len(policies) > ROLE else []
    for name, it in properties.items():
        length = len(json.dumps(it.get("EventPattern", ""), separators=(",", ":")))
        if length > PATTERN:
            problems.append(f"the pattern of {name} has {length} characters")
    return problems
