"""Damage to template and policies, each of which a judge must notice: a judge that cannot fail says nothing."""

import json

from judge_deployer import policies_are_least, policies_suffice, policies_work, service_role_does_the_rest
from judge_settings import (
    backs_off_and_keeps_failures,
    has_only_what_is_required,
    hears_of_every_picture,
    keys_the_tables,
    runs_the_function,
    writes_both_states,
)
from judge_stack import (
    asserts_the_region,
    carries_its_mark,
    comes_up_in_order,
    declares_both_states,
    grants_the_least,
    keeps_strangers_out,
    keeps_the_data,
    lints,
    lints_in_both_states,
    names_the_bucket,
    refuses_a_backfill_that_loses,
    tells_its_outputs,
    uses_what_it_declares,
    writes_policies_that_work,
)

# The judge that must notice the damage, what the damage is, the text to find, and the text to put in its place.
DAMAGES = [
    (lints, "a misspelled property", "      BillingMode:", "      BillingMod:"),
    (
        lints,
        "a circular dependency",
        "      SourceArn: !Sub\n        - arn:${AWS::Partition}:s3:::${Name}\n",
        "      SourceArn: !Sub\n        - ${Bucket.Arn}${Name}\n",
    ),
    (lints, "a runtime that does not exist", "provided.al2023", "provided.al2032"),
    (lints, "a value of the wrong type", "DaysAfterInitiation: 7", "DaysAfterInitiation: week"),
    (
        lints_in_both_states,
        "a value that one state of a parameter makes invalid",
        "Status: !If [KeepsVersions, Enabled, Suspended]",
        "Status: !If [KeepsVersions, !Ref Versioning, Suspended]",
    ),
    (
        declares_both_states,
        "a parameter that is judged in one state only",
        "  LogKeys:\n    Type:",
        "  LogKey:\n    Type:",
    ),
    (
        declares_both_states,
        "a default that changed",
        'for 14 days.\n    Default: "yes"',
        'for 14 days.\n    Default: "no"',
    ),
    (
        asserts_the_region,
        "a region too many",
        "              - us-east-2\n",
        "              - us-east-2\n              - eu-west-3\n",
    ),
    (asserts_the_region, "a region too few", "              - us-east-2\n", ""),
    (
        asserts_the_region,
        "a rule that is switched off",
        'was written.\n    Default: "yes"',
        'was written.\n    Default: "no"',
    ),
    (
        asserts_the_region,
        "Rekognition in another partition",
        "- !Not [!Equals [!Ref RekognitionRegion, us-gov-west-1]]",
        '- !Not [!Equals [!Ref RekognitionRegion, ""]]',
    ),
    (
        refuses_a_backfill_that_loses,
        "a rule that accepts everything",
        '- Assert: !Equals [!Ref FailureQueue, "yes"]',
        '- Assert: !Equals [!Ref Backfill, "yes"]',
    ),
    (
        uses_what_it_declares,
        "a parameter for nothing",
        'LOG_KEYS: !If [LogsKeys, "true", "false"]',
        'LOG_KEYS: "false"',
    ),
    (uses_what_it_declares, "a hidden parameter", "[LogRetentionDays, LogKeys]", "[LogRetentionDays]"),
    (carries_its_mark, "a mark that is gone", "  Provisioner:\n    Version: 1\n", ""),
    (grants_the_least, "a wildcard action", "                  - s3:GetObject\n", "                  - s3:*\n"),
    (
        grants_the_least,
        "log groups that are created again",
        "                  - logs:CreateLogStream\n",
        "                  - logs:CreateLogGroup\n                  - logs:CreateLogStream\n",
    ),
    (grants_the_least, "another write", "Action: dynamodb:PutItem", "Action: dynamodb:BatchWriteItem"),
    (grants_the_least, "any table", "Resource: !GetAtt Table.Arn", 'Resource: "*"'),
    (
        grants_the_least,
        "buckets of other accounts",
        "                    aws:ResourceAccount: !Ref AWS::AccountId\n",
        '                    aws:ResourceAccount: "*"\n',
    ),
    (
        grants_the_least,
        "another bucket",
        "                  - arn:${AWS::Partition}:s3:::${Name}/${KeyPrefix}*\n",
        "                  - arn:${AWS::Partition}:s3:::${Name}x/${KeyPrefix}*\n",
    ),
    (
        grants_the_least,
        "a queue that may only be used once it exists",
        "                  - !Sub arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-Queue-*",
        "",
    ),
    (
        grants_the_least,
        "keys for other services",
        "                        - !Sub rekognition.${AWS::Region}.${AWS::URLSuffix}\n",
        '                        - "*"\n',
    ),
    (
        grants_the_least,
        "pictures erased without being asked to",
        "                - ErasesRows\n                - Sid",
        "                - HasPictureTable\n                - Sid",
    ),
    (grants_the_least, "a role for everybody", "Service: lambda.amazonaws.com", 'AWS: "*"'),
    (
        grants_the_least,
        "a boundary that is ignored",
        "!Ref PermissionsBoundary, !Ref AWS::NoValue]",
        "!Ref AWS::NoValue, !Ref PermissionsBoundary]",
    ),
    (
        grants_the_least,
        "a path that replaces every role",
        "Path: !If [HasRolePath, !Ref RolePath, !Ref AWS::NoValue]",
        "Path: !Ref RolePath",
    ),
    (
        grants_the_least,
        "a managed policy",
        "      AssumeRolePolicyDocument:\n",
        "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]\n      AssumeRolePolicyDocument:\n",
    ),
    (
        writes_policies_that_work,
        "s3:HeadObject, which is not an action",
        "                  - s3:GetObject\n",
        "                  - s3:HeadObject\n",
    ),
    (
        writes_policies_that_work,
        "DetectFaces on a resource",
        '                Action: rekognition:DetectFaces\n                Resource: "*"',
        "                Action: rekognition:DetectFaces\n"
        "                Resource: arn:aws:rekognition:eu-west-1:123456789012:collection/x",
    ),
    (keeps_strangers_out, "a permission without an account", "      SourceAccount: !Ref AWS::AccountId\n", ""),
    (
        keeps_strangers_out,
        "a function that any bucket can invoke",
        "        - arn:${AWS::Partition}:s3:::${Name}\n",
        "        - arn:${AWS::Partition}:s3:::${Name}*\n",
    ),
    (keeps_strangers_out, "public access lists", "BlockPublicAcls: true", "BlockPublicAcls: false"),
    (keeps_strangers_out, "a bucket policy that allows", "Effect: Deny", "Effect: Allow"),
    (
        keeps_strangers_out,
        "a bucket policy that denies TLS",
        'aws:SecureTransport: "false"',
        'aws:SecureTransport: "true"',
    ),
    (keeps_strangers_out, "a table without encryption", "SSEEnabled: true", "SSEEnabled: false"),
    (keeps_strangers_out, "a queue without encryption", "SqsManagedSseEnabled: true", "SqsManagedSseEnabled: false"),
    (names_the_bucket, "a prefix that is too long", "{0,30}", "{0,31}"),
    (
        names_the_bucket,
        "a name that anybody can take",
        "!Ref AWS::NoValue, account-regional]",
        "!Ref AWS::NoValue, global]",
    ),
    (
        keeps_the_data,
        "a table that is deleted",
        "  Table:\n    Type: AWS::DynamoDB::Table\n    DeletionPolicy: RetainExceptOnCreate\n",
        "  Table:\n    Type: AWS::DynamoDB::Table\n",
    ),
    (
        keeps_the_data,
        "a bucket that is deleted when it is replaced",
        "    UpdateReplacePolicy: Retain\n",
        "    UpdateReplacePolicy: Delete\n",
    ),
    (comes_up_in_order, "a notification that is too early", "    DependsOn: InvokePermission\n", ""),
    (comes_up_in_order, "a function before its log group", "LogGroup: !Ref LogGroup", "LogGroup: /aws/lambda/x"),
    (comes_up_in_order, "a destination before the permission", "    DependsOn: Role\n", ""),
    (comes_up_in_order, "a mapping before the permission", "    DependsOn: [Role, PictureTable]\n", ""),
    (runs_the_function, "Lambda's own time-out", "    Default: 10\n", "    Default: 3\n"),
    (runs_the_function, "a time-out without a minimum", "    MinValue: 10\n", "    MinValue: 1\n"),
    (runs_the_function, "another architecture", "    Default: arm64", "    Default: x86_64"),
    (
        runs_the_function,
        "the name of another bucket",
        'BUCKET_NAME: !If [NamesItsBucket, !Ref BucketName, !Sub "',
        'BUCKET_NAME: !If [NamesItsBucket, !Ref BucketName, !Sub "a-',
    ),
    (runs_the_function, "attributes that do not arrive", "ATTRIBUTES: !Ref Attributes", "ATTRIBUTES: !Ref Extensions"),
    (
        hears_of_every_picture,
        "uploads that are not noticed",
        "Event: s3:ObjectCreated:*",
        "Event: s3:ObjectCreated:Put",
    ),
    (
        hears_of_every_picture,
        "expirations that are not noticed",
        "Event: s3:LifecycleExpiration:*",
        "Event: s3:LifecycleTransition",
    ),
    (writes_both_states, "rows that never expire", "AttributeName: ExpiresAt", "AttributeName: Expires"),
    (
        writes_both_states,
        "an expiration that cannot be switched off",
        "        Enabled: !If [ExpiresRows, true, false]\n",
        "        Enabled: !If [ExpiresRows, true, !Ref AWS::NoValue]\n",
    ),
    (
        writes_both_states,
        "a destination that cannot be removed",
        'Destination: !If [HasFailureQueue, !GetAtt Queue.Arn, ""]',
        "Destination: !If [HasFailureQueue, !GetAtt Queue.Arn, !Ref AWS::NoValue]",
    ),
    (
        writes_both_states,
        "a bucket that can never again be without versions",
        "        - HasHadVersions\n",
        "        - RefusesHttp\n",
    ),
    (keys_the_tables, "another key", "        - AttributeName: Content\n          KeyType: RANGE\n", ""),
    (
        backs_off_and_keeps_failures,
        "messages that appear too early",
        'VisibilityTimeout: !Sub "${Timeout}0"',
        "VisibilityTimeout: !Ref Timeout",
    ),
    (backs_off_and_keeps_failures, "a single attempt", "maxReceiveCount: 5", "maxReceiveCount: 1"),
    (backs_off_and_keeps_failures, "whole batches that return", "[ReportBatchItemFailures]", "[]"),
    (
        backs_off_and_keeps_failures,
        "a concurrency without a limit",
        "MaximumConcurrency: !Ref BackfillConcurrency",
        "MaximumConcurrency: 1000",
    ),
    (
        has_only_what_is_required,
        "a table for everybody",
        "    Condition: HasPictureTable\n    DeletionPolicy",
        "    DeletionPolicy",
    ),
    (tells_its_outputs, "a forgotten output", "  LogGroupName:\n    Description", "  LogName:\n    Description"),
]

