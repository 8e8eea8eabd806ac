//! Computes how many concurrent executions to reserve for the function, so that a burst of uploads waits in Lambda's
//! queue instead of exceeding Rekognition's quota.
//!
//! Pure. The reservation is one concurrent execution per `DetectFaces` request per second. A picture takes between a
//! few tenths of a second and a second, so this uses the whole quota; the retries of the function and of Lambda absorb
//! the few requests beyond it (`make scale` shows how few).

use serde::Serialize;

/// The value of parameter `ReservedConcurrency` that asks for a reservation computed from the account's quotas.
pub const AUTOMATIC: &str = "auto";

/// Concurrent executions that Lambda always leaves to functions without a reservation (Lambda Developer Guide,
/// "Reserved concurrency").
const ALWAYS_UNRESERVED: i32 = 100;

/// Why no reservation can be computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum NoReservation {
    /// Service Quotas lists no such quota.
    #[error("Service Quotas lists no quota of DetectFaces here")]
    UnknownQuota,
    /// The account has too few concurrent executions.
    #[error(
        "the quota of DetectFaces allows {wanted}, but only {unreserved} are unreserved in this account, and Lambda \
         requires {ALWAYS_UNRESERVED} to stay unreserved"
    )]
    NoRoom {
        /// The reservation that follows from the quota.
        wanted: i32,
        /// Concurrent executions that no function has reserved.
        unreserved: i32,
    },
    /// The quotas cannot be read.
    #[error("{error}")]
    Unreadable {
        /// The reason why not.
        error: String,
    },
}

/// Computes the reservation from Rekognition's requests per second and the unreserved concurrent executions of the
/// account.
///
/// # Errors
/// The account has too few concurrent executions, or the quota is unknown.
pub fn reserve(requests_per_second: Option<f64>, unreserved: i32) -> Result<i32, NoReservation> {
    let rate = requests_per_second.filter(|rate| rate.is_finite() && *rate > 0.0).ok_or(NoReservation::UnknownQuota)?;
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    let wanted = rate.ceil() as i32;
    if wanted > unreserved.saturating_sub(ALWAYS_UNRESERVED) {
        return Err(NoReservation::NoRoom { wanted, unreserved });
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reservation_follows_from_the_quota_if_the_account_has_room() {
        for (rate, unreserved, expected) in [
            (Some(5.0), 1_000, Some(5)),
            (Some(0.5), 1_000, Some(1)),
            (Some(50.0), 150, Some(50)),
            (Some(50.0), 149, None),
            // A new account has ten concurrent executions in all.
            (Some(5.0), 10, None),
            (Some(0.0), 1_000, None),
            (Some(f64::NAN), 1_000, None),
            (None, 1_000, None),
        ] {
            assert_eq!(reserve(rate, unreserved).ok(), expected, "{rate:?} {unreserved}");
        }
    }
}
