//! Least privilege: each action that a command uses is denied, and the command must name it.
//!
//! A proxy denies the requests that need the action, which is what a policy without it does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use provisioner::core::policy::statements;

use super::fault;
use super::lab::{Lab, Ran};
use super::scenario::{DETECT, SCENARIOS, Scenario, Step, UP};
use super::support::local::ACCOUNT;
use super::support::proxy::Verdict;

/// What a command says when an action is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Noticed {
    /// It fails, and its error names the action.
    Failed,
    /// It succeeds, and one of its messages names the action.
    Warned,
    /// It does without what the action would have told it.
    Unnoticed,
}

/// Commands that need actions which none of the other scenarios needs.
const MORE: &[Scenario] = &[
    with(
        "up-reserved",
        &[],
        &["up", "--no-smoke", "--bootstrap", "{empty}", "-P", "ReservedConcurrency=auto", "-P", "TlsOnly=yes"],
    ),
    with("smoke-attached", &[UP, Step::Photos, ATTACHING], &["smoke", "--full", "--write-attached"]),
    with("backfill-cancel", &[PROCESSING], &["backfill", "--cancel"]),
    with("forget-processed", &[PROCESSING, DETECT], &["forget", "--prefix", "two", "--picture"]),
    with("faces-page", &[VERSIONING, DETECT], &["faces", "--html", "{home}/faces.html"]),
    with("redrive-processed", &[PROCESSING, Step::Enqueue], &["redrive"]),
    with("down-processed", &[PROCESSING], &["down"]),
];
const PROCESSING: Step = Step::Run(&["up", "--no-smoke", "-P", "Backfill=yes"]);
const ATTACHING: Step = Step::Run(&["up", "--no-smoke", "--attach", "s3://old-photos"]);
const VERSIONING: Step = Step::Run(&["up", "--no-smoke", "-P", "Versioning=yes"]);

const fn with(name: &'static str, setup: &'static [Step], command: &'static [&'static str]) -> Scenario {
    Scenario { name, setup, command, undo: None, critical: "", changes: true }
}

/// The actions, and what each command says without them.
type Matrix = BTreeMap<String, BTreeMap<&'static str, Noticed>>;

