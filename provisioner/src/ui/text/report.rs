//! Reports as text: status, drift, checks, faces, regions, log.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::plan::value;
use super::words::{BAD, FAINT, GOOD, NL, NOTE, counted, done, noun};
use crate::core::event::{CheckState, Drifted, RegionRow, STATUS_COUNTS, StatusReport};
use crate::core::setting::Setting;
use crate::core::smoke::{Attribute, Row};

/// Names and values in two columns.
pub(super) fn pairs(pairs: &BTreeMap<String, String>) -> String {
    pairs.iter().map(|(name, value)| format!("{name:<16} {value}")).collect::<Vec<_>>().join(&NL.to_string())
}

pub(super) fn status(report: &StatusReport) -> String {
    let mut text = format!("stack            {} {}{NL}", report.stack, report.status);
    if !report.outputs.is_empty() {
        let _ = write!(text, "{}{NL}", pairs(&report.outputs));
    }
    if let Some(sha256) = &report.deployed_sha256 {
        let embedded = match &report.embedded_sha256 {
            None => String::new(),
            Some(embedded) if embedded == sha256 => " (the package in this program)".to_owned(),
            Some(embedded) => format!(" (the package in this program: {embedded})"),
        };
        let _ = write!(text, "package          sha256 {sha256}{embedded}{NL}");
    }
    for (name, count, unit) in [("bucket", report.objects, "object"), ("table", report.rows, "row")] {
        if let Some(count) = count {
            let _ = write!(text, "{name:<16} {}{NL}", counted(count, STATUS_COUNTS, unit));
        }
    }
    for (name, count, what) in [("backfill", report.waiting, "waiting"), ("failure queue", report.failed, "failed")] {
        if let Some(count) = count {
            let _ = write!(text, "{name:<16} about {count} {what}{NL}");
        }
    }
    text
}

pub(super) fn drift(drifted: &[Drifted], unchecked: &[String]) -> String {
    let mut text = if drifted.is_empty() { done("no drift") } else { "drift:".to_owned() };
    for resource in drifted {
        let what = if resource.deleted { " was deleted" } else { "" };
        let _ = write!(
            text,
            "{NL}  {BAD}~{BAD:#} {} {FAINT}{} {}{FAINT:#}{what}",
            resource.logical_id, resource.resource_type, resource.physical_id
        );
        for property in &resource.properties {
            let (before, after) = (value(property.before.as_deref()), value(property.after.as_deref()));
            let _ = write!(text, "{NL}      {}: deployed {before}, now {after}", property.path);
        }
    }
    if !unchecked.is_empty() {
        let _ = write!(text, "{NL}  {FAINT}not checked: {}{FAINT:#}", unchecked.join(", "));
    }
    text
}

pub(super) fn check(name: &str, state: CheckState, detail: &str, remedy: Option<&str>) -> String {
    let sign = match state {
        CheckState::Ok => format!("{GOOD}✓{GOOD:#}"),
        CheckState::Note => format!("{NOTE}-{NOTE:#}"),
        CheckState::Problem => format!("{BAD}✗{BAD:#}"),
    };
    let mut text = format!("{sign} {name:<14} {detail}");
    if let Some(remedy) = remedy {
        let _ = write!(text, "{NL}  {NOTE}hint:{NOTE:#} {remedy}");
    }
    text
}

pub(super) fn settings(settings: &[Setting]) -> String {
    let line = |setting: &Setting| {
        format!("{GOOD}✓{GOOD:#} {:<14} {} {FAINT}from {}{FAINT:#}", setting.name, setting.value, setting.source)
    };
    settings.iter().map(line).collect::<Vec<_>>().join(&NL.to_string())
}

pub(super) fn faces(file: &str, key: &str, rows: &[Row], outcome: Option<&str>, reason: Option<&str>) -> String {
    let outcome = match outcome {
        None => format!("{} {}", rows.len(), noun(rows.len(), "face")),
        Some("no_face") => "no face".to_owned(),
        Some("no_row") => "no row".to_owned(),
        Some(other) => other.to_owned(),
    };
    let outcome = reason.map_or_else(|| outcome.clone(), |reason| format!("{outcome} ({reason})"));
    let mut text = format!("{file} → {key}: {outcome}");
    for (rank, row) in rows.iter().enumerate() {
        let cell = |name: &str| match row.get(name) {
            Some(Attribute::Text(text)) => text.clone(),
            Some(Attribute::Number(digits)) => digits.clone(),
            _ => "?".into(),
        };
        let _ = write!(
            text,
            "{NL}  {rank:>3}  age {:<7} {:<10} {:>6.6} %  {}",
            cell("Age"),
            cell("Emotion"),
            cell("EmotionConfidence"),
            cell("FaceID")
        );
    }
    text
}

pub(super) fn regions(rows: &[RegionRow]) -> String {
    rows.iter().map(region).collect::<Vec<_>>().join(&NL.to_string())
}

fn region(row: &RegionRow) -> String {
    let verdict = match (row.rekognition, row.nearest.as_slice()) {
        (Some(true), _) => format!("{GOOD}yes{GOOD:#}"),
        (None, _) => "unknown".to_owned(),
        (Some(false), []) => "no".to_owned(),
        (Some(false), near) => format!("no, use {}", near.join(" or ")),
    };
    let quota = row.requests_per_second.map(|rate| format!(", {rate} requests per second")).unwrap_or_default();
    let opt_in = if row.rekognition != Some(false) && row.opt_in {
        format!(" {FAINT}(enable the region first){FAINT:#}")
    } else {
        String::new()
    };
    format!("{:<16} {:<28} {verdict}{quota}{opt_in}", row.name, row.place)
}

/// A JSON line of the function as `name=value` pairs; other lines unchanged.
pub(super) fn log(line: &str) -> String {
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
