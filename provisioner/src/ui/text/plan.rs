//! A plan as text.

use std::fmt::Write as _;

use super::words::{BAD, FAINT, GOOD, NL, NOTE, done};
use crate::core::plan::{Action, Change, Effect, Operation, Plan};

pub(super) fn planned(plan: &Plan) -> String {
    let what = match plan.operation {
        Operation::None if plan.switches.is_empty() => return done("no changes"),
        Operation::None => "change attached buckets",
        Operation::Create => "create the stack",
        Operation::Update => "update the stack",
        Operation::Recreate => "delete the remains of a failed creation, then create the stack",
    };
    let mut text = format!("plan: {what}");
    if plan.changes.is_empty() && plan.operation != Operation::None {
        let _ = write!(text, "{NL}  {NOTE}~{NOTE:#} only outputs change");
    }
    for change in &plan.changes {
        let _ = write!(text, "{NL}{}", planned_change(change));
    }
    for switch in &plan.switches {
        let change = if switch.on {
            "send events to EventBridge; its other settings do not change"
        } else {
            "stop sending events to EventBridge, unless another rule needs them"
        };
        let _ = write!(text, "{NL}  {NOTE}~{NOTE:#} attached bucket {}: {change}", switch.bucket);
    }
    text
}

fn planned_change(change: &Change) -> String {
    let (sign, style, words) = match change.action {
        Action::Add => ("+", GOOD, ""),
        Action::Import if change.properties.is_empty() => (">", GOOD, " imported"),
        Action::Import => (">", GOOD, " imported, then changed to match the template:"),
        Action::Acknowledge => ("=", FAINT, " already matches"),
        Action::Modify => ("~", NOTE, ""),
        Action::MayReplace => ("±", BAD, " may be replaced"),
        Action::Replace => ("±", BAD, " replaced"),
        Action::Remove => ("-", BAD, " removed"),
    };
    let data = if change.loses_data() { format!(", {BAD}data would be lost{BAD:#}") } else { String::new() };
    let policy = change.policy_action.as_ref().map(|policy| format!(" ({policy})")).unwrap_or_default();
    let mut text = format!(
        "  {style}{sign}{style:#} {} {FAINT}{}{FAINT:#}{words}{policy}{data}",
        change.logical_id, change.resource_type
    );
    for property in &change.properties {
        let arrow = match (&property.before, &property.after) {
            (None, None) => String::new(),
            // What an adoption changes must be seen in full.
            (before, after) if change.action == Action::Import => {
                let words = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
                format!(": {} → {}", words(before), words(after))
            }
            (before, after) => format!(": {} → {}", value(before.as_deref()), value(after.as_deref())),
        };
        let forced = if property.recreates { " (replaces the resource)" } else { "" };
        let effect = match property.effect {
            None => String::new(),
            Some(Effect::Weakens) => format!(" {BAD}(weakens){BAD:#}"),
            Some(Effect::Removes) => format!(" {BAD}(removes){BAD:#}"),
        };
        let _ = write!(text, "{NL}      {}{arrow}{forced}{effect}", property.path);
    }
    text
}

/// The value of a property, shortened.
pub(super) fn value(value: Option<&str>) -> String {
    match value {
        None => "(none)".into(),
        Some(text) if text.chars().count() > 60 => format!("{}…", text.chars().take(60).collect::<String>()),
        Some(text) => text.to_owned(),
    }
}
