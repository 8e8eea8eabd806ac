//! `down` where somebody was there before it, where it is refused, and where others still use what it would remove.

use super::cloud::{Cloud, Script, at};
use super::run::{Run, provisioner};

/// A stack that stands, with its bucket and its table.
fn with_data() -> Script {
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
async fn a_deletion_under_way_is_joined_and_finished() {
    let mut script = with_data();
    script.status = Some("DELETE_IN_PROGRESS");
    script.running = vec![at("DELETE_IN_PROGRESS"), at("DELETE_IN_PROGRESS"), at("DELETE_COMPLETE")].into();
    let (run, cloud) = down(script).await;
    run.ended(0);
    run.event("joined");
    assert_eq!(cloud.count("DeleteStack"), 0, "one deletion is enough");
    assert_eq!(run.event("will_remove")["bucket"], "pictures");
    assert_eq!(
        run.event("nothing_left")["asked"],
        4,
        "stack, bucket, table and the bucket for packages: {}",
        run.stdout
    );
    assert_eq!(cloud.count("DeleteTable"), 1);
}

#[tokio::test]
async fn a_refused_deletion_touches_nothing() {
    let script = with_data().fault("DeleteStack", (0, 9), (403, "AccessDenied", "no"));
    let (run, cloud) = down(script).await;
    run.ended(1);
    for call in ["DeleteObjects", "DeleteBucket", "DeleteTable"] {
        assert_eq!(cloud.count(call), 0, "{call}: the stack still needs its packages and its data");
    }
}

#[tokio::test]
async fn the_bucket_for_packages_stays_where_others_use_it() {
    let mut script = with_data().on("DeleteStack", vec![at("DELETE_IN_PROGRESS"), at("DELETE_COMPLETE")]);
    script.others_packages = true;
    let (run, _) = down(script).await;
    run.ended(0);
    assert!(run.event("kept")["name"].as_str().is_some_and(|name| name.starts_with("provisioner-artefacts-")));
    assert_eq!(run.event("nothing_left")["asked"], 3, "what stays is not asked for");
}

#[tokio::test]
async fn packages_that_stay_are_an_error_after_all_else_is_gone() {
    let mut script = with_data().on("DeleteStack", vec![at("DELETE_IN_PROGRESS"), at("DELETE_COMPLETE")]).fault(
        "ListObjectVersions",
        (0, 9),
        (403, "AccessDenied", "no"),
    );
    // Without a bucket of pictures only the one for packages is listed.
    script.resources.remove(0);
    let (run, cloud) = down(script).await;
    run.ended(1);
    assert_eq!((cloud.count("DeleteStack"), cloud.count("DeleteTable")), (1, 1));
    run.event("nothing_left");
    assert!(run.error().contains("AccessDenied: no"), "{}", run.error());
}
