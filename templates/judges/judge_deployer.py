"""The judges of the deployer's policies: one document per purpose, as `provisioner policy` prints them."""

import json
import os
import subprocess
from fnmatch import fnmatchcase

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from authorities import EXCUSED, findings, is_read_only, knows_operation, listed
from render import ARNS, GENERATED

ACCOUNT, REGION = "123456789012", "eu-west-1"
BOUNDARY, ROLE_PATH = f"arn:aws:iam::{ACCOUNT}:policy/boundary", "/teams/faces/"
SERVICE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/cloudformation"
# A managed policy has at most this many characters, and an identity at most this many managed policies (by default).
CHARACTERS, DOCUMENTS = 6144, 10

# Permissions that CloudFormation lists for a resource type, but that this stack never needs: by the feature.
NOT_NEEDED = {
    "AWS::S3::Bucket": [
        "s3tables:*",
        "s3:*Bucket*Abac",
        "s3:*MetadataTable*",
        "s3:*MetadataInventory*",
        "s3:*MetadataJournal*",
        "s3:*MetadataAnnotation*",
        "s3:PutAccelerate*",
        "s3:*AnalyticsConfiguration",
        "s3:*InventoryConfiguration",
        "s3:*MetricsConfiguration",
        "s3:*IntelligentTiering*",
        "s3:*Replication*",
        "s3:*Website",
        "s3:*BucketCORS",
        "s3:DeleteBucketCors",
        "s3:PutBucketLogging",
        "s3:Put*ObjectLock*",
        "iam:PassRole",
        # Access is granted by policies alone, because the bucket's owner owns every object.
        "s3:PutBucketAcl",
        "s3:PutObjectAcl",
        # CloudFormation refuses to delete a bucket that is not empty.
        "s3:DeleteObject",
        # These are not IAM actions: the Put actions authorize the requests.
        "s3:DeleteBucketEncryption",
        "s3:DeleteBucketLifecycle",
    ],
    "AWS::Lambda::Function": [
        "ec2:*",
        "elasticfilesystem:*",
        "s3files:*",
        "kms:*",
        "lambda:*CodeSigningConfig",
        "lambda:GetLayerVersion",
        "lambda:*ScalingConfig",
        "lambda:PassCapacityProvider",
        "lambda:PublishVersion",
        "lambda:PutFunctionRecursionConfig",
        "lambda:PutRuntimeManagementConfig",
        "lambda:AssociateRuntimeAlias",
        # The bucket for packages keeps no versions.
        "s3:GetObjectVersion",
    ],
    # Filter criteria encrypted with a key of the customer's.
    "AWS::Lambda::EventSourceMapping": ["kms:*"],
    # An event bus of its own, or a target that needs a role.
    "AWS::Events::Rule": ["iam:PassRole"],
    "AWS::Logs::LogGroup": [
        "firehose:*",
        "logs:*KmsKey",
        "logs:*LogDelivery",
        "logs:*DataProtectionPolicy",
        "logs:*IndexPolicy",
        "logs:PutResourcePolicy",
        "logs:DeleteResourcePolicy",
        "logs:PutBearerTokenAuthentication",
        "logs:PutLogGroupDeletionProtection",
        "s3:REST.PUT.OBJECT",
    ],
    # Attaching an existing policy is how a deployer would become an administrator, and removing a boundary likewise.
    "AWS::IAM::Role": [
        "iam:AttachRolePolicy",
        "iam:DetachRolePolicy",
        "iam:DeleteRolePermissionsBoundary",
        # Deleting a role does not need it.
        "iam:TagRole",
        "iam:UntagRole",
    ],
    "AWS::DynamoDB::Table": [
        "dynamodb:*Replica",
        "dynamodb:*Import*",
        "dynamodb:*KinesisStreamingDestination",
        "kinesis:*",
        "dynamodb:*ContributorInsights",
        "dynamodb:PutResourcePolicy",
        "dynamodb:DeleteResourcePolicy",
        "iam:CreateServiceLinkedRole",
        "logs:*",
        "s3:*",
        # Only an import from S3 or a replica reads or writes rows.
        "dynamodb:GetItem",
        "dynamodb:Scan",
        "dynamodb:Query",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "dynamodb:DeleteItem",
        "dynamodb:BatchWriteItem",
        # The key belongs to AWS, and its own policy admits the users of DynamoDB.
        "kms:*",
    ],
}

# What a deployer who passes a service role to CloudFormation still does: everything else belongs to that role.
PROGRAM_WRITES = [
    "cloudformation:*",
    "iam:PassRole",
    # Packages, test pictures, and the data that `down` removes.
    "s3:CreateBucket",
    "s3:PutBucketPolicy",
    "s3:PutBucketTagging",
    "s3:TagResource",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:AbortMultipartUpload",
    "s3:DeleteBucket",
    "dynamodb:DeleteItem",
    "dynamodb:DeleteTable",
    "dynamodb:UpdateItem",
    # The access control list of a bucket that joins the stack; CloudFormation imports it, but does not reset its list.
    "s3:PutBucketAcl",
    # The flag of attached buckets, the failure queue and the backfill queue.
    "s3:PutBucketNotification",
    "sqs:SendMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:PurgeQueue",
    "lambda:InvokeFunction",
]

