//! Tests creations and updates: tokens, tags, roles, and updates of the package alone.

use std::collections::BTreeMap;

use super::cloud::{Call, Cloud, Script, at};
use super::run::provisioner;
use super::{UPDATE, code_change, standing};

/// A change that a test makes in a script.
type Change = fn(&mut Script);

/// The key-value pairs of a request, for example its parameters or tags.
fn pairs(call: &Call, list: &str, key: &str, value: &str) -> BTreeMap<String, String> {
    let named = |index: usize, field: &str| call.parameters.get(&format!("{list}.member.{index}.{field}")).cloned();
    (1..).map_while(|index| Some((named(index, key)?, named(index, value).unwrap_or_default()))).collect()
}

fn call(cloud: &Cloud, name: &str) -> Call {
    cloud.calls().into_iter().find(|call| call.name == name).unwrap_or_else(|| panic!("no {name}"))
}

/// The parameters with which a first `up` creates the stack.
async fn created() -> Vec<(&'static str, &'static str)> {
    let cloud = Cloud::start(Script::default().on("CreateStack", vec![at("CREATE_COMPLETE")])).await;
    provisioner(&cloud, &UPDATE).await.ended(0);
    let parameters = pairs(&call(&cloud, "CreateStack"), "Parameters", "ParameterKey", "ParameterValue");
    let leak = |text: String| -> &'static str { text.leak() };
    parameters.into_iter().map(|(name, value)| (leak(name), leak(value))).collect()
}

/// A stack that has the built-in template and these parameters, except for its package.
fn with_old_package(deployed: &[(&'static str, &'static str)]) -> Script {
    let old =
        |(name, value): &(&'static str, &'static str)| (*name, if *name == "CodeKey" { "old.zip" } else { *value });
    Script {
        template: Some(provisioner::core::template::BUILT_IN.to_owned()),
        deployed: deployed.iter().map(old).collect(),
        ..standing()
    }
}

#[tokio::test]
async fn a_new_package_alone_is_an_update_that_keeps_everything_else() {
    let deployed = created().await;
    let script = with_old_package(&deployed).on("UpdateStack", vec![at("UPDATE_IN_PROGRESS"), at("UPDATE_COMPLETE")]);
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &UPDATE).await;
    run.ended(0);
    let changes = run.event("planned")["plan"]["changes"].clone();
    assert_eq!(changes.as_array().map(Vec::len), Some(1), "{changes}");
    assert_eq!((&changes[0]["logical_id"], &changes[0]["action"]), (&"Function".into(), &"modify".into()));
    assert_eq!(changes[0]["properties"][0]["path"], "/Properties/Code/S3Key");
    assert_eq!(changes[0]["properties"][0]["before"], "old.zip");

    let update = call(&cloud, "UpdateStack");
    assert_eq!(update.parameters["UsePreviousTemplate"], "true");
    assert_eq!(update.parameters["Capabilities.member.1"], "CAPABILITY_IAM");
    for forbidden in ["TemplateBody", "TemplateURL", "Tags.member.1.Key", "RoleARN", "StackPolicyBody"] {
        assert!(!update.parameters.contains_key(forbidden), "{forbidden}");
    }
    let values = pairs(&update, "Parameters", "ParameterKey", "ParameterValue");
    let previous = pairs(&update, "Parameters", "ParameterKey", "UsePreviousValue");
    assert_eq!(values.len(), deployed.len(), "every parameter is in the request");
    for (name, _) in &deployed {
        let new = *name == "CodeKey";
        assert_eq!(previous[*name], if new { "" } else { "true" }, "{name}");
        assert_eq!(values[*name].is_empty(), !new, "{name}");
    }
    assert_eq!((cloud.count("CreateChangeSet"), cloud.count("PutObject")), (0, 1));
}

#[tokio::test]
async fn any_other_difference_needs_a_change_set() {
    let deployed = created().await;
    let cases: [(&str, Change, &[&str]); 5] = [
        ("the template", |script| script.template = Some("Resources: {}".into()), &[]),
        ("another parameter", |_| {}, &["--parameter", "Timeout=20"]),
        ("a tag", |_| {}, &["--tag", "team=vision"]),
        ("the role", |_| {}, &["--role-arn", "arn:aws:iam::123456789012:role/deployer"]),
        ("drift", |_| {}, &["--revert-drift"]),
    ];
    for (name, change, arguments) in cases {
        let mut script = with_old_package(&deployed);
        change(&mut script);
        script.change_sets = code_change().change_sets;
        let cloud = Cloud::start(script.on("ExecuteChangeSet", vec![at("UPDATE_COMPLETE")])).await;
        provisioner(&cloud, &[&UPDATE[..], arguments].concat()).await.ended(0);
        assert_eq!((cloud.count("UpdateStack"), cloud.count("CreateChangeSet")), (0, 1), "{name}");
    }
}

