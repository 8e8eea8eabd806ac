//! Colors, nouns and counts that all texts share, and the escaping of text from outside.
//!
//! Invariant: text from outside never sends a control character to a terminal. Colors and line ends are marks that such
//! text cannot contain; [`paint`] replaces the marks and escapes all other control characters.

use std::fmt::{self, Display, Write as _};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};

/// A color or a line end. The alternate form (`{GOOD:#}`) ends the color.
#[derive(Clone, Copy)]
pub(in crate::ui) struct Mark(char);

pub(in crate::ui) const GOOD: Mark = Mark('g');
pub(super) const BAD: Mark = Mark('b');
pub(in crate::ui) const NOTE: Mark = Mark('n');
pub(in crate::ui) const FAINT: Mark = Mark('f');
/// The end of a line.
pub(super) const NL: Mark = Mark('l');
const END: char = 'e';

impl Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(nonce())?;
        f.write_char(if f.alternate() { END } else { self.0 })
    }
}

/// The prefix of every mark: 64 random bits, different in each process, so no key or file name can imitate a mark.
fn nonce() -> &'static str {
    static NONCE: OnceLock<String> = OnceLock::new();
    NONCE.get_or_init(|| format!("\u{f8ff}{:016x}", RandomState::new().build_hasher().finish()))
}

/// Replaces the marks, and escapes control and bidirectional characters.
pub(in crate::ui) fn paint(text: &str) -> String {
    let mut parts = text.split(nonce());
    let mut painted = escape(parts.next().unwrap_or_default());
    for part in parts {
        let mut rest = part.chars();
        let _ = match rest.next() {
            Some('g') => write!(painted, "{}", AnsiColor::Green.on_default()),
            Some('b') => write!(painted, "{}", AnsiColor::Red.on_default().bold()),
            Some('n') => write!(painted, "{}", AnsiColor::Yellow.on_default()),
            Some('f') => write!(painted, "{}", Style::new().dimmed()),
            Some('l') => writeln!(painted),
            _ => write!(painted, "{}", anstyle::Reset),
        };
        painted.push_str(&escape(rest.as_str()));
    }
    painted
}

/// Escapes control characters (C0 with line ends, DEL, C1), line separators, and characters that change the text
/// direction.
pub(in crate::ui) fn escape(text: &str) -> String {
    let hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if hostile(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

/// Indents all lines of a text except the first.
pub(super) fn lines(text: &str, indent: &str) -> String {
    text.lines().collect::<Vec<_>>().join(&format!("{NL}{indent}"))
}

/// A line that reports a success.
pub(super) fn done(text: impl Display) -> String {
    format!("{GOOD}✓{GOOD:#} {text}")
}

/// A count with its noun. Counting stopped at `limit`.
pub(super) fn counted(count: usize, limit: usize, unit: &str) -> String {
    if count < limit { format!("{count} {}", noun(count, unit)) } else { format!("{limit} or more {unit}s") }
}

/// The singular or plural of a noun, depending on the count.
pub(in crate::ui) fn noun(count: usize, singular: &str) -> String {
    if count == 1 { singular.to_owned() } else { format!("{singular}s") }
}

/// A size in kilobytes or megabytes (powers of ten), with one decimal.
pub(super) fn size(bytes: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal of a megabyte is shown")]
    let bytes = bytes as f64;
    if bytes >= 1e6 { format!("{:.1} MB", bytes / 1e6) } else { format!("{:.1} kB", bytes / 1e3) }
}

/// A span of time in the largest unit that fits, with one decimal.
pub(super) fn span(seconds: f64) -> String {
    let units = [(86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes")];
    let fitting = units.into_iter().find(|(length, _)| seconds >= *length);
    fitting.map_or_else(|| format!("{seconds:.1} s"), |(length, unit)| format!("{:.1} {unit}", seconds / length))
}
