//! Tests the effects of the account's quotas.

use super::UPDATE;
use super::cloud::{Cloud, Script, at};
use super::run::{Run, provisioner};

fn quotas(rate: Option<f64>, free: i32) -> Script {
    let mut script = Script::default().on("CreateStack", vec![at("CREATE_COMPLETE")]);
    script.detect_faces = rate;
    script.free_copies = free;
    script
}

async fn reserve(script: Script) -> (Run, String) {
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &[&UPDATE[..], &["-P", "ReservedConcurrency=auto"]].concat()).await;
    run.ended(0);
    let create = cloud.calls().into_iter().find(|call| call.name == "CreateStack").expect("a create");
    let names = create.parameters.iter().find(|(_, value)| *value == "ReservedConcurrency").expect("the parameter");
    let value = create.parameters[&names.0.replace("ParameterKey", "ParameterValue")].clone();
    (run, value)
}

#[tokio::test]
async fn the_quota_of_the_region_limits_the_concurrent_executions() {
    let (run, value) = reserve(quotas(Some(5.0), 1_000)).await;
    assert_eq!(value, "5");
    let chosen = run.event("concurrency_chosen");
    assert_eq!((&chosen["concurrent_executions"], &chosen["requests_per_second"]), (&5.into(), &5.0.into()));
}

#[tokio::test]
async fn without_a_quota_or_enough_unreserved_executions_nothing_is_reserved() {
    for (script, said) in [
        (quotas(Some(5.0), 10), "no_room"),
        (quotas(None, 1_000), "unknown_quota"),
        (
            quotas(Some(5.0), 1_000).fault("ListServiceQuotas", (0, 9), (400, "AccessDeniedException", "no")),
            "unreadable",
        ),
    ] {
        let (run, value) = reserve(script).await;
        assert_eq!(value, "-1");
        assert_eq!(run.event("concurrency_unknown")["reason"]["name"], said);
    }
}

#[tokio::test]
async fn an_existing_reservation_is_kept_if_the_quota_is_unknown() {
    let mut script = Script { status: Some("CREATE_COMPLETE"), ..quotas(None, 1_000) };
    script.deployed = vec![("ReservedConcurrency", "5")];
    let cloud = Cloud::start(script).await;
    provisioner(&cloud, &[&UPDATE[..], &["-P", "ReservedConcurrency=auto"]].concat()).await.ended(0);
    let made = cloud.calls().into_iter().find(|call| call.name == "CreateChangeSet").expect("a change set");
    let name = made.parameters.iter().find(|(_, value)| *value == "ReservedConcurrency").expect("the parameter").0;
    assert_eq!(made.parameters[&name.replace("ParameterKey", "ParameterValue")], "5");
}
