//! This program's stacks in all regions, as `list` shows them.
//!
//! Pure.

use std::collections::BTreeSet;

use serde::Serialize;

use super::status::StackStatus;

/// One stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StackRow {
    /// For example `eu-west-1`.
    pub region: String,
    /// The stack's name.
    pub stack: String,
    /// The stack's ARN.
    pub id: String,
    /// Its status.
    pub status: StackStatus,
    /// The time of the creation or the last update in milliseconds since the Unix epoch.
    pub changed_at: i64,
    /// The bucket for pictures.
    pub bucket: Option<String>,
    /// The table of rows.
    pub table: Option<String>,
}

/// A region that was not searched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SkippedRegion {
    /// For example `ap-east-1`.
    pub region: String,
    /// Why.
    pub reason: Skipped,
}

/// Why a region was not searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Skipped {
    /// The account has not enabled it.
    NotEnabled,
    /// The caller may not list its stacks.
    Denied,
    /// It has no host for CloudFormation.
    NoHost,
}

/// Sorts by name and region, and removes repeated stacks: an endpoint that ignores regions returns a stack in each.
#[must_use]
pub fn sorted(mut rows: Vec<StackRow>) -> Vec<StackRow> {
    rows.sort_by(|a, b| (&a.stack, &a.region).cmp(&(&b.stack, &b.region)));
    let mut seen = BTreeSet::new();
    rows.retain(|row| seen.insert(row.id.clone()));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_are_sorted_and_counted_once() {
        let row = |stack: &str, region: &str, id: &str| StackRow {
            region: region.into(),
            stack: stack.into(),
            id: id.into(),
            status: StackStatus::CreateComplete,
            changed_at: 0,
            bucket: None,
            table: None,
        };
        let rows = vec![row("b", "eu-west-1", "3"), row("a", "us-east-1", "1"), row("a", "eu-west-1", "1")];
        let names: Vec<_> = sorted(rows).into_iter().map(|row| format!("{} {}", row.stack, row.region)).collect();
        assert_eq!(names, ["a eu-west-1", "b eu-west-1"]);
    }
}
