//! Where each event is shown as text.
//!
//! Pure. The match is exhaustive, so no event can be forgotten.

use super::log;
use crate::core::event::Event;

/// Where an event is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ui) enum Channel {
    /// A result that the user asked for: stdout.
    Result,
    /// A result that is shown only with `--verbose`: stdout.
    ResultDetail,
    /// A message that the user should see: stderr.
    Note,
    /// A message that is shown only with `--verbose`: stderr.
    Detail,
    /// Progress: a live line, or a line from time to time.
    Progress,
    /// Progress that only a live line shows.
    Live,
    /// Not shown as text.
    Hidden,
}

/// Classifies an event.
#[expect(clippy::too_many_lines, reason = "one line per event")]
pub(in crate::ui) fn channel(event: &Event) -> Channel {
    match event {
        Event::Planned { .. }
        | Event::PackageWritten { .. }
        | Event::PageWritten { .. }
        | Event::Outputs { .. }
        | Event::Status { .. }
        | Event::SmokePassed { .. }
        | Event::Proof { .. }
        | Event::NothingLeft { .. }
        | Event::Drift { .. }
        | Event::Check { .. }
        | Event::Settings { .. }
        | Event::Redriven { .. }
        | Event::Faces { .. }
        | Event::Exported { .. }
        | Event::BackfillFound { .. }
        | Event::BackfillDone { .. }
        | Event::BackfillCancelled { .. }
        | Event::ForgetFound { .. }
        | Event::Forgotten { .. }
        | Event::Regions { .. }
        | Event::Stacks { .. }
        | Event::Document { .. } => Channel::Result,
        Event::Log { line, .. } => {
            if log::is_detail(line) {
                Channel::ResultDetail
            } else {
                Channel::Result
            }
        }
        Event::Resource { event } => {
            let settled = event.status.is_failure() || event.status.is_complete() || event.status.is_skipped();
            if settled { Channel::Note } else { Channel::Hidden }
        }
        Event::Started { .. }
        | Event::Unanswered { .. }
        | Event::LocalCloud { .. }
        | Event::LocalReady { .. }
        | Event::LocalStopped { .. }
        | Event::LocalWillStop { .. }
        | Event::LocalKept { .. }
        | Event::TargetAdding { .. }
        | Event::BuildStarted { .. }
        | Event::Packaged { .. }
        | Event::Identity { .. }
        | Event::PicturesLeave { .. }
        | Event::ConcurrencyChosen { .. }
        | Event::ConcurrencyUnknown { .. }
        | Event::PackageBucketCreated { .. }
        | Event::PackageStored { .. }
        | Event::PackagesRemoved { .. }
        | Event::OldPackagesKept { .. }
        | Event::ExpressUnavailable { .. }
        | Event::DriftRevertUnsupported
        | Event::ParametersAdopted { .. }
        | Event::UnusualKeyPrefix { .. }
        | Event::KeyNotAllowed { .. }
        | Event::NotAttached { .. }
        | Event::FlagSwitched { .. }
        | Event::FlagKept { .. }
        | Event::FlagUnknown { .. }
        | Event::PlanSaved { .. }
        | Event::NoChanges { .. }
        | Event::Joined { .. }
        | Event::OperationStarted { .. }
        | Event::LeavingUpdate { .. }
        | Event::UpdateCancelled { .. }
        | Event::RollbackSkipped { .. }
        | Event::OperationEnded { .. }
        | Event::Failed { .. }
        | Event::SmokeStep { .. }
        | Event::SmokeRemainsRemoved { .. }
        | Event::WritingToAttached { .. }
        | Event::SmokePassedBefore { .. }
        | Event::WillRemove { .. }
        | Event::Removed { .. }
        | Event::PackageBucketKept { .. }
        | Event::KeptData { .. }
        | Event::Adoptable { .. }
        | Event::ProofImpossible { .. }
        | Event::NoStack { .. }
        | Event::DriftUnknown
        | Event::MessageKept { .. }
        | Event::MoreFailures { .. }
        | Event::FacesFound { .. }
        | Event::PicturesDone { .. }
        | Event::BackfillPriced { .. }
        | Event::BackfillRunning { .. }
        | Event::BackfillQueued { .. }
        | Event::WaitingForEvents { .. }
        | Event::Error { .. } => Channel::Note,
        Event::RegionChecked { .. } | Event::CertificatesChosen { .. } => Channel::Detail,
        Event::PackageUploading { .. } => Channel::Live,
        Event::BuildProgress { .. }
        | Event::Exporting { .. }
        | Event::Emptying { .. }
        | Event::Detecting { .. }
        | Event::BackfillScanning { .. }
        | Event::Forgetting { .. }
        | Event::BackfillFilling { .. }
        | Event::BackfillProgress { .. } => Channel::Progress,
        Event::Result { .. } => Channel::Hidden,
    }
}

/// Whether the event is one row of a table that a later event closes.
pub(in crate::ui) fn is_row(event: &Event) -> bool {
    matches!(event, Event::Faces { .. })
}

/// Whether the event closes the table of the rows before it.
pub(in crate::ui) fn closes_table(event: &Event) -> bool {
    matches!(event, Event::FacesFound { .. } | Event::PicturesDone { .. })
}

/// Whether `--quiet` shows the event: results and errors.
pub(in crate::ui) fn is_essential(event: &Event) -> bool {
    let is_error = matches!(event, Event::Error { .. } | Event::Failed { .. } | Event::NoStack { .. });
    is_error || matches!(channel(event), Channel::Result | Channel::ResultDetail)
}
