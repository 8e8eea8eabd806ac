//! `up --adopt`: every change before and after, what is refused, and what is sent.

use serde_json::{Value, json};

use super::cloud::{ChangeSet, Cloud, Script, at};
use super::run::{Run, provisioner};
use super::settings::acl;

/// The key that encrypts the pictures in the adopted bucket.
const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1";

const TABLE_KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/9";

/// A bucket with a KMS key, a lifecycle rule, a notification and a grant, and a table with capacity, expiry and
/// backups.
fn with_history() -> Script {
    let mut script = Script::default()
        .on("ExecuteChangeSet", vec![at("CREATE_IN_PROGRESS"), at("CREATE_COMPLETE")])
        .on("ExecuteChangeSet", vec![at("UPDATE_IN_PROGRESS"), at("UPDATE_COMPLETE")]);
    script.buckets.insert("holiday".to_owned());
    script.tables.insert("FaceData".to_owned());
    script.replies.extend([
        ("GetBucketEncryption", (200, "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
            <SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>arn:aws:kms:eu-west-1:123456789012:key/1</KMSMasterKeyID>\
            </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule>\
            </ServerSideEncryptionConfiguration>".to_owned())),
        ("GetBucketLifecycleConfiguration", (200, "<LifecycleConfiguration><Rule><ID>tidy</ID><Status>Enabled</Status>\
            <Filter><And><Prefix>tmp/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>\
            <Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>".to_owned())),
        ("GetBucketNotificationConfiguration", (200, "<NotificationConfiguration><QueueConfiguration>\
            <Queue>arn:aws:sqs:eu-west-1:123456789012:thumbnails</Queue><Event>s3:ObjectCreated:*</Event>\
            <Filter><S3Key><FilterRule><Name>Prefix</Name><Value>raw/</Value></FilterRule></S3Key></Filter>\
            </QueueConfiguration><EventBridgeConfiguration/></NotificationConfiguration>".to_owned())),
        ("GetBucketAcl", (200, acl(&["AllUsers"]))),
        ("GetBucketVersioning", (200, "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>".to_owned())),
        ("DescribeTable", (200, json!({ "Table": {
            "TableStatus": "ACTIVE",
            "KeySchema": [{ "AttributeName": "FaceID", "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": "FaceID", "AttributeType": "S" }],
            "ProvisionedThroughput": { "ReadCapacityUnits": 5, "WriteCapacityUnits": 2 },
            "SSEDescription": { "Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": TABLE_KEY },
        }}).to_string())),
        ("DescribeTimeToLive", (200, json!({ "TimeToLiveDescription": {
            "TimeToLiveStatus": "ENABLED", "AttributeName": "ExpiresAt" }}).to_string())),
        ("DescribeContinuousBackups", (200, json!({ "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": { "PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": 35 },
        }}).to_string())),
        ("Scan", (200, json!({ "Count": 2, "ScannedCount": 2, "Items": [
            { "EventTime": { "S": "2026-01-01T00:00:00.5Z" }, "ExpiresAt": { "N": "1769904000" } },
            { "EventTime": { "S": "2025-01-01T00:00:00Z" }, "ExpiresAt": { "N": "1735776000" } },
        ]}).to_string())),
    ]);
    let import = |id: &str, kind: &str| json!({ "Action": "Import", "LogicalResourceId": id, "ResourceType": kind });
    script.change_sets.push_back(ChangeSet::Changes(vec![
        import("Bucket", "AWS::S3::Bucket"),
        import("Table", "AWS::DynamoDB::Table"),
    ]));
    script.change_sets.push_back(ChangeSet::Changes(vec![
        json!({ "Action": "Modify", "LogicalResourceId": "Bucket", "ResourceType": "AWS::S3::Bucket" }),
    ]));
    script
}

const ADOPT: [&str; 8] =
    ["up", "--adopt", "--yes", "--no-smoke", "--output", "json", "--parameter", "BucketName=holiday"];

async fn adopt(script: Script, more: &[&str]) -> (Run, Cloud) {
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &[&ADOPT[..], more].concat()).await;
    (run, cloud)
}

