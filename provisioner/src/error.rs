//! The error type that users see: a message, its causes, hints, and an exit code.
//!
//! Invariant: every error that leaves a command has this type, so every failure has a documented exit code.

use std::error::Error as StdError;
use std::fmt;

use crate::core::error_code::Code;
use crate::core::hint::Hint;

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// The command succeeded.
    Success = 0,
    /// The command failed, or something is missing or unhealthy.
    Failed = 1,
    /// The command line, or a file that it names, is wrong. With `plan --detailed-exitcode`: there are changes.
    Usage = 2,
    /// The system is deployed, but it does not work.
    Smoke = 3,
    /// Refused: data would be lost, or the user did not confirm.
    Refused = 4,
    /// Blocked: the stack is busy or stuck.
    Blocked = 5,
    /// The program itself is wrong.
    Bug = 101,
    /// Ended by Ctrl-C (128 + SIGINT).
    Interrupted = 130,
    /// Whoever read the output has closed it (128 + SIGPIPE).
    ClosedPipe = 141,
    /// Ended by SIGTERM (128 + SIGTERM).
    Terminated = 143,
}

/// A failure of which more can be found out by asking AWS again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A service does not know the access key, which can also mean that the region is not enabled.
    UnknownCredentials,
    /// The caller may not do this.
    Denied,
    /// The account has not enabled the region.
    NotEnabled,
    /// The endpoint's host name does not exist.
    NoSuchHost,
    /// No connection could be opened, or it broke.
    Unreachable,
}

/// A failure as users see it.
#[derive(Clone, Debug)]
pub struct Error {
    /// The exit code.
    pub exit: Exit,
    /// One lower-case sentence with its subject in backticks.
    pub message: String,
    /// The causes, outermost first.
    pub causes: Vec<String>,
    /// What to do next.
    pub hints: Vec<Hint>,
    /// The stable code, if the error has one of its own.
    pub code: Option<Code>,
    /// What to look into before the error is shown.
    pub problem: Option<Problem>,
}

impl Error {
    /// Creates an error with exit code 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Failed,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            code: None,
            problem: None,
        }
    }

    /// Sets the exit code.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Sets the stable code.
    #[must_use]
    pub fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }

    /// The stable code: its own, that of its problem, or that of its exit code.
    #[must_use]
    pub fn stable_code(&self) -> Code {
        let of_problem = self.problem.map(|problem| match problem {
            Problem::Denied => Code::AccessDenied,
            Problem::NotEnabled => Code::RegionNotEnabled,
            Problem::UnknownCredentials => Code::UnknownCredentials,
            Problem::NoSuchHost => Code::NoSuchHost,
            Problem::Unreachable => Code::Unreachable,
        });
        self.code.or(of_problem).unwrap_or(match self.exit {
            Exit::Success | Exit::Failed | Exit::ClosedPipe => Code::Failed,
            Exit::Usage => Code::Usage,
            Exit::Smoke => Code::NotWorking,
            Exit::Refused => Code::Refused,
            Exit::Blocked => Code::Blocked,
            Exit::Bug => Code::Bug,
            Exit::Interrupted => Code::Interrupted,
            Exit::Terminated => Code::Terminated,
        })
    }

    /// The file, resource or option that the error is about: the first one that the message names.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.message.split('`').nth(1).filter(|subject| !subject.is_empty())
    }

    /// The message with its causes, for a message that reports this error as its own cause.
    #[must_use]
    pub fn with_causes(&self) -> String {
        std::iter::once(&self.message).chain(&self.causes).cloned().collect::<Vec<_>>().join(": ")
    }

    /// Appends the two causes of another error that say most.
    #[must_use]
    pub fn because(mut self, error: &(dyn StdError + 'static)) -> Self {
        self.causes.extend(causes(error));
        self
    }

    /// Appends a cause.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Appends a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// The last two of an error's causes that say something; the innermost is the most exact.
#[must_use]
pub fn causes(error: &(dyn StdError + 'static)) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if !says_nothing(&text) {
            // Wrappers like to repeat what they wrap.
            found.retain(|outer| !outer.ends_with(&text) || outer.len() == text.len());
            if !found.iter().any(|outer| outer.contains(&text)) {
                found.push(text);
            }
        }
        next = error.source();
    }
    found.split_off(found.len().saturating_sub(2))
}

/// Whether a cause only names the layer that passes another one on.
fn says_nothing(cause: &str) -> bool {
    const LAYERS: [&str; 13] = [
        "",
        "dispatch failure",
        "other",
        "io error",
        "service error",
        "response error",
        "dns error",
        "failed to construct request",
        "unhandled error",
        "client error (Connect)",
        "client error (SendRequest)",
        "an error occurred while loading credentials",
        "the credential provider was not enabled",
    ];
    LAYERS.contains(&cause)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {}

/// The result of an operation whose failure is shown to the user.
pub type Result<T> = std::result::Result<T, Error>;
