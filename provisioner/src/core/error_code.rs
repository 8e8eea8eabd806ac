//! The stable codes of errors, for programs that read JSON output.
//!
//! Pure. A code keeps its name and its meaning; new ones may be added.

use serde::Serialize;

/// What kind of error it is. Errors without a code of their own have that of their exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Exit code 1.
    Failed,
    /// Exit code 2: the command line, or a file that it names, is wrong.
    Usage,
    /// Exit code 3: the system is deployed, but it does not work.
    NotWorking,
    /// Exit code 4.
    Refused,
    /// Exit code 5: the stack is busy or stuck.
    Blocked,
    /// Exit code 101: the program itself is wrong.
    Bug,
    /// Exit code 130: Ctrl-C.
    Interrupted,
    /// Exit code 143: SIGTERM.
    Terminated,
    /// The caller may not do this.
    AccessDenied,
    /// No AWS credentials were found.
    NoCredentials,
    /// AWS does not know the credentials.
    UnknownCredentials,
    /// The credentials have expired.
    ExpiredCredentials,
    /// No region is configured.
    NoRegion,
    /// The account has not enabled the region.
    RegionNotEnabled,
    /// The endpoint's host name does not exist.
    NoSuchHost,
    /// The endpoint does not answer.
    Unreachable,
    /// AWS throttles the account.
    Throttled,
    /// The stack is not deployed.
    NoStack,
    /// The stack was not created by this program.
    ForeignStack,
    /// Data would be lost.
    DataLoss,
    /// Nobody confirmed the change.
    NotConfirmed,
    /// The file exists already.
    FileExists,
}
