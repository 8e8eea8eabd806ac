//! The only place that prints: facts come in as events and leave as plain lines, live lines or JSON.
//!
//! Invariant: results go to stdout, everything else to stderr; off a terminal there is no cursor movement and no prompt.

mod json;
mod text;

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::core::invocation::Invocation;
use crate::error::{Error, Exit, Result};
use text::Channel;

/// How to render.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Lines for people
    Text,
    /// One JSON document a line
    Json,
}

/// Renders events for the whole run.
pub struct Ui {
    output: Output,
    verbose: bool,
    /// The moving line at the bottom of a terminal.
    bar: Option<ProgressBar>,
    last_progress: Mutex<Option<Instant>>,
    asking: Mutex<()>,
    /// The first failure to write to stdout.
    lost: Mutex<Option<std::io::Error>>,
    /// Whoever read stdout has closed it.
    closed: watch::Sender<bool>,
}

impl Ui {
    /// Looks at the terminal once.
    #[must_use]
    pub fn new(output: Output, verbose: bool) -> Self {
        let live = output == Output::Text && std::io::stderr().is_terminal();
        let bar = live.then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_style(style(None));
            bar
        });
        Self {
            output,
            verbose,
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

    /// Writes a line to stdout. A closed pipe (`| head -1`) ends the run; any other failure makes it fail at its end.
    fn write_line(&self, line: &str) {
        let Err(error) = writeln!(anstream::stdout().lock(), "{line}") else { return };
        if error.kind() == ErrorKind::BrokenPipe {
            self.closed.send_replace(true);
        } else {
            self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    fn render_text(&self, region: Option<&str>, invocation: &Invocation, event: &Event) {
        let channel = text::channel(event);
        let lines = match channel {
            Channel::Hidden => String::new(),
            Channel::Detail if !self.verbose => return,
            _ => text::render(event, invocation, self.verbose),
        };
        if channel == Channel::Progress {
            self.show_progress(&lines, text::share(event));
            return;
        }
        let to_stdout = channel == Channel::Result;
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
            Some(bar) => {
                if text::ends_progress(event) {
                    bar.finish_and_clear();
                }
                bar.suspend(print);
            }
            None => print(),
        }
    }

    /// On a terminal the bottom line moves; elsewhere a line comes every ten seconds, so that a log shows life.
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

    /// Asks a question that is answered with yes or no; no is the default.
    ///
    /// # Errors
    /// Nobody is there to answer, or the answer is no.
    pub fn confirm(&self, question: &str) -> Result<()> {
        let refused = || Error::new("not confirmed, nothing was changed").exit(Exit::Refused);
        if !self.can_ask() {
            return Err(refused().hint("there is no terminal to ask on: add `--yes`"));
        }
        // Others go on meanwhile, and Ctrl-C is heard.
        let answer = tokio::task::block_in_place(|| self.ask(&format!("{question} [y/N] ")));
        if matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") { Ok(()) } else { Err(refused()) }
    }

    /// Asks for the current code of an MFA device.
    ///
    /// # Errors
    /// Nobody is there to answer.
    pub fn mfa_code(&self, profile: &str, serial: &str) -> Result<String> {
        if !self.can_ask() {
            return Err(Error::new(format!("profile `{profile}` needs a code of MFA device `{serial}`"))
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

    /// The answer, without the line's end.
    fn ask(&self, question: &str) -> String {
        // One question at a time, and no lock that others need while it waits for its answer: they may have to say why they stop.
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

/// A spinner, or a bar where it is known how much there is to do.
fn style(share: Option<(usize, usize)>) -> ProgressStyle {
    let template = match share {
        None => "{spinner} {wide_msg} {elapsed}",
        Some(_) => "{spinner} {wide_msg} [{bar:24}] {percent:>3} % {elapsed}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// What cannot be written to stderr cannot be reported anywhere.
fn write_error_line(line: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// A sender of events for one region of a run.
#[derive(Clone)]
pub struct Events {
    ui: Arc<Ui>,
    /// The region, named in front of each line if a run has several.
    region: Option<String>,
    /// What the commands in hints are completed with.
    invocation: Arc<Invocation>,
}

impl Events {
    /// Events of a run that has opened no region yet.
    #[must_use]
    pub fn new(ui: Arc<Ui>, invocation: Invocation) -> Self {
        Self { ui, region: None, invocation: Arc::new(invocation) }
    }

    /// Events of one region; `several` if the run has more than one.
    #[must_use]
    pub fn in_region(&self, region: &str, several: bool) -> Self {
        let invocation = Invocation { region: Some(region.to_owned()), ..(*self.invocation).clone() };
        Self { ui: Arc::clone(&self.ui), region: several.then(|| region.to_owned()), invocation: Arc::new(invocation) }
    }

    /// Reports a fact.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an event is built for this call; a reference at every call site would only add noise"
    )]
    pub fn emit(&self, event: Event) {
        self.ui.render(self.region.as_deref(), &self.invocation, &event);
    }

    /// A hint with its commands completed for this run.
    #[must_use]
    pub fn complete(&self, hint: &Hint) -> String {
        hint.complete(&self.invocation)
    }

    /// Reports an error, its hints completed, and returns its exit code.
    #[must_use]
    pub fn report(&self, error: Error) -> Exit {
        let hints = error.hints.iter().map(|hint| self.complete(hint)).collect();
        self.emit(Event::Error { message: error.message, causes: error.causes, hints });
        error.exit
    }

    /// Waits until whoever reads the output has closed it.
    pub async fn closed(&self) {
        let mut closed = self.ui.closed.subscribe();
        // The sender lives as long as `self`.
        let _ = closed.wait_for(|closed| *closed).await;
    }

    /// Whether whoever reads the output has closed it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        *self.ui.closed.borrow()
    }

    /// The error of a run whose output could not be written, for example to a full disk.
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
    ///
    /// # Errors
    /// Nobody is there to answer, or the answer is no.
    pub fn confirm(&self, question: &str) -> Result<()> {
        self.ui.confirm(question)
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("region", &self.region).finish_non_exhaustive()
    }
}
