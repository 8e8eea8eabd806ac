//! The colors and the small words that all lines share, and what makes text from outside safe to print.
//!
//! Invariant: nothing from outside reaches a terminal as a control character. Colors and line ends are written as marks that text from
//! outside cannot contain; [`paint`] replaces the marks, and makes every control character that it finds beside them visible.

use std::fmt::{self, Display, Write as _};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};

/// A color or a line end. The alternate form (`{GOOD:#}`) ends the color.
#[derive(Clone, Copy)]
pub(super) struct Mark(char);

pub(super) const GOOD: Mark = Mark('g');
pub(super) const BAD: Mark = Mark('b');
pub(super) const NOTE: Mark = Mark('n');
pub(super) const FAINT: Mark = Mark('f');
/// The end of a line.
pub(super) const NL: Mark = Mark('l');
const END: char = 'e';

impl Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(nonce())?;
        f.write_char(if f.alternate() { END } else { self.0 })
    }
}

/// What every mark begins with: 64 random bits, chosen anew by each process, so that no key or file name can imitate a mark.
fn nonce() -> &'static str {
    static NONCE: OnceLock<String> = OnceLock::new();
    NONCE.get_or_init(|| format!("\u{f8ff}{:016x}", RandomState::new().build_hasher().finish()))
}

/// Replaces the marks, and makes control and bidirectional characters visible.
pub(super) fn paint(text: &str) -> String {
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

/// Makes control characters (C0 with line ends, DEL, C1), line separators and characters that change the direction of text visible.
pub(in crate::ui) fn escape(text: &str) -> String {
    let hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if hostile(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

/// Text of several lines, each after the first with this indentation.
pub(super) fn lines(text: &str, indent: &str) -> String {
    text.lines().collect::<Vec<_>>().join(&format!("{NL}{indent}"))
}

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
