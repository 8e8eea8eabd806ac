//! Tests of the function's contract with the real SDK clients and a server on 127.0.0.1.

mod support;

use std::time::Duration;

use function::Outcome;
use serde_json::{Value, json};
use support::{Act, Cloud, Service, event, face, record};

const ID: &str = "2dfa0655c7b5c986932fd9d7327b670d";

fn outcome(report: &function::Report) -> &Outcome {
    &report.records[0].outcome
}

#[tokio::test]
async fn one_face_is_one_row() {
    let cloud = Cloud::start().await;
    let report = cloud.upload().await;
    assert_eq!(outcome(&report), &Outcome::Stored { faces: 1 });
    assert_eq!((report.status(), report.error_type()), (200, None));
    let state = cloud.state();
    let expected = json!({
        "FaceID": { "S": format!("{ID}#000") }, "Age": { "S": "26-43" },
        "AgeLow": { "N": "26" }, "AgeHigh": { "N": "43" },
        "Emotion": { "S": "HAPPY" }, "EmotionConfidence": { "N": "99.5" }, "Confidence": { "N": "99.75" },
        "BoundingBox": { "M": {
            "Left": { "N": "0.25" }, "Top": { "N": "0.25" }, "Width": { "N": "0.5" }, "Height": { "N": "0.5" },
        } },
        "FaceCount": { "N": "1" }, "Bucket": { "S": "pictures" }, "Key": { "S": "a b+ü.jpg" },
        "EventTime": { "S": "2026-11-23T10:20:30.456Z" },
    });
    assert_eq!(state.tables.rows.values().collect::<Vec<_>>(), [&expected]);
    let calls: Vec<_> = state.calls.iter().map(|(_, operation, _)| operation.as_str()).collect();
    let head = "HEAD /pictures/a%20b%2B%C3%BC.jpg HTTP/1.1";
    assert_eq!(calls, [head, "RekognitionService.DetectFaces", head, "DynamoDB_20120810.PutItem"]);
    let expected = json!({
        "Image": { "S3Object": { "Bucket": "pictures", "Name": "a b+ü.jpg" } },
        "Attributes": ["AGE_RANGE", "EMOTIONS"],
    });
    assert_eq!(state.calls[1].2, expected);
}

#[tokio::test]
async fn requested_attributes_are_stored() {
    let mut cloud = Cloud::start().await;
    cloud.settings.attributes = function::settings::Attributes::parse("GENDER,FACE_OCCLUDED").unwrap();
    let mut face = face(0.5, "HAPPY");
    face["Gender"] = json!({ "Value": "Female", "Confidence": 99.5 });
    face["FaceOccluded"] = json!({ "Value": true, "Confidence": 98.25 });
    face["Smile"] = json!({ "Value": true, "Confidence": 97 });
    cloud.state().faces = json!([face]);
    cloud.upload().await;
    let state = cloud.state();
    assert_eq!(state.calls[1].2["Attributes"], json!(["AGE_RANGE", "EMOTIONS", "GENDER", "FACE_OCCLUDED"]));
    let row = state.tables.rows.values().next().unwrap();
    assert_eq!((&row["Gender"], &row["GenderConfidence"]), (&json!({ "S": "Female" }), &json!({ "N": "99.5" })));
    assert_eq!(
        (&row["FaceOccluded"], &row["FaceOccludedConfidence"]),
        (&json!({ "BOOL": true }), &json!({ "N": "98.25" }))
    );
    assert!(row.get("Smile").is_none());
}

#[tokio::test]
async fn keys_with_other_extensions_are_skipped_before_any_request() {
    let mut cloud = Cloud::start().await;
    cloud.settings.extensions = vec!["png".to_owned()];
    let report = cloud.handle(&event(&[record("a.jpg"), record("b.PNG")]), Duration::from_secs(30)).await;
    assert_eq!(outcome(&report), &Outcome::Skipped { code: "OtherExtension" });
    assert_eq!(report.records[1].outcome, Outcome::Stored { faces: 1 });
    assert_eq!(cloud.calls(Service::Rekognition), 1);
}

