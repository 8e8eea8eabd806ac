//! What the live lines show: which operation, resource, and work is in which state since when.
//!
//! Pure. Time is passed in, as the time since the start of the run.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::diagnosis::StackEvent;
use crate::core::event::Event;
use crate::core::operation::Kind;
use crate::core::status::ResourceStatus;
use crate::ui::text::{Progress, Work};

/// How long nothing may be shown before a line says that the program is working.
const SILENCE: Duration = Duration::from_millis(100);

/// Everything that is going on, by region.
#[derive(Debug)]
pub(super) struct Board {
    /// What is shown while nothing else is.
    command: String,
    regions: BTreeMap<Option<String>, Region>,
    /// Whether completed resources are shown, too.
    keeps_completed: bool,
    ended: bool,
}

#[derive(Debug, Default)]
struct Region {
    operation: Option<Operation>,
    works: Vec<Ongoing>,
}

#[derive(Debug)]
struct Operation {
    kind: Kind,
    stack: String,
    since: Duration,
    is_rolling_back: bool,
    resources: Vec<Resource>,
}

#[derive(Debug)]
struct Ongoing {
    work: Work,
    text: String,
    share: Option<(usize, usize)>,
    since: Duration,
}

/// The last that is known about a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) name: String,
    /// For example `AWS::Lambda::Function`.
    pub(super) kind: String,
    pub(super) status: ResourceStatus,
    /// When the program heard of it.
    since: Duration,
    /// When it began, in milliseconds of CloudFormation's clock.
    began: i64,
    /// How long it took, according to CloudFormation.
    took: Option<Duration>,
}

/// What remains of an operation when its lines disappear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ui) struct Totals {
    pub(in crate::ui) resources: usize,
    /// The resource that took longest.
    pub(in crate::ui) slowest: Option<(String, Duration)>,
}

/// One line, before it is fitted into the width of the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Nothing but the command is known.
    Command {
        command: String,
        elapsed: Duration,
    },
    /// An operation on a stack, above its resources.
    Operation {
        region: Option<String>,
        kind: Kind,
        stack: String,
        is_rolling_back: bool,
        completed: usize,
        running: usize,
        elapsed: Duration,
    },
    Resource {
        resource: Resource,
        elapsed: Option<Duration>,
    },
    Work {
        region: Option<String>,
        text: String,
        share: Option<(usize, usize)>,
        elapsed: Duration,
    },
    /// Lines for which there is no room.
    More(usize),
}

impl Resource {
    fn elapsed(&self, now: Duration) -> Option<Duration> {
        if self.status.is_in_progress() { Some(now.saturating_sub(self.since)) } else { self.took }
    }
}

impl Board {
    /// With `keeps_completed`, completed resources stay until the operation ends.
    pub(super) fn new(keeps_completed: bool) -> Self {
        Self { command: String::new(), regions: BTreeMap::new(), keeps_completed, ended: false }
    }

    /// Takes an event into account. The end of an operation returns what remains of it.
    pub(super) fn apply(
        &mut self,
        region: Option<&str>,
        event: &Event,
        progress: Option<Progress>,
        now: Duration,
    ) -> Option<Totals> {
        match event {
            Event::Started { command, stack, .. } => self.command = format!("{command} {stack}"),
            Event::Result { .. } => self.ended = true,
            // An error that belongs to no region ends the run.
            Event::Error { .. } if region.is_none() => self.regions.clear(),
            _ => {}
        }
        let regional = self.regions.entry(region.map(ToOwned::to_owned)).or_default();
        regional.works.retain(|ongoing| !ongoing.work.ends_with(event));
        if let Some(Progress { work, text, share }) = progress {
            match regional.works.iter_mut().find(|ongoing| ongoing.work == work) {
                Some(ongoing) => (ongoing.text, ongoing.share) = (text, share),
                None => regional.works.push(Ongoing { work, text, share, since: now }),
            }
        }
        match event {
            Event::OperationStarted { operation, stack } => {
                regional.operation = Some(Operation::new(*operation, stack, now));
            }
            Event::Joined { stack, .. } => regional.operation = Some(Operation::new(Kind::Joined, stack, now)),
            Event::Resource { event } => {
                if let Some(operation) = &mut regional.operation {
                    operation.hear(event, now);
                }
            }
            Event::OperationEnded { .. } => return regional.operation.take().map(|operation| operation.totals()),
            Event::Error { .. } => regional.operation = None,
            _ => {}
        }
        None
    }

