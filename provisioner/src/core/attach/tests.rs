//! Tests what is attached, and the templates that attach it.

use std::collections::BTreeMap;

use super::template::{attach, attachments, rule_id};
use super::*;
use crate::core::render::Target;
use crate::core::template::{self as templates, BUILT_IN, Template};

fn location(url: &str) -> Location {
    Location::parse(url).expect(url)
}

fn attached(bucket: &str, prefixes: &[&str]) -> Attachment {
    let prefixes = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
    Attachment { bucket: bucket.to_owned(), prefixes, switched_on: false }
}

#[test]
fn locations_are_read() {
    for (url, expected) in [
        ("s3://photos", Some(("photos", ""))),
        ("s3://photos/", Some(("photos", ""))),
        ("s3://photos/2024/", Some(("photos", "2024/"))),
        ("s3://photos//2024", Some(("photos", "/2024"))),
        ("s3://my.photos-1/Größe/😀 x", Some(("my.photos-1", "Größe/😀 x"))),
        ("photos", None),
        ("", None),
        ("s3://", None),
        ("s3:///key", None),
        ("s3://Photos", None),
        ("s3://ph", None),
        ("s3://-photos", None),
        ("s3://photos.", None),
        ("S3://photos", None),
        ("https://photos.s3.amazonaws.com/", None),
        ("arn:aws:s3:::photos", None),
    ] {
        let read = Location::parse(url).ok();
        assert_eq!(read.as_ref().map(|read| (read.bucket.as_str(), read.prefix.as_str())), expected, "{url}");
    }
    assert!(Location::parse(&format!("s3://photos/{}", "x".repeat(1_025))).is_err());
    assert_eq!(location("s3://photos/a/b").to_string(), "s3://photos/a/b");
    assert_eq!(location("s3://photos/").to_string(), "s3://photos");
}

/// Checks the change of what is attached; locations are separated by spaces.
#[track_caller]
fn check(current: &[Attachment], attach: &str, detach: &str, expected: Result<&[(&str, &[&str])], &str>) {
    let locations = |urls: &str| urls.split_whitespace().map(location).collect::<Vec<_>>();
    let changed = change(current, &locations(attach), &locations(detach)).map_err(|problem| problem.to_string());
    let changed = changed.map(|all| all.into_iter().map(|one| (one.bucket, one.prefixes)).collect::<Vec<_>>());
    let expected = expected.map_err(ToOwned::to_owned).map(|all| {
        let owned = |(bucket, prefixes): &(&str, &[&str])| {
            ((*bucket).to_owned(), prefixes.iter().map(|prefix| (*prefix).to_owned()).collect())
        };
        all.iter().map(owned).collect()
    });
    assert_eq!(changed, expected, "attach {attach}, detach {detach}");
}

#[test]
fn buckets_are_attached_and_detached() {
    let two = [attached("aaa", &["x/", "y/"]), attached("bbb", &[""])];
    check(&[], "s3://aaa", "", Ok(&[("aaa", &[""])]));
    check(&[], "s3://bbb/x/ s3://aaa s3://bbb/y/", "", Ok(&[("aaa", &[""]), ("bbb", &["x/", "y/"])]));
    check(&[], "s3://aaa/x s3://aaa/xy s3://aaa/y", "", Ok(&[("aaa", &["x", "y"])]));
    check(&two, "s3://aaa", "", Ok(&[("aaa", &[""]), ("bbb", &[""])]));
    check(&two, "s3://bbb/z", "", Ok(&[("aaa", &["x/", "y/"]), ("bbb", &[""])]));
    check(&two, "", "s3://aaa", Ok(&[("bbb", &[""])]));
    check(&two, "", "s3://aaa/x/", Ok(&[("aaa", &["y/"]), ("bbb", &[""])]));
    check(&two, "", "s3://aaa/x/ s3://aaa/y/ s3://bbb", Ok(&[]));
    check(&two, "s3://ccc", "s3://aaa", Ok(&[("bbb", &[""]), ("ccc", &[""])]));
    for other in ["s3://aaa/x", "s3://bbb/x", "s3://ccc"] {
        check(&two, "", other, Ok(&[("aaa", &["x/", "y/"]), ("bbb", &[""])]));
    }
    let detach = ["s3://aaa", "s3://aaa/x/", "s3://aaa/x", "s3://bbb/", "s3://bbb/x", "s3://ccc"].map(location);
    let found: Vec<String> = not_attached(&two, &detach).map(ToString::to_string).collect();
    assert_eq!(found, ["s3://aaa/x", "s3://bbb/x", "s3://ccc"]);
    check(&two, "s3://aaa", "s3://aaa", Err("`s3://aaa` cannot be attached and detached at once"));
    for control in ['\n', '\u{1}', '\u{7f}', '\u{85}'] {
        let control = Location { bucket: "aaa".to_owned(), prefix: control.to_string() };
        let refused = change(&[], std::slice::from_ref(&control), &[]);
        assert_eq!(refused, Err(Problem::Control(control)));
    }
    for prefix in ["a*", "a?", "${b}", "$"] {
        let url = format!("s3://aaa/{prefix}");
        let error = format!("the prefix of `{url}` contains `*`, `?`, or `$`, which IAM and CloudFormation interpret");
        check(&[], &url, "", Err(&error));
    }
}

#[test]
fn twenty_buckets_are_the_limit() {
    let all: Vec<Attachment> = (0..20).map(|n| attached(&format!("bucket-{n:02}"), &[""])).collect();
    check(&all, "s3://zzz", "", Err("a stack can attach at most 20 buckets, and these would be 21"));
    assert!(change(&all, &[location("s3://zzz")], &[location("s3://bucket-07")]).is_ok());
    assert!(change(&all, &[location("s3://bucket-07/x")], &[]).is_ok());
}

