//! Tests that users see the findings and remedies of hooks, for a resource and for a whole change set.

use serde_json::json;

use super::cloud::{ChangeSet, Cloud, Script};
use super::run::provisioner;
use super::{played, standing, up};

fn told(mut script: Script) -> Script {
    script.hook_annotations = Some(vec![
        json!({"AnnotationName": "sse-kms", "Status": "FAILED", "StatusMessage": "SSEAlgorithm is AES256",
            "RemediationMessage": "use aws:kms", "RemediationLink": "https://wiki.example/kms"}),
        json!({"AnnotationName": "public-access", "Status": "PASSED"}),
    ]);
    script
}

const SAID: &str = "sse-kms: SSEAlgorithm is AES256; use aws:kms (https://wiki.example/kms)";

#[tokio::test]
async fn the_findings_of_a_hook_come_with_the_cause() {
    let script = Script::default().on("CreateStack", played("hook", "CREATE_IN_PROGRESS", "DELETE_COMPLETE"));
    let (run, cloud) = up(told(script)).await;
    run.ended(1);
    assert_eq!(run.event("failed")["diagnosis"]["advice"], json!([SAID]));
    let asked =
        cloud.calls().into_iter().find(|call| call.name == "GetHookResult").expect("a request for the hook's result");
    assert_eq!(asked.parameters["HookResultId"], "0f1e2d3c-0000-4000-8000-000000000001", "the id in the event");
}

#[tokio::test]
async fn the_text_shows_the_findings_below_the_cause() {
    let script = Script::default().on("CreateStack", played("hook", "CREATE_IN_PROGRESS", "DELETE_COMPLETE"));
    let cloud = Cloud::start(told(script)).await;
    let run = provisioner(&cloud, &["up", "--yes", "--no-smoke"]).await;
    run.ended(1);
    assert!(run.stderr.contains(&format!("  the hook says: {SAID}\n")), "{}", run.stderr);
}

#[tokio::test]
async fn without_hook_results_the_cause_is_still_reported() {
    let script = Script::default().on("CreateStack", played("hook", "CREATE_IN_PROGRESS", "DELETE_COMPLETE"));
    let (run, _) = up(script).await;
    run.ended(1);
    assert_eq!(run.event("failed")["diagnosis"]["kind"], "hook");
}

#[tokio::test]
async fn the_findings_of_a_hook_on_a_change_set_are_read_by_its_arn() {
    let mut script = told(standing());
    script.change_sets.push_back(ChangeSet::Fails("The following hook(s) failed: [MyOrg::Stack::Encryption]"));
    script.hook_results = vec!["0f1e2d3c-0000-4000-8000-000000000002"];
    let (run, cloud) = up(script).await;
    run.ended(1);
    assert!(run.error().contains(&format!("the hook says: {SAID}")), "{}", run.error());
    let calls = cloud.calls();
    let asked = calls.iter().find(|call| call.name == "ListHookResults").expect("a request for the list of results");
    assert_eq!(asked.parameters["TargetType"], "CHANGE_SET");
    assert!(asked.parameters["TargetId"].contains(":changeSet/provisioner-"), "{asked:?}");
}
