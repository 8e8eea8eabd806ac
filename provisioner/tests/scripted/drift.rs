//! Tests `up --revert-drift`: a change set that compares with the actual resources, if the endpoint supports it.

use serde_json::json;

use super::cloud::{ChangeSet, Cloud, Script, at};
use super::run::provisioner;
use super::standing;

const REVERT: [&str; 6] = ["up", "--yes", "--no-smoke", "--revert-drift", "--output", "json"];

fn drifted() -> Script {
    let mut script = standing().on("ExecuteChangeSet", vec![at("UPDATE_IN_PROGRESS"), at("UPDATE_COMPLETE")]);
    script.change_sets.push_back(ChangeSet::Changes(vec![
        json!({"Action": "Modify", "LogicalResourceId": "Function", "ResourceType": "AWS::Lambda::Function",
            "Replacement": "False", "ResourceDriftStatus": "MODIFIED",
            "Details": [{"Target": {"Attribute": "Properties", "Name": "Timeout", "RequiresRecreation": "Never",
                "Path": "/Properties/Timeout", "BeforeValue": "10", "AfterValue": "10",
                "Drift": {"PreviousValue": "10", "ActualValue": "3"}}}]}),
        json!({"Action": "SyncWithActual", "LogicalResourceId": "LogGroup", "ResourceType": "AWS::Logs::LogGroup"}),
    ]));
    script
}

#[tokio::test]
async fn drift_is_shown_and_reverted() {
    let mut script = drifted();
    script.knows_drift = true;
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &REVERT).await;
    run.ended(0);
    let changes = run.event("planned")["plan"]["changes"].clone();
    assert_eq!((&changes[0]["logical_id"], &changes[0]["action"]), (&"Function".into(), &"modify".into()));
    let property = &changes[0]["properties"][0];
    assert_eq!(
        (&property["before"], &property["after"]),
        (&"3".into(), &"10".into()),
        "the actual value, not the deployed one"
    );
    assert_eq!((&changes[1]["logical_id"], &changes[1]["action"]), (&"LogGroup".into(), &"acknowledge".into()));
    let made = cloud.calls().into_iter().find(|call| call.name == "CreateChangeSet").expect("a change set");
    assert_eq!(made.parameters["DeploymentMode"], "REVERT_DRIFT");
    assert_eq!(cloud.count("ExecuteChangeSet"), 1);
}

#[tokio::test]
async fn an_endpoint_without_drift_detection_is_reported() {
    let cloud = Cloud::start(standing()).await;
    let run = provisioner(&cloud, &REVERT).await;
    run.ended(0);
    run.event("drift_revert_unsupported");
}

#[tokio::test]
async fn change_sets_revert_drift_only_on_request() {
    let cloud = Cloud::start(drifted()).await;
    provisioner(&cloud, &["up", "--yes", "--no-smoke", "--output", "json"]).await.ended(0);
    let made = cloud.calls().into_iter().find(|call| call.name == "CreateChangeSet").expect("a change set");
    assert!(!made.parameters.contains_key("DeploymentMode"));
}
