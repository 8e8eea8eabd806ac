//! Tests attached buckets on the local cloud: a bucket with a notification of its own, before, during, and after.

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use std::time::{Duration, Instant};

use aws_sdk_s3::types::{EventBridgeConfiguration, NotificationConfiguration, QueueConfiguration};
use provisioner::aws::bucket::{self, Bucket};
use provisioner::aws::{Clients, event_flag, tell_nobody};
use serde_json::json;
use support::Run;
use support::local::{ACCOUNT, Local, fixture};

const PHOTOS: &str = "my-own-photos";

fn photos() -> Bucket {
    Bucket::new(PHOTOS, ACCOUNT)
}

/// The raw notification configuration of the bucket.
async fn configuration(clients: &Clients) -> String {
    event_flag::configuration(&clients.s3, &photos()).await.expect("a configuration")
}

/// Creates the bucket, which notifies somebody else's queue of uploads.
async fn make_photos(clients: &Clients) {
    clients.s3.create_bucket().bucket(PHOTOS).send().await.expect("a bucket");
    notify(clients, false).await;
}

/// Writes the configuration as somebody else's deployment does: without the flag, unless this is asked for.
async fn notify(clients: &Clients, flag: bool) {
    let queue = clients.sqs.create_queue().queue_name("theirs").send().await.expect("a queue");
    let arn = format!("arn:aws:sqs:us-east-1:{ACCOUNT}:theirs");
    assert!(queue.queue_url.is_some_and(|url| url.ends_with("/theirs")));
    let theirs = QueueConfiguration::builder().id("theirs").queue_arn(arn).events("s3:ObjectCreated:*".into());
    let configuration = NotificationConfiguration::builder()
        .queue_configurations(theirs.build().expect("a configuration"))
        .set_event_bridge_configuration(flag.then(|| EventBridgeConfiguration::builder().build()))
        .build();
    let request = clients.s3.put_bucket_notification_configuration().bucket(PHOTOS).skip_destination_validation(true);
    request.notification_configuration(configuration).send().await.expect("a notification");
}

async fn upload(clients: &Clients, key: &str) {
    let body = std::fs::read(fixture("face.jpg")).expect("a fixture");
    bucket::put(&clients.s3, &photos(), key, body, "image/jpeg").await.expect("an upload");
}

/// The keys of the rows of this bucket, once there are as many.
async fn keys(clients: &Clients, count: usize) -> Vec<String> {
    let (mut keys, started) = (Vec::new(), Instant::now());
    while started.elapsed() < Duration::from_mins(1) {
        let rows = clients.dynamodb.scan().table_name("FaceData").send().await.expect("rows").items.unwrap_or_default();
        let text = |row: &std::collections::HashMap<String, _>, name: &str| {
            row.get(name).and_then(|value: &aws_sdk_dynamodb::types::AttributeValue| value.as_s().ok().cloned())
        };
        let ours = rows.iter().filter(|row| text(row, "Bucket").as_deref() == Some(PHOTOS));
        keys = ours.filter_map(|row| text(row, "Key")).collect();
        if keys.len() >= count {
            break;
        }
    }
    keys.sort();
    keys
}

/// Checks that these parts are in the error of a run.
#[track_caller]
fn says(run: &Run, parts: &[&str]) {
    let errors = run.of_type("error");
    let error = errors.last().expect("an error").to_string();
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in {error}");
    }
}

/// The flags that a run switched.
fn switched(run: &Run) -> Vec<bool> {
    run.of_type("flag_switched").iter().map(|event| event["on"].as_bool().expect("a flag")).collect()
}

