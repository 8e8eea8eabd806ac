//! Tests of the picture table: its items, the check before face detection, and concurrent deliveries.

mod support;

use std::time::Duration;

use function::Outcome;
use serde_json::{Value, json};
use support::sources::batch;
use support::tables::PICTURES;
use support::{Act, Cloud, Service, event, face, record};

const TIME: Duration = Duration::from_secs(30);

fn faces(count: usize) -> Value {
    vec![face(0.5, "HAPPY"); count].into()
}

/// The only item of the picture table.
fn item(cloud: &Cloud) -> Value {
    let state = cloud.state();
    assert_eq!(state.tables.pictures.len(), 1, "{:?}", state.tables.pictures);
    state.tables.pictures.values().next().unwrap().clone()
}

/// Handles one record of `a.jpg` and returns its outcome.
async fn upload(cloud: &Cloud, time: &str) -> Outcome {
    let mut record = record("a.jpg");
    record["eventTime"] = time.into();
    cloud.handle(&event(&[record]), TIME).await.records.remove(0).outcome
}

/// Uploads the object again after its bytes have changed.
fn overwrite(cloud: &Cloud, count: usize) {
    cloud.state().faces = faces(count);
}

const FIRST: &str = "2026-11-23T10:20:30.456Z";
const SAME: &str = "2026-11-23T10:21:30Z";
const LATER: &str = "2026-11-23T10:21:31Z";