/// The changes that the first plan shows: the property with its values and effect.
fn shown(run: &Run) -> Vec<String> {
    let plan = run.event("planned");
    let changes = plan["plan"]["changes"].as_array().expect("changes").iter();
    let properties = changes.flat_map(|change| change["properties"].as_array().into_iter().flatten());
    let text = |value: &Value| value.as_str().unwrap_or("(none)").to_owned();
    let line = |property: &Value| {
        let effect = property["effect"].as_str().map(|effect| format!(" {effect}")).unwrap_or_default();
        let path = text(&property["path"]);
        let path = path.trim_start_matches("/Properties/");
        format!("{path}: {} → {}{effect}", text(&property["before"]), text(&property["after"]))
    };
    properties.map(line).collect()
}

#[tokio::test]
async fn changes_that_weaken_are_shown_and_refused() {
    let (run, cloud) = adopt(with_history(), &[]).await;
    run.ended(4);
    let shown = shown(&run);
    for expected in [
        "BucketEncryption: aws:kms with arn:aws:kms:eu-west-1:123456789012:key/1, bucket key → AES256 weakens",
        "LifecycleConfiguration: `tidy`: delete after 30 days (prefix tmp/, tag k=v) → (none) removes",
        "NotificationConfiguration: s3:ObjectCreated:* to arn:aws:sqs:eu-west-1:123456789012:thumbnails (prefix raw/) → (none) removes",
        "NotificationConfiguration: (none) → s3:ObjectCreated:* to arn:aws:lambda:eu-west-1:123456789012:function:face-recognition",
        "NotificationConfiguration: all events to EventBridge → (none) removes",
        "OwnershipControls: ObjectWriter → BucketOwnerEnforced",
        "AccessControl: READ for group AllUsers → (none) removes",
        "PublicAccessBlockConfiguration: (none) → all blocked",
        "BillingMode: provisioned, 5 read and 2 write units → on demand weakens",
    ] {
        assert!(shown.contains(&expected.to_owned()), "{expected} is not in {shown:#?}");
    }
    let kept = ["VersioningConfiguration", "TimeToLive", "PointInTime", "SSESpecification"];
    assert!(!shown.iter().any(|line| kept.iter().any(|kept| line.starts_with(kept))), "{shown:#?}");
    assert_eq!(
        run.event("parameters_adopted")["parameters"],
        json!({ "PictureKeys": KEY, "PointInTimeRecovery": "yes", "RetentionDays": "31", "Versioning": "yes" }),
        "as the newest row, the table and the bucket have it"
    );
    assert!(run.error().contains("--accept-changes"), "{}", run.error());
    assert!(run.error().contains("Bucket: BucketEncryption would be weakened: aws:kms"), "{}", run.error());
    assert_eq!((cloud.count("ExecuteChangeSet"), cloud.count("PutBucketAcl")), (0, 0));
    assert_eq!(cloud.count("DeleteChangeSet"), 1, "the change set is removed");
}

#[tokio::test]
async fn accepted_changes_are_made_after_the_import() {
    let (run, cloud) = adopt(with_history(), &["--accept-changes"]).await;
    run.ended(0);
    let calls = cloud.calls();
    let executions: Vec<_> = calls.iter().filter(|call| call.name == "ExecuteChangeSet").collect();
    assert_eq!(executions.len(), 2);
    assert!(
        !executions[0].parameters.contains_key("RetainExceptOnCreate"),
        "an import must not be deleted by a rollback"
    );
    assert_eq!(executions[1].parameters["RetainExceptOnCreate"], "true");

    let templates: Vec<&str> = calls
        .iter()
        .filter(|call| call.name == "CreateChangeSet")
        .map(|call| call.parameters["TemplateBody"].as_str())
        .collect();
    let import: Value = serde_json::from_str(templates[0]).expect("JSON");
    let (bucket, table) = (&import["Resources"]["Bucket"], &import["Resources"]["Table"]);
    assert_eq!((&bucket["DeletionPolicy"], &table["DeletionPolicy"]), (&json!("Retain"), &json!("Retain")));
    assert_eq!(bucket["Properties"]["BucketName"], "holiday");
    assert_eq!(table["Properties"]["BillingMode"], "PROVISIONED");
    for setting in ["SSESpecification", "TimeToLiveSpecification", "PointInTimeRecoverySpecification"] {
        assert!(!table["Properties"][setting].is_null(), "{setting} is on, and must not be switched on again");
    }
    assert!(templates[1].starts_with("AWSTemplateFormatVersion"), "the template itself");

    let at = |name: &str| calls.iter().position(|call| call.name == name).expect(name);
    let last = |name: &str| calls.iter().rposition(|call| call.name == name).expect(name);
    let reset = at("PutBucketAcl");
    assert_eq!(calls[reset].parameters["x-amz-acl"], "private");
    assert!(at("ExecuteChangeSet") < reset && reset < last("CreateChangeSet"), "only after the import");
}