#[tokio::test]
async fn several_faces_are_one_transaction() {
    let cloud = Cloud::start().await;
    cloud.state().faces = json!([face(0.25, "SAD"), face(0.5, "HAPPY")]);
    assert_eq!(outcome(&cloud.upload().await), &Outcome::Stored { faces: 2 });
    let state = cloud.state();
    let rows: Vec<_> = state
        .tables
        .rows
        .iter()
        .map(|(id, row)| (&id[32..], row["Emotion"]["S"].as_str(), &row["FaceCount"]["N"]))
        .collect();
    assert_eq!(rows, [("#000", Some("HAPPY"), &json!("2")), ("#001", Some("SAD"), &json!("2"))]);
    assert_eq!(state.calls.last().unwrap().1, "DynamoDB_20120810.TransactWriteItems");
}

#[tokio::test]
async fn a_version_is_requested_explicitly() {
    let cloud = Cloud::start().await;
    cloud.state().version = Some("v1");
    let mut record = record("a.jpg");
    record["s3"]["object"]["versionId"] = "v1".into();
    let report = cloud.handle(&event(&[record]), Duration::from_secs(30)).await;
    assert_eq!(outcome(&report), &Outcome::Stored { faces: 1 });
    let state = cloud.state();
    assert_eq!(state.calls[0].1, "HEAD /pictures/a.jpg?versionId=v1 HTTP/1.1");
    assert_eq!(state.calls[1].2["Image"]["S3Object"]["Version"], "v1");
    assert_eq!(state.calls.len(), 3, "a version needs no confirmation");
    assert_eq!(state.tables.rows.values().next().unwrap()["VersionId"]["S"], "v1");
}

#[tokio::test]
async fn an_object_that_cannot_be_a_picture_is_not_sent_to_rekognition() {
    let (sent, read) = (5 * 1024 * 1024, 15 * 1024 * 1024);
    for (key, size, other_region, expected) in [
        ("a.jpg", 0, false, Some("EmptyObject")),
        ("album/", 0, false, Some("Folder")),
        ("album/", 1, false, None),
        ("a.jpg", 1, false, None),
        ("a.jpg", read, false, None),
        ("a.jpg", read + 1, false, Some("ObjectTooLarge")),
        ("a.jpg", sent, true, None),
        ("a.jpg", sent + 1, true, Some("TooLargeForAnotherRegion")),
        ("a.jpg", read + 1, true, Some("ObjectTooLarge")),
    ] {
        let mut cloud = Cloud::start().await;
        cloud.settings.rekognition_region = other_region.then(|| "eu-central-1".to_owned());
        cloud.state().size = size;
        let report = cloud.handle(&event(&[record(key)]), Duration::from_secs(30)).await;
        let unusable = |code: &str| Outcome::Unusable { code: code.to_owned() };
        assert_eq!(outcome(&report), &expected.map_or(Outcome::Stored { faces: 1 }, unusable), "{key} {size}");
        let expected = if expected.is_some() { (400, 0) } else { (200, 1) };
        assert_eq!((report.status(), cloud.calls(Service::Rekognition)), expected);
        assert_eq!(report.error_type(), None);
    }
}

#[tokio::test]
async fn the_reply_of_rekognition_determines_the_outcome() {
    let unusable = |code: &str| ("unusable", code.to_owned());
    for (act, expected) in [
        (Act::Json(json!({ "FaceDetails": [] })), ("no_face", String::new())),
        (Act::Error(400, "InvalidImageFormatException"), unusable("InvalidImageFormatException")),
        (Act::Error(400, "ImageTooLargeException"), unusable("ImageTooLargeException")),
        (Act::Error(400, "InvalidParameterException"), unusable("InvalidParameterException")),
        (Act::Error(400, "AccessDeniedException"), ("failed", "AccessDeniedException".to_owned())),
        (Act::Error(400, "InvalidS3ObjectException"), ("failed", "InvalidS3ObjectException".to_owned())),
    ] {
        let cloud = Cloud::start().await;
        cloud.next(Service::Rekognition, [act]);
        let document = cloud.upload().await.document();
        let record = &document["body"]["records"][0];
        assert_eq!(
            (record["outcome"].as_str(), record["code"].as_str().unwrap_or_default()),
            (Some(expected.0), &*expected.1)
        );
        assert!(cloud.state().tables.rows.is_empty());
        assert_ne!(record["retryable"], true);
    }
}

