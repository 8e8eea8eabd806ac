//! Decides what `up`, `down` and `plan` do first for each of CloudFormation's 23 stack statuses.
//!
//! Pure. An unknown status has no condition, so the program never guesses.

use serde::Serialize;

use super::status::StackStatus;

/// The condition of a stack, as it matters for a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The stack does not exist.
    Absent,
    /// The stack exists and can be updated.
    Ready,
    /// A change set of type CREATE was created but not executed: the stack has no resources yet.
    Review,
    /// An operation is running; it can be joined and followed.
    Busy,
    /// The stack is being deleted; the deletion can be followed until the stack is gone.
    Deleting,
    /// The creation failed: the stack cannot be updated, only deleted.
    CreateFailed,
    /// An update failed and was not rolled back; the stack can be updated again.
    UpdateFailed,
    /// A rollback of an update failed: it must be continued before anything else.
    RollbackStuck,
    /// A rollback of an import failed: CloudFormation continues only rollbacks of updates, so the stack must be
    /// deleted.
    ImportStuck,
    /// The deletion failed: a resource could not be deleted.
    DeleteFailed,
}

/// The commands that act depending on the condition of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `provisioner up`
    Up,
    /// `provisioner down`
    Down,
    /// `provisioner plan`, which checks what `up` checks but changes nothing.
    Plan,
}

impl Command {
    /// The name on the command line.
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FirstStep {
    /// Create the stack.
    Create,
    /// Update the stack.
    Update,
    /// Delete the remains of the failed creation, unless they contain data, then create the stack.
    DeleteThenCreate,
    /// Follow the running operation until it ends, then check the status again.
    Join,
    /// Continue the failed rollback (`ContinueUpdateRollback`), then check the status again.
    ContinueRollback,
    /// Delete the stack.
    Delete,
    /// Delete the stack again: first retain the resources that cannot be deleted, then force the deletion.
    DeleteHarder,
    /// Refuse, because the user must decide on the remedy.
    Refuse,
    /// There is nothing to do.
    Nothing,
}

impl Condition {
    /// The condition that corresponds to a status; `None` for an unknown status.
    #[must_use]
    pub fn of(status: &StackStatus) -> Option<Self> {
        use StackStatus as S;
        Some(match status {
            S::DeleteComplete => Self::Absent,
            S::CreateComplete
            | S::UpdateComplete
            | S::UpdateRollbackComplete
            | S::ImportComplete
            | S::ImportRollbackComplete => Self::Ready,
            S::ReviewInProgress => Self::Review,
            S::CreateInProgress
            | S::RollbackInProgress
            | S::UpdateInProgress
            | S::UpdateCompleteCleanupInProgress
            | S::UpdateRollbackInProgress
            | S::UpdateRollbackCompleteCleanupInProgress
            | S::ImportInProgress
            | S::ImportRollbackInProgress => Self::Busy,
            S::DeleteInProgress => Self::Deleting,
            S::CreateFailed | S::RollbackComplete | S::RollbackFailed => Self::CreateFailed,
            S::UpdateFailed => Self::UpdateFailed,
            S::UpdateRollbackFailed => Self::RollbackStuck,
            S::ImportRollbackFailed => Self::ImportStuck,
            S::DeleteFailed => Self::DeleteFailed,
            S::Unknown(_) => return None,
        })
    }

