//! Properties that hold for any event, any reply, and any order of deliveries.
//!
//! `cargo test` tries a few hundred cases of each. `PROPTEST_CASES` sets another number, as `make fuzz` does.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use function::{Outcome, Report};
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use serde_json::{Value, json};
use support::sources::{Source, Wrapper, batch};
use support::{Act, Cloud, Gate, Service, event, face, record};
use tokio::runtime::Runtime;

/// More than enough: no case waits for anything.
const TIME: Duration = Duration::from_mins(1);

/// Tests `property` with many values and shows the smallest one that fails. The number of cases is divided by `weight`,
/// for properties that take longer.
fn check<S: Strategy>(strategy: &S, weight: u32, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200);
    let config = ProptestConfig { cases: cases / weight, failure_persistence: None, ..ProptestConfig::default() };
    match TestRunner::new(config).run(strategy, property) {
        Ok(()) => {}
        Err(TestError::Fail(why, value)) => panic!("{why}\nwith {value:#?}"),
        Err(error) => panic!("{error}"),
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Unusual numbers and strings. A string between `@` signs becomes a bare token if the document is sent as text.
fn odd() -> impl Strategy<Value = Value> {
    let texts = [
        "",
        " ",
        "a.jpg",
        "../..",
        "%",
        "%00",
        "%FF",
        "%F0%9F%98%80",
        "+",
        "a/",
        "null",
        "NaN",
        "Infinity",
        "-Infinity",
        "\u{0}",
        "ObjectRemoved:Delete",
        "Notification",
        "aws.s3",
        "aws:sqs",
        "us-east-1",
        "1970-01-01T00:00:00Z",
        "@1e999@",
        "@-1e999@",
        "@1e-999@",
        "@-0.0@",
        "@1E+38@",
        "@123456789012345678901234567890@",
        "@NaN@",
        "@0.1e@",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![-1, 0, 1, 100, 101, i64::from(i32::MAX), 1 << 31, i64::MAX]).prop_map(Value::from),
        prop::sample::select(texts.to_vec()).prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[a-z]{1,3}".prop_map(|word| Value::from(word.repeat(1000))),
    ]
}

/// Any JSON, with a preference for the member names of events.
fn any_json() -> impl Strategy<Value = Value> {
    let names = [
        "Records",
        "Event",
        "s3",
        "bucket",
        "name",
        "object",
        "key",
        "versionId",
        "eTag",
        "awsRegion",
        "eventName",
        "eventTime",
        "eventSource",
        "messageId",
        "body",
        "Sns",
        "Type",
        "Message",
        "source",
        "detail",
        "detail-type",
    ];
    let name = prop_oneof![4 => prop::sample::select(names.to_vec()).prop_map(str::to_owned), 1 => ".{0,8}"];
    odd().prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6).prop_map(Value::from_iter),
        ]
    })
}

/// One change to a document.
#[derive(Clone, Debug)]
enum Change {
    Replace(Value),
    Remove,
    Repeat(usize),
    Insert(char),
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, Change)>> {
    let change = prop_oneof![
        4 => odd().prop_map(Change::Replace),
        2 => Just(Change::Remove),
        1 => (1..30usize).prop_map(Change::Repeat),
        1 => any::<char>().prop_map(Change::Insert),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), change), 1..6)
}

fn apply(mut document: Value, changes: &[(prop::sample::Index, Change)]) -> Value {
    for (index, change) in changes {
        let mut pointers = Vec::new();
        collect(&document, String::new(), &mut pointers);
        let pointer = &pointers[index.index(pointers.len())];
        let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
        match (change, document.pointer_mut(parent)) {
            (Change::Remove, Some(Value::Object(members))) => drop(members.remove(name)),
            (Change::Remove, Some(Value::Array(items))) if !items.is_empty() => drop(items.pop()),
            (Change::Repeat(times), Some(Value::Array(items))) if !items.is_empty() => {
                items.extend(vec![items[0].clone(); *times]);
            }
            (change, _) => match (change, document.pointer_mut(pointer)) {
                (Change::Replace(value), Some(target)) => *target = value.clone(),
                (Change::Insert(letter), Some(Value::String(text))) => text.insert(0, *letter),
                _ => {}
            },
        }
    }
    document
}

