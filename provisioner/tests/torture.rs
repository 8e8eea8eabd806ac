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
#[path = "torture/scenario.rs"]
mod scenario;
#[path = "torture/state.rs"]
mod state;
#[path = "torture/together.rs"]
mod together;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use case::{Baseline, Outcome, Trouble};
use fault::Fault;
use lab::Lab;
use report::Report;
use scenario::{SCENARIOS, Scenario};

/// Whether all cases run, or only those of the scenarios that the variable names.
fn complete() -> Option<String> {
    std::env::var("TORTURE").ok().filter(|names| !names.is_empty())
}

/// The scenarios of one of the two parts, which run at the same time.
fn chosen(part: usize) -> impl Iterator<Item = &'static Scenario> {
    let names = complete().unwrap_or_else(|| "all".to_owned());
    let chosen = move |name: &str| names == "all" || names.split(',').any(|one| one == name);
    SCENARIOS.iter().skip(part).step_by(2).filter(move |scenario| chosen(scenario.name))
}

fn report(part: usize) -> Report {
    if complete().is_none() {
        return Report::new();
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).with_file_name("target").join("torture");
    std::fs::create_dir_all(&folder).expect("a folder");
    Report::resumed(&folder.join(format!("part-{part}.jsonl")))
}

/// All kills and faults for a command, or one of each if this is the short run. Each service is slow only once, because
/// that takes minutes; `slow` has the services that were.
fn cases(scenario: &Scenario, index: usize, baseline: &Baseline, slow: &mut BTreeSet<String>) -> Vec<Trouble> {
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
    let faults = labels.iter().flat_map(|label| Fault::ALL.map(|kind| (label, kind)));
    // The reply to HEAD has no body that could be garbage.
    let faults = faults.filter(|(label, kind)| *kind != Fault::Garbage || !label.contains(":Head"));
    cases.extend(faults.map(|(label, kind)| fault(label, kind)));
    for service in labels.iter().filter_map(|label| Some(label.split_once(':')?.0.to_owned())) {
        if slow.insert(service.clone()) {
            let late = Some(Duration::from_secs(30));
            cases.extend([late, None].map(|pause| Trouble::Slow { service: service.clone(), pause }));
        }
    }
    cases
}

async fn torture(part: usize) {
    let (lab, mut report) = (Lab::new(&format!("torture-{part}")).await, report(part));
    let mut slow = BTreeSet::new();
    for (index, scenario) in chosen(part).enumerate() {
        let baseline = Baseline::of(&lab, scenario).await;
        report.record(scenario.name, &baseline.asked);
        let mut last = Outcome::Survived;
        for trouble in cases(scenario, 2 * index + part, &baseline, &mut slow) {
            let case = format!("{}: {}", scenario.name, trouble.name());
            if report.is_done(&case) {
                continue;
            }
            case::restore(&lab, scenario, &baseline, &last).await;
            let began = Instant::now();
            last = case::run(&lab, scenario, &baseline, &trouble).await;
            report.add(scenario.name, &case, &last, began.elapsed().as_secs_f64());
        }
    }
    report.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_trouble_finishes_or_explains_itself() {
    torture(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_trouble_finishes_or_explains_itself_in_the_other_scenarios() {
    torture(1).await;
}
