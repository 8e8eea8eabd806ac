//! Operations on a stack: their kinds, and which of the stack's events belong to an operation.
//!
//! Pure. Events are in the order in which CloudFormation lists them, newest first.

use std::collections::HashSet;

use serde::Serialize;

use super::diagnosis::StackEvent;
use super::status::StackStatus;

/// The kinds of stack operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The creation of the stack.
    Creation,
    /// An update of the stack.
    Update,
    /// The deletion of the stack.
    Deletion,
    /// The continuation of a failed rollback.
    Rollback,
    /// Any operation that was already running.
    Joined,
}

impl Kind {
    /// The noun for this kind.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Creation => "creation",
            Self::Update => "update",
            Self::Deletion => "deletion",
            Self::Rollback => "rollback",
            Self::Joined => "operation",
        }
    }

    /// Whether an operation of this kind that ended with this status succeeded.
    #[must_use]
    pub fn succeeded(self, status: &StackStatus) -> bool {
        match self {
            // A creation that ends with the deletion of the stack has failed.
            Self::Creation | Self::Update => status.is_success() && !status.is_deleted(),
            Self::Deletion => status.is_deleted(),
            Self::Rollback => *status == StackStatus::UpdateRollbackComplete,
            Self::Joined => status.is_success(),
        }
    }

    /// Whether CloudFormation can cancel the operation (`CancelUpdateStack`).
    #[must_use]
    pub fn can_cancel(self) -> bool {
        self == Self::Update
    }
}

/// The prefix of this program's tokens.
pub const TOKEN: &str = "provisioner-";

/// Follows [`TOKEN`] in the token of a deletion that keeps the bucket and the table on purpose.
pub const KEEPING: &str = "keep-";

/// Follows [`TOKEN`] in the token of a creation.
pub const CREATING: &str = "create-";

/// Whether a token belongs to a deletion by this program after which the bucket and the table were to be deleted, too.
#[must_use]
pub fn was_to_remove_data(token: &str) -> bool {
    token.strip_prefix(TOKEN).is_some_and(|rest| !rest.starts_with(KEEPING))
}

/// Whether a token belongs to a creation by this program.
#[must_use]
pub fn was_creating(token: &str) -> bool {
    token.strip_prefix(TOKEN).is_some_and(|rest| rest.starts_with(CREATING))
}

/// The origin of an operation, which tells the events that belong to it. Only one operation can run at a time.
#[derive(Clone, Debug)]
pub enum Origin {
    /// The operation creates the stack, so all events belong to it.
    NewStack,
    /// This program started the operation on an existing stack.
    Ours {
        /// The `ClientRequestToken` of the operation's requests, or its prefix. CloudFormation writes the token of a
        /// request into each event that the request causes.
        token: String,
        /// The start of the operation in milliseconds since the Unix epoch, for endpoints that do not write tokens.
        began: i64,
    },
    /// The operation was already running: events newer than those with these ids belong to it.
    Running(HashSet<String>),
}

impl Origin {
    /// The `ClientRequestToken` of the request that starts the operation.
    #[must_use]
    pub fn token(&self) -> Option<String> {
        match self {
            Self::Ours { token, .. } => Some(token.clone()),
            Self::NewStack | Self::Running(_) => None,
        }
    }

    /// The token of the request that cancels the operation. No two requests may share a token.
    #[must_use]
    pub fn cancel_token(&self) -> Option<String> {
        self.token().map(|token| token + "-cancel")
    }

    /// How many of these events, newest first, belong to the operation. `seen` has the ids of events that are known to
    /// belong to it.
    ///
    /// An event that is newer than one of the operation's events belongs to it whatever its token is: it is part of the
    /// rollback, or the result of a cancellation by somebody else.
    #[must_use]
    pub fn owns(&self, events: &[StackEvent], seen: &HashSet<String>) -> usize {
        match self {
            Self::NewStack => events.len(),
            Self::Ours { token, began } => {
                let certain = |event: &StackEvent| {
                    seen.contains(&event.id)
                        || match &event.token {
                            Some(carried) => carried.starts_with(token),
                            None => event.at >= *began,
                        }
                };
                events.iter().rposition(certain).map_or(0, |oldest| oldest + 1)
            }
            Self::Running(before) => events.iter().position(|event| before.contains(&event.id)).unwrap_or(events.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses events: `id`, or `id:token`. Each one is a second older than the one before it.
    fn events(list: &str) -> Vec<StackEvent> {
        let one = |(age, text): (i64, &str)| {
            let (id, token) = text.split_once(':').map_or((text, None), |(id, token)| (id, Some(token)));
            StackEvent {
                id: id.to_owned(),
                at: 100_000 - age * 1_000,
                logical_id: String::new(),
                physical_id: None,
                resource_type: String::new(),
                status: "CREATE_COMPLETE".into(),
                reason: None,
                hook_result: None,
                token: token.map(ToOwned::to_owned),
            }
        };
        (0..).zip(list.split_whitespace()).map(one).collect()
    }

    fn ids(list: &str) -> HashSet<String> {
        list.split_whitespace().map(ToOwned::to_owned).collect()
    }

    #[test]
    fn the_origin_tells_the_events_of_an_operation() {
        let ours = || Origin::Ours { token: "ours".into(), began: 98_000 };
        for (origin, listed, seen, expected, why) in [
            (Origin::NewStack, "c b a", "", 3, "a new stack has no other events"),
            (ours(), "c:ours b:ours a:theirs", "", 2, "events with the token"),
            (ours(), "c:theirs b:theirs a:theirs", "", 0, "the operation has not begun"),
            (ours(), "d:ours-cancel c:ours b:ours a:theirs", "", 3, "cancelled by this program"),
            (ours(), "d:theirs c b:ours a:theirs", "", 3, "cancelled by somebody else and rolled back without a token"),
            (
                ours(),
                "d:theirs c:theirs b:ours",
                "b",
                3,
                "cancelled by somebody else; the oldest event was seen before",
            ),
            (ours(), "d c b a", "", 3, "an endpoint without tokens: the time decides"),
            (ours(), "z:theirs z:theirs z:theirs d c b a", "", 0, "an old event without a token is ignored"),
            (Origin::Running(ids("b a")), "d c b a", "", 2, "events newer than the known ones"),
            (Origin::Running(ids("b")), "d c b a", "c", 2, "events older than the known ones are old, too"),
            (Origin::Running(ids("")), "b a", "", 2, "no events were known"),
        ] {
            assert_eq!(origin.owns(&events(listed), &ids(seen)), expected, "{why}");
        }
    }

    #[test]
    fn success_depends_on_the_kind() {
        for (kind, status, expected) in [
            (Kind::Creation, "CREATE_COMPLETE", true),
            (Kind::Creation, "DELETE_COMPLETE", false),
            (Kind::Update, "UPDATE_ROLLBACK_COMPLETE", false),
            (Kind::Deletion, "DELETE_COMPLETE", true),
            (Kind::Deletion, "DELETE_FAILED", false),
            (Kind::Rollback, "UPDATE_ROLLBACK_COMPLETE", true),
            (Kind::Joined, "DELETE_COMPLETE", true),
            (Kind::Joined, "ROLLBACK_COMPLETE", false),
        ] {
            assert_eq!(kind.succeeded(&StackStatus::from(status)), expected, "{kind:?} {status}");
        }
    }
}
