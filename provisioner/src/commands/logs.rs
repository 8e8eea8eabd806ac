//! `provisioner logs`

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::aws::function;
use crate::aws::pace::Pace;
use crate::clock;
use crate::context::Context;
use crate::core::event::Event;
use crate::core::moment::{self, Moment};
use crate::error::{Exit, Result};
use crate::steps::preflight;
use crate::ui::Events;

/// Show the function's log
///
/// Each processed picture is a line: time (UTC), outcome, picture, faces, duration, and the reason if there are no faces.
/// `--verbose` also shows metrics, all fields, and Lambda's own lines. Lines of several regions are in the order of their
/// times; with `--follow`, new lines are in the order in which they arrive.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provisioner logs --region eu-west-1 --since 1h30m\n  provisioner logs --region eu-west-1 --follow"
)]
pub struct Logs {
    /// Keep printing new lines until Ctrl-C
    #[arg(long, short)]
    pub follow: bool,
    /// Where to start: how long ago (`90s`, `1h30m`, `1w`), or a time (`2026-05-01`, `2026-05-01T12:00Z`)
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = moment::parse)]
    pub since: Moment,
    /// The lines that were there at the beginning
    #[arg(skip)]
    first: Merged,
}

/// The first lines of all regions, in one order.
#[derive(Debug, Default)]
struct Merged(Mutex<Parts>);

#[derive(Debug, Default)]
struct Parts {
    ended: usize,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    /// The sender of the line's region.
    events: Events,
    at: i64,
    text: String,
}

/// The part of one region. When the last part ends, whether it was read or not, the lines are printed.
struct Part<'a> {
    merged: &'a Merged,
    cx: &'a Context,
    lines: Vec<Line>,
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        let mut parts = self.merged.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.ended += 1;
        parts.lines.append(&mut self.lines);
        if parts.ended >= self.cx.global.region.len() {
            // Lines with the same time keep their order.
            parts.lines.sort_by_key(|line| line.at);
            for Line { events, at, text } in parts.lines.drain(..) {
                events.emit(Event::Log { at, line: text });
            }
        }
    }
}

/// Runs the command in one region.
pub async fn run(args: &Logs, cx: &Context) -> Result<Exit> {
    let mut first = Some(Part { merged: &args.first, cx, lines: Vec::new() });
    let stack = preflight::readable(cx).await?;
    let group = stack.output("LogGroupName")?;
    let mut from = args.since.millis(clock::now_millis());
    let mut seen = HashSet::new();
    let mut pace = Pace::new(Duration::from_secs(1), Duration::from_secs(3));
    loop {
        for line in function::log(&cx.clients.logs, group, from).await? {
            if seen.insert((line.id, line.at, line.text.clone())) {
                // CloudWatch Logs may add a line up to a minute late, so the last minute is requested again.
                from = from.max(line.at - 60_000);
                match &mut first {
                    Some(part) => part.lines.push(Line { events: cx.events.clone(), at: line.at, text: line.text }),
                    None => cx.events.emit(Event::Log { at: line.at, line: line.text }),
                }
            }
        }
        drop(first.take());
        if !args.follow {
            return Ok(Exit::Success);
        }
        pace.wait().await;
    }
}
