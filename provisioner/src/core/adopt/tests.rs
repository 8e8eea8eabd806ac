//! Adoption against the built-in template: what changes, what is worse afterwards, and what the import contains.

use super::bucket::{Access, Encryption, Notification, Notifications};
use super::lifecycle::{Action, Objects, Rule, When};
use super::*;
use crate::core::plan::Effect;
use crate::core::render::Target;
use crate::core::template::{self, BUILT_IN, Template};

const TARGET: Target<'_> = Target { region: "eu-west-1", partition: "aws", account: "123456789012", stack: "faces" };
const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1";
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:faces";

fn built_in() -> Template {
    template::read(BUILT_IN).expect("templates/stack.yaml")
}

/// The parameters of a new stack, with some values of the user's.
fn parameters(template: &Template, chosen: &[(&str, &str)]) -> BTreeMap<String, String> {
    let defaults = template.parameters.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
    defaults.chain(chosen.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).collect()
}

/// A table as the template creates it.
fn table() -> table::Settings {
    table::Settings {
        key: vec![("FaceID".to_owned(), "S".to_owned())],
        encryption: table::Encryption::Kms(Some(KEY.to_owned())),
        ..table::Settings::default()
    }
}

/// A bucket as the template creates it, with what S3 adds.
fn bucket() -> bucket::Settings {
    let blocked = ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"];
    bucket::Settings {
        encryption: Some(Encryption::new("AES256".to_owned(), None, true)),
        versioning: None,
        ownership: Some("BucketOwnerEnforced".to_owned()),
        public_access_block: Some(blocked.into_iter().map(ToOwned::to_owned).collect()),
        lifecycle: Some(vec![rule("abort-incomplete-uploads", Action::Abort(7))]),
        notifications: Some(Notifications { targets: vec![notification(FUNCTION)], event_bridge: false }),
        cors: None,
    }
}

fn rule(id: &str, action: Action) -> Rule {
    Rule { id: id.to_owned(), enabled: true, objects: Objects::default(), actions: vec![action] }
}

fn notification(target: &str) -> Notification {
    Notification { target: target.to_owned(), event: "s3:ObjectCreated:*".to_owned(), filter: Vec::new() }
}

fn existing(settings: Settings) -> Existing {
    let logical_id = if matches!(settings, Settings::Bucket(..)) { "Bucket" } else { "Table" };
    Existing { logical_id: logical_id.to_owned(), name: "mine".to_owned(), settings }
}

/// What adopting something changes, in the words that a user sees.
fn changes(settings: Settings, chosen: &[(&str, &str)]) -> Vec<String> {
    let template = built_in();
    let parameters = parameters(&template, chosen);
    let adoption = adoption(&template.scope(&parameters, TARGET), &[existing(settings)]);
    let words = |change: &Property| {
        let effect = change.effect.map(|effect| format!(" {effect:?}")).unwrap_or_default();
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
        let name = change.path.trim_start_matches("/Properties/");
        format!("{name}: {} → {}{effect}", side(&change.before), side(&change.after))
    };
    adoption.changes[0].1.iter().map(words).collect()
}

fn bucket_changes(change: impl FnOnce(&mut bucket::Settings, &mut Access), chosen: &[(&str, &str)]) -> Vec<String> {
    let (mut bucket, mut access) = (bucket(), Access::default());
    change(&mut bucket, &mut access);
    changes(Settings::Bucket(Box::new(bucket), access), chosen)
}

fn table_changes(change: impl FnOnce(&mut table::Settings), chosen: &[(&str, &str)]) -> Vec<String> {
    let mut table = table();
    change(&mut table);
    changes(Settings::Table(table, None), chosen)
}

#[test]
fn what_the_template_created_does_not_change() {
    assert!(bucket_changes(|_, _| {}, &[]).iter().all(|change| change.starts_with("VersioningConfiguration")));
    assert!(table_changes(|_| {}, &[]).is_empty());
}

