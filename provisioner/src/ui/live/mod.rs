//! The live lines at the bottom of a terminal.
//!
//! Invariant: while the lines are shown, the cursor is in the empty first column of the first one. A terminal that breaks
//! lines anew when it is resized keeps the cursor there, so everything from the cursor on can be drawn again. The cursor
//! stays visible, so a killed run leaves a usable terminal.

mod board;
mod layout;

use std::io::Write as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anstream::ColorChoice;
use rustix::termios::tcgetwinsize;

use super::text::Progress;
use crate::core::event::Event;
use board::Board;
pub(super) use board::Totals;
use layout::Signs;

/// The time between two drawings.
const TICK: Duration = Duration::from_millis(100);
/// The size of a terminal that does not know its own: columns and rows.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// Draws what is going on, again and again, until it is told to end.
pub(super) struct Live {
    shared: Arc<Shared>,
}

struct Shared {
    started: Instant,
    state: Mutex<State>,
    ended: Condvar,
}

struct State {
    board: Board,
    signs: Signs,
    has_colors: bool,
    /// The size of the terminal when lines were drawn; `None` if no lines are on it.
    drawn: Option<(usize, usize)>,
    drawn_at: Duration,
    is_paused: bool,
    has_ended: bool,
}

impl Live {
    /// Starts drawing. With `keeps_completed`, completed resources stay until their operation ends.
    pub(super) fn start(keeps_completed: bool, is_utf8: bool) -> Self {
        let state = State {
            board: Board::new(keeps_completed),
            signs: if is_utf8 { Signs::UNICODE } else { Signs::ASCII },
            has_colors: anstream::AutoStream::choice(&std::io::stderr()) != ColorChoice::Never,
            drawn: None,
            drawn_at: Duration::ZERO,
            is_paused: false,
            has_ended: false,
        };
        let shared = Arc::new(Shared { started: Instant::now(), state: Mutex::new(state), ended: Condvar::new() });
        let drawing = Arc::clone(&shared);
        // Without the thread, the lines are drawn less often: with each event.
        let _ = std::thread::Builder::new().name("live".to_owned()).spawn(move || drawing.keep_drawing());
        Self { shared }
    }

    /// Takes an event into account. The end of an operation returns what remains of it.
    pub(super) fn apply(&self, region: Option<&str>, event: &Event, progress: Option<Progress>) -> Option<Totals> {
        let now = self.shared.started.elapsed();
        let mut state = self.shared.lock();
        let shows_progress = progress.is_some();
        let totals = state.board.apply(region, event, progress, now);
        if shows_progress && now.saturating_sub(state.drawn_at) >= TICK {
            state.draw(now);
        }
        totals
    }

    /// Prints above the lines.
    pub(super) fn print(&self, print: impl FnOnce()) {
        let mut state = self.shared.lock();
        state.clear();
        print();
        state.draw(self.shared.started.elapsed());
    }

    /// Removes the lines until [`Self::resume`], so that the user can type.
    pub(super) fn pause(&self) {
        let mut state = self.shared.lock();
        state.clear();
        state.is_paused = true;
    }

    /// Shows the lines again.
    pub(super) fn resume(&self) {
        self.shared.lock().is_paused = false;
    }

    /// Removes the lines for good.
    pub(super) fn end(&self) {
        let mut state = self.shared.lock();
        state.clear();
        state.has_ended = true;
        self.shared.ended.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep_drawing(&self) {
        let mut state = self.lock();
        while !state.has_ended {
            state = self.ended.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
            state.draw(self.started.elapsed());
        }
    }
}

impl State {
    fn draw(&mut self, now: Duration) {
        if self.is_paused || self.has_ended {
            return;
        }
        let size = size();
        let (columns, rows) = size;
        // One row stays for what was printed last.
        let lines = self.board.lines(rows.saturating_sub(1).max(1), now);
        let mut lines = layout::render(&lines, columns, &self.signs, now);
        if !self.has_colors {
            lines = lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        }
        if lines.is_empty() {
            self.clear();
            return;
        }
        let frame = frame(&lines, self.drawn.is_some_and(|drawn| drawn != size));
        write(&frame);
        (self.drawn, self.drawn_at) = (Some(size), now);
    }

    fn clear(&mut self) {
        if self.drawn.take().is_some() {
            write(CLEAR);
        }
    }
}

/// Removes everything from the cursor on.
const CLEAR: &str = "\r\x1b[J";
/// Without wrapping, a character that is wider than expected cannot add a row.
const WRAP: [&str; 2] = ["\x1b[?7h", "\x1b[?7l"];

/// The text that draws lines over those that were drawn before, and moves the cursor back to their beginning.
fn frame(lines: &[String], is_resized: bool) -> String {
    let [wrap, no_wrap] = WRAP;
    // After a resize, old lines may be broken into several rows.
    let clear = if is_resized { CLEAR } else { "\r" };
    let up = match lines.len() - 1 {
        0 => String::new(),
        rows => format!("\x1b[{rows}A"),
    };
    format!("{no_wrap}{clear}{}\x1b[J{up}\r{wrap}", lines.join("\x1b[K\r\n"))
}

/// Writes at once, so that a terminal never shows half of it. An error is ignored, because it could not be shown either.
fn write(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The columns and rows of the terminal.
fn size() -> (usize, usize) {
    match tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => USUAL_SIZE,
    }
}
