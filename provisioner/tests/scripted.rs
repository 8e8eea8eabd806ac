//! Tests the real program with a scripted CloudFormation, in situations that emulators do not support.
//!
//! No test depends on a clock: the script counts polls, and the program polls every few milliseconds.

#[path = "scripted/account.rs"]
mod account;
#[path = "scripted/adopt.rs"]
mod adopt;
#[path = "scripted/backfill.rs"]
mod backfill;
#[path = "scripted/cloud.rs"]
mod cloud;
#[path = "scripted/down.rs"]
mod down;
#[path = "scripted/drift.rs"]
mod drift;
#[path = "scripted/failed_creation.rs"]
mod failed_creation;
#[path = "scripted/forget.rs"]
mod forget;
#[path = "scripted/hooks.rs"]
mod hooks;
#[path = "scripted/identity.rs"]
mod identity;
#[path = "scripted/interrupts.rs"]
mod interrupts;
#[path = "scripted/list.rs"]
mod list;
#[path = "scripted/live.rs"]
mod live;
#[path = "scripted/outcomes.rs"]
mod outcomes;
#[path = "scripted/owners.rs"]
mod owners;
#[path = "scripted/pages.rs"]
mod pages;
#[path = "scripted/parameters.rs"]
mod parameters;
#[path = "scripted/proof.rs"]
mod proof;
#[path = "scripted/regions.rs"]
mod regions;
#[path = "scripted/removable.rs"]
mod removable;
#[path = "scripted/replies.rs"]
mod replies;
#[path = "scripted/run.rs"]
mod run;
#[path = "scripted/saved_plans.rs"]
mod saved_plans;
#[path = "support/schema.rs"]
mod schema;
#[path = "scripted/settings.rs"]
mod settings;
#[path = "scripted/stuck.rs"]
mod stuck;
#[path = "scripted/terminal.rs"]
mod terminal;
#[path = "scripted/updates.rs"]
mod updates;
#[path = "scripted/xml.rs"]
mod xml;

use std::collections::BTreeMap;

use cloud::{ChangeSet, Cloud, Frame, Script, at};
use run::{Run, provisioner};
use serde_json::{Value, json};

const UPDATE: [&str; 5] = ["up", "--yes", "--no-smoke", "--output", "json"];

fn standing() -> Script {
    Script { status: Some("CREATE_COMPLETE"), ..Script::default() }
}

/// A stack whose function gets a new package.
fn code_change() -> Script {
    let mut script = standing();
    script.change_sets.push_back(ChangeSet::Changes(vec![json!({
        "Action": "Modify", "LogicalResourceId": "Function", "ResourceType": "AWS::Lambda::Function", "Replacement": "False",
        "Details": [{"Target": {"Attribute": "Properties", "Name": "Code", "RequiresRecreation": "Never",
            "Path": "/Properties/Code/S3Key", "BeforeValue": "old", "AfterValue": "new"}}],
    })]));
    script
}

/// The frames of a recorded history: first the operation in progress, then its end.
fn played(history: &str, running: &'static str, end: &'static str) -> Vec<Frame> {
    let path = format!("{}/tests/histories/{history}.json", env!("CARGO_MANIFEST_DIR"));
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("a history")).expect("JSON");
    let events = recorded["events"].as_array().expect("events").clone();
    let half = events.len() / 2;
    vec![
        Frame { status: running, events: events[..half].to_vec() },
        Frame { status: end, events: events[half..].to_vec() },
    ]
}

async fn up(script: Script) -> (Run, Cloud) {
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &UPDATE).await;
    (run, cloud)
}

#[tokio::test]
async fn a_throttled_poll_does_not_fail_the_deployment() {
    let script = Script::default()
        .on("CreateStack", vec![at("CREATE_IN_PROGRESS"), at("CREATE_IN_PROGRESS"), at("CREATE_COMPLETE")])
        .fault("DescribeStacks", (2, 1), (400, "Throttling", "Rate exceeded"))
        .fault("DescribeStackEvents", (1, 2), (400, "Throttling", "Rate exceeded"));
    let (run, cloud) = up(script).await;
    run.ended(0);
    assert_eq!(cloud.count("CreateChangeSet"), 0);
    let create = cloud.calls().into_iter().find(|call| call.name == "CreateStack").expect("a create");
    assert_eq!(create.parameters["OnFailure"], "DELETE");
    assert_eq!(create.parameters["RetainExceptOnCreate"], "true");
}

