//! Tests `down` after other deletions, after refused ones, and with resources that other stacks use.

use serde_json::{Value, json};

use super::cloud::{Cloud, Script, at};
use super::run::{Run, provisioner};

/// A deployed stack with its bucket and its table.
pub(crate) fn with_data() -> Script {
    let mut script = Script { status: Some("CREATE_COMPLETE"), ..Script::default() };
    script.resources = vec![("Bucket", "AWS::S3::Bucket", "pictures"), ("Table", "AWS::DynamoDB::Table", "FaceData")];
    script.buckets.insert("pictures".to_owned());
    script.tables.insert("FaceData".to_owned());
    script
}

async fn down(script: Script) -> (Run, Cloud) {
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &["down", "--yes", "--output", "json"]).await;
    (run, cloud)
}

#[tokio::test]
async fn down_follows_a_running_deletion_and_deletes_the_rest() {
    let mut script = with_data();
    script.status = Some("DELETE_IN_PROGRESS");
    script.running = vec![at("DELETE_IN_PROGRESS"), at("DELETE_IN_PROGRESS"), at("DELETE_COMPLETE")].into();
    let (run, cloud) = down(script).await;
    run.ended(0);
    run.event("joined");
    assert_eq!(cloud.count("DeleteStack"), 0, "the running deletion is followed instead of starting another one");
    assert_eq!(run.event("will_remove")["bucket"], "pictures");
    assert_eq!(
        run.event("nothing_left")["checked"],
        4,
        "stack, bucket, table and the bucket for packages: {}",
        run.stdout
    );
    assert_eq!(cloud.count("DeleteTable"), 1);
}

#[tokio::test]
async fn a_refused_deletion_changes_nothing() {
    let script = with_data().fault("DeleteStack", (0, 9), (403, "AccessDenied", "no"));
    let (run, cloud) = down(script).await;
    run.ended(1);
    for call in ["DeleteObjects", "DeleteBucket", "DeleteTable"] {
        assert_eq!(cloud.count(call), 0, "{call}: the stack still needs its packages and its data");
    }
}

#[tokio::test]
async fn the_bucket_for_packages_stays_if_other_stacks_use_it() {
    let mut script = with_data().on("DeleteStack", vec![at("DELETE_IN_PROGRESS"), at("DELETE_COMPLETE")]);
    script.others_packages = true;
    let (run, _) = down(script).await;
    run.ended(0);
    assert!(
        run.event("package_bucket_kept")["bucket"]
            .as_str()
            .is_some_and(|name| name.starts_with("provisioner-artefacts-"))
    );
    assert_eq!(run.event("nothing_left")["checked"], 3, "kept resources are not checked");
}

#[tokio::test]
async fn packages_that_cannot_be_deleted_are_an_error_after_everything_else_is_deleted() {
    let mut script = with_data().on("DeleteStack", vec![at("DELETE_IN_PROGRESS"), at("DELETE_COMPLETE")]).fault(
        "ListObjectVersions",
        (0, 9),
        (403, "AccessDenied", "no"),
    );
    // Without a bucket for pictures, only the one for packages is listed.
    script.resources.remove(0);
    let (run, cloud) = down(script).await;
    run.ended(1);
    assert_eq!((cloud.count("DeleteStack"), cloud.count("DeleteTable")), (1, 1));
    run.event("nothing_left");
    assert!(run.error().contains("AccessDenied: no"), "{}", run.error());
}

/// A stack that a request with this token deleted, and the data that it left.
fn left_behind(token: &'static str) -> Script {
    let mut script = with_data();
    script.status = Some("DELETE_COMPLETE");
    script.resource_status = Some("DELETE_SKIPPED");
    script.events = vec![json!({
        "id": "d", "at": 1, "logical_id": "face-recognition", "resource_type": "AWS::CloudFormation::Stack",
        "status": "DELETE_COMPLETE", "token": token,
    })];
    script
}

#[tokio::test]
async fn down_deletes_the_data_that_an_interrupted_down_left() {
    let (run, cloud) = down(left_behind("provisioner-1764061200-77")).await;
    run.ended(0);
    assert_eq!(run.event("will_remove")["tables"][0]["name"], "FaceData");
    assert_eq!((cloud.count("DeleteStack"), cloud.count("DeleteTable")), (0, 1));
    run.event("nothing_left");
}

#[tokio::test]
async fn data_that_was_kept_on_purpose_is_reported_and_kept() {
    for token in ["provisioner-keep-1764061200-77", "Console-DeleteStack-1"] {
        let (run, cloud) = down(left_behind(token)).await;
        run.ended(0);
        assert_eq!(run.event("kept_data")["name"], "pictures");
        let back = run.event("adoptable");
        assert_eq!(
            (&back["bucket"], &back["table"]),
            (&"pictures".into(), &Value::Null),
            "only unusual names are given"
        );
        for call in ["DeleteTable", "DeleteObjects", "DeleteBucket"] {
            assert_eq!(cloud.count(call), 0, "{call} after {token}");
        }
    }
}

