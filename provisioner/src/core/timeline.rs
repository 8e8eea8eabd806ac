//! The timeline of a stack operation: how long each resource took, and which of them determined the duration.
//!
//! Pure: the events of the operation in, bars out.

use super::diagnosis::StackEvent;

/// The work on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The name in the template.
    pub logical_id: String,
    /// For example `AWS::Lambda::Function`.
    pub resource_type: String,
    /// `CREATE`, `UPDATE`, `DELETE`, or `IMPORT`.
    pub action: String,
    /// The last status.
    pub status: String,
    /// Milliseconds since the Unix epoch.
    pub start: i64,
    /// Milliseconds since the Unix epoch; the time of the last event if the work has not ended.
    pub end: i64,
    /// Whether it failed.
    pub failed: bool,
    /// The service's message about the failure.
    pub reason: Option<String>,
    /// Whether a faster resource of this kind would have made the operation faster.
    pub critical: bool,
}

/// How long CloudFormation may take to start a resource after the one that it waited for, in milliseconds.
const HANDOVER: i64 = 3_000;

/// The bars in the order in which the work began, with the critical path marked.
///
/// Events do not tell what a resource waited for. The path is therefore followed backward in time: from the resource
/// that ended last to the one that ended last before its start, as long as no longer pause is in between.
#[must_use]
pub fn bars(events: &[StackEvent]) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for event in events.iter().filter(|event| !event.is_of_stack() && !event.status.is_hook()) {
        let status = event.status.as_str();
        let action = status.split('_').next().unwrap_or_default();
        let known = bars.iter().position(|bar| bar.logical_id == event.logical_id && bar.action == action);
        let at = known.unwrap_or_else(|| {
            bars.push(Bar {
                logical_id: event.logical_id.clone(),
                resource_type: event.resource_type.clone(),
                action: action.to_owned(),
                status: String::new(),
                start: event.at,
                end: event.at,
                failed: false,
                reason: None,
                critical: false,
            });
            bars.len() - 1
        });
        let bar = &mut bars[at];
        status.clone_into(&mut bar.status);
        bar.start = bar.start.min(event.at);
        bar.end = bar.end.max(event.at);
        if event.status.is_failure() {
            bar.failed = true;
            bar.reason.clone_from(&event.reason);
        }
    }
    bars.sort_by(|a, b| (a.start, a.end, &a.logical_id).cmp(&(b.start, b.end, &b.logical_id)));
    mark(&mut bars);
    bars
}

fn mark(bars: &mut [Bar]) {
    let mut next = (0..bars.len()).max_by_key(|at| (bars[*at].end, bars[*at].end - bars[*at].start));
    while let Some(at) = next {
        bars[at].critical = true;
        let start = bars[at].start;
        let before = |other: &usize| {
            let end = bars[*other].end;
            // Work without a measurable duration begins and ends at the same time, so a path could run in a circle.
            !bars[*other].critical && end <= start && start - end <= HANDOVER
        };
        next = (0..bars.len()).filter(before).max_by_key(|at| (bars[*at].end, bars[*at].end - bars[*at].start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(logical_id: &str, status: &str, at: i64) -> StackEvent {
        StackEvent {
            id: String::new(),
            at: at * 1_000,
            logical_id: logical_id.into(),
            physical_id: None,
            resource_type: "T".into(),
            status: status.into(),
            reason: status.ends_with("FAILED").then(|| "why".into()),
            hook_result: None,
            token: None,
        }
    }

    #[track_caller]
    fn check(events: &[(&str, &str, i64)], expected: &[(&str, i64, i64, bool)]) {
        let events: Vec<_> = events.iter().map(|(id, status, at)| event(id, status, *at)).collect();
        let bars = bars(&events);
        let found: Vec<_> =
            bars.iter().map(|b| (b.logical_id.as_str(), b.start / 1_000, b.end / 1_000, b.critical)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_critical_path_leads_to_the_last_end() {
        check(
            &[
                ("Role", "CREATE_IN_PROGRESS", 0),
                ("Table", "CREATE_IN_PROGRESS", 0),
                ("Table", "CREATE_COMPLETE", 8),
                ("Role", "CREATE_COMPLETE", 17),
                ("Function", "CREATE_IN_PROGRESS", 18),
                ("Function", "CREATE_COMPLETE", 24),
                ("Bucket", "CREATE_IN_PROGRESS", 25),
                ("Bucket", "CREATE_COMPLETE", 50),
            ],
            &[("Table", 0, 8, false), ("Role", 0, 17, true), ("Function", 18, 24, true), ("Bucket", 25, 50, true)],
        );
    }

    #[test]
    fn a_rollback_has_bars_of_its_own_and_a_failure_its_reason() {
        let events = [
            event("A", "CREATE_IN_PROGRESS", 0),
            event("A", "CREATE_FAILED", 2),
            event("A", "DELETE_IN_PROGRESS", 3),
            event("A", "DELETE_COMPLETE", 4),
        ];
        let bars = bars(&events);
        assert_eq!(bars.iter().map(|bar| bar.action.as_str()).collect::<Vec<_>>(), ["CREATE", "DELETE"]);
        assert_eq!((bars[0].failed, bars[0].reason.as_deref(), bars[1].failed), (true, Some("why"), false));
    }

    #[test]
    fn events_at_the_same_time_form_a_path_that_ends() {
        check(&[("A", "CREATE_COMPLETE", 5), ("B", "CREATE_COMPLETE", 5)], &[("A", 5, 5, true), ("B", 5, 5, true)]);
        check(&[], &[]);
    }
}
