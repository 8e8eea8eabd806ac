//! What every step of a record needs.
//!
//! Invariant: it lives as long as one record.

use crate::outcome::Step;
use crate::progress::Progress;
use crate::services::Services;
use crate::settings::Settings;

/// The clients, the settings, and the current step of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) services: &'a Services,
    pub(crate) settings: &'a Settings,
    pub(crate) progress: &'a Progress,
    pub(crate) step: Step,
}

impl Context<'_> {
    /// The same context for another step.
    pub(crate) fn at(self, step: Step) -> Self {
        Self { step, ..self }
    }
}
