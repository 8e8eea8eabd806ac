//! Fits live lines into the width of a terminal.
//!
//! Pure. No line is wider than the terminal, whatever is in it: cells are left out, then text is cut. The last column
//! stays empty, because some terminals wrap a line that fills it.

use std::fmt::Write as _;
use std::time::Duration;

use unicode_width::UnicodeWidthChar as _;

use super::board::Line;
use crate::ui::text::live::{self as words, WORKING};
use crate::ui::text::words::{FAINT, GOOD, Mark, NOTE, escape, paint};

/// The signs that a terminal can show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signs {
    spinner: &'static [&'static str],
    done: &'static str,
    kept: &'static str,
    ellipsis: &'static str,
    full: &'static str,
    empty: &'static str,
}

impl Signs {
    pub(super) const UNICODE: Self = Self {
        spinner: &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
        done: "✓",
        kept: "-",
        ellipsis: "…",
        full: "█",
        empty: "░",
    };
    /// For a terminal without UTF-8.
    pub(super) const ASCII: Self =
        Self { spinner: &["|", "/", "-", "\\"], done: "+", kept: "-", ellipsis: "...", full: "#", empty: "." };

    fn spinner(&self, now: Duration) -> &'static str {
        let frame = usize::try_from(now.as_millis() / 100).unwrap_or_default() % self.spinner.len();
        self.spinner[frame]
    }
}

/// The narrowest and the widest bar.
const BAR: (usize, usize) = (10, 30);
/// A text is cut to this width before a cell beside it is left out.
const ENOUGH_TEXT: usize = 10;
/// The width of a time that does not change for a minute, so that nothing moves.
const TIME: usize = "12.3 s".len();
/// The columns between two cells.
const GAP: usize = 2;
/// The columns before a text: the first one stays empty, because the cursor is there.
const INDENT: usize = 4;

/// Renders lines for a terminal with this number of columns.
pub(super) fn render(lines: &[Line], columns: usize, signs: &Signs, now: Duration) -> Vec<String> {
    let width = columns.saturating_sub(1);
    let table = Columns::of(lines, width);
    lines.iter().map(|line| Row::of(line, signs, now).render(&table, width, signs)).map(|line| paint(&line)).collect()
}

/// A line as cells.
struct Row {
    sign: (Mark, &'static str),
    text: String,
    resource: Option<[String; 2]>,
    share: Option<(usize, usize)>,
    /// Shown only if there is room for all of it.
    note: String,
    time: String,
}

impl Row {
    fn of(line: &Line, signs: &Signs, now: Duration) -> Self {
        let spinner = (NOTE, signs.spinner(now));
        let row = |text: String, time: String| Self {
            sign: spinner,
            text: escape(&text),
            resource: None,
            share: None,
            note: String::new(),
            time: if time.is_empty() { time } else { format!("{time:>TIME$}") },
        };
        let prefixed = |region: Option<&String>, text: String| match region {
            Some(region) => format!("[{region}] {text}"),
            None => text,
        };
        match line {
            Line::Command { command, elapsed } => {
                let command = if command.is_empty() { WORKING.to_owned() } else { command.clone() };
                row(command, words::elapsed(*elapsed))
            }
            Line::Operation { region, kind, stack, is_rolling_back, completed, running, elapsed } => Self {
                note: words::counts(*completed, *running),
                ..row(
                    prefixed(region.as_ref(), words::operation(*kind, stack, *is_rolling_back)),
                    words::elapsed(*elapsed),
                )
            },
            Line::Resource { resource, elapsed } => {
                let sign = if resource.status.is_in_progress() {
                    spinner
                } else if resource.status.is_skipped() {
                    (FAINT, signs.kept)
                } else {
                    (GOOD, signs.done)
                };
                Self {
                    sign,
                    resource: Some([escape(&resource.kind), escape(&words::state(&resource.status))]),
                    ..row(resource.name.clone(), elapsed.map(words::elapsed).unwrap_or_default())
                }
            }
            Line::Work { region, text, share, elapsed } => {
                Self { share: *share, ..row(prefixed(region.as_ref(), text.clone()), words::elapsed(*elapsed)) }
            }
            Line::More(lines) => Self { sign: (FAINT, " "), ..row(words::more(*lines), String::new()) },
        }
    }

