//! The events about existing pictures: their processing, and their erasure.

use super::text;
use crate::core::backfill::{Estimate, Progress, Tally};
use crate::core::event::{BackfillReport, Event};
use crate::core::forget::{Copy, Extent};

pub(super) fn events() -> Vec<Event> {
    vec![
        Event::BackfillPriced { price: 1.0 },
        Event::BackfillScanning { listed: 2_000, to_process: 1_500 },
        found(false, None),
        found(true, Some((100, false))),
        found(true, Some((4_320_000, true))),
        Event::BackfillRunning { pictures: 7 },
        Event::BackfillFilling { sent: 1_000, of: 1_500 },
        Event::WaitingForEvents { seconds: 240 },
        Event::BackfillQueued { pictures: 1_500 },
        Event::BackfillProgress { progress: Progress::new(1_500, 1_500, 0, 5.0) },
        Event::BackfillProgress { progress: Progress::new(1_500, 500, 2, 200.0) },
        Event::BackfillDone { pictures: 1_500, failed: 0, seconds: 5_400.0 },
        Event::BackfillDone { pictures: 1_500, failed: 2, seconds: 59.0 },
        Event::BackfillCancelled { pictures: 0 },
        Event::BackfillCancelled { pictures: 12 },
        Event::ForgetFound { found: Extent::default(), picture: false },
        Event::ForgetFound { found: Extent { versions: 3, rows: 1, results: 2 }, picture: false },
        Event::ForgetFound { found: Extent { versions: 1, rows: 0, results: 0 }, picture: true },
        Event::Forgetting { pictures: 100, rows: 1 },
        forgotten(true),
        forgotten(false),
    ]
}

/// What `backfill` found: with a price and a quota or not, and with a limit, which may be that of the queue.
fn found(is_known: bool, limit: Option<(usize, bool)>) -> Event {
    let tally = Tally { listed: 2_000, to_process: 1_500, done: 400, other_type: 60, archived: 40, ..Tally::default() };
    let estimate = Estimate::new(1_500, is_known.then_some(0.8), is_known.then_some(50.0));
    let (limited_to, is_limited_by_queue) = limit.map_or((None, false), |(limit, by_queue)| (Some(limit), by_queue));
    let locations = vec![text("s3://pictures/old/"), text("s3://others/")];
    Event::BackfillFound { report: BackfillReport { locations, tally, estimate, limited_to, is_limited_by_queue } }
}

/// Pictures that were erased, with copies everywhere, or hardly anywhere.
fn forgotten(everywhere: bool) -> Event {
    let mut copies = vec![Copy::Bucket { marked: everywhere }];
    if everywhere {
        copies.extend([Copy::Marks, Copy::Backups, Copy::FailureQueue]);
    }
    copies.push(Copy::Log { days: text("14"), keys: everywhere });
    Event::Forgotten { found: Extent { versions: 3, rows: 2, results: 2 }, copies }
}
