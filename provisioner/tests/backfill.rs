//! Tests the work on existing pictures as a user runs it, with the real program, the real function, and the local cloud.

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};
use support::Run;
use support::local::{Local, fixture};

const BUCKET: &str = "face-recognition-000000000000-us-east-1-an";

async fn put(local: &Local, key: &str, body: Vec<u8>) {
    let request = local.clients().s3.put_object().bucket(BUCKET).key(key).body(ByteStream::from(body));
    request.send().await.expect("an upload");
}

fn picture(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).expect("a fixture")
}

/// Uploads pictures that the function skips, because they do not have the extension that it was given.
async fn put_old_pictures(local: &Local) {
    local.run(&["up", "--no-smoke", "-P", "Extensions=tiff"], 0);
    put(local, "old/a b+é.jpg", picture("face.jpg")).await;
    // The first picture keeps the version `null`.
    local.run(&["up", "--no-smoke", "-P", "Versioning=yes"], 0);
    put(local, "old/two", picture("face.jpg")).await;
    put(local, "old/two", picture("two-faces.jpg")).await;
    put(local, "old/none.png", picture("no-face.jpg")).await;
    put(local, "old/notes.txt", b"text".to_vec()).await;
    put(local, "old/folder/", Vec::new()).await;
    for key in ["left/1.jpg", "left/2 é.jpg", "left/3.jpg"] {
        put(local, key, picture("face.jpg")).await;
    }
    let started = Instant::now();
    let skipped = |run: &Run| run.stdout.matches("OtherExtension").count();
    while skipped(&local.run(&["logs"], 0)) < 9 {
        assert!(started.elapsed() < Duration::from_mins(1), "the function has not seen the pictures");
    }
    local.run(&["up", "--no-smoke", "-P", "Extensions="], 0);
}

