//! What is in the cloud, as sorted lines that are equal after two runs that did the same.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types::StackStatus;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use provisioner::aws::bucket::Bucket;
use provisioner::aws::{Clients, event_flag, event_rules};

use super::support::local::ACCOUNT;

/// The part of a key that the keys of all smoke tests have.
pub(crate) const SMOKE: &str = "provisioner-smoke/";

/// The name of a bucket that the system does not own.
pub(crate) const PHOTOS: &str = "old-photos";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    lines: BTreeSet<String>,
}

impl State {
    pub(crate) async fn of(clients: &Clients) -> Self {
        let mut lines = BTreeSet::new();
        let stacks = clients.cloudformation.describe_stacks().send().await.expect("the stacks");
        for stack in stacks.stacks.unwrap_or_default() {
            let status = stack.stack_status().map_or("", StackStatus::as_str);
            if status == "DELETE_COMPLETE" {
                continue;
            }
            lines.insert(format!("stack {} {status}", stack.stack_name().unwrap_or_default()));
            for parameter in stack.parameters() {
                let of = |text: Option<&str>| text.unwrap_or_default().to_owned();
                lines.insert(format!("  {}={}", of(parameter.parameter_key()), of(parameter.parameter_value())));
            }
        }
        let buckets = clients.s3.list_buckets().send().await.expect("the buckets");
        let mut keys = BTreeSet::new();
        for bucket in buckets.buckets() {
            let name = bucket.name().unwrap_or_default();
            lines.insert(format!("bucket {name}"));
            if name == PHOTOS {
                let bucket = Bucket::new(name, ACCOUNT);
                let configuration = event_flag::configuration(&clients.s3, &bucket).await.expect("a configuration");
                lines.insert(format!("  notifications {configuration}"));
            }
            for (key, tag) in objects(clients, name).await {
                // The record of a passed smoke test contains a time.
                let tag = if key.ends_with("smoke.json") { String::new() } else { tag };
                if !key.contains(SMOKE) {
                    lines.insert(format!("  object {name}/{key} {tag}"));
                }
                keys.insert(key);
            }
        }
        let tables = clients.dynamodb.list_tables().send().await.expect("the tables");
        for table in tables.table_names() {
            lines.insert(format!("table {table}"));
            for row in rows(clients, table).await {
                lines.extend(describe(&row, &keys));
            }
        }
        lines.extend(others(clients).await);
        Self { lines }
    }

    /// The number of pictures that interrupted smoke tests left. A later smoke test removes them and their rows.
    pub(crate) async fn remains(clients: &Clients) -> usize {
        let buckets = clients.s3.list_buckets().send().await.expect("the buckets");
        let mut count = 0;
        for bucket in buckets.buckets() {
            let keys = objects(clients, bucket.name().unwrap_or_default()).await;
            count += keys.iter().filter(|(key, _)| key.contains(SMOKE)).count();
        }
        count
    }

    /// What is missing and what is too much, compared with the expected state.
    pub(crate) fn differences(&self, expected: &Self) -> String {
        let missing = expected.lines.difference(&self.lines).map(|line| format!("missing: {}", line.trim()));
        let surplus = self.lines.difference(&expected.lines).map(|line| format!("left: {}", line.trim()));
        missing.chain(surplus).collect::<Vec<_>>().join("; ")
    }
}

/// A row; one of a smoke test must have its picture, because only the picture tells a later test about it.
fn describe(row: &HashMap<String, AttributeValue>, keys: &BTreeSet<String>) -> Option<String> {
    let text = |name: &str| row.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
    if !text("Key").contains(SMOKE) {
        return Some(format!("  row {} of {}", text("FaceID"), text("Key")));
    }
    (!keys.contains(&text("Key"))).then(|| format!("  row of a smoke test without its picture: {}", text("Key")))
}

