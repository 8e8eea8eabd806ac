//! What `doctor` finds out.
//!
//! Pure. A finding carries facts; the words are in `ui/text/finding.rs`.

use serde::Serialize;

use super::denial::Denier;
use super::identity::CredentialSource;

/// A fact about this machine or this account.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the documentation of a variant explains its fields")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Finding {
    /// The versions of the Rust toolchain.
    Toolchain { rustc: String, cargo: String },
    /// The compiler is older than the function needs.
    OldToolchain { rustc: String, needed: &'static str },
    /// There is no Rust toolchain.
    NoToolchain,
    /// Whether there is a standard library for a target, and whether rustup can install it.
    RustTarget { target: String, present: bool, rustup: bool },
    /// The path of the linker, if there is one.
    Linker { path: Option<String> },
    /// What installs the local cloud.
    Installer { installer: String },
    /// The free space for a folder, and how much of it is needed.
    FreeSpace { folder: String, free_bytes: u64, needed_bytes: u64 },
    /// Whose credentials are used, and where they come from.
    Caller { account: String, arn: String, credentials: CredentialSource },
    /// Whether a region has Rekognition.
    Rekognition { region: String, available: bool },
    /// Whether an attached bucket sends its events to `EventBridge`; `None` if that cannot be found out.
    AttachedBucket { locations: Vec<String>, sends_events: Option<bool> },
    /// The account's concurrent executions, and how many of them no function has reserved.
    Concurrency { all: i32, unreserved: i32 },
    /// The quota of `DetectFaces`, if Service Quotas lists one.
    DetectFaces { requests_per_second: Option<f64> },
    /// A quota could not be read.
    QuotaUnknown { cause: String },
    /// IAM cannot simulate the caller.
    NotSimulated { arn: String },
    /// The number of actions, all of which are allowed.
    AllAllowed { actions: usize },
    /// Actions that depend on conditions of the real request, of all that were asked for.
    Conditional { actions: Vec<String>, of: usize },
    /// Actions that no policy allows, of all that were asked for.
    NotAllowed { actions: Vec<String>, of: usize },
    /// Actions that a policy denies, of all that were asked for.
    Denied { actions: Vec<String>, of: usize, by: Denier },
    /// The number of actions that could not be checked.
    Unchecked { actions: usize, cause: String },
    /// The check itself failed.
    Failed { message: String, cause: Option<String> },
}
