//! Writes the libraries' own diagnostics as lines of JSON, filtered by `RUST_LOG`.
//!
//! Invariant: by default only errors are written, so that no key reaches the log this way.

use std::fmt::{self, Write as _};
use std::time::SystemTime;

use serde_json::{Map, Value};
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Level, LevelFilter, Metadata, Subscriber};

use crate::telemetry;

/// Sends the libraries' events that pass `filter` to the log. `filter` has the usual form of `RUST_LOG` without spans
/// and fields: `warn`, `aws_smithy_runtime=debug`, or several of these separated by commas. Parts that cannot be parsed
/// are ignored.
pub fn install(filter: &str) {
    let lines = Lines { filter: Filter::read(filter) };
    // This fails only if a dispatcher is already set, for example in tests.
    let _ = tracing_core::dispatcher::set_global_default(tracing_core::Dispatch::new(lines));
}

#[derive(Debug, PartialEq, Eq)]
struct Filter {
    /// Targets and their levels, the longest target first. The empty target matches all others.
    levels: Vec<(String, LevelFilter)>,
}

impl Filter {
    fn read(text: &str) -> Self {
        let mut levels: Vec<_> = text
            .split(',')
            .filter_map(|part| match part.trim().split_once('=') {
                Some((target, level)) => Some((target.trim().to_owned(), level.trim().parse().ok()?)),
                None if part.trim().is_empty() => None,
                None => match part.trim().parse() {
                    Ok(level) => Some((String::new(), level)),
                    Err(_) => {
                        Some((part.trim().to_owned(), LevelFilter::TRACE)).filter(|(target, _)| !target.is_empty())
                    }
                },
            })
            .collect();
        levels.sort_by_key(|(target, _)| std::cmp::Reverse(target.len()));
        Self { levels }
    }

    fn allows(&self, target: &str, level: Level) -> bool {
        let entry = self.levels.iter().find(|(prefix, _)| target.starts_with(prefix.as_str()));
        entry.is_some_and(|(_, maximum)| level <= *maximum)
    }

    fn maximum(&self) -> LevelFilter {
        self.levels.iter().map(|(_, level)| *level).max().unwrap_or(LevelFilter::OFF)
    }
}

struct Lines {
    filter: Filter,
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && self.filter.allows(metadata.target(), *metadata.level())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter.maximum())
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), telemetry::timestamp(SystemTime::now()).into());
        line.insert("level".to_owned(), metadata.level().as_str().into());
        line.insert("target".to_owned(), metadata.target().into());
        line.extend(fields.0);
        telemetry::write(&format!("{}\n", Value::from(line)));
    }

    // Spans are never enabled. The trait requires these methods.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.record_str(field, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_matching_target_determines_the_level() {
        let check = |filter: &str, target: &str, level: Level, expected: bool| {
            assert_eq!(Filter::read(filter).allows(target, level), expected, "{filter} {target} {level}");
        };
        check("warn", "hyper", Level::WARN, true);
        check("warn", "hyper", Level::INFO, false);
        check("warn,aws_smithy_runtime=debug", "aws_smithy_runtime::client", Level::DEBUG, true);
        check("warn,aws_smithy_runtime=debug", "hyper", Level::DEBUG, false);
        check("debug, hyper=off", "hyper::proto", Level::ERROR, false);
        check("hyper", "hyper::proto", Level::TRACE, true);
        check("hyper=loud", "hyper", Level::ERROR, false);
        check("", "hyper", Level::ERROR, false);
    }
}
