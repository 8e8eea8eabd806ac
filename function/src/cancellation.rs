//! Reads why DynamoDB canceled a transaction. Pure.
//!
//! Invariant: a cancellation counts as temporary only if every one of its reasons is.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::CancellationReason;

/// The reasons of a canceled transaction, without those of the items that were not at fault.
pub(crate) fn reasons(error: &TransactWriteItemsError) -> Option<Vec<&CancellationReason>> {
    let TransactWriteItemsError::TransactionCanceledException(canceled) = error else {
        return None;
    };
    Some(canceled.cancellation_reasons().iter().filter(|reason| reason.code() != Some("None")).collect())
}

/// Whether the transaction only lost against another one or was throttled.
pub(crate) fn is_temporary(reasons: &[&CancellationReason]) -> bool {
    const TEMPORARY: [&str; 4] =
        ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"];
    !reasons.is_empty() && reasons.iter().all(|reason| reason.code().is_some_and(|code| TEMPORARY.contains(&code)))
}