#[tokio::test]
async fn a_bucket_is_attached_and_gets_its_settings_back() {
    let local = Local::new("attach");
    local.run(&["local", "start"], 0);
    let clients = local.clients();
    make_photos(&clients).await;
    let before = configuration(&clients).await;
    assert!(before.contains("theirs") && !before.contains("EventBridge"), "{before}");
    upload(&clients, "2024/before.jpg").await;

    let place = format!("s3://{PHOTOS}/2024/");
    let other = format!("s3://{PHOTOS}/håll i + /");
    let up = local.run(&["up", "-P", "Backfill=yes", "--attach", &place, "--attach", &other], 0);
    assert_eq!(up.of_type("planned")[0]["plan"]["switches"], json!([{ "bucket": PHOTOS, "on": true }]));
    assert_eq!(switched(&up), [true]);
    let steps: Vec<_> =
        up.of_type("smoke_step").into_iter().filter(|step| step["step"]["name"] == "attached").collect();
    assert_eq!(steps.len(), 1, "{}", up.stdout);
    let during = configuration(&clients).await;
    assert!(during.contains("EventBridgeConfiguration") && during.contains("theirs"), "{during}");

    for key in ["2024/new.jpg", "håll i + /new.jpg", "2023/other.jpg"] {
        upload(&clients, key).await;
    }
    assert_eq!(keys(&clients, 2).await, ["2024/new.jpg", "håll i + /new.jpg"]);
    let faces = local.run(&["faces", &format!("{other}new.jpg")], 0);
    assert_eq!(faces.of_type("faces")[0]["rows"].as_array().map(Vec::len), Some(1));
    local.run(&["faces", &format!("s3://{PHOTOS}/2023/other.jpg")], 1);
    let none = local.run(&["detect", &fixture("no-face.jpg")], 0);
    assert_eq!(none.of_type("faces")[0]["outcome"], "no_face");

    // Later deployments keep what is attached.
    assert_eq!(local.run(&["plan"], 0).of_type("planned")[0]["plan"]["operation"], "none");
    assert!(switched(&local.run(&["up", "-P", "RetentionDays=30", "--no-smoke"], 0)).is_empty());
    assert_eq!(configuration(&clients).await, during);

    // Somebody else's deployment replaces the whole configuration.
    notify(&clients, false).await;
    let status = local.run(&["status"], 1);
    assert_eq!(status.of_type("status")[0]["report"]["attached"][0]["sends_events"], false);
    says(&local.run(&["smoke"], 3), &["my-own-photos", "EventBridge"]);
    assert_eq!(local.run(&["plan", "--detailed-exitcode"], 2).of_type("planned")[0]["plan"]["operation"], "none");
    assert_eq!(switched(&local.run(&["up"], 0)), [true]);
    assert_eq!(configuration(&clients).await, during);
    local.run(&["status"], 0);
    let smoke = local.run(&["smoke", "--write-attached"], 0);
    assert_eq!(smoke.of_type("writing_to_attached").len(), 1);
    assert_eq!(smoke.of_type("smoke_passed")[0]["pictures"], 2);
    let listed = clients.s3.list_objects_v2().bucket(PHOTOS).prefix("2024/").send().await.expect("a list");
    assert_eq!(listed.key_count(), Some(2), "the smoke test's picture is gone");
    let results = clients.dynamodb.scan().table_name("FaceDataPictures").send().await.expect("results");
    assert_eq!(results.count(), 3, "and so is its result: {:?}", results.items());

    let nothing = local.run(&["up", "--detach", &format!("s3://{PHOTOS}/elsewhere/"), "--no-smoke"], 0);
    assert_eq!(nothing.of_type("not_attached")[0]["attached"], json!([place, other]));
    assert!(switched(&local.run(&["up", "--detach", &place, "--no-smoke"], 0)).is_empty());
    assert_eq!(switched(&local.run(&["up", "--detach", &format!("s3://{PHOTOS}"), "--no-smoke"], 0)), [false]);
    assert_eq!(configuration(&clients).await, before);
    assert_eq!(local.run(&["plan"], 0).of_type("planned")[0]["plan"]["operation"], "none");
    // Its rows stay, and can still be erased.
    let forgotten = local.run(&["forget", "--prefix", &place], 0);
    assert_eq!(forgotten.of_type("forget_found")[0]["found"]["rows"], 1);
    assert_eq!(keys(&clients, 1).await, ["håll i + /new.jpg"]);
}

