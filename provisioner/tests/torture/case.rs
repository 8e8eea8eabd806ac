//! One case: a scenario with one kill or one fault, and its outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::fault::Fault;
use super::lab::{Lab, Ran};
use super::scenario::Scenario;
use super::state::{SMOKE, State};
use super::support::proxy::{Called, Verdict};
use super::support::request::Asked;

/// Nothing takes longer without saying why.
const LONGEST_SILENCE: Duration = Duration::from_mins(1);

/// What goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// The program is killed before the request with this number (from 1) reaches the cloud, or after the reply.
    Kill { number: usize, after: bool },
    /// The first request with this label fails, or all of them if the fault does not pass.
    Fault { label: String, fault: Fault },
    /// The first request to this service gets its reply late, or none.
    Slow { service: String, pause: Option<Duration> },
}

impl Trouble {
    /// Names the case in reports.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Kill { number, after: false } => format!("kill before {number}"),
            Self::Kill { number, after: true } => format!("kill after {number}"),
            Self::Fault { label, fault } => format!("{} {label}", fault.name()),
            Self::Slow { service, pause: Some(pause) } => format!("{} s late {service}", pause.as_secs()),
            Self::Slow { service, pause: None } => format!("hang {service}"),
        }
    }
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The run ended before the request that the case is about.
    NotReached,
    /// The same command succeeded at the second attempt, with the same result as without the trouble.
    Converged,
    /// The first run had the same result as without the trouble.
    Survived,
    /// The first run ended with an error that explains itself, and the second attempt succeeded.
    Explained,
    /// Like `Converged`, but the picture of the smoke test is there until another one runs an hour later. The test was killed, or
    /// could not delete its picture, and says so.
    Remains,
    /// What is wrong.
    Failed(String),
}

impl Outcome {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::NotReached => "not reached",
            Self::Converged => "converged",
            Self::Survived => "survived",
            Self::Explained => "explained",
            Self::Remains => "smoke picture remains",
            Self::Failed(what) => what,
        }
    }
}

/// A run without trouble: what the others are compared with.
#[derive(Debug)]
pub(crate) struct Baseline {
    pub(crate) before: State,
    pub(crate) after: State,
    pub(crate) asked: Vec<Asked>,
}

impl Baseline {
    pub(crate) async fn of(lab: &Lab, scenario: &Scenario) -> Self {
        lab.prepare(scenario).await;
        let before = lab.steady().await;
        lab.proxy.set(|_| Verdict::Forward);
        let ran = lab.run(scenario.command, None).await;
        assert_eq!(ran.code, Some(0), "{}: {}", scenario.name, ran.said());
        let asked = lab.proxy.taken();
        assert_eq!(ran.leak, None, "{}", scenario.name);
        Self { before, after: lab.steady().await, asked }
    }

    /// The labels of all requests, each once, in their order.
    pub(crate) fn labels(&self) -> Vec<String> {
        let mut labels = Vec::new();
        for label in self.asked.iter().map(Asked::label) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        labels
    }
}

/// Runs one case; the cloud is in the state before the command.
pub(crate) async fn run(lab: &Lab, scenario: &Scenario, baseline: &Baseline, trouble: &Trouble) -> Outcome {
    let (kill, hit) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    arm(lab, trouble, &kill, &hit);
    let first = lab.run(scenario.command, Some(kill)).await;
    let reached = hit.load(Ordering::SeqCst) > 0;
    lab.proxy.set(|_| Verdict::Forward);
    if !reached {
        return Outcome::NotReached;
    }
    let killed = matches!(trouble, Trouble::Kill { .. });
    if let Some(wrong) = misbehaved(&first, trouble) {
        return Outcome::Failed(wrong);
    }
    // A run that cannot find out whether others need an attached bucket's events leaves them on and says so.
    let says_what_remains = !first.events("flag_kept").is_empty();
    if first.code == Some(0) && !killed && !says_what_remains {
        // A delivery that was lost hides its message for two minutes. The run says that the queue still has it.
        let is_kept = first.events("redriven").iter().any(|event| event["kept"] != 0);
        if is_kept {
            lab.show_messages().await;
            lab.run(scenario.command, None).await;
        }
        let differences = lab.settled(&baseline.after).await.differences(&baseline.after);
        return match (differences.is_empty(), is_kept) {
            (true, false) => Outcome::Survived,
            (true, true) => Outcome::Explained,
            (false, _) => Outcome::Failed(differences),
        };
    }
    lab.show_messages().await;
    let second = lab.run(scenario.command, None).await;
    if let Some(leak) = second.leak {
        return Outcome::Failed(leak);
    }
    if second.code != Some(0) {
        return Outcome::Failed(format!("the second run exits with {:?}: {}", second.code, second.said()));
    }
    let differences = lab.settled(&baseline.after).await.differences(&baseline.after);
    if !differences.is_empty() {
        return Outcome::Failed(format!("after the second run: {differences}"));
    }
    match State::remains(&lab.clients).await {
        0 if killed => Outcome::Converged,
        0 => Outcome::Explained,
        // Whether its test is still running cannot be known.
        _ if killed || first.said().contains(SMOKE) => Outcome::Remains,
        _ => Outcome::Failed(format!("the picture of the smoke test remains, but no error names it: {}", first.said())),
    }
}

