//! Hints: text and commands that tell the user what to do next.
//!
//! Pure. A command in a hint is completed with the run's options and quoted for the shell when the hint is rendered.

use super::invocation::Invocation;

/// Tells the user what to do next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hint(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A command of this program, without its name.
    Command(Vec<String>),
    /// A command of another program.
    Shell(Vec<String>),
}

impl Hint {
    /// Creates a hint that begins with a command of this program; the words are separated by spaces.
    #[must_use]
    pub fn command(words: &str) -> Self {
        Self::default().then_command(words)
    }

    /// Creates a hint that begins with a command of another program.
    #[must_use]
    pub fn shell<const N: usize>(words: [&str; N]) -> Self {
        Self(vec![Part::Shell(words.iter().map(|word| (*word).to_owned()).collect())])
    }

    /// Appends text.
    #[must_use]
    pub fn then(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Text(text.into()));
        self
    }

    /// Appends a command of this program.
    #[must_use]
    pub fn then_command(mut self, words: &str) -> Self {
        self.0.push(Part::Command(words.split_whitespace().map(ToOwned::to_owned).collect()));
        self
    }

    /// Appends a command of another program.
    #[must_use]
    pub fn then_shell<const N: usize>(mut self, words: [&str; N]) -> Self {
        self.0.extend(Self::shell(words).0);
        self
    }

    /// Appends an argument to the last command.
    #[must_use]
    pub fn arg(mut self, word: impl Into<String>) -> Self {
        if let Some(Part::Command(words) | Part::Shell(words)) = self.0.last_mut() {
            words.push(word.into());
        }
        self
    }

    /// Renders the hint, with its commands completed and quoted for the shell.
    #[must_use]
    pub fn complete(&self, invocation: &Invocation) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Command(words) => format!("`{}`", invocation.command(words)),
            Part::Shell(words) => format!("`{}`", invocation.shell(words)),
        };
        self.0.iter().map(part).collect()
    }
}

impl From<&str> for Hint {
    fn from(text: &str) -> Self {
        Self(vec![Part::Text(text.to_owned())])
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self(vec![Part::Text(text)])
    }
}
