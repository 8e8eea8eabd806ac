//! The page of a deployment: a timeline of its resources with the critical path, and failures with their cause.

use maud::{Markup, html};

use super::document::{number, page, text};
use crate::core::diagnosis::Diagnosis;
use crate::core::timeline::Bar;

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Timeline<'a> {
    /// The stack.
    pub stack: &'a str,
    /// Its region.
    pub region: &'a str,
    /// When the page was written.
    pub written: String,
    /// How the run ended: a sentence.
    pub result: String,
    /// Whether it succeeded.
    pub ok: bool,
    /// The work on each resource.
    pub bars: &'a [Bar],
    /// Why the operation failed.
    pub diagnosis: Option<&'a Diagnosis>,
    /// What to do next.
    pub hints: &'a [String],
}

/// Renders the page.
#[must_use]
pub fn timeline(timeline: &Timeline<'_>) -> String {
    let Timeline { stack, region, written, result, ok, bars, diagnosis, hints } = timeline;
    let start = bars.iter().map(|bar| bar.start).min().unwrap_or_default();
    let end = bars.iter().map(|bar| bar.end).max().unwrap_or_default();
    let body = html! {
        header {
            h1 { "Deployment of stack " (text(stack)) }
            p { "Region " (region) ", written " (written) "." }
            p .bad[!ok] { strong { (text(result)) } }
        }
        main {
            @if let Some(diagnosis) = diagnosis {
                section aria-label="Cause" {
                    h2 { "Cause" }
                    p { (text(&diagnosis.logical_id)) " (" (text(&diagnosis.resource_type)) "): " (text(&diagnosis.reason)) }
                    @for advice in &diagnosis.advice { p { (text(advice)) } }
                }
            }
            @if !hints.is_empty() {
                h2 { "What to do" }
                ul { @for hint in *hints { li { (text(hint)) } } }
            }
            @if bars.is_empty() {
                p { "No resource was changed." }
            } @else {
                // A narrow window scrolls the table, also with the keyboard.
                div.scroll role="region" aria-label="Timeline" tabindex="0" { (chart(bars, start, end)) }
            }
        }
    };
    page(&format!("Deployment of {stack}"), false, &body)
}

fn chart(bars: &[Bar], start: i64, end: i64) -> Markup {
    html! {
        table.timeline {
            caption {
                "Resources in the order in which the work on them began, " (seconds(end - start)) " in total. "
                "Those on the critical path determined the duration."
            }
            thead {
                tr {
                    th scope="col" { "Resource" }
                    th scope="col" { "Status" }
                    th scope="col" { "Start" }
                    th scope="col" { "Duration" }
                    th scope="col" { "Critical path" }
                    td {}
                }
            }
            tbody {
                @for bar in bars {
                    tr class=[class(bar)] {
                        th scope="row" { (text(&bar.logical_id)) " " small { (text(&bar.resource_type)) } }
                        td {
                            (text(&bar.status))
                            @if let Some(reason) = &bar.reason { p.note { (text(reason)) } }
                        }
                        td { (seconds(bar.start - start)) }
                        td { (seconds(bar.end - bar.start)) }
                        td { @if bar.critical { "yes" } }
                        td.track aria-hidden="true" {
                            svg { rect x=(share(bar.start - start, end - start)) width=(width(bar, end - start)) height="100%" {} }
                        }
                    }
                }
            }
        }
    }
}

fn class(bar: &Bar) -> Option<&'static str> {
    match (bar.critical, bar.failed) {
        (true, true) => Some("critical failed"),
        (true, false) => Some("critical"),
        (false, true) => Some("failed"),
        (false, false) => None,
    }
}

fn seconds(millis: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal of a second is shown")]
    let seconds = millis as f64 / 1e3;
    format!("{seconds:.1} s")
}

fn share(part: i64, whole: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two decimals of a percent are shown")]
    let share = if whole > 0 { part as f64 * 100.0 / whole as f64 } else { 0.0 };
    format!("{}%", number(share))
}

/// A resource that took no measurable time is still visible.
fn width(bar: &Bar, whole: i64) -> String {
    if bar.end == bar.start { "2".to_owned() } else { share(bar.end - bar.start, whole) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_their_share_and_failures_their_cause() {
        let bar = |logical_id: &str, start, end, failed: bool| Bar {
            logical_id: logical_id.into(),
            resource_type: "AWS::S3::Bucket".into(),
            action: "CREATE".into(),
            status: if failed { "CREATE_FAILED".into() } else { "CREATE_COMPLETE".into() },
            start,
            end,
            failed,
            reason: failed.then(|| "<b>no</b>".into()),
            critical: !failed,
        };
        let bars = [bar("A", 1_000, 6_000, false), bar("B", 6_000, 6_000, true), bar("C", 3_500, 11_000, false)];
        let page = timeline(&Timeline {
            stack: "s",
            region: "eu-west-1",
            written: "now".into(),
            result: "it failed".into(),
            ok: false,
            bars: &bars,
            diagnosis: None,
            hints: &["run `provisioner up` again".into()],
        });
        for part in [
            r#"<rect x="0%" width="50%" height="100%">"#,
            r#"<rect x="50%" width="2" height="100%">"#,
            r#"<rect x="25%" width="75%" height="100%">"#,
            "10.0 s in total",
            r#"<tr class="failed">"#,
            "&lt;b&gt;no&lt;/b&gt;",
            "run `provisioner up` again",
        ] {
            assert!(page.contains(part), "no {part} in {page}");
        }
    }
}