fn collect(value: &Value, pointer: String, pointers: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| collect(item, format!("{pointer}/{index}"), pointers));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| collect(member, format!("{pointer}/{name}"), pointers));
        }
        _ => {}
    }
    pointers.push(pointer);
}

/// Checks what holds for every report.
fn sound(event: &Value, report: &Report, cloud: &Cloud) -> Result<(), TestCaseError> {
    let expected = function::event::decode(event).records.len();
    prop_assert_eq!(report.records.len(), expected);
    let failed = report.records.iter().any(|record| matches!(record.outcome, Outcome::Failed(_)));
    let returned = report.response()["batchItemFailures"].as_array().is_some_and(|messages| !messages.is_empty());
    prop_assert_eq!((report.status() == 500, report.error_type().is_some() || returned), (failed, failed));
    let lines = function::telemetry::lines(report, "request", &cloud.settings, std::time::SystemTime::UNIX_EPOCH);
    prop_assert_eq!(lines.lines().count(), expected);
    for line in lines.lines() {
        prop_assert!(serde_json::from_str::<Value>(line).is_ok(), "{}", line);
    }
    for id in cloud.state().tables.rows.keys() {
        let (digits, rank) = id.split_once('#').unwrap_or_default();
        let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        prop_assert!(digits.len() == 32 && rank.len() == 3 && hex(digits) && hex(rank), "{}", id);
    }
    Ok(())
}

fn handle_any(strategy: &impl Strategy<Value = Value>) {
    let runtime = runtime();
    let cloud = runtime.block_on(Cloud::hasty());
    check(strategy, 1, |event| {
        cloud.forget();
        let report = runtime.block_on(cloud.handle(&event, TIME));
        sound(&event, &report, &cloud)
    });
    cloud.forget();
    let report = runtime.block_on(cloud.upload());
    assert_eq!(report.records[0].outcome, Outcome::Stored { faces: 1 }, "the next event must be handled");
}

#[test]
fn any_json_produces_a_report() {
    handle_any(&any_json());
}

#[test]
fn any_change_to_a_real_event_produces_a_report() {
    let real = || {
        let mut versioned = record("b%20%2B.png");
        versioned["s3"]["object"]["versionId"] = "v1".into();
        event(&[record("a.jpg"), versioned])
    };
    let messages = || {
        let (s3, eventbridge) = (Source::S3.upload("a.jpg"), Source::EventBridge.upload("b.jpg"));
        batch([&Wrapper::Envelope.wrap(&s3), &eventbridge, &Wrapper::Sns.wrap(&s3)])
    };
    let events = prop_oneof![Just(real()), Just(messages()), Just(Source::EventBridge.upload("a.jpg"))];
    handle_any(&(events, changes()).prop_map(|(event, changes)| apply(event, &changes)));
}

/// Any key that S3 and the SDK accept. The SDK rejects blank keys.
fn any_key() -> impl Strategy<Value = String> {
    let key = prop_oneof![".{1,40}", "[a-z+%/. ]{1,12}", "(%[0-9A-F]{2}|\\+){1,4}", Just("ü/a+b %2B.jpg".to_owned())];
    key.prop_filter("a key must be valid", |key| key.len() <= 1_024 && !key.trim().is_empty())
}

