//! The settings of a bucket, and what changes when a template's settings take the place of existing ones.
//!
//! Pure. What a template does not declare stays as it is, because `CloudFormation` does not touch it.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use serde_json::{Map, Value as Json};

use super::lifecycle::Rule;
use super::property::{change, items, text};
use crate::core::plan::{Effect, Property};

/// Settings of a bucket: those that S3 reports, or those that a template declares. If it declares none of a kind, there is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// How S3 encrypts new objects.
    pub encryption: Option<Encryption>,
    /// `Enabled` or `Suspended`; `None` if versioning was never on.
    pub versioning: Option<String>,
    /// Who owns objects that others upload, for example `BucketOwnerEnforced`.
    pub ownership: Option<String>,
    /// The flags against public access that are on.
    pub public_access_block: Option<BTreeSet<String>>,
    /// The lifecycle rules.
    pub lifecycle: Option<Vec<Rule>>,
    /// Who is notified of changes.
    pub notifications: Option<Notifications>,
    /// The CORS rules in words.
    pub cors: Option<Vec<String>>,
}

/// What a bucket has that no template replaces by a setting of the same kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// What its access control list allows others, in words.
    pub grants: Vec<String>,
    /// Whether it has a bucket policy.
    pub has_policy: bool,
    /// Whether that policy makes it public.
    pub is_public: bool,
}

/// How new objects are encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub algorithm: String,
    /// The KMS key, if not AWS's own.
    pub key: Option<String>,
    /// Whether a bucket key saves requests to KMS.
    pub bucket_key: bool,
}

impl Encryption {
    /// A bucket key means something only with KMS; S3 reports one without it, too.
    #[must_use]
    pub fn new(algorithm: String, key: Option<String>, bucket_key: bool) -> Self {
        let bucket_key = bucket_key && algorithm != "AES256";
        Self { algorithm, key, bucket_key }
    }
}

/// Who is notified of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notifications {
    /// Functions, queues and topics.
    pub targets: Vec<Notification>,
    /// Whether events go to EventBridge.
    pub event_bridge: bool,
}

/// One kind of event, and who is notified of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notification {
    /// The ARN of the function, queue or topic.
    pub target: String,
    /// For example `s3:ObjectCreated:*`.
    pub event: String,
    /// The rules about keys as `prefix a/`, sorted.
    pub filter: Vec<String>,
}

impl Settings {
    /// The settings that the rendered properties of a template's bucket declare.
    #[must_use]
    pub fn declared(properties: &Map<String, Json>) -> Self {
        let rules = |of: &Json, name: &str| items(&of[name]).next().cloned().unwrap_or_default();
        let encryption = properties.get("BucketEncryption").map(|declared| {
            let rule = rules(declared, "ServerSideEncryptionConfiguration");
            let default = &rule["ServerSideEncryptionByDefault"];
            let key = Some(text(&default["KMSMasterKeyID"])).filter(|key| !key.is_empty());
            Encryption::new(text(&default["SSEAlgorithm"]), key, text(&rule["BucketKeyEnabled"]) == "true")
        });
        let public_access_block = properties.get("PublicAccessBlockConfiguration").map(|declared| {
            let flags = declared.as_object().into_iter().flatten();
            flags.filter(|(_, on)| text(on) == "true").map(|(name, _)| name.clone()).collect()
        });
        Self {
            encryption,
            versioning: properties.get("VersioningConfiguration").map(|declared| text(&declared["Status"])),
            ownership: properties
                .get("OwnershipControls")
                .map(|declared| text(&rules(declared, "Rules")["ObjectOwnership"])),
            public_access_block,
            lifecycle: properties.get("LifecycleConfiguration").map(Rule::declared),
            notifications: properties.get("NotificationConfiguration").map(Notifications::declared),
            cors: properties.get("CorsConfiguration").map(|declared| items(&declared["CorsRules"]).map(cors).collect()),
        }
    }