    /// The lines for a terminal with room for `room` of them.
    pub(super) fn lines(&self, room: usize, now: Duration) -> Vec<Line> {
        if self.ended {
            return Vec::new();
        }
        let of_region =
            |(region, regional): (&Option<String>, &Region)| regional.lines(region.as_ref(), self.keeps_completed, now);
        let mut lines: Vec<Line> = self.regions.iter().flat_map(of_region).collect();
        if lines.is_empty() && now >= SILENCE {
            lines.push(Line::Command { command: self.command.clone(), elapsed: now });
        }
        fit(lines, room)
    }
}

/// Leaves out lines for which there is no room: the fastest resources first.
fn fit(mut lines: Vec<Line>, room: usize) -> Vec<Line> {
    if lines.len() <= room {
        return lines;
    }
    let surplus = lines.len() - room.saturating_sub(1);
    let mut resources: Vec<(usize, _)> =
        lines.iter().enumerate().filter_map(|(at, line)| Some((at, line.rank()?))).collect();
    resources.sort_by_key(|(_, rank)| Reverse(*rank));
    let mut left_out: Vec<usize> = resources.into_iter().rev().take(surplus).map(|(at, _)| at).collect();
    left_out.sort_unstable();
    for at in left_out.into_iter().rev() {
        lines.remove(at);
    }
    lines.truncate(room.saturating_sub(1));
    lines.push(Line::More(surplus));
    lines
}

impl Line {
    /// How important a resource is: running before completed, then by time.
    fn rank(&self) -> Option<(bool, Option<Duration>)> {
        match self {
            Self::Resource { resource, elapsed } => Some((resource.status.is_in_progress(), *elapsed)),
            _ => None,
        }
    }
}

impl Region {
    fn lines(&self, region: Option<&String>, keeps_completed: bool, now: Duration) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some(operation) = &self.operation {
            lines.extend(operation.lines(region, keeps_completed, now));
        }
        lines.extend(self.works.iter().map(|ongoing| Line::Work {
            region: region.cloned(),
            text: ongoing.text.clone(),
            share: ongoing.share,
            elapsed: now.saturating_sub(ongoing.since),
        }));
        lines
    }
}

impl Operation {
    fn new(kind: Kind, stack: &str, since: Duration) -> Self {
        Self { kind, stack: stack.to_owned(), since, is_rolling_back: false, resources: Vec::new() }
    }

    fn hear(&mut self, event: &StackEvent, now: Duration) {
        if event.is_of_stack() {
            self.is_rolling_back |= event.status.is_rollback_start();
            return;
        }
        let StackEvent { logical_id, resource_type, status, at, .. } = event;
        if !status.is_in_progress() && !status.is_complete() && !status.is_failure() && !status.is_skipped() {
            return;
        }
        let Some(known) = self.resources.iter_mut().find(|resource| resource.name == *logical_id) else {
            self.resources.push(Resource {
                name: logical_id.clone(),
                kind: resource_type.clone(),
                status: status.clone(),
                since: now,
                began: *at,
                took: None,
            });
            return;
        };
        if !status.is_in_progress() {
            if known.status.is_in_progress() {
                known.took = u64::try_from(at - known.began).ok().map(Duration::from_millis);
            }
        } else if known.status != *status {
            // CloudFormation repeats a status when it knows the resource's name.
            (known.since, known.began, known.took) = (now, *at, None);
        }
        known.status = status.clone();
    }

