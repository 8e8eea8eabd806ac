//! Tests of the decoder: documents as S3, SNS, SQS, and EventBridge send them, and damaged ones.

use serde_json::json;

use super::*;

/// A record as S3 sends it.
fn record(change: impl FnOnce(&mut Value)) -> Value {
    let mut record = json!({
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
        "eventTime": "2026-11-23T10:20:30.456Z", "eventName": "ObjectCreated:Put",
        "userIdentity": { "principalId": "AWS:X" }, "requestParameters": { "sourceIPAddress": "192.0.2.1" },
        "responseElements": { "x-amz-request-id": "1" },
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": "faces",
            "bucket": { "name": "pictures", "ownerIdentity": { "principalId": "X" }, "arn": "arn:aws:s3:::pictures" },
            "object": { "key": "a.jpg", "size": 1024, "eTag": "0123", "versionId": "v", "sequencer": "00" },
        },
    });
    change(&mut record);
    record
}

/// An event as EventBridge sends it.
fn eventbridge(change: impl FnOnce(&mut Value)) -> Value {
    let mut event = json!({
        "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created",
        "source": "aws.s3", "account": "111122223333", "time": "2026-11-23T10:20:30Z", "region": "eu-west-1",
        "resources": ["arn:aws:s3:::pictures"],
        "detail": {
            "version": "0", "bucket": { "name": "pictures" },
            "object": { "key": "a.jpg", "size": 5, "etag": "0123", "version-id": "v", "sequencer": "00" },
            "request-id": "1", "requester": "111122223333", "source-ip-address": "192.0.2.1", "reason": "PutObject",
        },
    });
    change(&mut event);
    event
}

fn s3(record: Value) -> Value {
    Value::from_iter([("Records", vec![record])])
}

/// The event that Lambda receives from SNS.
fn sns(message: &str) -> Value {
    json!({ "Records": [{
        "EventVersion": "1.0", "EventSource": "aws:sns", "EventSubscriptionArn": "arn:aws:sns:eu-west-1:1:t:1",
        "Sns": { "Type": "Notification", "MessageId": "1", "Subject": "Amazon S3 Notification", "Message": message },
    }] })
}

/// The text that SNS puts into SQS.
fn envelope(message: &str) -> Value {
    json!({ "Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": message })
}

/// The event that Lambda receives from SQS.
fn sqs(bodies: &[(&str, String)]) -> Value {
    let message = |(id, body): &(&str, String)| {
        let source = "aws:sqs";
        json!({ "messageId": id, "receiptHandle": "h", "body": body, "eventSource": source })
    };
    json!({ "Records": bodies.iter().map(message).collect::<Vec<_>>() })
}

fn only(event: &Value) -> Result<Notification, Malformed> {
    let mut records = decode(event).records;
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0).notification
}

fn created(key: &str) -> Notification {
    Notification {
        change: Change::Created,
        region: Some("eu-west-1".into()),
        bucket: "pictures".into(),
        key: key.into(),
        version: Some("v".into()),
        etag: Some("0123".into()),
        time: Some(DateTime::from_millis(1_795_429_230_456)),
    }
}

#[test]
fn a_complete_record_is_decoded() {
    assert_eq!(only(&s3(record(|_| ()))).unwrap(), created("a.jpg"));
    let expected = Notification { time: Some(DateTime::from_secs(1_795_429_230)), ..created("a.jpg") };
    assert_eq!(only(&eventbridge(|_| ())).unwrap(), expected);
}

#[test]
fn only_s3_encodes_keys_and_they_are_decoded_once() {
    let check = |encoded: &str, expected: &str| {
        assert_eq!(only(&s3(record(|r| r["s3"]["object"]["key"] = encoded.into()))).unwrap().key, expected);
        assert_eq!(only(&eventbridge(|e| e["detail"]["object"]["key"] = encoded.into())).unwrap().key, encoded);
    };
    check("plain.jpg", "plain.jpg");
    check("a+b.jpg", "a b.jpg");
    check("a%2Bb.jpg", "a+b.jpg");
    check("a%252Bb.jpg", "a%2Bb.jpg");
    check("%C3%BC/%F0%9F%98%80.png", "ü/😀.png");
    check("100%.jpg", "100%.jpg");
    check("a%00b", "a\0b");
}

