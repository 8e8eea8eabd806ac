//! `backfill` in situations that emulators do not support: quotas, denied requests, a queue that does not get empty.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cloud::{BODY, ChangeSet, Cloud, Script, at};
use super::run::{Run, interrupt, provisioner, start};
use super::standing;

const BACKFILL: [&str; 4] = ["backfill", "--yes", "--output", "json"];

/// A stack with these versions of objects in its bucket, none of which was processed, and with an empty queue.
fn script(versions: &str) -> Script {
    let counts = json!({"Attributes": {"ApproximateNumberOfMessages": "0"}});
    let replies = [
        ("ListObjectVersions", format!("<ListVersionsResult>{versions}</ListVersionsResult>")),
        ("GetBucketVersioning", "<VersioningConfiguration></VersioningConfiguration>".to_owned()),
        ("BatchGetItem", json!({"Responses": {}}).to_string()),
        ("SendMessageBatch", accepted(&["0"])),
        ("GetQueueAttributes", counts.to_string()),
    ];
    Script {
        template: Some(provisioner::core::template::BUILT_IN.to_owned()),
        outputs: vec![
            ("TableName", "FaceData"),
            ("PictureTableName", "FaceDataPictures"),
            ("FailureQueueUrl", "http://127.0.0.1/failures"),
            ("BackfillQueueUrl", "http://127.0.0.1/backfill"),
        ],
        replies: replies.into_iter().map(|(call, reply)| (call, (200, reply))).collect(),
        detect_faces: Some(50.0),
        ..standing()
    }
}

/// The reply of `SendMessageBatch` if SQS accepts the messages with these ids.
fn accepted(ids: &[&str]) -> String {
    let one = |id: &&str| json!({"Id": id, "MessageId": "m", "MD5OfMessageBody": "x"});
    json!({"Successful": ids.iter().map(one).collect::<Vec<_>>(), "Failed": []}).to_string()
}

fn version(key: &str, more: &str) -> String {
    format!(
        "<Version><Key>{key}</Key><VersionId>null</VersionId><LastModified>2020-05-01T12:00:00.000Z</LastModified>\
         <ETag>&quot;e&quot;</ETag><Size>1000</Size>{more}</Version>"
    )
}

fn current(key: &str) -> String {
    version(key, "<IsLatest>true</IsLatest><StorageClass>STANDARD</StorageClass>")
}

#[tokio::test]
async fn a_queue_that_cannot_be_processed_is_refused() {
    let reserved = |number| vec![("ReservedConcurrency", number)];
    for (quota, deployed, said) in [
        (Some(0.0), Vec::new(), "the quota of DetectFaces is 0"),
        (Some(50.0), reserved("1"), "`ReservedConcurrency` is 1"),
        (None, reserved("0"), "`ReservedConcurrency` is 0"),
    ] {
        let script = Script { detect_faces: quota, deployed, ..script(&current("a.jpg")) };
        let cloud = Cloud::start(script).await;
        let run = provisioner(&cloud, &BACKFILL).await;
        run.ended(4);
        assert!(run.error().contains(said), "{}", run.error());
        assert_eq!(cloud.count("ListObjectVersions"), 0);
    }
}

#[tokio::test]
async fn only_the_parameters_of_the_queue_change_when_it_is_added() {
    let mut script = script(&current("a.jpg"));
    script.outputs.retain(|(name, _)| *name == "TableName");
    script.deployed = vec![("KeyPrefix", ""), ("ReservedConcurrency", "10"), ("CodeKey", "code.zip")];
    let added = json!({"Action": "Add", "LogicalResourceId": "BackfillQueue", "ResourceType": "AWS::SQS::Queue"});
    script.change_sets.push_back(ChangeSet::Changes(vec![added]));
    let cloud =
        Cloud::start(script.on("ExecuteChangeSet", vec![at("UPDATE_IN_PROGRESS"), at("UPDATE_COMPLETE")])).await;
    let run = provisioner(&cloud, &BACKFILL).await;
    // The scripted stack has no queue after its update either.
    run.ended(1);
    let made = cloud.calls().into_iter().find(|call| call.name == "CreateChangeSet").expect("a change set").parameters;
    let values: BTreeMap<&str, &str> = (1..)
        .map_while(|at| made.get(&format!("Parameters.member.{at}.ParameterKey")).zip(Some(at)))
        .map(|(name, at)| (name.as_str(), made[&format!("Parameters.member.{at}.ParameterValue")].as_str()))
        .collect();
    let expected = [
        ("Backfill", "yes"),
        ("BackfillConcurrency", "10"),
        ("CodeKey", "code.zip"),
        ("FailureQueue", "yes"),
        ("KeyPrefix", ""),
        ("ReservedConcurrency", "10"),
    ];
    assert_eq!(values, BTreeMap::from(expected));
    assert_eq!(made["TemplateBody"], provisioner::core::template::BUILT_IN);
    assert_eq!(cloud.count("PutObject"), 0, "the function stays as it is");
    assert_eq!(cloud.count("SendMessageBatch"), 0);
}

