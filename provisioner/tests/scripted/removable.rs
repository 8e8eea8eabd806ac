//! `down` finds out whether everything can be removed before it removes anything; and it removes keys that XML cannot name.

use serde_json::json;

use super::cloud::{Call, Cloud, PATH, QUERY, Script, at};
use super::down::with_data;
use super::run::{Run, provisioner};

async fn down(script: Script, more: &[&str]) -> (Run, Cloud) {
    let script = script.on("DeleteStack", vec![at("DELETE_IN_PROGRESS"), at("DELETE_COMPLETE")]);
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &[&["down", "--yes", "--output", "json"], more].concat()).await;
    (run, cloud)
}

/// Checks that a run was refused with these words, and removed nothing.
#[track_caller]
fn refused((run, cloud): &(Run, Cloud), words: &[&str]) {
    run.ended(4);
    for word in words {
        assert!(run.error().contains(word), "{word} is not in {}", run.error());
    }
    for call in ["DeleteStack", "DeleteTable", "DeleteObjects", "DeleteObject", "DeleteBucket"] {
        assert_eq!(cloud.count(call), 0, "{call}");
    }
}

fn protected() -> Script {
    let mut script = with_data();
    let table = json!({ "Table": { "TableStatus": "ACTIVE", "DeletionProtectionEnabled": true } });
    script.replies.insert("DescribeTable", (200, table.to_string()));
    script
}

#[tokio::test]
async fn a_protected_table_is_found_before_anything_is_removed() {
    let words =
        ["table `FaceData` is protected against deletion", "--no-deletion-protection-enabled", "down --keep-data"];
    refused(&down(protected(), &[]).await, &words);
    let (run, cloud) = down(protected(), &["--keep-data"]).await;
    run.ended(0);
    assert_eq!(cloud.count("DeleteStack"), 1);
}

/// A bucket with object lock and one object in it.
fn locked(retain_until: &str, hold: &str) -> Script {
    let mut script = with_data();
    script.packages = vec!["a.jpg"];
    script.replies.extend([
        (
            "GetObjectLockConfiguration",
            (
                200,
                "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"
                    .to_owned(),
            ),
        ),
        (
            "GetObjectRetention",
            (
                200,
                format!(
                    "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>{retain_until}</RetainUntilDate></Retention>"
                ),
            ),
        ),
        ("GetObjectLegalHold", (200, format!("<LegalHold><Status>{hold}</Status></LegalHold>"))),
    ]);
    script
}

#[tokio::test]
async fn a_locked_object_is_found_before_anything_is_removed() {
    let until = "2999-01-01T00:00:00Z";
    let words = [
        "`a.jpg` in bucket `pictures` is locked until 2999-01-01T00:00:00Z",
        "get-object-retention",
        "--version-id null",
    ];
    refused(&down(locked(until, "OFF"), &[]).await, &words);
    let past = "2020-01-01T00:00:00Z";
    refused(&down(locked(past, "ON"), &[]).await, &["is locked until its legal hold is removed"]);
    // A lock that has ended holds nothing, and neither does one that may not be asked for.
    let mut unknown = locked(until, "OFF");
    unknown.replies.insert("GetObjectLockConfiguration", (403, "<Error><Code>AccessDenied</Code></Error>".to_owned()));
    for script in [locked(past, "OFF"), unknown] {
        down(script, &[]).await.0.ended(0);
    }
    down(locked(until, "ON"), &["--keep-data"]).await.0.ended(0);
}

/// What IAM answers about some actions.
fn simulated(script: &mut Script, decision: &str, missing: &str, actions: &[&str]) {
    let result = |action: &&str| {
        format!(
            "<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision>\
             <MissingContextValues>{missing}</MissingContextValues></member>"
        )
    };
    let results: String = actions.iter().map(result).collect();
    let reply = format!("<EvaluationResults>{results}</EvaluationResults>");
    script.replies.insert("SimulatePrincipalPolicy", super::xml::ok("SimulatePrincipalPolicy", &reply));
}