    fn render(&self, table: &Columns, width: usize, signs: &Signs) -> String {
        let (mark, sign) = self.sign;
        let room = width.saturating_sub(INDENT);
        let cells = match &self.resource {
            Some([resource_type, state]) => table.cells(self, resource_type, state, signs),
            None => self.cells(room, signs),
        };
        // Narrower than a sign and a letter: nothing can be read anyway.
        if room == 0 { String::new() } else { format!("  {mark}{sign}{mark:#} {cells}") }
    }

    /// The text and what fits beside it. What matters least is left out first.
    fn cells(&self, room: usize, signs: &Signs) -> String {
        let text = columns(&self.text);
        let percent = self.share.map(|share| words::percent(part(share, 100)));
        let (time, percent) = (self.time.as_str(), percent.unwrap_or_default());
        let beside = |cells: &[&str]| -> usize {
            cells.iter().filter(|cell| !cell.is_empty()).map(|cell| GAP + columns(cell)).sum()
        };
        let cut = text.min(ENOUGH_TEXT);
        let (note, percent, time) = if text + beside(&[&self.note, &percent, time]) <= room {
            (self.note.as_str(), percent.as_str(), time)
        } else if cut + beside(&[&percent, time]) <= room {
            ("", percent.as_str(), time)
        } else if percent.is_empty() && cut.min(ENOUGH_TEXT / 2) + beside(&[time]) <= room {
            ("", "", time)
        } else if !percent.is_empty() && cut.min(ENOUGH_TEXT / 2) + beside(&[&percent]) <= room {
            ("", percent.as_str(), "")
        } else {
            ("", "", "")
        };
        let used = beside(&[note, percent, time]);
        let text_room = room.saturating_sub(used);
        let mut line = fit(&self.text, text_room, signs);
        if let Some(share) = self.share.filter(|_| !percent.is_empty()) {
            let left = text_room.saturating_sub(text + GAP);
            if left >= BAR.0 {
                let _ = write!(line, "{:GAP$}{}", "", bar(share, left.min(BAR.1), signs));
            }
        }
        for cell in [note, percent, time].into_iter().filter(|cell| !cell.is_empty()) {
            let _ = write!(line, "{:GAP$}{FAINT}{cell}{FAINT:#}", "");
        }
        line
    }
}

/// The columns that all resources share; a width of zero leaves a column out.
struct Columns {
    name: usize,
    resource_type: usize,
    state: usize,
    time: usize,
}

impl Columns {
    fn of(lines: &[Line], width: usize) -> Self {
        let mut widest = Self { name: 0, resource_type: 0, state: 0, time: TIME };
        for line in lines {
            if let Line::Resource { resource, elapsed } = line {
                widest.name = widest.name.max(columns(&escape(&resource.name)));
                widest.resource_type = widest.resource_type.max(columns(&escape(&resource.kind)));
                widest.state = widest.state.max(columns(&escape(&words::state(&resource.status))));
                widest.time = widest.time.max(elapsed.map(words::elapsed).map_or(0, |time| time.len()));
            }
        }
        let room = width.saturating_sub(INDENT);
        let beside = |cells: &[usize]| -> usize { cells.iter().map(|cell| GAP + cell).sum() };
        let Self { name, resource_type, state, time } = widest;
        let cut = name.min(ENOUGH_TEXT);
        if name + beside(&[resource_type, state, time]) <= room {
            widest
        } else if cut + beside(&[state, time]) <= room {
            Self { resource_type: 0, name: name.min(room - beside(&[state, time])), ..widest }
        } else if cut.min(ENOUGH_TEXT / 2) + beside(&[time]) <= room {
            Self { resource_type: 0, state: 0, name: name.min(room - beside(&[time])), time }
        } else {
            Self { resource_type: 0, state: 0, name: name.min(room), time: 0 }
        }
    }

