"""The outside authorities, asked in one place: where Rekognition is (botocore), what a policy means (parliament)."""

import json
import re
import warnings

import botocore.loaders

# parliament asks for its own files by a way that setuptools will drop some day; the version here is pinned.
warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
import parliament  # noqa: E402

BOTOCORE = botocore.loaders.Loader()

# parliament is wrong about these, and why.
EXCUSED = {
    ("UNKNOWN_ACTION", "cloudformation:DescribeEvents"): "younger than its list; botocore has the operation",
    ("UNKNOWN_ACTION", "cloudformation:GetHookResult"): "younger than its list; botocore has the operation",
    ("RESOURCE_MISMATCH", "s3:GetStorageLensConfiguration"): "by-catch of a wildcard, without effect on a bucket",
    ("RESOURCE_MISMATCH", "dynamodb:GetResourcePolicy"): "holds for tables as well as for streams",
}


def rekognition_regions():
    """The regions with Rekognition in the partitions that anybody can get into."""
    return {
        region
        for partition in BOTOCORE.load_data("endpoints")["partitions"]
        if partition["partition"] in ("aws", "aws-us-gov")
        for region in partition["services"].get("rekognition", {}).get("endpoints", {})
        if re.fullmatch(r"[a-z]+(-[a-z]+)+-\d", region)
    }


def knows_operation(action):
    """Whether botocore has an operation of the action's name."""
    service, operation = action.split(":")
    return operation in BOTOCORE.load_service_model(service, "service-2")["operations"]


def listed(value):
    return value if isinstance(value, list) else [value]


def findings(document):
    """What parliament says against a policy, except where it is known to be wrong."""
    for finding in parliament.analyze_policy_string(json.dumps(document)).findings:
        if finding.issue == "RESOURCE_MISMATCH":
            culprits = [entry["action"] for entry in finding.detail]
        else:
            culprits = [finding.location.get("string", "") if isinstance(finding.location, dict) else ""]
        if not culprits or any((finding.issue, culprit) not in EXCUSED for culprit in culprits):
            yield f"{finding.issue} {finding.detail}"
