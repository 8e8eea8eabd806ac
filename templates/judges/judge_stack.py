"""The judges of the template. Each takes it and returns what is wrong with it, as a list of sentences."""

import json
import re

from cfnlint.api import ManualArgs, lint

from authorities import findings, listed, rekognition_regions
from render import names_in

ACCOUNT = "123456789012"
CODE = {"CodeBucket": "packages", "CodeKey": "code.zip"}

# What the parameters decide about names and rights: every combination is judged.
VARIANTS = [
    {"FailureQueue": queue, "KeyPrefix": prefix, "BucketName": name, "TlsOnly": tls, "Alarms": alarms}
    for queue in ("no", "yes")
    for prefix in ("", "in/")
    for name in ("", "my-own-bucket")
    for tls in ("yes", "no")
    for alarms in ("no", "yes")
]

OUTPUTS = {"BucketName", "TableName", "FunctionName", "FunctionArn", "LogGroupName", "RoleArn", "FailureQueueUrl"}


def variants(template):
    """Each variant of the parameters in a region of either partition, with its rendered resources."""
    for region, partition in (("ap-northeast-1", "aws"), ("us-gov-west-1", "aws-us-gov")):
        for variant in VARIANTS:
            label = ", ".join(
                [region, *(f"{name}={value}" for name, value in variant.items() if value not in ("", "no"))]
            )
            yield label, variant, template.render({**CODE, **variant}, region, partition, ACCOUNT)


def lints(template, regions=None):
    """cfn-lint has nothing to say, not even a hint, for any region with Rekognition."""
    arguments = ManualArgs(regions=sorted(regions or rekognition_regions()), include_checks=["I"])
    return [f"{match.rule.id} {match.message}" for match in lint(template.text, config=arguments)]


def asserts_the_region(template):
    """The rule lists exactly the regions where botocore knows Rekognition, and holds unless it is switched off."""
    rule, switch = template.body["Rules"]["RekognitionIsHere"], template.body["Parameters"]["RegionCheck"]
    contains = rule["Assertions"][0]["Assert"]["Fn::Contains"]
    there, known = set(contains[0]), rekognition_regions()
    problems = [f"{region} is not listed" for region in sorted(known - there)]
    problems += [f"{region} has no Rekognition" for region in sorted(there - known)]
    if contains[1] != {"Ref": "AWS::Region"}:
        problems.append("it is not the region that is looked for")
    if rule["RuleCondition"] != {"Fn::Equals": [{"Ref": "RegionCheck"}, "yes"]} or switch["Default"] != "yes":
        problems.append("the rule does not hold by itself")
    return problems


def uses_what_it_declares(template):
    """Every parameter and condition is used, every parameter explained, and the interface shows each of them once."""
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


