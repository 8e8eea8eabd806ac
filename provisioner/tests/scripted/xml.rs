//! Writes replies of the query protocol in the form that AWS uses.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::cloud::{ChangeSet, STACK_ID, Script};

pub(crate) fn ok(call: &str, result: &str) -> (u16, String) {
    (200, format!("<{call}Response><{call}Result>{result}</{call}Result></{call}Response>"))
}

pub(crate) fn error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{}</Message></Error><RequestId>r</RequestId></ErrorResponse>",
        escape(message)
    )
}

pub(crate) fn stack(status: &str, script: &Script) -> (u16, String) {
    let tags = if script.foreign {
        String::new()
    } else {
        let (key, value) = provisioner::core::names::OWNER_TAG;
        let tag = |(key, value): &(&str, &str)| element("member", &(text("Key", key) + &text("Value", value)));
        std::iter::once(&(key, value)).chain(&script.tags).map(tag).collect()
    };
    let operations: String =
        script.operations.iter().map(|id| element("member", &element("OperationId", id))).collect();
    let member = |(name, value): &(&str, &str)| {
        format!("<member><ParameterKey>{name}</ParameterKey><ParameterValue>{value}</ParameterValue></member>")
    };
    let deployed: String = script.deployed.iter().map(member).collect();
    let output =
        |(name, value): &(&str, &str)| element("member", &(text("OutputKey", name) + &text("OutputValue", value)));
    let outputs: String = script.outputs.iter().map(output).collect();
    let named = script.deployed.iter().any(|(name, _)| *name == "CodeKey");
    let code_key = if named { String::new() } else { member(&("CodeKey", "old")) };
    ok(
        "DescribeStacks",
        &format!(
            "<Stacks><member><StackName>face-recognition</StackName><StackId>{STACK_ID}</StackId>\
             <CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>{status}</StackStatus>\
             <EnableTerminationProtection>{}</EnableTerminationProtection><Tags>{tags}</Tags>\
             <LastOperations>{operations}</LastOperations>\
             <Parameters>{code_key}{deployed}</Parameters>\
             <Outputs><member><OutputKey>BucketName</OutputKey><OutputValue>pictures</OutputValue></member>{outputs}</Outputs>\
             </member></Stacks>",
            script.protected
        ),
    )
}

/// An event in the form of `tests/histories/*.json`.
pub(crate) fn stack_event(event: &Value) -> String {
    let hook = event["status"].as_str().is_some_and(|status| status.starts_with("HOOK_"));
    let status = if hook { tag("HookStatus", &event["status"]) } else { tag("ResourceStatus", &event["status"]) };
    let reason = if hook { "HookStatusReason" } else { "ResourceStatusReason" };
    format!(
        "<member><StackId>{STACK_ID}</StackId><StackName>face-recognition</StackName>{}{}{}{}{status}{}{}</member>",
        tag("EventId", &event["id"]),
        time(&event["at"]),
        tag("LogicalResourceId", &event["logical_id"]),
        tag("ResourceType", &event["resource_type"]),
        tag(reason, &event[if hook { "hook_reason" } else { "reason" }]),
        [
            tag("PhysicalResourceId", &event["physical_id"]),
            tag("HookType", &event["hook"]),
            tag("HookInvocationPoint", &event["hook_point"]),
            tag("HookInvocationId", &event["hook_result"]),
            tag("ClientRequestToken", &event["token"])
        ]
        .concat(),
    )
}

/// An event in the form of `DescribeEvents`.
pub(crate) fn operation_event(event: &Value) -> String {
    let fields: String = event.as_object().into_iter().flatten().map(|(name, value)| tag(name, value)).collect();
    format!("<member>{fields}</member>")
}

pub(crate) fn resource((logical, kind, physical): &(&str, &str, &str), status: Option<&str>) -> String {
    let status = status.unwrap_or("CREATE_COMPLETE");
    format!(
        "<member><LogicalResourceId>{logical}</LogicalResourceId><ResourceType>{kind}</ResourceType>\
         <PhysicalResourceId>{physical}</PhysicalResourceId><ResourceStatus>{status}</ResourceStatus></member>"
    )
}