#[test]
fn every_setting_of_a_bucket_before_and_after() {
    type Change = fn(&mut bucket::Settings, &mut Access);
    let cases: [(Change, &[&str]); 11] = [
        (
            |bucket, _| bucket.encryption = Some(Encryption::new("aws:kms".into(), Some(KEY.into()), true)),
            &["BucketEncryption: aws:kms with arn:aws:kms:eu-west-1:123456789012:key/1, bucket key → AES256 Weakens"],
        ),
        (
            |bucket, _| bucket.encryption = Some(Encryption::new("aws:kms".into(), None, false)),
            &["BucketEncryption: aws:kms with AWS's own key → AES256 Weakens"],
        ),
        (
            |bucket, access| {
                bucket.ownership = None;
                access.grants = vec!["READ for group AllUsers".into()];
            },
            &[
                "OwnershipControls: ObjectWriter → BucketOwnerEnforced",
                "AccessControl: READ for group AllUsers → (none) Removes",
            ],
        ),
        (|bucket, _| bucket.public_access_block = None, &["PublicAccessBlockConfiguration: (none) → all blocked"]),
        (
            |bucket, access| {
                bucket.public_access_block = Some(["BlockPublicAcls".to_owned()].into());
                (access.has_policy, access.is_public) = (true, true);
            },
            &["PublicAccessBlockConfiguration: BlockPublicAcls → all blocked Removes"],
        ),
        (
            |bucket, _| bucket.lifecycle = Some(vec![rule("old", Action::Expire(When::Days(30)))]),
            &[
                "LifecycleConfiguration: `old`: delete after 30 days → (none) Removes",
                "LifecycleConfiguration: (none) → `abort-incomplete-uploads`: abort unfinished uploads after 7 days",
            ],
        ),
        (
            |bucket, _| bucket.lifecycle = Some(vec![rule("abort-incomplete-uploads", Action::Abort(1))]),
            &["LifecycleConfiguration: `abort-incomplete-uploads`: abort unfinished uploads after 1 day → \
               `abort-incomplete-uploads`: abort unfinished uploads after 7 days Removes"],
        ),
        (
            |bucket, _| {
                let targets = vec![notification("arn:aws:sqs:eu-west-1:123456789012:q")];
                bucket.notifications = Some(Notifications { targets, event_bridge: true });
            },
            &[
                "NotificationConfiguration: s3:ObjectCreated:* to arn:aws:sqs:eu-west-1:123456789012:q → (none) Removes",
                "NotificationConfiguration: (none) → s3:ObjectCreated:* to arn:aws:lambda:eu-west-1:123456789012:function:faces",
                "NotificationConfiguration: all events to EventBridge → (none) Removes",
            ],
        ),
        (
            |bucket, _| {
                let mut narrower = notification(FUNCTION);
                narrower.filter = vec!["prefix a/".into()];
                bucket.notifications = Some(Notifications { targets: vec![narrower], event_bridge: false });
            },
            &[
                "NotificationConfiguration: s3:ObjectCreated:* to arn:aws:lambda:eu-west-1:123456789012:function:faces (prefix a/) → (none)",
                "NotificationConfiguration: (none) → s3:ObjectCreated:* to arn:aws:lambda:eu-west-1:123456789012:function:faces",
            ],
        ),
        (|bucket, _| bucket.cors = Some(vec!["GET from *".into()]), &[]),
        (|bucket, _| bucket.ownership = Some("BucketOwnerEnforced".into()), &[]),
    ];
    for (change, expected) in cases {
        let mut found = bucket_changes(change, &[]);
        found.retain(|change| !change.starts_with("VersioningConfiguration"));
        assert_eq!(found, expected);
    }
}

#[test]
fn versioning_is_not_switched_off_silently() {
    let enabled = |bucket: &mut bucket::Settings, _: &mut Access| bucket.versioning = Some("Enabled".into());
    assert!(bucket_changes(enabled, &[("Versioning", "yes")]).is_empty());
    assert_eq!(bucket_changes(|_, _| {}, &[("Versioning", "yes")]), ["VersioningConfiguration: (none) → Enabled"]);
}

