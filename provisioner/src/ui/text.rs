//! Events as lines for people.
//!
//! Pure but for colours, which the stream removes where they are not wanted.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::core::diagnosis::StackEvent;
use crate::core::event::{CheckState, DOWN_COUNTS, Drifted, Event, RegionRow, STATUS_COUNTS, StatusReport};
use crate::core::plan::{Action, Change, Operation, Plan};
use crate::core::smoke::{Attribute, Row};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();

/// What the moving line shows.
pub(super) struct Progress {
    pub(super) text: String,
    /// How far it is of how much, where that is known.
    pub(super) share: Option<(usize, usize)>,
}

/// The moving line, for events that only show life.
pub(super) fn progress(event: &Event) -> Option<Progress> {
    match event {
        Event::BuildProgress { crates, latest } => Some(Progress {
            text: format!("building the function: {crates} crates compiled, the last was {latest}"),
            share: None,
        }),
        // What comes in meanwhile goes too.
        Event::Emptying { bucket, removed, of } => Some(Progress {
            text: format!("emptying {bucket}: {removed} removed"),
            share: of.map(|of| (*removed, of.max(*removed))),
        }),
        Event::Detecting { done, of } => {
            Some(Progress { text: format!("{done} of {of} pictures finished"), share: Some((*done, *of)) })
        }
        _ => None,
    }
}

/// Whether the moving line has come to its end.
pub(super) fn ends_progress(event: &Event) -> bool {
    matches!(
        event,
        Event::Packaged { .. }
            | Event::Removed { .. }
            | Event::OperationEnded { .. }
            | Event::Error { .. }
            | Event::Result { .. }
    )
}

/// The lines for an event and whether they are a result (stdout); `None` for what nobody wants to read.
pub(super) fn lines(event: &Event, verbose: bool) -> Option<(bool, String)> {
    let result = matches!(
        event,
        Event::Outputs { .. }
            | Event::Status { .. }
            | Event::Planned { .. }
            | Event::Proof { .. }
            | Event::NothingLeft { .. }
            | Event::Faces { .. }
            | Event::Regions { .. }
            | Event::Log { .. }
            | Event::Document { .. }
            | Event::Drift { .. }
            | Event::Check { .. }
            | Event::Redriven { .. }
            | Event::SmokePassed { .. }
    );
    text(event, verbose).map(|text| (result, text))
}

fn done(text: impl std::fmt::Display) -> String {
    format!("{GOOD}✓{GOOD:#} {text}")
}