/// Keys are decoded exactly once in S3's notifications and never in events of EventBridge, however they are wrapped.
#[test]
fn any_wrapping_of_an_upload_leads_to_its_object() {
    let wrappers = prop::collection::vec(prop::sample::select(vec![Wrapper::Sns, Wrapper::Envelope]), 0..4);
    let source = prop::sample::select(vec![Source::S3, Source::EventBridge]);
    let runtime = runtime();
    let cloud = runtime.block_on(Cloud::hasty());
    check(&(source, any_key(), wrappers, any::<bool>()), 1, |(source, key, mut wrappers, queued)| {
        cloud.forget();
        wrappers.extend(queued.then_some(Wrapper::Sqs));
        let event = wrappers.iter().fold(source.upload(&key), |document, wrapper| wrapper.wrap(&document));
        let report = runtime.block_on(cloud.handle(&event, TIME));
        prop_assert_eq!(report.is_batch, queued);
        let state = cloud.state();
        if wrappers.len() <= 3 {
            prop_assert_eq!(&report.records[0].outcome, &Outcome::Stored { faces: 1 });
            prop_assert_eq!(
                state.tables.rows.values().next().map(|row| row["Key"]["S"].as_str()),
                Some(Some(key.as_str()))
            );
        } else {
            let Outcome::Failed(failure) = &report.records[0].outcome else { panic!("{report:?}") };
            prop_assert_eq!(failure.code.as_str(), "MalformedRecord");
            prop_assert!(state.calls.is_empty());
        }
        Ok(())
    });
}

#[test]
fn any_reply_of_rekognition_produces_valid_rows_or_a_retry() {
    let runtime = runtime();
    let cloud = runtime.block_on(Cloud::hasty());
    let real =
        || json!({ "FaceDetails": [face(0.25, "SAD"), face(0.5, "HAPPY")], "OrientationCorrection": "ROTATE_0" });
    let replies =
        changes().prop_map(move |changes| apply(real(), &changes).to_string().replace("\"@", "").replace("@\"", ""));
    check(&replies, 1, |reply| {
        cloud.forget();
        cloud.next(Service::Rekognition, [Act::Text(reply)]);
        let report = runtime.block_on(cloud.upload());
        let state = cloud.state();
        match &report.records[0].outcome {
            // A reply without a list of faces can be parsed, so the SDK does not retry it, but Lambda does.
            Outcome::Failed(failure) => {
                prop_assert!(failure.retryable && failure.message == "the reply has no `FaceDetails`", "{:?}", failure);
            }
            Outcome::NoFace => prop_assert!(state.tables.rows.is_empty()),
            Outcome::Stored { faces } => {
                prop_assert_eq!(*faces, state.tables.rows.len());
                prop_assert!((1..=100).contains(faces));
                state.tables.rows.values().try_for_each(|row| sound_row(row, *faces))?;
            }
            other => prop_assert!(false, "{:?}", other),
        }
        Ok(())
    });
}

fn sound_row(row: &Value, faces: usize) -> Result<(), TestCaseError> {
    let age = row["Age"]["S"].as_str().unwrap_or_default();
    let (low, high) = age.split_once('-').unwrap_or_default();
    let years = |text: &str| text.parse::<i32>().ok();
    let in_order = years(low).is_some() && years(low) <= years(high);
    prop_assert!(age == "UNKNOWN" || in_order, "{}", age);
    prop_assert_eq!(row.get("AgeLow").is_some(), age != "UNKNOWN");
    prop_assert!(row["Emotion"]["S"].as_str().is_some_and(|emotion| !emotion.is_empty()));
    let count = faces.to_string();
    prop_assert_eq!(row["FaceCount"]["N"].as_str(), Some(count.as_str()));
    let area = row["BoundingBox"]["M"].as_object().into_iter().flat_map(|sides| sides.values());
    for number in
        row.as_object().into_iter().flat_map(|row| row.values()).chain(area).filter_map(|value| value.get("N"))
    {
        // DynamoDB supports 38 digits and exponents from -130 to 125.
        let text = number.as_str().unwrap_or_default();
        let digits = text.trim_start_matches('-').replace('.', "");
        prop_assert!(text.parse::<f64>().is_ok_and(f64::is_finite), "{}", text);
        prop_assert!(digits.trim_matches('0').len() <= 38 && text != "-0", "{}", text);
    }
    Ok(())
}

/// One step of an interleaving.
#[derive(Clone, Copy, Debug)]
enum Turn {
    /// The next request of this delivery is served.
    Serve(usize),
    /// Another picture is uploaded under the same key.
    Overwrite,
}

