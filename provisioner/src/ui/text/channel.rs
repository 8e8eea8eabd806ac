//! Where each event is shown as text, and how it concerns the live line.
//!
//! Pure. The match is exhaustive, so no event can be forgotten.

use crate::core::event::Event;

/// Where an event is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ui) enum Channel {
    /// A result that the user asked for: stdout.
    Result,
    /// A message that the user should see: stderr.
    Note,
    /// A message that is shown only with `--verbose`: stderr.
    Detail,
    /// Progress: the live line.
    Progress,
    /// Not shown as text.
    Hidden,
}

/// Classifies an event.
pub(in crate::ui) fn channel(event: &Event) -> Channel {
    match event {
        Event::Planned { .. }
        | Event::PackageWritten { .. }
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
        | Event::Regions { .. }
        | Event::Log { .. }
        | Event::Document { .. } => Channel::Result,
        Event::Resource { event } => {
            let settled = event.status.is_failure() || event.status.is_complete() || event.status.is_skipped();
            if settled { Channel::Note } else { Channel::Hidden }
        }
        Event::Started { .. }
        | Event::LocalCloud { .. }
        | Event::LocalReady { .. }
        | Event::LocalStopped { .. }
        | Event::LocalKept
        | Event::TargetAdding { .. }
        | Event::BuildStarted { .. }
        | Event::Packaged { .. }
        | Event::Identity { .. }
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
        | Event::BackfillRunning { .. }
        | Event::BackfillQueued { .. }
        | Event::Error { .. } => Channel::Note,
        Event::RegionChecked { .. } | Event::CertificatesChosen { .. } => Channel::Detail,
        Event::BuildProgress { .. }
        | Event::Exporting { .. }
        | Event::Emptying { .. }
        | Event::Detecting { .. }
        | Event::BackfillScanning { .. }
        | Event::BackfillFilling { .. }
        | Event::BackfillProgress { .. } => Channel::Progress,
        Event::Result { .. } => Channel::Hidden,
    }
}

/// The progress of a running step: the number done and the total; `None` if the total is unknown.
pub(in crate::ui) fn share(event: &Event) -> Option<(usize, usize)> {
    match event {
        // Objects that are uploaded in the meantime are deleted, too.
        Event::Emptying { removed, of: Some(of), .. } => Some((*removed, (*of).max(*removed))),
        Event::Detecting { done, of } | Event::BackfillFilling { sent: done, of } => Some((*done, *of)),
        Event::BackfillProgress { progress } => Some((progress.done, progress.of)),
        _ => None,
    }
}

/// Whether the event ends the live line.
pub(in crate::ui) fn ends_progress(event: &Event) -> bool {
    matches!(
        event,
        Event::Packaged { .. }
            | Event::Removed { .. }
            | Event::Exported { .. }
            | Event::BackfillFound { .. }
            | Event::BackfillQueued { .. }
            | Event::BackfillDone { .. }
            | Event::OperationEnded { .. }
            | Event::Error { .. }
            | Event::Result { .. }
    )
}