#[tokio::test]
async fn recorded_failures_are_explained() {
    for (history, kind, said) in [
        ("denied-action", "denied", "iam:CreateRole"),
        ("name-taken", "name_taken", "FaceData"),
        ("quota-exceeded", "quota", "ReservedConcurrentExecutions"),
        ("invalid-property", "invalid_property", "MemorySize"),
    ] {
        let script = Script::default().on("CreateStack", played(history, "CREATE_IN_PROGRESS", "DELETE_COMPLETE"));
        let (run, _) = up(script).await;
        run.ended(1);
        assert_eq!(run.event("operation_ended")["ok"], false, "{history}");
        let failed = run.event("failed");
        assert_eq!(failed["diagnosis"]["kind"], kind, "{history}");
        assert!(failed["diagnosis"]["reason"].as_str().is_some_and(|reason| reason.contains(said)), "{failed}");
        assert!(run.error().contains("CloudFormation deleted the resources that it had created"), "{}", run.error());
    }
    for (history, kind) in [("update-rolled-back", "other"), ("express", "transient")] {
        let script =
            code_change().on("ExecuteChangeSet", played(history, "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"));
        let (run, _) = up(script).await;
        run.ended(1);
        assert_eq!(run.event("failed")["diagnosis"]["kind"], kind, "{history}");
    }
}

