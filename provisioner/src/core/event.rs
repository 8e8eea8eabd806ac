//! Everything that a command reports, as facts. Text and JSON are two renderings of the same enum.
//!
//! Pure. An event owns its data and says what happened; the wording is in `ui/text.rs`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::backfill::{Estimate, Progress, Tally};
use super::concurrency::NoReservation;
use super::diagnosis::{Diagnosis, StackEvent};
use super::error_code::Code;
use super::finding::Finding;
use super::forget::{Copy, Extent};
use super::identity::CredentialSource;
use super::invocation_record::NotARecord;
use super::operation::Kind;
use super::pictures::PictureCounts;
use super::plan::{Plan, Property};
use super::setting::Setting;
use super::smoke::Row;
use super::stacks::{SkippedRegion, StackRow};
use super::status::StackStatus;
use super::unanswered::Unanswered;

/// A fact that a command reports.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the documentation of a variant explains its fields")]
pub enum Event {
    /// A command begins.
    Started { command: &'static str, version: &'static str, stack: String, local: bool },
    /// A request has had no reply for a while. The run keeps waiting, and tries again until all attempts have failed.
    Unanswered { request: Unanswered },
    /// The local cloud is being started.
    LocalCloud { step: LocalStep },
    /// The local cloud is ready.
    LocalReady { endpoint: String, account: String },
    /// The local cloud was stopped; false if none was running.
    LocalStopped { was_running: bool },
    /// The local cloud is about to be stopped with this in it, in all regions together.
    LocalWillStop { stacks: usize, buckets: usize, tables: usize },
    /// The local cloud keeps running, because this is left in it, in all regions together.
    LocalKept { stacks: usize, buckets: usize, tables: usize },
    /// A missing Rust target is being added.
    TargetAdding { target: &'static str },
    /// The function's executable is being built.
    BuildStarted { target: &'static str },
    /// The number of crates compiled so far, and the last of them. `packages` is the number of packages that are ready,
    /// with those of earlier builds, and `of` is the number of packages that the function consists of, if it is known.
    BuildProgress { crates: usize, latest: String, packages: usize, of: Option<usize> },
    /// The executable and its package are ready.
    Packaged { source: String, architecture: &'static str, executable_bytes: usize, zip_bytes: usize, sha256: String },
    /// The package was written to a file.
    PackageWritten { file: String, executable_bytes: usize, zip_bytes: usize, sha256: String },
    /// The account, its partition, the caller's ARN if AWS told it, and the source of the credentials.
    Identity { account: String, arn: Option<String>, partition: String, credentials: CredentialSource },
    /// Every setting of the connection that is not the default, with its source.
    Settings { settings: Vec<Setting> },
    /// The certificates that servers are checked against.
    CertificatesChosen { certificates: Certificates },
    /// The maximum number of concurrent executions, and the quota of `DetectFaces` that it was computed from.
    ConcurrencyChosen { concurrent_executions: i32, requests_per_second: f64 },
    /// No reservation could be computed. `kept` is the reservation that stays, if there is one.
    ConcurrencyUnknown { kept: Option<i32>, reason: NoReservation },
    /// Whether the region has Rekognition, and the source of this information.
    RegionChecked { region: String, rekognition: bool, source: RegionSource },
    /// Rekognition in another region detects the faces, so pictures leave the region of the system.
    PicturesLeave { region: String, to: String },
    /// The bucket for packages was created.
    PackageBucketCreated { bucket: String },
    /// The number of bytes of the package sent so far.
    PackageUploading { sent: usize, of: usize },
    /// The package was uploaded to its bucket.
    PackageStored { bucket: String, key: String },
    /// Unused packages were deleted.
    PackagesRemoved { bucket: String, objects: usize },
    /// Old packages could not be deleted.
    OldPackagesKept { bucket: String, cause: String },
    /// Express mode was requested, but standard mode is used.
    ExpressUnavailable { reason: NoExpress },
    /// The endpoint does not support change sets that revert drift, so drift stays.
    DriftRevertUnsupported,
    /// Hardly any key starts with the value of `KeyPrefix`; the usual form of such a prefix.
    UnusualKeyPrefix { prefix: String, usual: String },
    /// These parameters take their values from adopted resources.
    ParametersAdopted { parameters: BTreeMap<String, String> },
    /// This attached bucket encrypts new objects with a key that the function may not use. `known` are the keys that it may.
    KeyNotAllowed { bucket: String, key: String, known: String },
    /// This location is to be detached, but only the others are attached.
    NotAttached { location: String, attached: Vec<String> },
    /// An attached bucket was switched to send its events to EventBridge, or not to.
    FlagSwitched { bucket: String, on: bool },
    /// A bucket that is not attached any more still sends its events to EventBridge.
    FlagKept { bucket: String, reason: FlagKept },
    /// Whether an attached bucket sends its events to EventBridge could not be found out.
    FlagUnknown { bucket: String, cause: String },
    /// The plan.
    Planned { plan: Plan },
    /// The plan was written to a file.
    PlanSaved { file: String },
    /// The stack is up to date.
    NoChanges { stack: String },
    /// The stack is busy, and the running operation is followed.
    Joined { stack: String, status: StackStatus },
    /// A stack operation was started.
    OperationStarted { operation: Kind, stack: String },
    /// The status of a resource changed.
    Resource { event: StackEvent },
    /// The first Ctrl-C: the update continues in AWS; a second one cancels it.
    LeavingUpdate { stack: String },
    /// The second Ctrl-C: the update was cancelled and is being rolled back.
    UpdateCancelled { stack: String },
    /// A continued rollback skipped these resources.
    RollbackSkipped { resources: Vec<String> },
    /// A stack operation ended; `ok` means that it succeeded.
    OperationEnded { stack: String, status: StackStatus, ok: bool, seconds: f64 },
    /// The reason why the operation failed, and the console page that shows it.
    Failed { diagnosis: Diagnosis, console: Option<String> },
    /// The outputs of the stack.
    Outputs { outputs: BTreeMap<String, String> },
    /// The state of a stack and its contents.
    Status { report: Box<StatusReport> },
    /// A step of the smoke test passed.
    SmokeStep { step: SmokeStep, seconds: f64 },
    /// The smoke test uploads a picture to this attached bucket, whose other consumers see it, too.
    WritingToAttached { bucket: String },
    /// What interrupted smoke tests left was removed.
    SmokeRemainsRemoved { bucket: String, pictures: usize },
    /// The smoke test passed.
    SmokePassed { pictures: usize, rows: usize, seconds: f64 },
    /// This deployment has already passed the smoke test.
    SmokePassedBefore { stack: String },
    /// What `down` will delete; with `keep_data`, the bucket and the table stay. The attached buckets always stay.
    WillRemove {
        stack: String,
        resources: usize,
        bucket: Option<String>,
        objects: usize,
        tables: Vec<CountedTable>,
        keep_data: bool,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        attached: Vec<String>,
    },
    /// Objects, versions and delete markers are being deleted from a bucket; `of` is their approximate number.
    Emptying { bucket: String, removed: usize, of: Option<usize> },
    /// A bucket or table that CloudFormation does not delete was deleted.
    Removed { kind: Kept, name: String },
    /// The bucket for packages was kept, because other stacks use it.
    PackageBucketKept { bucket: String },
    /// A bucket or table was kept on purpose; its contents were counted after everything else was deleted.
    KeptData { kind: Kept, name: String, count: usize },
    /// The kept bucket and table can be adopted. A name is present if it differs from the one that `up` would choose.
    Adoptable { bucket: Option<String>, table: Option<String> },
    /// Whether a resource is gone, according to its own service; its ARN if the type has ARNs.
    Proof {
        kind: String,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        arn: Option<String>,
        gone: bool,
    },
    /// This program cannot check whether this resource is gone.
    ProofImpossible { kind: String, name: String },
    /// Nothing is left of the stack.
    NothingLeft { checked: usize },
    /// The stack does not exist.
    NoStack { stack: String },
    /// The differences between the account and the deployed template.
    Drift { stack: String, drifted: Vec<Drifted>, unchecked: Vec<String> },
    /// The endpoint does not support drift detection.
    DriftUnknown,
    /// The result of one of `doctor`'s checks.
    Check { name: &'static str, state: CheckState, finding: Finding, remedy: Option<String> },
    /// The events of the failure queue were sent to the function again.
    Redriven { queue: String, sent: usize, kept: usize },
    /// A message was left in the failure queue.
    MessageKept { reason: NotARecord },
    /// The number of pictures that were processed so far.
    Detecting { done: usize, of: usize },
    /// The faces of one picture.
    Faces { file: String, key: String, rows: Vec<Row>, outcome: Option<String>, reason: Option<String> },
    /// A page was written to a file.
    PageWritten { file: String, bytes: usize },
    /// All pictures have been reported.
    PicturesDone { counts: PictureCounts },
    /// The number of pictures that failed for a reason already reported, and of those that were not tried because of
    /// it.
    MoreFailures { same: usize, not_tried: usize },
    /// The number of rows that a search found and read, and whether there are more.
    FacesFound { rows: usize, read: usize, more: bool },
    /// The number of rows exported so far; `of` is the approximate number of rows in the table, as DynamoDB counted them
    /// within the last six hours.
    Exporting { rows: usize, of: Option<usize> },
    /// All rows are in the file.
    Exported { file: String, rows: usize, seconds: f64 },
    /// The stack can process existing pictures, at this default price of 1,000 pictures in US dollars.
    BackfillPriced { price: f64 },
    /// The number of objects that `backfill` has listed so far, and of those that it found to process.
    BackfillScanning { listed: usize, to_process: usize },
    /// What `backfill` found, with the cost and the time.
    BackfillFound { report: BackfillReport },
    /// Pictures of an earlier run are still in the queue, and are followed first.
    BackfillRunning { pictures: usize },
    /// The number of pictures sent to the queue so far.
    BackfillFilling { sent: usize, of: usize },
    /// An attached bucket may not send its events yet, so `backfill` waits this long before it lists the bucket.
    WaitingForEvents { seconds: u64 },
    /// All pictures were sent to the queue.
    BackfillQueued { pictures: usize },
    /// How far the function has come with the queue.
    BackfillProgress { progress: Progress },
    /// The queue is empty; `failed` is the number of new messages in the failure queue.
    BackfillDone { pictures: usize, failed: usize, seconds: f64 },
    /// The pictures that still waited were removed from the queue.
    BackfillCancelled { pictures: usize },
    /// What `forget` found; `picture` tells whether the objects are deleted, too.
    ForgetFound { found: Extent, picture: bool },
    /// The number of pictures marked and of rows deleted so far.
    Forgetting { pictures: usize, rows: usize },
    /// Everything that was found is erased, and the places where copies may remain.
    Forgotten { found: Extent, copies: Vec<Copy> },
    /// The regions and whether the system can run there.
    Regions { regions: Vec<RegionRow>, source: RegionSource },
    /// This program's stacks in all regions that were asked; `regions` is the number of regions that answered.
    Stacks { stacks: Vec<StackRow>, regions: usize, skipped: Vec<SkippedRegion> },
    /// A line of the function's log.
    Log { at: i64, line: String },
    /// A document that was requested, for example a template or a policy.
    Document { text: String },
    /// The command failed. `subject` is the file, resource or option that the error is about.
    Error { code: Code, message: String, subject: Option<String>, causes: Vec<String>, hints: Vec<String> },
    /// The last line of every run.
    Result { ok: bool, exit_code: u8 },
}

/// The certificates that servers are checked against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Certificates {
    /// How many the system has.
    pub system: usize,
    /// Those that the user adds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Bundle>,
    /// How many of Mozilla's are used: none, unless there are no others.
    pub mozilla: usize,
}

/// A file of certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Bundle {
    /// Its path.
    pub file: String,
    /// How many it has.
    pub count: usize,
}

/// `status` stops counting objects and rows at this number, which then means "this many or more".
pub const STATUS_COUNTS: usize = 10_000;

/// A table and the number of its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CountedTable {
    /// Its name.
    pub name: String,
    /// The number of its rows, up to [`DOWN_COUNTS`].
    pub rows: usize,
}

/// `down` stops counting at this number.
pub const DOWN_COUNTS: usize = 100_000;

/// Why a bucket still sends its events to EventBridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum FlagKept {
    /// A rule needs them.
    Needed {
        /// The rule's ARN.
        rule: String,
    },
    /// It could not be found out whether anybody needs them, or they could not be switched off.
    Unknown {
        /// What failed.
        cause: String,
    },
}