#[tokio::test]
async fn a_missing_permission_is_found_before_anything_is_removed() {
    let actions = ["s3:DeleteObjectVersion", "dynamodb:DeleteTable", "dynamodb:Scan"];
    let mut script = with_data();
    simulated(&mut script, "implicitDeny", "", &actions);
    let run = down(script, &[]).await;
    refused(&run, &["may not perform", "dynamodb:DeleteTable", "s3:DeleteObjectVersion", "policy --for down"]);
    assert!(!run.0.error().contains("dynamodb:Scan"), "only what removes is asked about: {}", run.0.error());

    let mut incomplete = with_data();
    simulated(&mut incomplete, "implicitDeny", "<member>aws:ResourceTag/team</member>", &actions);
    let mut allowed = with_data();
    simulated(&mut allowed, "allowed", "", &actions);
    // A bucket's policy may allow what the caller's does not.
    let mut by_bucket = with_data();
    simulated(&mut by_bucket, "implicitDeny", "", &["s3:DeleteObjectVersion"]);
    by_bucket.replies.insert("GetBucketPolicy", (200, json!({ "Statement": [{ "Effect": "Allow" }] }).to_string()));
    for script in [incomplete, allowed, by_bucket] {
        down(script, &[]).await.0.ended(0);
    }
    let mut kept = with_data();
    simulated(&mut kept, "explicitDeny", "", &actions);
    down(kept, &["--keep-data"]).await.0.ended(0);
}

#[tokio::test]
async fn everything_that_stands_in_the_way_is_said_at_once() {
    let mut script = protected();
    script.replies.extend(locked("2999-01-01T00:00:00Z", "OFF").replies);
    script.packages = vec!["a.jpg"];
    simulated(&mut script, "explicitDeny", "", &["iam:DeleteRole"]);
    let words = ["`FaceData` is protected", "`a.jpg` in bucket", "iam:DeleteRole"];
    refused(&down(script, &[]).await, &words);
}

#[tokio::test]
async fn keys_with_control_characters_are_deleted_one_by_one() {
    let mut script = with_data();
    let version = |key: &str| format!("<Version><Key>{key}</Key><VersionId>v1</VersionId></Version>");
    let versions: String = ["plain+a%2Bb.jpg", "bell%07.jpg", "line%0Abreak.jpg"].into_iter().map(version).collect();
    let upload = "<Upload><Key>half%01.jpg</Key><UploadId>u</UploadId></Upload>";
    script.replies.extend([
        (
            "ListObjectVersions",
            (200, format!("<ListVersionsResult><EncodingType>url</EncodingType>{versions}</ListVersionsResult>")),
        ),
        (
            "ListMultipartUploads",
            (
                200,
                format!(
                    "<ListMultipartUploadsResult><EncodingType>url</EncodingType>{upload}</ListMultipartUploadsResult>"
                ),
            ),
        ),
        ("DeleteObject", (204, String::new())),
    ]);
    let (run, cloud) = down(script, &[]).await;
    run.ended(0);
    let of = |name: &str| -> Vec<Call> { cloud.calls().into_iter().filter(|call| call.name == name).collect() };
    assert!(of("ListObjectVersions").iter().all(|call| call.parameters[QUERY].contains("encoding-type=url")));
    let mut alone: Vec<String> = of("DeleteObject").into_iter().map(|call| call.parameters[PATH].clone()).collect();
    alone.sort();
    alone.dedup();
    let folder = |key: &str| alone.iter().filter(|path| path.ends_with(key)).count();
    assert!(folder("/bell%07.jpg") > 0 && folder("/line%0Abreak.jpg") > 0, "{alone:?}");
    assert!(of("DeleteObject").iter().any(|call| call.parameters[PATH].ends_with("/half%01.jpg")), "the upload");
    let lists: Vec<String> =
        of("DeleteObjects").into_iter().map(|call| call.parameters[super::cloud::BODY].clone()).collect();
    assert!(lists.iter().all(|list| list.contains("<Key>plain a+b.jpg</Key>") && !list.contains("bell")), "{lists:?}");
}