#[expect(clippy::too_many_lines, reason = "one arm an event; whatever is longer than a line has a function")]
fn text(event: &Event, verbose: bool) -> Option<String> {
    Some(match event {
        Event::Started { command, version, stack, local } => {
            let place = if *local { " on the local cloud" } else { "" };
            format!("{FAINT}provisioner {version}: {command} {stack}{place}{FAINT:#}")
        }
        Event::LocalCloud { step } => format!("  local cloud: {step}"),
        Event::LocalReady { endpoint, account } => done(format_args!(
            "local cloud at {endpoint}, account {account}\n  {FAINT}an emulator (MiniStack) with real face positions; ages and emotions are made up, and no AWS account is touched{FAINT:#}"
        )),
        Event::LocalStopped { was_running: true } => done("local cloud stopped"),
        Event::LocalStopped { was_running: false } => "no local cloud was running".into(),
        Event::TargetAdding { target } => format!("  adding the Rust target {target} (rustup target add {target})"),
        Event::BuildStarted { target } => {
            format!("  building the function for {target}; the first time takes a few minutes")
        }
        Event::Packaged { source, architecture, executable_bytes, zip_bytes, sha256, zip } => {
            let mut text = done(format_args!(
                "function for {architecture}: {} in {source}, {} zipped, sha256 {}",
                size(*executable_bytes),
                size(*zip_bytes),
                short(sha256, verbose)
            ));
            if let Some(zip) = zip {
                let _ = write!(text, "\n  {zip}");
            }
            text
        }
        Event::Identity { account, arn, partition } => done(format_args!(
            "account {account}{}{}",
            arn.as_ref().map(|arn| format!(" as {arn}")).unwrap_or_default(),
            if partition == "aws" { String::new() } else { format!(" in partition {partition}") }
        )),
        Event::ConcurrencyChosen { copies, requests_a_second } => done(format_args!(
            "at most {copies} cop{} of the function at once: Rekognition takes {requests_a_second} requests a second here",
            if *copies == 1 { "y" } else { "ies" }
        )),
        Event::RegionChecked { source, .. } if verbose => {
            done(format_args!("the region has Rekognition, says {source}"))
        }
        Event::ArtefactBucketCreated { bucket } => done(format_args!("bucket {bucket} made for packages")),
        Event::ArtefactStored { bucket, key, uploaded } => done(format_args!(
            "package {} s3://{bucket}/{key}",
            if *uploaded { "uploaded to" } else { "is already at" }
        )),
        Event::ArtefactsRemoved { bucket, objects } => {
            done(format_args!("{objects} package{} removed from {bucket}", plural(*objects)))
        }
        Event::Planned { plan } => planned(plan),
        Event::NoChanges { stack } => done(format_args!("no changes: {stack} is as it should be")),
        Event::Joined { stack, status } => format!("  {stack} is busy ({status}): following that operation"),
        Event::OperationStarted { operation, stack } => format!("  {operation} of stack {stack} started"),
        Event::Resource { event } => resource(event)?,
        Event::OperationEnded { stack, status, seconds, ok: true } => {
            done(format_args!("{stack}: {status} after {seconds:.1} s"))
        }
        Event::OperationEnded { stack, status, seconds, ok: false } => {
            format!("{BAD}✗{BAD:#} {stack}: {status} after {seconds:.1} s")
        }
        Event::Failed { diagnosis, console } => {
            let mut text = format!(
                "{BAD}cause:{BAD:#} {} ({}): {}",
                diagnosis.logical_id, diagnosis.resource_type, diagnosis.reason
            );
            if let Some(denied) = &diagnosis.denied {
                let _ = write!(text, "\n  this statement would allow it: {}", denied.statement());
            }
            for advice in &diagnosis.advice {
                let _ = write!(text, "\n  the hook says: {advice}");
            }
            if diagnosis.others > 0 {
                let _ = write!(text, "\n  {FAINT}and {} more that came after it{FAINT:#}", diagnosis.others);
            }
            if let Some(way_out) = diagnosis.kind.way_out() {
                let _ = write!(text, "\n  {NOTE}hint:{NOTE:#} {way_out}");
            }
            if let Some(console) = console {
                let _ = write!(text, "\n  {FAINT}{console}{FAINT:#}");
            }
            text
        }
        Event::Outputs { outputs } => {
            outputs.iter().map(|(name, value)| format!("{name:<16} {value}")).collect::<Vec<_>>().join("\n")
        }
        Event::Status { report } => status(report),
        Event::SmokeStep { step, detail, seconds } => {
            done(format_args!("smoke: {step}: {detail} {FAINT}({seconds:.1} s){FAINT:#}"))
        }
        Event::SmokePassed { pictures, rows, seconds } => done(format_args!(
            "smoke passed: {pictures} picture{}, {rows} row{}, {seconds:.1} s",
            plural(*pictures),
            plural(*rows)
        )),
        Event::WillRemove { stack, resources, bucket, objects, table, rows, keep_data } => {
            will_remove(stack, *resources, bucket.as_deref(), *objects, table.as_deref(), *rows, *keep_data)
        }
        Event::Removed { kind, name } => done(format_args!("{kind} {name} removed")),
        Event::Kept { kind, name } => done(format_args!("{kind} {name} kept")),
        Event::KeptData { kind, name, count, unit } => {
            done(format_args!("{kind} {name} kept with {} {unit}{}", counted(*count, DOWN_COUNTS), plural(*count)))
        }
        Event::Proof { kind, name, arn, gone: true } => {
            done(format_args!("gone: {kind} {}", arn.as_ref().unwrap_or(name)))
        }
        Event::Proof { kind, name, arn, gone: false } => {
            format!("{BAD}✗ still there:{BAD:#} {kind} {}", arn.as_ref().unwrap_or(name))
        }
        Event::Drift { drifted, unchecked, .. } => drift(drifted, unchecked),
        Event::Check { name, state, detail, remedy } => check(name, *state, detail, remedy.as_deref()),
        Event::Redriven { queue, sent, kept } => {
            let rest = if *kept > 0 { format!(", {kept} kept in it") } else { String::new() };
            done(format_args!("{sent} event{} sent to the function again from {queue}{rest}", plural(*sent)))
        }
        Event::NothingLeft { asked } => done(format_args!("nothing is left ({asked} resources asked for)")),
        Event::NoStack { stack } => format!("there is no stack {stack}"),
        Event::Faces { file, key, rows, outcome } => faces(file, key, rows, outcome.as_deref()),
        Event::Regions { regions, .. } => regions.iter().map(region).collect::<Vec<_>>().join("\n"),
        Event::Log { line, .. } => log(line),
        Event::Document { text } => text.clone(),
        Event::Warning { message, hint } => {
            let mut text = format!("{NOTE}warning:{NOTE:#} {message}");
            if let Some(hint) = hint {
                let _ = write!(text, "\n  hint: {hint}");
            }
            text
        }
        Event::Error { message, causes, hints } => {
            let mut text = format!("{BAD}error:{BAD:#} {message}");
            for cause in causes {
                let _ = write!(text, "\n  caused by: {}", cause.replace('\n', "\n    "));
            }
            for hint in hints {
                let _ = write!(text, "\n  {NOTE}hint:{NOTE:#} {hint}");
            }
            text
        }
        Event::RegionChecked { .. }
        | Event::BuildProgress { .. }
        | Event::Emptying { .. }
        | Event::Detecting { .. }
        | Event::Result { .. } => {
            return None;
        }
    })
}

