//! The words of the live lines. What an event reports has the same words as everywhere else.

use std::time::Duration;

use super::words::{FAINT, noun, paint};
use crate::core::event::Event;
use crate::core::operation::Kind;
use crate::core::status::ResourceStatus;

/// What is shown before the first event.
pub(in crate::ui) const WORKING: &str = "working";

/// What is being done with a resource, or was done.
pub(in crate::ui) fn state(status: &ResourceStatus) -> String {
    match status {
        ResourceStatus::CreateInProgress => "creating",
        ResourceStatus::CreateComplete => "created",
        ResourceStatus::UpdateInProgress => "updating",
        ResourceStatus::UpdateComplete => "updated",
        ResourceStatus::DeleteInProgress => "deleting",
        ResourceStatus::DeleteComplete => "deleted",
        ResourceStatus::DeleteSkipped => "kept",
        ResourceStatus::ImportInProgress => "importing",
        ResourceStatus::ImportComplete => "imported",
        status if status.is_rollback_start() => "rolling back",
        // The name of a status that has no word here is clear enough.
        status => return status.as_str().to_lowercase().replace('_', " "),
    }
    .to_owned()
}

/// The line above the resources of an operation.
pub(in crate::ui) fn operation(kind: Kind, stack: &str, is_rolling_back: bool) -> String {
    let rollback = if is_rolling_back && kind != Kind::Rollback { ", rolling back" } else { "" };
    format!("{} of stack {stack}{rollback}", kind.label())
}

/// How many resources an operation has completed, and how many are in progress.
pub(in crate::ui) fn counts(completed: usize, running: usize) -> String {
    format!("{completed} done, {running} in progress")
}

/// What the line at the end of an operation says about its resources.
pub(in crate::ui) fn totals(resources: usize, slowest: Option<&(String, Duration)>) -> String {
    // Emulators need no time for most resources.
    let slowest = slowest.filter(|(_, took)| *took >= Duration::from_millis(100));
    let slowest = slowest.map(|(name, took)| format!("; slowest: {name}, {}", elapsed(*took))).unwrap_or_default();
    paint(&format!(" {FAINT}({resources} {}{slowest}){FAINT:#}", noun(resources, "resource")))
}

/// Whether the event has no line of its own, because live lines show it until the operation ends.
pub(in crate::ui) fn collapses(event: &Event) -> bool {
    match event {
        Event::Resource { event } => !event.status.is_failure(),
        event => matches!(event, Event::OperationStarted { .. }),
    }
}

/// The number of lines for which there is no room.
pub(in crate::ui) fn more(lines: usize) -> String {
    format!("and {lines} more")
}

/// The share of the work that is done.
pub(in crate::ui) fn percent(percent: usize) -> String {
    format!("{percent:>3} %")
}

/// A time in as few characters as possible, without jumping around.
pub(in crate::ui) fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds}.{} s", time.subsec_millis() / 100),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_statuses() {
        let words: Vec<String> =
            ResourceStatus::KNOWN.iter().map(|status| format!("{status}: {}", state(status))).collect();
        insta::assert_snapshot!(words.join("\n"));
    }

    #[test]
    fn times() {
        for (millis, expected) in [
            (0, "0.0 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min 00 s"),
            (3_599_999, "59 min 59 s"),
            (3_600_000, "1 h 00 min"),
            (100 * 3_600_000, "100 h 00 min"),
        ] {
            assert_eq!(elapsed(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn totals_of_an_operation() {
        let took = |millis| ("Role".to_owned(), Duration::from_millis(millis));
        for (resources, slowest, expected) in [
            (0, None, " (0 resources)"),
            (1, Some(took(99)), " (1 resource)"),
            (2, Some(took(21_000)), " (2 resources; slowest: Role, 21.0 s)"),
        ] {
            let text = totals(resources, slowest.as_ref());
            assert_eq!(anstream::adapter::strip_str(&text).to_string(), expected);
        }
    }
}
