//! Least privilege: without any single action of the role in `templates/stack.yaml`, a record fails, and its message
//! names the action.

mod support;

use std::collections::BTreeSet;

use function::Outcome;
use support::model::{Model, Versioning};

/// The actions that the function does not use itself, and who does.
const USED_BY_LAMBDA: [(&str, &str); 7] = [
    ("logs:CreateLogStream", "Lambda writes the log: Lambda Developer Guide, execution role"),
    ("logs:PutLogEvents", "Lambda writes the log: Lambda Developer Guide, execution role"),
    ("sqs:SendMessage", "Lambda sends failed events: Lambda Developer Guide, destinations"),
    ("sqs:ReceiveMessage", "the event source mapping polls the queue: Lambda Developer Guide, using Lambda with SQS"),
    ("sqs:DeleteMessage", "the event source mapping polls the queue: Lambda Developer Guide, using Lambda with SQS"),
    (
        "sqs:GetQueueAttributes",
        "the event source mapping polls the queue: Lambda Developer Guide, using Lambda with SQS",
    ),
    (
        "kms:Decrypt",
        "S3 decrypts pictures on behalf of the caller: S3 User Guide, SSE-KMS; contract.rs has its message",
    ),
];

const USED: [&str; 7] = [
    "dynamodb:DeleteItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "rekognition:DetectFaces",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:ListBucket",
];

/// The messages of the records that fail if the role lacks an action: of an upload, of another one in its place, and of
/// its removal.
async fn failures(versioning: Versioning, denied: &'static str) -> Vec<String> {
    let model = Model::new(versioning);
    let mut failures = Vec::new();
    let events: [fn(&Model) -> serde_json::Value; 3] =
        [|model| model.world().put(3), |model| model.world().put(1), |model| model.world().delete()];
    for (number, event) in events.into_iter().enumerate() {
        let event = event(&model);
        if number == 0 {
            // So that there is something to replace and to remove.
            model.handle(&event, None).await;
        }
        model.world().denied = Some(denied);
        let outcome = model.handle(&event, None).await.records.remove(0).outcome;
        if let Outcome::Failed(failure) = outcome {
            failures.push(failure.message);
        }
        model.world().denied = None;
        model.handle(&event, None).await;
    }
    failures
}

#[tokio::test]
async fn each_action_of_the_role_is_needed_and_named_when_it_is_denied() {
    for action in USED {
        let mut messages = failures(Versioning::Off, action).await;
        messages.extend(failures(Versioning::Enabled, action).await);
        assert!(!messages.is_empty(), "nothing fails without {action}");
        for message in messages {
            assert!(message.contains(action), "without {action}: {message}");
        }
    }
}

#[test]
fn the_role_has_no_other_action() {
    let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../templates/stack.yaml")).unwrap();
    let (_, policy) = template.split_once("PolicyName: face-recognition").unwrap();
    let (policy, _) = policy.split_once("\n  Table:\n").unwrap();
    let actions = policy.lines().filter_map(|line| {
        let text = line.trim();
        let text = text.strip_prefix("Action: ").or_else(|| text.strip_prefix("- "))?;
        let (service, action) = text.split_once(':')?;
        let is_word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
        (is_word(service) && is_word(action)).then_some(text)
    });
    let explained: BTreeSet<&str> = USED.into_iter().chain(USED_BY_LAMBDA.map(|(action, _)| action)).collect();
    assert_eq!(actions.collect::<BTreeSet<_>>(), explained);
}