# The same for updates: every occurrence in the current template is damaged, and the earlier template stays as it was.
UPDATE_DAMAGES = [
    ("a table that is replaced", "      TableName: !Ref TableName\n", "      TableName: !Sub ${TableName}2\n"),
    ("a function with another name", "FunctionName: !Ref AWS::StackName", "FunctionName: !Sub ${AWS::StackName}-2"),
    ("a resource with another logical id", "  InvokeConfig:\n", "  InvokeSettings:\n"),
    ("a role with a path", "Path: !If [HasRolePath, !Ref RolePath, !Ref AWS::NoValue]", "Path: !Ref RolePath"),
    ("a parameter with another name", "LogKeys", "LogPictures"),
    ("a value that is no longer allowed", "AllowedValues: [arm64, x86_64]", "AllowedValues: [arm64]"),
]


def changed(policies, change):
    """The policies with a change to every statement."""
    return {
        variant: {
            purpose: {**document, "Statement": [change(statement) for statement in document["Statement"]]}
            for purpose, document in documents.items()
        }
        for variant, documents in policies.items()
    }


def without(action, of=None):
    """The policies, or only those of one variant, with an action taken away."""

    def damage(policies):
        chosen = policies if of is None else {of: policies[of]}
        return policies | changed(
            chosen, lambda statement: {**statement, "Action": [it for it in statement["Action"] if it != action]}
        )

    return damage