fn arm(lab: &Lab, trouble: &Trouble, kill: &Arc<Notify>, hit: &Arc<AtomicUsize>) {
    let (trouble, kill, hit) = (trouble.clone(), Arc::clone(kill), Arc::clone(hit));
    let count = AtomicUsize::new(0);
    lab.proxy.set(move |asked| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        let first = || hit.fetch_add(1, Ordering::SeqCst) == 0;
        match &trouble {
            Trouble::Kill { number: wanted, after } if number == *wanted => {
                hit.fetch_add(1, Ordering::SeqCst);
                if *after {
                    let kill = Arc::clone(&kill);
                    return Verdict::Swallow(Called(Arc::new(move || kill.notify_one())));
                }
                kill.notify_one();
                Verdict::Hang
            }
            Trouble::Fault { label, fault } if asked.label() == *label && (first() || !fault.passes()) => {
                fault.verdict(asked)
            }
            Trouble::Slow { service, pause } if asked.service == *service && first() => {
                pause.map_or(Verdict::Hang, Verdict::Late)
            }
            _ => Verdict::Forward,
        }
    });
}

/// What is wrong with the first run of a case, whatever the second one does.
fn misbehaved(ran: &Ran, trouble: &Trouble) -> Option<String> {
    if ran.leak.is_some() {
        return ran.leak.clone();
    }
    let Some(code) = ran.code else {
        return (!matches!(trouble, Trouble::Kill { .. })).then(|| "the program did not end".to_owned());
    };
    if ran.silence > LONGEST_SILENCE {
        return Some(format!("no output for {} s", ran.silence.as_secs()));
    }
    if code == 0 {
        return None;
    }
    if !matches!(code, 1 | 3 | 4 | 5) {
        return Some(format!("exit code {code}: {}", ran.said()));
    }
    let Trouble::Fault { fault, label } = trouble else {
        return Some(format!("not survived: exit code {code}: {}", ran.said()));
    };
    if fault.passes() {
        return Some(format!("not survived: exit code {code}: {}", ran.said()));
    }
    let errors = ran.events("error");
    let Some(error) = errors.first() else { return Some("no error event".to_owned()) };
    let full = error.to_string();
    let is_empty = |name: &str| error[name].as_array().is_none_or(Vec::is_empty);
    if is_empty("hints") {
        return Some(format!("the error has no remedy: {full}"));
    }
    // The reply to HEAD has no body that could name a cause: 403 tells that a bucket exists.
    if label.contains(":Head") {
        return None;
    }
    if is_empty("causes") {
        return Some(format!("the error has no cause: {full}"));
    }
    let explains = fault.words().iter().any(|word| full.contains(word));
    (!explains || full.contains("Unhandled") || full.contains("Unknown"))
        .then(|| format!("the error does not name the cause: {full}"))
}

/// Brings the cloud back to the state before the command.
pub(crate) async fn restore(lab: &Lab, scenario: &Scenario, baseline: &Baseline, outcome: &Outcome) {
    let clean = matches!(outcome, Outcome::Converged | Outcome::Survived | Outcome::Explained);
    if let (true, Some(undo)) = (clean, scenario.undo) {
        lab.steps(undo).await;
        if lab.settled(&baseline.before).await == baseline.before {
            return;
        }
    }
    let began = Instant::now();
    lab.prepare(scenario).await;
    let state = lab.settled(&baseline.before).await;
    assert_eq!(state.differences(&baseline.before), "", "after {:?}", began.elapsed());
}
