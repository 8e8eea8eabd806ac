//! The record of a smoke test that passed, stored beside the package.
//!
//! Pure. A record identifies one deployment exactly: any later update of the stack or of the function invalidates it.

use serde::{Deserialize, Serialize};

/// The deployment that passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmokeRecord {
    /// The stack's ARN.
    pub stack_id: String,
    /// The time of the stack's creation or last update, in milliseconds since the Unix epoch.
    pub changed_at: i64,
    /// The function's `RevisionId`.
    pub revision: String,
}

impl SmokeRecord {
    /// The key of a stack's record in the bucket for packages.
    #[must_use]
    pub fn key(stack: &str) -> String {
        format!("{stack}/smoke.json")
    }
}
