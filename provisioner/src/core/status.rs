//! What a stack's status lets each command do: the 23 statuses of CloudFormation times `up`, `down` and `plan`.
//!
//! Pure: strings from the API become [`Condition`] here, once, and nowhere else.

use serde::Serialize;

/// A stack as far as a deployment is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// There is no stack of that name.
    Absent,
    /// It stands, and an update may begin.
    Ready,
    /// A change set of type CREATE was made and never run: a name without resources.
    Review,
    /// An operation is under way; it can be joined and followed.
    Busy,
    /// It is being deleted; it can be followed until it is gone.
    Deleting,
    /// Its creation failed: no update is possible, only deletion.
    CreateFailed,
    /// An update failed and was not rolled back; another update may begin.
    UpdateFailed,
    /// A rollback of an update failed: it must be continued before anything else.
    RollbackStuck,
    /// A rollback of an import failed: CloudFormation continues only rollbacks of updates, so nothing but deletion is left.
    ImportStuck,
    /// Its deletion failed: something in it did not go.
    DeleteFailed,
}

/// The commands that look at a stack before they do anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `provisioner up`
    Up,
    /// `provisioner down`
    Down,
    /// `provisioner plan`: looks like `up`, changes nothing.
    Plan,
}

impl Command {
    /// As it is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Plan => "plan",
        }
    }
}

/// What a command does first with a stack in a given condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Move {
    /// Create the stack.
    Create,
    /// Make a change set and execute it.
    Update,
    /// Delete what is left of the failed creation, provided that nothing survives in it, then create.
    DeleteThenCreate,
    /// Follow the running operation to its end, then look again.
    Join,
    /// Finish the rollback that failed (`ContinueUpdateRollback`), then look again.
    ContinueRollback,
    /// Delete the stack.
    Delete,
    /// Delete again, one rung further up: retain what does not go, then force.
    DeleteLadder,
    /// Refuse: what it takes is the user's to decide.
    Refuse,
    /// There is nothing to do.
    Nothing,
}

/// Maps a `StackStatus` to a condition; `None` for a status that this version does not know.
#[must_use]
pub fn condition(status: &str) -> Option<Condition> {
    Some(match status {
        "DELETE_COMPLETE" => Condition::Absent,
        "CREATE_COMPLETE"
        | "UPDATE_COMPLETE"
        | "UPDATE_ROLLBACK_COMPLETE"
        | "IMPORT_COMPLETE"
        | "IMPORT_ROLLBACK_COMPLETE" => Condition::Ready,
        "REVIEW_IN_PROGRESS" => Condition::Review,
        "CREATE_IN_PROGRESS"
        | "ROLLBACK_IN_PROGRESS"
        | "UPDATE_IN_PROGRESS"
        | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
        | "UPDATE_ROLLBACK_IN_PROGRESS"
        | "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
        | "IMPORT_IN_PROGRESS"
        | "IMPORT_ROLLBACK_IN_PROGRESS" => Condition::Busy,
        "DELETE_IN_PROGRESS" => Condition::Deleting,
        "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => Condition::CreateFailed,
        "UPDATE_FAILED" => Condition::UpdateFailed,
        "UPDATE_ROLLBACK_FAILED" => Condition::RollbackStuck,
        "IMPORT_ROLLBACK_FAILED" => Condition::ImportStuck,
        "DELETE_FAILED" => Condition::DeleteFailed,
        _ => return None,
    })
}

/// Decides what a command does first.
///
/// `plan` waits for a running operation as `up` does, because a preview of a stack in motion would be wrong when it is printed. It continues
/// no rollback: that changes the stack.
#[must_use]
pub fn next_move(condition: Condition, command: Command) -> Move {
    use Command::{Down, Plan, Up};
    match (condition, command) {
        (Condition::Absent, Up | Plan) => Move::Create,
        (Condition::Absent, Down) => Move::Nothing,
        (Condition::Busy | Condition::Deleting, _) => Move::Join,
        (Condition::Ready | Condition::UpdateFailed, Up | Plan) => Move::Update,
        (Condition::Review | Condition::CreateFailed | Condition::DeleteFailed, Up | Plan) => Move::DeleteThenCreate,
        (Condition::RollbackStuck, Up) => Move::ContinueRollback,
        (Condition::RollbackStuck, Plan) | (Condition::ImportStuck, Up | Plan) => Move::Refuse,
        (Condition::DeleteFailed, Down) => Move::DeleteLadder,
        (
            Condition::Ready
            | Condition::UpdateFailed
            | Condition::Review
            | Condition::CreateFailed
            | Condition::RollbackStuck
            | Condition::ImportStuck,
            Down,
        ) => Move::Delete,
    }
}

