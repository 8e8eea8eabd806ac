"""Damages to template and policy, each of which a judge must notice: a judge that cannot fail says nothing."""

import json

from judge_deployer import policies_are_least, policies_suffice, policies_work, service_role_does_the_rest
from judge_stack import (
    asserts_the_region,
    comes_up_in_order,
    grants_the_least,
    keeps_strangers_out,
    keeps_the_data,
    lints,
    names_the_bucket,
    runs_the_function,
    tells_its_outputs,
    uses_what_it_declares,
    writes_policies_that_work,
)

# The judge that must notice, what it is, the text to find and the text to put there.
DAMAGES = [
    (lints, "a property misspelt", "      BillingMode:", "      BillingMod:"),
    (
        lints,
        "a circle",
        "      SourceArn: !Sub\n        - arn:${AWS::Partition}:s3:::${Name}\n",
        "      SourceArn: !Sub\n        - ${Bucket.Arn}${Name}\n",
    ),
    (lints, "a runtime that does not exist", "provided.al2023", "provided.al2032"),
    (lints, "a value of the wrong kind", "DaysAfterInitiation: 7", "DaysAfterInitiation: week"),
    (
        asserts_the_region,
        "a region too many",
        "              - us-east-2\n",
        "              - us-east-2\n              - eu-west-3\n",
    ),
    (
        asserts_the_region,
        "a rule that is off",
        'was written.\n    Default: "yes"',
        'was written.\n    Default: "no"',
    ),
    (
        runs_the_function,
        "another bucket's name",
        'BUCKET_NAME: !If [NamesItsBucket, !Ref BucketName, !Sub "',
        'BUCKET_NAME: !If [NamesItsBucket, !Ref BucketName, !Sub "a-',
    ),
    (asserts_the_region, "a region too few", "              - us-east-2\n", ""),
    (
        uses_what_it_declares,
        "a parameter for nothing",
        'LOG_KEYS: !If [LogsKeys, "true", "false"]',
        'LOG_KEYS: "false"',
    ),
    (uses_what_it_declares, "a parameter hidden", "[LogRetentionDays, LogKeys]", "[LogRetentionDays]"),
    (grants_the_least, "a wildcard action", "                  - s3:GetObject\n", "                  - s3:*\n"),
    (
        grants_the_least,
        "log groups that come back",
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
        "the role's bucket is another",
        "                  - arn:${AWS::Partition}:s3:::${Name}/${KeyPrefix}*\n",
        "                  - arn:${AWS::Partition}:s3:::${Name}x/${KeyPrefix}*\n",
    ),
    (grants_the_least, "the role for anybody", "Service: lambda.amazonaws.com", 'AWS: "*"'),
    (
        grants_the_least,
        "a managed policy",
        "      AssumeRolePolicyDocument:\n",
        "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]\n      AssumeRolePolicyDocument:\n",
    ),
    (
        writes_policies_that_work,
        "s3:HeadObject, which is no action",
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
    (keeps_strangers_out, "no account in the permission", "      SourceAccount: !Ref AWS::AccountId\n", ""),
    (
        keeps_strangers_out,
        "any bucket may start the function",
        "        - arn:${AWS::Partition}:s3:::${Name}\n",
        "        - arn:${AWS::Partition}:s3:::${Name}*\n",
    ),
    (keeps_strangers_out, "public lists", "BlockPublicAcls: true", "BlockPublicAcls: false"),
    (keeps_strangers_out, "a bucket policy that allows", "Effect: Deny", "Effect: Allow"),
    (keeps_strangers_out, "TLS refused", 'aws:SecureTransport: "false"', 'aws:SecureTransport: "true"'),
    (keeps_strangers_out, "a plain table", "SSEEnabled: true", "SSEEnabled: false"),
    (keeps_strangers_out, "a plain queue", "SqsManagedSseEnabled: true", "SqsManagedSseEnabled: false"),
    (names_the_bucket, "a prefix too long", "{0,30}", "{0,31}"),
    (names_the_bucket, "a name for anybody", "!Ref AWS::NoValue, account-regional]", "!Ref AWS::NoValue, global]"),
    (
        keeps_the_data,
        "a table that goes",
        "  Table:\n    Type: AWS::DynamoDB::Table\n    DeletionPolicy: RetainExceptOnCreate\n",
        "  Table:\n    Type: AWS::DynamoDB::Table\n",
    ),
    (
        keeps_the_data,
        "a bucket that goes when replaced",
        "    UpdateReplacePolicy: Retain\n",
        "    UpdateReplacePolicy: Delete\n",
    ),
    (comes_up_in_order, "a notification too early", "    DependsOn: InvokePermission\n", ""),
    (comes_up_in_order, "a function before its log", "LogGroup: !Ref LogGroup", "LogGroup: /aws/lambda/x"),
    (runs_the_function, "Lambda's own timeout", "    Default: 10\n", "    Default: 3\n"),
    (runs_the_function, "a timeout without a floor", "    MinValue: 10\n", "    MinValue: 1\n"),
    (runs_the_function, "uploads unheard", "Event: s3:ObjectCreated:*", "Event: s3:ObjectCreated:Put"),
    (runs_the_function, "another processor", "    Default: arm64", "    Default: x86_64"),
    (runs_the_function, "rows that stay", "AttributeName: ExpiresAt", "AttributeName: Expires"),
    (tells_its_outputs, "an output forgotten", "  LogGroupName:\n    Description", "  LogName:\n    Description"),
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
    (policies_are_least, "the role passed to any service", replaced("iam:PassedToService", "aws:PrincipalTag/x")),
    (policies_are_least, "the mapping of any function", without_condition("NewMapping")),
    (policies_are_least, "buckets of other accounts", without_condition("AttachedBuckets")),
    (policies_are_least, "a document that is too long", replaced("face-recognition", "x" * 400)),
    (policies_suffice, "a role without its permissions", without("iam:PutRolePolicy")),
    (policies_suffice, "a table that stays", without("dynamodb:DeleteTable")),
    (policies_suffice, "a rule that cannot be attached", without("events:PutTargets")),
    (policies_suffice, "another table", replaced("table/FaceData", "table/OtherData")),
    (policies_suffice, "a log group that cannot be read", without("logs:DescribeResourcePolicies")),
    (service_role_does_the_rest, "a role that nobody may create", without("iam:CreateRole", of="service_role")),
    (
        service_role_does_the_rest,
        "a deployer who writes configurations",
        replaced('"lambda:GetFunctionConfiguration"', '"lambda:UpdateFunctionConfiguration"'),
    ),
    (service_role_does_the_rest, "the service role passed to Lambda", replaced("cloudformation.amazonaws.com", "lambda.amazonaws.com")),
]
