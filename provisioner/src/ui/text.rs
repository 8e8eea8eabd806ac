//! Events as text for people: the channel of each event, and its wording.
//!
//! Pure, except that the output stream removes unwanted colors. Both matches are exhaustive, so no event can be
//! forgotten.

mod backfill;
mod channel;
mod finding;
mod forget;
pub(super) mod live;
mod log;
mod operation;
mod pictures;
mod plan;
mod report;
mod steps;
mod table;
pub(super) mod words;
mod work;

use std::fmt::Write as _;

use crate::core::event::{DOWN_COUNTS, Event, FlagKept, Kept, NoExpress, RegionSource};
use crate::core::hint::Hint;
use crate::core::invocation::Invocation;
pub(super) use channel::{Channel, channel, closes_table, is_essential, is_row};
use pictures::pictures;
use words::{BAD, FAINT, NL, NOTE, counted, done, lines, noun, size};
pub(super) use work::{Progress, Work, share, work};

/// The table of rows, safe to print.
pub(super) fn rows(events: &[Event], verbose: bool) -> String {
    words::paint(&pictures(events, verbose))
}

/// Renders an event, safe to print. Commands are completed with the options of this invocation.
pub(super) fn render(event: &Event, invocation: &Invocation, verbose: bool) -> String {
    match event {
        // A document is this program's own text and must not be changed.
        Event::Document { text } => text.clone(),
        _ => words::paint(&say(event, invocation, verbose)),
    }
}