#[tokio::test]
async fn only_current_pictures_without_a_result_are_sent() {
    let archived = "<IsLatest>true</IsLatest><StorageClass>DEEP_ARCHIVE</StorageClass>";
    let versions = [
        current("a%2Bb.jpg"),
        version("a%2Bb.jpg", "<IsLatest>false</IsLatest>"),
        current("done.jpg"),
        current("forgotten.jpg"),
        version("archived.jpg", archived),
        current("notes.txt"),
        "<EncodingType>url</EncodingType>".to_owned(),
    ];
    let item = |key: &str, outcome: &str| json!({"Picture": {"S": format!("pictures/{key}")}, "Content": {"S": "etag:e"}, "Outcome": {"S": outcome}});
    let mut script = script(&versions.concat());
    let items = [item("done.jpg", "no_face"), item("forgotten.jpg", "forgotten")];
    script.replies.insert("BatchGetItem", (200, json!({"Responses": {"FaceDataPictures": items}}).to_string()));
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &BACKFILL).await;
    run.ended(0);
    let report = &run.event("backfill_found")["report"];
    let expected = json!({"listed": 5, "to_process": 1, "done": 1, "forgotten": 1, "other_type": 1, "too_large": 0,
        "empty": 0, "archived": 1, "expired": 0, "outside_span": 0});
    assert_eq!(report["tally"], expected);
    assert_eq!((&report["estimate"]["cost"], &report["estimate"]["seconds"]), (&json!(0.001), &json!(0.02)));
    let sent = bodies(&cloud, "SendMessageBatch");
    assert_eq!(sent.len(), 1);
    let message: Value =
        serde_json::from_str(sent[0]["Entries"][0]["MessageBody"].as_str().expect("a body")).expect("JSON");
    assert_eq!(message["Records"][0]["s3"]["object"]["key"], "a%2Bb.jpg");
    assert_eq!(run.event("backfill_done")["pictures"], 1);
}

/// The bodies of all calls with a name.
fn bodies(cloud: &Cloud, call: &str) -> Vec<Value> {
    let calls = cloud.calls().into_iter().filter(|one| one.name == call);
    calls.map(|one| serde_json::from_str(&one.parameters[BODY]).expect("JSON")).collect()
}

#[tokio::test]
async fn messages_that_sqs_does_not_accept_at_first_are_sent_again_and_counted_once() {
    let mut script = script(&["a.jpg", "b.jpg", "c.jpg"].map(current).concat());
    let busy = json!({"Id": "1", "Code": "InternalError", "Message": "busy", "SenderFault": false});
    let mut first: Value = serde_json::from_str(&accepted(&["0"])).expect("JSON");
    // The reply says nothing about the third message.
    first["Failed"] = json!([busy]);
    script.first_replies.insert("SendMessageBatch", [first.to_string(), accepted(&["1", "2"])].into());
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &BACKFILL).await;
    run.ended(0);
    let ids = |body: &Value| -> Vec<String> {
        let entries = body["Entries"].as_array().expect("entries").iter();
        entries.map(|entry| entry["Id"].as_str().expect("an id").to_owned()).collect()
    };
    let sent = bodies(&cloud, "SendMessageBatch");
    assert_eq!(sent.iter().map(ids).collect::<Vec<_>>(), [vec!["0", "1", "2"], vec!["1", "2"]]);
    assert_eq!(sent[0]["Entries"][2]["MessageBody"], sent[1]["Entries"][1]["MessageBody"]);
    assert_eq!(run.event("backfill_queued")["pictures"], 3);
}

#[tokio::test]
async fn a_message_that_sqs_rejects_is_reported() {
    let mut script = script(&["a.jpg", "b.jpg"].map(current).concat());
    let wrong = json!({"Id": "1", "Code": "InvalidMessageContents", "Message": "no", "SenderFault": true});
    let mut reply: Value = serde_json::from_str(&accepted(&["0"])).expect("JSON");
    reply["Failed"] = json!([wrong]);
    script.replies.insert("SendMessageBatch", (200, reply.to_string()));
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &BACKFILL).await;
    run.ended(1);
    assert!(run.error().contains("InvalidMessageContents: no"), "{}", run.error());
    assert!(!run.stdout.contains("backfill_queued"), "{}", run.stdout);
    assert_eq!(cloud.count("SendMessageBatch"), 1);
}

