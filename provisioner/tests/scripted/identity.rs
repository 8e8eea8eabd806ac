//! Tests what `up` and `down` say about the caller, and what stands in the way of a new stack.

use super::cloud::{Cloud, Script, at};
use super::run::provisioner;
use super::{UPDATE, standing};

#[tokio::test]
async fn the_caller_is_shown_before_anything_changes() {
    for (script, arguments, change) in [
        (Script::default().on("CreateStack", vec![at("CREATE_COMPLETE")]), &UPDATE[..], "CreateStack"),
        (
            standing().on("DeleteStack", vec![at("DELETE_COMPLETE")]),
            &["down", "--yes", "--output", "json"],
            "DeleteStack",
        ),
    ] {
        let cloud = Cloud::start(script).await;
        let run = provisioner(&cloud, arguments).await;
        let identity = run.event("identity");
        assert_eq!(identity["account"], "123456789012");
        assert_eq!(identity["arn"], "arn:aws:iam::123456789012:user/dev");
        assert_eq!(identity["credentials"]["kind"], "environment");
        let calls: Vec<String> = cloud.calls().into_iter().map(|call| call.name).collect();
        let at = |name: &str| calls.iter().position(|call| call == name).unwrap_or_else(|| panic!("{name}: {calls:?}"));
        assert!(at("GetCallerIdentity") < at(change), "{calls:?}");
    }
}

/// An endpoint that plays CloudFormation, but not STS.
#[tokio::test]
async fn a_stack_tells_the_account_if_sts_does_not() {
    let script = standing().fault("GetCallerIdentity", (0, 99), (400, "InvalidAction", "nobody plays this"));
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &UPDATE).await;
    run.ended(0);
    let identity = run.event("identity");
    assert_eq!((&identity["account"], &identity["arn"]), (&"123456789012".into(), &serde_json::Value::Null));
}

#[tokio::test]
async fn a_function_or_log_group_of_the_same_name_is_found_beforehand() {
    for (name, words) in [
        ("face-recognition", "function `face-recognition` already exists in eu-west-1, outside the stack"),
        (
            "/aws/lambda/face-recognition",
            "log group `/aws/lambda/face-recognition` already exists in eu-west-1, outside the stack",
        ),
    ] {
        let cloud = Cloud::start(Script { taken: vec![name], ..Script::default() }).await;
        let run = provisioner(&cloud, &UPDATE).await;
        run.ended(4);
        assert!(run.error().contains(words), "{}", run.error());
        assert!(run.error().contains("--stack NAME"), "{}", run.error());
        assert_eq!(cloud.first_change(), "");
    }
}

#[tokio::test]
async fn an_organization_that_denies_offers_no_statement() {
    let denial = "User: arn:aws:iam::123456789012:user/dev is not authorized to perform: cloudformation:CreateStack on resource: x \
                  with an explicit deny in a service control policy";
    let cloud = Cloud::start(Script::default().fault("CreateStack", (0, 9), (403, "AccessDenied", denial))).await;
    let run = provisioner(&cloud, &UPDATE).await;
    run.ended(1);
    let error = run.error();
    assert!(error.contains("ask the organization's administrator"), "{error}");
    assert!(error.contains("provisioner up --tag KEY=VALUE"), "{error}");
    assert!(!error.contains("Allow"), "{error}");
}
