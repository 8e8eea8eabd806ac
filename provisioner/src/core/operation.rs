//! Operations on a stack: what kind of operation is followed, and which of the stack's events belong to it.
//!
//! Pure: events in, newest first as CloudFormation lists them; the number of those that belong out.

use std::collections::HashSet;

use serde::Serialize;

use super::diagnosis::StackEvent;
use super::status::StackStatus;

/// The kinds of operation that are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The stack is created.
    Creation,
    /// A change set is executed.
    Update,
    /// The stack is deleted.
    Deletion,
    /// A failed rollback is continued.
    Rollback,
    /// An operation that was running already, whatever it is.
    Joined,
}

impl Kind {
    /// The noun for sentences.
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

    /// Whether an operation of this kind that ended with this status did what it was started for.
    #[must_use]
    pub fn succeeded(self, status: &StackStatus) -> bool {
        match self {
            // A creation that ends with the stack deleted has failed.
            Self::Creation | Self::Update => status.is_success() && !status.is_deleted(),
            Self::Deletion => status.is_deleted(),
            Self::Rollback => *status == StackStatus::UpdateRollbackComplete,
            Self::Joined => status.is_success(),
        }
    }

    /// Whether CloudFormation can cancel it (`CancelUpdateStack`).
    #[must_use]
    pub fn can_cancel(self) -> bool {
        self == Self::Update
    }
}

/// What each of this program's tokens begins with.
pub const TOKEN: &str = "provisioner-";

/// What follows it in the token of a deletion that keeps the bucket and the table on purpose.
pub const KEEPING: &str = "keep-";

/// What follows [`TOKEN`] in the token of a creation.
pub const CREATING: &str = "create-";

/// Whether a token belongs to a deletion by this program that was to delete the bucket and the table afterwards.
#[must_use]
pub fn was_to_remove_data(token: &str) -> bool {
    token.strip_prefix(TOKEN).is_some_and(|rest| !rest.starts_with(KEEPING))
}

/// Whether a token belongs to a creation by this program.
#[must_use]
pub fn was_creating(token: &str) -> bool {
    token.strip_prefix(TOKEN).is_some_and(|rest| rest.starts_with(CREATING))
}

/// Who began an operation. Only one can run at a time.
#[derive(Clone, Debug)]
pub enum Origin {
    /// It creates the stack, so every event belongs to it.
    NewStack,
    /// This program, on an existing stack.
    Ours {
        /// The `ClientRequestToken` of the operation's requests, or what theirs begins with. CloudFormation writes a request's token into
        /// each event that the request causes.
        token: String,
        /// When it began, in milliseconds since the Unix epoch: for an endpoint that writes no tokens.
        began: i64,
    },
    /// Somebody else: what comes after the events with these ids.
    Running(HashSet<String>),
}

impl Origin {
    /// The `ClientRequestToken` of the request that starts it.
    #[must_use]
    pub fn token(&self) -> Option<String> {
        match self {
            Self::Ours { token, .. } => Some(token.clone()),
            Self::NewStack | Self::Running(_) => None,
        }
    }

    /// The token of the request that cancels it: no two requests share a token.
    #[must_use]
    pub fn cancel_token(&self) -> Option<String> {
        self.token().map(|token| token + "-cancel")
    }

    /// How many of these events, newest first, belong to it. `seen` holds the ids of those that were found to belong before.
    ///
    /// Whatever is newer than one of its events belongs to it, too, whatever its token: a rollback, or the result of somebody else's
    /// cancellation.
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

    /// Events by id, with a token where there is one after a colon; each a second older than the one before it.
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
    fn what_belongs_to_an_operation() {
        let ours = || Origin::Ours { token: "ours".into(), began: 98_000 };
        for (origin, listed, seen, expected, why) in [
            (Origin::NewStack, "c b a", "", 3, "a new stack has no other events"),
            (ours(), "c:ours b:ours a:theirs", "", 2, "the token tells"),
            (ours(), "c:theirs b:theirs a:theirs", "", 0, "it has not begun"),
            (ours(), "d:ours-cancel c:ours b:ours a:theirs", "", 3, "cancelled by this program"),
            (
                ours(),
                "d:theirs c b:ours a:theirs",
                "",
                3,
                "cancelled by somebody else, and rolled back without a token",
            ),
            (ours(), "d:theirs c:theirs b:ours", "b", 3, "as before, with the oldest seen"),
            (ours(), "d c b a", "", 3, "an endpoint without tokens: by time"),
            (ours(), "z:theirs z:theirs z:theirs d c b a", "", 0, "an old event without a token says nothing"),
            (Origin::Running(ids("b a")), "d c b a", "", 2, "what comes after"),
            (Origin::Running(ids("b")), "d c b a", "c", 2, "older events than those known are old too"),
            (Origin::Running(ids("")), "b a", "", 2, "nothing was there"),
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