const SSE_C: Act = Act::S3Error(
    400,
    "InvalidRequest",
    "The object was stored using a form of Server Side Encryption. The correct parameters must be provided.",
);

/// A reply to HEAD has no body, so a GET of the first byte tells what is wrong.
#[tokio::test]
async fn a_bad_request_is_explained_by_a_second_request() {
    for (act, expected) in [
        (SSE_C, ("unusable", "EncryptedWithCustomerKey", Value::Null)),
        (Act::S3Error(400, "ExpiredToken", "The provided token has expired."), ("failed", "ExpiredToken", json!(true))),
        (Act::S3Error(400, "InvalidArgument", "Invalid version id"), ("failed", "InvalidArgument", json!(false))),
        (Act::S3Error(400, "InvalidRequest", "Missing header"), ("failed", "InvalidRequest", json!(false))),
        (Act::Delete, ("skipped", "Gone", Value::Null)),
        (Act::Overwrite("first"), ("failed", "Http400", json!(false))),
    ] {
        let cloud = Cloud::start().await;
        cloud.next(Service::S3, [Act::Error(400, ""), act]);
        let document = cloud.upload().await.document();
        let record = &document["body"]["records"][0];
        let found = (&record["outcome"], &record["code"], &record["retryable"]);
        assert_eq!(found, (&json!(expected.0), &json!(expected.1), &expected.2));
        let state = cloud.state();
        assert_eq!(state.calls[1].1, "GET /pictures/a%20b%2B%C3%BC.jpg?x-id=GetObject HTTP/1.1");
        assert_eq!(state.calls.len(), 2);
    }
}

#[tokio::test]
async fn an_error_about_a_kms_key_names_the_key_and_the_parameter() {
    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1";
    let denied = Act::S3Error(403, "AccessDenied", "not authorized to perform: kms:Decrypt");
    let disabled = Act::S3Error(400, "KMS.DisabledException", "the key is disabled");
    let hint = format!("; the object is encrypted with the KMS key `{KEY}`; add it to the parameter `PictureKeys`");
    for (key, reply, expected) in [
        (Some(KEY), denied, ("AccessDenied", format!("not authorized to perform: kms:Decrypt{hint}"))),
        (Some(KEY), disabled, ("KMS.DisabledException", format!("the key is disabled{hint}"))),
        (Some(KEY), Act::Overwrite("first"), ("InvalidS3ObjectException", format!("details{hint}"))),
        (Some(KEY), SSE_C, ("InvalidS3ObjectException", "details".to_owned())),
        (None, SSE_C, ("InvalidS3ObjectException", "details".to_owned())),
    ] {
        let cloud = Cloud::start().await;
        cloud.state().kms_key = key;
        cloud.next(Service::Rekognition, [Act::Error(400, "InvalidS3ObjectException")]);
        cloud.next(Service::S3, [Act::Overwrite("first"), Act::Overwrite("first"), reply]);
        let report = cloud.upload().await;
        let Outcome::Failed(failure) = outcome(&report) else { panic!("{report:?}") };
        assert_eq!((failure.code.as_str(), &failure.message), (expected.0, &expected.1));
        assert_eq!((failure.retryable, cloud.calls(Service::S3)), (false, 2 + usize::from(key.is_some())));
    }
}

#[tokio::test]
async fn the_picture_itself_is_sent_to_another_region() {
    let mut cloud = Cloud::start().await;
    cloud.settings.rekognition_region = Some("eu-central-1".to_owned());
    assert_eq!(outcome(&cloud.upload().await), &Outcome::Stored { faces: 1 });
    let state = cloud.state();
    let operations: Vec<_> = state.calls.iter().map(|(_, operation, _)| operation.as_str()).collect();
    let object = "/pictures/a%20b%2B%C3%BC.jpg";
    let (head, get) = (format!("HEAD {object} HTTP/1.1"), format!("GET {object}?x-id=GetObject HTTP/1.1"));
    assert_eq!(operations, [&head, &get, "RekognitionService.DetectFaces", "DynamoDB_20120810.PutItem"]);
    assert_eq!(state.calls[2].2["Image"], json!({ "Bytes": "eA==" }));
}