    fn cells(&self, row: &Row, resource_type: &str, state: &str, signs: &Signs) -> String {
        let mut line = pad(&fit(&row.text, self.name, signs), self.name);
        if self.resource_type > 0 {
            let _ = write!(line, "{:GAP$}{FAINT}{}{FAINT:#}", "", pad(resource_type, self.resource_type));
        }
        if self.state > 0 {
            let _ = write!(line, "{:GAP$}{}", "", pad(state, self.state));
        }
        if self.time > 0 {
            let _ = write!(line, "{:GAP$}{FAINT}{:>2$}{FAINT:#}", "", row.time, self.time);
        }
        line
    }
}

/// The part of a whole that corresponds to a share. The total can be too small, because some totals are approximate.
fn part((done, of): (usize, usize), whole: usize) -> usize {
    let part = done.min(of) as u128 * whole as u128 / (of as u128).max(1);
    usize::try_from(part).unwrap_or(whole)
}

/// A bar of this width.
fn bar(share: (usize, usize), width: usize, signs: &Signs) -> String {
    let full = part(share, width);
    signs.full.repeat(full) + &signs.empty.repeat(width - full)
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{:1$}", "", width.saturating_sub(columns(text)))
}

/// Cuts a text to this number of columns, with an ellipsis.
fn fit(text: &str, room: usize, signs: &Signs) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let ellipsis = if columns(signs.ellipsis) <= room { signs.ellipsis } else { "" };
    let mut left = room - columns(ellipsis);
    let fitting = text.chars().take_while(|c| {
        let taken = column(*c).checked_sub(left).is_none_or(|over| over == 0);
        left = left.saturating_sub(column(*c));
        taken
    });
    fitting.collect::<String>() + ellipsis
}

/// The number of columns that a text takes, at most.
fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

/// A character takes up to two columns. Characters that join others are counted alone, because terminals disagree about
/// them, and so is the selector that turns a character into a wide picture.
fn column(c: char) -> usize {
    if c == '\u{fe0f}' { 1 } else { c.width().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(lines: &[Line], columns: usize, signs: &Signs) -> Vec<String> {
        let lines = render(lines, columns, signs, Duration::ZERO);
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    fn work(text: &str, share: Option<(usize, usize)>) -> Line {
        Line::Work { region: None, text: text.into(), share, elapsed: Duration::from_millis(12_300) }
    }

    #[test]
    fn what_matters_least_is_left_out_first() {
        let line = [work("emptying bucket pictures: 420 objects deleted", Some((42, 100)))];
        for (columns, expected) in [
            (200, "  ⠋ emptying bucket pictures: 420 objects deleted  ████████████░░░░░░░░░░░░░░░░░░   42 %  12.3 s"),
            (80, "  ⠋ emptying bucket pictures: 420 objects deleted  █████░░░░░░░░   42 %  12.3 s"),
            (60, "  ⠋ emptying bucket pictures: 420 objects d…   42 %  12.3 s"),
            (40, "  ⠋ emptying bucket pic…   42 %  12.3 s"),
            (20, "  ⠋ emptyin…   42 %"),
            (10, "  ⠋ empt…"),
            (5, ""),
            (0, ""),
        ] {
            let shown = plain(&line, columns, &Signs::UNICODE);
            assert_eq!(shown, [expected], "{columns} columns");
        }
    }

    #[test]
    fn wide_characters_take_two_columns() {
        for (text, columns, expected) in [
            ("写真写真写真", 17, "  ⠋ 写真写真写真"),
            ("写真写真写真", 16, "  ⠋ 写真写真写…"),
            ("写真写真写真", 15, "  ⠋ 写真写真…"),
            ("cafe\u{301} cafe\u{301}", 14, "  ⠋ cafe\u{301} cafe\u{301}"),
        ] {
            assert_eq!(plain(&[work(text, None)], columns, &Signs::UNICODE), [expected], "{columns} columns");
        }
    }

    #[test]
    fn a_terminal_without_utf_8_gets_ascii() {
        let shown = plain(&[work("a bucket with a long name", Some((1, 2)))], 30, &Signs::ASCII).concat();
        assert_eq!(shown, "  | a bucke...   50 %  12.3 s");
        assert!(plain(&[work("x", Some((1, 2)))], 80, &Signs::ASCII).concat().is_ascii());
    }

    #[test]
    fn more_than_everything_is_everything() {
        for (share, expected) in [((3, 2), "100 %"), ((0, 0), "  0 %"), ((usize::MAX / 200, usize::MAX), "  0 %")] {
            assert!(plain(&[work("x", Some(share))], 80, &Signs::UNICODE).concat().contains(expected), "{share:?}");
        }
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide(text in ".{0,60}", columns in 0_usize..90, done in any::<usize>(), of in any::<Option<usize>>()) {
            let lines = [work(&text, of.map(|of| (done, of))), work(&text, None)];
            for signs in [Signs::UNICODE, Signs::ASCII] {
                for line in plain(&lines, columns, &signs) {
                    prop_assert!(unicode_width::UnicodeWidthStr::width(line.as_str()) < columns.max(1), "{line:?}");
                    prop_assert!(!line.contains(char::is_control));
                }
            }
        }
    }
}