/// A step of starting the local cloud.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the documentation of a variant explains its fields")]
pub enum LocalStep {
    /// Another command holds the lock.
    Waiting { lock: String },
    /// The emulator is being installed, once per user.
    Installing { version: &'static str, with: &'static str },
    /// The emulator is installed.
    Installed { seconds: f64 },
    /// A process of the local cloud has ended, so the local cloud is restarted.
    Replacing { ended: &'static str },
    /// The processes are being started.
    Starting { port: u16 },
}

/// The source of information about a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RegionSource {
    /// The table in this program.
    BuiltIn,
    /// Service Quotas, which lists a quota of `DetectFaces` if the region has Rekognition.
    ServiceQuotas,
}

/// Why express mode is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NoExpress {
    /// The stack is being created.
    NewStack,
    /// The plan replaces a resource.
    Replacement,
}

/// A step of the smoke test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum SmokeStep {
    /// The live configuration of the function matches the deployed one.
    Configuration {
        /// The function's time-out in seconds.
        timeout: i32,
        /// Its memory in MB.
        memory: i32,
        /// `arm64` or `x86_64`.
        architecture: String,
        /// The bucket that notifies it.
        bucket: String,
    },
    /// Uploads to this attached bucket reach the function.
    Attached {
        /// The bucket's name.
        bucket: String,
    },
    /// A picture produced the expected rows; the picture and the rows were deleted.
    Picture {
        /// What the picture shows.
        picture: &'static str,
        /// The number of its rows.
        rows: usize,
    },
}