#[test]
fn every_setting_of_a_table_before_and_after() {
    type Change = fn(&mut table::Settings);
    type Chosen = &'static [(&'static str, &'static str)];
    let cases: [(Change, Chosen, &[&str]); 7] = [
        (
            |table| table.provisioned = Some((5, 3)),
            &[],
            &["BillingMode: provisioned, 5 read and 3 write units → on demand Weakens"],
        ),
        (
            |table| table.encryption = table::Encryption::Owned,
            &[],
            &["SSESpecification: a key that DynamoDB owns → AWS's own key in KMS"],
        ),
        (
            |table| table.time_to_live = Some("ExpiresAt".into()),
            &[("RetentionDays", "0")],
            &["TimeToLiveSpecification: rows expire by `ExpiresAt` → (none) Weakens"],
        ),
        (|table| table.time_to_live = Some("ExpiresAt".into()), &[("RetentionDays", "30")], &[]),
        (|_| {}, &[("RetentionDays", "30")], &["TimeToLiveSpecification: (none) → rows expire by `ExpiresAt`"]),
        (
            |table| table.recovery_days = Some(35),
            &[],
            &["PointInTimeRecoverySpecification: backups of 35 days → (none) Weakens"],
        ),
        (
            |table| table.recovery_days = Some(7),
            &[("PointInTimeRecovery", "yes")],
            &["PointInTimeRecoverySpecification: backups of 7 days → backups of 35 days"],
        ),
    ];
    for (change, chosen, expected) in cases {
        assert_eq!(table_changes(change, chosen), expected, "{chosen:?}");
    }
}

#[test]
fn another_template_may_weaken_more() {
    let text = "
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: mine
      OwnershipControls: {Rules: [{ObjectOwnership: ObjectWriter}]}
      PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: false}
      CorsConfiguration: {CorsRules: [{AllowedMethods: [GET], AllowedOrigins: ['*'], MaxAge: 5}]}
      BucketEncryption:
        ServerSideEncryptionConfiguration:
          - ServerSideEncryptionByDefault: {SSEAlgorithm: aws:kms, KMSMasterKeyID: other}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: mine
      KeySchema: [{AttributeName: FaceID, KeyType: HASH}]
      AttributeDefinitions: [{AttributeName: FaceID, AttributeType: S}]
      DeletionProtectionEnabled: false
      SSESpecification: {SSEEnabled: true, KMSMasterKeyId: other}
";
    let template = template::read(text).expect("a template");
    let parameters = BTreeMap::new();
    let scope = template.scope(&parameters, TARGET);
    let mut bucket = bucket();
    bucket.encryption = Some(Encryption::new("aws:kms".into(), Some(KEY.into()), false));
    bucket.cors = Some(vec!["PUT from *".into()]);
    let table = table::Settings { is_protected: true, ..table() };
    let both =
        [existing(Settings::Bucket(Box::new(bucket), Access::default())), existing(Settings::Table(table, None))];
    let adoption = adoption(&scope, &both);
    let effects: Vec<(&str, Option<Effect>)> = adoption
        .changes
        .iter()
        .flat_map(|(_, changes)| changes.iter().map(|one| (one.path.trim_start_matches("/Properties/"), one.effect)))
        .collect();
    let (weakens, removes) = (Some(Effect::Weakens), Some(Effect::Removes));
    assert_eq!(
        effects,
        [
            ("BucketEncryption", weakens),
            ("OwnershipControls", weakens),
            ("PublicAccessBlockConfiguration", weakens),
            ("CorsConfiguration", removes),
            ("CorsConfiguration", None),
            // Without a billing mode, the table would be provisioned.
            ("BillingMode", weakens),
            ("SSESpecification", weakens),
            ("DeletionProtectionEnabled", weakens),
        ]
    );
    let document: Json = serde_json::from_str(&adoption.body).expect("JSON");
    let table = &document["Resources"]["Table"]["Properties"];
    assert_eq!(table["SSESpecification"]["KMSMasterKeyId"], KEY, "the import declares what the table has");
    assert_eq!(table["DeletionProtectionEnabled"], true);
}

#[test]
fn only_what_is_imported_is_reduced_to_its_name() {
    let template = built_in();
    let parameters = parameters(&template, &[]);
    let scope = template.scope(&parameters, TARGET);
    let bucket = || existing(Settings::Bucket(Box::new(bucket()), Access::default()));
    let table = || existing(Settings::Table(table(), None));
    for (existing, ids) in [
        (vec![], vec![]),
        (vec![bucket()], vec!["Bucket"]),
        (vec![table()], vec!["Table"]),
        (vec![table(), bucket()], vec!["Table", "Bucket"]),
    ] {
        let adoption = adoption(&scope, &existing);
        let document: Json = serde_json::from_str(&adoption.body).expect("JSON");
        assert_eq!(adoption.changes.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ids);
        for (id, resource) in scope.document["Resources"].as_object().expect("resources") {
            let derived = &document["Resources"][id];
            assert_eq!(derived == resource, !ids.contains(&id.as_str()), "{id} with {existing:?}");
            if ids.contains(&id.as_str()) {
                assert_eq!(derived["DeletionPolicy"], "Retain", "{id}");
            }
        }
        for part in ["Parameters", "Conditions", "Rules", "Outputs"] {
            assert_eq!(document[part], scope.document[part], "{part}");
        }
    }
}

