//! Prints events as text, live lines or JSON. No other module prints.
//!
//! Invariant: results go to stdout, everything else to stderr; without a terminal there are no live lines and no
//! prompts.

mod json;
pub mod page;
mod summary;
mod text;

use std::collections::BTreeMap;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::core::error_code::Code;
use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::core::invocation::Invocation;
use crate::error::{Error, Exit, Result};
pub use json::SCHEMA as JSON_SCHEMA;
pub use summary::summary;
use text::Channel;

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
    /// The live line at the bottom of a terminal.
    bar: Option<ProgressBar>,
    last_progress: Mutex<Option<Instant>>,
    asking: Mutex<()>,
    /// The first error when writing to stdout.
    lost: Mutex<Option<std::io::Error>>,
    /// Whether the reader of stdout has closed the pipe.
    closed: watch::Sender<bool>,
}

impl Ui {
    /// Creates the renderer; checks once whether stderr is a terminal.
    #[must_use]
    pub fn new(output: Output, detail: Detail) -> Self {
        let live = output == Output::Text && detail != Detail::Quiet && std::io::stderr().is_terminal();
        let bar = live.then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_style(style(None));
            bar
        });
        Self {
            output,
            detail,
            rows: Mutex::default(),
            bar,
            last_progress: Mutex::new(None),
            asking: Mutex::new(()),
            lost: Mutex::new(None),
            closed: watch::Sender::new(false),
        }
    }

    fn render(&self, region: Option<&str>, invocation: &Invocation, event: &Event) {
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
        }
        if self.detail == Detail::Quiet && !text::is_essential(event) {
            return;
        }
        let channel = text::channel(event);
        let verbose = self.detail == Detail::Verbose;
        let lines = match channel {
            Channel::Hidden => String::new(),
            Channel::Detail | Channel::ResultDetail if !verbose => return,
            _ => text::render(event, invocation, verbose),
        };
        if channel == Channel::Progress {
            self.show_progress(&lines, text::share(event));
            return;
        }
        if let Some(bar) = self.bar.as_ref().filter(|_| text::ends_progress(event)) {
            bar.finish_and_clear();
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

    /// Prints lines above the live line, each with its region if there are several.
    fn print(&self, region: Option<&str>, lines: &str, to_stdout: bool) {
        let prefix = region.map(|region| format!("[{region}] ")).unwrap_or_default();
        let print = || {
            for line in lines.lines() {
                let line = format!("{prefix}{line}");
                if to_stdout {
                    self.write_line(&line);
                } else {
                    write_error_line(&line);
                }
            }
        };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Updates the live line on a terminal. Otherwise it prints a line every ten seconds, so that a log shows progress.
    fn show_progress(&self, text: &str, share: Option<(usize, usize)>) {
        if let Some(bar) = &self.bar {
            if bar.is_finished() {
                bar.reset();
            }
            bar.enable_steady_tick(std::time::Duration::from_millis(120));
            bar.set_style(style(share));
            if let Some((done, of)) = share {
                bar.set_length(of as u64);
                bar.set_position(done as u64);
            }
            bar.set_message(text.to_owned());
            return;
        }
        let mut last = self.last_progress.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|at| at.elapsed().as_secs() >= 10) {
            *last = Some(Instant::now());
            write_error_line(&format!("  {text}"));
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
        let draw = |target: ProgressDrawTarget| {
            if let Some(bar) = &self.bar {
                bar.set_draw_target(target);
            }
        };
        draw(ProgressDrawTarget::hidden());
        let _ = write!(anstream::stderr().lock(), "{}", text::words::escape(question))
            .and_then(|()| anstream::stderr().flush());
        let mut answer = String::new();
        let _ = std::io::stdin().read_line(&mut answer);
        draw(ProgressDrawTarget::stderr());
        answer.trim().to_owned()
    }
}

/// A spinner, or a bar if the total is known.
fn style(share: Option<(usize, usize)>) -> ProgressStyle {
    let template = match share {
        None => "{spinner} {wide_msg} {elapsed}",
        Some(_) => "{spinner} {wide_msg} [{bar:24}] {percent:>3} % {elapsed}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
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
        Some(Error::new("cannot write the output").because(&lost))
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
