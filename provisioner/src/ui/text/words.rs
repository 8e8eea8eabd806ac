//! The colors and the small words that all lines share.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const NOTE: Style = AnsiColor::Yellow.on_default();
pub(super) const FAINT: Style = Style::new().dimmed();

/// A line that reports success.
pub(super) fn done(text: impl Display) -> String {
    format!("{GOOD}✓{GOOD:#} {text}")
}

/// A count with its noun; `limit` is where counting stopped.
pub(super) fn counted(count: usize, limit: usize, unit: &str) -> String {
    if count < limit { format!("{count} {}", noun(count, unit)) } else { format!("{limit} or more {unit}s") }
}

/// The noun in the number that the count asks for.
pub(super) fn noun(count: usize, singular: &str) -> String {
    if count == 1 { singular.to_owned() } else { format!("{singular}s") }
}

/// Bytes in powers of ten, with one decimal.
pub(super) fn size(bytes: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal of a megabyte is shown")]
    let bytes = bytes as f64;
    if bytes >= 1e6 { format!("{:.1} MB", bytes / 1e6) } else { format!("{:.1} kB", bytes / 1e3) }
}
