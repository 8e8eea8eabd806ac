//! Which of a stack's events belong to the operation that is followed.
//!
//! Pure: events in, newest first as CloudFormation lists them; the number of those that belong out.

use std::collections::HashSet;

use super::diagnosis::StackEvent;

/// What each token of this program's begins with.
pub const TOKEN: &str = "provisioner-";

/// The word behind that in the token of a deletion that leaves bucket and table on purpose.
pub const KEEPING: &str = "keep-";

/// Whether a token is of a deletion by this program that was to remove bucket and table afterwards.
#[must_use]
pub fn was_to_remove_data(token: &str) -> bool {
    token.strip_prefix(TOKEN).is_some_and(|rest| !rest.starts_with(KEEPING))
}

/// An operation on a stack. Only one can run at a time.
#[derive(Clone, Debug)]
pub enum Operation {
    /// The stack's creation: every event there is.
    Creation,
    /// Another one of this program's.
    Ours {
        /// What the requests that make it up carry as their `ClientRequestToken`, or what theirs begins with. CloudFormation writes a
        /// request's token into each event that the request causes.
        token: String,
        /// When it began, in milliseconds since the Unix epoch: for an endpoint that writes no tokens.
        began: i64,
    },
    /// Somebody else's, which runs already: what comes after the events of which these are the ids.
    Joined(HashSet<String>),
}

impl Operation {
    /// What the request that starts it carries as its `ClientRequestToken`.
    #[must_use]
    pub fn token(&self) -> Option<String> {
        match self {
            Self::Ours { token, .. } => Some(token.clone()),
            Self::Creation | Self::Joined(_) => None,
        }
    }

    /// As [`Self::token`], for the request that cancels it: no two requests share a token.
    #[must_use]
    pub fn cancel_token(&self) -> Option<String> {
        self.token().map(|token| token + "-cancel")
    }

    /// How many of these events, the newest first, belong to it. `seen` holds the ids of those that were found to belong before.
    ///
    /// Whatever is newer than one of its events belongs to it too, by whatever token: a rollback, or what somebody else's cancelling did.
    #[must_use]
    pub fn owns(&self, events: &[StackEvent], seen: &HashSet<String>) -> usize {
        match self {
            Self::Creation => events.len(),
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
            Self::Joined(before) => events.iter().position(|event| before.contains(&event.id)).unwrap_or(events.len()),
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
                status: String::new(),
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
        let ours = || Operation::Ours { token: "ours".into(), began: 98_000 };
        for (operation, listed, seen, expected, why) in [
            (Operation::Creation, "c b a", "", 3, "a new stack has no other events"),
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
            (Operation::Joined(ids("b a")), "d c b a", "", 2, "what comes after"),
            (Operation::Joined(ids("b")), "d c b a", "c", 2, "older events than those known are old too"),
            (Operation::Joined(ids("")), "b a", "", 2, "nothing was there"),
        ] {
            assert_eq!(operation.owns(&events(listed), &ids(seen)), expected, "{why}");
        }
    }
}