#[test]
fn the_name_of_an_event_says_what_happened() {
    let check = |name: Value, expected: Change| {
        assert_eq!(only(&s3(record(|r| r["eventName"] = name.clone()))).unwrap().change, expected, "{name}");
    };
    check("ObjectCreated:Put".into(), Change::Created);
    check("s3:ObjectCreated:CompleteMultipartUpload".into(), Change::Created);
    check("".into(), Change::Created);
    check(Value::Null, Change::Created);
    check(1.into(), Change::Created);
    check("ObjectRemoved:Delete".into(), Change::Removed);
    check("ObjectRemoved:DeleteMarkerCreated".into(), Change::Removed);
    check("s3:LifecycleExpiration:Delete".into(), Change::Removed);
    check("LifecycleExpiration:DeleteMarkerCreated".into(), Change::Removed);
    check("ObjectRestore:Completed".into(), Change::Other);
    check("ObjectTagging:Put".into(), Change::Other);
    check("ObjectCreated".into(), Change::Other);
    let check = |name: Value, expected: Change| {
        assert_eq!(only(&eventbridge(|e| e["detail-type"] = name.clone())).unwrap().change, expected, "{name}");
    };
    check("Object Created".into(), Change::Created);
    check("Object Deleted".into(), Change::Removed);
    check("Object Restore Completed".into(), Change::Other);
    check(Value::Null, Change::Other);
}

#[test]
fn irrelevant_members_may_be_missing_or_unusual() {
    let check = |change: fn(&mut Value)| assert_eq!(only(&s3(record(change))).unwrap().key, "a.jpg");
    check(|r| r["eventVersion"] = "2.9".into());
    check(|r| r["userIdentity"] = Value::Null);
    check(|r| drop(r.as_object_mut().unwrap().remove("userIdentity")));
    check(|r| r["requestParameters"] = json!([1]));
    check(|r| r["responseElements"] = json!({ "a": 1 }));
    check(|r| r["s3"]["object"]["sequencer"] = 7.into());
    check(|r| r["s3"]["object"]["size"] = "huge".into());
    check(|r| r["s3"]["bucket"]["ownerIdentity"] = 3.into());
    check(|r| r["glacierEventData"] = json!({ "new": true }));
    check(|r| r["awsRegion"] = 1.into());
    let check = |change: fn(&mut Value)| assert_eq!(only(&eventbridge(change)).unwrap().key, "a.jpg");
    check(|e| e["version"] = 1.into());
    check(|e| e["detail"]["reason"] = "CopyObject".into());
    check(|e| e["resources"] = Value::Null);
}

#[test]
fn a_time_that_cannot_be_parsed_is_ignored() {
    let check = |time: Value, expected: Option<i64>| {
        let notification = only(&s3(record(|r| r["eventTime"] = time))).unwrap();
        assert_eq!(notification.time.map(|time| time.secs()), expected);
    };
    check("2026-11-23T10:20:30Z".into(), Some(1_795_429_230));
    check("2026-11-23T11:20:30+01:00".into(), Some(1_795_429_230));
    check("yesterday".into(), None);
    check(1_795_429_230.into(), None);
    check(Value::Null, None);
}

#[test]
fn version_and_entity_tag_are_optional() {
    let check = |version: Value, etag: Value, expected: (Option<&str>, Option<&str>)| {
        let from_s3 = s3(record(|r| {
            r["s3"]["object"]["versionId"] = version.clone();
            r["s3"]["object"]["eTag"] = etag.clone();
        }));
        let from_eventbridge = eventbridge(|e| {
            e["detail"]["object"]["version-id"] = version;
            e["detail"]["object"]["etag"] = etag;
        });
        for event in [from_s3, from_eventbridge] {
            let notification = only(&event).unwrap();
            assert_eq!((notification.version.as_deref(), notification.etag.as_deref()), expected);
        }
    };
    check(Value::Null, "0123".into(), (None, Some("0123")));
    check("".into(), "\"0123\"".into(), (None, Some("0123")));
    check("null".into(), "W/\"0123\"".into(), (Some("null"), Some("0123")));
    check("v".into(), Value::Null, (Some("v"), None));
    check(Value::Null, "\"\"".into(), (None, None));
}

#[test]
fn members_that_identify_the_object_must_be_valid() {
    let check = |change: fn(&mut Value), expected: Malformed| {
        assert_eq!(only(&s3(record(change))), Err(expected));
    };
    check(|r| r["s3"] = Value::Null, Malformed::Member("s3.object.key"));
    check(|r| *r = "text".into(), Malformed::Member("s3.object.key"));
    check(|r| r["s3"]["object"]["key"] = 5.into(), Malformed::Member("s3.object.key"));
    check(|r| r["s3"]["object"]["key"] = "".into(), Malformed::Member("s3.object.key"));
    check(|r| r["s3"]["object"]["versionId"] = 5.into(), Malformed::Member("s3.object.versionId"));
    check(|r| r["s3"]["object"]["eTag"] = json!(["0123"]), Malformed::Member("s3.object.eTag"));
    check(|r| r["s3"]["bucket"]["name"] = Value::Null, Malformed::Member("s3.bucket.name"));
    check(|r| r["s3"]["object"]["key"] = "%FF%FE.jpg".into(), Malformed::Key);
    let check = |change: fn(&mut Value), expected: &'static str| {
        assert_eq!(only(&eventbridge(change)), Err(Malformed::Member(expected)));
    };
    check(|e| e["detail"] = Value::Null, "detail.bucket.name");
    check(|e| e["detail"]["object"]["key"] = 5.into(), "detail.object.key");
    check(|e| e["detail"]["object"]["version-id"] = 5.into(), "detail.object.version-id");
    check(|e| e["detail"]["object"]["etag"] = 5.into(), "detail.object.etag");
}

