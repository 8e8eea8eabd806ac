//! Runs the program in a pseudo-terminal, and shows what a user would see.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use regex_lite::Regex;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// How long a test waits for something that must appear on the screen.
const PATIENCE: Duration = Duration::from_mins(1);

/// A terminal with the program in it.
pub(crate) struct Terminal {
    pub(crate) child: Child,
    keyboard: File,
    seen: Arc<Mutex<Seen>>,
    changes: watch::Receiver<usize>,
}

struct Seen {
    screen: vt100::Parser,
    bytes: Vec<u8>,
}

/// What is on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    /// The rows, without empty ones at the end.
    pub(crate) rows: Vec<String>,
    /// The row and the column of the cursor.
    pub(crate) cursor: (u16, u16),
    pub(crate) is_cursor_hidden: bool,
}

impl Terminal {
    /// Starts a command in a terminal with this many columns and rows.
    pub(crate) fn start(mut command: Command, (columns, rows): (u16, u16)) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&controller).expect("access");
        unlockpt(&controller).expect("an unlocked terminal");
        tcsetwinsize(&controller, window(columns, rows)).expect("a size");
        let name = ptsname(&controller, Vec::new()).expect("a name");
        let terminal = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("the terminal");
        let stream = || Stdio::from(terminal.try_clone().expect("another handle"));
        command.stdin(stream()).stdout(stream()).stderr(stream());
        let child = command.spawn().expect("the program");
        // The end of the output is only seen when nobody else holds the terminal.
        drop((command, terminal));

        let seen = Arc::new(Mutex::new(Seen { screen: parser(columns, rows), bytes: Vec::new() }));
        let (changed, changes) = watch::channel(0);
        let (reader, shared) = (controller.try_clone().expect("another handle"), Arc::clone(&seen));
        std::thread::spawn(move || watch_output(reader, &shared, &changed));
        Self { child, keyboard: controller.into(), seen, changes }
    }

    /// The screen as it is.
    pub(crate) fn screen(&self) -> Screen {
        let seen = self.seen.lock().expect("no panic");
        let screen = seen.screen.screen();
        let (_, columns) = screen.size();
        let mut rows: Vec<String> = screen.rows(0, columns.get()).map(|row| row.trim_end().to_owned()).collect();
        rows.truncate(rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1));
        Screen { rows, cursor: screen.cursor_position(), is_cursor_hidden: screen.hide_cursor() }
    }

    /// Waits until the screen is as expected, and returns it.
    pub(crate) async fn until(&mut self, is_expected: impl Fn(&Screen) -> bool) -> Screen {
        let waiting = async {
            loop {
                self.changes.borrow_and_update();
                let screen = self.screen();
                if self.is_complete() && is_expected(&screen) {
                    return screen;
                }
                if self.changes.changed().await.is_err() {
                    return self.screen();
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        let screen = waited.unwrap_or_else(|_| self.screen());
        assert!(is_expected(&screen), "the screen is not as expected:\n{}", screen.text());
        screen
    }

    /// Whether the last drawing of live lines has arrived in full: they are drawn without wrapping.
    fn is_complete(&self) -> bool {
        let seen = self.seen.lock().expect("no panic");
        let text = String::from_utf8_lossy(&seen.bytes);
        text.matches("\x1b[?7l").count() == text.matches("\x1b[?7h").count()
    }

    /// Changes the size of the terminal.
    pub(crate) fn resize(&self, (columns, rows): (u16, u16)) {
        let mut seen = self.seen.lock().expect("no panic");
        seen.screen.screen_mut().set_size(positive(rows), positive(columns));
        tcsetwinsize(&self.keyboard, window(columns, rows)).expect("a size");
    }

    /// Types a text.
    pub(crate) fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("a keyboard");
    }

    /// Waits for the end of the program; returns its exit code, the last screen, and everything that was written.
    pub(crate) async fn end(mut self) -> (Option<i32>, Screen, String) {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("an end").expect("a status");
        // The sender ends with the output.
        while self.changes.changed().await.is_ok() {}
        let bytes = self.seen.lock().expect("no panic").bytes.clone();
        (status.code(), self.screen(), String::from_utf8(bytes).expect("UTF-8"))
    }
}

impl Screen {
    /// The text on the screen.
    pub(crate) fn text(&self) -> String {
        self.rows.join("\n")
    }

    /// The text for a snapshot: every time and every sign that turns is the same.
    pub(crate) fn steady(&self) -> String {
        let turning = Regex::new("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]").expect("an expression");
        let time = Regex::new(r" *\b(\d+ min )?\d+(\.\d)? s\b").expect("an expression");
        let port = Regex::new(r"127\.0\.0\.1:\d+").expect("an expression");
        let text = turning.replace_all(&self.text(), "*").into_owned();
        let text = time.replace_all(&text, " TIME").into_owned();
        port.replace_all(&text, "127.0.0.1:PORT").into_owned()
    }

    pub(crate) fn contains(&self, text: &str) -> bool {
        self.text().contains(text)
    }
}

fn watch_output(reader: OwnedFd, seen: &Mutex<Seen>, changed: &watch::Sender<usize>) {
    let mut reader = File::from(reader);
    let mut buffer = [0; 4_096];
    // Linux reports an error when the last program has closed the terminal.
    while let Ok(count @ 1..) = reader.read(&mut buffer) {
        let mut seen = seen.lock().expect("no panic");
        seen.screen.process(&buffer[..count]);
        seen.bytes.extend_from_slice(&buffer[..count]);
        drop(seen);
        changed.send_modify(|changes| *changes += 1);
    }
}

fn parser(columns: u16, rows: u16) -> vt100::Parser {
    vt100::Parser::new(positive(rows), positive(columns), 0)
}

fn positive(size: u16) -> NonZeroU16 {
    NonZeroU16::new(size).expect("a size")
}

fn window(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}
