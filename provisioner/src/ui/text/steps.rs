//! Steps as text: of starting the local cloud, of choosing certificates, of the smoke test; and what a step waits for.

use super::words::{FAINT, done, noun};
use crate::core::event::{Certificates, LocalStep, SmokeStep};
use crate::core::unanswered::Unanswered;

pub(super) fn local(step: &LocalStep) -> String {
    let step = match step {
        LocalStep::Waiting { lock } => format!("waiting for another command that holds {lock}"),
        LocalStep::Installing { version, with } => {
            format!("installing MiniStack {version} with {with}, once for this user")
        }
        LocalStep::Installed { seconds } => format!("installed in {seconds:.1} s"),
        LocalStep::Replacing { ended } => format!("restarting, because {ended} has ended"),
        LocalStep::Starting { port } => format!("starting on 127.0.0.1:{port}"),
    };
    format!("  local cloud: {step}")
}

pub(super) fn unanswered(request: &Unanswered) -> String {
    let Unanswered { host, operation, attempt, seconds } = request;
    let attempt = attempt.map_or_else(String::new, |attempt| format!(", attempt {} of {}", attempt.number, attempt.of));
    format!("  {host} has not replied to {operation} for {seconds} s{attempt}; still waiting")
}

pub(super) fn certificates(certificates: &Certificates) -> String {
    let Certificates { system, bundle, mozilla } = certificates;
    if *mozilla > 0 {
        return format!("  certificates: Mozilla's {mozilla}, because this machine has none");
    }
    let added = bundle.as_ref().map(|bundle| format!(" and {} in {}", bundle.count, bundle.file)).unwrap_or_default();
    format!("  certificates: {system} of this machine{added}")
}

pub(super) fn smoke(step: &SmokeStep, seconds: f64) -> String {
    let step = match step {
        SmokeStep::Configuration { timeout, memory, architecture, bucket } => {
            format!("configuration is correct: time-out {timeout} s, {memory} MB, {architecture}, notified by {bucket}")
        }
        SmokeStep::Attached { bucket } => format!("uploads to attached bucket {bucket} reach the function"),
        SmokeStep::Picture { picture, rows } => {
            format!("picture with {picture}: {rows} {} as expected, cleaned up", noun(*rows, "row"))
        }
    };
    done(format_args!("smoke test: {step} {FAINT}({seconds:.1} s){FAINT:#}"))
}