/// The resources that are neither stacks nor data.
async fn others(clients: &Clients) -> Vec<String> {
    let mut lines = Vec::new();
    let functions = clients.lambda.list_functions().send().await.expect("the functions");
    for function in functions.functions() {
        let code = function.code_sha256().unwrap_or_default();
        lines.push(format!("function {} {code}", function.function_name().unwrap_or_default()));
    }
    let groups = clients.logs.describe_log_groups().send().await.expect("the log groups");
    // An invocation that ends after `down` re-creates its log group in the emulator.
    let groups = groups.log_groups().iter().filter(|_| !functions.functions().is_empty());
    lines.extend(groups.map(|group| {
        let days = group.retention_in_days().map_or_else(String::new, |days| format!(" {days} days"));
        format!("log group {}{days}", group.log_group_name().unwrap_or_default())
    }));
    let roles = clients.iam.list_roles().send().await.expect("the roles");
    lines.extend(roles.roles().iter().map(|role| format!("role {}", without_suffix(role.role_name()))));
    let queues = clients.sqs.list_queues().send().await.expect("the queues");
    for url in queues.queue_urls() {
        let (visible, hidden) = messages(clients, url).await;
        let name = without_suffix(url.rsplit('/').next().unwrap_or_default()).to_owned();
        lines.push(format!("queue {name} with {} messages", visible + hidden));
    }
    let mappings = clients.lambda.list_event_source_mappings().send().await.expect("the event source mappings");
    lines.extend(mappings.event_source_mappings().iter().map(|mapping| {
        let queue = mapping.event_source_arn().and_then(|arn| arn.rsplit(':').next()).unwrap_or_default();
        format!("mapping of queue {}", without_suffix(queue))
    }));
    let rules = event_rules::list(&clients.events).await.expect("the rules");
    lines.extend(rules.into_iter().map(|rule| format!("rule {}", rule.pattern.unwrap_or_default())));
    let sets = clients.cloudformation.list_change_sets().stack_name("face-recognition").send().await;
    let pending = sets.map(|sets| sets.summaries.unwrap_or_default()).unwrap_or_default().into_iter();
    let pending = pending.filter(|set| set.execution_status().is_some_and(|status| status.as_str() == "AVAILABLE"));
    // The execution of a change set deletes the older ones, but not in the emulator if it creates the stack. The next
    // execution deletes all of them, so their number does not matter.
    let stack = clients.cloudformation.describe_stacks().stack_name("face-recognition").send().await;
    let stack = stack.ok().and_then(|stacks| stacks.stacks?.into_iter().next());
    let changed = stack.and_then(|stack| stack.last_updated_time.or(stack.creation_time)).map(|at| at.as_secs_f64());
    let is_newer = |at: &DateTime| changed.is_none_or(|changed| at.as_secs_f64() >= changed);
    let is_pending = pending.into_iter().any(|set| set.creation_time().is_some_and(is_newer));
    lines.extend(is_pending.then(|| "change sets".to_owned()));
    lines
}

/// A generated name ends with a random part.
fn without_suffix(name: &str) -> &str {
    name.rsplit_once('-').map_or(name, |(name, _)| name)
}

/// The numbers of visible and of received messages.
pub(crate) async fn messages(clients: &Clients, url: &str) -> (u32, u32) {
    let names =
        [QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::ApproximateNumberOfMessagesNotVisible];
    let request = clients.sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
    let reply = request.send().await.expect("the attributes");
    let count = |name| reply.attributes().and_then(|all| all.get(name)?.parse().ok()).unwrap_or_default();
    (count(&names[0]), count(&names[1]))
}

/// Keys and entity tags.
pub(crate) async fn objects(clients: &Clients, bucket: &str) -> Vec<(String, String)> {
    let reply = clients.s3.list_object_versions().bucket(bucket).send().await.expect("the objects");
    let one = |version: &aws_sdk_s3::types::ObjectVersion| {
        Some((version.key()?.to_owned(), version.e_tag().unwrap_or_default().to_owned()))
    };
    reply.versions().iter().filter_map(one).collect()
}

pub(crate) async fn rows(clients: &Clients, table: &str) -> Vec<HashMap<String, AttributeValue>> {
    clients.dynamodb.scan().table_name(table).send().await.expect("the rows").items.unwrap_or_default()
}
