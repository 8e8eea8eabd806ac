"""The judges of what each setting does. Each takes the template and returns a list of what is wrong with it."""

from states import ACCOUNT, deployed, differences


def runs_the_function(template):
    """The function is what the design says, its time-out is never too short, and it gets its settings."""
    limits = {key: template.body["Parameters"]["Timeout"].get(key) for key in ("Default", "MinValue", "MaxValue")}
    problems = differences("the time-out", limits, {"Default": 10, "MinValue": 10, "MaxValue": 900})
    variables = {
        "TABLE_NAME": "FaceData",
        "BUCKET_NAME": f"face-recognition-{ACCOUNT}-eu-west-1-an",
        "RETENTION_DAYS": 0,
        "LOG_KEYS": "false",
        "ATTRIBUTES": "",
        "EXTENSIONS": "",
        "REKOGNITION_REGION": "",
        "PICTURE_TABLE_NAME": "",
        "ERASE_ROWS": "false",
    }
    wanted = {
        "FunctionName": "face-recognition",
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Architectures": ["arm64"],
        "MemorySize": 512,
        "Timeout": 10,
        "Environment": {"Variables": variables},
        "LoggingConfig": {"LogGroup": "/aws/lambda/face-recognition"},
        "Code": {"S3Bucket": "packages", "S3Key": "code.zip"},
        "ReservedConcurrentExecutions": None,
    }
    problems += differences("by default", deployed(template)["Function"], wanted)
    for settings, changed in (
        ({"RetentionDays": 30}, {"RETENTION_DAYS": 30}),
        ({"LogKeys": "yes"}, {"LOG_KEYS": "true"}),
        ({"Attributes": "SMILE"}, {"ATTRIBUTES": "SMILE"}),
        ({"Extensions": "jpg,png"}, {"EXTENSIONS": "jpg,png"}),
        ({"RekognitionRegion": "eu-central-1"}, {"REKOGNITION_REGION": "eu-central-1"}),
        ({"Backfill": "yes"}, {"PICTURE_TABLE_NAME": "FaceDataPictures"}),
        ({"EraseRows": "yes"}, {"PICTURE_TABLE_NAME": "FaceDataPictures", "ERASE_ROWS": "true"}),
        ({"BucketName": "my-own"}, {"BUCKET_NAME": "my-own"}),
    ):
        function = deployed(template, **settings)["Function"]
        problems += differences(f"{settings}", function["Environment"]["Variables"], variables | changed)
    function = deployed(template, ReservedConcurrency=5, MemorySize=1024, Timeout=60, Architecture="x86_64")["Function"]
    wanted = {"ReservedConcurrentExecutions": 5, "MemorySize": 1024, "Timeout": 60, "Architectures": ["x86_64"]}
    return problems + differences("as set", function, wanted)


def hears_of_every_picture(template):
    """Every upload below the prefix reaches the function, and with EraseRows every removal."""
    problems = []
    arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:face-recognition"
    events = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"]
    for prefix in ("", "in/"):
        for erase in ("no", "yes"):
            own = {"Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": prefix}]}}} if prefix else {}
            wanted = [{"Event": event, "Function": arn, **own} for event in (events if erase == "yes" else events[:1])]
            bucket = deployed(template, KeyPrefix=prefix, EraseRows=erase)["Bucket"]
            problems += differences(
                f"KeyPrefix={prefix}, EraseRows={erase}",
                bucket,
                {"NotificationConfiguration": {"LambdaConfigurations": wanted}},
            )
    return problems


def writes_both_states(template):
    """What a parameter can switch off is written in both states, because removing a property does not switch it off."""
    problems = []
    queue = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:face-recognition-Queue-0123456789AB"
    for settings, destination in (({}, queue), ({"FailureQueue": "no"}, "")):
        wanted = {
            "MaximumRetryAttempts": 2,
            "MaximumEventAgeInSeconds": 21600,
            "DestinationConfig": {"OnFailure": {"Destination": destination}},
        }
        problems += differences(f"{settings}", deployed(template, **settings)["InvokeConfig"], wanted)
    for days, is_on in ((0, False), (30, True)):
        tables = deployed(template, RetentionDays=days, EraseRows="yes")
        wanted = {"TimeToLiveSpecification": {"AttributeName": "ExpiresAt", "Enabled": is_on}}
        for name in ("Table", "PictureTable"):
            problems += differences(f"{name}, RetentionDays={days}", tables[name], wanted)
    for backups, is_on in (("no", False), ("yes", True)):
        table = deployed(template, PointInTimeRecovery=backups)["Table"]
        wanted = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": is_on}}
        problems += differences(f"PointInTimeRecovery={backups}", table, wanted)
    # A bucket that never kept versions must not be marked as one that did.
    for versions, status in (("no", None), ("yes", {"Status": "Enabled"}), ("suspended", {"Status": "Suspended"})):
        bucket = deployed(template, Versioning=versions)["Bucket"]
        problems += differences(f"Versioning={versions}", bucket, {"VersioningConfiguration": status})
    return problems


def keys_the_tables(template):
    """The tables have the keys by which the function writes, and cost only what is used."""
    tables = deployed(template, EraseRows="yes")
    problems = []
    for name, title, keys in (
        ("Table", "FaceData", ["FaceID"]),
        ("PictureTable", "FaceDataPictures", ["Picture", "Content"]),
    ):
        wanted = {
            "TableName": title,
            "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"))],
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
            "BillingMode": "PAY_PER_REQUEST",
        }
        problems += differences(name, tables[name], wanted)
    return problems


def backs_off_and_keeps_failures(template):
    """The backfill retries, leaves failed pictures to the failure queue, and does not exceed its concurrency."""
    for settings in ({}, {"EraseRows": "yes"}):
        extra = {"BackfillQueue", "BackfillMapping"} & set(deployed(template, **settings))
        if extra:
            return [f"{settings} deploys {sorted(extra)}"]
    stack = deployed(template, Backfill="yes", BackfillConcurrency=4, Timeout=900)
    queue, mapping = stack["BackfillQueue"], stack["BackfillMapping"]
    failures = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:face-recognition-Queue-0123456789AB"
    problems = differences("the queue", queue, {"MessageRetentionPeriod": 10 * 86_400})
    if int(queue["VisibilityTimeout"]) < 6 * 900 or int(queue["VisibilityTimeout"]) > 43_200:
        problems.append(f"messages are hidden for {queue['VisibilityTimeout']} s")
    redrive = queue["RedrivePolicy"]
    if redrive["deadLetterTargetArn"] != failures or redrive["maxReceiveCount"] < 5:
        problems.append(f"failed pictures: {redrive}")
    wanted = {
        "EventSourceArn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:face-recognition-BackfillQueue-0123456789AB",
        "FunctionName": "face-recognition",
        "BatchSize": 10,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 4},
    }
    minimum = template.body["Parameters"]["BackfillConcurrency"].get("MinValue")
    if minimum != 2:
        problems.append(f"Lambda refuses a maximum concurrency of {minimum}")
    return problems + differences("the mapping", mapping, wanted)


def has_only_what_is_required(template):
    """Without Backfill and EraseRows, the stack has the parts of the requirement and the failure queue."""
    wanted = "Bucket BucketPolicy Function InvokeConfig InvokePermission LogGroup Queue Role Table".split()
    found = sorted(deployed(template))
    return [] if found == wanted else [f"it has {' '.join(found)}"]


JUDGES = [
    runs_the_function,
    hears_of_every_picture,
    writes_both_states,
    keys_the_tables,
    backs_off_and_keeps_failures,
    has_only_what_is_required,
]
