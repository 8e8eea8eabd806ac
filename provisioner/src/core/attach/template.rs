//! Attached buckets as resources of a template.
//!
//! Each bucket has a rule of EventBridge, which sends its events to the function, and a permission for this rule. The
//! rules are the only record of what is attached; their `Metadata` says whether the stack switched a bucket's flag on.

use serde_json::{Value as Json, json};
use serde_yaml::Value;

use super::{Attachment, Problem};
use crate::core::names::sha256;
use crate::core::render::json_of;
use crate::core::template::{self, MARK, MAX_BYTES, Template};

/// The beginning of the logical id of every generated resource.
const GENERATED: &str = "Attached";
/// The policy that lets the rules send to the failure queue.
const FAILURES: &str = "AttachedFailures";
/// The generated statements of the function's role.
const READ: &str = "ReadAttachedPictures";
const LIST: &str = "TellGoneFromForbiddenIfAttached";
/// The most characters of an event pattern, according to EventBridge's quotas.
const MAX_PATTERN: usize = 2_048;
/// The most characters of a role's inline policies together, according to IAM's quotas; white space does not count.
const MAX_ROLE: usize = 10_240;
/// The most bytes that an ARN in place of a reference can have more than the reference itself.
const ARN: usize = 100;

/// The logical id of the rule for a bucket. It depends on nothing else, so an update never replaces the rule.
#[must_use]
pub fn rule_id(bucket: &str) -> String {
    format!("{GENERATED}{}", &sha256(bucket.as_bytes())[..8])
}

/// The buckets that a template attaches, sorted by name.
#[must_use]
pub fn attachments(template: &Template) -> Vec<Attachment> {
    let resources = template.document().get("Resources").and_then(Value::as_mapping);
    let mut attachments: Vec<Attachment> =
        resources.into_iter().flatten().filter_map(|(_, resource)| recorded(resource)).collect();
    attachments.sort_by(|a, b| a.bucket.cmp(&b.bucket));
    attachments
}

/// The attachment that a rule stands for.
fn recorded(resource: &Value) -> Option<Attachment> {
    let switched_on = resource.get("Metadata")?.get(MARK)?.get("SwitchedOn")?.as_bool()?;
    let detail = resource.get("Properties")?.get("EventPattern")?.get("detail")?;
    let prefixes = match detail.get("object") {
        None => vec![String::new()],
        Some(object) => {
            let prefixes = object.get("key")?.as_sequence()?.iter();
            prefixes.map(|one| Some(one.get("prefix")?.as_str()?.to_owned())).collect::<Option<_>>()?
        }
    };
    let bucket = detail.get("bucket")?.get("name")?.as_sequence()?.first()?.as_str()?.to_owned();
    Some(Attachment { bucket, prefixes, switched_on })
}

/// The template with exactly these attached buckets. A template that neither has nor gets any stays as it is, comments
/// included.
///
/// # Errors
/// The template has no function to attach the buckets to, or exceeds a limit of AWS.
pub fn attach(template: &Template, wanted: &[Attachment]) -> Result<Template, Problem> {
    if attachments(template) == wanted {
        return Ok(template.clone());
    }
    let mut document = template.document().clone();
    remove_generated(&mut document);
    if !wanted.is_empty() {
        add(&mut document, wanted)?;
    }
    // As YAML, `no` would be text to one reader and a flag to another.
    let json = json_of(&document).unwrap_or_default();
    let pretty = format!("{json:#}");
    // With many buckets, the template fits only without white space.
    let body = if pretty.len() <= MAX_BYTES { pretty } else { json.to_string() };
    template::read(&body).map_err(|_| Problem::Template { length: body.len(), limit: MAX_BYTES })
}

fn remove_generated(document: &mut Value) {
    if let Some(resources) = document.get_mut("Resources").and_then(Value::as_mapping_mut) {
        let rules = resources.iter().filter(|(_, resource)| recorded(resource).is_some());
        let rules: Vec<String> = rules.filter_map(|(name, _)| name.as_str().map(ToOwned::to_owned)).collect();
        for rule in rules {
            resources.shift_remove(rule.as_str());
            resources.shift_remove(permission_id(&rule).as_str());
        }
        resources.shift_remove(FAILURES);
    }
    if let Some(statements) = statements(document) {
        let sid = |statement: &Value| statement.get("Sid").and_then(Value::as_str).map(ToOwned::to_owned);
        statements.retain(|statement| !sid(statement).is_some_and(|sid| sid == READ || sid == LIST));
    }
}

fn permission_id(rule: &str) -> String {
    format!("{rule}Permission")
}

/// The statements of the function's role.
fn statements(document: &mut Value) -> Option<&mut Vec<Value>> {
    let role = document.get_mut("Resources")?.get_mut("Role")?;
    let policy = role.get_mut("Properties")?.get_mut("Policies")?.as_sequence_mut()?.first_mut()?;
    policy.get_mut("PolicyDocument")?.get_mut("Statement")?.as_sequence_mut()
}

/// What a template offers to its rules.
#[derive(Clone, Copy)]
struct Offer {
    erases_rows: bool,
    keeps_failures: bool,
}

