//! `forget` if a service refuses a part of a request, and for pictures with more rows than a transaction has room for.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cloud::{BODY, Cloud, Script};
use super::run::provisioner;
use super::standing;

const FORGET: [&str; 6] = ["forget", "s3://pictures/a.jpg", "--picture", "--yes", "--output", "json"];

/// Two versions of a picture. Its list is asked for three times before the objects are deleted: to count them, to erase
/// their rows, and to delete them.
fn script(faces: u32) -> Script {
    let version = |id: &str| {
        format!(
            "<Version><Key>a.jpg</Key><VersionId>{id}</VersionId><IsLatest>false</IsLatest>\
             <ETag>&quot;e{id}&quot;</ETag><Size>1</Size></Version>"
        )
    };
    let versions = format!("<ListVersionsResult>{}{}</ListVersionsResult>", version("1"), version("2"));
    let item = json!({
        "Picture": {"S": "pictures/a.jpg"}, "Content": {"S": "1"}, "FaceID": {"S": "0a"}, "Outcome": {"S": "stored"},
        "FaceCount": {"N": faces.to_string()}, "ProcessedAt": {"S": "2026-01-01T00:00:00Z"},
    });
    let nothing = json!({"Count": 0, "Items": []}).to_string();
    let found = json!({"Count": 1, "Items": [item]}).to_string();
    let replies = [
        ("ListObjectVersions", "<ListVersionsResult></ListVersionsResult>".to_owned()),
        ("Scan", nothing.clone()),
        ("Query", nothing),
        ("TransactWriteItems", "{}".to_owned()),
        ("DeleteObjects", "<DeleteResult></DeleteResult>".to_owned()),
    ];
    Script {
        template: Some(provisioner::core::template::BUILT_IN.to_owned()),
        outputs: vec![("TableName", "FaceData"), ("PictureTableName", "FaceDataPictures")],
        replies: replies.into_iter().map(|(call, reply)| (call, (200, reply))).collect(),
        first_replies: [("ListObjectVersions", vec![versions; 3].into()), ("Query", vec![found; 2].into())].into(),
        ..standing()
    }
}

/// The actions of each transaction: the table and the key that it names.
fn transactions(cloud: &Cloud) -> Vec<Vec<(String, String)>> {
    let calls = cloud.calls().into_iter().filter(|call| call.name == "TransactWriteItems");
    let action = |action: &Value| {
        let what = ["Update", "Delete"].iter().find_map(|kind| action.get(*kind)).expect("an action");
        let key = ["FaceID", "Content"].iter().find_map(|name| what["Key"][*name]["S"].as_str()).expect("a key");
        (what["TableName"].as_str().expect("a table").to_owned(), key.to_owned())
    };
    calls
        .map(|call| {
            let body: Value = serde_json::from_str(&call.parameters[BODY]).expect("JSON");
            body["TransactItems"].as_array().expect("actions").iter().map(action).collect()
        })
        .collect()
}

#[tokio::test]
async fn a_picture_with_a_hundred_rows_needs_two_transactions() {
    let cloud = Cloud::start(script(100)).await;
    let run = provisioner(&cloud, &FORGET).await;
    run.ended(0);
    let of_first: Vec<_> =
        transactions(&cloud).into_iter().filter(|all| all.iter().any(|(_, key)| key == "1")).collect();
    assert_eq!(of_first.iter().map(Vec::len).collect::<Vec<_>>(), [2, 100]);
    let deleted: BTreeSet<String> =
        of_first.into_iter().flatten().filter_map(|(table, key)| (table == "FaceData").then_some(key)).collect();
    assert_eq!(deleted, (0..100).map(|rank| format!("0a#{rank:03}")).collect());
}

#[tokio::test]
async fn a_result_that_somebody_else_has_changed_is_read_again() {
    let canceled = (400, "TransactionCanceledException", "Transaction cancelled [ConditionalCheckFailed]");
    let mut script = script(1).fault("TransactWriteItems", (0, 2), canceled);
    // Each of the two versions is read again.
    let found = script.first_replies["Query"][0].clone();
    script.first_replies.insert("Query", vec![found; 4].into());
    let cloud = Cloud::start(script).await;
    provisioner(&cloud, &FORGET).await.ended(0);
    let contents: Vec<String> = transactions(&cloud).into_iter().map(|all| all[0].1.clone()).collect();
    let count = |content: &str| contents.iter().filter(|one| *one == content).count();
    assert_eq!((count("1"), count("2")), (2, 2), "{contents:?}");
}

#[tokio::test]
async fn a_version_that_s3_does_not_delete_is_tried_again_or_reported() {
    let refused = |code: &str| {
        format!(
            "<DeleteResult><Error><Key>a.jpg</Key><VersionId>2</VersionId><Code>{code}</Code>\
             <Message>as scripted</Message></Error></DeleteResult>"
        )
    };
    let mut busy = script(1);
    busy.first_replies.insert("DeleteObjects", vec![refused("SlowDown")].into());
    let cloud = Cloud::start(busy).await;
    provisioner(&cloud, &FORGET).await.ended(0);
    let requests: Vec<String> = cloud
        .calls()
        .into_iter()
        .filter(|call| call.name == "DeleteObjects")
        .map(|call| call.parameters[BODY].clone())
        .collect();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].contains("<VersionId>1<") && requests[0].contains("<VersionId>2<"), "{}", requests[0]);
    assert!(!requests[1].contains("<VersionId>1<") && requests[1].contains("<VersionId>2<"), "{}", requests[1]);

    let mut denied = script(1);
    denied.replies.insert("DeleteObjects", (200, refused("AccessDenied")));
    let cloud = Cloud::start(denied).await;
    let run = provisioner(&cloud, &FORGET).await;
    run.ended(1);
    assert!(run.error().contains("a.jpg") && run.error().contains("AccessDenied"), "{}", run.error());
    assert!(!run.stdout.contains(r#""type":"forgotten""#), "{}", run.stdout);
    assert_eq!(cloud.count("DeleteObjects"), 1);
}
