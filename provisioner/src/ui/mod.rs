//! Prints events as text, live lines or JSON. No other module prints.
//!
//! Invariant: results go to stdout, everything else to stderr; without a terminal there are no live lines and no
//! prompts.

mod json;
mod live;
pub mod page;
mod summary;
mod terminal;
mod text;

use std::collections::BTreeMap;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use crate::core::error_code::Code;
use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::core::invocation::Invocation;
use crate::error::{Error, Exit, Result};
pub use json::SCHEMA as JSON_SCHEMA;
use live::Live;
pub use summary::summary;
use text::{Channel, Progress};

/// The output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Text for people
    Text,
    /// One JSON object per line
    Json,
}

/// How much to print as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Results and errors.
    Quiet,
    /// Also progress and notes.
    Normal,
    /// Everything.
    Verbose,
}

/// Renders events for the whole run.
pub struct Ui {
    output: Output,
    detail: Detail,
    /// The rows of unfinished tables, by region.
    rows: Mutex<BTreeMap<Option<String>, Vec<Event>>>,
    /// The live lines at the bottom of a terminal.
    live: Option<Live>,
    last_progress: Mutex<Option<Instant>>,
    asking: Mutex<()>,
    /// What is printed after the answer to the question that is being asked; `None` if there is none.
    held: Mutex<Option<Vec<Held>>>,
    /// The first error when writing to stdout.
    lost: Mutex<Option<std::io::Error>>,
    /// Whether the reader of stdout has closed the pipe.
    closed: watch::Sender<bool>,
    /// Whether the result has been printed. It is the last event: a region that is still being stopped says nothing more.
    ended: Mutex<bool>,
}

/// The message of the error for output that could not be written.
pub(crate) const LOST_OUTPUT: &str = "cannot write the output";

impl Ui {
    /// Creates the renderer; checks once whether stderr is a terminal.
    #[must_use]
    pub fn new(output: Output, detail: Detail) -> Self {
        let live = (output == Output::Text && detail != Detail::Quiet && terminal::is_lively())
            .then(|| Live::start(detail != Detail::Verbose, terminal::is_utf8()));
        Self {
            output,
            detail,
            rows: Mutex::default(),
            live,
            last_progress: Mutex::new(None),
            asking: Mutex::new(()),
            held: Mutex::default(),
            lost: Mutex::new(None),
            closed: watch::Sender::new(false),
            ended: Mutex::new(false),
        }
    }

