"""The judges of the template. Each takes the template and returns a list of what is wrong with it."""

import json
import re

from cfnlint.api import ManualArgs, lint

from authorities import findings, listed, rekognition_regions
from render import names_in
from states import ACCOUNT, CODE, DEFAULTS, EVERYTHING, STATES, has_pictures, rendered

OUTPUTS = {
    "BucketName",
    "TableName",
    "PictureTableName",
    "FunctionName",
    "FunctionArn",
    "LogGroupName",
    "RoleArn",
    "FailureQueueUrl",
    "BackfillQueueUrl",
}


def lints(template, regions=None):
    """cfn-lint finds nothing, not even a hint, for any region with Rekognition and one without."""
    regions = sorted(regions or rekognition_regions() | {"eu-north-1"})
    return [
        f"{match.rule.id} {match.message}"
        for match in lint(template.text, config=ManualArgs(regions=regions, include_checks=["I"]))
    ]


def lints_in_both_states(template):
    """cfn-lint finds nothing either in what is deployed, with every parameter in both of its states."""
    problems = []
    for name, parameters in (
        ("the defaults", DEFAULTS),
        ("everything", EVERYTHING),
        ("no backfill", EVERYTHING | {"Backfill": "no"}),
        ("no failure queue", EVERYTHING | {"Backfill": "no", "FailureQueue": "no"}),
        ("suspended versions", DEFAULTS | {"Versioning": "suspended"}),
    ):
        resources = template.render(parameters, "eu-west-1", "aws", ACCOUNT)
        plain = {
            key: {part: it for part, it in resource.items() if part != "Condition"}
            for key, resource in resources.items()
        }
        for resource in plain.values():
            if "DependsOn" in resource:
                resource["DependsOn"] = [it for it in listed(resource["DependsOn"]) if it in plain]
        found = lint(json.dumps({"Resources": plain}), config=ManualArgs(regions=["eu-west-1"]))
        problems += [f"{name}: {match.rule.id} {match.message}" for match in found]
    return problems


def declares_both_states(template):
    """Every parameter is judged in two states that its own constraints allow; its default is one of them."""
    declared = template.body["Parameters"]
    problems = [f"{name} is not judged" for name in sorted(set(declared) ^ set(STATES))]
    for name in sorted(set(declared) & set(STATES)):
        parameter, states = declared[name], STATES[name]
        if "Default" in parameter and parameter["Default"] != states[0]:
            problems.append(f"{name} has the default {parameter['Default']}")
        for state in states:
            members = str(state).split(",") if parameter["Type"] == "CommaDelimitedList" else [str(state)]
            if not all(re.fullmatch(parameter.get("AllowedPattern", ".*"), member) for member in members):
                problems.append(f"{name} does not allow {state}")
            if state not in parameter.get("AllowedValues", [state]):
                problems.append(f"{name} does not allow {state}")
    return problems


def asserts_the_region(template):
    """The rules list exactly the regions where botocore knows Rekognition, and apply unless they are switched off."""
    known, problems = rekognition_regions(), []
    for rule in ("RekognitionIsHere", "RekognitionIsThere"):
        there = set(template.body["Rules"][rule]["Assertions"][0]["Assert"]["Fn::Contains"][0])
        problems += [f"{rule}: {region} is not listed" for region in sorted(known - there)]
        problems += [f"{rule}: {region} has no Rekognition" for region in sorted(there - known)]
    for region, partition, settings, refused in (
        ("eu-west-1", "aws", {}, False),
        ("eu-west-3", "aws", {}, True),
        ("eu-west-3", "aws", {"RegionCheck": "no"}, False),
        ("eu-west-3", "aws", {"RekognitionRegion": "eu-central-1"}, False),
        ("eu-west-1", "aws", {"RekognitionRegion": "eu-west-1"}, False),
        ("eu-west-3", "aws", {"RekognitionRegion": "eu-west-3"}, True),
        ("eu-west-3", "aws", {"RekognitionRegion": "eu-west-3", "RegionCheck": "no"}, False),
        ("eu-west-3", "aws", {"RekognitionRegion": "us-gov-west-1"}, True),
        ("us-gov-east-1", "aws-us-gov", {}, True),
        ("us-gov-east-1", "aws-us-gov", {"RekognitionRegion": "us-gov-west-1"}, False),
        ("us-gov-east-1", "aws-us-gov", {"RekognitionRegion": "us-east-1"}, True),
        ("cn-north-1", "aws-cn", {"RekognitionRegion": "us-east-1"}, True),
    ):
        if bool(template.refusals({**CODE, **settings}, region, partition, ACCOUNT)) != refused:
            problems.append(f"{region} with {settings} is {'accepted' if refused else 'refused'}")
    return problems


def refuses_a_backfill_that_loses(template):
    """A backfill without a failure queue is refused; every other state of the two is accepted."""
    problems = []
    for backfill in ("no", "yes"):
        for queue in ("no", "yes"):
            settings = {"Backfill": backfill, "FailureQueue": queue}
            if bool(template.refusals({**CODE, **settings}, "eu-west-1", "aws", ACCOUNT)) != (
                (backfill, queue) == ("yes", "no")
            ):
                problems.append(f"{settings}")
    return problems


