//! The intervals between polls.

use std::sync::OnceLock;
use std::time::Duration;

/// The pauses before a part of a request is repeated that a service has turned down: they double, up to five seconds. After
/// the last one, almost a minute has passed.
pub(super) fn growing() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(Duration::from_millis(50)), |pause| Some((*pause * 2).min(Duration::from_secs(5))))
        .take(16)
}

/// Intervals that grow from a first to a longest one.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    next: Duration,
    longest: Duration,
}

impl Pace {
    /// Starts with `first` and grows by 1/80 each time, up to `longest`. So the end of an operation is noticed at most
    /// `first` plus 1/80 of its duration too late.
    ///
    /// `PROVISIONER_POLL_LIMIT_MS` limits both, for endpoints on this machine, which are fast and do not throttle.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        static LIMIT: OnceLock<Duration> = OnceLock::new();
        let limit = *LIMIT.get_or_init(|| {
            let given = std::env::var("PROVISIONER_POLL_LIMIT_MS").ok().and_then(|text| text.parse().ok());
            given.map_or(Duration::MAX, Duration::from_millis)
        });
        Self { next: first.min(limit), longest: longest.min(limit) }
    }

    /// Waits for the next interval.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 81 / 80).min(self.longest);
    }
}
