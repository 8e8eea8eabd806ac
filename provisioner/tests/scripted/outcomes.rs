//! Tests an update of outputs alone, and a smoke test without a stack.

use serde_json::json;

use super::cloud::{ChangeSet, Cloud, Script, at};
use super::run::provisioner;
use super::{UPDATE, standing};

#[tokio::test]
async fn a_change_of_outputs_alone_is_an_update() {
    let mut script = standing().on("ExecuteChangeSet", vec![at("UPDATE_IN_PROGRESS"), at("UPDATE_COMPLETE")]);
    script.change_sets.push_back(ChangeSet::Changes(Vec::new()));
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &UPDATE).await;
    run.ended(0);
    assert_eq!(run.event("planned")["plan"]["changes"], json!([]));
    assert_eq!(cloud.count("ExecuteChangeSet"), 1);
}

#[tokio::test]
async fn a_smoke_test_without_a_stack_writes_a_failed_result() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("verdicts");
    let _ = std::fs::remove_dir_all(&folder);
    let file = folder.join("smoke.xml");
    let cloud = Cloud::start(Script::default()).await;
    let arguments = ["smoke", "--output", "json", "--junit", file.to_str().expect("text")];
    let run = provisioner(&cloud, &arguments).await;
    run.ended(1);
    let verdict = std::fs::read_to_string(file).expect("a result in a new folder");
    assert!(verdict.contains("<failure"), "{verdict}");

    // If the result cannot be written, the failure of the test is still reported.
    let arguments = ["smoke", "--output", "json", "--junit", folder.to_str().expect("text")];
    let run = provisioner(&cloud, &arguments).await;
    run.ended(1);
    assert!(run.error().contains("is not deployed in") && run.error().contains("cannot write"), "{}", run.error());
}