pub(crate) fn summary((name, age): &(&str, u64)) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let made = aws_smithy_types::DateTime::from_secs(i64::try_from(now - age).unwrap_or_default());
    let made = made.fmt(aws_smithy_types::date_time::Format::DateTime).unwrap_or_default();
    format!(
        "<member><ChangeSetId>arn:{name}</ChangeSetId><ChangeSetName>{name}</ChangeSetName>\
         <ExecutionStatus>AVAILABLE</ExecutionStatus><CreationTime>{made}</CreationTime></member>"
    )
}

pub(crate) fn change_set(script: &Script) -> (u16, String) {
    let (current, mode) = (script.current.as_ref(), script.deployment_mode.as_str());
    let execution = if script.obsolete { "OBSOLETE" } else { "AVAILABLE" };
    let value = |index: usize, name: &str| script.made.get(&format!("Parameters.member.{index}.{name}")).cloned();
    let parameters: String = (1..)
        .map_while(|index| Some((value(index, "ParameterKey")?, value(index, "ParameterValue").unwrap_or_default())))
        .map(|(name, value)| element("member", &(text("ParameterKey", &name) + &text("ParameterValue", &value))))
        .collect();
    let mut reply = if mode.is_empty() { String::new() } else { element("DeploymentMode", mode) };
    reply.push_str(&(element("StackId", STACK_ID) + &element("Parameters", &parameters)));
    match current {
        None => reply.push_str("<Status>FAILED</Status><StatusReason>The submitted information didn't contain changes. Submit different information to create a change set.</StatusReason>"),
        Some(ChangeSet::Fails(reason)) => {
            let _ = write!(reply, "<Status>FAILED</Status><StatusReason>{}</StatusReason>", escape(reason));
        }
        Some(ChangeSet::Changes(changes)) => {
            let _ = write!(reply, "<Status>CREATE_COMPLETE</Status><ExecutionStatus>{execution}</ExecutionStatus><Changes>");
            for change in changes {
                let _ = write!(reply, "<member><Type>Resource</Type><ResourceChange>{}</ResourceChange></member>", nested(change));
            }
            reply.push_str("</Changes>");
        }
    }
    ok("DescribeChangeSet", &reply)
}

/// The list of a bucket's objects, with one version of each key.
pub(crate) fn objects(list: &str, kind: &str, keys: &[&str]) -> String {
    let object = |key: &&str| element(kind, &format!("<Key>{key}</Key><VersionId>null</VersionId>"));
    let objects: String = keys.iter().map(object).collect();
    element(list, &format!("<IsTruncated>false</IsTruncated>{objects}"))
}

/// The result of a hook.
pub(crate) fn annotations(annotations: &[Value]) -> String {
    let members: String = annotations.iter().map(|annotation| element("member", &nested(annotation))).collect();
    element("Annotations", &members)
}

pub(crate) fn hook_results(ids: &[&str]) -> String {
    let member = |id: &&str| {
        element("member", &format!("<HookResultId>{id}</HookResultId><Status>HOOK_COMPLETE_FAILED</Status>"))
    };
    element("HookResults", &ids.iter().map(member).collect::<String>())
}

fn element(name: &str, content: &str) -> String {
    format!("<{name}>{content}</{name}>")
}

fn nested(value: &Value) -> String {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| element(name, &nested(value))).collect(),
        Value::Array(items) => items.iter().map(|item| element("member", &nested(item))).collect(),
        Value::String(text) => escape(text),
        other => other.to_string(),
    }
}

fn tag(name: &str, value: &Value) -> String {
    value.as_str().map(|text| format!("<{name}>{}</{name}>", escape(text))).unwrap_or_default()
}

fn time(value: &Value) -> String {
    let at = aws_smithy_types::DateTime::from_millis(value.as_i64().unwrap_or_default());
    format!("<Timestamp>{}</Timestamp>", at.fmt(aws_smithy_types::date_time::Format::DateTime).unwrap_or_default())
}

/// An element with text.
pub(crate) fn text(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
