//! How long to wait between two polls.

use std::sync::OnceLock;
use std::time::Duration;

/// Waiting times that grow from a first to a longest one.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    next: Duration,
    longest: Duration,
}

impl Pace {
    /// From `first` to `longest`, growing by an eightieth each time: so the end of what is waited for is seen late by `first` and an eightieth
    /// of the time that it took, at the most.
    ///
    /// `PROVISIONER_POLL_LIMIT_MS` caps both, for endpoints on this machine that neither take time nor throttle.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        static LIMIT: OnceLock<Duration> = OnceLock::new();
        let limit = *LIMIT.get_or_init(|| {
            let given = std::env::var("PROVISIONER_POLL_LIMIT_MS").ok().and_then(|text| text.parse().ok());
            given.map_or(Duration::MAX, Duration::from_millis)
        });
        Self { next: first.min(limit), longest: longest.min(limit) }
    }

    /// Waits the next time.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 81 / 80).min(self.longest);
    }
}
