//! Tests `plan --out` and `up --plan`: a saved plan is executed exactly or refused.

use std::path::PathBuf;

use super::cloud::{Cloud, Script, at};
use super::code_change;
use super::run::{Run, provisioner};

/// A change that a test makes in a script.
type Change = fn(&mut Script);

/// A file of a test, deleted when the test ends.
struct PlanFile(PathBuf);

impl PlanFile {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.json", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for PlanFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn saved(script: Script, file: &PlanFile) -> Cloud {
    let cloud = Cloud::start(script).await;
    let run = provisioner(&cloud, &["plan", "--output", "json", "--out", file.path()]).await;
    run.ended(0);
    run.event("plan_saved");
    cloud
}

async fn execute(cloud: &Cloud, file: &PlanFile) -> Run {
    provisioner(cloud, &["up", "--yes", "--no-smoke", "--output", "json", "--plan", file.path()]).await
}

#[tokio::test]
async fn a_saved_plan_is_executed_as_it_was_shown() {
    let file = PlanFile::new("executed");
    let script = code_change().on("ExecuteChangeSet", vec![at("UPDATE_IN_PROGRESS"), at("UPDATE_COMPLETE")]);
    let cloud = saved(script, &file).await;
    assert_eq!((cloud.count("PutObject"), cloud.count("DeleteChangeSet")), (1, 0));
    let made = cloud.calls().into_iter().find(|call| call.name == "CreateChangeSet").expect("a change set");
    assert!(
        made.parameters["ChangeSetName"].starts_with("provisioner-plan-"),
        "a saved change set is not deleted automatically"
    );

    let run = execute(&cloud, &file).await;
    run.ended(0);
    assert_eq!(run.event("planned")["plan"]["changes"][0]["logical_id"], "Function");
    assert_eq!((cloud.count("CreateChangeSet"), cloud.count("ExecuteChangeSet")), (1, 1));
}

#[tokio::test]
async fn a_new_stack_can_be_planned_and_created_later() {
    let file = PlanFile::new("created");
    let script = Script { change_sets: code_change().change_sets, ..Script::default() };
    let cloud =
        saved(script.on("ExecuteChangeSet", vec![at("CREATE_IN_PROGRESS"), at("CREATE_COMPLETE")]), &file).await;
    execute(&cloud, &file).await.ended(0);
    assert_eq!((cloud.count("CreateStack"), cloud.count("ExecuteChangeSet")), (0, 1));
}

#[tokio::test]
async fn a_plan_is_refused_if_anything_differs() {
    let cases: [(&str, Change); 5] = [
        ("the change set can no longer be executed", |script| script.obsolete = true),
        ("the template's SHA-256", |script| {
            script.made.insert("TemplateBody".into(), "Resources: {}".into());
        }),
        ("the package's SHA-256 was", |script| script.objects.clear()),
        ("the package's SHA-256 was", |script| {
            script.objects.values_mut().for_each(|object| *object = "other bytes".into());
        }),
        ("parameter `CodeKey` was", |script| {
            let value = script.made.iter().find(|(_, value)| *value == "CodeKey").map(|(name, _)| name.clone());
            let value = value.expect("the parameter").replace("ParameterKey", "ParameterValue");
            script.made.insert(value, "other.zip".into());
        }),
    ];
    for (index, (said, change)) in cases.into_iter().enumerate() {
        let file = PlanFile::new(&format!("differs-{index}"));
        let cloud = saved(code_change(), &file).await;
        cloud.change(change);
        let run = execute(&cloud, &file).await;
        run.ended(4);
        assert!(run.error().contains(said), "{said}: {}", run.error());
        assert_eq!(cloud.count("ExecuteChangeSet"), 0, "{said}");
    }
}

#[tokio::test]
async fn files_that_are_not_plans_are_refused() {
    let file = PlanFile::new("not-a-plan");
    let cloud = Cloud::start(code_change()).await;
    for text in [None, Some("{}"), Some("not JSON")] {
        if let Some(text) = text {
            std::fs::write(&file.0, text).expect("a file");
        }
        let run = execute(&cloud, &file).await;
        run.ended(2);
        assert!(run.error().contains("as a plan"), "{}", run.error());
        assert!(run.error().contains("plan --out FILE"), "{}", run.error());
    }
    assert!(cloud.calls().is_empty(), "no request is sent to AWS");
}

#[tokio::test]
async fn a_plan_that_cannot_be_written_leaves_no_change_set() {
    let cloud = Cloud::start(code_change()).await;
    let run = provisioner(&cloud, &["plan", "--output", "json", "--out", "/nonexistent/plan.json"]).await;
    run.ended(1);
    assert_eq!(cloud.count("DeleteChangeSet"), 1);
}

#[tokio::test]
async fn with_detailed_exit_codes_every_failure_exits_with_1() {
    for (arguments, script, code) in [
        (&["plan", "--detailed-exitcode"][..], code_change(), 2),
        (&["plan", "--detailed-exitcode", "-P", "Timeout=5"], code_change(), 1),
        (&["plan", "--detailed-exitcode", "--no-such-option"], code_change(), 1),
        (&["plan", "--detailed-exitcode"], Script { foreign: true, ..code_change() }, 1),
        (&["plan", "-P", "Timeout=5"], code_change(), 2),
    ] {
        let cloud = Cloud::start(script).await;
        provisioner(&cloud, arguments).await.ended(code);
    }
}
