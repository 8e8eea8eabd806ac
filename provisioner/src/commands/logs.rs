//! `provisioner logs`

use std::collections::HashSet;
use std::time::Duration;

use crate::aws::function;
use crate::aws::pace::Pace;
use crate::clock;
use crate::context::Context;
use crate::core::event::Event;
use crate::error::{Exit, Result};
use crate::steps::interrupt::Answering;
use crate::steps::preflight;

/// Show the function's log
#[derive(Debug, clap::Args)]
pub struct Logs {
    /// Keep printing new lines until Ctrl-C
    #[arg(long, short)]
    pub follow: bool,
    /// How far back to start, for example `90s`, `15m`, `2h` or `1d`
    #[arg(long, value_name = "AGO", default_value = "1h", value_parser = ago)]
    pub since: Duration,
}

fn ago(text: &str) -> std::result::Result<Duration, String> {
    let wrong = || "expected a number and a unit, for example 90s, 15m, 2h or 1d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    count.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// Runs the command in one region.
pub async fn run(args: &Logs, cx: &Context) -> Result<Exit> {
    let stack = preflight::readable(cx).await?;
    let group = stack.output("LogGroupName")?;
    let mut from = clock::now_millis().saturating_sub(i64::try_from(args.since.as_millis()).unwrap_or(i64::MAX));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, seconds) in [
            ("90s", Some(90)),
            ("15m", Some(900)),
            ("2h", Some(7_200)),
            ("1d", Some(86_400)),
            ("", None),
            ("h", None),
            ("5", None),
            ("5ü", None),
            ("-1s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(ago(text).ok(), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
