//! Tests data that exists before or after a stack (kept, adopted, emptied) and `redrive`, with the local cloud.

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ProvisionedThroughput,
    ScalarAttributeType,
};
use aws_sdk_s3::types::{
    BucketCannedAcl, BucketLifecycleConfiguration, BucketVersioningStatus, EventBridgeConfiguration, ExpirationStatus,
    LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, NotificationConfiguration, ObjectOwnership,
    OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    VersioningConfiguration,
};
use provisioner::aws::Clients;
use support::local::{HERE, Local, fixture};
use support::{Folder, Run, provisioner, run};

/// Runs the program without `--local`, with only the endpoint and the credentials of the local cloud.
#[track_caller]
fn remote(local: &Local, arguments: &[&str], code: i32) -> Run {
    run(&mut local.remote(&local.endpoint(), arguments)).expect(code)
}

/// The numbers of objects and rows in `status`.
fn counts(status: &Run) -> (u64, u64) {
    let report = &status.of_type("status")[0]["report"];
    (report["objects"].as_u64().expect("objects"), report["rows"].as_u64().expect("rows"))
}

/// The logical ids that a plan imports.
fn imports(run: &Run) -> Vec<String> {
    let plans = run.of_type("planned");
    let changes = plans[0]["plan"]["changes"].as_array().expect("changes").iter();
    let imported = changes.filter(|change| change["action"] == "import");
    let mut ids: Vec<String> =
        imported.map(|change| change["logical_id"].as_str().expect("an id").to_owned()).collect();
    ids.sort();
    ids
}

/// The properties that an adoption weakens or removes.
fn effects(run: &Run) -> Vec<(String, String)> {
    let plans = run.of_type("planned");
    let changes = plans[0]["plan"]["changes"].as_array().expect("changes").iter();
    let properties = changes.flat_map(|change| change["properties"].as_array().into_iter().flatten());
    let worse = properties.filter_map(|property| Some((property["path"].as_str()?, property["effect"].as_str()?)));
    worse.map(|(path, effect)| (path.trim_start_matches("/Properties/").to_owned(), effect.to_owned())).collect()
}

/// The types of the resources that `down` proved to be gone.
fn gone(down: &Run) -> Vec<String> {
    let proofs = down.of_type("proof");
    let mut types: Vec<String> = proofs
        .iter()
        .map(|proof| {
            assert_eq!(proof["gone"], true, "{proof}");
            proof["kind"].as_str().expect("a type").to_owned()
        })
        .collect();
    types.sort();
    types.dedup();
    types
}

async fn make_table(clients: &Clients, name: &str, key: &str, on_demand: bool) {
    let attribute = AttributeDefinition::builder().attribute_name(key).attribute_type(ScalarAttributeType::S);
    let schema = KeySchemaElement::builder().attribute_name(key).key_type(KeyType::Hash);
    let request = clients
        .dynamodb
        .create_table()
        .table_name(name)
        .attribute_definitions(attribute.build().expect("an attribute"))
        .key_schema(schema.build().expect("a key"));
    let request = if on_demand {
        request.billing_mode(BillingMode::PayPerRequest)
    } else {
        let capacity = ProvisionedThroughput::builder().read_capacity_units(5).write_capacity_units(5);
        request.provisioned_throughput(capacity.build().expect("a capacity"))
    };
    request.send().await.expect("a table");
    let row = clients.dynamodb.put_item().table_name(name).item(key, AttributeValue::S("by-hand".into()));
    row.item("Age", AttributeValue::S("3-9".into())).send().await.expect("a row");
}

async fn make_bucket(clients: &Clients, name: &str) {
    clients.s3.create_bucket().bucket(name).send().await.expect("a bucket");
    put(clients, name, "by-hand.txt").await;
}

async fn put(clients: &Clients, bucket: &str, key: &str) {
    let body = b"kept".to_vec();
    clients.s3.put_object().bucket(bucket).key(key).body(body.into()).send().await.expect("an object");
}

