//! Reads the rules of the default event bus.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::RuleState;

use super::error::{explain, is_missing};
use crate::error::Result;

/// A rule of the default event bus.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its ARN.
    pub arn: String,
    /// Its event pattern; `None` if it has only a schedule.
    pub pattern: Option<String>,
    /// Whether it is enabled.
    pub enabled: bool,
}

/// All rules.
pub async fn list(client: &Client) -> Result<Vec<Rule>> {
    let (mut rules, mut token) = (Vec::new(), None);
    loop {
        let reply = client.list_rules().set_next_token(token).send().await;
        let reply = reply.map_err(|error| explain("cannot list the rules of the default event bus", &error))?;
        rules.extend(reply.rules.unwrap_or_default().into_iter().map(|rule| Rule {
            arn: rule.arn.unwrap_or_default(),
            pattern: rule.event_pattern,
            enabled: rule.state == Some(RuleState::Enabled),
        }));
        token = reply.next_token;
        if token.is_none() {
            return Ok(rules);
        }
    }
}

/// A rule by its name; `None` if it does not exist.
pub async fn describe(client: &Client, name: &str) -> Result<Option<Rule>> {
    match client.describe_rule().name(name).send().await {
        Ok(rule) => Ok(Some(Rule {
            arn: rule.arn.unwrap_or_default(),
            pattern: rule.event_pattern,
            enabled: rule.state == Some(RuleState::Enabled),
        })),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(explain(format!("cannot read rule `{name}`"), &error)),
    }
}

/// The ARNs of a rule's targets.
pub async fn targets(client: &Client, name: &str) -> Result<Vec<String>> {
    let reply = client.list_targets_by_rule().rule(name).send().await;
    let reply = reply.map_err(|error| explain(format!("cannot read the targets of rule `{name}`"), &error))?;
    Ok(reply.targets.unwrap_or_default().into_iter().map(|target| target.arn).collect())
}

/// Whether EventBridge finds that a pattern matches an event.
pub async fn matches(client: &Client, pattern: &str, event: &str) -> Result<bool> {
    let reply = client.test_event_pattern().event_pattern(pattern).event(event).send().await;
    Ok(reply.map_err(|error| explain("cannot test an event pattern", &error))?.result)
}