/// The kinds of resource that can outlive a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// The bucket for pictures.
    Bucket,
    /// The table of rows.
    Table,
    /// The bucket for packages.
    PackageBucket,
}

/// The result of one of `doctor`'s checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// The requirement is met.
    Ok,
    /// The result is unknown, or something optional is missing.
    Note,
    /// A requirement is not met.
    Problem,
}

/// A resource that differs from the deployed template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Drifted {
    /// The logical id.
    pub logical_id: String,
    /// For example `AWS::S3::Bucket`.
    pub resource_type: String,
    /// The name or ARN.
    pub physical_id: String,
    /// Whether it was deleted.
    pub deleted: bool,
    /// The properties that differ.
    pub properties: Vec<Property>,
}

/// What `status` shows.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StatusReport {
    /// The stack's name.
    pub stack: String,
    /// Its region.
    pub region: String,
    /// Its status.
    pub status: StackStatus,
    /// Whether it is deployed and no operation is running or has failed.
    pub ready: bool,
    /// The time of the creation or the last update in milliseconds since the Unix epoch.
    pub changed_at: i64,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// The parameters it was deployed with.
    pub parameters: BTreeMap<String, String>,
    /// The SHA-256 of the deployed package.
    pub deployed_sha256: Option<String>,
    /// The SHA-256 of the package for the stack's architecture that is embedded in this program, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedded_sha256: Option<String>,
    /// The number of objects in the bucket, including versions and delete markers.
    pub objects: Option<usize>,
    /// The number of rows in the table.
    pub rows: Option<usize>,
    /// The attached buckets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attached: Vec<AttachedBucket>,
    /// The approximate number of existing pictures in the queue.
    pub waiting: Option<usize>,
    /// The approximate number of messages in the failure queue.
    pub failed: Option<usize>,
}

