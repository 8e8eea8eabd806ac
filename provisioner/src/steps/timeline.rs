//! Writes the timeline of a deployment to a page.

use crate::clock;
use crate::context::Context;
use crate::core::event::Event;
use crate::core::moment;
use crate::core::timeline::bars;
use crate::error::{Exit, Result};
use crate::steps::page::PageFile;
use crate::ui::Recording;
use crate::ui::page::{Timeline, timeline};

/// Writes the page about what was recorded.
pub fn write(file: PageFile, recording: &Recording, outcome: &Result<Exit>, cx: &Context) -> Result<()> {
    let events = recording.events();
    let changes: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Resource { event } => Some(event.clone()),
            _ => None,
        })
        .collect();
    let diagnosis = events.iter().rev().find_map(|event| match event {
        Event::Failed { diagnosis, .. } => Some(diagnosis),
        _ => None,
    });
    let mut hints: Vec<String> =
        diagnosis.iter().flat_map(|d| d.remedies()).map(|hint| cx.events.complete(&hint)).collect();
    let result = match outcome {
        Ok(Exit::Success) if changes.is_empty() => "The stack was up to date.".to_owned(),
        Ok(Exit::Success) => "The deployment succeeded.".to_owned(),
        Ok(exit) => format!("The run ended with exit code {}.", *exit as u8),
        Err(error) => {
            hints.extend(error.hints.iter().map(|hint| cx.events.complete(hint)));
            std::iter::once(&error.message).chain(&error.causes).cloned().collect::<Vec<_>>().join(": ")
        }
    };
    let page = timeline(&Timeline {
        stack: cx.stack(),
        region: cx.region(),
        written: moment::utc(clock::now_millis()),
        result,
        ok: matches!(outcome, Ok(Exit::Success)),
        bars: &bars(&changes),
        diagnosis,
        hints: &hints,
    });
    file.write(&page, &cx.events)
}
