//! Work that reports its progress: which event tells how far it is, and which one that it has ended.
//!
//! Pure. Work that is missing here would stay on the terminal until the run ends.

use crate::core::event::Event;

/// How far a piece of work is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ui) struct Progress {
    pub(in crate::ui) work: Work,
    pub(in crate::ui) text: String,
    /// The number done and the total; `None` if the total is unknown.
    pub(in crate::ui) share: Option<(usize, usize)>,
}

/// A piece of work that reports its progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ui) enum Work {
    Build,
    Upload,
    /// Emptying this bucket.
    Empty(String),
    Detect,
    Export,
    Scan,
    Fill,
    Process,
    Forget,
}

/// The work whose progress an event reports.
pub(in crate::ui) fn work(event: &Event) -> Option<Work> {
    Some(match event {
        Event::BuildProgress { .. } => Work::Build,
        Event::PackageUploading { .. } => Work::Upload,
        Event::Emptying { bucket, .. } => Work::Empty(bucket.clone()),
        Event::Detecting { .. } => Work::Detect,
        Event::Exporting { .. } => Work::Export,
        Event::BackfillScanning { .. } => Work::Scan,
        Event::BackfillFilling { .. } => Work::Fill,
        Event::BackfillProgress { .. } => Work::Process,
        Event::Forgetting { .. } => Work::Forget,
        _ => return None,
    })
}

impl Work {
    /// Whether the event shows that the work has ended.
    pub(in crate::ui) fn ends_with(&self, event: &Event) -> bool {
        match (self, event) {
            (_, Event::Error { .. } | Event::Result { .. })
            | (Self::Build, Event::Packaged { .. })
            | (Self::Upload, Event::PackageStored { .. })
            | (Self::Detect, Event::PicturesDone { .. })
            | (Self::Export, Event::Exported { .. })
            | (Self::Scan, Event::BackfillFound { .. })
            | (Self::Fill, Event::BackfillQueued { .. })
            | (Self::Process, Event::BackfillDone { .. })
            // Other steps may begin without an event after a bucket was emptied.
            | (Self::Forget | Self::Empty(_), Event::Forgotten { .. })
            | (Self::Empty(_), Event::OperationStarted { .. }) => true,
            (Self::Empty(bucket), Event::Removed { name, .. }) => bucket == name,
            _ => false,
        }
    }
}

/// The progress of a running step: the number done and the total; `None` if the total is unknown.
pub(in crate::ui) fn share(event: &Event) -> Option<(usize, usize)> {
    match event {
        // Objects that are uploaded in the meantime are deleted, too.
        Event::Emptying { removed, of: Some(of), .. } => Some((*removed, (*of).max(*removed))),
        Event::BuildProgress { packages, of: Some(of), .. } => Some((*packages, (*of).max(*packages))),
        Event::PackageUploading { sent, of } => Some((*sent, *of)),
        Event::Exporting { rows, of: Some(of) } => Some((*rows, *of)),
        Event::Detecting { done, of } | Event::BackfillFilling { sent: done, of } => Some((*done, *of)),
        Event::BackfillProgress { progress } => Some((progress.done, progress.of)),
        _ => None,
    }
}