fn add(document: &mut Value, attachments: &[Attachment]) -> Result<(), Problem> {
    let has = |section: &str, name: &str| document.get(section).is_some_and(|section| section.get(name).is_some());
    if !has("Resources", "Function") {
        return Err(Problem::Foreign("resource `Function`"));
    }
    let offer = Offer {
        erases_rows: has("Conditions", "ErasesRows"),
        keeps_failures: has("Conditions", "HasFailureQueue") && has("Resources", "Queue"),
    };
    let mut generated = Vec::new();
    for attachment in attachments {
        let pattern = pattern(attachment, offer);
        let length = pattern.to_string().len();
        if length > MAX_PATTERN {
            return Err(Problem::Pattern { bucket: attachment.bucket.clone(), length, limit: MAX_PATTERN });
        }
        let id = rule_id(&attachment.bucket);
        generated.push((permission_id(&id), permission(&id)));
        generated.push((id, rule(attachment, &pattern, offer)));
    }
    if offer.keeps_failures {
        generated.push((FAILURES.to_owned(), failures(attachments)));
    }
    let role = statements(document).ok_or(Problem::Foreign("resource `Role` with an inline policy"))?;
    role.extend([yaml(&read(attachments)), yaml(&list(attachments))]);
    let length = json_of(&Value::Sequence(role.clone())).map_or(0, |json| json.to_string().len()) + ARN;
    if length > MAX_ROLE {
        return Err(Problem::Role { length, limit: MAX_ROLE });
    }
    let resources = document.get_mut("Resources").and_then(Value::as_mapping_mut);
    let resources = resources.ok_or(Problem::Foreign("section `Resources`"))?;
    resources.extend(generated.into_iter().map(|(name, resource)| (Value::from(name), yaml(&resource))));
    Ok(())
}

fn yaml(json: &Json) -> Value {
    serde_yaml::to_value(json).unwrap_or_default()
}

/// The events that the rule sends to the function: the uploads, and with `EraseRows` also the removals.
fn pattern(attachment: &Attachment, offer: Offer) -> Json {
    let (created, all) = (json!(["Object Created"]), json!(["Object Created", "Object Deleted"]));
    let mut detail = json!({ "bucket": { "name": [attachment.bucket] } });
    if attachment.prefixes.iter().all(|prefix| !prefix.is_empty()) {
        let prefixes = attachment.prefixes.iter().map(|prefix| json!({ "prefix": prefix }));
        detail["object"] = json!({ "key": prefixes.collect::<Vec<_>>() });
    }
    json!({
        "source": ["aws.s3"],
        "account": [{ "Ref": "AWS::AccountId" }],
        "detail-type": if offer.erases_rows { json!({ "Fn::If": ["ErasesRows", all, created] }) } else { created },
        "detail": detail,
    })
}

fn rule(attachment: &Attachment, pattern: &Json, offer: Offer) -> Json {
    let mut target = json!({
        "Id": "function",
        "Arn": { "Fn::GetAtt": ["Function", "Arn"] },
        // The most that EventBridge accepts: a day. What cannot be delivered until then goes to the failure queue.
        "RetryPolicy": { "MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185 },
    });
    if offer.keeps_failures {
        let queue = json!({ "Arn": { "Fn::GetAtt": ["Queue", "Arn"] } });
        target["DeadLetterConfig"] = json!({ "Fn::If": ["HasFailureQueue", queue, { "Ref": "AWS::NoValue" }] });
    }
    json!({
        "Type": "AWS::Events::Rule",
        "Metadata": { MARK: { "SwitchedOn": attachment.switched_on } },
        "Properties": { "EventPattern": pattern, "Targets": [target] },
    })
}

fn permission(rule: &str) -> Json {
    json!({
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": { "Fn::GetAtt": ["Function", "Arn"] },
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
            "SourceArn": { "Fn::GetAtt": [rule, "Arn"] },
        },
    })
}

fn failures(attachments: &[Attachment]) -> Json {
    let rules = attachments.iter().map(|attachment| json!({ "Fn::GetAtt": [rule_id(&attachment.bucket), "Arn"] }));
    json!({
        "Type": "AWS::SQS::QueuePolicy",
        "Condition": "HasFailureQueue",
        "Properties": {
            "Queues": [{ "Ref": "Queue" }],
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Principal": { "Service": "events.amazonaws.com" },
                    "Action": "sqs:SendMessage",
                    "Resource": { "Fn::GetAtt": ["Queue", "Arn"] },
                    "Condition": { "ArnEquals": { "aws:SourceArn": rules.collect::<Vec<_>>() } },
                }],
            },
        },
    })
}

fn read(attachments: &[Attachment]) -> Json {
    let pictures = attachments.iter().flat_map(|attachment| {
        attachment.prefixes.iter().map(|prefix| arn(&format!("{}/{}*", attachment.bucket, expressible(prefix))))
    });
    statement(READ, &["s3:GetObject", "s3:GetObjectVersion"], &pictures.collect::<Vec<_>>())
}

fn list(attachments: &[Attachment]) -> Json {
    let buckets = attachments.iter().map(|attachment| arn(&attachment.bucket));
    statement(LIST, &["s3:ListBucket"], &buckets.collect::<Vec<_>>())
}

fn statement(sid: &str, actions: &[&str], resources: &[Json]) -> Json {
    json!({
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions,
        "Resource": resources,
        "Condition": { "StringEquals": { "aws:ResourceAccount": { "Ref": "AWS::AccountId" } } },
    })
}

fn arn(resource: &str) -> Json {
    json!({ "Fn::Sub": format!("arn:${{AWS::Partition}}:s3:::{resource}") })
}

/// A prefix as IAM can express it. A policy document has only characters up to U+00FF, so a wildcard stands for each run
/// of others; the rule itself holds the prefix unchanged.
fn expressible(prefix: &str) -> String {
    let mut text = String::new();
    for c in prefix.chars() {
        match c {
            '\u{20}'..='\u{7e}' | '\u{a1}'..='\u{ff}' => text.push(c),
            _ if text.ends_with('*') => {}
            _ => text.push('*'),
        }
    }
    text
}