    /// What changes in a bucket with these settings when the declared ones take their place.
    #[must_use]
    pub fn differences(&self, access: &Access, declared: &Self) -> Vec<Property> {
        [
            self.encryption_change(declared),
            self.versioning_change(declared),
            self.ownership_changes(access, declared),
            self.public_access_change(access, declared),
            self.lifecycle_changes(declared),
            self.notification_changes(declared),
            self.cors_changes(declared),
        ]
        .concat()
    }

    fn encryption_change(&self, declared: &Self) -> Vec<Property> {
        let (Some(before), Some(after)) = (&self.encryption, &declared.encryption) else { return Vec::new() };
        let strength = |encryption: &Encryption| match encryption.algorithm.as_str() {
            "aws:kms:dsse" => 2,
            "aws:kms" => 1,
            _ => 0,
        };
        let loses_key = before.key.is_some() && before.key != after.key;
        let effect = (loses_key || strength(after) < strength(before)).then_some(Effect::Weakens);
        one(before != after, change("BucketEncryption", Some(before), Some(after), effect))
    }

    fn versioning_change(&self, declared: &Self) -> Vec<Property> {
        let Some(after) = &declared.versioning else { return Vec::new() };
        let before = self.versioning.as_deref();
        let effect = (before == Some("Enabled")).then_some(Effect::Weakens);
        one(before != Some(after), change("VersioningConfiguration", before, Some(after), effect))
    }

    fn ownership_changes(&self, access: &Access, declared: &Self) -> Vec<Property> {
        const ENFORCED: &str = "BucketOwnerEnforced";
        let Some(after) = declared.ownership.as_deref() else { return Vec::new() };
        // S3 treats a bucket without this setting so.
        let before = self.ownership.as_deref().unwrap_or("ObjectWriter");
        let effect = (before == ENFORCED).then_some(Effect::Weakens);
        let mut changes = one(before != after, change("OwnershipControls", Some(before), Some(after), effect));
        if after == ENFORCED {
            // It switches access control lists off.
            let grants = access.grants.iter();
            changes
                .extend(grants.map(|grant| change("AccessControl", Some(grant), None::<&str>, Some(Effect::Removes))));
        }
        changes
    }

    fn public_access_change(&self, access: &Access, declared: &Self) -> Vec<Property> {
        let Some(after) = &declared.public_access_block else { return Vec::new() };
        let before = self.public_access_block.clone().unwrap_or_default();
        let closes =
            access.is_public && after.contains("RestrictPublicBuckets") && !before.contains("RestrictPublicBuckets");
        let effect = if before.difference(after).next().is_some() {
            Some(Effect::Weakens)
        } else {
            closes.then_some(Effect::Removes)
        };
        let words = |flags: &BTreeSet<String>| match flags.len() {
            0 => None,
            4 => Some("all blocked".to_owned()),
            _ => Some(flags.iter().cloned().collect::<Vec<_>>().join(", ")),
        };
        one(before != *after, change("PublicAccessBlockConfiguration", words(&before), words(after), effect))
    }

    fn lifecycle_changes(&self, declared: &Self) -> Vec<Property> {
        let Some(after) = &declared.lifecycle else { return Vec::new() };
        let before = self.lifecycle.as_deref().unwrap_or_default();
        let path = "LifecycleConfiguration";
        let replaced = before.iter().filter(|rule| !after.contains(rule)).map(|rule| {
            let successor = after.iter().find(|other| other.id == rule.id);
            change(path, Some(rule), successor, Some(Effect::Removes))
        });
        let is_new = |rule: &&Rule| before.iter().all(|other| other.id != rule.id);
        let new = after.iter().filter(is_new).map(|rule| change(path, None::<&Rule>, Some(rule), None));
        replaced.chain(new).collect()
    }