/// Denies each action of each of these scenarios. Fails if an error does not name the action, or, in the full run, if a
/// policy has an action whose absence no command notices.
pub(crate) async fn check(lab: &Lab, is_chosen: impl Fn(&str) -> bool) {
    let (mut matrix, mut silent) = (Matrix::new(), Vec::new());
    let scenarios = || SCENARIOS.iter().chain(MORE);
    let all = scenarios().all(|scenario| is_chosen(scenario.name));
    for scenario in scenarios().filter(|scenario| is_chosen(scenario.name)) {
        deny_each(lab, scenario, &mut matrix, &mut silent).await;
    }
    for (action, commands) in &matrix {
        let cells = commands.iter().map(|(command, noticed)| format!("{command} {noticed:?}"));
        println!("{action}: {}", cells.collect::<Vec<_>>().join(", "));
    }
    assert!(silent.is_empty(), "errors that do not name what is denied:\n{}", silent.join("\n"));
    if all {
        let used =
            matrix.iter().filter(|(_, commands)| commands.values().any(|noticed| *noticed != Noticed::Unnoticed));
        let noticed: BTreeSet<&String> = used.map(|(action, _)| action).collect();
        let wrong = unjustified(&printed(lab).await, &noticed);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// Runs the command once per action, and denies the first one in each run that was not denied before. What precedes it
/// was allowed to succeed, so each run continues the one before.
async fn deny_each(lab: &Lab, scenario: &'static Scenario, matrix: &mut Matrix, silent: &mut Vec<String>) {
    lab.prepare(scenario).await;
    let (mut tested, mut is_fresh) = (BTreeSet::new(), true);
    loop {
        let denied: Arc<Mutex<Option<String>>> = Arc::default();
        let (choosing, before) = (Arc::clone(&denied), tested.clone());
        lab.proxy.set(move |asked| {
            let (mut denied, actions) = (choosing.lock().expect("no panic"), asked.actions());
            if denied.is_none() {
                *denied = actions.iter().find(|action| !before.contains(*action)).cloned();
            }
            let is_denied = denied.as_ref().filter(|denied| actions.contains(denied));
            match is_denied.map(|action| fault::denied(asked, action)) {
                // S3 tells anybody that a bucket does not exist.
                Some(Verdict::Answer(reply)) if asked.head.method == "HEAD" => Verdict::UnlessMissing(reply),
                denial => denial.unwrap_or(Verdict::Forward),
            }
        });
        let ran = lab.run(scenario.command, None).await;
        lab.proxy.set(|_| Verdict::Forward);
        let Some(action) = denied.lock().expect("no panic").take() else {
            if is_fresh {
                assert_eq!(ran.code, Some(0), "{}: {}", scenario.name, ran.said());
                return;
            }
            // What a denied run did before its failure is not done again, and some failures need another command first.
            lab.prepare(scenario).await;
            is_fresh = true;
            continue;
        };
        let noticed = noticed(&ran, &action);
        if ran.code != Some(0) && noticed == Noticed::Unnoticed {
            silent.push(format!("{} without {action}: {}", scenario.name, ran.said()));
        }
        println!("{} without {action}: {noticed:?}", scenario.name);
        matrix.entry(action.clone()).or_default().insert(scenario.name, noticed);
        tested.insert(action);
        // The command has done its work without the action, and would do nothing the next time.
        is_fresh = ran.code == Some(0) && scenario.changes;
        if is_fresh {
            match scenario.undo {
                Some(undo) => lab.steps(undo).await,
                None => lab.prepare(scenario).await,
            }
        }
        lab.show_messages().await;
    }
}

fn noticed(ran: &Ran, action: &str) -> Noticed {
    match (ran.code, ran.stdout.contains(action)) {
        (_, false) => Noticed::Unnoticed,
        (Some(0), true) => Noticed::Warned,
        (_, true) => Noticed::Failed,
    }
}

/// The actions of the deployer's policies, without those that only CloudFormation's service role needs.
async fn printed(lab: &Lab) -> BTreeSet<String> {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/cloudformation");
    let ran = lab.run(&["policy", "--account", ACCOUNT, "--attach", "mine", "--role-arn", &role], None).await;
    let text = ran.events("document")[0]["text"].as_str().expect("a policy").to_owned();
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let documents = document["deployer"].as_object().expect("documents by purpose");
    documents.values().flat_map(statements).flat_map(|(actions, _)| actions).collect()
}

/// Actions that a policy has although no command of the full run notices their absence, by reason.
const EXCEPTIONS: &[(&str, &[&str])] = &[
    (
        "CloudFormation reads all settings of a resource with the caller's permissions to detect drift (CloudFormation \
         User Guide, \"Detect unmanaged configuration changes\"); judge_deployer.py compares them with the read handlers \
         of the resource types",
        &[
            "cloudwatch:ListTagsForResource",
            "dynamodb:DescribeContributorInsights",
            "dynamodb:DescribeKinesisStreamingDestination",
            "dynamodb:GetResourcePolicy",
            "dynamodb:ListTagsOfResource",
            "events:ListTagsForResource",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "lambda:GetFunction",
            "lambda:GetFunctionCodeSigningConfig",
            "lambda:GetFunctionRecursionConfig",
            "lambda:GetRuntimeManagementConfig",
            "lambda:ListTags",
            "logs:DescribeIndexPolicies",
            "logs:DescribeResourcePolicies",
            "logs:GetDataProtectionPolicy",
            "logs:ListTagsForResource",
            "s3:ListTagsForResource",
            "sqs:ListQueueTags",
        ],
    ),
    (
        "`status --drift`: the local cloud detects no drift; scripted.rs plays it",
        &[
            "cloudformation:DescribeStackDriftDetectionStatus",
            "cloudformation:DescribeStackResourceDrifts",
            "cloudformation:DetectStackDrift",
            "cloudformation:DetectStackResourceDrift",
        ],
    ),
    (
        "only after a failed, cancelled, or rejected operation, which the local cloud does not have; scripted.rs plays them",
        &[
            "cloudformation:CancelUpdateStack",
            "cloudformation:ContinueUpdateRollback",
            "cloudformation:DeleteChangeSet",
            "cloudformation:DescribeEvents",
            "cloudformation:GetHookResult",
            "cloudformation:ListHookResults",
            "cloudformation:RollbackStack",
        ],
    ),
    (
        "needed in addition to another action: for the tags of a new stack or bucket, for its service role (Service \
         Authorization Reference, dependent actions)",
        &["cloudformation:TagResource", "cloudformation:UntagResource", "iam:PassRole", "s3:TagResource"],
    ),
    (
        "only for what the local cloud or the run does not have: locked objects (scripted/removable.rs), unfinished uploads \
         (empty.rs), access control lists (adopt.rs), tags of one's own and TLS for the package bucket, alarms, a full queue, \
         an unchanged quota of Rekognition, failures that are kept",
        &[
            "cloudwatch:DescribeAlarms",
            "s3:AbortMultipartUpload",
            "s3:GetBucketTagging",
            "s3:GetObjectLegalHold",
            "s3:GetObjectRetention",
            "s3:PutBucketAcl",
            "s3:PutBucketPolicy",
            "s3:PutBucketTagging",
            "servicequotas:ListAWSDefaultServiceQuotas",
            "sqs:ChangeMessageVisibility",
            "sqs:PurgeQueue",
        ],
    ),
    (
        "a command does without what it would tell: stale change sets, a lock before the deletion fails, a picture on a page",
        &["cloudformation:ListChangeSets", "s3:GetBucketObjectLockConfiguration", "s3:GetObjectVersion"],
    ),
    (
        "tells which stack has a resource; without it, the resource's tags answer (grants.rs)",
        &["cloudformation:DescribeStackResources"],
    ),
];

/// The actions that nobody notices and no exception explains, and the exceptions that are out of date.
fn unjustified(printed: &BTreeSet<String>, noticed: &BTreeSet<&String>) -> Vec<String> {
    let is_noticed = |action: &str| {
        let (start, end) = action.split_once('*').unwrap_or((action, ""));
        let matches = |one: &str| one.starts_with(start) && one.ends_with(end);
        noticed.iter().any(|one| if action.contains('*') { matches(one) } else { **one == action })
    };
    let excepted: BTreeSet<&str> = EXCEPTIONS.iter().flat_map(|(_, actions)| *actions).copied().collect();
    let unnoticed = printed.iter().filter(|action| !is_noticed(action) && !excepted.contains(action.as_str()));
    let unnoticed = unnoticed.map(|action| format!("{action}: no command notices that it is denied"));
    let outdated = excepted.iter().filter(|action| !printed.contains(**action) || is_noticed(action));
    unnoticed.chain(outdated.map(|action| format!("{action}: no longer an exception"))).collect()
}
