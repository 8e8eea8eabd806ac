//! DynamoDB with the table of the rows and the picture table.
//!
//! Invariant: a transaction is applied completely or not at all.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The name of the picture table.
pub(crate) const PICTURES: &str = "FaceDataPictures";

/// The items of both tables in DynamoDB's JSON format.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tables {
    /// By `FaceID`.
    pub(crate) rows: BTreeMap<String, Value>,
    /// By `Picture` and `Content`.
    pub(crate) pictures: BTreeMap<(String, String), Value>,
}

impl Tables {
    /// Serves a request. Returns the status and the body of the reply.
    pub(crate) fn serve(&mut self, operation: &str, body: &Value) -> (u16, Value) {
        match operation.rsplit('.').next() {
            Some("PutItem") => self.write(&[json!({ "Put": body })], |_| {
                json!({ "__type": "aws#ConditionalCheckFailedException", "message": "The conditional request failed" })
            }),
            Some("TransactWriteItems") => {
                let actions = body["TransactItems"].as_array().unwrap();
                assert!((1..=100).contains(&actions.len()), "{} actions", actions.len());
                self.write(actions, |failed| {
                    let code = |failed: bool| if failed { "ConditionalCheckFailed" } else { "None" };
                    let reasons: Vec<_> = failed.iter().map(|&failed| json!({ "Code": code(failed) })).collect();
                    json!({ "__type": "aws#TransactionCanceledException", "CancellationReasons": reasons })
                })
            }
            Some("Query") => (200, self.query(body)),
            other => panic!("{other:?}"),
        }
    }

    fn write(&mut self, actions: &[Value], failure: impl Fn(&[bool]) -> Value) -> (u16, Value) {
        let failed: Vec<_> = actions.iter().map(|action| !self.allows(action)).collect();
        if failed.contains(&true) {
            return (400, failure(&failed));
        }
        let mut targets: Vec<_> = actions.iter().map(|action| key(operation(action))).collect();
        targets.sort();
        targets.dedup();
        assert_eq!(targets.len(), actions.len(), "a transaction must not contain an item twice");
        for action in actions {
            let target = key(operation(action));
            let item = action["Put"]["Item"].clone();
            match (target, item) {
                ((picture, Some(content)), Value::Null) => drop(self.pictures.remove(&(picture, content))),
                ((picture, Some(content)), item) => drop(self.pictures.insert((picture, content), item)),
                ((row, None), Value::Null) => drop(self.rows.remove(&row)),
                ((row, None), item) => drop(self.rows.insert(row, item)),
            }
        }
        (200, json!({}))
    }

    /// Whether the condition of an action is met. Conditions are alternatives of the two kinds that the function uses.
    fn allows(&self, action: &Value) -> bool {
        let operation = operation(action);
        let Some(condition) = operation["ConditionExpression"].as_str() else { return true };
        let (picture, content) = key(operation);
        let item = self.pictures.get(&(picture, content.unwrap()));
        condition.split(" OR ").any(|term| {
            let Some((name, value)) = term.split_once(" = ") else {
                assert_eq!(term, "attribute_not_exists(Picture)");
                return item.is_none();
            };
            let expected = &operation["ExpressionAttributeValues"][value];
            assert!(!expected.is_null(), "{operation}");
            item.is_some_and(|item| item[name] == *expected)
        })
    }

    /// One item per page, so that reading several needs several requests.
    fn query(&self, body: &Value) -> Value {
        assert_eq!((&body["TableName"], &body["ConsistentRead"]), (&json!(PICTURES), &json!(true)));
        let value = |name: &str| body["ExpressionAttributeValues"][name]["S"].as_str();
        let (picture, content) = (value(":picture").unwrap(), value(":content"));
        let terms: Vec<_> = body["KeyConditionExpression"].as_str().unwrap().split(" AND ").collect();
        assert_eq!(terms[0], "Picture = :picture");
        assert_eq!(terms.get(1), content.map(|_| &"Content = :content"));
        let start = body["ExclusiveStartKey"]["Content"]["S"].as_str().unwrap_or_default();
        let matching = |key: &&(String, String)| {
            key.0 == picture && content.is_none_or(|content| key.1 == content) && *key.1 > *start
        };
        let mut keys = self.pictures.keys().filter(matching);
        let Some(first) = keys.next() else { return json!({ "Items": [] }) };
        let last = keys.next().map(|_| json!({ "Picture": { "S": first.0 }, "Content": { "S": first.1 } }));
        json!({ "Items": [self.pictures[first]], "LastEvaluatedKey": last })
    }
}

fn operation(action: &Value) -> &Value {
    let actions = action.as_object().unwrap();
    assert_eq!(actions.len(), 1);
    actions.values().next().unwrap()
}

/// The key of an operation's item. Only the picture table has a sort key.
fn key(operation: &Value) -> (String, Option<String>) {
    let members = if operation["Item"].is_null() { &operation["Key"] } else { &operation["Item"] };
    let text = |name: &str| members[name]["S"].as_str().map(str::to_owned);
    match operation["TableName"].as_str() {
        Some(PICTURES) => (text("Picture").unwrap(), Some(text("Content").unwrap())),
        Some("FaceData") => (text("FaceID").unwrap(), None),
        other => panic!("{other:?}"),
    }
}
