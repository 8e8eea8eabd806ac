//! Emulates an account's quota of requests per second.
//!
//! Invariant: the token bucket never holds more than one second's tokens, so bursts are limited as the service limits them.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Allows a number of requests per second.
#[derive(Debug)]
pub(super) struct Throttle {
    per_second: f64,
    bucket: Mutex<(f64, Instant)>,
}

impl Throttle {
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, bucket: Mutex::new((per_second, now)) }
    }

    pub(super) fn admits(&self, now: Instant) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, last) = *bucket;
        let refilled =
            now.saturating_duration_since(last).as_secs_f64().mul_add(self.per_second, tokens).min(self.per_second);
        let admitted = refilled >= 1.0;
        *bucket = (if admitted { refilled - 1.0 } else { refilled }, now.max(last));
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_cut_and_time_refills() {
        let start = Instant::now();
        let throttle = Throttle::new(5, start);
        let admitted = |at: Duration, requests: usize| (0..requests).filter(|_| throttle.admits(start + at)).count();
        assert_eq!(admitted(Duration::ZERO, 8), 5);
        assert_eq!(admitted(Duration::from_millis(410), 8), 2);
        assert_eq!(admitted(Duration::from_mins(1), 8), 5);
    }
}