#[tokio::test]
async fn only_the_inspected_bytes_are_sent_to_another_region() {
    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1";
    for (act, expected) in [
        (Act::Overwrite("second"), ("skipped", "Replaced")),
        (Act::Delete, ("skipped", "Gone")),
        (Act::S3Error(403, "AccessDenied", "not authorized to perform: kms:Decrypt"), ("failed", "AccessDenied")),
    ] {
        let mut cloud = Cloud::start().await;
        cloud.settings.rekognition_region = Some("eu-central-1".to_owned());
        cloud.state().kms_key = Some(KEY);
        cloud.next(Service::S3, [Act::Overwrite("first"), act]);
        let document = cloud.upload().await.document();
        let record = &document["body"]["records"][0];
        assert_eq!((record["outcome"].as_str(), record["code"].as_str()), (Some(expected.0), Some(expected.1)));
        if let Some(message) = record["message"].as_str() {
            assert!(message.ends_with(&format!("`{KEY}`; add it to the parameter `PictureKeys`")), "{message}");
        }
        assert_eq!(cloud.calls(Service::Rekognition), 0);
    }
}

#[tokio::test]
async fn a_deleted_or_replaced_object_is_skipped() {
    for (service, act, expected) in [
        (Service::S3, Act::Overwrite("second"), "Replaced"),
        (Service::S3, Act::Delete, "Gone"),
        (Service::S3, Act::Error(405, ""), "Deleted"),
        (Service::Rekognition, Act::Overwrite("second"), "Replaced"),
        (Service::Rekognition, Act::Delete, "Gone"),
    ] {
        let cloud = Cloud::start().await;
        cloud.next(service, [act]);
        let report = cloud.upload().await;
        assert_eq!(outcome(&report), &Outcome::Skipped { code: expected });
        assert_eq!((report.status(), report.error_type()), (200, None));
        assert!(cloud.state().tables.rows.is_empty());
    }
}

