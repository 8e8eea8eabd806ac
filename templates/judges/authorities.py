"""The outside authorities: where Rekognition is (botocore), and what a policy means (parliament)."""

import json
import re
import warnings
from fnmatch import fnmatchcase

import botocore.loaders

# parliament imports a module that setuptools will drop one day; the version of setuptools is pinned here.
warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
import parliament  # noqa: E402

BOTOCORE = botocore.loaders.Loader()

# Findings of parliament that are wrong, with the reason.
EXCUSED = {
    ("UNKNOWN_ACTION", "cloudformation:DescribeEvents"): "newer than its list; botocore has the operation",
    ("UNKNOWN_ACTION", "cloudformation:GetHookResult"): "newer than its list; botocore has the operation",
    ("RESOURCE_MISMATCH", "s3:GetStorageLensConfiguration"): "matched by a wildcard, without effect on a bucket",
    ("RESOURCE_MISMATCH", "dynamodb:GetResourcePolicy"): "applies to tables as well as to streams",
}

EXCUSED_ISSUES = {
    # CloudFormation's service role must write the policy that denies plain HTTP.
    "RESOURCE_POLICY_PRIVILEGE_ESCALATION",
    # AWS's own examples compare iam:PermissionsBoundary with StringEquals.
    "MISMATCHED_TYPE_BUT_USABLE",
}


def rekognition_regions():
    """The regions with Rekognition in the partitions that are open to everybody."""
    return {
        region
        for partition in BOTOCORE.load_data("endpoints")["partitions"]
        if partition["partition"] in ("aws", "aws-us-gov")
        for region in partition["services"].get("rekognition", {}).get("endpoints", {})
        if re.fullmatch(r"[a-z]+(-[a-z]+)+-\d", region)
    }


def is_read_only(action):
    """Whether AWS classifies everything that an action, or a pattern of actions, permits as `Read` or `List`."""
    service, name = action.split(":")
    levels = {
        privilege["access_level"]
        for definition in parliament.iam_definition
        if definition["prefix"] == service
        for privilege in definition["privileges"]
        if fnmatchcase(privilege["privilege"], name)
    }
    return bool(levels) and levels <= {"Read", "List"}


def knows_operation(action):
    """Whether botocore has an operation with the action's name."""
    service, operation = action.split(":")
    return operation in BOTOCORE.load_service_model(service, "service-2")["operations"]


def listed(value):
    return value if isinstance(value, list) else [value]


def findings(document):
    """What parliament finds wrong with a policy, except where it is known to be mistaken."""
    for finding in parliament.analyze_policy_string(json.dumps(document)).findings:
        if finding.issue in EXCUSED_ISSUES:
            continue
        if finding.issue == "RESOURCE_MISMATCH":
            culprits = [entry["action"] for entry in finding.detail]
        else:
            culprits = [finding.location.get("string", "") if isinstance(finding.location, dict) else ""]
        if not culprits or any((finding.issue, culprit) not in EXCUSED for culprit in culprits):
            yield f"{finding.issue} {finding.detail}"