#[tokio::test]
async fn keys_that_dynamodb_leaves_out_are_asked_for_again() {
    let keys = ["done.jpg", "new.jpg", "late.jpg"];
    let mut script = script(&keys.map(current).concat());
    let key = |key: &str| json!({"Picture": {"S": format!("pictures/{key}")}, "Content": {"S": "etag:e"}});
    let item = |name: &str| {
        let mut item = key(name);
        item["Outcome"] = json!({"S": "stored"});
        json!({"Responses": {"FaceDataPictures": [item]}})
    };
    let mut first = item("done.jpg");
    first["UnprocessedKeys"] = json!({"FaceDataPictures": {"Keys": [key("new.jpg"), key("late.jpg")]}});
    let nothing = json!({"Responses": {}, "UnprocessedKeys": {}});
    // The third request asks for the rows of the pictures without a result.
    let replies = [first, item("late.jpg"), nothing].map(|reply| reply.to_string());
    script.first_replies.insert("BatchGetItem", replies.into());
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &[&BACKFILL[..], &["--dry-run"]].concat()).await;
    run.ended(0);
    let tally = &run.event("backfill_found")["report"]["tally"];
    assert_eq!((&tally["done"], &tally["to_process"]), (&json!(2), &json!(1)));
    let asked = bodies(&cloud, "BatchGetItem");
    assert_eq!(asked[1]["RequestItems"]["FaceDataPictures"]["Keys"], json!([key("new.jpg"), key("late.jpg")]));
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[2]["RequestItems"]["FaceData"]["Keys"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_interrupt_leaves_the_queue_to_aws() {
    let mut script = script(&current("a.jpg"));
    let counts =
        json!({"Attributes": {"ApproximateNumberOfMessages": "5", "ApproximateNumberOfMessagesNotVisible": "2"}});
    script.replies.insert("GetQueueAttributes", (200, counts.to_string()));
    let mut cloud = Cloud::start(script).await;
    let child = start(&cloud, &BACKFILL);
    cloud.until("GetQueueAttributes", 6).await;
    interrupt(&child);
    let run = Run::of(child).await;
    run.ended(130);
    assert_eq!(run.event("backfill_running")["pictures"], 7);
    assert!(run.error().contains("backfill --cancel"), "{}", run.error());
    assert_eq!(run.stdout.lines().last(), Some(r#"{"v":1,"type":"result","ok":false,"exit_code":130}"#));
    assert_eq!(cloud.count("SendMessageBatch"), 0, "nothing is sent while an earlier run is not done");
}

#[tokio::test]
async fn refused_requests_are_explained() {
    let denied = "User: arn:aws:iam::123456789012:user/dev is not authorized to perform: s3:ListBucketVersions on resource: \"arn:aws:s3:::pictures\" because no identity-based policy allows the s3:ListBucketVersions action";
    let cloud = Cloud::start(script("").fault("ListObjectVersions", (0, 9), (403, "AccessDenied", denied))).await;
    let run = provisioner(&cloud, &BACKFILL).await;
    run.ended(1);
    assert!(run.error().contains("s3:ListBucketVersions"), "{}", run.error());

    let gone = (400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.");
    let cloud = Cloud::start(script("").fault("GetQueueAttributes", (0, 9), gone)).await;
    let run = provisioner(&cloud, &BACKFILL).await;
    run.ended(1);
    assert!(run.error().contains("up --revert-drift"), "{}", run.error());

    let mut script = script("");
    let counts = json!({"Attributes": {"ApproximateNumberOfMessages": "5"}});
    script.replies.insert("GetQueueAttributes", (200, counts.to_string()));
    let busy = json!({"__type": "com.amazonaws.sqs#PurgeQueueInProgress", "message": "Only one PurgeQueue operation"});
    script.replies.insert("PurgeQueue", (400, busy.to_string()));
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &["backfill", "--cancel", "--yes", "--output", "json"]).await;
    run.ended(1);
    assert!(run.error().contains("at most once a minute"), "{}", run.error());
}

#[tokio::test]
async fn a_plan_names_the_price_of_existing_pictures_only_if_they_can_be_processed() {
    for (value, expected) in [("yes", 1), ("no", 0)] {
        let cloud = Cloud::start(Script::default()).await;
        let parameter = format!("Backfill={value}");
        let run = provisioner(&cloud, &["plan", "--output", "json", "--parameter", &parameter]).await;
        run.ended(0);
        assert_eq!(run.stdout.matches("backfill_priced").count(), expected, "{}", run.stdout);
    }
}

#[tokio::test]
async fn wrong_arguments_are_refused_before_anything_is_listed() {
    for arguments in [
        &["backfill", "--since", "2026-05-02", "--until", "2026-05-01"][..],
        &["backfill", "s3://another-bucket/"],
        &["backfill", "pictures"],
        &["backfill", "--limit", "0"],
        &["backfill", "--price", "cheap"],
        &["backfill", "--since", "soon"],
        &["backfill", "--cancel", "--dry-run"],
        &["forget"],
        &["forget", "--prefix", ""],
        &["forget", "s3://pictures/"],
        &["forget", "s3://another-bucket/a.jpg", "--picture"],
        &["forget", "s3://pictures/a.jpg", "--prefix", "a"],
    ] {
        let cloud = Cloud::start(script(&current("a.jpg"))).await;
        provisioner(&cloud, &[arguments, &["--yes", "--output", "json"]].concat()).await.ended(2);
        assert_eq!(cloud.count("ListObjectVersions"), 0, "{arguments:?}");
    }
}