#[test]
fn what_was_switched_on_stays_recorded() {
    let current = [Attachment { switched_on: true, ..attached("aaa", &["x/"]) }];
    let changed = change(&current, &[location("s3://aaa/y/"), location("s3://bbb")], &[]).expect("a change");
    assert_eq!(changed.iter().map(|one| one.switched_on).collect::<Vec<_>>(), [true, false]);
}

fn built_in() -> Template {
    templates::read(BUILT_IN).expect("the built-in template")
}

#[test]
fn a_template_remembers_what_it_attaches() {
    let wanted = [
        Attachment { switched_on: true, ..attached("aaa", &["no", "Größe/", "'\"\\{}!#\u{2028}"]) },
        attached("bbb", &[""]),
    ];
    let with = attach(&built_in(), &wanted).expect("a template");
    assert_eq!(attachments(&with), wanted);
    let read_again = templates::read(&with.body).expect("the same template");
    assert_eq!(attachments(&read_again), wanted);
    assert_eq!(attach(&read_again, &wanted).expect("the same").body, with.body);
    assert_eq!(with.parameters, built_in().parameters);
    assert!(with.is_marked());
}

#[test]
fn a_template_without_attached_buckets_stays_as_it_is() {
    assert_eq!(attach(&built_in(), &[]).expect("a template").body, BUILT_IN);
}

/// The resources of a template for its default parameters.
fn resources(template: &Template) -> BTreeMap<String, serde_json::Value> {
    let defaults = template.parameters.iter();
    let parameters = defaults.filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
    let target = Target { region: "eu-west-1", partition: "aws", account: "123456789012", stack: "faces" };
    let all = template.scope(&parameters, target).resources();
    all.into_iter().map(|resource| (resource.logical_id, resource.properties.into())).collect()
}

#[test]
fn only_what_belongs_to_an_attached_bucket_comes_and_goes() {
    let with = attach(&built_in(), &[attached("aaa", &["x/"]), attached("bbb", &[""])]).expect("a template");
    let (before, mut during) = (resources(&built_in()), resources(&with));
    let after = resources(&attach(&with, &[]).expect("a template"));
    assert_eq!(before, after);
    for id in [rule_id("aaa"), rule_id("bbb")] {
        assert!(during.remove(&id).is_some(), "{id}");
        assert!(during.remove(&format!("{id}Permission")).is_some(), "{id}");
    }
    assert!(during.remove("AttachedFailures").is_some());
    let role = during.insert("Role".to_owned(), before["Role"].clone()).expect("a role");
    assert_eq!(during, before);
    let statements = role["Policies"][0]["PolicyDocument"]["Statement"].as_array().expect("statements");
    let of = |sid: &str| statements.iter().find(|statement| statement["Sid"] == sid).expect(sid);
    let pictures = serde_json::json!(["arn:aws:s3:::aaa/x/*", "arn:aws:s3:::bbb/*"]);
    assert_eq!(of("ReadAttachedPictures")["Resource"], pictures);
    let buckets = serde_json::json!(["arn:aws:s3:::aaa", "arn:aws:s3:::bbb"]);
    assert_eq!(of("TellGoneFromForbiddenIfAttached")["Resource"], buckets);
}

#[test]
fn a_role_cannot_name_every_character() {
    let with = attach(&built_in(), &[attached("aaa", &["фото/2024/", "Größe/"])]).expect("a template");
    let role = resources(&with)["Role"].to_string();
    assert!(role.contains("arn:aws:s3:::aaa/*/2024/*") && role.contains("arn:aws:s3:::aaa/Größe/*"), "{role}");
    let rule = &resources(&with)[&rule_id("aaa")];
    assert_eq!(rule["EventPattern"]["detail"]["object"]["key"][0]["prefix"], "фото/2024/");
}

#[test]
fn limits_are_found_before_aws_does() {
    let twenty: Vec<Attachment> =
        (0..20).map(|n| attached(&format!("{}-{n:02}", "bucket".repeat(10)), &["2024/"])).collect();
    let template = attach(&built_in(), &twenty).expect("twenty buckets with long names fit");
    assert_eq!(attachments(&template).len(), 20);
    let long = |length: usize, count: usize| {
        let prefixes: Vec<String> = (0..count).map(|n| format!("{n:02}{}", "x".repeat(length))).collect();
        Attachment { bucket: "aaa".to_owned(), prefixes, switched_on: false }
    };
    for (wanted, expected) in [
        (vec![long(200, 12)], "rule"),
        (vec![long(1_000, 2)], "rule"),
        ((0..15).map(|n| Attachment { bucket: format!("bucket-{n}"), ..long(600, 1) }).collect(), "role"),
    ] {
        let problem = attach(&built_in(), &wanted).expect_err(expected).to_string();
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn another_template_needs_a_function_and_its_role() {
    for (text, expected) in [
        ("Resources: {A: {Type: x}}", "`Function`"),
        ("Resources: {Function: {Type: x}}", "`Role` with an inline policy"),
        ("Resources: {Function: {Type: x}, Role: {Properties: {Policies: []}}}", "`Role` with an inline policy"),
    ] {
        let template = templates::read(text).expect(text);
        let problem = attach(&template, &[attached("aaa", &[""])]).expect_err(text).to_string();
        assert!(problem.contains(expected), "{problem}");
    }
    let least = "Resources: {Function: {Type: x}, Role: {Properties: {Policies: [{PolicyDocument: {Statement: []}}]}}}";
    let with = attach(&templates::read(least).expect(least), &[attached("aaa", &[""])]).expect(least);
    assert!(!with.body.contains("Queue") && !with.body.contains("ErasesRows"), "{}", with.body);
}
