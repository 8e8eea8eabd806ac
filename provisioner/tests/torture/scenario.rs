//! The commands to torture, one entry each.

/// What a test does with the local cloud directly, without the proxy.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Runs the program.
    Run(&'static [&'static str]),
    /// Puts the event of a picture into the failure queue.
    Enqueue,
    /// Stores an object that starts no event, and a row.
    Data,
    /// Deletes all objects and rows.
    Sweep,
    /// Stores two pictures whose events nobody receives.
    OldPictures,
    /// Deletes all rows and results of pictures, but not the pictures.
    Unprocess,
    /// Deletes the record of the last smoke test that passed.
    Untest,
    /// Creates somebody's bucket, which sends its events to a queue.
    Photos,
}

/// A command, the state before it, and how to return to that state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// The steps from an empty cloud to the state before the command.
    pub(crate) setup: &'static [Step],
    /// `{face}` and `{two}` are paths of pictures, `{empty}` and `{other}` of executables that do nothing but take no time
    /// to package, and `{home}` is an empty folder. `up` and `plan` without `--bootstrap` deploy the real function.
    pub(crate) command: &'static [&'static str],
    /// The steps back from the state after the command; without any, the cloud is reset and set up again.
    pub(crate) undo: Option<&'static [Step]>,
    /// The request that matters most; the short run uses it.
    pub(crate) critical: &'static str,
    /// Whether the command changes anything. If not, killing it proves nothing.
    pub(crate) changes: bool,
}

pub(crate) const UP: Step = Step::Run(&["up", "--no-smoke"]);
pub(crate) const DETECT: Step = Step::Run(&["detect", "{two}"]);
/// A stack whose function is not needed.
pub(crate) const EMPTY: Step = Step::Run(&["up", "--no-smoke", "--bootstrap", "{empty}", "-P", "KeyPrefix=pictures/"]);

/// A stack with the real function, and pictures that were in the bucket before.
const OLD: &[Step] = &[
    Step::Run(&["up", "--no-smoke", "-P", "KeyPrefix=pictures/"]),
    Step::OldPictures,
    Step::Run(&["up", "--no-smoke", "-P", "KeyPrefix="]),
];
const ATTACH: &[&str] = &["up", "--no-smoke", "--bootstrap", "{empty}", "--attach", "s3://old-photos"];
const DETACH: &[&str] = &["up", "--no-smoke", "--bootstrap", "{empty}", "--detach", "s3://old-photos"];

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "up-create",
        setup: &[],
        command: &["up", "--no-smoke", "--bootstrap", "{empty}"],
        undo: None,
        critical: "cloudformation:CreateStack",
        changes: true,
    },
    Scenario {
        name: "up-unchanged",
        setup: &[UP],
        command: &["up"],
        undo: Some(&[Step::Untest]),
        critical: "s3:PutObject",
        changes: true,
    },
    Scenario {
        name: "up-update",
        setup: &[EMPTY, Step::Data],
        command: &["up", "--no-smoke", "--bootstrap", "{empty}", "-P", "LogRetentionDays=30"],
        undo: None,
        critical: "cloudformation:CreateChangeSet",
        changes: true,
    },
    Scenario {
        name: "up-package",
        setup: &[EMPTY, Step::Data],
        command: &["up", "--no-smoke", "--bootstrap", "{other}"],
        undo: None,
        critical: "cloudformation:UpdateStack",
        changes: true,
    },
    Scenario {
        name: "up-adopt",
        setup: &[EMPTY, Step::Data, Step::Run(&["down", "--keep-data"])],
        command: &["up", "--no-smoke", "--bootstrap", "{empty}", "--adopt"],
        undo: Some(&[Step::Run(&["down", "--keep-data"])]),
        critical: "cloudformation:ExecuteChangeSet",
        changes: true,
    },
    Scenario {
        name: "plan-out",
        setup: &[EMPTY],
        command: &["plan", "--bootstrap", "{empty}", "-P", "LogRetentionDays=30", "--out", "{home}/plan"],
        undo: None,
        critical: "cloudformation:CreateChangeSet",
        changes: true,
    },
    Scenario {
        name: "smoke",
        setup: &[UP],
        command: &["smoke"],
        undo: Some(&[]),
        critical: "s3:PutObject",
        changes: true,
    },
    Scenario {
        name: "detect",
        setup: &[UP],
        command: &["detect", "{face}", "{two}"],
        undo: Some(&[Step::Sweep]),
        critical: "s3:PutObject",
        changes: true,
    },
    Scenario {
        name: "redrive",
        setup: &[UP, Step::Enqueue],
        command: &["redrive"],
        undo: Some(&[Step::Sweep, Step::Enqueue]),
        critical: "lambda:Invoke",
        changes: true,
    },
    Scenario {
        name: "forget",
        setup: &[UP, DETECT],
        command: &["forget", "--prefix", "two"],
        undo: Some(&[Step::Sweep, DETECT]),
        critical: "dynamodb:DeleteItem",
        changes: true,
    },
    Scenario {
        name: "down",
        setup: &[EMPTY, Step::Data],
        command: &["down"],
        undo: None,
        critical: "cloudformation:DeleteStack",
        changes: true,
    },
    Scenario {
        name: "down-keep-data",
        setup: &[EMPTY, Step::Data],
        command: &["down", "--keep-data"],
        undo: None,
        critical: "cloudformation:DeleteStack",
        changes: true,
    },
    Scenario {
        name: "status",
        setup: &[EMPTY, Step::Data],
        command: &["status"],
        undo: Some(&[]),
        critical: "dynamodb:Scan",
        changes: false,
    },
    Scenario {
        name: "logs",
        setup: &[UP, DETECT],
        command: &["logs"],
        undo: Some(&[]),
        critical: "logs:FilterLogEvents",
        changes: false,
    },
    Scenario {
        name: "faces",
        setup: &[EMPTY, Step::Data],
        command: &["faces"],
        undo: Some(&[]),
        critical: "dynamodb:Scan",
        changes: false,
    },
    Scenario {
        name: "export",
        setup: &[EMPTY, Step::Data],
        command: &["export", "{home}/rows.csv", "--overwrite"],
        undo: Some(&[]),
        critical: "dynamodb:Scan",
        changes: false,
    },
    Scenario {
        name: "backfill",
        setup: &[OLD[0], OLD[1], Step::Run(&["up", "--no-smoke", "-P", "KeyPrefix=", "-P", "Backfill=yes"])],
        command: &["backfill"],
        undo: Some(&[Step::Unprocess]),
        critical: "sqs:SendMessageBatch",
        changes: true,
    },
    Scenario {
        name: "attach",
        setup: &[EMPTY, Step::Photos],
        command: ATTACH,
        undo: None,
        critical: "s3:PutBucketNotificationConfiguration",
        changes: true,
    },
    Scenario {
        name: "backfill-first",
        setup: OLD,
        command: &["backfill"],
        undo: None,
        critical: "cloudformation:ExecuteChangeSet",
        changes: true,
    },
    Scenario {
        name: "detach",
        setup: &[EMPTY, Step::Photos, Step::Run(ATTACH)],
        command: DETACH,
        undo: Some(&[Step::Run(ATTACH)]),
        critical: "s3:PutBucketNotificationConfiguration",
        changes: true,
    },
    Scenario {
        name: "down-attached",
        setup: &[EMPTY, Step::Photos, Step::Run(ATTACH)],
        command: &["down"],
        undo: None,
        critical: "s3:PutBucketNotificationConfiguration",
        changes: true,
    },
];