#[tokio::test]
async fn the_token_of_a_deletion_tells_whether_the_data_is_kept() {
    for (arguments, keeps) in [(&["down", "--yes"][..], false), (&["down", "--yes", "--keep-data"], true)] {
        let script = with_data().on("DeleteStack", vec![at("DELETE_IN_PROGRESS"), at("DELETE_COMPLETE")]);
        let cloud = Cloud::start(script).await;
        provisioner(&cloud, arguments).await.ended(0);
        let deletion = cloud.calls().into_iter().find(|call| call.name == "DeleteStack").expect("a deletion");
        assert_eq!(deletion.parameters["ClientRequestToken"].starts_with("provisioner-keep-"), keeps);
    }
}

/// The table existed before: the creation failed because of it, or its import was rolled back.
#[tokio::test]
async fn down_keeps_resources_that_a_failed_creation_never_owned() {
    for status in ["CREATE_FAILED", "DELETE_SKIPPED"] {
        let mut script = with_data().on("DeleteStack", vec![at("DELETE_IN_PROGRESS"), at("DELETE_COMPLETE")]);
        script.status = Some("ROLLBACK_COMPLETE");
        script.resource_status = Some(status);
        let (run, cloud) = down(script).await;
        run.ended(0);
        assert_eq!((cloud.count("DeleteStack"), cloud.count("DeleteTable")), (1, 0), "{status}");
    }
}

#[tokio::test]
async fn a_table_that_is_being_changed_is_deleted_afterwards() {
    let script = with_data().on("DeleteStack", vec![at("DELETE_IN_PROGRESS"), at("DELETE_COMPLETE")]).fault(
        "DeleteTable",
        (0, 2),
        (400, "ResourceInUseException", "Table is being updated"),
    );
    let (run, cloud) = down(script).await;
    run.ended(0);
    assert_eq!(cloud.count("DeleteTable"), 3);
}

/// Resources that were deleted before `down` followed the running deletion are checked like the others.
#[tokio::test]
async fn resources_that_are_already_gone_are_checked_too() {
    let mut script = with_data();
    script.status = Some("DELETE_IN_PROGRESS");
    script.running = vec![at("DELETE_IN_PROGRESS"), at("DELETE_COMPLETE")].into();
    script.resource_status = Some("DELETE_COMPLETE");
    script.buckets.clear();
    script.tables.clear();
    let (run, cloud) = down(script).await;
    run.ended(0);
    assert_eq!(run.event("nothing_left")["checked"], 4, "{}", run.stdout);
    assert_eq!(cloud.count("DeleteTable"), 0);
}

#[tokio::test]
async fn packages_of_a_stack_that_was_never_created_are_deleted() {
    let forgotten = || Script { packages: vec!["face-recognition/1.zip"], ..Script::default() };
    let (run, cloud) = down(forgotten()).await;
    run.ended(0);
    run.event("no_stack");
    assert_eq!(run.event("packages_removed")["objects"], 1);
    assert_eq!(run.event("nothing_left")["checked"], 1);
    assert_eq!((cloud.count("DeleteObjects"), cloud.count("DeleteBucket")), (1, 1));

    let cloud = Cloud::start(forgotten()).await;
    provisioner(&cloud, &["down", "--output", "json"]).await.ended(4);
    assert_eq!(cloud.count("DeleteObjects"), 0, "the user did not confirm");
}

#[tokio::test]
async fn the_hint_to_adopt_names_a_table_with_an_unusual_name() {
    let mut script = left_behind("provisioner-keep-1764061200-77");
    script.resources[0].2 = "face-recognition-123456789012-eu-west-1-an";
    script.resources[1].2 = "Faces";
    script.buckets.insert(script.resources[0].2.to_owned());
    script.tables.insert("Faces".to_owned());
    let (run, _) = down(script).await;
    let back = run.event("adoptable");
    assert_eq!((&back["bucket"], &back["table"]), (&Value::Null, &"Faces".into()));
}

#[tokio::test]
async fn the_data_is_deleted_even_if_cloudformation_cannot_delete_a_resource() {
    let mut script = left_behind("provisioner-1764061200-77");
    script.resources.push(("Role", "AWS::IAM::Role", "faces-role"));
    script.roles = vec!["faces-role"];
    let (run, cloud) = down(script).await;
    run.ended(1);
    assert_eq!(cloud.count("DeleteTable"), 1);
    assert!(run.error().contains("AWS::IAM::Role `faces-role`"), "{}", run.error());
}

#[tokio::test]
async fn a_resource_that_cloudformation_could_not_delete_is_reported_again() {
    let mut script = left_behind("provisioner-1764061200-77");
    script.resources = vec![("Role", "AWS::IAM::Role", "faces-role")];
    script.roles = vec!["faces-role"];
    let (run, _) = down(script).await;
    run.ended(1);
    assert!(run.error().contains("is gone, but its AWS::IAM::Role `faces-role` still exists"), "{}", run.error());
}

#[tokio::test]
async fn a_count_at_the_limit_is_shown_as_a_minimum() {
    let mut script = with_data().on("DeleteStack", vec![at("DELETE_IN_PROGRESS"), at("DELETE_COMPLETE")]);
    script.rows = 123_456;
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &["down", "--yes"]).await;
    run.ended(0);
    assert!(run.stderr.contains("table FaceData with 100000 or more rows will be deleted"), "{}", run.stderr);
}
