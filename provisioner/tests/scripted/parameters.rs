//! Tests parameters that keep their deployed values, and parameters that users cannot set.

use super::cloud::{Cloud, at};
use super::run::provisioner;
use super::{UPDATE, code_change, standing};

/// The deployed architecture is kept. The package in these tests is for arm64.
#[tokio::test]
async fn the_deployed_architecture_is_kept_unless_another_is_requested() {
    for (named, code) in [(None, 2), (Some("--parameter=Architecture=arm64"), 0)] {
        let mut script = code_change().on("ExecuteChangeSet", vec![at("UPDATE_IN_PROGRESS"), at("UPDATE_COMPLETE")]);
        script.deployed = vec![("Architecture", "x86_64")];
        let cloud = Cloud::start(script).await;
        let run = provisioner(&cloud, &[&UPDATE[..], named.as_slice()].concat()).await;
        run.ended(code);
        assert_eq!(run.stdout.contains("built for arm64, but the function will run on x86_64"), named.is_none());
    }
}

#[tokio::test]
async fn the_location_of_the_package_cannot_be_set() {
    let cloud = Cloud::start(standing()).await;
    let run = provisioner(&cloud, &["plan", "--parameter=CodeKey=mine.zip", "--output=json"]).await;
    run.ended(2);
    assert!(run.error().contains("`CodeKey` is set by provisioner itself"), "{}", run.error());
}

#[tokio::test]
async fn a_parameter_out_of_range_is_refused_before_any_request() {
    let cloud = Cloud::start(standing()).await;
    let run = provisioner(&cloud, &["up", "--yes", "--output", "json", "--parameter", "Timeout=5"]).await;
    run.ended(2);
    assert!(run.error().contains("must be at least 10"), "{}", run.error());
    assert!(cloud.calls().is_empty());
}
