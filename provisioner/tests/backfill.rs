//! Tests the work on existing pictures as a user runs it, with the real program, the real function, and the local cloud.

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::types::Environment;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sqs::types::QueueAttributeName;
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

/// Sets a variable of the function's environment, and returns its value before.
async fn set_variable(local: &Local, name: &str, value: &str) -> String {
    let lambda = local.clients().lambda;
    let function = output(local, "FunctionName");
    let reply = lambda.get_function_configuration().function_name(&function).send().await.expect("the function");
    let mut variables = reply.environment.and_then(|environment| environment.variables).expect("variables");
    let before = variables.insert(name.to_owned(), value.to_owned()).expect("the variable is set");
    let environment = Environment::builder().set_variables(Some(variables)).build();
    let request = lambda.update_function_configuration().function_name(&function).environment(environment);
    request.send().await.expect("an update");
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_fails_permanently_is_reported() {
    let local = Local::new("backfill-failure");
    local.run(&["up", "--no-smoke", "-P", "KeyPrefix=new/"], 0);
    put(&local, "old/face.jpg", picture("face.jpg")).await;
    put(&local, "old/two-faces.jpg", picture("two-faces.jpg")).await;
    local.run(&["up", "--no-smoke", "-P", "KeyPrefix=", "-P", "Backfill=yes"], 0);
    let table = set_variable(&local, "TABLE_NAME", "no-such-table").await;
    // The five attempts need not wait for minutes.
    let queue = output(&local, "BackfillQueueUrl");
    let request = local.clients().sqs.set_queue_attributes().queue_url(queue);
    request.attributes(QueueAttributeName::VisibilityTimeout, "1").send().await.expect("a time-out");

    let failed = local.run(&["backfill"], 3);
    assert_eq!(failed.of_type("backfill_done")[0]["failed"], 2, "{}", failed.stdout);
    assert_eq!(local.run(&["status"], 0).of_type("status")[0]["report"]["failed"], 2);

    set_variable(&local, "TABLE_NAME", &table).await;
    assert_eq!(local.run(&["redrive"], 0).of_type("redriven")[0]["sent"], 2);
    let after = local.run(&["backfill"], 0);
    assert_eq!((&tally(&after)["done"], &tally(&after)["to_process"]), (&json!(2), &json!(0)), "{}", after.stdout);
}

/// An output of the stack.
fn output(local: &Local, name: &str) -> String {
    let outputs = local.run(&["status"], 0).of_type("status")[0]["report"]["outputs"].clone();
    outputs[name].as_str().expect("an output").to_owned()
}

/// Sends an event to the failure queue, as Lambda, SQS, or EventBridge does.
async fn fail(local: &Local, message: &Value) {
    let url = output(local, "FailureQueueUrl");
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

/// More keys than are read at once, more versions of one of them than a page has, and a picture with a hundred rows.
#[tokio::test(flavor = "multi_thread")]
async fn many_keys_versions_and_rows_are_forgotten() {
    const KEYS: usize = 200;
    const VERSIONS: usize = 1_010;
    let local = Local::new("forget");
    local.run(&["up", "--no-smoke", "-P", "KeyPrefix=new/", "-P", "Versioning=yes", "-P", "Backfill=yes"], 0);
    let clients = local.clients();
    for version in 0..VERSIONS {
        put(&local, "old/many-versions.jpg", version.to_string().into_bytes()).await;
    }
    for key in 0..KEYS {
        put(&local, &format!("many/{key}.jpg"), b"text".to_vec()).await;
    }
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let crowd = format!("{BUCKET}/gone/crowd.jpg");
    let item = clients.dynamodb.put_item().table_name("FaceDataPictures").item("Picture", text(&crowd));
    let item = item.item("Content", text("etag:e")).item("FaceID", text("0a")).item("Outcome", text("stored"));
    let item = item.item("FaceCount", AttributeValue::N("100".to_owned())).item("ProcessedAt", text("2026-01-01"));
    item.send().await.expect("a result");
    for rank in 0..100 {
        let row = clients.dynamodb.put_item().table_name("FaceData").item("FaceID", text(&format!("0a#{rank:03}")));
        let row = row.item("Bucket", text(BUCKET)).item("Key", text("gone/crowd.jpg"));
        row.send().await.expect("a row");
    }
    let found = |run: &Run| run.of_type("forget_found")[0]["found"].clone();

    let crowd = local.run(&["forget", &format!("s3://{crowd}")], 0);
    assert_eq!(found(&crowd), json!({"versions": 0, "rows": 100, "results": 1}));
    let mut keys: Vec<String> = (0..KEYS).map(|at| format!("s3://{BUCKET}/many/{at}.jpg")).collect();
    keys.push(format!("s3://{BUCKET}/old/many-versions.jpg"));
    let arguments: Vec<&str> = ["forget", "--picture"].into_iter().chain(keys.iter().map(String::as_str)).collect();
    let all = local.run(&arguments, 0);
    assert_eq!(found(&all), json!({"versions": KEYS + VERSIONS, "rows": 0, "results": 0}));
    assert_eq!(found(&local.run(&["forget", "--prefix", "m"], 0))["versions"], 0);
    assert_eq!(found(&local.run(&["forget", "--prefix", "old/"], 0))["versions"], 0);
    for table in ["FaceData", "FaceDataPictures"] {
        let left = clients.dynamodb.scan().table_name(table).send().await.expect("a table");
        // The marks of the versions that were deleted stay.
        let open = left.items().iter().filter(|item| item.get("Outcome") != Some(&text("forgotten"))).count();
        assert_eq!(open, 0, "{table}");
    }
}