    fn render(&self, region: Option<&str>, invocation: &Invocation, event: &Event) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if *ended {
            return;
        }
        *ended = matches!(event, Event::Result { .. });
        match self.output {
            Output::Json => self.write_line(&json::line(region, event)),
            Output::Text => self.render_text(region, invocation, event),
        }
    }

    /// Writes a line to stdout. A closed pipe (`| head -1`) ends the run; after any other error, the run fails at its
    /// end.
    fn write_line(&self, line: &str) {
        let Err(error) = writeln!(anstream::stdout().lock(), "{line}") else { return };
        if error.kind() == ErrorKind::BrokenPipe {
            self.closed.send_replace(true);
        } else {
            self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    fn render_text(&self, region: Option<&str>, invocation: &Invocation, event: &Event) {
        if text::is_row(event) {
            self.rows().entry(region.map(ToOwned::to_owned)).or_default().push(event.clone());
            return;
        }
        if text::closes_table(event) {
            let rows = self.rows().remove(&region.map(ToOwned::to_owned));
            self.print_rows(region, &rows.unwrap_or_default());
        }
        if matches!(event, Event::Result { .. }) {
            // An interrupted or failed run shows what it has.
            for (region, rows) in std::mem::take(&mut *self.rows()) {
                self.print_rows(region.as_deref(), &rows);
            }
            self.end();
        }
        if self.detail == Detail::Quiet && !text::is_essential(event) {
            return;
        }
        let (channel, verbose) = (text::channel(event), self.detail == Detail::Verbose);
        let mut lines = match channel {
            Channel::Hidden => String::new(),
            Channel::Detail | Channel::ResultDetail if !verbose => return,
            _ => text::render(event, invocation, verbose),
        };
        let is_progress = matches!(channel, Channel::Progress | Channel::Live);
        if let Some(live) = &self.live {
            let progress =
                text::work(event).map(|work| Progress { work, text: lines.clone(), share: text::share(event) });
            let totals = live.apply(region, event, progress);
            lines.extend(totals.map(|totals| text::live::totals(totals.resources, totals.slowest.as_ref())));
            if is_progress || (!verbose && text::live::collapses(event)) {
                return;
            }
        } else if is_progress {
            if channel == Channel::Progress {
                self.log_progress(&lines);
            }
            return;
        }
        self.print(region, &lines, matches!(channel, Channel::Result | Channel::ResultDetail));
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<Option<String>, Vec<Event>>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print_rows(&self, region: Option<&str>, rows: &[Event]) {
        if !rows.is_empty() {
            self.print(region, &text::rows(rows, self.detail == Detail::Verbose), true);
        }
    }

    /// Prints lines, each with its region if there are several. While a question is being asked, they wait.
    fn print(&self, region: Option<&str>, lines: &str, to_stdout: bool) {
        let prefix = region.map(|region| format!("[{region}] ")).unwrap_or_default();
        let lines: Vec<String> = lines.lines().map(|line| format!("{prefix}{line}")).collect();
        match self.held().as_mut() {
            Some(held) => held.push(Held { lines, to_stdout }),
            None => self.print_now(&lines, to_stdout),
        }
    }

    /// Prints lines above the live ones.
    fn print_now(&self, lines: &[String], to_stdout: bool) {
        let print =
            || lines.iter().for_each(|line| if to_stdout { self.write_line(line) } else { write_error_line(line) });
        match &self.live {
            Some(live) if !lines.is_empty() => live.print(print),
            _ => print(),
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Vec<Held>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Without live lines, prints a line every ten seconds, so that a log shows progress.
    fn log_progress(&self, text: &str) {
        let mut last = self.last_progress.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|at| at.elapsed().as_secs() >= 10) {
            *last = Some(Instant::now());
            write_error_line(&format!("  {text}"));
        }
    }

    /// Removes the live lines, and prints what waits for an answer that will not come.
    pub fn end(&self) {
        if let Some(live) = &self.live {
            live.end();
        }
        let held = self.held().take();
        if let Some(held) = held {
            // The line of the question is not complete.
            write_error_line("");
            for Held { lines, to_stdout } in held {
                self.print_now(&lines, to_stdout);
            }
        }
    }

    /// Asks a yes-or-no question; no is the default.
    ///
    /// # Errors
    /// The user declined, or there is no terminal to prompt on.
    pub fn confirm(&self, question: &str) -> Result<()> {
        let refused =
            || Error::new("not confirmed, so nothing was changed").exit(Exit::Refused).code(Code::NotConfirmed);
        if !self.can_ask() {
            return Err(refused().hint("without a terminal, add `--yes` to skip the confirmation prompt"));
        }
        // Other regions continue in the meantime, and Ctrl-C works.
        let answer = tokio::task::block_in_place(|| self.ask(&format!("{question} [y/N] ")));
        if matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") { Ok(()) } else { Err(refused()) }
    }

    /// Asks for the current code of an MFA device.
    ///
    /// # Errors
    /// There is no terminal to ask on.
    pub fn mfa_code(&self, profile: &str, serial: &str) -> Result<String> {
        if !self.can_ask() {
            return Err(Error::new(format!("profile `{profile}` needs a code from MFA device `{serial}`"))
                .exit(Exit::Usage)
                .cause("there is no terminal to ask on")
                .hint(
                    Hint::shell(["aws", "sts", "get-caller-identity", "--profile", profile])
                        .then(" in a terminal asks for the code and keeps credentials that this program then uses"),
                ));
        }
        Ok(tokio::task::block_in_place(|| self.ask(&format!("MFA code of {serial} for profile {profile}: "))))
    }

    fn can_ask(&self) -> bool {
        self.output == Output::Text && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Returns the answer without its line end.
    fn ask(&self, question: &str) -> String {
        // Only one question is asked at a time. Other locks must not be held, because other regions may report errors.
        let _turn = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        *self.held() = Some(Vec::new());
        if let Some(live) = &self.live {
            live.pause();
        }
        let _ = write!(anstream::stderr().lock(), "{}", text::words::escape(question))
            .and_then(|()| anstream::stderr().flush());
        let mut answer = String::new();
        let _ = std::io::stdin().read_line(&mut answer);
        if let Some(live) = &self.live {
            live.resume();
        }
        let held = self.held().take();
        held.iter().flatten().for_each(|held| self.print_now(&held.lines, held.to_stdout));
        answer.trim().to_owned()
    }
}

/// Lines that wait until a question is answered.
#[derive(Debug)]
struct Held {
    lines: Vec<String>,
    to_stdout: bool,
}

/// Writes what another library has printed, so that an error is not lost at the end of the program.
pub(crate) fn flush() -> std::io::Result<()> {
    std::io::stdout().flush()
}

/// Writes a line to stderr. An error is ignored, because it could not be reported either.
fn write_error_line(line: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Sends the events of one region of a run.
#[derive(Clone)]
pub struct Events {
    ui: Arc<Ui>,
    /// The region that begins each line, if the run has several regions.
    region: Option<String>,
    /// The options that complete the commands in hints.
    invocation: Arc<Invocation>,
    recordings: Vec<Recording>,
}

/// The events of a run so far.
#[derive(Clone, Debug, Default)]
pub struct Recording(Arc<Mutex<Vec<Event>>>);

impl Recording {
    /// The events in order.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Events {
    /// Creates a sender for a run that has not opened a region yet.
    #[must_use]
    pub fn new(ui: Arc<Ui>, invocation: Invocation) -> Self {
        Self { ui, region: None, invocation: Arc::new(invocation), recordings: Vec::new() }
    }

    /// Returns a sender for one region; `several` means that the run has more than one.
    #[must_use]
    pub fn in_region(&self, region: &str, several: bool) -> Self {
        let invocation = Invocation { region: Some(region.to_owned()), ..(*self.invocation).clone() };
        Self {
            ui: Arc::clone(&self.ui),
            region: several.then(|| region.to_owned()),
            invocation: Arc::new(invocation),
            recordings: self.recordings.clone(),
        }
    }

    /// Returns a sender whose events are also recorded.
    #[must_use]
    pub fn recorded(&self) -> (Self, Recording) {
        let recording = Recording::default();
        let recordings = [self.recordings.as_slice(), std::slice::from_ref(&recording)].concat();
        (Self { recordings, ..self.clone() }, recording)
    }

    /// Reports an event.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an event is built for this call; a reference at every call site would only add noise"
    )]
    pub fn emit(&self, event: Event) {
        self.ui.render(self.region.as_deref(), &self.invocation, &event);
        for Recording(events) in &self.recordings {
            events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        }
    }

    /// Completes the commands in a hint with the options of this run.
    #[must_use]
    pub fn complete(&self, hint: &Hint) -> String {
        hint.complete(&self.invocation)
    }

    /// Reports an error with its hints completed, and returns its exit code.
    #[must_use]
    pub fn report(&self, error: Error) -> Exit {
        let hints = error.hints.iter().map(|hint| self.complete(hint)).collect();
        let (code, subject) = (error.stable_code(), error.subject().map(ToOwned::to_owned));
        self.emit(Event::Error { code, message: error.message, subject, causes: error.causes, hints });
        error.exit
    }

    /// Waits until the reader of stdout closes the pipe.
    pub async fn closed(&self) {
        let mut closed = self.ui.closed.subscribe();
        // The sender lives as long as `self`.
        let _ = closed.wait_for(|closed| *closed).await;
    }

    /// Whether the reader of stdout has closed the pipe.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        *self.ui.closed.borrow()
    }

    /// The error for output that could not be written, for example because the disk is full.
    #[must_use]
    pub fn lost_output(&self) -> Option<Error> {
        let lost = self.ui.lost.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Error::new(LOST_OUTPUT).because(&lost))
    }

    /// Reports that output was lost, and returns the exit code. As stdout cannot be written, stderr tells it, even if the
    /// output is JSON.
    #[must_use]
    pub fn report_lost_output(&self, error: &Error) -> Exit {
        let code = error.stable_code();
        let (message, causes) = (error.message.clone(), error.causes.clone());
        let event = Event::Error { code, message, subject: None, causes, hints: Vec::new() };
        text::render(&event, &self.invocation, false).lines().for_each(write_error_line);
        error.exit
    }

    /// See [`Ui::mfa_code`].
    ///
    /// # Errors
    /// Nobody is there to answer.
    pub fn mfa_code(&self, profile: &str, serial: &str) -> Result<String> {
        self.ui.mfa_code(profile, serial)
    }

    /// See [`Ui::confirm`].
    pub fn confirm(&self, question: &str) -> Result<()> {
        self.ui.confirm(question)
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("region", &self.region).finish_non_exhaustive()
    }
}
