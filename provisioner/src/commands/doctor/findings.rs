//! What `doctor` has found so far.

use crate::core::event::{CheckState, Event};
use crate::core::finding::Finding;
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

    pub(super) fn add(&mut self, name: &'static str, state: CheckState, finding: Finding, remedy: Option<Hint>) {
        self.missing |= state == CheckState::Problem;
        let remedy = remedy.map(|hint| self.events.complete(&hint));
        self.events.emit(Event::Check { name, state, finding, remedy });
    }

    pub(super) fn ok(&mut self, name: &'static str, finding: Finding) {
        self.add(name, CheckState::Ok, finding, None);
    }

    pub(super) fn note(&mut self, name: &'static str, finding: Finding) {
        self.add(name, CheckState::Note, finding, None);
    }

    pub(super) fn problem(&mut self, name: &'static str, error: &Error) {
        let finding = Finding::Failed { message: error.message.clone(), cause: error.causes.first().cloned() };
        self.add(name, CheckState::Problem, finding, error.hints.first().cloned());
    }

    /// The exit code of the command.
    pub(super) fn exit(&self) -> Exit {
        if self.missing { Exit::Failed } else { Exit::Success }
    }
}