# What `--attach` adds to the template, with ARNs as CloudFormation would choose them.
ATTACHED = [
    ("AWS::Events::Rule", [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/face-recognition-AttachedRule-0123456789AB"]),
    ("AWS::SQS::QueuePolicy", [f"arn:aws:sqs:{REGION}:{ACCOUNT}:face-recognition-Queue-0123456789AB"]),
    ("AWS::Lambda::Permission", [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:face-recognition"]),
]

# The switches of resources that the document for `backfill` covers.
EXTRAS = {"Backfill": "yes", "EraseRows": "yes"}


def printed(program, *options):
    """What `provisioner policy` prints for the default stack."""
    command = [program, "policy", "--account", ACCOUNT, "--region", REGION, *options]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]}, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def print_policies(program):
    """A deployer's policies: direct, with a service role, attached buckets, several regions, and a bounded role."""
    return {
        "direct": printed(program),
        **printed(program, "--role-arn", SERVICE_ROLE),
        "attached": printed(program, "--attach", "photos", "--attach", "scans"),
        "regions": printed(program, "--region", "us-east-1"),
        "bounded": printed(program, "--role-path", ROLE_PATH, "--permissions-boundary", BOUNDARY),
    }


def actions_of(document):
    return {action for statement in document["Statement"] for action in listed(statement["Action"])}


def union(documents):
    """One document with the statements of several, each with an id of its own."""
    statements = [statement for document in documents for statement in document["Statement"]]
    return {
        "Version": "2012-10-17",
        "Statement": [{**statement, "Sid": f"{statement['Sid']}{n}"} for n, statement in enumerate(statements)],
    }


def each(policies):
    """Every document with its name."""
    for variant, documents in policies.items():
        for purpose, document in documents.items():
            yield f"{variant}, {purpose}", document


def allows(document, action, arns):
    """Whether a document allows an action on a resource, known by any of these ARNs."""
    return any(
        any(fnmatchcase(action, pattern) for pattern in listed(statement["Action"]))
        and any(fnmatchcase(arn, pattern) for pattern in listed(statement["Resource"]) for arn in arns)
        for statement in document["Statement"]
    )


def policies_work(policies, _):
    """parliament finds no fault in any document or in their union; botocore knows what parliament does not."""
    problems = [f"{name}: {finding}" for name, document in each(policies) for finding in findings(document)]
    for variant, documents in policies.items():
        problems += [f"{variant}, the union: {finding}" for finding in findings(union(documents.values()))]
    for issue, action in EXCUSED:
        if issue == "UNKNOWN_ACTION" and not knows_operation(action):
            problems.append(f"{action} is excused, but there is no such operation")
    return problems


def policies_are_least(policies, _):
    """Each document fits into a managed policy, all of them fit one identity, and nothing is wider than it must be."""
    problems = []
    for variant, documents in policies.items():
        if len(documents) > DOCUMENTS:
            problems.append(f"{variant}: {len(documents)} documents are too many for one identity")
    for name, document in each(policies):
        length = len(json.dumps(document, separators=(",", ":")))
        if length > CHARACTERS:
            problems.append(f"{name}: {length} characters are too many for a managed policy")
        problems += [
            f"{name}: {action}"
            for action in sorted(actions_of(document))
            if "*" in action and not action.startswith("s3:Get")
        ]
        for statement in document["Statement"]:
            actions, condition = statement["Action"], json.dumps(statement.get("Condition", {}))
            if statement["Resource"] == "*" and statement["Sid"] not in ("Account", "Events") and condition == "{}":
                problems.append(f"{name}: {statement['Sid']} holds for every resource")
            if statement["Resource"] == "arn:aws:s3:::*" and "aws:ResourceAccount" not in condition:
                problems.append(f"{name}: {statement['Sid']} holds for buckets of other accounts")
            if name.startswith("bounded") and "iam:CreateRole" in actions and BOUNDARY not in condition:
                problems.append(f"{name}: the role can be created without its boundary")
            if "iam:PassRole" in actions and "iam:PassedToService" not in condition:
                problems.append(f"{name}: the role can be passed to any service")
    return problems


def arns_of(template, parameters):
    """For each resource of the stack its type and the ARNs by which requests name it."""
    resources = template.render({"CodeBucket": "packages", "CodeKey": "code.zip", **parameters}, REGION, "aws", ACCOUNT)
    own = {"partition": "aws", "region": REGION, "account": ACCOUNT}
    function = ARNS["AWS::Lambda::Function"].format(name="face-recognition", **own)
    for logical_id, resource in resources.items():
        kind, properties = resource["Type"], resource["Properties"]
        if kind in ("AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig"):
            arns = [function, f"{function}:$LATEST"]
        elif kind == "AWS::Lambda::EventSourceMapping":
            arns = [f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:00000000-0000-0000-0000-000000000000", "*"]
        elif kind == "AWS::S3::BucketPolicy":
            arns = [ARNS["AWS::S3::Bucket"].format(name=properties["Bucket"], **own)]
        elif kind == "AWS::CloudWatch::Alarm":
            arns = [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:face-recognition-{logical_id}-0123456789AB"]
        else:
            name = next(
                (
                    properties[key]
                    for key in ("BucketName", "TableName", "FunctionName", "LogGroupName")
                    if key in properties
                ),
                None,
            )
            path = properties.get("Path", "/")
            arn = ARNS[kind].format(name=name or GENERATED[kind].format(logical_id), path=path, **own)
            arns = [arn, arn.removesuffix(":*")]
        yield logical_id, kind, arns


def policies_suffice(policies, template):
    """What CloudFormation needs for a resource is granted on that resource, except for features that are not used."""
    problems = []
    plain = list(arns_of(template, {"Alarms": "yes", "FailureQueue": "yes"}))
    extras = [
        it
        for it in arns_of(template, {"FailureQueue": "yes", **EXTRAS})
        if it[0] not in dict.fromkeys(name for name, _, _ in plain)
    ]
    attached = [(kind, kind, arns) for kind, arns in ATTACHED]
    every = ("create", "read", "update", "delete")
    for variant in ("direct", "service_role"):
        documents = policies[variant]
        for resources, purposes, handlers in (
            (plain, ["up"], every),
            (plain + extras, ["up", "backfill"], every),
            (attached, ["up", "attach"], every),
            ([it for it in plain if it[0] in ("Bucket", "Table")], ["adopt"], ("read",)),
            (plain + extras, ["down"], ("delete",)),
        ):
            problems += missing(
                union(documents[purpose] for purpose in purposes),
                resources,
                handlers,
                f"{variant}, {' and '.join(purposes)}",
            )
    bounded = list(arns_of(template, {"RolePath": ROLE_PATH}))
    problems += missing(policies["bounded"]["up"], bounded, every, "bounded, up")
    return problems + missing(policies["attached"]["down"], attached, ("delete",), "attached, down")


def missing(document, resources, handlers, name):
    """What a document lacks for some handlers of some resources."""
    problems = []
    for logical_id, kind, arns in resources:
        permissions = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["handlers"]
        service = arns[0].split(":")[2]
        for action in sorted(
            {it for handler in handlers for it in permissions.get(handler, {}).get("permissions", [])}
        ):
            if any(fnmatchcase(action, pattern) for pattern in NOT_NEEDED.get(kind, [])):
                continue
            if action == "iam:PutRolePermissionsBoundary" and not name.startswith("bounded"):
                continue
            # An action of another service is about another resource, for example the role that is passed.
            on = [*arns, "*"] if action.split(":")[0] == service else None
            granted = (
                allows(document, action, on) if on else any(fnmatchcase(action, it) for it in actions_of(document))
            )
            if not granted:
                problems.append(f"{name}: {logical_id} needs {action}")
    return problems


def service_role_does_the_rest(policies, _):
    """With a service role, the deployer changes nothing that CloudFormation manages, and passes the role only to it."""
    problems = []
    for purpose, document in policies["deployer"].items():
        problems += [
            f"{purpose}: {action}"
            for action in sorted(actions_of(document))
            if not is_read_only(action) and not any(fnmatchcase(action, pattern) for pattern in PROGRAM_WRITES)
        ]
        for statement in document["Statement"]:
            if "iam:PassRole" in statement["Action"] and (
                statement["Resource"] != SERVICE_ROLE
                or statement["Condition"] != {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}
            ):
                problems.append(f"{purpose}: passes {statement['Resource']}")
        if len(json.dumps(document)) > len(json.dumps(policies["direct"][purpose])) + 200:
            problems.append(f"{purpose}: is not smaller than without a service role")
    for purpose, document in policies["service_role"].items():
        problems += [f"{purpose}: {it}" for it in sorted(actions_of(document)) if it.startswith("cloudformation:")]
    for purpose, document in policies["direct"].items():
        both = actions_of(policies["deployer"].get(purpose, union([]))) | actions_of(
            policies["service_role"].get(purpose, union([]))
        )
        problems += [f"{purpose}: nobody may {action}" for action in sorted(actions_of(document) - both)]
    return problems


POLICY_JUDGES = [policies_work, policies_are_least, policies_suffice, service_role_does_the_rest]
