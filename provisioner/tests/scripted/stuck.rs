//! Tests what `up`, `plan`, and `down` do first if the stack is in an unusual state.

use serde_json::json;

use super::cloud::{Cloud, Frame, Script, at};
use super::run::provisioner;
use super::{code_change, played, standing, up};

#[tokio::test]
async fn every_status_has_its_first_step() {
    let update = || vec![at("UPDATE_IN_PROGRESS"), at("UPDATE_COMPLETE")];
    for (status, code, first) in [
        ("CREATE_COMPLETE", 0, "CreateChangeSet"),
        ("CREATE_FAILED", 0, "DeleteStack"),
        ("DELETE_COMPLETE", 0, "CreateStack"),
        ("DELETE_FAILED", 0, "DeleteStack"),
        ("IMPORT_COMPLETE", 0, "CreateChangeSet"),
        ("IMPORT_ROLLBACK_COMPLETE", 0, "CreateChangeSet"),
        ("IMPORT_ROLLBACK_FAILED", 5, ""),
        ("REVIEW_IN_PROGRESS", 0, "DeleteStack"),
        ("ROLLBACK_COMPLETE", 0, "DeleteStack"),
        ("ROLLBACK_FAILED", 0, "DeleteStack"),
        ("UPDATE_COMPLETE", 0, "CreateChangeSet"),
        ("UPDATE_FAILED", 0, "CreateChangeSet"),
        ("UPDATE_ROLLBACK_COMPLETE", 0, "CreateChangeSet"),
        ("UPDATE_ROLLBACK_FAILED", 0, "ContinueUpdateRollback"),
        ("SOMETHING_NEW", 5, ""),
    ] {
        let script = Script { status: Some(status), ..code_change() }
            .on("ExecuteChangeSet", update())
            .on("DeleteStack", vec![at("DELETE_IN_PROGRESS"), at("DELETE_COMPLETE")])
            .on("CreateStack", vec![at("CREATE_IN_PROGRESS"), at("CREATE_COMPLETE")])
            .on("ContinueUpdateRollback", vec![at("UPDATE_ROLLBACK_IN_PROGRESS"), at("UPDATE_ROLLBACK_COMPLETE")]);
        let (run, cloud) = up(script).await;
        run.ended(code);
        assert_eq!(cloud.first_change(), first, "{status}");
    }
}

#[tokio::test]
async fn a_running_operation_is_followed_and_then_the_stack_is_updated() {
    for (busy, rest) in [
        ("CREATE_IN_PROGRESS", "CREATE_COMPLETE"),
        ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("IMPORT_IN_PROGRESS", "IMPORT_COMPLETE"),
        ("IMPORT_ROLLBACK_IN_PROGRESS", "IMPORT_ROLLBACK_COMPLETE"),
        ("ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"),
        ("DELETE_IN_PROGRESS", "DELETE_COMPLETE"),
    ] {
        let mut script = code_change()
            .on("ExecuteChangeSet", vec![at("UPDATE_IN_PROGRESS"), at("UPDATE_COMPLETE")])
            .on("DeleteStack", vec![at("DELETE_COMPLETE")])
            .on("CreateStack", vec![at("CREATE_IN_PROGRESS"), at("CREATE_COMPLETE")]);
        script.running = [at(busy), at(busy), at(rest)].into();
        let (run, _) = up(script).await;
        run.ended(0);
        assert_eq!(run.event("joined")["status"], busy);
    }
}

#[tokio::test]
async fn plan_changes_nothing_on_a_stuck_stack() {
    for status in ["UPDATE_ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED"] {
        let cloud = Cloud::start(Script { status: Some(status), ..standing() }).await;
        provisioner(&cloud, &["plan", "--yes"]).await.ended(5);
        assert_eq!(cloud.first_change(), "", "{status}");
    }
}

#[tokio::test]
async fn a_failed_rollback_is_continued_without_the_failed_resources_and_then_by_force() {
    let stuck = || {
        let failed = json!({"id": "f", "at": 5, "logical_id": "Function", "resource_type": "AWS::Lambda::Function", "status": "UPDATE_FAILED", "reason": "no such function"});
        let cancelled = json!({"id": "c", "at": 6, "logical_id": "Bucket", "resource_type": "AWS::S3::Bucket", "status": "UPDATE_FAILED", "reason": "Resource update cancelled"});
        let events = vec![failed, cancelled];
        vec![at("UPDATE_ROLLBACK_IN_PROGRESS"), Frame { status: "UPDATE_ROLLBACK_FAILED", events }]
    };
    let script = Script { status: Some("UPDATE_ROLLBACK_FAILED"), ..code_change() }
        .on("ContinueUpdateRollback", stuck())
        .on("ContinueUpdateRollback", stuck())
        .on("ContinueUpdateRollback", vec![at("UPDATE_ROLLBACK_IN_PROGRESS"), at("UPDATE_ROLLBACK_COMPLETE")])
        .on("ExecuteChangeSet", vec![at("UPDATE_IN_PROGRESS"), at("UPDATE_COMPLETE")]);
    let (run, cloud) = up(script).await;
    run.ended(0);
    let tries: Vec<_> = cloud.calls().into_iter().filter(|call| call.name == "ContinueUpdateRollback").collect();
    assert_eq!(tries.len(), 3);
    assert!(!tries[0].parameters.contains_key("ResourcesToSkip.member.1"));
    assert_eq!(tries[1].parameters["ResourcesToSkip.member.1"], "Function");
    assert!(!tries[1].parameters.contains_key("ResourcesToSkip.member.2"), "a cancelled resource cannot be skipped");
    assert_eq!(tries[2].parameters["ForceRollback"], "true");
}

#[tokio::test]
async fn remains_with_data_or_that_cannot_be_deleted_block_up() {
    let mut script = Script { status: Some("ROLLBACK_FAILED"), ..standing() };
    script.resources = vec![("Table", "AWS::DynamoDB::Table", "FaceData")];
    script.tables.insert("FaceData".into());
    let (run, cloud) = up(script).await;
    run.ended(5);
    assert_eq!(cloud.first_change(), "");
    let script = Script { status: Some("ROLLBACK_FAILED"), ..standing() }
        .on("DeleteStack", played("full-bucket", "DELETE_IN_PROGRESS", "DELETE_FAILED"));
    let (run, cloud) = up(script).await;
    run.ended(5);
    assert_eq!(run.event("failed")["diagnosis"]["kind"], "not_empty");
    assert_eq!(cloud.count("CreateStack"), 0);
}

#[tokio::test]
async fn down_deletes_a_stack_with_increasing_force() {
    let failing = || played("full-bucket", "DELETE_IN_PROGRESS", "DELETE_FAILED");
    let mut script = standing();
    for _ in 0..3 {
        script = script.on("DeleteStack", failing());
    }
    let mut script = script.on("DeleteStack", vec![at("DELETE_IN_PROGRESS"), at("DELETE_COMPLETE")]);
    script.resources = vec![("Bucket", "AWS::S3::Bucket", "pictures")];
    script.buckets.insert("pictures".into());
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &["down", "--yes", "--output", "json"]).await;
    run.ended(0);
    let tries: Vec<_> = cloud.calls().into_iter().filter(|call| call.name == "DeleteStack").collect();
    assert_eq!(tries.len(), 4);
    assert_eq!(tries[2].parameters["RetainResources.member.1"], "Bucket");
    assert_eq!(tries[3].parameters["DeletionMode"], "FORCE_DELETE_STACK");
    run.event("nothing_left");
}
