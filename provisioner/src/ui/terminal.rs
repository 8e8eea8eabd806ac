//! What the terminal can show.
//!
//! Invariant: without a terminal that moves its cursor, there are only plain lines.

use std::ffi::OsString;
use std::io::IsTerminal as _;

/// Whether lines on stderr can change after they were written, and a person sees it.
pub(super) fn is_lively() -> bool {
    std::io::stderr().is_terminal() && !wants_plain_lines(|name| std::env::var_os(name))
}

/// Whether the terminal shows more than ASCII.
pub(super) fn is_utf8() -> bool {
    !names_another_encoding(|name| std::env::var_os(name))
}

fn wants_plain_lines(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let value = |name: &str| variable(name).filter(|value| !value.is_empty());
    let in_ci = value("CI").is_some_and(|value| !matches!(value.to_str(), Some("0" | "false")));
    value("NO_COLOR").is_some() || in_ci || value("TERM").is_none_or(|term| term == "dumb")
}

/// The first of these variables that is set decides, as for every program. Where none is, most terminals use UTF-8 anyway.
fn names_another_encoding(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    set.is_some_and(|locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        !locale.contains("utf-8") && !locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An environment with these variables.
    fn with<'a>(set: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        move |name| set.iter().find(|(set, _)| *set == name).map(|(_, value)| OsString::from(value))
    }

    #[test]
    fn who_wants_plain_lines() {
        for (set, expected) in [
            (&[("TERM", "xterm-256color")][..], false),
            (&[("TERM", "xterm"), ("NO_COLOR", ""), ("CI", "")], false),
            (&[("TERM", "xterm"), ("CI", "false")], false),
            (&[("TERM", "xterm"), ("NO_COLOR", "1")], true),
            (&[("TERM", "xterm"), ("CI", "true")], true),
            (&[("TERM", "xterm"), ("CI", "1")], true),
            (&[("TERM", "dumb")], true),
            (&[("TERM", "")], true),
            (&[], true),
        ] {
            assert_eq!(wants_plain_lines(with(set)), expected, "{set:?}");
        }
    }

    #[test]
    fn which_terminal_shows_more_than_ascii() {
        for (set, expected) in [
            (&[][..], false),
            (&[("LANG", "C.UTF-8")], false),
            (&[("LANG", "en_US.utf8")], false),
            (&[("LANG", "de_DE.ISO-8859-1")], true),
            (&[("LANG", "C")], true),
            (&[("LANG", "C"), ("LC_CTYPE", "C.UTF-8")], false),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "POSIX")], true),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "")], false),
        ] {
            assert_eq!(names_another_encoding(with(set)), expected, "{set:?}");
        }
    }
}
