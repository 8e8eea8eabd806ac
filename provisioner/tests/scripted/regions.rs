//! Tests which regions have Rekognition according to Service Quotas.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cloud::{Cloud, Script, at};
use super::run::{Run, provisioner};
use super::{UPDATE, standing};

fn quotas(rekognition_regions: Vec<&'static str>, closed_regions: Vec<&'static str>) -> Script {
    Script { detect_faces: Some(5.0), rekognition_regions, closed_regions, ..Script::default() }
        .on("CreateStack", vec![at("CREATE_COMPLETE")])
}

/// The regions of a run: name, whether it has Rekognition, requests per second.
fn rows(run: &Run) -> Vec<(String, Value, Value)> {
    let rows = run.event("regions")["regions"].clone();
    let row = |row: &Value| {
        let name = row["name"].as_str().unwrap_or_default().to_owned();
        (name, row["rekognition"].clone(), row["requests_per_second"].clone())
    };
    rows.as_array().expect("rows").iter().map(row).collect()
}

const LIVE: [&str; 4] = ["regions", "--live", "--output", "json"];

#[tokio::test]
async fn live_regions_show_the_quota_of_the_account() {
    // `us-east-1` has Rekognition according to the built-in table, `mx-central-1` does not, and both refuse the
    // request.
    let script = quotas(vec!["eu-west-1", "eu-west-3"], vec!["us-east-1", "mx-central-1"]);
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &LIVE).await;
    run.ended(0);
    let row = |name: &str, rekognition, rate| (name.to_owned(), rekognition, rate);
    let (other_partition, refused) =
        (row("us-gov-west-1", Value::Null, Value::Null), row("us-east-1", Value::Null, Value::Null));
    let (ireland, paris) = (row("eu-west-1", json!(true), json!(5.0)), row("eu-west-3", json!(true), json!(5.0)));
    assert_eq!(rows(&run), [refused, ireland, paris, other_partition]);
    let all = rows(&provisioner(&cloud, &[&LIVE[..], &["--all"]].concat()).await);
    for expected in [row("mx-central-1", Value::Null, Value::Null), row("us-east-2", json!(false), Value::Null)] {
        assert!(all.contains(&expected), "{expected:?} in {all:?}");
    }
    let text = provisioner(&cloud, &["regions", "--live"]).await.stdout;
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    let words = |name: &str| line(name).split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
    assert!(words("us-east-1").ends_with(&["unknown".into()]), "{text}");
    assert!(words("eu-west-3").ends_with(&["yes".into(), "5".into()]), "{text}");
    assert!(text.contains("✓ 2 regions with Rekognition, according to Service Quotas"), "{text}");
    assert!(cloud.calls().iter().all(|call| !call.parameters[super::cloud::REGION].starts_with("us-gov-")));
}

#[tokio::test]
async fn live_regions_fail_if_every_region_refuses_the_request() {
    let script =
        quotas(Vec::new(), Vec::new()).fault("ListServiceQuotas", (0, 99), (400, "AccessDeniedException", "no"));
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &LIVE).await;
    run.ended(1);
    assert!(run.error().contains("cannot read the quotas of Rekognition in `eu-west-1`"), "{}", run.error());
}

#[tokio::test]
async fn a_region_that_got_rekognition_later_is_accepted() {
    let cloud = Cloud::start(quotas(vec!["eu-west-3"], Vec::new())).await;
    let run = provisioner(&cloud, &[&UPDATE[..], &["--region", "eu-west-3"]].concat()).await;
    run.ended(0);
    assert_eq!(run.event("region_checked")["source"], "service_quotas");
    let create = cloud.calls().into_iter().find(|call| call.name == "CreateStack").expect("a create");
    let (name, _) = create.parameters.iter().find(|(_, value)| *value == "RegionCheck").expect("the parameter");
    // The template's own list does not have the region.
    assert_eq!(create.parameters[&name.replace("ParameterKey", "ParameterValue")], "no");
}

#[tokio::test]
async fn a_region_without_rekognition_is_refused_with_the_source_of_the_information() {
    for (rekognition, closed, source) in [
        (vec!["eu-west-1"], vec![], "Service Quotas does not list it"),
        (vec![], vec!["eu-west-3"], "built-in region table"),
    ] {
        let cloud = Cloud::start(quotas(rekognition, closed)).await;
        let run = provisioner(&cloud, &[&UPDATE[..], &["--region", "eu-west-3"]].concat()).await;
        run.ended(4);
        let error = run.error();
        assert!(error.contains("no Amazon Rekognition") && error.contains(source), "{error}");
        assert_eq!(cloud.first_change(), "");
    }
}

/// A stack whose log has these lines in every region.
fn logged() -> Script {
    let event = |at: i64| json!({"eventId": at.to_string(), "timestamp": at, "message": format!("line {at}")});
    let reply = json!({"events": [event(1_000), event(3_000), event(2_000)]});
    let mut script = standing();
    script.outputs = vec![("LogGroupName", "/aws/lambda/face-recognition")];
    script.replies.insert("FilterLogEvents", (200, reply.to_string()));
    script
}

/// The times of the lines of a log, and the number of regions that they come from.
async fn log_of_two_regions(script: Script, code: i32) -> (Vec<i64>, usize) {
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &["logs", "--region", "eu-west-1,eu-central-1", "--output", "json"]).await;
    run.ended(code);
    let events = run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let logged: Vec<_> = events.filter(|event| event["type"] == "log").collect();
    let times = logged.iter().filter_map(|event| event["at"].as_i64()).collect();
    (times, logged.iter().filter_map(|event| event["region"].as_str()).collect::<BTreeSet<_>>().len())
}

#[tokio::test]
async fn logs_of_several_regions_are_in_the_order_of_their_times() {
    assert_eq!(log_of_two_regions(logged(), 0).await, (vec![1_000, 1_000, 2_000, 2_000, 3_000, 3_000], 2));
    let denied = logged().fault("FilterLogEvents", (1, 1), (400, "AccessDeniedException", "no"));
    assert_eq!(log_of_two_regions(denied, 1).await, (vec![1_000, 2_000, 3_000], 1));
}
