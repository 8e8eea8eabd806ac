"""The judges of the deployer's policy, a document for each purpose.

`cargo test` keeps deployer-policy.json equal to what `provisioner policy` prints for the default stack.
"""

import json
from fnmatch import fnmatchcase

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from authorities import EXCUSED, findings, knows_operation, listed

# Permissions that CloudFormation lists for a resource type but that this stack never needs, by the feature that would.
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
        # Access is by policy alone, since the owner owns everything.
        "s3:PutBucketAcl",
        "s3:PutObjectAcl",
        # Not IAM actions: the Put ones authorise them.
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
    "AWS::Logs::LogGroup": [
        "firehose:*",
        "logs:*KmsKey",
        "logs:*LogDelivery",
        "logs:*DataProtectionPolicy",
        "logs:*IndexPolicy",
        "logs:*ResourcePolic*",
        "logs:PutBearerTokenAuthentication",
        "logs:PutLogGroupDeletionProtection",
        "s3:REST.PUT.OBJECT",
    ],
    # Attaching a policy that exists is how a deployer would become an administrator.
    "AWS::IAM::Role": [
        "iam:AttachRolePolicy",
        "iam:DetachRolePolicy",
        "iam:*RolePermissionsBoundary",
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
        # Only an import from S3 or a replica writes rows.
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "dynamodb:BatchWriteItem",
        "dynamodb:Query",
        # The key belongs to AWS, and its policy lets DynamoDB's users in by itself.
        "kms:*",
    ],
}


def actions_of(document):
    return {action for statement in document["Statement"] for action in listed(statement["Action"])}


def policies_work(policies, _):
    """parliament finds no fault, and the two actions that it is too old for, botocore knows."""
    problems = [f"{name}: {finding}" for name, document in policies.items() for finding in findings(document)]
    for issue, action in EXCUSED:
        if issue == "UNKNOWN_ACTION" and not knows_operation(action):
            problems.append(f"{action} is excused, but there is no such operation")
    return problems


def policies_are_least(policies, _):
    """Each fits into a managed policy, is a part of the whole, and opens nothing that can be narrowed."""
    problems = []
    for name, document in policies.items():
        if len(json.dumps(document, separators=(",", ":"))) > 6144:
            problems.append(f"{name}: too long for a managed policy")
        problems += [
            f"{name}: {action} is not in `all`" for action in sorted(actions_of(document) - actions_of(policies["all"]))
        ]
        problems += [
            f"{name}: {action}"
            for action in sorted(actions_of(document))
            if "*" in action and not action.startswith("s3:Get")
        ]
        for statement in document["Statement"]:
            if statement["Resource"] == "*" and statement["Sid"] != "Account":
                problems.append(f"{name}: {statement['Sid']} holds for every resource")
            if "iam:PassRole" in statement["Action"] and "iam:PassedToService" not in json.dumps(
                statement.get("Condition")
            ):
                problems.append(f"{name}: the role can be passed to any service")
    return problems


def policies_suffice(policies, template):
    """What CloudFormation says that a resource type needs is granted, unless for a feature not used here."""
    problems = []
    handlers_for = {"up": ("create", "read", "update", "delete"), "down": ("delete",)}
    for kind in sorted({resource["Type"] for resource in template.body["Resources"].values()}):
        handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["handlers"]
        for purpose, names in handlers_for.items():
            granted = actions_of(policies[purpose])
            for action in sorted(
                {action for name in names for action in handlers.get(name, {}).get("permissions", [])}
            ):
                if not any(fnmatchcase(action, pattern) for pattern in [*granted, *NOT_NEEDED.get(kind, [])]):
                    problems.append(f"{purpose}: {kind} needs {action}")
    return problems


POLICY_JUDGES = [policies_work, policies_are_least, policies_suffice]