/// An attached bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AttachedBucket {
    /// What is attached, for example `s3://photos/2024/`.
    pub locations: Vec<String>,
    /// Whether it sends its events to EventBridge; `None` if that could not be found out.
    pub sends_events: Option<bool>,
}

/// What `backfill` found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BackfillReport {
    /// The URLs of what was searched.
    pub locations: Vec<String>,
    /// The number of objects, by what becomes of them.
    pub tally: Tally,
    /// The cost and the time.
    pub estimate: Estimate,
    /// The limit, if there are more pictures than that.
    pub limited_to: Option<usize>,
    /// Whether this limit is what the quota processes before SQS deletes it, and not one that the user set.
    pub is_limited_by_queue: bool,
}

/// One region, as `regions` shows it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RegionRow {
    /// For example `eu-west-1`.
    pub name: &'static str,
    /// For example `Europe (Ireland)`.
    pub place: &'static str,
    /// For example `aws`.
    pub partition: &'static str,
    /// Whether the region has Rekognition; `None` if AWS refused to answer.
    pub rekognition: Option<bool>,
    /// Whether an account must enable the region before using it.
    pub opt_in: bool,
    /// The account's quota of `DetectFaces` requests per second, if it was asked for and could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<f64>,
    /// The nearest regions with Rekognition.
    pub nearest: Vec<&'static str>,
}
