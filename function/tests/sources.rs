//! Tests of the function's guarantees with events from every source.

mod support;

use std::time::Duration;

use function::Report;
use serde_json::{Value, json};
use support::sources::{Source, Wrapper, batch};
use support::{Act, Cloud, Service, event, face, record};

const TIME: Duration = Duration::from_secs(30);

/// The same upload from every source.
fn uploads(key: &str) -> Vec<Value> {
    let (s3, eventbridge) = (Source::S3.upload(key), Source::EventBridge.upload(key));
    let documents = [s3, eventbridge];
    let wrapped = documents.iter().flat_map(|document| {
        let enveloped = Wrapper::Envelope.wrap(document);
        [Wrapper::Sns.wrap(document), Wrapper::Sqs.wrap(document), Wrapper::Sqs.wrap(&enveloped)]
    });
    documents.iter().cloned().chain(wrapped).collect()
}

fn names(report: &Report) -> Vec<&str> {
    report.records.iter().map(|record| record.outcome.name()).collect()
}

#[tokio::test]
async fn every_source_produces_the_same_rows() {
    let cloud = Cloud::start().await;
    cloud.state().faces = json!([face(0.25, "SAD"), face(0.5, "HAPPY")]);
    cloud.upload().await;
    let expected = cloud.state().tables.rows.clone();
    for upload in uploads("a b+ü.jpg") {
        cloud.forget();
        // Delivered twice, one after the other and concurrently.
        cloud.handle(&upload, TIME).await;
        let reports = tokio::join!(cloud.handle(&upload, TIME), cloud.handle(&upload, TIME));
        assert_eq!((names(&reports.0), names(&reports.1)), (vec!["stored"], vec!["stored"]), "{upload}");
        assert_eq!(cloud.state().tables.rows, expected, "{upload}");
    }
}

#[tokio::test]
async fn a_failure_is_delivered_again_by_every_source() {
    for upload in uploads("a.jpg") {
        let cloud = Cloud::start().await;
        cloud.next(Service::Rekognition, [Act::Error(400, "AccessDeniedException")]);
        let report = cloud.handle(&upload, TIME).await;
        let failed = if report.is_batch {
            report.response() == json!({ "batchItemFailures": [{ "itemIdentifier": "m0" }] })
        } else {
            report.error_type() == Some("PermanentFailure")
        };
        assert!(failed, "{upload}: {report:?}");
    }
}

#[tokio::test]
async fn the_region_is_checked_for_every_source() {
    let mut from_s3 = event(&[record("a.jpg")]);
    from_s3["Records"][0]["awsRegion"] = "us-east-1".into();
    let mut from_eventbridge = Source::EventBridge.upload("a.jpg");
    from_eventbridge["region"] = "us-east-1".into();
    for event in [from_s3, from_eventbridge] {
        let cloud = Cloud::start().await;
        let document = cloud.handle(&event, TIME).await.document();
        let record = &document["body"]["records"][0];
        assert_eq!(record["message"], "the event comes from us-east-1, but the function runs in eu-west-1");
        assert!(cloud.state().calls.is_empty());
    }
}

#[tokio::test]
async fn a_batch_is_processed_in_sequence() {
    let cloud = Cloud::start().await;
    let uploads: Vec<_> = (0..10).map(|number| Source::S3.upload(&format!("{number}.jpg"))).collect();
    let report = cloud.handle(&batch(&uploads), TIME).await;
    assert_eq!((report.error_type(), report.response()), (None, json!({ "batchItemFailures": [] })));
    let state = cloud.state();
    assert_eq!(state.tables.rows.len(), 10);
    let requests: Vec<_> = state.calls.iter().map(|(service, ..)| *service).collect();
    let one = [Service::S3, Service::Rekognition, Service::S3, Service::DynamoDb];
    assert_eq!(requests, one.repeat(10), "as many requests as ten single events, one event after the other");
}

#[tokio::test]
async fn only_the_failed_messages_of_a_batch_return() {
    let cloud = Cloud::start().await;
    let documents = [
        event(&[record("0.jpg"), record("%FF.jpg"), record("%FE.jpg")]),
        event(&[record("1.jpg")]),
        json!("no event"),
        json!({ "Event": "s3:TestEvent" }),
        Source::EventBridge.upload("4.jpg"),
    ];
    let report = cloud.handle(&batch(&documents), TIME).await;
    let expected = json!({ "batchItemFailures": [{ "itemIdentifier": "m0" }, { "itemIdentifier": "m2" }] });
    assert_eq!((report.error_type(), report.response()), (None, expected));
    assert_eq!(names(&report), ["stored", "failed", "failed", "stored", "failed", "stored"]);
    assert_eq!(cloud.state().tables.rows.len(), 3);
}

#[tokio::test]
async fn a_batch_that_is_throttled_fails_as_a_whole() {
    let cloud = Cloud::hasty().await;
    cloud.next(Service::DynamoDb, [Act::Body("{}")]);
    cloud.always(Service::DynamoDb, Act::Error(400, "ThrottlingException"));
    let uploads: Vec<_> = (0..3).map(|number| Source::S3.upload(&format!("{number}.jpg"))).collect();
    let report = cloud.handle(&batch(&uploads), Duration::from_secs(2)).await;
    assert_eq!((report.error_type(), names(&report)), (Some("RetryableFailure"), vec!["stored", "failed", "failed"]));
}

#[tokio::test]
async fn a_batch_that_runs_out_of_time_returns_the_rest() {
    let cloud = Cloud::hasty().await;
    cloud.always(Service::DynamoDb, Act::Hang);
    cloud.next(Service::DynamoDb, [Act::Body("{}"), Act::Hang]);
    let uploads: Vec<_> = (0..3).map(|number| Source::S3.upload(&format!("{number}.jpg"))).collect();
    let report = cloud.handle(&batch(&uploads), Duration::from_secs(2)).await;
    let expected = json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }, { "itemIdentifier": "m2" }] });
    assert_eq!((report.error_type(), report.response()), (None, expected), "{report:?}");
}
