//! The erasure of pictures as text.

use std::fmt::Write as _;

use super::words::{NL, NOTE, done, noun};
use crate::core::forget::{Copy, Extent};

pub(super) fn found(found: Extent, picture: bool) -> String {
    if found.is_empty() {
        return done("there are no rows of these pictures, and no other results");
    }
    let Extent { versions, rows, results } = found;
    let verb = if picture { "will be deleted" } else { "will be marked, and stay in the bucket" };
    let mut text = format!("{rows} {} of faces will be erased", noun(rows, "row"));
    if versions > 0 {
        let _ = write!(text, "{NL}{versions} {} of the pictures {verb}", noun(versions, "version"));
    }
    if results > 0 {
        let of = "in the table of processed pictures";
        let _ = write!(text, "{NL}{results} {} {of} will be erased or marked", noun(results, "result"));
    }
    text
}

pub(super) fn progress(pictures: usize, rows: usize) -> String {
    format!("{pictures} {} marked, {rows} other {} deleted", noun(pictures, "picture"), noun(rows, "row"))
}

pub(super) fn forgotten(found: Extent, copies: &[Copy]) -> String {
    let mut text = done(format_args!("erased and checked: no rows are left of {}", found.rows));
    for copy in copies {
        let _ = write!(text, "{NL}  {NOTE}-{NOTE:#} {}", remains(copy));
    }
    text
}

fn remains(copy: &Copy) -> String {
    match copy {
        Copy::Bucket { marked: true } => {
            "the pictures are still in the bucket; they are marked, so `backfill` and `redrive` leave them alone".into()
        }
        Copy::Bucket { marked: false } => "the pictures are still in the bucket; without `Backfill=yes` or \
                                           `EraseRows=yes`, no table can mark them, so a repeated event would write \
                                           their rows again"
            .into(),
        Copy::Marks => "the table of processed pictures keeps the marks, which contain the keys".into(),
        Copy::Backups => "backups keep the rows for up to 35 days (`PointInTimeRecovery`)".into(),
        Copy::FailureQueue => "the failure queue may keep bucket and key for up to 14 days".into(),
        Copy::Log { days, keys } => {
            let what = if *keys { "the keys" } else { "hashes of the pictures, but no keys" };
            format!("for {days} days, the function's log keeps {what}")
        }
    }
}