def uses_what_it_declares(template):
    """Every parameter and condition is used, and every parameter is explained and shown once in the interface."""
    body, used = template.body, names_in(template.body)
    conditions = json.dumps(body)
    problems = [f"nothing uses the parameter {name}" for name in body["Parameters"] if name not in used]
    problems += [
        f"nothing uses the condition {name}" for name in body["Conditions"] if conditions.count(f'"{name}"') < 2
    ]
    problems += [
        f"the parameter {name} has no description" for name, it in body["Parameters"].items() if "Description" not in it
    ]
    groups = body["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    if sorted(shown) != sorted(body["Parameters"]):
        problems.append("the interface does not show each parameter once")
    return problems


def carries_its_mark(template):
    """The metadata by which stacks of this template are recognized are there."""
    mark = template.body["Metadata"].get("Provisioner")
    return [] if mark == {"Version": 1} else [f"they are {mark}"]


def grants_the_least(template):
    """The function may do exactly this and nothing else, whatever the parameters are."""
    problems = []
    for label, parameters, resources in rendered(template):
        bucket = resources["Bucket"]["Properties"]["BucketName"]
        region, partition = label.split(",")[0], "aws-us-gov" if "us-gov" in label else "aws"
        pictures = f"arn:{partition}:s3:::{bucket}/{parameters['KeyPrefix']}*"
        log = f"arn:{partition}:logs:{region}:{ACCOUNT}:log-group:/aws/lambda/face-recognition:*"
        table = f"arn:{partition}:dynamodb:{region}:{ACCOUNT}:table/{parameters['TableName']}"
        queues = f"arn:{partition}:sqs:{region}:{ACCOUNT}:face-recognition-"
        own = {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}
        via = [f"{service}.{region}.amazonaws.com" for service in ("s3", "rekognition")]
        wanted = [
            ("rekognition:DetectFaces", "*", {}),
            ("s3:GetObject", pictures, own),
            ("s3:GetObjectVersion", pictures, own),
            ("s3:ListBucket", f"arn:{partition}:s3:::{bucket}", own),
            ("dynamodb:PutItem", table, {}),
            ("logs:CreateLogStream", log, {}),
            ("logs:PutLogEvents", log, {}),
            # Whether or not there is a queue.
            ("sqs:SendMessage", f"{queues}Queue-*", {}),
        ]
        if parameters["FailureQueue"] == "yes":
            wanted.append(("sqs:SendMessage", f"{queues}Queue-0123456789AB", {}))
        if parameters["PictureKeys"]:
            keys = parameters["PictureKeys"].split(",")
            wanted += [("kms:Decrypt", key, {"StringEquals": {"kms:ViaService": via}}) for key in keys]
        if has_pictures(parameters):
            wanted.append(("dynamodb:DeleteItem", table, {}))
            wanted += [(f"dynamodb:{action}", f"{table}Pictures", {}) for action in ("Query", "PutItem")]
        if parameters["EraseRows"] == "yes":
            wanted.append(("dynamodb:DeleteItem", f"{table}Pictures", {}))
        if parameters["Backfill"] == "yes":
            actions = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
            wanted += [(f"sqs:{action}", f"{queues}BackfillQueue-0123456789AB", {}) for action in actions]
        role = resources["Role"]["Properties"]
        granted = {
            (action, resource, json.dumps(statement.get("Condition", {})))
            for policy in role["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        }
        wanted = {(action, resource, json.dumps(condition)) for action, resource, condition in wanted}
        problems += [f"{label}: grants {' on '.join(grant[:2])}" for grant in sorted(granted - wanted)]
        problems += [f"{label}: does not grant {' on '.join(grant[:2])}" for grant in sorted(wanted - granted)]
        if "ManagedPolicyArns" in role:
            problems.append(f"{label}: has managed policies")
        trust = role["AssumeRolePolicyDocument"]["Statement"]
        if [statement["Principal"] for statement in trust] != [{"Service": "lambda.amazonaws.com"}]:
            problems.append(f"{label}: somebody else may assume the role")
        if role.get("PermissionsBoundary", "") != parameters["PermissionsBoundary"]:
            problems.append(f"{label}: the boundary is {role.get('PermissionsBoundary')}")
        # CloudFormation would replace a role for a path that appears, even if it is the default.
        if role.get("Path", "/") != parameters["RolePath"] or role.get("Path") == "/":
            problems.append(f"{label}: the path is {role.get('Path')}")
    return problems


def writes_policies_that_work(template):
    """parliament finds no fault in the policies of the role and the bucket: actions exist and match their resources."""
    documents = {}
    for label, _, resources in rendered(template):
        for policy in resources["Role"]["Properties"]["Policies"]:
            documents[json.dumps(policy["PolicyDocument"])] = label
        if "BucketPolicy" in resources:
            documents[json.dumps(resources["BucketPolicy"]["Properties"]["PolicyDocument"])] = label
    return [f"{label}: {it}" for document, label in documents.items() for it in findings(json.loads(document))]


def keeps_strangers_out(template):
    """Everything is encrypted, the bucket is private and refuses plain HTTP, and only it may invoke the function."""
    problems = []
    for label, parameters, resources in rendered(template):
        bucket, permission = resources["Bucket"]["Properties"], resources["InvokePermission"]["Properties"]
        block = bucket.get("PublicAccessBlockConfiguration", {})
        if [
            block.get(key)
            for key in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        ] != [True] * 4:
            problems.append(f"{label}: the bucket is not private")
        if bucket.get("OwnershipControls") != {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}:
            problems.append(f"{label}: the bucket's owner does not own every object")
        if "BucketEncryption" not in bucket:
            problems.append(f"{label}: the bucket is not encrypted")
        for name, resource in resources.items():
            properties = resource["Properties"]
            if resource["Type"] == "AWS::DynamoDB::Table" and properties.get("SSESpecification") != {
                "SSEEnabled": True
            }:
                problems.append(f"{label}: {name} is not encrypted")
            if resource["Type"] == "AWS::SQS::Queue" and properties.get("SqsManagedSseEnabled") is not True:
                problems.append(f"{label}: {name} is not encrypted")
        if (parameters["TlsOnly"] == "yes") != ("BucketPolicy" in resources):
            problems.append(f"{label}: TlsOnly does not decide about the bucket policy")
        arn = f"arn:{'aws-us-gov' if 'us-gov' in label else 'aws'}:s3:::{bucket['BucketName']}"
        refusal = {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        if "BucketPolicy" in resources and resources["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"] != [
            refusal
        ]:
            problems.append(f"{label}: the bucket policy does something other than refusing plain HTTP")
        source = (permission.get("Principal"), permission.get("SourceAccount"), permission.get("SourceArn"))
        if source != ("s3.amazonaws.com", ACCOUNT, arn):
            problems.append(f"{label}: the function can be invoked by {source}")
    return problems


def names_the_bucket(template):
    """The bucket's name fits every region, and it is in the account's own namespace unless it is given."""
    problems = []
    pattern = re.compile(template.body["Parameters"]["BucketPrefix"]["AllowedPattern"])
    if not pattern.match("x" * 32) or pattern.match("x" * 33):
        problems.append("the limit of the prefix is not 32 characters")
    for region in sorted(rekognition_regions()):
        parameters = {**CODE, "BucketPrefix": "x" * 32}
        bucket = template.render(parameters, region, "aws", ACCOUNT)["Bucket"]["Properties"]
        name, namespace = bucket["BucketName"], bucket.get("BucketNamespace")
        if len(name) > 63 or (name, namespace) != (f"{'x' * 32}-{ACCOUNT}-{region}-an", "account-regional"):
            problems.append(f"{region}: {name} in {namespace}")
    given = template.render({**CODE, "BucketName": "my-own"}, "eu-west-1", "aws", ACCOUNT)["Bucket"]["Properties"]
    if given["BucketName"] != "my-own" or "BucketNamespace" in given:
        problems.append("a given name is not used as it is")
    return problems


def keeps_the_data(template):
    """Bucket and tables are kept when their stack is deleted; what can be created again is not."""
    data = {"Bucket", "Table", "PictureTable"}
    policies = {
        name: (it.get("DeletionPolicy", "Delete"), it.get("UpdateReplacePolicy", "Delete"))
        for name, it in template.body["Resources"].items()
    }
    kept = {name for name, pair in policies.items() if pair == ("RetainExceptOnCreate", "Retain")}
    gone = {name for name, pair in policies.items() if pair == ("Delete", "Delete")}
    problems = [f"{name} is not kept" for name in sorted(data - kept)]
    return problems + [f"{name} is kept" for name in sorted(set(policies) - gone - data)]


def comes_up_in_order(template):
    """Everything is created after what it needs: the notification after the permission, the function after its role."""
    needs = template.dependencies()
    wanted = {
        "Bucket": {"InvokePermission", "Function"},
        "InvokePermission": {"Function"},
        "Function": {"Role", "LogGroup", "Table", "PictureTable"},
        # Lambda checks the permissions of the role when these two are created.
        "InvokeConfig": {"Role", "Queue"},
        "BackfillMapping": {"Role", "BackfillQueue", "Function", "PictureTable"},
    }
    return [
        f"{name} does not wait for {other}" for name, others in wanted.items() for other in sorted(others - needs[name])
    ]


def tells_its_outputs(template):
    """The outputs are those that the deployer reads."""
    return [f"{name}: missing or unexpected" for name in sorted(OUTPUTS ^ set(template.body["Outputs"]))]


JUDGES = [
    lints,
    lints_in_both_states,
    declares_both_states,
    asserts_the_region,
    refuses_a_backfill_that_loses,
    uses_what_it_declares,
    carries_its_mark,
    grants_the_least,
    writes_policies_that_work,
    keeps_strangers_out,
    names_the_bucket,
    keeps_the_data,
    comes_up_in_order,
    tells_its_outputs,
]