#[expect(clippy::too_many_lines, reason = "one arm per event; everything longer than a line has a function")]
fn say(event: &Event, invocation: &Invocation, verbose: bool) -> String {
    let warning = |message: &str, hint: Option<Hint>| {
        let mut text = format!("{NOTE}warning:{NOTE:#} {message}");
        if let Some(hint) = hint {
            let _ = write!(text, "{NL}  {NOTE}hint:{NOTE:#} {}", hint.complete(invocation));
        }
        text
    };
    match event {
        Event::Started { command, version, stack, local } => {
            let place = if *local { " on the local cloud" } else { "" };
            format!("{FAINT}provisioner {version}: {command} {stack}{place}{FAINT:#}")
        }
        Event::Unanswered { request } => steps::unanswered(request),
        Event::LocalCloud { step } => steps::local(step),
        Event::LocalReady { endpoint, account } => done(format_args!(
            "local cloud at {endpoint}, account {account}{NL}  {FAINT}an emulator (MiniStack): face positions are real, ages and emotions are invented, and no AWS account is used{FAINT:#}"
        )),
        Event::LocalStopped { was_running: true } => done("local cloud stopped"),
        Event::LocalStopped { was_running: false } => "no local cloud was running".into(),
        Event::LocalWillStop { stacks, buckets, tables } => {
            format!("the local cloud will be stopped; it holds {}", report::contents(*stacks, *buckets, *tables))
        }
        Event::LocalKept { stacks, buckets, tables } => {
            format!("the local cloud keeps running with {}", report::contents(*stacks, *buckets, *tables))
        }
        Event::TargetAdding { target } => format!("  adding the Rust target {target} (rustup target add {target})"),
        Event::BuildStarted { target } => {
            format!("  building the function for {target}; the first build takes a few minutes")
        }
        Event::BuildProgress { crates, latest, .. } => {
            format!("building the function: {crates} {} compiled, most recently {latest}", noun(*crates, "crate"))
        }
        Event::Packaged { source, architecture, executable_bytes, zip_bytes, sha256 } => done(format_args!(
            "function for {architecture} from {source}: {}, zipped {}, sha256 {}",
            size(*executable_bytes),
            size(*zip_bytes),
            if verbose { sha256 } else { &sha256[..sha256.len().min(12)] }
        )),
        Event::PackageWritten { file, executable_bytes, zip_bytes, sha256 } => {
            format!(
                "{file}{NL}zip         {zip_bytes} bytes{NL}executable  {executable_bytes} bytes{NL}sha256      {sha256}"
            )
        }
        Event::Identity { account, arn, partition, credentials } => done(format_args!(
            "account {account}{}{}{NL}  credentials: {credentials}",
            arn.as_ref().map(|arn| format!(" as {arn}")).unwrap_or_default(),
            if partition == "aws" { String::new() } else { format!(" in partition {partition}") }
        )),
        Event::CertificatesChosen { certificates } => steps::certificates(certificates),
        Event::ConcurrencyChosen { concurrent_executions, requests_per_second } => done(format_args!(
            "at most {concurrent_executions} concurrent {}: Rekognition's quota is {requests_per_second} requests per second here",
            noun(usize::try_from(*concurrent_executions).unwrap_or_default(), "execution")
        )),
        Event::ConcurrencyUnknown { kept, reason } => {
            let limit = match kept {
                Some(kept) => format!("{kept} concurrent executions stay reserved for the function"),
                None => "no concurrent executions are reserved for the function".to_owned(),
            };
            warning(
                &format!("{limit}: {reason}"),
                Some("`--parameter FailureQueue=yes` keeps the events that fail during a burst of uploads".into()),
            )
        }
        Event::RegionChecked { region, rekognition, source } => {
            let source = match source {
                RegionSource::BuiltIn => "according to the built-in region table",
                RegionSource::ServiceQuotas => "according to Service Quotas",
            };
            done(format_args!("{region} {} Rekognition, {source}", if *rekognition { "has" } else { "does not have" }))
        }
        Event::PicturesLeave { region, to } => warning(
            &format!("pictures leave {region}: the faces in them are detected in {to}, in pictures of at most 5 MB"),
            None,
        ),
        Event::PackageUploading { sent, of } => {
            format!("uploading the package: {} of {}", size(*sent), size(*of))
        }
        Event::PackageBucketCreated { bucket } => done(format_args!("bucket {bucket} created for packages")),
        Event::PackageStored { bucket, key } => done(format_args!("package uploaded to s3://{bucket}/{key}")),
        Event::PackagesRemoved { bucket, objects } => {
            done(format_args!("{objects} {} deleted from bucket {bucket}", noun(*objects, "package")))
        }
        Event::OldPackagesKept { bucket, cause } => {
            warning(&format!("cannot delete old packages from bucket `{bucket}`: {cause}"), None)
        }
        Event::ExpressUnavailable { reason } => warning(
            match reason {
                NoExpress::NewStack => "using standard mode instead of express mode, because the stack is new",
                NoExpress::Replacement => "using standard mode instead of express mode, because a resource is replaced",
            },
            None,
        ),
        Event::DriftRevertUnsupported => warning(
            "this endpoint does not support change sets that revert drift, so changes made outside CloudFormation stay",
            Some(Hint::command("status --drift").then(" shows them")),
        ),
        Event::UnusualKeyPrefix { prefix, usual } => warning(
            &format!("`KeyPrefix` is `{prefix}`, but keys usually have no leading slash and no empty folder names"),
            Some(
                Hint::from("if no picture is processed, run ")
                    .then_command("up --parameter")
                    .arg(format!("KeyPrefix={usual}")),
            ),
        ),
        Event::ParametersAdopted { parameters } => {
            let values: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            done(format_args!("as the adopted resources have it: {}", values.join(", ")))
        }
        Event::KeyNotAllowed { bucket, key, known } => {
            let keys = if known.is_empty() { key.clone() } else { format!("{known},{key}") };
            warning(
                &format!("bucket `{bucket}` encrypts new objects with key `{key}`, which the function may not use"),
                Some(Hint::command("up --parameter").arg(format!("PictureKeys={keys}")).then(" allows it")),
            )
        }
        Event::NotAttached { location, attached } => {
            let attached = if attached.is_empty() { "nothing".to_owned() } else { attached.join(", ") };
            warning(&format!("`{location}` is not attached, so it cannot be detached; attached: {attached}"), None)
        }
        Event::FlagSwitched { bucket, on: true } => done(format_args!(
            "bucket {bucket} now sends its events to EventBridge; its other settings have not changed{NL}  {FAINT}S3 may need about five minutes until it sends the first event{FAINT:#}"
        )),
        Event::FlagSwitched { bucket, on: false } => done(format_args!(
            "bucket {bucket} no longer sends its events to EventBridge; its other settings and its objects have not changed"
        )),
        Event::FlagKept { bucket, reason } => {
            let reason = match reason {
                FlagKept::Needed { rule } => format!("rule {rule} needs them"),
                FlagKept::Unknown { cause } => cause.clone(),
            };
            warning(&format!("bucket `{bucket}` still sends its events to EventBridge: {reason}"), None)
        }
        Event::FlagUnknown { bucket, cause } => warning(
            &format!("cannot find out whether bucket `{bucket}` sends its events to EventBridge: {cause}"),
            Some(Hint::command("policy --for attach").then(" prints the permissions that are needed")),
        ),
        Event::Planned { plan } => plan::planned(plan),
        Event::PlanSaved { file } => {
            let command = Hint::command("up --plan").arg(file).then(" executes it").complete(invocation);
            done(format_args!("plan saved; {command}"))
        }
        Event::NoChanges { stack } => done(format_args!("no changes: stack {stack} is up to date")),
        Event::Joined { stack, status } => format!("  stack {stack} is busy ({status}); following the operation"),
        Event::OperationStarted { operation, stack } => format!("  {} of stack {stack} started", operation.label()),
        Event::Resource { event } => operation::resource(event),
        Event::LeavingUpdate { stack } => warning(
            &format!("exiting; the update of stack `{stack}` continues in AWS"),
            Some("press Ctrl-C again now to cancel the update and roll it back".into()),
        ),
        Event::UpdateCancelled { stack } => warning(
            &format!("update cancelled; stack `{stack}` is rolling back"),
            Some("press Ctrl-C once more to exit; the rollback continues in AWS".into()),
        ),
        Event::RollbackSkipped { resources } => warning(
            &format!("the rollback skipped {}", resources.join(", ")),
            Some("these resources may differ from what CloudFormation expects; the next update corrects them".into()),
        ),
        Event::OperationEnded { stack, status, seconds, ok: true } => {
            done(format_args!("stack {stack}: {status} after {seconds:.1} s"))
        }
        Event::OperationEnded { stack, status, seconds, ok: false } => {
            format!("{BAD}✗{BAD:#} stack {stack}: {status} after {seconds:.1} s")
        }
        Event::Failed { diagnosis, console } => operation::failed(diagnosis, console.as_deref(), invocation),
        Event::Outputs { outputs } => report::pairs(outputs),
        Event::Status { report } => report::status(report),
        Event::SmokeStep { step, seconds } => steps::smoke(step, *seconds),
        Event::WritingToAttached { bucket } => warning(
            &format!("uploading a picture to attached bucket `{bucket}`; whoever else uses its events sees it, too"),
            None,
        ),
        Event::SmokeRemainsRemoved { bucket, pictures } => done(format_args!(
            "{pictures} {} of interrupted smoke tests removed from bucket {bucket}, with their rows",
            noun(*pictures, "picture")
        )),
        Event::SmokePassed { pictures, rows, seconds } => done(format_args!(
            "smoke test passed: {pictures} {}, {rows} {}, {seconds:.1} s",
            noun(*pictures, "picture"),
            noun(*rows, "row")
        )),
        Event::SmokePassedBefore { stack } => {
            done(format_args!("this deployment of stack {stack} has already passed the smoke test"))
        }
        Event::WillRemove { stack, resources, bucket, objects, tables, keep_data, attached } => {
            let verb = if *keep_data { "kept" } else { "deleted" };
            let mut text = format!("stack {stack} with {resources} {} will be deleted", noun(*resources, "resource"));
            let bucket = bucket.iter().map(|name| ("bucket", name, *objects, "object"));
            let tables = tables.iter().map(|table| ("table", &table.name, table.rows, "row"));
            for (kind, name, count, unit) in bucket.chain(tables) {
                let contents = counted(count, DOWN_COUNTS, unit);
                let _ = write!(text, "{NL}{kind} {name} with {contents} will be {verb}");
            }
            for bucket in attached {
                let _ = write!(text, "{NL}attached bucket {bucket} will be kept with all its objects");
            }
            text
        }
        Event::Emptying { bucket, removed, .. } => {
            format!("emptying bucket {bucket}: {removed} {} deleted", noun(*removed, "object"))
        }
        Event::Removed { kind, name } => done(format_args!("{} {name} deleted", kept(*kind))),
        Event::PackageBucketKept { bucket } => {
            done(format_args!("package bucket {bucket} kept, because other stacks use it"))
        }
        Event::KeptData { kind, name, count } => {
            let unit = if *kind == Kept::Table { "row" } else { "object" };
            done(format_args!("{} {name} kept with {}", kept(*kind), counted(*count, DOWN_COUNTS, unit)))
        }
        Event::Adoptable { bucket, table } => {
            let mut command = Hint::from("to use the kept data again, run ").then_command("up --adopt");
            for (parameter, name) in [("BucketName", bucket), ("TableName", table)] {
                if let Some(name) = name {
                    command = command.arg("--parameter").arg(format!("{parameter}={name}"));
                }
            }
            command.complete(invocation)
        }
        Event::Proof { kind, name, arn, gone: true } => {
            done(format_args!("gone: {kind} {}", arn.as_ref().unwrap_or(name)))
        }
        Event::Proof { kind, name, arn, gone: false } => {
            format!("{BAD}✗ still there:{BAD:#} {kind} {}", arn.as_ref().unwrap_or(name))
        }
        Event::ProofImpossible { kind, name } => {
            warning(&format!("cannot check whether {kind} `{name}` is gone"), None)
        }
        Event::NothingLeft { checked } => {
            done(format_args!("nothing left (checked {checked} {})", noun(*checked, "resource")))
        }
        Event::NoStack { stack } => format!("stack {stack} does not exist"),
        Event::Drift { drifted, unchecked, .. } => report::drift(drifted, unchecked),
        Event::DriftUnknown => warning("this endpoint does not support `DetectStackDrift`, so drift is unknown", None),
        Event::Settings { settings } => report::settings(settings),
        Event::Check { name, state, finding, remedy } => {
            report::check(name, *state, &finding::words(finding), remedy.as_deref())
        }
        Event::Redriven { queue, sent, kept } => {
            let rest = if *kept > 0 { format!("; messages left in the queue: {kept}") } else { String::new() };
            done(format_args!("{sent} {} sent from {queue} to the function{rest}", noun(*sent, "event")))
        }
        Event::MessageKept { reason } => warning(&format!("left a message in the failure queue: {reason}"), None),
        Event::Detecting { done, of } => format!("{done} of {of} {} processed", noun(*of, "picture")),
        Event::Faces { .. } => pictures(std::slice::from_ref(event), verbose),
        Event::PageWritten { file, bytes } => done(format_args!("{file} written, {}", size(*bytes))),
        Event::PicturesDone { counts } => pictures::summary(counts),
        Event::MoreFailures { same, not_tried } => {
            let not_tried = match not_tried {
                0 => String::new(),
                count => format!(", {count} not tried"),
            };
            warning(&format!("{same} more {} failed for the same reason{not_tried}", noun(*same, "picture")), None)
        }
        Event::FacesFound { rows, read, more } => {
            let more = if *more { "; there are more, and `--limit` shows them" } else { "" };
            done(format_args!("{rows} {} found, {read} read{more}", noun(*rows, "row")))
        }
        Event::Exporting { rows, .. } => format!("{rows} {} exported", noun(*rows, "row")),
        Event::Exported { file, rows, seconds } => {
            done(format_args!("{rows} {} exported to {file} in {seconds:.1} s", noun(*rows, "row")))
        }
        Event::BackfillPriced { price } => backfill::priced(*price, invocation),
        Event::BackfillScanning { listed, to_process } => backfill::scanning(*listed, *to_process),
        Event::BackfillFound { report } => backfill::found(report, invocation),
        Event::BackfillRunning { pictures } => backfill::running(*pictures),
        Event::BackfillFilling { sent, of } => backfill::filling(*sent, *of),
        Event::WaitingForEvents { seconds } => backfill::waiting(*seconds),
        Event::BackfillQueued { pictures } => backfill::queued(*pictures),
        Event::BackfillProgress { progress } => backfill::progress(progress),
        Event::BackfillDone { pictures, failed, seconds } => backfill::ended(*pictures, *failed, *seconds, invocation),
        Event::BackfillCancelled { pictures } => backfill::cancelled(*pictures),
        Event::ForgetFound { found, picture } => forget::found(*found, *picture),
        Event::Forgetting { pictures, rows } => forget::progress(*pictures, *rows),
        Event::Forgotten { found, copies } => forget::forgotten(*found, copies),
        Event::Regions { regions, source } => report::regions(regions, *source),
        Event::Stacks { stacks, regions, skipped } => report::stacks(stacks, *regions, skipped),
        Event::Log { at, line } => log::log(*at, line, verbose),
        Event::Document { text } => text.clone(),
        Event::Error { message, causes, hints, .. } => {
            let mut text = format!("{BAD}error:{BAD:#} {message}");
            for cause in causes {
                let _ = write!(text, "{NL}  caused by: {}", lines(cause, "    "));
            }
            for hint in hints {
                let _ = write!(text, "{NL}  {NOTE}hint:{NOTE:#} {hint}");
            }
            text
        }
        Event::Result { ok, exit_code } => {
            if *ok {
                "success".to_owned()
            } else {
                format!("exit code {exit_code}")
            }
        }
    }
}

fn kept(kind: Kept) -> &'static str {
    match kind {
        Kept::Bucket => "bucket",
        Kept::Table => "table",
        Kept::PackageBucket => "package bucket",
    }
}

#[cfg(test)]
mod tests;
