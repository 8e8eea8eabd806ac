//! Kills, refuses, cuts off, and delays the program at each of its requests, runs the same command again, and checks
//! that the result is the same as without the trouble: nothing is left, and no data is lost.
//!
//! `cargo test` runs a sample; `make torture` runs all cases and continues where an earlier run was interrupted.
#![allow(clippy::print_stdout, reason = "the full run shows a table")]

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

#[path = "torture/case.rs"]
mod case;
#[path = "torture/fault.rs"]
mod fault;
#[path = "torture/lab.rs"]
mod lab;
#[path = "torture/report.rs"]
mod report;
#[path = "torture/rights.rs"]
mod rights;
#[path = "torture/scenario.rs"]
mod scenario;
#[path = "torture/state.rs"]
mod state;
#[path = "torture/together.rs"]
mod together;

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use case::{Baseline, Outcome, Trouble};
use fault::Fault;
use lab::Lab;
use report::Report;
use scenario::{SCENARIOS, Scenario};
use tokio::task::JoinSet;

/// Whether all cases run, or only those of the scenarios that the variable names.
fn complete() -> Option<String> {
    std::env::var("TORTURE").ok().filter(|names| !names.is_empty())
}

/// Whether the variable names this scenario, or part of the full run.
fn is_chosen(name: &str) -> bool {
    complete().is_none_or(|names| names == "all" || names.split(',').any(|one| one == name))
}

/// The workers that run at the same time, each with its own local cloud. Most of their time is waiting.
fn workers() -> usize {
    if complete().is_some() { 3 } else { 2 }
}

/// What the workers share.
struct Shared {
    waiting: Mutex<VecDeque<(usize, &'static Scenario)>>,
    report: Mutex<Report>,
    /// The services that were slow: each is slow only once, because that takes minutes.
    slow: Mutex<BTreeSet<String>>,
}

impl Shared {
    fn new() -> Self {
        let waiting = SCENARIOS.iter().enumerate().filter(|(_, scenario)| is_chosen(scenario.name)).collect();
        let report = if complete().is_none() {
            Report::new()
        } else {
            let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).with_file_name("target").join("torture");
            std::fs::create_dir_all(&folder).expect("a folder");
            Report::resumed(&folder.join("outcomes.jsonl"))
        };
        Self { waiting: Mutex::new(waiting), report: Mutex::new(report), slow: Mutex::default() }
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().expect("no panic")
    }

    fn next(&self) -> Option<(usize, &'static Scenario)> {
        self.waiting.lock().expect("no panic").pop_front()
    }
}

/// All kills and faults for a command, or one of each if this is the short run.
fn cases(scenario: &Scenario, index: usize, baseline: &Baseline, slow: &Mutex<BTreeSet<String>>) -> Vec<Trouble> {
    let fault = |label: &String, fault| Trouble::Fault { label: label.clone(), fault };
    let labels = baseline.labels();
    let mut cases = Vec::new();
    if complete().is_none() {
        let critical = baseline.asked.iter().position(|asked| asked.label() == scenario.critical);
        let number = critical.unwrap_or_else(|| panic!("{} does not send {}", scenario.name, scenario.critical)) + 1;
        if scenario.changes {
            cases.push(Trouble::Kill { number, after: true });
        }
        cases.push(fault(&scenario.critical.to_owned(), Fault::ALL[index % Fault::ALL.len()]));
        return cases;
    }
    if scenario.changes {
        let both = |number| [false, true].map(|after| Trouble::Kill { number, after });
        cases.extend((1..=baseline.asked.len()).flat_map(both));
    }
    cases.extend(labels.iter().flat_map(|label| Fault::ALL.map(|kind| fault(label, kind))));
    for service in labels.iter().filter_map(|label| Some(label.split_once(':')?.0.to_owned())) {
        if slow.lock().expect("no panic").insert(service.clone()) {
            let late = Some(Duration::from_secs(30));
            cases.extend([late, None].map(|pause| Trouble::Slow { service: service.clone(), pause }));
        }
    }
    cases
}

async fn work(number: usize, shared: Arc<Shared>) {
    let lab = Lab::new(&format!("torture-{number}")).await;
    while let Some((index, scenario)) = shared.next() {
        let baseline = Baseline::of(&lab, scenario).await;
        shared.report().record(scenario.name, &baseline.asked);
        let mut last = Outcome::Survived;
        for trouble in cases(scenario, index, &baseline, &shared.slow) {
            let case = format!("{}: {}", scenario.name, trouble.name());
            if shared.report().is_done(&case) {
                continue;
            }
            case::restore(&lab, scenario, &baseline, &last).await;
            let began = Instant::now();
            last = case::run(&lab, scenario, &baseline, &trouble).await;
            shared.report().add(scenario.name, &case, &last, began.elapsed().as_secs_f64());
        }
    }
    assert_eq!(lab.files_with_secrets(), Vec::<PathBuf>::new(), "files contain secrets");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_trouble_finishes_or_explains_itself() {
    let shared = Arc::new(Shared::new());
    let mut working: JoinSet<()> = (0..workers()).map(|number| work(number, Arc::clone(&shared))).collect();
    while let Some(worker) = working.join_next().await {
        worker.expect("no panic");
    }
    shared.report().finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_action_of_the_policies_is_noticed_when_it_is_denied() {
    let Some(names) = complete() else {
        return rights::check(&Lab::new("torture-rights").await, |name| name == "status").await;
    };
    if is_chosen("rights") {
        let is_complete = names == "all" || names == "rights";
        rights::check(&Lab::new("torture-rights").await, |name| is_complete || is_chosen(name)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_commands_at_once_end_as_one_after_the_other() {
    if is_chosen("two") {
        together::check(&Lab::new("two").await).await;
    }
}