#[tokio::test]
async fn every_final_outcome_has_an_item() {
    let unusable = Act::Error(400, "InvalidImageFormatException");
    for (act, outcome, code, count) in [
        (None, "stored", None, "2"),
        (Some(Act::Body(r#"{"FaceDetails":[]}"#)), "no_face", None, "0"),
        (Some(unusable), "unusable", Some("InvalidImageFormatException"), "0"),
    ] {
        let mut cloud = Cloud::with_pictures().await;
        cloud.settings.retention_days = Some(1);
        cloud.state().faces = faces(2);
        cloud.next(Service::Rekognition, act);
        let report = cloud.upload().await;
        let mut item = item(&cloud);
        let processed_at = item.as_object_mut().unwrap().remove("ProcessedAt").unwrap();
        assert!(processed_at["S"].as_str().is_some_and(|time| time.ends_with('Z')), "{processed_at}");
        let mut expected = json!({
            "Picture": { "S": "pictures/a b+ü.jpg" }, "Content": { "S": "etag:first" },
            "FaceID": { "S": report.records[0].id }, "Outcome": { "S": outcome }, "FaceCount": { "N": count },
            "EventTime": { "S": "2026-11-23T10:20:30.456Z" }, "ExpiresAt": { "N": "1795515630" },
        });
        if let Some(code) = code {
            expected["Code"] = json!({ "S": code });
        }
        assert_eq!((report.records[0].outcome.name(), item), (outcome, expected));
        assert_eq!(cloud.state().tables.rows.len(), count.parse::<usize>().unwrap());
    }
}

#[tokio::test]
async fn other_outcomes_have_no_item() {
    for act in [Act::Error(400, "AccessDeniedException"), Act::Overwrite("second"), Act::Delete] {
        let cloud = Cloud::with_pictures().await;
        cloud.next(Service::Rekognition, [act]);
        cloud.upload().await;
        let state = cloud.state();
        assert!(state.tables.pictures.is_empty() && state.tables.rows.is_empty(), "{:?}", state.tables);
    }
}

#[tokio::test]
async fn objects_that_cannot_be_pictures_have_an_item() {
    let cloud = Cloud::with_pictures().await;
    cloud.state().size = 0;
    cloud.upload().await;
    assert_eq!(item(&cloud)["Code"], json!({ "S": "EmptyObject" }));
}

#[tokio::test]
async fn the_item_is_named_by_what_s3_says_if_the_event_does_not() {
    for (version, content) in [(None, "etag:first"), (Some("v1"), "v1"), (Some("null"), "etag:first")] {
        let cloud = Cloud::with_pictures().await;
        cloud.state().version = version;
        let mut record = record("a.jpg");
        record["s3"]["object"]["eTag"] = Value::Null;
        let first = cloud.handle(&event(std::slice::from_ref(&record)), TIME).await;
        {
            let state = cloud.state();
            let detected = &state.calls.iter().find(|(service, ..)| *service == Service::Rekognition).unwrap().2;
            let named = version.filter(|version| *version != "null");
            assert_eq!(detected["Image"]["S3Object"]["Version"].as_str(), named);
            // Without a version, the entity tag that S3 gave must not change.
            let heads = state.calls.iter().filter(|(_, operation, _)| operation.starts_with("HEAD")).count();
            assert_eq!(heads, 1 + usize::from(named.is_none()));
        }
        assert_eq!(item(&cloud)["Content"], json!({ "S": content }));
        assert_eq!(item(&cloud)["FaceID"], json!({ "S": first.records[0].id }));
        let second = cloud.handle(&event(&[record]), TIME).await;
        assert_eq!(second.records[0].outcome, Outcome::Skipped { code: "AlreadyProcessed" });
        assert_eq!((second.records[0].id.clone(), cloud.calls(Service::Rekognition)), (first.records[0].id.clone(), 1));
    }
}

/// The entity tag that S3 gives is required afterwards as if the event had named it.
#[tokio::test]
async fn an_event_that_names_nothing_is_about_what_s3_held_first() {
    let cloud = Cloud::with_pictures().await;
    let mut record = record("a.jpg");
    record["s3"]["object"]["eTag"] = Value::Null;
    cloud.next(Service::Rekognition, [Act::Overwrite("second")]);
    let report = cloud.handle(&event(&[record]), TIME).await;
    assert_eq!(report.records[0].outcome, Outcome::Skipped { code: "Replaced" });
    assert!(cloud.state().tables.rows.is_empty());
}

#[tokio::test]
async fn a_processed_picture_costs_one_request() {
    let cloud = Cloud::with_pictures().await;
    let documents = vec![event(&[record("a.jpg")]); 3];
    let report = cloud.handle(&batch(&documents), TIME).await;
    let outcomes: Vec<_> = report.records.iter().map(|record| record.outcome.clone()).collect();
    let skipped = Outcome::Skipped { code: "AlreadyProcessed" };
    assert_eq!(outcomes, [Outcome::Stored { faces: 1 }, skipped.clone(), skipped]);
    let state = cloud.state();
    let operations: Vec<_> = state.calls.iter().map(|(_, operation, _)| operation.as_str()).collect();
    let query = "DynamoDB_20120810.Query";
    let head = "HEAD /pictures/a.jpg HTTP/1.1";
    let detect = "RekognitionService.DetectFaces";
    assert_eq!(operations, [query, head, detect, head, "DynamoDB_20120810.TransactWriteItems", query, query]);
}

#[tokio::test]
async fn a_forgotten_picture_is_never_processed_again() {
    let cloud = Cloud::with_pictures().await;
    upload(&cloud, FIRST).await;
    let key = ("pictures/a.jpg".to_owned(), "etag:first".to_owned());
    cloud.state().tables.pictures.get_mut(&key).unwrap()["Outcome"] = json!({ "S": "forgotten" });
    assert_eq!(upload(&cloud, LATER).await, Outcome::Skipped { code: "Forgotten" });
    assert_eq!(cloud.calls(Service::Rekognition), 1);
}

/// The rows of a later upload of the same bytes must expire later.
#[tokio::test]
async fn a_later_upload_of_the_same_bytes_replaces_the_item() {
    for (before, after) in [(3, 2), (2, 3), (100, 2), (2, 100), (100, 100), (99, 100), (100, 99), (1, 0), (0, 1)] {
        let cloud = Cloud::with_pictures().await;
        overwrite(&cloud, before);
        upload(&cloud, FIRST).await;
        assert_eq!(cloud.state().tables.rows.len(), before);
        overwrite(&cloud, after);
        assert_eq!(upload(&cloud, SAME).await, Outcome::Skipped { code: "AlreadyProcessed" });
        assert_eq!(cloud.state().tables.rows.len(), before);
        upload(&cloud, LATER).await;
        assert_eq!(item(&cloud)["EventTime"], json!({ "S": LATER }), "{before} {after}");
        assert_eq!(item(&cloud)["FaceCount"], json!({ "N": after.to_string() }));
        let state = cloud.state();
        let expected: Vec<_> = (0..after).map(|rank| format!("#{rank:03}")).collect();
        assert_eq!(state.tables.rows.keys().map(|id| &id[32..]).collect::<Vec<_>>(), expected, "{before} {after}");
    }
}

/// Both have found no item and detect faces, but only the first one writes.
#[tokio::test]
async fn the_slower_of_two_deliveries_writes_nothing() {
    for (faster, slower) in [(1, 2), (2, 1), (50, 100), (99, 100), (100, 100), (100, 1), (0, 100)] {
        let cloud = Cloud::with_pictures().await;
        overwrite(&cloud, faster);
        upload(&cloud, FIRST).await;
        let expected = cloud.state().tables.clone();
        overwrite(&cloud, slower);
        cloud.next(Service::DynamoDb, [Act::Body(r#"{"Items":[]}"#)]);
        assert_eq!(upload(&cloud, FIRST).await, Outcome::Skipped { code: "AlreadyProcessed" });
        assert_eq!(cloud.calls(Service::Rekognition), 2);
        let tables = &cloud.state().tables;
        assert_eq!(tables.rows, expected.rows, "{faster} {slower}");
        assert_eq!(tables.pictures.len(), 1);
    }
}

#[tokio::test]
async fn a_write_whose_reply_is_lost_is_recognized() {
    for count in [0, 1, 2, 100] {
        let cloud = Cloud::with_pictures().await;
        overwrite(&cloud, count);
        let lost = [Act::Body(r#"{"Items":[]}"#), Act::ServeThenCut, Act::ServeThenCut];
        cloud.next(Service::DynamoDb, lost);
        let outcome = upload(&cloud, FIRST).await;
        assert_eq!(outcome, if count == 0 { Outcome::NoFace } else { Outcome::Stored { faces: count } });
        assert_eq!(
            (item(&cloud)["FaceCount"]["N"].as_str(), cloud.state().tables.rows.len()),
            (Some(&*count.to_string()), count)
        );
    }
}

#[tokio::test]
async fn an_item_whose_rows_are_being_erased_is_written_again() {
    let cloud = Cloud::with_pictures().await;
    overwrite(&cloud, 100);
    upload(&cloud, FIRST).await;
    let expected = cloud.state().tables.rows.clone();
    {
        let tables = &mut cloud.state().tables;
        let item = tables.pictures.values_mut().next().unwrap();
        item["FaceCount"] = json!({ "N": "99" });
        item.as_object_mut().unwrap().remove("Outcome");
        tables.rows.pop_last();
    }
    assert_eq!(upload(&cloud, FIRST).await, Outcome::Stored { faces: 100 });
    assert_eq!(cloud.state().tables.rows, expected);
}

#[tokio::test]
async fn the_table_is_the_one_in_the_settings() {
    let cloud = Cloud::with_pictures().await;
    upload(&cloud, FIRST).await;
    let state = cloud.state();
    assert_eq!(state.calls[0].2["TableName"], PICTURES);
}