    /// Decides what a command does first.
    ///
    /// Like `up`, `plan` waits for a running operation, because the plan would otherwise be out of date when it is
    /// printed. Unlike `up`, it does not continue a rollback, because that changes the stack.
    #[must_use]
    pub fn first_step(self, command: Command) -> FirstStep {
        use Command::{Down, Plan, Up};
        match (self, command) {
            (Self::Absent, Up | Plan) => FirstStep::Create,
            (Self::Absent, Down) => FirstStep::Nothing,
            (Self::Busy | Self::Deleting, _) => FirstStep::Join,
            (Self::Ready | Self::UpdateFailed, Up | Plan) => FirstStep::Update,
            (Self::Review | Self::CreateFailed | Self::DeleteFailed, Up | Plan) => FirstStep::DeleteThenCreate,
            (Self::RollbackStuck, Up) => FirstStep::ContinueRollback,
            (Self::RollbackStuck, Plan) | (Self::ImportStuck, Up | Plan) => FirstStep::Refuse,
            (Self::DeleteFailed, Down) => FirstStep::DeleteHarder,
            (
                Self::Ready
                | Self::UpdateFailed
                | Self::Review
                | Self::CreateFailed
                | Self::RollbackStuck
                | Self::ImportStuck,
                Down,
            ) => FirstStep::Delete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every status of the API, and what `up`, `down` and `plan` do first.
    const MATRIX: [(&str, FirstStep, FirstStep, FirstStep); 23] = [
        ("CREATE_COMPLETE", FirstStep::Update, FirstStep::Delete, FirstStep::Update),
        ("CREATE_FAILED", FirstStep::DeleteThenCreate, FirstStep::Delete, FirstStep::DeleteThenCreate),
        ("CREATE_IN_PROGRESS", FirstStep::Join, FirstStep::Join, FirstStep::Join),
        ("DELETE_COMPLETE", FirstStep::Create, FirstStep::Nothing, FirstStep::Create),
        ("DELETE_FAILED", FirstStep::DeleteThenCreate, FirstStep::DeleteHarder, FirstStep::DeleteThenCreate),
        ("DELETE_IN_PROGRESS", FirstStep::Join, FirstStep::Join, FirstStep::Join),
        ("IMPORT_COMPLETE", FirstStep::Update, FirstStep::Delete, FirstStep::Update),
        ("IMPORT_IN_PROGRESS", FirstStep::Join, FirstStep::Join, FirstStep::Join),
        ("IMPORT_ROLLBACK_COMPLETE", FirstStep::Update, FirstStep::Delete, FirstStep::Update),
        ("IMPORT_ROLLBACK_FAILED", FirstStep::Refuse, FirstStep::Delete, FirstStep::Refuse),
        ("IMPORT_ROLLBACK_IN_PROGRESS", FirstStep::Join, FirstStep::Join, FirstStep::Join),
        ("REVIEW_IN_PROGRESS", FirstStep::DeleteThenCreate, FirstStep::Delete, FirstStep::DeleteThenCreate),
        ("ROLLBACK_COMPLETE", FirstStep::DeleteThenCreate, FirstStep::Delete, FirstStep::DeleteThenCreate),
        ("ROLLBACK_FAILED", FirstStep::DeleteThenCreate, FirstStep::Delete, FirstStep::DeleteThenCreate),
        ("ROLLBACK_IN_PROGRESS", FirstStep::Join, FirstStep::Join, FirstStep::Join),
        ("UPDATE_COMPLETE", FirstStep::Update, FirstStep::Delete, FirstStep::Update),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", FirstStep::Join, FirstStep::Join, FirstStep::Join),
        ("UPDATE_FAILED", FirstStep::Update, FirstStep::Delete, FirstStep::Update),
        ("UPDATE_IN_PROGRESS", FirstStep::Join, FirstStep::Join, FirstStep::Join),
        ("UPDATE_ROLLBACK_COMPLETE", FirstStep::Update, FirstStep::Delete, FirstStep::Update),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", FirstStep::Join, FirstStep::Join, FirstStep::Join),
        ("UPDATE_ROLLBACK_FAILED", FirstStep::ContinueRollback, FirstStep::Delete, FirstStep::Refuse),
        ("UPDATE_ROLLBACK_IN_PROGRESS", FirstStep::Join, FirstStep::Join, FirstStep::Join),
    ];

    #[test]
    fn every_status_has_a_first_step_for_every_command() {
        assert_eq!(MATRIX.len(), StackStatus::KNOWN.len());
        for (status, up, down, plan) in MATRIX {
            let condition = Condition::of(&StackStatus::from(status)).unwrap_or_else(|| panic!("{status} is unknown"));
            assert_eq!(condition.first_step(Command::Up), up, "up on {status}");
            assert_eq!(condition.first_step(Command::Down), down, "down on {status}");
            assert_eq!(condition.first_step(Command::Plan), plan, "plan on {status}");
        }
    }

    #[test]
    fn an_unknown_status_has_no_condition() {
        assert_eq!(Condition::of(&StackStatus::from("SOMETHING_NEW")), None);
    }
}