def grants_the_least(template):
    """The function may do exactly this and nothing else, whatever the parameters say."""
    problems = []
    for label, variant, resources in variants(template):
        bucket = resources["Bucket"]["Properties"]["BucketName"]
        partition = "aws-us-gov" if "us-gov" in label else "aws"
        region = label.split(",")[0]
        pictures = f"arn:{partition}:s3:::{bucket}/{variant['KeyPrefix']}*"
        log = f"arn:{partition}:logs:{region}:{ACCOUNT}:log-group:/aws/lambda/face-recognition:*"
        own = {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}
        wanted = {
            ("rekognition:DetectFaces", "*", "{}"),
            ("s3:GetObject", pictures, json.dumps(own)),
            ("s3:GetObjectVersion", pictures, json.dumps(own)),
            ("s3:ListBucket", f"arn:{partition}:s3:::{bucket}", json.dumps(own)),
            ("dynamodb:PutItem", f"arn:{partition}:dynamodb:{region}:{ACCOUNT}:table/FaceData", "{}"),
            ("logs:CreateLogStream", log, "{}"),
            ("logs:PutLogEvents", log, "{}"),
        }
        if variant["FailureQueue"] == "yes":
            wanted.add(
                ("sqs:SendMessage", f"arn:{partition}:sqs:{region}:{ACCOUNT}:face-recognition-Queue-0123456789AB", "{}")
            )
        role = resources["Role"]["Properties"]
        granted = {
            (action, resource, json.dumps(statement.get("Condition", {})))
            for policy in role["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        }
        problems += [f"{label}: grants {' on '.join(grant[:2])}" for grant in sorted(granted - wanted)]
        problems += [f"{label}: does not grant {' on '.join(grant[:2])}" for grant in sorted(wanted - granted)]
        if "ManagedPolicyArns" in role:
            problems.append(f"{label}: has managed policies")
        trust = role["AssumeRolePolicyDocument"]["Statement"]
        if [statement["Principal"] for statement in trust] != [{"Service": "lambda.amazonaws.com"}]:
            problems.append(f"{label}: somebody else may take the role")
    return problems


def writes_policies_that_work(template):
    """parliament finds no fault in the role's policy or the bucket's: actions exist and meet their kind of resource."""
    problems = []
    for label, _, resources in variants(template):
        documents = [policy["PolicyDocument"] for policy in resources["Role"]["Properties"]["Policies"]]
        if "BucketPolicy" in resources:
            documents.append(resources["BucketPolicy"]["Properties"]["PolicyDocument"])
        problems += [f"{label}: {finding}" for document in documents for finding in findings(document)]
    return problems


def keeps_strangers_out(template):
    """All is encrypted, the bucket is private and deaf to plain HTTP, and only it may start the function."""
    problems = []
    for label, variant, resources in variants(template):
        bucket, permission = resources["Bucket"]["Properties"], resources["InvokePermission"]["Properties"]
        block = bucket.get("PublicAccessBlockConfiguration", {})
        if [
            block.get(key)
            for key in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        ] != [True] * 4:
            problems.append(f"{label}: the bucket is not private")
        if bucket.get("OwnershipControls") != {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}:
            problems.append(f"{label}: not everything in the bucket is its owner's")
        if "BucketEncryption" not in bucket or resources["Table"]["Properties"].get("SSESpecification") != {
            "SSEEnabled": True
        }:
            problems.append(f"{label}: something is not encrypted")
        if "Queue" in resources and resources["Queue"]["Properties"].get("SqsManagedSseEnabled") is not True:
            problems.append(f"{label}: the queue is not encrypted")
        if (variant["TlsOnly"] == "yes") != ("BucketPolicy" in resources):
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
            problems.append(f"{label}: the bucket policy does something else than refusing plain HTTP")
        source = (permission.get("Principal"), permission.get("SourceAccount"), permission.get("SourceArn"))
        if source != ("s3.amazonaws.com", ACCOUNT, arn):
            problems.append(f"{label}: the function answers to {source}")
    return problems


def names_the_bucket(template):
    """The bucket's name fits every region, and stands in the account's own namespace unless it was given."""
    problems = []
    pattern = re.compile(template.body["Parameters"]["BucketPrefix"]["AllowedPattern"])
    if not pattern.match("x" * 32) or pattern.match("x" * 33):
        problems.append("the prefix may not have just 32 characters")
    for region in sorted(rekognition_regions()):
        parameters = {**CODE, "BucketPrefix": "x" * 32}
        bucket = template.render(parameters, region, "aws", ACCOUNT)["Bucket"]["Properties"]
        name, namespace = bucket["BucketName"], bucket.get("BucketNamespace")
        if len(name) > 63 or (name, namespace) != (f"{'x' * 32}-{ACCOUNT}-{region}-an", "account-regional"):
            problems.append(f"{region}: {name}, {namespace}")
    given = template.render({**CODE, "BucketName": "my-own-bucket"}, "eu-west-1", "aws", ACCOUNT)["Bucket"][
        "Properties"
    ]
    if given["BucketName"] != "my-own-bucket" or "BucketNamespace" in given:
        problems.append("a given name is not taken as it is")
    return problems


def keeps_the_data(template):
    """Bucket and table stay when their stack goes; what can be made again does not."""
    policies = {
        name: (it.get("DeletionPolicy", "Delete"), it.get("UpdateReplacePolicy", "Delete"))
        for name, it in template.body["Resources"].items()
    }
    kept = {name for name, pair in policies.items() if pair == ("RetainExceptOnCreate", "Retain")}
    gone = {name for name, pair in policies.items() if pair == ("Delete", "Delete")}
    problems = [f"{name} is not kept" for name in sorted({"Bucket", "Table"} - kept)]
    return problems + [f"{name} is kept" for name in sorted(set(policies) - gone - {"Bucket", "Table"})]


def comes_up_in_order(template):
    """Nothing is needed before it stands: the notification waits for the permission, the function for log and role."""
    needs = template.dependencies()
    wanted = {
        "Bucket": {"InvokePermission", "Function"},
        "InvokePermission": {"Function"},
        "Function": {"Role", "LogGroup", "Table"},
    }
    return [
        f"{name} does not wait for {other}" for name, others in wanted.items() for other in sorted(others - needs[name])
    ]


def runs_the_function(template):
    """The function is what the design says, its timeout can never be short, and every upload reaches it."""
    problems = []
    parameters = template.body["Parameters"]
    limits = {key: parameters["Timeout"].get(key) for key in ("Default", "MinValue", "MaxValue")}
    if limits != {"Default": 10, "MinValue": 10, "MaxValue": 900}:
        problems.append(f"the timeout is limited by {limits}")
    off = template.render(CODE, "eu-west-1", "aws", ACCOUNT)
    function, bucket, invoke = (off[name]["Properties"] for name in ("Function", "Bucket", "InvokeConfig"))
    pictures = bucket["BucketName"]
    wanted = {
        "FunctionName": "face-recognition",
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Architectures": ["arm64"],
        "MemorySize": 512,
        "Timeout": 10,
        "Environment": {
            "Variables": {"TABLE_NAME": "FaceData", "BUCKET_NAME": pictures, "RETENTION_DAYS": 0, "LOG_KEYS": "false"}
        },
        "LoggingConfig": {"LogGroup": "/aws/lambda/face-recognition"},
        "Code": {"S3Bucket": "packages", "S3Key": "code.zip"},
    }
    problems += [f"{key} is {function.get(key)}" for key, value in wanted.items() if function.get(key) != value]
    if "ReservedConcurrentExecutions" in function:
        problems.append("a concurrency is reserved without being asked for")
    arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:face-recognition"
    notification = {"LambdaConfigurations": [{"Event": "s3:ObjectCreated:*", "Function": arn}]}
    if bucket.get("NotificationConfiguration") != notification:
        problems.append(f"the notification is {bucket.get('NotificationConfiguration')}")
    if (invoke["MaximumRetryAttempts"], invoke["MaximumEventAgeInSeconds"], "DestinationConfig" in invoke) != (
        2,
        21600,
        False,
    ):
        problems.append(f"uploads that fail: {invoke}")
    settings = {
        "KeyPrefix": "in/",
        "ReservedConcurrency": 5,
        "FailureQueue": "yes",
        "LogKeys": "yes",
        "RetentionDays": 30,
        "Versioning": "yes",
    }
    on = template.render({**CODE, **settings}, "eu-west-1", "aws", ACCOUNT)
    function, bucket, invoke, table = (
        on[name]["Properties"] for name in ("Function", "Bucket", "InvokeConfig", "Table")
    )
    if function.get("ReservedConcurrentExecutions") != 5:
        problems.append("the concurrency is not reserved")
    variables = {"TABLE_NAME": "FaceData", "BUCKET_NAME": pictures, "RETENTION_DAYS": 30, "LOG_KEYS": "true"}
    if function["Environment"]["Variables"] != variables:
        problems.append("the function does not hear of its settings")
    if bucket["NotificationConfiguration"]["LambdaConfigurations"][0].get("Filter") != {
        "S3Key": {"Rules": [{"Name": "prefix", "Value": "in/"}]}
    }:
        problems.append("the prefix does not filter")
    if bucket.get("VersioningConfiguration") != {"Status": "Enabled"}:
        problems.append("versions are not kept")
    if invoke.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "").split(":")[2:3] != ["sqs"]:
        problems.append("failures do not reach the queue")
    if table.get("TimeToLiveSpecification") != {"AttributeName": "ExpiresAt", "Enabled": True}:
        problems.append("rows do not expire")
    if off["Table"]["Properties"].get("TimeToLiveSpecification") is not None:
        problems.append("rows expire without being asked to")
    if (
        table["KeySchema"] != [{"AttributeName": "FaceID", "KeyType": "HASH"}]
        or table["BillingMode"] != "PAY_PER_REQUEST"
    ):
        problems.append("the table has another key or price")
    return problems


def tells_its_outputs(template):
    """The outputs are those that the deployer reads."""
    return [f"{name}: missing or unexpected" for name in sorted(OUTPUTS ^ set(template.body["Outputs"]))]


JUDGES = [
    lints,
    asserts_the_region,
    uses_what_it_declares,
    grants_the_least,
    writes_policies_that_work,
    keeps_strangers_out,
    names_the_bucket,
    keeps_the_data,
    comes_up_in_order,
    runs_the_function,
    tells_its_outputs,
]