#[test]
fn an_import_declares_what_the_table_has() {
    let template = built_in();
    let none = Json::Null;
    let own = |name: &str| {
        let parameters = BTreeMap::new();
        template.scope(&parameters, TARGET).document["Resources"]["Table"]["Properties"][name].clone()
    };
    let mut on = table();
    (on.time_to_live, on.recovery_days, on.provisioned) = (Some("ExpiresAt".into()), Some(20), Some((5, 3)));
    let off = table::Settings { encryption: table::Encryption::Owned, ..table() };
    for (table, chosen, property, expected) in [
        // What is the same afterwards is declared in the template's own words, so that nothing changes.
        (&on, &[("RetentionDays", "30")] as &[_], "TimeToLiveSpecification", &own("TimeToLiveSpecification")),
        (&on, &[], "TimeToLiveSpecification", &json!({ "AttributeName": "ExpiresAt", "Enabled": true })),
        (&off, &[], "TimeToLiveSpecification", &own("TimeToLiveSpecification")),
        (&on, &[], "SSESpecification", &own("SSESpecification")),
        (&off, &[], "SSESpecification", &none),
        (
            &on,
            &[],
            "PointInTimeRecoverySpecification",
            &json!({ "PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": 20 }),
        ),
        (&off, &[], "PointInTimeRecoverySpecification", &own("PointInTimeRecoverySpecification")),
        (&on, &[], "BillingMode", &json!("PROVISIONED")),
        (&on, &[], "ProvisionedThroughput", &json!({ "ReadCapacityUnits": 5, "WriteCapacityUnits": 3 })),
        (&off, &[], "BillingMode", &json!("PAY_PER_REQUEST")),
        (&off, &[], "TableName", &json!("mine")),
        (&off, &[], "KeySchema", &json!([{ "AttributeName": "FaceID", "KeyType": "HASH" }])),
    ] {
        let parameters = parameters(&template, chosen);
        let adoption =
            adoption(&template.scope(&parameters, TARGET), &[existing(Settings::Table(table.clone(), None))]);
        let document: Json = serde_json::from_str(&adoption.body).expect("JSON");
        assert_eq!(&document["Resources"]["Table"]["Properties"][property], expected, "{property} with {chosen:?}");
    }
}

#[test]
fn a_bucket_is_imported_by_its_name_alone() {
    let template = built_in();
    let parameters = parameters(&template, &[("BucketName", "mine")]);
    let mut bucket = bucket();
    bucket.ownership = None;
    let access = Access { grants: vec!["READ for group AllUsers".into()], ..Access::default() };
    let adopted = existing(Settings::Bucket(Box::new(bucket), access));
    let adoption = adoption(&template.scope(&parameters, TARGET), &[adopted]);
    let document: Json = serde_json::from_str(&adoption.body).expect("JSON");
    let properties = document["Resources"]["Bucket"]["Properties"].as_object().expect("properties");
    assert_eq!(properties["BucketName"], "mine");
    assert!(properties.keys().all(|name| ["BucketName", "BucketNamespace"].contains(&name.as_str())), "{properties:?}");
    assert_eq!(adoption.resets_acl_of, ["mine"]);
}

