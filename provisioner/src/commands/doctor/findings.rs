//! What `doctor` has found so far.

use crate::core::event::{CheckState, Event};
use crate::core::hint::Hint;
use crate::error::{Error, Exit};
use crate::ui::Events;

/// Reports each finding, and remembers whether something is missing.
pub(super) struct Findings {
    events: Events,
    missing: bool,
}

impl Findings {
    pub(super) fn new(events: &Events) -> Self {
        Self { events: events.clone(), missing: false }
    }

    /// From now on, findings belong to a region.
    pub(super) fn in_region(&mut self, events: Events) {
        self.events = events;
    }

    pub(super) fn add(
        &mut self,
        name: &'static str,
        state: CheckState,
        detail: impl Into<String>,
        remedy: Option<Hint>,
    ) {
        self.missing |= state == CheckState::Problem;
        let remedy = remedy.map(|hint| self.events.complete(&hint));
        self.events.emit(Event::Check { name, state, detail: detail.into(), remedy });
    }

    pub(super) fn ok(&mut self, name: &'static str, detail: impl Into<String>) {
        self.add(name, CheckState::Ok, detail, None);
    }

    pub(super) fn note(&mut self, name: &'static str, detail: impl Into<String>, remedy: Option<Hint>) {
        self.add(name, CheckState::Note, detail, remedy);
    }

    pub(super) fn problem(&mut self, name: &'static str, error: &Error) {
        let cause = error.causes.first().map(|cause| format!(": {cause}")).unwrap_or_default();
        self.add(name, CheckState::Problem, format!("{}{cause}", error.message), error.hints.first().cloned());
    }

    /// The exit code of the command.
    pub(super) fn exit(&self) -> Exit {
        if self.missing { Exit::Failed } else { Exit::Success }
    }
}
