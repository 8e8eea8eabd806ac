//! A request that has had no reply for a while.
//!
//! Pure.

use serde::Serialize;

/// What a run is waiting for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unanswered {
    /// The server, with its port if that is not the usual one.
    pub host: String,
    /// For example `DescribeStacks`; for services that do not name their operations, method and path.
    pub operation: String,
    /// Which attempt this is, if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// How long the request has been waiting.
    pub seconds: u64,
}

/// One of several attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// The number of attempts after which the request has failed.
    pub of: u32,
}