fn planned(plan: &Plan) -> String {
    let what = match plan.operation {
        Operation::None => return done("no changes"),
        Operation::Create => "create the stack",
        Operation::Update => "update the stack",
        Operation::Recreate => "delete what a failed creation left, then create the stack",
    };
    let mut text = format!("plan: {what}");
    if plan.changes.is_empty() {
        let _ = write!(text, "\n  {NOTE}~{NOTE:#} its outputs, and no resource");
    }
    for change in &plan.changes {
        let _ = write!(text, "\n{}", planned_change(change));
    }
    text
}

fn planned_change(change: &Change) -> String {
    let (sign, style, words) = match change.action {
        Action::Add => ("+", GOOD, ""),
        Action::Import if change.properties.is_empty() => (">", GOOD, " imported as it is"),
        Action::Import => (">", GOOD, " imported as it is, then set as the template has it:"),
        Action::Acknowledge => ("=", FAINT, " is so already"),
        Action::Modify => ("~", NOTE, ""),
        Action::MayReplace => ("±", BAD, " may be replaced"),
        Action::Replace => ("±", BAD, " replaced"),
        Action::Remove => ("-", BAD, " removed"),
    };
    let data = if change.loses_data() { format!(" {BAD}data would be lost{BAD:#}") } else { String::new() };
    let policy = change.policy_action.as_ref().map(|policy| format!(" ({policy})")).unwrap_or_default();
    let mut text = format!(
        "  {style}{sign}{style:#} {} {FAINT}{}{FAINT:#}{words}{policy}{data}",
        change.logical_id, change.resource_type
    );
    for property in &change.properties {
        let arrow = match (&property.before, &property.after) {
            (None, None) => String::new(),
            (before, after) => format!(": {} → {}", value(before.as_deref()), value(after.as_deref())),
        };
        let forced = if property.recreates { " (forces a new resource)" } else { "" };
        let _ = write!(text, "\n      {}{arrow}{forced}", property.path);
    }
    text
}

fn value(value: Option<&str>) -> String {
    match value {
        None => "(none)".into(),
        Some(text) if text.chars().count() > 60 => format!("{}…", text.chars().take(60).collect::<String>()),
        Some(text) => text.to_owned(),
    }
}

fn resource(event: &StackEvent) -> Option<String> {
    let (style, sign) = match event.status.as_str() {
        status if status.ends_with("FAILED") => (BAD, "✗"),
        status if status.ends_with("COMPLETE") => (GOOD, "✓"),
        status if status.ends_with("SKIPPED") => (NOTE, "-"),
        _ => return None,
    };
    let reason =
        event.reason.as_deref().filter(|_| sign == "✗").map(|reason| format!(": {reason}")).unwrap_or_default();
    Some(format!(
        "  {style}{sign}{style:#} {:<24} {FAINT}{:<32}{FAINT:#} {}{reason}",
        event.logical_id, event.resource_type, event.status
    ))
}

fn status(report: &StatusReport) -> String {
    let mut text = format!("stack            {} {}\n", report.stack, report.status);
    for (name, value) in &report.outputs {
        let _ = writeln!(text, "{name:<16} {value}");
    }
    if let Some(sha256) = &report.deployed_sha256 {
        let carried = match &report.carried_sha256 {
            None => String::new(),
            Some(carried) if carried == sha256 => ", which this program carries".to_owned(),
            Some(carried) => format!("; this program carries {carried}"),
        };
        let _ = writeln!(text, "package          sha256 {sha256}{carried}");
    }
    if let Some(objects) = report.objects {
        let _ = writeln!(text, "objects          {}", counted(objects, STATUS_COUNTS));
    }
    if let Some(rows) = report.rows {
        let _ = writeln!(text, "rows             {}", counted(rows, STATUS_COUNTS));
    }
    text
}