#[test]
fn a_document_of_another_kind_is_an_error() {
    let check = |event: Value, expected: Result<usize, Malformed>| {
        let records = decode(&event).records;
        match expected {
            Ok(count) => assert_eq!(records.len(), count),
            Err(malformed) => assert_eq!(only(&event), Err(malformed)),
        }
    };
    check(json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "pictures" }), Ok(0));
    check(json!({ "Records": [] }), Ok(0));
    check(json!({ "Records": [record(|_| ()), 5, record(|_| ())] }), Ok(3));
    check(json!({ "Records": {} }), Err(Malformed::Unrecognized));
    check(json!({}), Err(Malformed::Unrecognized));
    check(json!([1, 2]), Err(Malformed::Unrecognized));
    check(Value::Null, Err(Malformed::Unrecognized));
    check(eventbridge(|e| e["source"] = "aws.ec2".into()), Err(Malformed::Unrecognized));
    check(sns("no JSON"), Err(Malformed::NotJson));
    check(sns("{}"), Err(Malformed::Unrecognized));
    check(json!({ "Records": [{ "Sns": {} }] }), Err(Malformed::Member("Sns.Message")));
    check(json!({ "Type": "Notification" }), Err(Malformed::Member("Message")));
    check(sqs(&[("1", String::new())]), Err(Malformed::NotJson));
    check(json!({ "Records": [{ "eventSource": "aws:sqs" }] }), Err(Malformed::Member("body")));
    check(sqs(&[("1", sqs(&[("2", "{}".into())]).to_string())]), Err(Malformed::Member("s3.object.key")));
    check(json!({ "Records": vec![json!(0); 1_000] }), Ok(1_000));
    check(json!({ "Records": vec![json!(0); 1_001] }), Err(Malformed::TooMany { count: 1_001, limit: 1_000 }));
}

#[test]
fn messages_may_be_nested_three_deep() {
    let upload = s3(record(|_| ())).to_string();
    let deep = |levels: usize| (0..levels).fold(upload.clone(), |message, _| envelope(&message).to_string());
    assert_eq!(only(&sns(&deep(2))).unwrap(), created("a.jpg"));
    assert_eq!(only(&sns(&deep(3))), Err(Malformed::TooDeep(3)));
    assert_eq!(only(&sqs(&[("1", deep(2))])).unwrap(), created("a.jpg"));
    assert_eq!(only(&sqs(&[("1", deep(3))])), Err(Malformed::TooDeep(3)));
}

#[test]
fn a_batch_keeps_each_message_with_its_records() {
    let (one, two) = (s3(record(|_| ())), json!({ "Records": [record(|_| ()), 5] }));
    let test = json!({ "Event": "s3:TestEvent" });
    let bodies = [
        ("a", one.to_string()),
        ("b", "no JSON".to_owned()),
        ("c", envelope(&test.to_string()).to_string()),
        ("d", sns(&two.to_string()).to_string()),
        ("e", eventbridge(|e| e["detail"]["object"]["key"] = "b+c.jpg".into()).to_string()),
    ];
    let event = decode(&sqs(&bodies));
    assert!(event.is_batch);
    let records: Vec<_> = event
        .records
        .iter()
        .map(|record| {
            let key = record.notification.as_ref().map(|notification| notification.key.as_str());
            (record.message_id.as_deref().unwrap(), key.map_err(Clone::clone))
        })
        .collect();
    let malformed = Malformed::Member("s3.object.key");
    let expected = [
        ("a", Ok("a.jpg")),
        ("b", Err(Malformed::NotJson)),
        ("d", Ok("a.jpg")),
        ("d", Err(malformed)),
        ("e", Ok("b+c.jpg")),
    ];
    assert_eq!(records, expected);
    assert!(!decode(&one).is_batch);
}

#[test]
fn messages_beyond_the_limit_fail_alone() {
    let large = json!({ "Records": vec![json!(0); 999] }).to_string();
    let two = json!({ "Records": [record(|_| ()), record(|_| ())] }).to_string();
    let bodies = [("a", large), ("b", two), ("c", s3(record(|_| ())).to_string())];
    let records = decode(&sqs(&bodies)).records;
    assert_eq!(records.len(), 1_001);
    for (record, message_id) in records[999..].iter().zip(["b", "c"]) {
        assert_eq!(record.notification, Err(Malformed::TooMany { count: 1_001, limit: 1_000 }));
        assert_eq!(record.message_id.as_deref(), Some(message_id));
    }
}