#[tokio::test]
async fn one_question_is_asked_for_both_change_sets() {
    let cloud = Cloud::start(with_history()).await;
    let arguments: Vec<&str> =
        ADOPT.iter().copied().filter(|argument| *argument != "--yes").chain(["--accept-changes"]).collect();
    let run = provisioner(&cloud, &arguments).await;
    run.ended(4);
    assert!(run.error().contains("not confirmed, so nothing was changed"), "{}", run.error());
    assert_eq!((cloud.count("CreateChangeSet"), cloud.count("ExecuteChangeSet")), (1, 0));
}

#[tokio::test]
async fn what_the_user_sets_goes_before_what_exists() {
    let (run, _) = adopt(with_history(), &["--parameter", "Versioning=no", "--parameter", "RetentionDays=7"]).await;
    run.ended(4);
    // A bucket that has had versions cannot return to the state without versioning.
    let adopted = json!({ "PictureKeys": KEY, "PointInTimeRecovery": "yes", "Versioning": "suspended" });
    assert_eq!(run.event("parameters_adopted")["parameters"], adopted);
}

#[tokio::test]
async fn what_cannot_be_adopted_is_refused() {
    let policy = (200, json!({ "Version": "2012-10-17" }).to_string());
    let describe = |status: &str, kind: &str, name: &str| {
        (
            200,
            format!(
                "<DescribeStackResourcesResponse><DescribeStackResourcesResult><StackResources><member><StackName>theirs</StackName>\
             <LogicalResourceId>X</LogicalResourceId><ResourceType>{kind}</ResourceType><ResourceStatus>{status}</ResourceStatus>\
             <PhysicalResourceId>{name}</PhysicalResourceId><Timestamp>2026-01-01T00:00:00Z</Timestamp></member>\
             </StackResources></DescribeStackResourcesResult></DescribeStackResourcesResponse>"
            ),
        )
    };
    let other_attribute = json!({ "TimeToLiveDescription": {
        "TimeToLiveStatus": "ENABLED", "AttributeName": "Until" }})
    .to_string();
    for (call, reply, more, code, said) in [
        (
            "GetBucketPolicy",
            policy.clone(),
            &["--parameter", "TlsOnly=yes"] as &[&str],
            4,
            "bucket `holiday` has a policy, which the template would replace",
        ),
        ("GetBucketPolicy", policy, &["--parameter", "TlsOnly=no", "--accept-changes"], 0, ""),
        (
            "DescribeStackResources",
            describe("CREATE_COMPLETE", "AWS::DynamoDB::Table", "FaceData"),
            &[],
            4,
            "table `FaceData` belongs to stack `theirs`",
        ),
        // What a stack left behind is free, and so is a resource whose name something else has, too.
        (
            "DescribeStackResources",
            describe("DELETE_SKIPPED", "AWS::DynamoDB::Table", "FaceData"),
            &["--accept-changes"],
            0,
            "",
        ),
        (
            "DescribeStackResources",
            describe("CREATE_COMPLETE", "AWS::SQS::Queue", "FaceData"),
            &["--accept-changes"],
            0,
            "",
        ),
        (
            "DescribeTimeToLive",
            (200, other_attribute),
            &["--parameter", "RetentionDays=7"],
            4,
            "its rows expire by the attribute `Until`, and the template's by `ExpiresAt`",
        ),
    ] {
        let mut script = with_history();
        script.replies.insert(call, reply);
        let (run, cloud) = adopt(script, more).await;
        run.ended(code);
        if code != 0 {
            assert!(run.error().contains(said), "{}", run.error());
            assert_eq!(cloud.first_change(), "", "{said}");
        }
    }
}

