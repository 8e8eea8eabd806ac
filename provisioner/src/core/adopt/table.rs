//! The settings of a table, what changes when a template's settings take the place of existing ones, and its form in an import.
//!
//! Pure. What a template does not declare stays as it is, because `CloudFormation` does not touch it.

use serde_json::{Map, Value as Json, json};

use super::property::{change, items, number, text};
use crate::core::plan::{Effect, Property};

/// The days that continuous backups go back unless a template says otherwise.
const RECOVERY_DAYS: i64 = 35;

/// Settings of a table: those that DynamoDB reports, or those that a template declares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The key's attributes with their types, partition key first.
    pub key: Vec<(String, String)>,
    /// Read and write capacity, if it is not on demand.
    pub provisioned: Option<(i64, i64)>,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// The attribute after whose time DynamoDB deletes a row, if that is switched on.
    pub time_to_live: Option<String>,
    /// The days that continuous backups go back, if they are switched on.
    pub recovery_days: Option<i64>,
    /// Whether it cannot be deleted.
    pub is_protected: bool,
}

/// How a table is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// With a key that DynamoDB owns.
    #[default]
    Owned,
    /// With a KMS key in the account: AWS's own for DynamoDB if the template names none. DynamoDB always names one.
    Kms(Option<String>),
}

impl Settings {
    /// The settings that the rendered properties of a template's table declare.
    #[must_use]
    pub fn declared(properties: &Map<String, Json>) -> Self {
        let of = |name: &str| properties.get(name).cloned().unwrap_or_default();
        let attributes = of("AttributeDefinitions");
        let kind = |name: &str| {
            let definition = items(&attributes).find(|definition| definition["AttributeName"] == name);
            definition.map(|definition| text(&definition["AttributeType"])).unwrap_or_default()
        };
        let schema = of("KeySchema");
        let mut key: Vec<&Json> = items(&schema).collect();
        key.sort_by_key(|part| part["KeyType"] != "HASH");
        let throughput = of("ProvisionedThroughput");
        let capacity = |name: &str| number(&throughput[name]).unwrap_or(1);
        let (encryption, expiry, recovery) =
            (of("SSESpecification"), of("TimeToLiveSpecification"), of("PointInTimeRecoverySpecification"));
        let is_on = |specification: &Json, flag: &str| text(&specification[flag]) == "true";
        Self {
            key: key.iter().map(|part| text(&part["AttributeName"])).map(|name| (name.clone(), kind(&name))).collect(),
            provisioned: (of("BillingMode") != "PAY_PER_REQUEST")
                .then(|| (capacity("ReadCapacityUnits"), capacity("WriteCapacityUnits"))),
            encryption: if is_on(&encryption, "SSEEnabled") {
                Encryption::Kms(Some(text(&encryption["KMSMasterKeyId"])).filter(|key| !key.is_empty()))
            } else {
                Encryption::Owned
            },
            time_to_live: is_on(&expiry, "Enabled").then(|| text(&expiry["AttributeName"])),
            recovery_days: is_on(&recovery, "PointInTimeRecoveryEnabled")
                .then(|| number(&recovery["RecoveryPeriodInDays"]).unwrap_or(RECOVERY_DAYS)),
            is_protected: text(&of("DeletionProtectionEnabled")) == "true",
        }
    }

    /// Why the table cannot be adopted as what a template declares; `None` if it can be.
    #[must_use]
    pub fn obstacle(&self, properties: &Map<String, Json>) -> Option<String> {
        let declared = Self::declared(properties);
        if self.key != declared.key {
            let words = |key: &[(String, String)]| {
                key.iter().map(|(name, kind)| format!("`{name}` ({kind})")).collect::<Vec<_>>().join(" with ")
            };
            return Some(format!(
                "its key is {}, but the rows need the key {}",
                words(&self.key),
                words(&declared.key)
            ));
        }
        let attribute = text(&properties.get("TimeToLiveSpecification")?["AttributeName"]);
        let other = self.time_to_live.as_ref().filter(|used| **used != attribute)?;
        // DynamoDB neither switches another attribute on beside it, nor off in its place.
        Some(format!("its rows expire by the attribute `{other}`, and the template's by `{attribute}`"))
    }

