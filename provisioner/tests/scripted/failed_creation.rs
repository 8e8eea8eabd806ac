//! Tests a failed creation with both possible results: CloudFormation deletes everything, or it leaves bucket and
//! table.

use serde_json::{Value, json};

use super::UPDATE;
use super::cloud::{Cloud, Frame, Script, at};
use super::run::{Run, provisioner};

const BUCKET: &str = "face-recognition-123456789012-eu-west-1-an";

fn event(logical_id: &str, resource_type: &str, physical_id: &str, status: &str) -> Value {
    json!({"id": "", "at": 1, "logical_id": logical_id, "resource_type": resource_type, "physical_id": physical_id,
        "status": status, "token": "provisioner-create-1"})
}

/// The creation fails after the table was created. `left` says whether CloudFormation keeps the table.
fn failing(left: bool) -> Script {
    let table = if left { "DELETE_SKIPPED" } else { "DELETE_COMPLETE" };
    let mut script = Script::default().on(
        "CreateStack",
        vec![
            Frame {
                status: "CREATE_IN_PROGRESS",
                events: vec![event("Table", "AWS::DynamoDB::Table", "FaceData", "CREATE_COMPLETE")],
            },
            Frame {
                status: "DELETE_COMPLETE",
                events: vec![
                    event("Bucket", "AWS::S3::Bucket", BUCKET, "CREATE_FAILED"),
                    event("Table", "AWS::DynamoDB::Table", "FaceData", table),
                    event("face-recognition", "AWS::CloudFormation::Stack", "", "DELETE_COMPLETE"),
                ],
            },
        ],
    );
    script.resources = vec![("Table", "AWS::DynamoDB::Table", "FaceData")];
    script.resource_status = Some(table);
    script
}

/// A cloud after the failed creation.
async fn failed(left: bool) -> (Cloud, Run) {
    let cloud = Cloud::start(failing(left)).await;
    let run = provisioner(&cloud, &UPDATE).await;
    if left {
        cloud.change(|script| {
            script.tables.insert("FaceData".into());
        });
    }
    (cloud, run)
}

#[tokio::test]
async fn the_error_names_the_resources_that_cloudformation_left() {
    let (_, run) = failed(false).await;
    run.ended(1);
    assert!(run.error().contains("CloudFormation deleted the resources that it had created"), "{}", run.error());

    let mut script = failing(true);
    script.tables.insert("FaceData".into());
    // The table does not exist when the names are checked.
    script.tables_appear_after_create = true;
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &UPDATE).await;
    run.ended(1);
    assert!(run.error().contains("CloudFormation did not delete all resources that it had created"), "{}", run.error());
    assert!(run.error().contains("table `FaceData` still exists"), "{}", run.error());
}

#[tokio::test]
async fn up_removes_an_empty_table_that_a_failed_creation_left_and_creates_the_stack() {
    let (cloud, _) = failed(true).await;
    cloud.change(|script| script.acts.push_back(("CreateStack", vec![at("CREATE_COMPLETE")])));
    let run = provisioner(&cloud, &UPDATE).await;
    run.ended(0);
    assert_eq!(run.event("planned")["plan"]["operation"], "recreate");
    assert_eq!((cloud.count("DeleteTable"), cloud.count("CreateStack")), (1, 2));
}

#[tokio::test]
async fn up_refuses_if_the_table_has_rows_or_was_never_ours() {
    let (cloud, _) = failed(true).await;
    cloud.change(|script| script.rows = 1);
    let run = provisioner(&cloud, &UPDATE).await;
    run.ended(4);
    assert!(run.error().contains("but it is not empty"), "{}", run.error());

    let (cloud, _) = failed(true).await;
    cloud.change(|script| script.events.retain(|event| event["status"] != "CREATE_COMPLETE"));
    provisioner(&cloud, &UPDATE).await.ended(4);
    assert_eq!(cloud.count("DeleteTable"), 0);
}

#[tokio::test]
async fn down_removes_what_a_failed_creation_left() {
    let (cloud, _) = failed(true).await;
    let run = provisioner(&cloud, &["down", "--yes", "--output", "json"]).await;
    run.ended(0);
    assert_eq!(cloud.count("DeleteTable"), 1);
    run.event("nothing_left");
}