#[tokio::test]
async fn an_interrupted_detachment_and_an_interrupted_deletion_are_completed() {
    let local = Local::new("detach");
    local.run(&["local", "start"], 0);
    let clients = local.clients();
    make_photos(&clients).await;
    let before = configuration(&clients).await;

    // The record that `up --detach` writes before its update, and the flag that it has not switched off yet.
    local.run(&["up", "--no-smoke"], 0);
    let packages = Bucket::new(format!("provisioner-artefacts-{ACCOUNT}-us-east-1-an"), ACCOUNT);
    let record = serde_json::to_vec(&[PHOTOS]).expect("JSON");
    let key = "face-recognition/detaching.json";
    bucket::put(&clients.s3, &packages, key, record, "application/json").await.expect("a record");
    notify(&clients, true).await;
    assert_eq!(switched(&local.run(&["up", "--no-smoke"], 0)), [false]);
    assert_eq!(configuration(&clients).await, before);
    assert!(clients.s3.head_object().bucket(&packages.name).key(key).send().await.is_err());

    // A flag that was on before stays on.
    notify(&clients, true).await;
    let on = configuration(&clients).await;
    assert!(switched(&local.run(&["up", "--attach", &format!("s3://{PHOTOS}"), "--no-smoke"], 0)).is_empty());
    assert!(switched(&local.run(&["up", "--detach", &format!("s3://{PHOTOS}"), "--no-smoke"], 0)).is_empty());
    assert_eq!(configuration(&clients).await, on);

    // A flag that another rule needs stays on, too.
    notify(&clients, false).await;
    assert_eq!(switched(&local.run(&["up", "--attach", &format!("s3://{PHOTOS}"), "--no-smoke"], 0)), [true]);
    let pattern = json!({ "source": ["aws.s3"], "detail": { "bucket": { "name": [{ "prefix": "my-" }] } } });
    let rule = clients.events.put_rule().name("thumbnails").event_pattern(pattern.to_string());
    rule.send().await.expect("a rule");
    let detached = local.run(&["up", "--detach", &format!("s3://{PHOTOS}"), "--no-smoke"], 0);
    assert!(detached.of_type("flag_kept")[0]["reason"]["rule"].as_str().is_some_and(|arn| arn.ends_with("thumbnails")));
    assert_eq!(configuration(&clients).await, on);
    clients.events.delete_rule().name("thumbnails").send().await.expect("no rule");

    // A stack that is gone while the flag is still on: `down` was killed in between.
    notify(&clients, false).await;
    local.run(&["up", "--attach", &format!("s3://{PHOTOS}/2024/"), "--no-smoke"], 0);
    clients.cloudformation.delete_stack().stack_name("face-recognition").send().await.expect("a deletion");
    assert_eq!(switched(&local.run(&["down"], 0)), [false]);
    assert_eq!(configuration(&clients).await, before);
}

#[tokio::test]
async fn what_cannot_be_attached_is_refused() {
    let local = Local::new("unattachable");
    local.run(&["local", "start"], 0);
    let clients = local.clients();
    let refused = |url: &str, parts: &[&str]| says(&local.run(&["up", "--no-smoke", "--attach", url], 4), parts);
    refused("s3://no-such-bucket", &["`no-such-bucket`", "does not exist", "aws s3 ls"]);
    refused(&format!("s3://face-recognition-{ACCOUNT}-us-east-1-an"), &["cannot be attached"]);
    refused("s3://photos/a*", &["`*`, `?`, or `$`"]);
    local.run(&["up", "--attach", "photos"], 2);
    local.run(&["up", "--attach", "s3://photos", "--detach", "s3://photos"], 4);
    let elsewhere = Clients::of_local_cloud(&local.endpoint(), "eu-west-1", (ACCOUNT, "test"), tell_nobody());
    let constraint = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint("eu-west-1".into());
    let request = elsewhere.s3.create_bucket().bucket("far-away").create_bucket_configuration(constraint.build());
    request.send().await.expect("a bucket");
    refused("s3://far-away", &["it is in eu-west-1", "--region eu-west-1"]);
    let other = Clients::of_local_cloud(&local.endpoint(), "us-east-1", ("111111111111", "test"), tell_nobody());
    other.s3.create_bucket().bucket("of-somebody-else").send().await.expect("a bucket");
    refused("s3://of-somebody-else", &[&format!("account {ACCOUNT}")]);
    assert!(clients.cloudformation.describe_stacks().send().await.expect("stacks").stacks().is_empty());
}
