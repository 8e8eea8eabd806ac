//! What the account's quotas decide.

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
async fn the_quota_of_the_region_limits_the_copies() {
    let (run, value) = reserve(quotas(Some(5.0), 1_000)).await;
    assert_eq!(value, "5");
    let chosen = run.event("concurrency_chosen");
    assert_eq!((&chosen["copies"], &chosen["requests_a_second"]), (&5.into(), &5.0.into()));
}

#[tokio::test]
async fn a_small_account_gets_no_limit_and_hears_why() {
    for (script, said) in [
        (quotas(Some(5.0), 10), "10 are not reserved"),
        (quotas(None, 1_000), "no quota of DetectFaces"),
        (
            quotas(Some(5.0), 1_000).fault("ListServiceQuotas", (0, 9), (400, "AccessDeniedException", "no")),
            "cannot read the quotas",
        ),
    ] {
        let (run, value) = reserve(script).await;
        assert_eq!(value, "-1");
        let warning = run.event("warning");
        assert!(warning["message"].as_str().is_some_and(|text| text.contains(said)), "{warning}");
    }
}

#[tokio::test]
async fn a_limit_that_stands_stays_where_the_quota_cannot_be_read() {
    let mut script = Script { status: Some("CREATE_COMPLETE"), ..quotas(None, 1_000) };
    script.deployed = vec![("ReservedConcurrency", "5")];
    let cloud = Cloud::start(script).await;
    provisioner(&cloud, &[&UPDATE[..], &["-P", "ReservedConcurrency=auto"]].concat()).await.ended(0);
    let made = cloud.calls().into_iter().find(|call| call.name == "CreateChangeSet").expect("a change set");
    let name = made.parameters.iter().find(|(_, value)| *value == "ReservedConcurrency").expect("the parameter").0;
    assert_eq!(made.parameters[&name.replace("ParameterKey", "ParameterValue")], "5");
}
