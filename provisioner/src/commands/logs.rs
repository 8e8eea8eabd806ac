//! `provisioner logs`

use std::collections::HashSet;
use std::time::Duration;

use crate::aws::function;
use crate::aws::pace::Pace;
use crate::clock;
use crate::context::Context;
use crate::core::event::Event;
use crate::core::moment::{self, Moment};
use crate::error::{Exit, Result};
use crate::steps::interrupt::Answering;
use crate::steps::preflight;

/// Show the function's log
///
/// Each processed picture is a line: time (UTC), outcome, picture, faces, duration, and the reason if there are no faces.
/// `--verbose` also shows metrics, all fields, and Lambda's own lines.
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
}

/// Runs the command in one region.
pub async fn run(args: &Logs, cx: &Context) -> Result<Exit> {
    let stack = preflight::readable(cx).await?;
    let group = stack.output("LogGroupName")?;
    let mut from = args.since.millis(clock::now_millis());
    let mut seen = HashSet::new();
    let mut answering = Answering::begin();
    let mut pace = Pace::new(Duration::from_secs(1), Duration::from_secs(3));
    loop {
        let lines = tokio::select! {
            lines = function::log(&cx.clients.logs, group, from) => lines?,
            _ = answering.next() => return Ok(Exit::Success),
        };
        for line in lines {
            if seen.insert((line.id, line.at, line.text.clone())) {
                // CloudWatch Logs may add a line up to a minute late, so the last minute is requested again.
                from = from.max(line.at - 60_000);
                cx.events.emit(Event::Log { at: line.at, line: line.text });
            }
        }
        if !args.follow {
            return Ok(Exit::Success);
        }
        tokio::select! {
            () = pace.wait() => {}
            _ = answering.next() => return Ok(Exit::Success),
        }
    }
}