#[tokio::test]
async fn without_tokens_the_time_tells_the_events_of_an_operation() {
    let mut script = code_change()
        .on("ExecuteChangeSet", played("update-rolled-back", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"));
    script.tokenless = true;
    let (run, _) = up(script).await;
    run.ended(1);
    assert_eq!(run.event("failed")["diagnosis"]["kind"], "other");
}

#[tokio::test]
async fn the_cause_is_found_in_the_operation_before_the_rollback() {
    let mut script =
        code_change().on("ExecuteChangeSet", vec![at("UPDATE_IN_PROGRESS"), at("UPDATE_ROLLBACK_COMPLETE")]);
    script.operations = vec!["rollback", "update"];
    script.operation_events = Some(BTreeMap::from([(
        "update",
        vec![json!({"EventId": "h", "EventType": "HOOK_INVOCATION_ERROR", "LogicalResourceId": "Bucket",
            "ResourceType": "AWS::S3::Bucket", "HookType": "MyOrg::S3::Encryption", "HookStatus": "HOOK_COMPLETE_FAILED",
            "HookInvocationPoint": "PRE_PROVISION", "HookFailureMode": "FAIL", "HookStatusReason": "encrypt it"})],
    )]));
    let (run, cloud) = up(script).await;
    run.ended(1);
    let diagnosis = &run.event("failed")["diagnosis"];
    assert_eq!(diagnosis["kind"], "hook");
    assert_eq!(diagnosis["reason"], "hook MyOrg::S3::Encryption (PRE_PROVISION): encrypt it");
    assert!(cloud.calls().iter().any(|call| call.parameters.get("Filters.FailedEvents").is_some_and(|v| v == "true")));
}

#[tokio::test]
async fn the_text_shows_one_cause_its_iam_statement_and_the_remedy() {
    for (history, lines) in [
        (
            "denied-action",
            [
                "cause: Role (AWS::IAM::Role): Resource handler returned message:",
                r#"this IAM statement would allow it: {"Effect":"Allow","Action":"iam:CreateRole","Resource":"arn:aws:iam::123456789012:role/face-recognition-Role-1A2B3C"}"#,
                "prints all permissions that a deployer needs",
            ],
        ),
        (
            "invalid-property",
            [
                "cause: Function (AWS::Lambda::Function): Resource handler returned message:",
                "hint: change the parameter or the template that sets this property",
                "1 more failure followed",
            ],
        ),
        (
            "hook",
            [
                "cause: Bucket (AWS::S3::Bucket): hook MyOrg::S3::Encryption (PRE_PROVISION): the bucket must be encrypted",
                "hint: the hook belongs to your account or organization: ask its owner what it requires",
                "error: the creation of stack `face-recognition` failed (DELETE_COMPLETE); CloudFormation deleted the resources that it had created",
            ],
        ),
    ] {
        let script = Script::default().on("CreateStack", played(history, "CREATE_IN_PROGRESS", "DELETE_COMPLETE"));
        let cloud = Cloud::start(script).await;
        let run = provisioner(&cloud, &["up", "--yes", "--no-smoke"]).await;
        run.ended(1);
        for line in lines {
            assert!(run.stderr.contains(line), "{history}: no {line:?} in\n{}", run.stderr);
        }
    }
}

#[tokio::test]
async fn early_validation_names_the_property() {
    let mut script = standing();
    script.change_sets.push_back(ChangeSet::Fails(
        "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]",
    ));
    script.operation_events = Some(BTreeMap::from([(
        "change-set",
        vec![json!({"EventId": "v", "EventType": "VALIDATION_ERROR", "LogicalResourceId": "Bucket",
            "ResourceType": "AWS::S3::Bucket", "ValidationName": "PROPERTY_VALIDATION", "ValidationStatus": "FAILED",
            "ValidationFailureMode": "FAIL", "ValidationPath": "/Resources/Bucket/Properties/X", "ValidationStatusReason": "unsupported property"})],
    )]));
    let (run, cloud) = up(script).await;
    run.ended(1);
    assert!(
        run.error().contains("Bucket (AWS::S3::Bucket): /Resources/Bucket/Properties/X: unsupported property"),
        "{}",
        run.error()
    );
    assert_eq!(cloud.count("DeleteChangeSet"), 1, "the failed change set is deleted");
}

#[tokio::test]
async fn a_failed_change_set_is_explained_without_describe_events() {
    let mut script = standing();
    script.change_sets.push_back(ChangeSet::Fails("Export X cannot be deleted as it is in use"));
    let (run, _) = up(script).await;
    run.ended(1);
    assert!(run.error().contains("Export X"), "{}", run.error());
}

#[tokio::test]
async fn up_reports_that_the_stack_is_up_to_date() {
    let (run, cloud) = up(standing()).await;
    run.ended(0);
    run.event("no_changes");
    assert_eq!(cloud.count("ExecuteChangeSet"), 0);
}

#[tokio::test]
async fn data_loss_is_refused_and_the_change_set_is_deleted() {
    let mut script = code_change();
    let Some(ChangeSet::Changes(changes)) = script.change_sets.front_mut() else { panic!("changes") };
    changes.push(json!({
        "Action": "Modify", "PolicyAction": "ReplaceAndRetain", "LogicalResourceId": "Table",
        "ResourceType": "AWS::DynamoDB::Table", "Replacement": "True",
        "Details": [{"Target": {"Attribute": "Properties", "Name": "TableName", "RequiresRecreation": "Always",
            "Path": "/Properties/TableName", "BeforeValue": "FaceData", "AfterValue": "Other"}}],
    }));
    let (run, cloud) = up(script).await;
    run.ended(4);
    let first = &run.event("planned")["plan"]["changes"][0];
    assert_eq!((first["logical_id"].as_str(), first["action"].as_str()), (Some("Table"), Some("replace")));
    assert_eq!(first["policy_action"], "ReplaceAndRetain");
    assert_eq!(first["properties"][0]["after"], "Other");
    assert_eq!((cloud.count("DeleteChangeSet"), cloud.count("ExecuteChangeSet")), (1, 0));
}

#[tokio::test]
async fn the_shown_change_set_is_executed() {
    let script = code_change().on("ExecuteChangeSet", vec![at("UPDATE_IN_PROGRESS"), at("UPDATE_COMPLETE")]);
    let (run, cloud) = up(script).await;
    run.ended(0);
    let calls = cloud.calls();
    let of = |name: &str| calls.iter().find(|call| call.name == name).expect(name).parameters.clone();
    assert!(of("ExecuteChangeSet")["ChangeSetName"].contains(&of("CreateChangeSet")["ChangeSetName"]));
    assert_eq!(of("DescribeChangeSet")["IncludePropertyValues"], "true");
}

#[tokio::test]
async fn plan_reports_changes_by_its_exit_code_and_deletes_abandoned_change_sets() {
    let mut script = code_change();
    script.stale = vec![("provisioner-1", 7_200), ("provisioner-2", 60), ("by-hand", 7_200)];
    let cloud = Cloud::start(script).await;
    provisioner(&cloud, &["plan", "--detailed-exitcode"]).await.ended(2);
    let swept: Vec<String> = cloud
        .calls()
        .into_iter()
        .filter(|call| call.name == "DeleteChangeSet")
        .map(|call| call.parameters["ChangeSetName"].clone())
        .collect();
    assert_eq!(swept.len(), 2, "the abandoned change set and its own: {swept:?}");
    assert_eq!(swept[0], "arn:provisioner-1");
    assert_eq!(cloud.count("ExecuteChangeSet"), 0);
    let cloud = Cloud::start(standing()).await;
    provisioner(&cloud, &["plan", "--detailed-exitcode"]).await.ended(0);
}

#[tokio::test]
async fn abandoned_change_sets_are_deleted_once_if_the_limit_is_reached() {
    let mut script = code_change().on("ExecuteChangeSet", vec![at("UPDATE_IN_PROGRESS"), at("UPDATE_COMPLETE")]).fault(
        "CreateChangeSet",
        (0, 1),
        (400, "LimitExceededException", "ChangeSet limit exceeded"),
    );
    script.stale = vec![("provisioner-1", 7_200)];
    up(script).await.0.ended(0);
    let script =
        code_change().fault("CreateChangeSet", (0, 9), (400, "LimitExceededException", "ChangeSet limit exceeded"));
    let (run, _) = up(script).await;
    run.ended(5);
    assert!(run.error().contains("list-change-sets"), "{}", run.error());
}

#[tokio::test]
async fn express_mode_is_used_only_for_updates_without_replacements() {
    let express = ["up", "--yes", "--no-smoke", "--output", "json", "--express"];
    let mode = |cloud: &Cloud| -> Vec<Option<String>> {
        let made = cloud.calls().into_iter().filter(|call| call.name == "CreateChangeSet");
        made.map(|call| call.parameters.get("DeploymentConfig.Mode").cloned()).collect()
    };
    let end = || vec![at("UPDATE_IN_PROGRESS"), at("UPDATE_COMPLETE")];
    let cloud = Cloud::start(code_change().on("ExecuteChangeSet", end())).await;
    provisioner(&cloud, &express).await.ended(0);
    assert_eq!(mode(&cloud), [Some("EXPRESS".to_owned())]);
    let made = cloud.calls().into_iter().find(|call| call.name == "CreateChangeSet").expect("a change set");
    assert_eq!(made.parameters["DeploymentConfig.DisableRollback"], "false");

    let mut script = standing().on("ExecuteChangeSet", end());
    for _ in 0..2 {
        script.change_sets.push_back(ChangeSet::Changes(vec![json!({"Action": "Modify", "Replacement": "True",
            "LogicalResourceId": "Permission", "ResourceType": "AWS::Lambda::Permission"})]));
    }
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &express).await;
    run.ended(0);
    assert_eq!(mode(&cloud), [Some("EXPRESS".to_owned()), None]);
    assert_eq!(run.event("express_unavailable")["reason"], "replacement");

    let cloud = Cloud::start(Script::default().on("CreateStack", vec![at("CREATE_COMPLETE")])).await;
    let run = provisioner(&cloud, &express).await;
    run.ended(0);
    assert_eq!(run.event("express_unavailable")["reason"], "new_stack");
}

#[tokio::test]
async fn refused_requests_have_their_own_exit_codes_and_hints() {
    let end = || vec![at("UPDATE_IN_PROGRESS"), at("UPDATE_COMPLETE")];
    let busy = "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.";
    for (name, script, code, said) in [
        ("somebody else's stack", Script { foreign: true, ..code_change() }, 4, "was not created by provisioner"),
        (
            "termination protection",
            Script { protected: true, status: Some("ROLLBACK_COMPLETE"), ..standing() },
            4,
            "has termination protection",
        ),
        (
            "two creates at once",
            Script::default().fault("CreateStack", (0, 9), (400, "AlreadyExistsException", "Stack exists")),
            5,
            "follows that deployment",
        ),
        (
            "two updates at once, before the plan",
            code_change().fault("CreateChangeSet", (0, 9), (400, "ValidationError", busy)),
            5,
            "to follow it and continue",
        ),
        (
            "two updates at once, after the plan",
            code_change().fault("ExecuteChangeSet", (0, 9), (400, "InvalidChangeSetStatus", "OBSOLETE")),
            5,
            "to make a new plan",
        ),
        (
            "the bucket for packages is somebody else's",
            code_change().on("ExecuteChangeSet", end()).fault("PutObject", (0, 9), (403, "AccessDenied", "Access Denied")),
            1,
            "the bucket must belong to account",
        ),
        (
            "clock skew",
            standing().fault("DescribeStacks", (0, 9), (403, "SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z")),
            1,
            "clock",
        ),
        (
            "denied",
            standing().fault("DescribeStacks", (0, 9), (403, "AccessDenied", "User: arn:aws:iam::123456789012:user/dev is not authorized to perform: cloudformation:DescribeStacks on resource: *")),
            1,
            "cloudformation:DescribeStacks",
        ),
        (
            "credentials expire during the update",
            code_change()
                .on("ExecuteChangeSet", vec![at("UPDATE_IN_PROGRESS")])
                .fault("DescribeStacks", (2, 99), (403, "ExpiredToken", "The security token included in the request is expired")),
            1,
            "the credentials have expired",
        ),
    ] {
        let (run, _) = up(script).await;
        assert!(run.error().contains(said), "{name}: {}", run.error());
        assert_eq!(run.code, Some(code), "{name}: {}", run.error());
    }
}

#[tokio::test]
async fn down_refuses_a_stack_with_termination_protection() {
    let cloud = Cloud::start(Script { protected: true, ..standing() }).await;
    provisioner(&cloud, &["down", "--yes"]).await.ended(4);
    assert_eq!(cloud.first_change(), "");
}
