//! Everything that a command reports, as facts: the text and the JSON output are two renderings of this one enum.
//!
//! Pure. An event owns its data and says what happened, not how to word it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::diagnosis::{Diagnosis, StackEvent};
use super::plan::Plan;

/// A fact that a command reports.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant says what its fields mean together")]
pub enum Event {
    /// A command begins.
    Started { command: &'static str, version: &'static str, stack: String, local: bool },
    /// A step of the local cloud: installing, starting, joining.
    LocalCloud { step: String },
    /// The local cloud answers, and what is real in it.
    LocalReady { endpoint: String, account: String },
    /// The local cloud was stopped; false where none ran.
    LocalStopped { was_running: bool },
    /// A Rust target was missing and is being added.
    TargetAdding { target: &'static str },
    /// The function's executable is being built.
    BuildStarted { target: &'static str },
    /// So many crates were compiled so far; the last of them.
    BuildProgress { crates: usize, latest: String },
    /// The executable and its package are there.
    Packaged {
        source: String,
        architecture: &'static str,
        executable_bytes: usize,
        zip_bytes: usize,
        sha256: String,
        zip: Option<String>,
    },
    /// Who acts, and where.
    Identity { account: String, arn: Option<String>, partition: String },
    /// So many copies of the function will run at once, since Rekognition takes so many requests a second.
    ConcurrencyChosen { copies: i32, requests_a_second: f64 },
    /// The region has what the system needs.
    RegionChecked { rekognition: bool, source: &'static str },
    /// The bucket for packages was made.
    ArtefactBucketCreated { bucket: String },
    /// The package is in its bucket; false where it was there already.
    ArtefactStored { bucket: String, key: String, uploaded: bool },
    /// Packages that no deployment needs any more were removed.
    ArtefactsRemoved { bucket: String, objects: usize },
    /// What will be done.
    Planned { plan: Plan },
    /// Nothing is to be done.
    NoChanges { stack: String },
    /// A running operation of somebody else's is followed.
    Joined { stack: String, status: String },
    /// A stack operation was started.
    OperationStarted { operation: &'static str, stack: String },
    /// A resource moved.
    Resource { event: StackEvent },
    /// A stack operation ended; ok where it did what it was started for.
    OperationEnded { stack: String, status: String, ok: bool, seconds: f64 },
    /// Why it failed.
    Failed { diagnosis: Diagnosis, console: Option<String> },
    /// What the stack offers.
    Outputs { outputs: BTreeMap<String, String> },
    /// What a stack is and holds.
    Status { report: Box<StatusReport> },
    /// A step of the smoke test, done.
    SmokeStep { step: &'static str, detail: String, seconds: f64 },
    /// The smoke test's verdict.
    SmokePassed { pictures: usize, rows: usize, seconds: f64 },
    /// What `down` will remove.
    WillRemove {
        stack: String,
        resources: usize,
        bucket: Option<String>,
        objects: usize,
        table: Option<String>,
        rows: usize,
        keep_data: bool,
    },
    /// Objects, versions and delete markers leave a bucket.
    Emptying { bucket: String, removed: usize, of: Option<usize> },
    /// Something outside the stack was removed.
    Removed { kind: &'static str, name: String },
    /// Something was kept on purpose.
    Kept { kind: &'static str, name: String },
    /// Data was kept on purpose, so much of it, counted after all else was gone.
    KeptData { kind: &'static str, name: String, count: usize, unit: &'static str },
    /// The service was asked for a resource and said whether it is there; its ARN where it has one of its own.
    Proof {
        kind: String,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        arn: Option<String>,
        gone: bool,
    },
    /// Nothing is left.
    NothingLeft { asked: usize },
    /// There is no stack of that name.
    NoStack { stack: String },
    /// What differs from the template in the account itself; nothing where all is as it was deployed.
    Drift { stack: String, drifted: Vec<Drifted>, unchecked: Vec<String> },
    /// One thing that `doctor` looked at.
    Check { name: &'static str, state: CheckState, detail: String, remedy: Option<String> },
    /// What became of the failure queue.
    Redriven { queue: String, sent: usize, kept: usize },
    /// So many of the pictures that were given are finished.
    Detecting { done: usize, of: usize },
    /// The faces of one picture.
    Faces { file: String, key: String, rows: Vec<super::smoke::Row>, outcome: Option<String> },
    /// Where the system can run.
    Regions { regions: Vec<RegionRow>, source: &'static str },
    /// A line of the function's log.
    Log { at: i64, line: String },
    /// Text that was asked for (a template, a policy, shell settings).
    Document { text: String },
    /// Something that the user should know and that stops nothing.
    Warning { message: String, hint: Option<String> },
    /// The command failed.
    Error { message: String, causes: Vec<String>, hints: Vec<String> },
    /// The last line of every run.
    Result { ok: bool, exit_code: u8 },
}

/// `status` counts objects and rows up to here; this number means so many or more.
pub const STATUS_COUNTS: usize = 10_000;

/// `down` counts them up to here, since nobody needs to know by how many millions it is more.
pub const DOWN_COUNTS: usize = 100_000;

/// How something is that `doctor` looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// It is as it must be.
    Ok,
    /// It could not be found out, or something optional is missing.
    Note,
    /// Something that is needed is missing.
    Problem,
}

/// A resource that is not as it was deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drifted {
    /// Its name in the template.
    pub logical_id: String,
    /// Its type.
    pub resource_type: String,
    /// Its name or ARN.
    pub physical_id: String,
    /// Whether it is gone altogether.
    pub deleted: bool,
    /// What differs.
    pub properties: Vec<super::plan::Property>,
}

/// What `status` shows.
#[derive(Clone, Debug, Serialize)]
pub struct StatusReport {
    /// The stack's name.
    pub stack: String,
    /// Its status, as CloudFormation says it.
    pub status: String,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// The parameters it was deployed with.
    pub parameters: BTreeMap<String, String>,
    /// The SHA-256 of the deployed package.
    pub deployed_sha256: Option<String>,
    /// The SHA-256 of the package that this program carries for the stack's processor, where it carries one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carried_sha256: Option<String>,
    /// Objects in the bucket (versions and delete markers counted).
    pub objects: Option<usize>,
    /// Rows in the table.
    pub rows: Option<usize>,
}

/// One region, as `regions` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct RegionRow {
    /// As `eu-west-1`.
    pub name: &'static str,
    /// As `Europe (Ireland)`.
    pub place: &'static str,
    /// As `aws`.
    pub partition: &'static str,
    /// Whether Rekognition detects faces there; `None` if AWS was asked and did not tell.
    pub rekognition: Option<bool>,
    /// Whether an account must enable the region before anything can be in it.
    pub opt_in: bool,
    /// How many `DetectFaces` requests a second the account may make there, where that was asked for and could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_a_second: Option<f64>,
    /// Where to go instead.
    pub nearest: Vec<&'static str>,
}