def without_condition(sid):
    """The policies with the condition of one statement taken away."""
    return lambda policies: changed(
        policies,
        lambda statement: {key: it for key, it in statement.items() if statement["Sid"] != sid or key != "Condition"},
    )


def replaced(old, new):
    """The policies with a piece of their text replaced."""

    def damage(policies):
        text = json.dumps(policies)
        assert old in text, f"there is no {old}"
        return json.loads(text.replace(old, new))

    return damage


POLICY_DAMAGES = [
    (policies_work, "s3:HeadObject, which is not an action", replaced('"s3:GetObject"', '"s3:HeadObject"')),
    (
        policies_work,
        "a table's action on a bucket",
        replaced("arn:aws:dynamodb:eu-west-1:123456789012:table/FaceData", "arn:aws:s3:::FaceData"),
    ),
    (policies_are_least, "every action of a service", replaced('"lambda:AddPermission"', '"lambda:*"')),
    (policies_are_least, "every role", replaced("arn:aws:iam::123456789012:role/face-recognition-Role-*", "*")),
    (policies_are_least, "a role that is passed to any service", replaced("iam:PassedToService", "aws:PrincipalTag/x")),
    (policies_are_least, "the mapping of any function", without_condition("NewMapping")),
    (policies_are_least, "buckets of other accounts", without_condition("AttachedBuckets")),
    (policies_are_least, "a role without the boundary", without_condition("RolePermissions")),
    (policies_are_least, "a document that is too long", replaced("face-recognition", "x" * 400)),
    (policies_suffice, "a role without its permissions", without("iam:PutRolePolicy")),
    (policies_suffice, "a role without its boundary", without("iam:PutRolePermissionsBoundary")),
    (policies_suffice, "a role with another path", replaced("role/teams/", "role/other/")),
    (policies_suffice, "a table that cannot be deleted", without("dynamodb:DeleteTable")),
    (policies_suffice, "a rule that cannot be attached", without("events:PutTargets")),
    (policies_suffice, "another table", replaced("table/FaceData", "table/OtherData")),
    (policies_suffice, "a log group that cannot be read", without("logs:DescribeResourcePolicies")),
    (service_role_does_the_rest, "a role that nobody may create", without("iam:CreateRole", of="service_role")),
    (
        service_role_does_the_rest,
        "a deployer who changes the function",
        replaced('"lambda:GetFunctionConfiguration"', '"lambda:UpdateFunctionConfiguration"'),
    ),
    (
        service_role_does_the_rest,
        "the service role passed to Lambda",
        replaced("cloudformation.amazonaws.com", "lambda.amazonaws.com"),
    ),
]
