//! The record of a smoke test that passed, kept beside the package.
//!
//! Pure. It names one deployment exactly: any later update of the stack or of the function makes it worthless.

use serde::{Deserialize, Serialize};

/// The deployment that passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmokeRecord {
    /// The stack's ARN.
    pub stack_id: String,
    /// When the stack was created or last updated, in milliseconds since the Unix epoch.
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
