//! The events of a stack operation as text.

use std::fmt::Write as _;

use super::words::{BAD, FAINT, GOOD, NL, NOTE, lines, noun};
use crate::core::diagnosis::{Diagnosis, StackEvent};
use crate::core::invocation::Invocation;

pub(super) fn resource(event: &StackEvent) -> String {
    let (style, sign) = if event.status.is_failure() {
        (BAD, "✗")
    } else if event.status.is_skipped() {
        (NOTE, "-")
    } else {
        (GOOD, "✓")
    };
    let reason = event.reason.as_deref().filter(|_| event.status.is_failure());
    let reason = reason.map(|reason| format!(": {}", lines(reason, "    "))).unwrap_or_default();
    format!(
        "  {style}{sign}{style:#} {:<24} {FAINT}{:<32}{FAINT:#} {}{reason}",
        event.logical_id, event.resource_type, event.status
    )
}

pub(super) fn failed(diagnosis: &Diagnosis, console: Option<&str>, invocation: &Invocation) -> String {
    let mut text = format!(
        "{BAD}cause:{BAD:#} {} ({}): {}",
        diagnosis.logical_id,
        diagnosis.resource_type,
        lines(&diagnosis.reason, "  ")
    );
    for advice in &diagnosis.advice {
        let _ = write!(text, "{NL}  the hook says: {advice}");
    }
    if diagnosis.others > 0 {
        let others = diagnosis.others;
        let _ = write!(text, "{NL}  {FAINT}{others} more {} followed{FAINT:#}", noun(others, "failure"));
    }
    for hint in diagnosis.remedies() {
        let _ = write!(text, "{NL}  {NOTE}hint:{NOTE:#} {}", hint.complete(invocation));
    }
    if let Some(console) = console {
        let _ = write!(text, "{NL}  {FAINT}{console}{FAINT:#}");
    }
    text
}