/// Interleaves the requests of two deliveries of one event and of a delivery of the event that the overwrite causes.
#[test]
fn any_order_of_deliveries_produces_the_same_rows() {
    let turns =
        prop::collection::vec(prop_oneof![7 => (0..3usize).prop_map(Turn::Serve), 1 => Just(Turn::Overwrite)], 0..16);
    let pictures = prop::collection::vec(1..4usize, 2);
    // One runtime per case: dropping it closes the servers and sockets of the case.
    check(&(turns, pictures), 20, |(turns, pictures)| runtime().block_on(interleave(&turns, &pictures)));
}

fn picture(faces: usize, emotion: &str) -> Value {
    let widths = [0.5, 0.25, 0.125];
    widths.iter().take(faces).map(|width| face(*width, emotion)).collect()
}

/// The rows of an event's object if no other event is handled.
async fn alone(event: &Value, faces: &Value, etag: &'static str) -> BTreeMap<String, Value> {
    let cloud = Cloud::hasty().await;
    (cloud.state().faces, cloud.state().etag) = (faces.clone(), Some(etag));
    cloud.handle(event, TIME).await;
    cloud.state().tables.rows.clone()
}

async fn interleave(turns: &[Turn], pictures: &[usize]) -> Result<(), TestCaseError> {
    let (first, mut second) = (event(&[record("a.jpg")]), event(&[record("a.jpg")]));
    second["Records"][0]["s3"]["object"]["eTag"] = "second".into();
    let (old, new) = (picture(pictures[0], "HAPPY"), picture(pictures[1], "SAD"));
    let (old_rows, new_rows) = (alone(&first, &old, "first").await, alone(&second, &new, "second").await);
    prop_assert_eq!((old_rows.len(), new_rows.len()), (pictures[0], pictures[1]));

    let cloud = Cloud::hasty().await;
    cloud.state().faces = old;
    let mut deliveries = Vec::new();
    for event in [first.clone(), first, second] {
        let gate = Arc::new(Gate::closed());
        let client = cloud.gated(&gate).await;
        deliveries.push((gate, tokio::spawn(async move { client.handle(&event, TIME).await })));
    }
    let mut overwritten = false;
    for turn in turns {
        match *turn {
            Turn::Overwrite => {
                (cloud.state().faces, cloud.state().etag) = (new.clone(), Some("second"));
                overwritten = true;
            }
            // There is no second event before the second picture is uploaded.
            Turn::Serve(2) if !overwritten => {}
            Turn::Serve(which) => {
                let (gate, delivery) = &mut deliveries[which];
                if !delivery.is_finished() {
                    gate.go.add_permits(1);
                    // Wait until the reply is sent or the delivery has ended.
                    tokio::select! { () = gate.served.notified() => {}, () = ended(delivery) => {} }
                }
            }
        }
    }
    let mut outcomes = Vec::new();
    for (which, (gate, delivery)) in deliveries.into_iter().enumerate() {
        if which == 2 && !overwritten {
            delivery.abort();
            continue;
        }
        gate.go.add_permits(100);
        outcomes.push(delivery.await.unwrap().records.remove(0).outcome);
    }
    let mut expected = BTreeMap::new();
    for (which, outcome) in outcomes.iter().enumerate() {
        let rows = if which == 2 { &new_rows } else { &old_rows };
        match outcome {
            Outcome::Stored { faces } if *faces == rows.len() => expected.extend(rows.clone()),
            Outcome::Skipped { code: "Replaced" } if overwritten && which < 2 => {}
            other => prop_assert!(false, "delivery {}: {:?}", which, other),
        }
    }
    prop_assert_eq!(&cloud.state().tables.rows, &expected);
    Ok(())
}

/// Waits for a delivery to end without taking its result.
async fn ended(delivery: &tokio::task::JoinHandle<Report>) {
    while !delivery.is_finished() {
        tokio::task::yield_now().await;
    }
}