/// Whether a stack with this status has a resource of that one, or has left it behind in being deleted.
///
/// A failed creation also lists what it never had: a name that was taken already, and what it was to take in and gave back.
#[must_use]
pub fn holds(stack: &str, resource: &str) -> bool {
    match resource {
        "CREATE_FAILED" | "DELETE_COMPLETE" | "IMPORT_FAILED" => false,
        "DELETE_SKIPPED" => condition(stack) != Some(Condition::CreateFailed),
        other => !other.starts_with("IMPORT_ROLLBACK"),
    }
}

/// Whether an operation that ended with this status did what it was asked to do.
#[must_use]
pub fn succeeded(status: &str) -> bool {
    matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" | "DELETE_COMPLETE")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every status that the API knows, with what `up`, `down` and `plan` do first.
    const MATRIX: [(&str, Move, Move, Move); 23] = [
        ("CREATE_COMPLETE", Move::Update, Move::Delete, Move::Update),
        ("CREATE_FAILED", Move::DeleteThenCreate, Move::Delete, Move::DeleteThenCreate),
        ("CREATE_IN_PROGRESS", Move::Join, Move::Join, Move::Join),
        ("DELETE_COMPLETE", Move::Create, Move::Nothing, Move::Create),
        ("DELETE_FAILED", Move::DeleteThenCreate, Move::DeleteLadder, Move::DeleteThenCreate),
        ("DELETE_IN_PROGRESS", Move::Join, Move::Join, Move::Join),
        ("IMPORT_COMPLETE", Move::Update, Move::Delete, Move::Update),
        ("IMPORT_IN_PROGRESS", Move::Join, Move::Join, Move::Join),
        ("IMPORT_ROLLBACK_COMPLETE", Move::Update, Move::Delete, Move::Update),
        ("IMPORT_ROLLBACK_FAILED", Move::Refuse, Move::Delete, Move::Refuse),
        ("IMPORT_ROLLBACK_IN_PROGRESS", Move::Join, Move::Join, Move::Join),
        ("REVIEW_IN_PROGRESS", Move::DeleteThenCreate, Move::Delete, Move::DeleteThenCreate),
        ("ROLLBACK_COMPLETE", Move::DeleteThenCreate, Move::Delete, Move::DeleteThenCreate),
        ("ROLLBACK_FAILED", Move::DeleteThenCreate, Move::Delete, Move::DeleteThenCreate),
        ("ROLLBACK_IN_PROGRESS", Move::Join, Move::Join, Move::Join),
        ("UPDATE_COMPLETE", Move::Update, Move::Delete, Move::Update),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Move::Join, Move::Join, Move::Join),
        ("UPDATE_FAILED", Move::Update, Move::Delete, Move::Update),
        ("UPDATE_IN_PROGRESS", Move::Join, Move::Join, Move::Join),
        ("UPDATE_ROLLBACK_COMPLETE", Move::Update, Move::Delete, Move::Update),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", Move::Join, Move::Join, Move::Join),
        ("UPDATE_ROLLBACK_FAILED", Move::ContinueRollback, Move::Delete, Move::Refuse),
        ("UPDATE_ROLLBACK_IN_PROGRESS", Move::Join, Move::Join, Move::Join),
    ];

    #[test]
    fn every_status_has_a_move_for_every_command() {
        for (status, up, down, plan) in MATRIX {
            let condition = condition(status).unwrap_or_else(|| panic!("{status} is unknown"));
            assert_eq!(next_move(condition, Command::Up), up, "up on {status}");
            assert_eq!(next_move(condition, Command::Down), down, "down on {status}");
            assert_eq!(next_move(condition, Command::Plan), plan, "plan on {status}");
        }
    }

    #[test]
    fn what_a_stack_holds() {
        for (stack, resource, expected) in [
            ("CREATE_COMPLETE", "CREATE_COMPLETE", true),
            ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE", true),
            ("DELETE_COMPLETE", "DELETE_SKIPPED", true),
            ("DELETE_FAILED", "DELETE_SKIPPED", true),
            ("DELETE_FAILED", "DELETE_COMPLETE", false),
            ("ROLLBACK_COMPLETE", "DELETE_SKIPPED", false),
            ("ROLLBACK_FAILED", "CREATE_FAILED", false),
            ("IMPORT_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE", false),
        ] {
            assert_eq!(holds(stack, resource), expected, "{resource} in {stack}");
        }
    }

    #[test]
    fn a_status_of_the_future_is_not_guessed() {
        assert_eq!(condition("SOMETHING_NEW"), None);
    }

    #[test]
    fn a_rollback_is_no_success() {
        for (status, ..) in MATRIX {
            let expected =
                ["CREATE_COMPLETE", "DELETE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_COMPLETE"].contains(&status);
            assert_eq!(succeeded(status), expected, "{status}");
        }
    }
}
