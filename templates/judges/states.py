"""Both states of every parameter, and what the template deploys in them."""

ACCOUNT = "123456789012"
CODE = {"CodeBucket": "packages", "CodeKey": "code.zip"}
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/0a1b2c3d"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"

# Every parameter in both of its states: the default, and another value that changes what is deployed.
STATES = {
    "CodeBucket": ("packages", "other-packages"),
    "CodeKey": ("code.zip", "other.zip"),
    "Architecture": ("arm64", "x86_64"),
    "TableName": ("FaceData", "OtherFaces"),
    "RetentionDays": (0, 30),
    "PointInTimeRecovery": ("no", "yes"),
    "BucketPrefix": ("face-recognition", "other"),
    "BucketName": ("", "my-own-bucket"),
    "KeyPrefix": ("", "in/"),
    "Versioning": ("no", "yes"),
    "TlsOnly": ("yes", "no"),
    "PictureKeys": ("", f"{KEY},{KEY}4e5f"),
    "Attributes": ("", "SMILE,GENDER"),
    "Extensions": ("", "jpg,jpeg,png"),
    "EraseRows": ("no", "yes"),
    "MemorySize": (512, 1024),
    "Timeout": (10, 60),
    "ReservedConcurrency": (-1, 5),
    "PermissionsBoundary": ("", BOUNDARY),
    "RolePath": ("/", "/teams/faces/"),
    "Backfill": ("no", "yes"),
    "BackfillConcurrency": (2, 4),
    "MaximumRetryAttempts": (2, 0),
    "MaximumEventAge": (21600, 60),
    "FailureQueue": ("yes", "no"),
    "Alarms": ("no", "yes"),
    "AlarmTopic": ("", f"arn:aws:sns:eu-west-1:{ACCOUNT}:alarms"),
    "LogRetentionDays": (14, 365),
    "LogKeys": ("no", "yes"),
    "RekognitionRegion": ("", "eu-central-1"),
    "RegionCheck": ("yes", "no"),
}
DEFAULTS = {name: states[0] for name, states in STATES.items()}
# Everything that adds a resource or a permission; without the failure queue there is no backfill.
EVERYTHING = {name: states[1] for name, states in STATES.items()} | {"FailureQueue": "yes"}

# What decides about names and permissions, in every combination.
DECISIVE = ("FailureQueue", "KeyPrefix", "BucketName", "TlsOnly", "EraseRows", "Backfill", "PictureKeys")


def variants():
    """Sets of parameters: each parameter changed alone, each left alone, and every combination of the decisive ones."""
    for name, (_, other) in STATES.items():
        yield DEFAULTS | {name: other}
        yield EVERYTHING | {name: DEFAULTS[name]}
    for bits in range(2 ** len(DECISIVE)):
        yield DEFAULTS | {name: STATES[name][bits >> place & 1] for place, name in enumerate(DECISIVE)}


def allowed(parameters):
    """Whether the template's own rules admit these parameters."""
    return (parameters["Backfill"], parameters["FailureQueue"]) != ("yes", "no")


def rendered(template):
    """Each variant in a region of either partition, with its resources."""
    for region, partition in (("ap-northeast-1", "aws"), ("us-gov-west-1", "aws-us-gov")):
        for parameters in filter(allowed, variants()):
            changed = [f"{name}={value}" for name, value in parameters.items() if value != DEFAULTS[name]]
            label = ", ".join([region, *changed])
            yield label, parameters, template.render(parameters, region, partition, ACCOUNT)


def has_pictures(parameters):
    """Whether there is a table of pictures."""
    return "yes" in (parameters["EraseRows"], parameters["Backfill"])


def deployed(template, **settings):
    """The properties of what is deployed in Ireland with some settings."""
    resources = template.render({**CODE, **settings}, "eu-west-1", "aws", ACCOUNT)
    return {name: resource["Properties"] for name, resource in resources.items()}


def differences(place, found, wanted):
    """Sentences about the members of a mapping that are not as they should be."""
    return [f"{place}: {key} is {found.get(key)}" for key, value in wanted.items() if found.get(key) != value]