#[tokio::test]
async fn a_reply_about_newer_bytes_is_not_reported_for_the_event() {
    for reply in [Act::Body(r#"{"FaceDetails":[]}"#), Act::Error(400, "InvalidImageFormatException")] {
        let cloud = Cloud::start().await;
        cloud.next(Service::Rekognition, [reply]);
        cloud.next(Service::S3, [Act::Overwrite("first"), Act::Overwrite("second")]);
        assert_eq!(outcome(&cloud.upload().await), &Outcome::Skipped { code: "Replaced" });
    }
}

#[tokio::test]
async fn an_object_deleted_before_rekognition_reads_it_is_skipped() {
    let cloud = Cloud::start().await;
    cloud.next(Service::Rekognition, [Act::Error(400, "InvalidS3ObjectException")]);
    cloud.next(Service::S3, [Act::Overwrite("first"), Act::Delete]);
    assert_eq!(outcome(&cloud.upload().await), &Outcome::Skipped { code: "Gone" });
}

#[tokio::test]
async fn an_event_from_another_region_is_an_error_that_names_both() {
    let cloud = Cloud::start().await;
    let mut record = record("a.jpg");
    record["awsRegion"] = "us-east-1".into();
    let report = cloud.handle(&event(&[record]), Duration::from_secs(30)).await;
    let Outcome::Failed(failure) = outcome(&report) else { panic!("{report:?}") };
    assert_eq!(failure.message, "the event comes from us-east-1, but the function runs in eu-west-1");
    assert_eq!((report.error_type(), cloud.state().calls.len()), (Some("PermanentFailure"), 0));
}

#[tokio::test]
async fn events_other_than_uploads_are_skipped() {
    let cloud = Cloud::start().await;
    let mut removed = record("a.jpg");
    removed["eventName"] = "ObjectRemoved:Delete".into();
    let report = cloud.handle(&event(&[removed]), Duration::from_secs(30)).await;
    assert_eq!(outcome(&report), &Outcome::Skipped { code: "NotAnUpload" });
    let report = cloud.handle(&json!({ "Event": "s3:TestEvent" }), Duration::from_secs(30)).await;
    assert_eq!(report.document(), json!({ "statusCode": 200, "body": { "records": [] } }));
    assert!(cloud.state().calls.is_empty());
}

#[tokio::test]
async fn a_malformed_record_does_not_affect_the_others() {
    let cloud = Cloud::start().await;
    let records = [record("a.jpg"), json!({ "s3": 5 }), record("b.jpg"), record("%FF.jpg"), record("c.jpg")];
    let report = cloud.handle(&event(&records), Duration::from_secs(30)).await;
    let names: Vec<_> = report.records.iter().map(|record| record.outcome.name()).collect();
    assert_eq!(names, ["stored", "failed", "stored", "failed", "stored"]);
    assert_eq!((report.status(), report.error_type()), (500, Some("PermanentFailure")));
    assert_eq!(cloud.state().tables.rows.len(), 3);
}

#[tokio::test]
async fn a_second_delivery_writes_the_same_rows() {
    let mut cloud = Cloud::start().await;
    cloud.settings.retention_days = Some(30);
    cloud.state().faces = json!([face(0.25, "SAD"), face(0.5, "HAPPY")]);
    cloud.upload().await;
    let first = cloud.state().tables.rows.clone();
    let day = 1_795_429_230 / 86_400 + 30;
    assert!(
        first.values().all(|row| { row["ExpiresAt"]["N"].as_str().unwrap().parse::<i64>().unwrap() / 86_400 == day })
    );
    cloud.state().faces = json!([face(0.5, "HAPPY"), face(0.25, "SAD")]);
    tokio::join!(cloud.upload(), cloud.upload(), cloud.upload());
    assert_eq!(cloud.state().tables.rows, first);
}

#[tokio::test]
async fn a_transaction_that_lost_a_race_is_retried() {
    let cloud = Cloud::start().await;
    cloud.state().faces = json!([face(0.25, "SAD"), face(0.5, "HAPPY")]);
    cloud.next(Service::DynamoDb, [Act::Canceled("TransactionConflict"), Act::Canceled("ThrottlingError")]);
    assert_eq!(outcome(&cloud.upload().await), &Outcome::Stored { faces: 2 });
    cloud.next(Service::DynamoDb, [Act::Canceled("ValidationError")]);
    let report = cloud.upload().await;
    assert_eq!(report.error_type(), Some("PermanentFailure"));
    let Outcome::Failed(failure) = outcome(&report) else { panic!("{report:?}") };
    assert_eq!(failure.message, "ValidationError: details");
}

#[tokio::test]
async fn too_many_records_are_one_error() {
    let cloud = Cloud::start().await;
    let report = cloud.handle(&event(&vec![json!(0); 1_000]), Duration::from_secs(30)).await;
    assert_eq!(report.records.len(), 1_000);
    let report = cloud.handle(&event(&vec![json!(0); 1_001]), Duration::from_secs(30)).await;
    assert_eq!((report.records.len(), report.error_type()), (1, Some("PermanentFailure")));
}

#[tokio::test]
async fn a_record_that_hangs_does_not_delay_the_others() {
    let cloud = Cloud::hasty().await;
    cloud.next(Service::S3, [Act::Hang]);
    let records: Vec<_> = (0..20).map(|number| record(&format!("{number}.jpg"))).collect();
    let report = cloud.handle(&event(&records), Duration::from_secs(4)).await;
    let failed: Vec<_> = report.records.iter().filter(|record| matches!(record.outcome, Outcome::Failed(_))).collect();
    assert_eq!((failed.len(), cloud.state().tables.rows.len()), (1, 19), "{report:?}");
}

#[tokio::test]
async fn log_and_response_name_the_object_only_if_allowed() {
    let mut cloud = Cloud::start().await;
    for (log_keys, named) in [(false, false), (true, true)] {
        cloud.settings.log_keys = log_keys;
        let reply = json!({ "__type": "AccessDeniedException", "message": "no pictures/a b+ü.jpg for you" });
        cloud.next(Service::Rekognition, [Act::Status(400, reply)]);
        let report = cloud.upload().await;
        let now = std::time::SystemTime::UNIX_EPOCH;
        let text =
            function::telemetry::lines(&report, "request", &cloud.settings, now) + &report.document().to_string();
        assert_eq!((text.contains("a b+ü"), text.contains("pictures")), (named, named), "{text}");
        let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!((&line["Failed"], &line["FacesStored"]), (&json!(1), &json!(0)));
        assert_eq!((line["id"].as_str(), line["extension"].as_str()), (Some(ID), Some("jpg")));
    }
}