#[tokio::test]
async fn tags_tell_whose_a_bucket_is_if_stacks_may_not_be_asked_for() {
    let tag =
        |name: &str, value: &str| format!("<Tag><Key>aws:cloudformation:{name}</Key><Value>{value}</Value></Tag>");
    for (id, code) in
        [("arn:aws:cloudformation:eu-west-1:123456789012:stack/gone/1", 0), ("", 0), (super::cloud::STACK_ID, 4)]
    {
        let mut script = with_history();
        let tags = if id.is_empty() { String::new() } else { tag("stack-name", "theirs") + &tag("stack-id", id) };
        script.replies.insert("GetBucketTagging", (200, format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")));
        script.replies.insert("DescribeStackResources", (403, super::xml::error("AccessDenied", "no")));
        // A stack of this name is about to be created; the last case takes the bucket for its own.
        script.describes_by_id = id == super::cloud::STACK_ID;
        let (run, _) = adopt(script, &["--accept-changes"]).await;
        run.ended(code);
    }
}

#[tokio::test]
async fn an_adoption_that_finds_nothing_is_refused() {
    let (run, cloud) = adopt(Script::default(), &[]).await;
    run.ended(4);
    assert!(
        run.error().contains("there is nothing to adopt: neither bucket `holiday` nor table `FaceData` exists"),
        "{}",
        run.error()
    );
    assert_eq!(cloud.first_change(), "");

    // A stack that has both has nothing left to adopt, and that is not a mistake.
    let mut script = Script { status: Some("CREATE_COMPLETE"), ..Script::default() };
    script.resources = vec![("Bucket", "AWS::S3::Bucket", "holiday"), ("Table", "AWS::DynamoDB::Table", "FaceData")];
    adopt(script, &[]).await.0.ended(0);

    let mut script = Script { status: Some("CREATE_COMPLETE"), ..Script::default() };
    script.resources = vec![("Bucket", "AWS::S3::Bucket", "other"), ("Table", "AWS::DynamoDB::Table", "FaceData")];
    let (run, _) = adopt(script, &[]).await;
    run.ended(4);
    assert!(
        run.error().contains("already has bucket `other`, so it cannot adopt `holiday` in its place"),
        "{}",
        run.error()
    );
}

#[tokio::test]
async fn what_belongs_to_another_stack_is_not_offered_for_adoption() {
    for (owned, offered) in [(false, true), (true, false)] {
        let mut script = Script::default();
        script.tables.insert("FaceData".to_owned());
        if owned {
            script.replies.insert("DescribeStackResources", (200, 
                "<DescribeStackResourcesResponse><DescribeStackResourcesResult><StackResources><member><StackName>theirs</StackName>\
                 <LogicalResourceId>X</LogicalResourceId><ResourceType>AWS::DynamoDB::Table</ResourceType>\
                 <ResourceStatus>UPDATE_COMPLETE</ResourceStatus><PhysicalResourceId>FaceData</PhysicalResourceId>\
                 <Timestamp>2026-01-01T00:00:00Z</Timestamp></member></StackResources></DescribeStackResourcesResult>\
                 </DescribeStackResourcesResponse>".to_owned()));
        }
        let cloud = Cloud::start(script).await;
        let run = provisioner(&cloud, &["up", "--yes", "--output", "json"]).await;
        run.ended(4);
        assert_eq!(run.error().contains("--adopt"), offered, "{}", run.error());
        assert_eq!(run.error().contains("it belongs to stack `theirs`"), owned, "{}", run.error());
    }
}