async fn row_by_hand(clients: &Clients, table: &str) -> bool {
    let request = clients.dynamodb.get_item().table_name(table).key("FaceID", AttributeValue::S("by-hand".into()));
    request.send().await.is_ok_and(|reply| reply.item.is_some())
}

async fn object_by_hand(clients: &Clients, bucket: &str) -> bool {
    clients.s3.get_object().bucket(bucket).key("by-hand.txt").send().await.is_ok()
}

#[test]
fn up_adopts_the_data_that_down_kept() {
    let local = Local::new("keep");
    local.run(&["up", "--no-smoke"], 0);
    local.run(&["detect", &fixture("two-faces.jpg")], 0);
    assert_eq!(counts(&local.run(&["status"], 0)), (1, 2));

    let down = local.run(&["down", "--keep-data"], 0);
    let kept: Vec<(String, u64)> = down
        .of_type("kept_data")
        .iter()
        .map(|kept| (kept["kind"].as_str().expect("a kind").to_owned(), kept["count"].as_u64().expect("a count")))
        .collect();
    assert_eq!(kept, [("bucket".to_owned(), 1), ("table".to_owned(), 2)]);
    assert!(!gone(&down).contains(&"AWS::DynamoDB::Table".to_owned()));

    let refused = local.run(&["up"], 4);
    assert!(refused.of_type("error")[0]["hints"].to_string().contains("add `--adopt` to `up`"), "{}", refused.stdout);

    let plan = local.run(&["plan", "--adopt"], 0);
    assert_eq!(imports(&plan), ["Bucket", "Table"]);
    assert!(effects(&plan).is_empty(), "resources that the template created lose nothing: {}", plan.stdout);
    assert_eq!(local.run(&["status"], 1).of_type("no_stack").len(), 1, "`plan` leaves no stack behind");

    let up = local.run(&["up", "--adopt"], 0);
    assert_eq!(up.of_type("smoke_passed").len(), 1, "{}", up.stdout);
    assert_eq!(counts(&local.run(&["status"], 0)), (1, 2), "the adopted rows and pictures are still there");
    assert_eq!(local.run(&["up", "--adopt"], 0).of_type("no_changes").len(), 1);

    local.run(&["down"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_existing_resources_are_adopted() {
    let local = Local::new("hand");
    local.run(&["local", "start"], 0);
    let clients = local.clients();
    for (table, bucket, expected) in
        [(true, false, vec!["Table"]), (false, true, vec!["Bucket"]), (true, true, vec!["Bucket", "Table"])]
    {
        if table {
            make_table(&clients, "FaceData", "FaceID", bucket).await;
        }
        if bucket {
            make_bucket(&clients, "holiday-pictures").await;
        }
        let settings = ["-P", "BucketName=holiday-pictures", "--region", "us-east-1", "-P", HERE, "-P", "TlsOnly=no"];
        if !bucket {
            // Its capacity would be given up.
            let refused = remote(&local, &[&["up", "--adopt"], &settings[..]].concat(), 4);
            assert_eq!(effects(&refused), [("BillingMode".to_owned(), "weakens".to_owned())]);
        }
        let up = remote(&local, &[&["up", "--adopt", "--accept-changes"], &settings[..]].concat(), 0);
        assert_eq!(imports(&up), expected);
        assert_eq!(up.of_type("smoke_passed").len(), 1, "{}", up.stdout);
        assert_eq!(row_by_hand(&clients, "FaceData").await, table);
        assert_eq!(object_by_hand(&clients, "holiday-pictures").await, bucket);
        let capacity = clients.dynamodb.describe_table().table_name("FaceData").send().await.expect("the table");
        let mode = capacity.table.and_then(|table| table.billing_mode_summary?.billing_mode);
        assert_eq!(mode, Some(BillingMode::PayPerRequest), "the billing mode of the template");
        let down = remote(&local, &["down", "--region", "us-east-1"], 0);
        assert_eq!(down.of_type("nothing_left").len(), 1);
    }
}

/// Gives a bucket what somebody else may have set up: a key, a lifecycle rule, a notification, and a grant.
async fn furnish(clients: &Clients, bucket: &str) {
    let (s3, name) = (&clients.s3, bucket);
    let key = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::AwsKms);
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(default.kms_master_key_id(key).build().expect("a default"));
    let encryption = ServerSideEncryptionConfiguration::builder().rules(rule.build()).build().expect("a rule");
    let request = s3.put_bucket_encryption().bucket(name).server_side_encryption_configuration(encryption);
    request.send().await.expect("encryption");
    let rule = LifecycleRule::builder()
        .id("tidy")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("tmp/").build())
        .expiration(LifecycleExpiration::builder().days(30).build());
    let lifecycle = BucketLifecycleConfiguration::builder().rules(rule.build().expect("a rule"));
    let request = s3.put_bucket_lifecycle_configuration().bucket(name);
    request.lifecycle_configuration(lifecycle.build().expect("rules")).send().await.expect("a lifecycle");
    let notification =
        NotificationConfiguration::builder().event_bridge_configuration(EventBridgeConfiguration::builder().build());
    let request = s3.put_bucket_notification_configuration().bucket(name);
    request.notification_configuration(notification.build()).send().await.expect("a notification");
    let ownership = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::ObjectWriter);
    let ownership = OwnershipControls::builder().rules(ownership.build().expect("a rule")).build().expect("rules");
    let request = s3.put_bucket_ownership_controls().bucket(name).ownership_controls(ownership);
    request.send().await.expect("ownership");
    let open = PublicAccessBlockConfiguration::builder().block_public_acls(false).build();
    let request = s3.put_public_access_block().bucket(name).public_access_block_configuration(open);
    request.send().await.expect("no public access block");
    s3.put_bucket_acl().bucket(name).acl(BucketCannedAcl::PublicRead).send().await.expect("a grant");
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let request = s3.put_bucket_versioning().bucket(name).versioning_configuration(versioning);
    request.send().await.expect("versioning");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_set_up_is_replaced_only_if_that_is_accepted() {
    let local = Local::new("furnished");
    local.run(&["local", "start"], 0);
    let clients = local.clients();
    make_bucket(&clients, "furnished-pictures").await;
    furnish(&clients, "furnished-pictures").await;
    let adopt = ["up", "--adopt", "--no-smoke", "-P", "BucketName=furnished-pictures"];

    let refused = local.run(&adopt, 4);
    let effects = effects(&refused);
    for (path, effect) in [
        ("BucketEncryption", "weakens"),
        ("LifecycleConfiguration", "removes"),
        ("NotificationConfiguration", "removes"),
        ("AccessControl", "removes"),
    ] {
        assert!(effects.contains(&(path.to_owned(), effect.to_owned())), "{path} is not in {effects:?}");
    }
    assert_eq!(refused.of_type("parameters_adopted")[0]["parameters"]["Versioning"], "yes");
    assert_eq!(local.run(&["status"], 1).of_type("no_stack").len(), 1, "nothing was made");
    let acl = async || {
        let reply = clients.s3.get_bucket_acl().bucket("furnished-pictures").send().await.expect("an ACL");
        reply.grants().len()
    };
    assert_eq!(acl().await, 2, "nothing was taken away");

    let up = local.run(&[&adopt[..], &["--accept-changes"]].concat(), 0);
    assert_eq!(imports(&up), ["Bucket"]);
    assert_eq!(acl().await, 1);
    // This emulator's CloudFormation does not update a bucket's ownership; `tests/scripted/adopt.rs` checks the change.
    let versioning = clients.s3.get_bucket_versioning().bucket("furnished-pictures").send().await.expect("it");
    assert_eq!(versioning.status, Some(BucketVersioningStatus::Enabled), "it stays on");
    assert!(object_by_hand(&clients, "furnished-pictures").await);
    assert_eq!(local.run(&adopt, 0).of_type("no_changes").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unsuitable_resources_are_refused_and_unchanged() {
    let local = Local::new("refuse");
    local.run(&["local", "start"], 0);
    let clients = local.clients();
    make_table(&clients, "FaceData", "Id", true).await;
    make_table(&clients, "Good", "FaceID", true).await;
    make_bucket(&clients, "with-policy").await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:DeleteBucket","Resource":"arn:aws:s3:::with-policy"}]}"#;
    clients.s3.put_bucket_policy().bucket("with-policy").policy(policy).send().await.expect("a policy");
    for (parameters, message) in [
        (
            &[] as &[&str],
            "table `FaceData` cannot be adopted: its key is `Id` (S), but the rows need the key `FaceID` (S)",
        ),
        (
            &["-P", "TableName=Good", "-P", "BucketName=with-policy", "-P", "TlsOnly=yes"],
            "bucket `with-policy` has a policy, which the template would replace",
        ),
    ] {
        let refused = local.run(&[&["up", "--adopt"], parameters].concat(), 4);
        let error = &refused.of_type("error")[0];
        assert_eq!(error["message"], message);
        assert!(!error["hints"].as_array().expect("hints").is_empty());
        assert_eq!(local.run(&["status"], 1).of_type("no_stack").len(), 1, "no stack was created");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_versioned_bucket_is_deleted_with_all_versions() {
    let local = Local::new("versions");
    let up = local.run(&["up", "--no-smoke", "-P", "Versioning=yes", "-P", "FailureQueue=yes", "-P", "Alarms=yes"], 0);
    let outputs = up.of_type("outputs")[0]["outputs"].clone();
    let (bucket, queue) =
        (outputs["BucketName"].as_str().expect("it"), outputs["FailureQueueUrl"].as_str().expect("it"));
    let clients = local.clients();
    for key in ["a.txt", "b.txt", "a.txt", "c d+é.txt"] {
        put(&clients, bucket, key).await;
    }
    clients.s3.delete_object().bucket(bucket).key("b.txt").send().await.expect("a delete marker");
    for key in ["big-1.jpg", "big-2.jpg"] {
        clients.s3.create_multipart_upload().bucket(bucket).key(key).send().await.expect("an unfinished upload");
    }

    // An invocation record as Lambda writes it, and another message.
    let picture = std::fs::read(fixture("face.jpg")).expect("a picture");
    let stored = clients.s3.put_object().bucket(bucket).key("lost.jpg").body(picture.into()).send().await.expect("it");
    let event = serde_json::json!({ "Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": "ObjectCreated:Put",
        "eventTime": "2026-01-01T00:00:00.000Z",
        "s3": { "bucket": { "name": bucket }, "object": {
            "key": "lost.jpg", "versionId": stored.version_id, "eTag": stored.e_tag.expect("an eTag").trim_matches('"'), "size": 1 } },
    }]});
    let record = serde_json::json!({ "version": "1.0", "requestContext": { "condition": "RetriesExhausted" }, "requestPayload": event });
    for body in [record.to_string(), "no record".to_owned()] {
        clients.sqs.send_message().queue_url(queue).message_body(body).send().await.expect("a message");
    }
    let redrive = local.run(&["redrive"], 1);
    let redriven = &redrive.of_type("redriven")[0];
    assert_eq!((&redriven["sent"], &redriven["kept"]), (&1.into(), &1.into()), "{redriven}");
    assert_eq!(redrive.of_type("message_kept")[0]["reason"], "not_json");
    let again = local.run(&["redrive"], 1);
    let redriven = &again.of_type("redriven")[0];
    assert_eq!(
        (&redriven["sent"], &redriven["kept"]),
        (&0.into(), &1.into()),
        "the kept message is visible again at once"
    );

    while counts(&local.run(&["status"], 0)).1 == 0 {
        tokio::task::yield_now().await; // each run of `status` takes long enough between two checks
    }

    let down = local.run(&["down"], 0);
    let counted = &down.of_type("will_remove")[0]["objects"];
    assert_eq!(counted, 6, "four versions, a delete marker and a picture: {}", down.stdout);
    assert_eq!(
        gone(&down),
        [
            "AWS::CloudFormation::Stack",
            "AWS::DynamoDB::Table",
            "AWS::IAM::Role",
            "AWS::Lambda::EventInvokeConfig",
            "AWS::Lambda::Function",
            "AWS::Lambda::Permission",
            "AWS::Logs::LogGroup",
            "AWS::S3::Bucket",
            "AWS::SQS::Queue",
        ]
    );
    let unasked: Vec<_> =
        down.of_type("proof_impossible").into_iter().filter(|w| w.to_string().contains("Alarm")).collect();
    assert_eq!(unasked.len(), 4, "the emulator does not support `DescribeAlarms`, and the program reports this");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_emulator_lacks_drift_detection_and_redrive_needs_a_queue() {
    let local = Local::new("drift");
    let up = local.run(&["up", "--no-smoke", "-P", "FailureQueue=no"], 0);
    let function = up.of_type("outputs")[0]["outputs"]["FunctionName"].as_str().expect("a name").to_owned();
    let no_queue = local.run(&["redrive"], 1);
    assert!(no_queue.of_type("error")[0]["hints"].to_string().contains("--parameter FailureQueue=yes"));

    assert!(local.run(&["status", "--drift"], 0).of_type("drift")[0]["drifted"].as_array().is_some_and(Vec::is_empty));
    let clients = local.clients();
    let change = clients.lambda.update_function_configuration().function_name(&function).timeout(60);
    change.send().await.expect("a change outside the stack");
    let drifted = local.run(&["status", "--drift"], 1);
    let drift = &drifted.of_type("drift")[0]["drifted"][0];
    assert_eq!((&drift["logical_id"], &drift["properties"][0]["path"]), (&"Function".into(), &"/Timeout".into()));

    let two = ["--region", "us-east-1", "--region", "eu-west-1"];
    let status = remote(&local, &[&["status"], two.as_slice()].concat(), 1);
    let regions: Vec<String> = ["status", "no_stack"]
        .iter()
        .map(|kind| status.of_type(kind)[0]["region"].as_str().expect("a region").to_owned())
        .collect();
    assert_eq!(regions, ["us-east-1", "eu-west-1"], "the exit code of the run is the worst one");
    let plans =
        remote(&local, &[&["plan", "--detailed-exitcode", "-P", HERE], two.as_slice()].concat(), 2).of_type("planned");
    assert_eq!(plans.len(), 2);

    // Without the smoke test, because the emulator gives the roles of both stacks the same name.
    let up = remote(&local, &[&["up", "--no-smoke", "-P", HERE, "-P", "TlsOnly=no"], two.as_slice()].concat(), 0);
    assert_eq!(up.of_type("no_changes")[0]["region"], "us-east-1");
    assert_eq!(up.of_type("operation_ended")[0]["region"], "eu-west-1");
    let down = remote(&local, &[&["down"], two.as_slice()].concat(), 0);
    assert_eq!(down.of_type("nothing_left").len(), 2);
}

#[test]
fn doctor_reports_missing_credentials() {
    let home = Folder::new("doctor");
    let run = run(provisioner(&home.0).args(["doctor", "--region", "eu-west-1"])).expect(1);
    assert!(run.stdout.contains("eu-west-1 has Rekognition"), "{}", run.stdout);
    assert!(run.stdout.contains("no AWS credentials were found"), "{}", run.stdout);
    assert!(run.stdout.contains("hint: "), "{}", run.stdout);
}
