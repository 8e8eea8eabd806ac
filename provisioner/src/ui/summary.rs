//! A run as Markdown, for the summary page of a CI system.
//!
//! Invariant: text from outside cannot end a table, open a tag, or begin a link.

use std::fmt::Write as _;

use super::text::words::{escape, noun};
use crate::core::event::{Event, SmokeStep};
use crate::core::hint::Hint;
use crate::error::{Error, Exit};

/// Renders what was recorded. Commands in hints are completed by `complete`.
#[must_use]
pub fn summary(
    title: &str,
    events: &[Event],
    outcome: &Result<Exit, Error>,
    complete: impl Fn(&Hint) -> String,
) -> String {
    let sign = if matches!(outcome, Ok(Exit::Success)) { "✅" } else { "❌" };
    let mut page = format!("## {sign} {}\n\n", text(title));
    for event in events {
        match event {
            Event::Planned { plan } if plan.changes.is_empty() => page.push_str("No changes.\n\n"),
            Event::Planned { plan } => {
                page.push_str("| change | resource | type |\n|---|---|---|\n");
                for change in &plan.changes {
                    let action = format!("{:?}", change.action).to_lowercase();
                    let _ =
                        writeln!(page, "| {action} | {} | {} |", text(&change.logical_id), text(&change.resource_type));
                }
                page.push('\n');
            }
            Event::NoChanges { stack } => {
                let _ = writeln!(page, "No changes: stack {} is up to date.\n", text(stack));
            }
            Event::OperationEnded { stack, status, seconds, .. } => {
                let _ = writeln!(page, "Stack {}: {status} after {seconds:.1} s.\n", text(stack));
            }
            Event::Failed { diagnosis, .. } => {
                let _ = writeln!(
                    page,
                    "**Cause:** {} ({}): {}\n",
                    text(&diagnosis.logical_id),
                    text(&diagnosis.resource_type),
                    text(&diagnosis.reason)
                );
            }
            Event::SmokeStep { step, seconds } => {
                let step = match step {
                    SmokeStep::Configuration { .. } => "configuration".to_owned(),
                    SmokeStep::Picture { picture, .. } => format!("picture with {picture}"),
                    SmokeStep::Attached { bucket } => format!("attached bucket {}", text(bucket)),
                };
                let _ = writeln!(page, "- ✅ {step} ({seconds:.1} s)");
            }
            Event::SmokePassed { pictures, rows, seconds } => {
                let (of_pictures, of_rows) = (noun(*pictures, "picture"), noun(*rows, "row"));
                let _ = writeln!(
                    page,
                    "\nSmoke test passed: {pictures} {of_pictures}, {rows} {of_rows}, {seconds:.1} s.\n"
                );
            }
            _ => {}
        }
    }
    match outcome {
        Ok(Exit::Success) => {}
        Ok(exit) => {
            let _ = writeln!(page, "\nExit code {}.", *exit as u8);
        }
        Err(error) => {
            let _ = writeln!(page, "\n**Error:** {}", text(&error.message));
            for cause in &error.causes {
                let _ = writeln!(page, "- caused by: {}", text(cause));
            }
            for hint in &error.hints {
                let _ = writeln!(page, "- hint: {}", text(&complete(hint)));
            }
        }
    }
    page
}

/// Text without a meaning for Markdown or HTML.
fn text(text: &str) -> String {
    let mut plain = String::new();
    for c in escape(&text.split_whitespace().collect::<Vec<_>>().join(" ")).chars() {
        match c {
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            '|' | '*' | '_' | '[' | ']' | '\\' | '!' | '#' | '~' => plain.extend(['\\', c]),
            // Without code spans, commands stay readable and cannot swallow a cell.
            '`' => plain.push('\''),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_summarized() {
        let events = [
            Event::OperationEnded { stack: "faces".into(), status: "CREATE_COMPLETE".into(), ok: true, seconds: 31.25 },
            Event::SmokeStep { step: SmokeStep::Picture { picture: "one face", rows: 1 }, seconds: 2.5 },
            Event::SmokePassed { pictures: 1, rows: 1, seconds: 3.0 },
        ];
        insta::assert_snapshot!(summary("up faces in eu-west-1", &events, &Ok(Exit::Success), |_| String::new()), @r"
        ## ✅ up faces in eu-west-1

        Stack faces: CREATE_COMPLETE after 31.2 s.

        - ✅ picture with one face (2.5 s)

        Smoke test passed: 1 picture, 1 row, 3.0 s.
        ");
    }

    #[test]
    fn hostile_text_stays_text() {
        let error = Error::new("`a|b`\n<script>").cause("[x](http://x) ![y](z)").hint("run it");
        let page =
            summary("t", &[], &Err(error), |hint| hint.complete(&crate::core::invocation::Invocation::default()));
        assert!(
            page.contains("**Error:** 'a\\|b' &lt;script&gt;\n- caused by: \\[x\\](http://x) \\!\\[y\\](z)"),
            "{page}"
        );
        assert!(page.starts_with("## ❌ t\n"), "{page}");
    }
}
