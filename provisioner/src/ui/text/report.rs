//! Reports as text: status, drift, checks, regions, stacks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::plan::value;
use super::table::{Column, table};
use super::words::{BAD, FAINT, GOOD, NL, NOTE, counted, done, noun};
use crate::core::event::{CheckState, Drifted, RegionRow, RegionSource, STATUS_COUNTS, StatusReport};
use crate::core::moment;
use crate::core::setting::Setting;
use crate::core::stacks::{Skipped, SkippedRegion, StackRow};

/// Names and values in two columns.
pub(super) fn pairs(pairs: &BTreeMap<String, String>) -> String {
    pairs.iter().map(|(name, value)| format!("{name:<16} {value}")).collect::<Vec<_>>().join(&NL.to_string())
}

pub(super) fn status(report: &StatusReport) -> String {
    let mut rows: Vec<(&str, String)> = vec![
        ("stack", report.stack.clone()),
        ("region", report.region.clone()),
        ("status", report.status.to_string()),
        ("changed", moment::utc(report.changed_at)),
    ];
    rows.extend(report.outputs.iter().map(|(name, value)| (name.as_str(), value.clone())));
    if let Some(sha256) = &report.deployed_sha256 {
        let embedded = match &report.embedded_sha256 {
            None => String::new(),
            Some(embedded) if embedded == sha256 => " (the package in this program)".to_owned(),
            Some(embedded) => format!(" (the package in this program: {embedded})"),
        };
        rows.push(("package", format!("sha256 {sha256}{embedded}")));
    }
    let counts = [("bucket", report.objects, "object"), ("table", report.rows, "row")];
    for (name, count, unit) in counts {
        rows.extend(count.map(|count| (name, counted(count, STATUS_COUNTS, unit))));
    }
    for bucket in &report.attached {
        let state = match bucket.sends_events {
            Some(true) => String::new(),
            Some(false) => format!(" {BAD}does not send its events to EventBridge{BAD:#}"),
            None => format!(" {NOTE}unknown whether it sends its events to EventBridge{NOTE:#}"),
        };
        rows.push(("attached", format!("{}{state}", bucket.locations.join(", "))));
    }
    for (name, count, what) in [("backfill", report.waiting, "waiting"), ("failure queue", report.failed, "failed")] {
        rows.extend(count.map(|count| (name, format!("about {count} {what}"))));
    }
    let cells: Vec<_> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    let mut text = table(&[Column::Left("NAME"), Column::Left("VALUE")], &cells);
    let summary = if report.ready {
        done(format_args!("stack {} is ready", report.stack))
    } else {
        format!("{BAD}✗{BAD:#} stack {} is not ready", report.stack)
    };
    let _ = write!(text, "{NL}{summary}");
    text
}

/// What is left in the local cloud.
pub(super) fn contents(stacks: usize, buckets: usize, tables: usize) -> String {
    let parts = [(stacks, "stack"), (buckets, "bucket"), (tables, "table")].into_iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, kind)| format!("{count} {}", noun(count, kind))).collect::<Vec<_>>().join(", ")
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

pub(super) fn regions(rows: &[RegionRow], source: RegionSource) -> String {
    let cells: Vec<_> = rows.iter().map(region).collect();
    let columns = [
        Column::Left("REGION"),
        Column::Left("PLACE"),
        Column::Left("REKOGNITION"),
        Column::Right("REQUESTS PER SECOND"),
        Column::Left("NOTE"),
    ];
    let with = rows.iter().filter(|row| row.rekognition == Some(true)).count();
    let source = match source {
        RegionSource::BuiltIn => "according to the built-in region table",
        RegionSource::ServiceQuotas => "according to Service Quotas",
    };
    let summary = done(format_args!("{with} {} with Rekognition, {source}", noun(with, "region")));
    format!("{}{NL}{summary}", table(&columns, &cells))
}

fn region(row: &RegionRow) -> Vec<String> {
    let (verdict, note) = match (row.rekognition, row.nearest.as_slice()) {
        (Some(true), _) => ("yes", String::new()),
        (None, _) => ("unknown", String::new()),
        (Some(false), []) => ("no", String::new()),
        (Some(false), near) => ("no", format!("use {}", near.join(" or "))),
    };
    let note = if row.rekognition != Some(false) && row.opt_in { "enable the region first".to_owned() } else { note };
    let quota = row.requests_per_second.map(|rate| rate.to_string()).unwrap_or_default();
    vec![row.name.to_owned(), row.place.to_owned(), verdict.to_owned(), quota, note]
}

pub(super) fn stacks(rows: &[StackRow], regions: usize, skipped: &[SkippedRegion]) -> String {
    let columns = ["STACK", "REGION", "STATUS", "CHANGED", "BUCKET", "TABLE"].map(Column::Left);
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            let optional = |name: &Option<String>| name.clone().unwrap_or_default();
            let (changed, status) = (moment::utc(row.changed_at), row.status.to_string());
            vec![row.stack.clone(), row.region.clone(), status, changed, optional(&row.bucket), optional(&row.table)]
        })
        .collect();
    let mut text = table(&columns, &cells);
    if !text.is_empty() {
        let _ = write!(text, "{NL}");
    }
    let (stacks, searched) = (noun(rows.len(), "stack"), noun(regions, "region"));
    let _ = write!(text, "{}", done(format_args!("{} {stacks}, {regions} {searched} searched", rows.len())));
    let reasons = [
        (Skipped::NotEnabled, "not enabled for this account"),
        (Skipped::Denied, "not searched, because access is denied"),
        (Skipped::NoHost, "not searched, because CloudFormation has no endpoint there"),
    ];
    for (reason, words) in reasons {
        let names: Vec<_> = skipped.iter().filter(|s| s.reason == reason).map(|s| s.region.as_str()).collect();
        if !names.is_empty() {
            let _ = write!(text, "{NL}  {words}: {}", names.join(", "));
        }
    }
    text
}