    fn notification_changes(&self, declared: &Self) -> Vec<Property> {
        let Some(after) = &declared.notifications else { return Vec::new() };
        let before = self.notifications.clone().unwrap_or_default();
        let path = "NotificationConfiguration";
        let gone = before.targets.iter().filter(|one| !after.targets.contains(one)).map(|one| {
            // The same function, for other keys or events, is not somebody else's loss.
            let stays = after.targets.iter().any(|other| other.target == one.target);
            change(path, Some(one), None::<&str>, (!stays).then_some(Effect::Removes))
        });
        let new = after.targets.iter().filter(|one| !before.targets.contains(one));
        let new = new.map(|one| change(path, None::<&str>, Some(one), None));
        let mut changes: Vec<_> = gone.chain(new).collect();
        if before.event_bridge != after.event_bridge {
            let (words, effect) = ("all events to EventBridge", before.event_bridge.then_some(Effect::Removes));
            let words = |on: bool| on.then_some(words);
            changes.push(change(path, words(before.event_bridge), words(after.event_bridge), effect));
        }
        changes
    }

    fn cors_changes(&self, declared: &Self) -> Vec<Property> {
        let Some(after) = &declared.cors else { return Vec::new() };
        let before = self.cors.as_deref().unwrap_or_default();
        let gone = before.iter().filter(|rule| !after.contains(rule));
        let gone = gone.map(|rule| change("CorsConfiguration", Some(rule), None::<&str>, Some(Effect::Removes)));
        let new = after.iter().filter(|rule| !before.contains(rule));
        gone.chain(new.map(|rule| change("CorsConfiguration", None::<&str>, Some(rule), None))).collect()
    }
}

fn one(differs: bool, change: Property) -> Vec<Property> {
    if differs { vec![change] } else { Vec::new() }
}

impl Notifications {
    fn declared(configuration: &Json) -> Self {
        let kinds =
            [("LambdaConfigurations", "Function"), ("QueueConfigurations", "Queue"), ("TopicConfigurations", "Topic")];
        let targets = kinds.into_iter().flat_map(|(kind, target)| {
            items(&configuration[kind]).map(move |declared| {
                let rules = items(&declared["Filter"]["S3Key"]["Rules"]);
                let mut filter: Vec<String> =
                    rules.map(|rule| filter_rule(&text(&rule["Name"]), &text(&rule["Value"]))).collect();
                filter.sort();
                Notification { target: text(&declared[target]), event: text(&declared["Event"]), filter }
            })
        });
        let bridge = &configuration["EventBridgeConfiguration"];
        let event_bridge = bridge.is_object() && text(&bridge["EventBridgeEnabled"]) != "false";
        Self { targets: targets.collect(), event_bridge }
    }
}

/// A rule about keys: its name in lower case, because S3 accepts `Prefix` as well.
#[must_use]
pub fn filter_rule(name: &str, value: &str) -> String {
    format!("{} {value}", name.to_ascii_lowercase())
}

fn cors(rule: &Json) -> String {
    let list = |name: &str| items(&rule[name]).map(text).collect::<Vec<_>>();
    let age = super::property::number(&rule["MaxAge"]);
    cors_rule(&list("AllowedMethods"), &list("AllowedOrigins"), &list("AllowedHeaders"), &list("ExposedHeaders"), age)
}

/// A CORS rule in words.
#[must_use]
pub fn cors_rule(
    methods: &[String],
    origins: &[String],
    headers: &[String],
    exposed: &[String],
    age: Option<i64>,
) -> String {
    let mut words = format!("{} from {}", methods.join(", "), origins.join(", "));
    for (kind, headers) in [("headers", headers), ("exposed headers", exposed)] {
        if !headers.is_empty() {
            let _ = write!(words, ", {kind} {}", headers.join(", "));
        }
    }
    if let Some(age) = age {
        let _ = write!(words, ", for {age} s");
    }
    words
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.algorithm)?;
        match &self.key {
            Some(key) => write!(f, " with {key}")?,
            None if self.algorithm != "AES256" => f.write_str(" with AWS's own key")?,
            None => {}
        }
        if self.bucket_key { f.write_str(", bucket key") } else { Ok(()) }
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.event, self.target)?;
        if self.filter.is_empty() { Ok(()) } else { write!(f, " ({})", self.filter.join(", ")) }
    }
}