/// The parameters that a bucket and a table supply in place of the defaults of a template.
fn supplied_by(existing: &[Existing], template: &Template, chosen: &[(&str, &str)]) -> String {
    let current = parameters(template, chosen);
    let chosen: Vec<_> = chosen.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let values = supplied(existing, template, &current, &chosen);
    values.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn existing_resources_supply_parameters() {
    let template = built_in();
    let table = table::Settings { time_to_live: Some("ExpiresAt".into()), recovery_days: Some(35), ..table() };
    let table = existing(Settings::Table(table, Some(30)));
    let with = |versioning: Option<&str>| {
        let bucket = bucket::Settings { versioning: versioning.map(ToOwned::to_owned), ..bucket() };
        existing(Settings::Bucket(Box::new(bucket), Access::default()))
    };
    for (versioning, chosen, expected) in [
        (Some("Enabled"), &[] as &[_], "PointInTimeRecovery=yes RetentionDays=30 Versioning=yes"),
        (Some("Suspended"), &[], "PointInTimeRecovery=yes RetentionDays=30 Versioning=suspended"),
        (None, &[], "PointInTimeRecovery=yes RetentionDays=30"),
        // Only a bucket that has had versions is told to suspend them.
        (Some("Enabled"), &[("Versioning", "no")], "PointInTimeRecovery=yes RetentionDays=30 Versioning=suspended"),
        (None, &[("Versioning", "no")], "PointInTimeRecovery=yes RetentionDays=30"),
        (Some("Suspended"), &[("Versioning", "yes")], "PointInTimeRecovery=yes RetentionDays=30"),
        (Some("Enabled"), &[("RetentionDays", "0"), ("PointInTimeRecovery", "no")], "Versioning=yes"),
    ] {
        assert_eq!(
            supplied_by(&[with(versioning), table.clone()], &template, chosen),
            expected,
            "{versioning:?} {chosen:?}"
        );
    }
}

#[test]
fn the_function_needs_the_key_of_the_bucket() {
    let template = built_in();
    let added = format!("PictureKeys={KEY}");
    let both = format!("PictureKeys={KEY}2,{KEY}");
    for (key, deployed, chosen, expected) in [
        (Some(KEY), "", &[] as &[_], added.as_str()),
        (Some(KEY), &format!("{KEY}2"), &[], &both),
        (Some(KEY), KEY, &[], ""),
        (Some(KEY), "", &[("PictureKeys", "arn:other")], ""),
        // An alias is not a resource that a role can be allowed to use.
        (Some("alias/mine"), "", &[], ""),
        (None, "", &[], ""),
    ] {
        let mut current = parameters(&template, chosen);
        if chosen.is_empty() {
            current.insert("PictureKeys".into(), deployed.to_owned());
        }
        let chosen: Vec<_> =
            chosen.iter().map(|(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned())).collect();
        let encryption = Some(Encryption::new("aws:kms".into(), key.map(ToOwned::to_owned), false));
        let bucket = bucket::Settings { encryption, ..bucket() };
        let adopted = [existing(Settings::Bucket(Box::new(bucket), Access::default()))];
        let values = supplied(&adopted, &template, &current, &chosen);
        let found: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(found.concat(), expected, "{key:?} with {deployed}");
    }
}

#[test]
fn what_cannot_be_adopted_is_named() {
    let template = built_in();
    let parameters = parameters(&template, &[]);
    let resources = template.scope(&parameters, TARGET).resources();
    let properties = &resources.iter().find(|one| one.logical_id == "Table").expect("the table").properties;
    for (key, time_to_live, expected) in [
        (vec![("FaceID", "S")], None, None),
        (vec![("FaceID", "N")], None, Some("its key is `FaceID` (N), but the rows need the key `FaceID` (S)")),
        (
            vec![("FaceID", "S"), ("At", "N")],
            None,
            Some("its key is `FaceID` (S) with `At` (N), but the rows need the key `FaceID` (S)"),
        ),
        (vec![("FaceID", "S")], Some("ExpiresAt"), None),
        (
            vec![("FaceID", "S")],
            Some("Until"),
            Some("its rows expire by the attribute `Until`, and the template's by `ExpiresAt`"),
        ),
    ] {
        let table = table::Settings {
            key: key.into_iter().map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect(),
            time_to_live: time_to_live.map(ToOwned::to_owned),
            ..table()
        };
        assert_eq!(table.obstacle(properties).as_deref(), expected);
    }
}

#[test]
fn data_is_found_by_its_name() {
    let template = built_in();
    let parameters = parameters(&template, &[("TableName", "Faces"), ("BucketPrefix", "faces")]);
    let found = declared(&template.scope(&parameters, TARGET));
    let mut names: Vec<(&str, &str)> = found.iter().map(|one| (one.logical_id.as_str(), one.name.as_str())).collect();
    names.sort_unstable();
    assert_eq!(names, [("Bucket", "faces-123456789012-eu-west-1-an"), ("Table", "Faces")]);
}
