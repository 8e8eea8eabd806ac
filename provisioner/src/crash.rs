//! What people see of a panic: that it is a bug, where it happened, and where to report it.
//!
//! Invariant: the last line of the output is the result, also after a panic.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use crate::core::event::Event;
use crate::error::{Error, Exit};
use crate::ui::Events;

/// Runs the program's work, and ends with [`Exit::Bug`] if it panics.
pub fn guard(events: &Events, work: impl FnOnce() -> Exit) -> Exit {
    let usual = panic::take_hook();
    let reporter = events.clone();
    panic::set_hook(Box::new(move |info| {
        let _ = reporter.report(explain(info, env!("CARGO_PKG_REPOSITORY")));
        if std::env::var_os("RUST_BACKTRACE").is_some() {
            usual(info);
        }
    }));
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        events.emit(Event::Result { ok: false, exit_code: Exit::Bug as u8 });
        Exit::Bug
    })
}

fn explain(info: &PanicHookInfo<'_>, repository: &str) -> Error {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let said = info.payload_as_str().unwrap_or("no message").split_whitespace().collect::<Vec<_>>().join(" ");
    Error::new(concat!("this is a bug in provisioner ", env!("CARGO_PKG_VERSION")))
        .exit(Exit::Bug)
        .cause(format!("{said} ({place})"))
        .hint(whom_to_tell(repository))
}

/// Where a bug is reported: at the project's address, if the program knows one.
fn whom_to_tell(repository: &str) -> String {
    let what = "together with these lines and the command that you ran";
    if repository.starts_with("https://") {
        format!("please report it at {repository}/issues, {what}")
    } else {
        format!("please report it to whoever gave you this program, {what}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bugs_have_an_address() {
        assert!(whom_to_tell("https://example.com/p").contains("https://example.com/p/issues"));
        for unknown in ["", "git@example.com:p"] {
            assert!(whom_to_tell(unknown).contains("whoever gave you this program"), "{unknown}");
        }
    }
}