fn drift(drifted: &[Drifted], unchecked: &[String]) -> String {
    let mut text = if drifted.is_empty() { done("no drift: all is as it was deployed") } else { "drift:".to_owned() };
    for resource in drifted {
        let what = if resource.deleted { " is gone" } else { "" };
        let _ = write!(
            text,
            "\n  {BAD}~{BAD:#} {} {FAINT}{} {}{FAINT:#}{what}",
            resource.logical_id, resource.resource_type, resource.physical_id
        );
        for property in &resource.properties {
            let (before, after) = (value(property.before.as_deref()), value(property.after.as_deref()));
            let _ = write!(text, "\n      {}: deployed {before}, is {after}", property.path);
        }
    }
    if !unchecked.is_empty() {
        let _ = write!(text, "\n  {FAINT}could not be compared: {}{FAINT:#}", unchecked.join(", "));
    }
    text
}

fn check(name: &str, state: CheckState, detail: &str, remedy: Option<&str>) -> String {
    let sign = match state {
        CheckState::Ok => format!("{GOOD}✓{GOOD:#}"),
        CheckState::Note => format!("{NOTE}-{NOTE:#}"),
        CheckState::Problem => format!("{BAD}✗{BAD:#}"),
    };
    let mut text = format!("{sign} {name:<14} {detail}");
    if let Some(remedy) = remedy {
        let _ = write!(text, "\n  {NOTE}hint:{NOTE:#} {remedy}");
    }
    text
}

fn will_remove(
    stack: &str,
    resources: usize,
    bucket: Option<&str>,
    objects: usize,
    table: Option<&str>,
    rows: usize,
    keep_data: bool,
) -> String {
    let mut text = format!("to be removed: stack {stack} with {resources} resources");
    let verb = if keep_data { "kept" } else { "removed" };
    if let Some(bucket) = bucket {
        let _ =
            write!(text, "\n  bucket {bucket} with {} object{} {verb}", counted(objects, DOWN_COUNTS), plural(objects));
    }
    if let Some(table) = table {
        let _ = write!(text, "\n  table {table} with {} row{} {verb}", counted(rows, DOWN_COUNTS), plural(rows));
    }
    text
}

fn faces(file: &str, key: &str, rows: &[Row], outcome: Option<&str>) -> String {
    let mut text = format!(
        "{file} → {key}: {}",
        outcome.map_or_else(|| format!("{} face{}", rows.len(), plural(rows.len())), ToOwned::to_owned)
    );
    for (rank, row) in rows.iter().enumerate() {
        let cell = |name: &str| match row.get(name) {
            Some(Attribute::Text(text)) => text.clone(),
            Some(Attribute::Number(digits)) => digits.clone(),
            _ => "?".into(),
        };
        let _ = write!(
            text,
            "\n  {rank:>3}  age {:<7} {:<10} {:>6.6} %  {}",
            cell("Age"),
            cell("Emotion"),
            cell("EmotionConfidence"),
            cell("FaceID")
        );
    }
    text
}

fn region(row: &RegionRow) -> String {
    let verdict = match (row.rekognition, row.nearest.as_slice()) {
        (Some(true), _) => format!("{GOOD}yes{GOOD:#}"),
        (None, _) => "unknown".to_owned(),
        (Some(false), []) => "no".to_owned(),
        (Some(false), near) => format!("no, use {}", near.join(" or ")),
    };
    let quota = row.requests_a_second.map(|rate| format!(", {rate} requests a second")).unwrap_or_default();
    let opt_in = if row.rekognition != Some(false) && row.opt_in {
        format!(" {FAINT}(enable the region first){FAINT:#}")
    } else {
        String::new()
    };
    format!("{:<16} {:<28} {verdict}{quota}{opt_in}", row.name, row.place)
}

/// The function's JSON line as a short one; anything else as it is.
fn log(line: &str) -> String {
    let Ok(document) = serde_json::from_str::<serde_json::Value>(line) else { return line.to_owned() };
    let Some(fields) = document.as_object() else { return line.to_owned() };
    fields
        .iter()
        .filter(|(name, _)| *name != "_aws")
        .map(|(name, value)| match value {
            serde_json::Value::String(text) => format!("{FAINT}{name}={FAINT:#}{text}"),
            other => format!("{FAINT}{name}={FAINT:#}{other}"),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// A number that stands for itself, unless counting ended there.
fn counted(count: usize, limit: usize) -> String {
    if count < limit { count.to_string() } else { format!("{limit} or more") }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn short(sha256: &str, verbose: bool) -> &str {
    if verbose { sha256 } else { &sha256[..sha256.len().min(12)] }
}

/// Bytes as people write them: powers of ten, one decimal.
fn size(bytes: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal of a megabyte is shown")]
    let bytes = bytes as f64;
    if bytes >= 1e6 { format!("{:.1} MB", bytes / 1e6) } else { format!("{:.1} kB", bytes / 1e3) }
}
