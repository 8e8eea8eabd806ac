//! CloudFormation's statuses of stacks and resources, parsed when a reply is received.
//!
//! Pure. An unknown status keeps its text, and every predicate that names statuses is false for it.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! statuses {
    ($(#[$about:meta])* $name:ident { $($variant:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(from = "String", into = "String")]
        #[expect(missing_docs, reason = "the names are CloudFormation's own")]
        pub enum $name {
            $($variant,)+
            /// A status that this version does not know.
            Unknown(String),
        }

        impl $name {
            /// Every status that this version knows.
            pub const KNOWN: &[Self] = &[$(Self::$variant,)+];

            /// The status as CloudFormation writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unknown(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Unknown(other.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::from(text.as_str())
            }
        }

        impl From<$name> for String {
            fn from(status: $name) -> Self {
                status.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

statuses! {
    /// The status of a stack.
    StackStatus {
        CreateComplete = "CREATE_COMPLETE",
        CreateFailed = "CREATE_FAILED",
        CreateInProgress = "CREATE_IN_PROGRESS",
        DeleteComplete = "DELETE_COMPLETE",
        DeleteFailed = "DELETE_FAILED",
        DeleteInProgress = "DELETE_IN_PROGRESS",
        ImportComplete = "IMPORT_COMPLETE",
        ImportInProgress = "IMPORT_IN_PROGRESS",
        ImportRollbackComplete = "IMPORT_ROLLBACK_COMPLETE",
        ImportRollbackFailed = "IMPORT_ROLLBACK_FAILED",
        ImportRollbackInProgress = "IMPORT_ROLLBACK_IN_PROGRESS",
        ReviewInProgress = "REVIEW_IN_PROGRESS",
        RollbackComplete = "ROLLBACK_COMPLETE",
        RollbackFailed = "ROLLBACK_FAILED",
        RollbackInProgress = "ROLLBACK_IN_PROGRESS",
        UpdateComplete = "UPDATE_COMPLETE",
        UpdateCompleteCleanupInProgress = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        UpdateFailed = "UPDATE_FAILED",
        UpdateInProgress = "UPDATE_IN_PROGRESS",
        UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
        UpdateRollbackCompleteCleanupInProgress = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
        UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
    }
}

statuses! {
    /// The status of a resource, or the result of a validation or hook for it. In its own events, the stack is a
    /// resource, too.
    ResourceStatus {
        CreateComplete = "CREATE_COMPLETE",
        CreateFailed = "CREATE_FAILED",
        CreateInProgress = "CREATE_IN_PROGRESS",
        DeleteComplete = "DELETE_COMPLETE",
        DeleteFailed = "DELETE_FAILED",
        DeleteInProgress = "DELETE_IN_PROGRESS",
        DeleteSkipped = "DELETE_SKIPPED",
        ExportComplete = "EXPORT_COMPLETE",
        ExportFailed = "EXPORT_FAILED",
        ExportInProgress = "EXPORT_IN_PROGRESS",
        ExportRollbackComplete = "EXPORT_ROLLBACK_COMPLETE",
        ExportRollbackFailed = "EXPORT_ROLLBACK_FAILED",
        ExportRollbackInProgress = "EXPORT_ROLLBACK_IN_PROGRESS",
        ImportComplete = "IMPORT_COMPLETE",
        ImportFailed = "IMPORT_FAILED",
        ImportInProgress = "IMPORT_IN_PROGRESS",
        ImportRollbackComplete = "IMPORT_ROLLBACK_COMPLETE",
        ImportRollbackFailed = "IMPORT_ROLLBACK_FAILED",
        ImportRollbackInProgress = "IMPORT_ROLLBACK_IN_PROGRESS",
        ReviewInProgress = "REVIEW_IN_PROGRESS",
        RollbackComplete = "ROLLBACK_COMPLETE",
        RollbackFailed = "ROLLBACK_FAILED",
        RollbackInProgress = "ROLLBACK_IN_PROGRESS",
        UpdateComplete = "UPDATE_COMPLETE",
        UpdateCompleteCleanupInProgress = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        UpdateFailed = "UPDATE_FAILED",
        UpdateInProgress = "UPDATE_IN_PROGRESS",
        UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
        UpdateRollbackCompleteCleanupInProgress = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
        UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
        HookInProgress = "HOOK_IN_PROGRESS",
        HookSucceeded = "HOOK_COMPLETE_SUCCEEDED",
        HookCompleteFailed = "HOOK_COMPLETE_FAILED",
        HookFailed = "HOOK_FAILED",
        HookWarned = "HOOK_WARNED",
        ValidationFailed = "VALIDATION_FAILED",
        ValidationWarned = "VALIDATION_WARNED",
    }
}

impl StackStatus {
    /// Whether an operation that ended with this status succeeded. A rollback is not a success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::CreateComplete | Self::UpdateComplete | Self::ImportComplete | Self::DeleteComplete)
    }

    /// Whether the stack is gone.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        *self == Self::DeleteComplete
    }

    /// Whether an operation is running, or a change set of type CREATE has not been executed.
    #[must_use]
    pub fn is_in_progress(&self) -> bool {
        self.as_str().ends_with("_IN_PROGRESS")
    }

    /// Whether a resource with the given status is in a stack with this status, or was left behind when it was deleted.
    ///
    /// A failed creation also lists resources that it never owned: those whose name was taken, and those whose import
    /// was rolled back.
    #[must_use]
    pub fn holds(&self, resource: &ResourceStatus) -> bool {
        let creation_failed = matches!(self, Self::CreateFailed | Self::RollbackComplete | Self::RollbackFailed);
        match resource {
            ResourceStatus::CreateFailed
            | ResourceStatus::DeleteComplete
            | ResourceStatus::ImportFailed
            | ResourceStatus::ImportRollbackComplete
            | ResourceStatus::ImportRollbackFailed
            | ResourceStatus::ImportRollbackInProgress => false,
            ResourceStatus::DeleteSkipped => !creation_failed,
            _ => true,
        }
    }
}

impl ResourceStatus {
    /// Whether an operation on the resource failed, or a validation or hook refused it.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.as_str().ends_with("FAILED")
    }

    /// Whether an operation on the resource is running.
    #[must_use]
    pub fn is_in_progress(&self) -> bool {
        self.as_str().ends_with("_IN_PROGRESS") && !self.is_hook()
    }

    /// Whether an operation on the resource is complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.as_str().ends_with("COMPLETE")
    }

    /// Whether the resource was retained on purpose.
    #[must_use]
    pub fn is_skipped(&self) -> bool {
        *self == Self::DeleteSkipped
    }

    /// Whether the resource is gone.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        *self == Self::DeleteComplete
    }

    /// Whether the status marks the beginning of a rollback of the stack.
    #[must_use]
    pub fn is_rollback_start(&self) -> bool {
        self.as_str().ends_with("ROLLBACK_IN_PROGRESS")
    }

    /// Whether a hook reported it.
    #[must_use]
    pub fn is_hook(&self) -> bool {
        matches!(
            self,
            Self::HookInProgress | Self::HookSucceeded | Self::HookCompleteFailed | Self::HookFailed | Self::HookWarned
        )
    }

    /// Whether CloudFormation's own validation reported it.
    #[must_use]
    pub fn is_validation(&self) -> bool {
        matches!(self, Self::ValidationFailed | Self::ValidationWarned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_survive_the_round_trip() {
        for status in StackStatus::KNOWN {
            assert_eq!(&StackStatus::from(status.as_str()), status);
        }
        for status in ResourceStatus::KNOWN {
            assert_eq!(&ResourceStatus::from(status.as_str()), status);
        }
        assert_eq!(StackStatus::from("SOMETHING_NEW"), StackStatus::Unknown("SOMETHING_NEW".into()));
    }

    #[test]
    fn a_rollback_is_not_a_success() {
        let successes: Vec<&str> =
            StackStatus::KNOWN.iter().filter(|status| status.is_success()).map(StackStatus::as_str).collect();
        assert_eq!(successes, ["CREATE_COMPLETE", "DELETE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_COMPLETE"]);
    }

    #[test]
    fn a_stack_holds_only_resources_that_it_created_or_imported() {
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
            let holds = StackStatus::from(stack).holds(&ResourceStatus::from(resource));
            assert_eq!(holds, expected, "{resource} in {stack}");
        }
    }
}