    /// What changes in a table with these settings when the declared ones take their place.
    #[must_use]
    pub fn differences(&self, properties: &Map<String, Json>) -> Vec<Property> {
        let after = Self::declared(properties);
        let billing = |settings: &Self| {
            Some(match settings.provisioned {
                None => "on demand".to_owned(),
                Some((read, write)) => format!("provisioned, {read} read and {write} write units"),
            })
        };
        let encryption = |encryption: &Encryption| {
            // A template that names no key accepts any.
            let covered = after.encryption.covers(&self.encryption);
            Some(if covered { after.encryption.words() } else { encryption.words() })
        };
        let expiry = |settings: &Self| settings.time_to_live.as_ref().map(|name| format!("rows expire by `{name}`"));
        let recovery = |settings: &Self| settings.recovery_days.map(|days| format!("backups of {days} days"));
        let protection = |settings: &Self| settings.is_protected.then(|| "on".to_owned());
        let compared = [
            ("BillingMode", billing(self), billing(&after), true),
            (
                "SSESpecification",
                encryption(&self.encryption),
                encryption(&after.encryption),
                self.encryption != Encryption::Owned,
            ),
            ("TimeToLiveSpecification", expiry(self), expiry(&after), self.time_to_live.is_some()),
            (
                "PointInTimeRecoverySpecification",
                recovery(self),
                recovery(&after),
                after.recovery_days < self.recovery_days,
            ),
            ("DeletionProtectionEnabled", protection(self), protection(&after), self.is_protected),
        ];
        // CloudFormation takes a table without a billing mode for a provisioned one, and leaves alone what else is not declared.
        let is_declared = |name: &str| name == "BillingMode" || properties.contains_key(name);
        let differing = compared.into_iter().filter(|(name, before, after, _)| before != after && is_declared(name));
        differing
            .map(|(name, before, after, weakens)| change(name, before, after, weakens.then_some(Effect::Weakens)))
            .collect()
    }

    /// The properties in the template that imports the table: the name, what can never change, and what the table has already.
    ///
    /// `declared` holds the template's own expressions, `properties` their values. If both come to the same, the template's own
    /// expression is used: then the change set that follows the import finds nothing to change, and does not switch on what is on.
    #[must_use]
    pub fn import(
        &self,
        name: &str,
        declared: &Map<String, Json>,
        properties: &Map<String, Json>,
    ) -> Map<String, Json> {
        let changed: Vec<String> = self.differences(properties).into_iter().map(|change| change.path).collect();
        let mut import = Map::new();
        let mut put = |name: &str, value: Option<Json>| {
            if let Some(value) = value {
                import.insert(name.to_owned(), value);
            }
        };
        put("TableName", Some(json!(name)));
        put("AttributeDefinitions", declared.get("AttributeDefinitions").cloned());
        put("KeySchema", declared.get("KeySchema").cloned());
        // Without a mode, CloudFormation takes the table for a provisioned one.
        put("BillingMode", Some(json!(if self.provisioned.is_some() { "PROVISIONED" } else { "PAY_PER_REQUEST" })));
        put(
            "ProvisionedThroughput",
            self.provisioned.map(|(read, write)| json!({ "ReadCapacityUnits": read, "WriteCapacityUnits": write })),
        );
        for (name, existing) in [
            ("SSESpecification", self.encryption.specification()),
            (
                "TimeToLiveSpecification",
                self.time_to_live.as_ref().map(|name| json!({ "AttributeName": name, "Enabled": true })),
            ),
            (
                "PointInTimeRecoverySpecification",
                self.recovery_days
                    .map(|days| json!({ "PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": days })),
            ),
            ("DeletionProtectionEnabled", self.is_protected.then(|| json!(true))),
        ] {
            let Some(expression) = declared.get(name) else { continue };
            let is_changed = changed.contains(&super::property::path(name));
            put(name, if is_changed { existing } else { Some(expression.clone()) });
        }
        import
    }
}

impl Encryption {
    /// Whether a table with the other encryption already is as this one declares.
    fn covers(&self, existing: &Self) -> bool {
        match (self, existing) {
            (Self::Kms(None), Self::Kms(_)) => true,
            (declared, existing) => declared == existing,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Owned => "a key that DynamoDB owns".to_owned(),
            Self::Kms(None) => "AWS's own key in KMS".to_owned(),
            Self::Kms(Some(key)) => key.clone(),
        }
    }

    fn specification(&self) -> Option<Json> {
        match self {
            Self::Owned => None,
            Self::Kms(None) => Some(json!({ "SSEEnabled": true })),
            Self::Kms(Some(key)) => Some(json!({ "SSEEnabled": true, "SSEType": "KMS", "KMSMasterKeyId": key })),
        }
    }
}