#[tokio::test]
async fn a_denied_update_falls_back_to_a_change_set() {
    let denied = "User: u is not authorized to perform: cloudformation:UpdateStack with an explicit deny in a service control policy";
    let mut script = with_old_package(&created().await)
        .fault("UpdateStack", (0, 9), (403, "AccessDenied", denied))
        .on("ExecuteChangeSet", vec![at("UPDATE_COMPLETE")]);
    script.change_sets = code_change().change_sets;
    let cloud = Cloud::start(script).await;
    provisioner(&cloud, &UPDATE).await.ended(0);
    assert_eq!((cloud.count("CreateChangeSet"), cloud.count("ExecuteChangeSet")), (1, 1));
}

#[tokio::test]
async fn an_update_keeps_the_tags_of_the_stack() {
    let mut script = code_change().on("ExecuteChangeSet", vec![at("UPDATE_COMPLETE")]);
    script.tags = vec![("team", "a"), ("aws:cloudformation:x", "y"), ("old", "z")];
    let cloud = Cloud::start(script).await;
    let tags = ["--tag", "team=b", "--tag", "cost center=1", "--untag", "old"];
    provisioner(&cloud, &[&UPDATE[..], &tags].concat()).await.ended(0);
    let sent = pairs(&call(&cloud, "CreateChangeSet"), "Tags", "Key", "Value");
    let expected = [("cost center", "1"), ("created-by", "provisioner"), ("team", "b")];
    assert_eq!(sent.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn the_bucket_for_packages_keeps_its_tags_and_gets_the_same_changes() {
    let mut script = code_change().on("ExecuteChangeSet", vec![at("UPDATE_COMPLETE")]);
    script.bucket_tags = vec![("owner", "platform"), ("old", "z")];
    let cloud = Cloud::start(script).await;
    provisioner(&cloud, &[&UPDATE[..], &["--tag", "team=b", "--untag", "old"]].concat()).await.ended(0);
    let mut sent = String::new();
    cloud.change(|script| sent.clone_from(&script.tagging));
    for tag in [("created-by", "provisioner"), ("owner", "platform"), ("team", "b")] {
        assert!(sent.contains(&format!("<Key>{}</Key><Value>{}</Value>", tag.0, tag.1)), "{tag:?}: {sent}");
    }
    assert!(!sent.contains("<Key>old</Key>"), "{sent}");
}

#[tokio::test]
async fn a_role_is_sent_only_if_it_is_given() {
    const ROLE: &str = "arn:aws:iam::123456789012:role/deployer";
    for (arguments, expected) in [(&[][..], None), (&["--role-arn", ROLE][..], Some(ROLE))] {
        let cloud = Cloud::start(Script::default().on("CreateStack", vec![at("CREATE_COMPLETE")])).await;
        provisioner(&cloud, &[&UPDATE[..], arguments].concat()).await.ended(0);
        assert_eq!(call(&cloud, "CreateStack").parameters.get("RoleARN").map(String::as_str), expected);
    }
}

#[tokio::test]
async fn a_creation_whose_reply_was_lost_is_followed() {
    // The first attempt reached CloudFormation, but its reply was an error, so the SDK asks again.
    let script = Script { creation_reply_is_lost: true, ..Script::default() }
        .on("CreateStack", vec![at("CREATE_IN_PROGRESS"), at("CREATE_COMPLETE")]);
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &UPDATE).await;
    run.ended(0);
    assert_eq!(cloud.count("CreateStack"), 2);
    assert_eq!(run.event("operation_ended")["status"], "CREATE_COMPLETE");
    assert!(call(&cloud, "CreateStack").parameters["ClientRequestToken"].starts_with("provisioner-create-"));
}

#[tokio::test]
async fn an_accepted_operation_that_never_begins_is_an_error() {
    // The request succeeds, but the stack does not change: no status in progress, no event with the token.
    let cloud = Cloud::start(code_change().on("ExecuteChangeSet", Vec::new())).await;
    let run = provisioner(&cloud, &UPDATE).await;
    run.ended(5);
    assert!(run.error().contains("did not start it"), "{}", run.error());
}