fn tally(run: &Run) -> Value {
    run.of_type("backfill_found")[0]["report"]["tally"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn old_pictures_get_their_rows_once() {
    let local = Local::new("backfill");
    put_old_pictures(&local).await;

    let old = format!("s3://{BUCKET}/old/");
    let dry = local.run(&["backfill", &old, "--dry-run"], 0);
    let expected = json!({"listed": 5, "to_process": 3, "done": 0, "forgotten": 0, "other_type": 1, "too_large": 0,
        "empty": 1, "archived": 0, "expired": 0, "outside_span": 0});
    assert_eq!(tally(&dry), expected);
    assert!(dry.of_type("outputs").is_empty(), "a dry run does not change the stack: {}", dry.stdout);

    let one = local.run(&["backfill", &format!("s3://{BUCKET}/old/t"), "--limit", "1"], 0);
    assert_eq!(one.of_type("planned").len(), 1, "the queue is added first: {}", one.stdout);
    assert_eq!(one.of_type("backfill_done")[0]["pictures"], 1);
    let rest = local.run(&["backfill", &old], 0);
    assert_eq!((&tally(&rest)["done"], &tally(&rest)["to_process"]), (&json!(1), &json!(2)));
    assert_eq!(rest.of_type("backfill_done")[0]["failed"], 0);

    let rows = |run: &Run| run.of_type("faces_found")[0]["rows"].clone();
    assert_eq!(rows(&local.run(&["faces"], 0)), 3, "one row of the first picture, two of the second");
    for key in ["old/a b+é.jpg", "old/two"] {
        local.run(&["faces", &format!("s3://{BUCKET}/{key}")], 0);
    }
    let again = local.run(&["backfill", &old], 0);
    assert_eq!((&tally(&again)["done"], &tally(&again)["to_process"]), (&json!(3), &json!(0)));
    assert!(again.of_type("backfill_queued").is_empty());
    assert_eq!(local.run(&["backfill", "--cancel"], 0).of_type("backfill_cancelled")[0]["pictures"], 0);
    assert_eq!(local.run(&["status"], 0).of_type("status")[0]["report"]["waiting"], 0);

    pictures_are_forgotten(&local).await;
    failed_events_of_every_kind_are_sent_again(&local).await;
}

/// Forgets a picture that stays, and then all pictures with a prefix together with their objects.
async fn pictures_are_forgotten(local: &Local) {
    let (two, old) = (format!("s3://{BUCKET}/old/two"), format!("s3://{BUCKET}/old/"));
    let found = |run: &Run| run.of_type("forget_found")[0]["found"].clone();
    let one = local.run(&["forget", &two], 0);
    assert_eq!(found(&one), json!({"versions": 2, "rows": 2, "results": 1}));
    assert_eq!(one.of_type("forgotten")[0]["copies"][0], json!({"place": "bucket", "marked": true}));
    local.run(&["faces", &two], 1);
    let again = local.run(&["forget", &two], 0);
    assert_eq!(found(&again), json!({"versions": 2, "rows": 0, "results": 0}), "the marks stay");
    let after = local.run(&["backfill", &old], 0);
    assert_eq!((&tally(&after)["forgotten"], &tally(&after)["to_process"]), (&json!(1), &json!(0)));
    // The function respects the mark, too.
    fail(
        local,
        &json!({"source": "aws.s3", "detail-type": "Object Created", "region": "us-east-1",
        "detail": {"bucket": {"name": BUCKET}, "object": {"key": "old/two"}}}),
    )
    .await;
    assert_eq!(local.run(&["redrive"], 0).of_type("redriven")[0]["sent"], 1);
    local.run(&["backfill", &old], 0);
    local.run(&["faces", &two], 1);

    let all = local.run(&["forget", "--prefix", "old/", "--picture"], 0);
    assert_eq!(found(&all), json!({"versions": 6, "rows": 1, "results": 2}));
    assert_eq!(found(&local.run(&["forget", "--prefix", "old/"], 0)), json!({"versions": 0, "rows": 0, "results": 0}));
    local.run(&["forget", "--prefix", ""], 2);
    // The rows of a bucket that was detached can be erased; its pictures cannot be deleted.
    local.run(&["forget", "s3://another-bucket/a.jpg", "--picture"], 2);
    local.run(&["forget", "s3://another-bucket/a.jpg"], 0);
    local.run(&["forget", &format!("s3://{BUCKET}/")], 2);
}

/// Sends an event to the failure queue, as Lambda, SQS, or EventBridge does.
async fn fail(local: &Local, message: &Value) {
    let outputs = local.run(&["status"], 0).of_type("status")[0]["report"]["outputs"].clone();
    let url = outputs["FailureQueueUrl"].as_str().expect("a queue").to_owned();
    let request = local.clients().sqs.send_message().queue_url(url).message_body(message.to_string());
    request.send().await.expect("a message");
}

async fn failed_events_of_every_kind_are_sent_again(local: &Local) {
    let notification = |key: &str| {
        let object = json!({"bucket": {"name": BUCKET}, "object": {"key": key}});
        json!({"Records": [{"eventName": "ObjectCreated:Put", "awsRegion": "us-east-1", "s3": object}]})
    };
    fail(local, &json!({"requestContext": {}, "requestPayload": notification("left/1.jpg")})).await;
    fail(local, &notification("left/2+%C3%A9.jpg")).await;
    fail(
        local,
        &json!({"source": "aws.s3", "detail-type": "Object Created", "region": "us-east-1",
        "detail": {"bucket": {"name": BUCKET}, "object": {"key": "left/3.jpg"}}}),
    )
    .await;
    assert_eq!(local.run(&["redrive"], 0).of_type("redriven")[0]["sent"], 3);
    // This follows the queue until it is empty.
    let after = local.run(&["backfill", &format!("s3://{BUCKET}/left/")], 0);
    assert_eq!((&tally(&after)["done"], &tally(&after)["to_process"]), (&json!(3), &json!(0)), "{}", after.stdout);
    fail(local, &json!({"a": "message of somebody else"})).await;
    assert_eq!(local.run(&["redrive"], 1).of_type("message_kept").len(), 1);
}
