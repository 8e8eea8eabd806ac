//! The outcomes of all cases: a file with one line per case, from which an interrupted run resumes, and a table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::case::Outcome;
use super::support::request::Asked;

/// The outcomes so far.
pub(crate) struct Report {
    file: Option<PathBuf>,
    /// The cases that earlier runs passed.
    passed: BTreeSet<String>,
    counts: BTreeMap<(String, String), usize>,
    failures: Vec<String>,
}

impl Report {
    /// A report that is only printed.
    pub(crate) fn new() -> Self {
        Self { file: None, passed: BTreeSet::new(), counts: BTreeMap::new(), failures: Vec::new() }
    }

    /// A report that continues the one in this file. Cases that failed are not counted as done.
    pub(crate) fn resumed(path: &Path) -> Self {
        let mut report = Self { file: Some(path.to_owned()), ..Self::new() };
        let Ok(file) = File::open(path) else { return report };
        for line in BufReader::new(file).lines() {
            let line: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            let text = |name: &str| line[name].as_str().expect("a text").to_owned();
            if line["ok"] == true && report.passed.insert(text("case")) {
                *report.counts.entry((text("group"), text("outcome"))).or_default() += 1;
            }
        }
        report
    }

    pub(crate) fn is_done(&self, case: &str) -> bool {
        self.passed.contains(case)
    }

    pub(crate) fn add(&mut self, group: &str, case: &str, outcome: &Outcome, seconds: f64) {
        let failed = matches!(outcome, Outcome::Failed(_));
        println!("{case}: {} ({seconds:.1} s)", outcome.name());
        let kind = if failed { "failed" } else { outcome.name() };
        *self.counts.entry((group.to_owned(), kind.to_owned())).or_default() += 1;
        if failed {
            self.failures.push(format!("{case}: {}", outcome.name()));
        }
        if let Some(path) = &self.file {
            let line =
                json!({ "group": group, "case": case, "ok": !failed, "outcome": outcome.name(), "seconds": seconds });
            let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a report");
            writeln!(file, "{line}").expect("a line");
        }
    }

    /// Records the requests of a command for the judge of the requests.
    pub(crate) fn record(&self, name: &str, asked: &[Asked]) {
        let Some(path) = &self.file else { return };
        let mut file = File::create(path.with_file_name(format!("{name}.requests"))).expect("a file");
        for one in asked {
            let headers: BTreeMap<&str, &str> = one
                .head
                .headers
                .iter()
                .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
                .collect();
            let line = json!({
                "service": one.service, "method": one.head.method.as_str(), "path": one.head.uri.path(),
                "query": one.head.uri.query().unwrap_or_default(), "headers": headers,
                "body": base64_simd::STANDARD.encode_to_string(&one.body),
            });
            writeln!(file, "{line}").expect("a line");
        }
    }

    /// Prints the table, and fails if a case did.
    pub(crate) fn finish(&self) {
        let kinds: BTreeSet<&String> = self.counts.keys().map(|(_, kind)| kind).collect();
        let groups: BTreeSet<&String> = self.counts.keys().map(|(group, _)| group).collect();
        for group in groups {
            let cells = kinds.iter().map(|kind| {
                let count = self.counts.get(&(group.clone(), (*kind).clone())).copied().unwrap_or_default();
                format!("{count} {kind}")
            });
            println!("{group}: {}", cells.collect::<Vec<_>>().join(", "));
        }
        assert!(self.failures.is_empty(), "{} cases failed:\n{}", self.failures.len(), self.failures.join("\n"));
    }
}