    fn lines(&self, region: Option<&String>, keeps_completed: bool, now: Duration) -> Vec<Line> {
        let running = self.resources.iter().filter(|resource| resource.status.is_in_progress()).count();
        let completed = self.resources.len() - running;
        let operation = Line::Operation {
            region: region.cloned(),
            kind: self.kind,
            stack: self.stack.clone(),
            is_rolling_back: self.is_rolling_back,
            completed,
            running,
            elapsed: now.saturating_sub(self.since),
        };
        let mut resources: Vec<Line> = self
            .resources
            .iter()
            .filter(|resource| {
                // A failure has a line of its own, which stays.
                resource.status.is_in_progress() || (keeps_completed && !resource.status.is_failure())
            })
            .map(|resource| Line::Resource { resource: resource.clone(), elapsed: resource.elapsed(now) })
            .collect();
        resources.sort_by_key(|line| Reverse(line.rank()));
        std::iter::once(operation).chain(resources).collect()
    }

    fn totals(&self) -> Totals {
        let timed = self.resources.iter().filter_map(|resource| Some((resource.name.clone(), resource.took?)));
        Totals { resources: self.resources.len(), slowest: timed.max_by_key(|(_, took)| *took) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Kept;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A board on which these statuses were heard: second, resource, status.
    fn board(keeps_completed: bool, heard: &[(u64, &str, &str)]) -> Board {
        let mut board = Board::new(keeps_completed);
        begin(&mut board, None);
        for (seconds, name, status) in heard {
            board.apply(None, &resource(*seconds, name, status), None, at(*seconds));
        }
        board
    }

    fn begin(board: &mut Board, region: Option<&str>) {
        board.apply(region, &Event::OperationStarted { operation: Kind::Creation, stack: "s".into() }, None, at(1));
    }

    fn resource(seconds: u64, name: &str, status: &str) -> Event {
        let resource_type = if name == "s" { "AWS::CloudFormation::Stack" } else { "AWS::X::Y" };
        Event::Resource {
            event: StackEvent {
                id: String::new(),
                at: i64::try_from(seconds).expect("a small number") * 1_000,
                logical_id: name.into(),
                physical_id: None,
                resource_type: resource_type.into(),
                status: status.into(),
                reason: None,
                hook_result: None,
                token: None,
            },
        }
    }

    fn emptying(bucket: &str, removed: usize) -> (Event, Option<Progress>) {
        let work = Work::Empty(bucket.into());
        let progress = Progress { work, text: format!("{bucket}: {removed}"), share: None };
        (Event::Emptying { bucket: bucket.into(), removed, of: None }, Some(progress))
    }

    /// The lines as words.
    fn shown(board: &Board, room: usize, now: u64) -> Vec<String> {
        let word = |line: Line| match line {
            Line::Command { command, elapsed } => format!("{command}: {}", elapsed.as_secs()),
            Line::Operation { stack, is_rolling_back, completed, running, elapsed, .. } => {
                let rollback = if is_rolling_back { " back" } else { "" };
                format!("{stack}{rollback}: {completed} + {running}, {}", elapsed.as_secs())
            }
            Line::Resource { resource, elapsed } => {
                format!("{} {} {:?}", resource.name, resource.status, elapsed.map(|time| time.as_secs()))
            }
            Line::Work { text, elapsed, .. } => format!("{text}, {}", elapsed.as_secs()),
            Line::More(lines) => format!("{lines} more"),
        };
        board.lines(room, at(now)).into_iter().map(word).collect()
    }

    const HEARD: [(u64, &str, &str); 8] = [
        (1, "Table", "CREATE_IN_PROGRESS"),
        (2, "Queue", "CREATE_IN_PROGRESS"),
        // Repeated when the name is known.
        (3, "Table", "CREATE_IN_PROGRESS"),
        (4, "Role", "CREATE_IN_PROGRESS"),
        (5, "Queue", "CREATE_COMPLETE"),
        (6, "Hook", "HOOK_IN_PROGRESS"),
        (7, "Bucket", "CREATE_IN_PROGRESS"),
        (8, "Bucket", "CREATE_FAILED"),
    ];

    #[test]
    fn running_resources_come_first_and_the_slowest_before_the_others() {
        let lines = ["s: 2 + 2, 9", "Table CREATE_IN_PROGRESS Some(9)", "Role CREATE_IN_PROGRESS Some(6)"];
        assert_eq!(shown(&board(false, &HEARD), 9, 10), lines);
        let completed = [&lines[..], &["Queue CREATE_COMPLETE Some(3)"]].concat();
        assert_eq!(shown(&board(true, &HEARD), 9, 10), completed);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let board = board(true, &HEARD);
        for (room, expected) in [
            (
                4,
                &[
                    "s: 2 + 2, 9",
                    "Table CREATE_IN_PROGRESS Some(9)",
                    "Role CREATE_IN_PROGRESS Some(6)",
                    "Queue CREATE_COMPLETE Some(3)",
                ][..],
            ),
            (3, &["s: 2 + 2, 9", "Table CREATE_IN_PROGRESS Some(9)", "2 more"]),
            (2, &["s: 2 + 2, 9", "3 more"]),
            (1, &["4 more"]),
        ] {
            assert_eq!(shown(&board, room, 10), expected);
        }
    }

    #[test]
    fn a_resource_that_is_deleted_again_begins_anew() {
        let mut heard = HEARD.to_vec();
        heard.extend([
            (11, "s", "ROLLBACK_IN_PROGRESS"),
            (12, "Queue", "DELETE_IN_PROGRESS"),
            (13, "Table", "CREATE_FAILED"),
            (14, "Role", "DELETE_SKIPPED"),
        ]);
        assert_eq!(
            shown(&board(true, &heard), 9, 15),
            ["s back: 3 + 1, 14", "Queue DELETE_IN_PROGRESS Some(3)", "Role DELETE_SKIPPED Some(10)"]
        );
    }

    #[test]
    fn the_end_of_an_operation_leaves_its_totals() {
        let mut board = board(true, &HEARD);
        let end = Event::OperationEnded { stack: "s".into(), status: "CREATE_COMPLETE".into(), ok: true, seconds: 9.0 };
        let totals = board.apply(None, &end, None, at(10));
        assert_eq!(totals, Some(Totals { resources: 4, slowest: Some(("Queue".into(), at(3))) }));
        assert_eq!(board.apply(None, &end, None, at(10)), None);
        assert_eq!(shown(&board, 9, 11), [": 11"]);
    }

    #[test]
    fn an_error_ends_what_its_region_does() {
        let error = Event::Error {
            code: crate::core::error_code::Code::Failed,
            message: "no".into(),
            subject: None,
            causes: Vec::new(),
            hints: Vec::new(),
        };
        let mut board = Board::new(true);
        begin(&mut board, Some("a"));
        begin(&mut board, Some("b"));
        let (event, progress) = emptying("x", 1);
        board.apply(Some("a"), &event, progress, at(2));
        assert_eq!(shown(&board, 9, 3), ["s: 0 + 0, 2", "x: 1, 1", "s: 0 + 0, 2"]);
        board.apply(Some("a"), &error, None, at(3));
        assert_eq!(shown(&board, 9, 3), ["s: 0 + 0, 2"]);
        board.apply(None, &error, None, at(3));
        assert_eq!(shown(&board, 9, 3), [": 3"]);
        board.apply(None, &Event::Result { ok: false, exit_code: 1 }, None, at(3));
        assert_eq!(shown(&board, 9, 4), [""; 0]);
    }

    #[test]
    fn each_work_has_one_line_until_it_ends() {
        let mut board = Board::new(true);
        for (bucket, removed, seconds) in [("x", 1, 2), ("y", 1, 3), ("x", 9, 4)] {
            let (event, progress) = emptying(bucket, removed);
            board.apply(None, &event, progress, at(seconds));
        }
        assert_eq!(shown(&board, 9, 5), ["x: 9, 3", "y: 1, 2"]);
        board.apply(None, &Event::Removed { kind: Kept::Bucket, name: "x".into() }, None, at(5));
        assert_eq!(shown(&board, 9, 5), ["y: 1, 2"]);
    }

    #[test]
    fn after_a_moment_of_silence_the_command_is_shown() {
        let mut board = Board::new(true);
        assert_eq!(board.lines(9, Duration::from_millis(99)), []);
        let started = Event::Started { command: "up", version: "1", stack: "s".into(), local: false };
        board.apply(None, &started, None, at(0));
        assert_eq!(shown(&board, 9, 2), ["up s: 2"]);
    }
}
