//! The settings of an existing table, as far as a template can replace them.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, BillingMode, KeyType, PointInTimeRecoveryStatus, SseStatus, TableDescription, TimeToLiveStatus,
};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::error::{explain, is_missing};
use crate::core::adopt::table::{Encryption, Settings};
use crate::error::Result;

/// Reads all settings; `None` if there is no such table.
///
/// # Errors
/// Any other failure of the requests.
pub async fn read(client: &Client, name: &str) -> Result<Option<Settings>> {
    let attempt = |what: &str| format!("cannot read the {what} of table `{name}`");
    let described = match client.describe_table().table_name(name).send().await {
        Ok(reply) => reply.table.unwrap_or_else(|| TableDescription::builder().build()),
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(explain(attempt("settings"), &error)),
    };
    let (expiry, backups) = tokio::join!(
        client.describe_time_to_live().table_name(name).send(),
        client.describe_continuous_backups().table_name(name).send()
    );
    let expiry = expiry.map_err(|error| explain(attempt("time to live"), &error))?.time_to_live_description;
    let time_to_live = expiry
        .filter(|expiry| {
            matches!(expiry.time_to_live_status(), Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
        })
        .and_then(|expiry| expiry.attribute_name);
    let backups = backups.map_err(|error| explain(attempt("backups"), &error))?.continuous_backups_description;
    let recovery_days = backups
        .and_then(|backups| backups.point_in_time_recovery_description)
        .filter(|recovery| recovery.point_in_time_recovery_status() == Some(&PointInTimeRecoveryStatus::Enabled))
        .map(|recovery| recovery.recovery_period_in_days().unwrap_or(35).into());
    Ok(Some(Settings { time_to_live, recovery_days, ..of(&described) }))
}

fn of(table: &TableDescription) -> Settings {
    let kind = |name: &str| {
        let found = table.attribute_definitions().iter().find(|definition| definition.attribute_name() == name);
        found.map(|definition| definition.attribute_type().as_str().to_owned()).unwrap_or_default()
    };
    let mut key: Vec<_> = table.key_schema().iter().collect();
    key.sort_by_key(|part| part.key_type() != &KeyType::Hash);
    let on_demand =
        table.billing_mode_summary().and_then(|summary| summary.billing_mode()) == Some(&BillingMode::PayPerRequest);
    let encryption = table
        .sse_description()
        .filter(|sse| matches!(sse.status(), Some(SseStatus::Enabled | SseStatus::Enabling | SseStatus::Updating)));
    Settings {
        key: key.iter().map(|part| (part.attribute_name().to_owned(), kind(part.attribute_name()))).collect(),
        provisioned: table
            .provisioned_throughput()
            .filter(|_| !on_demand)
            .map(|capacity| (capacity.read_capacity_units().unwrap_or(1), capacity.write_capacity_units().unwrap_or(1)))
            .filter(|capacity| *capacity != (0, 0)),
        encryption: encryption
            .map_or(Encryption::Owned, |sse| Encryption::Kms(sse.kms_master_key_arn().map(ToOwned::to_owned))),
        is_protected: table.deletion_protection_enabled() == Some(true),
        ..Settings::default()
    }
}

/// The days after which the function lets rows expire, as one of its rows tells: a table itself knows only the attribute.
pub async fn retention_days(client: &Client, name: &str) -> Option<u32> {
    let page = client
        .scan()
        .table_name(name)
        .projection_expression("EventTime, ExpiresAt")
        .limit(100)
        .send()
        .await
        // Without the permission to read rows, the user names the days.
        .ok()?;
    let days = |row: &HashMap<String, AttributeValue>| {
        let uploaded = DateTime::from_str(row.get("EventTime")?.as_s().ok()?, Format::DateTime).ok()?.secs();
        let expires: i64 = row.get("ExpiresAt")?.as_n().ok()?.parse().ok()?;
        let days = u32::try_from((expires - uploaded + 43_200) / 86_400).ok().filter(|days| *days > 0)?;
        Some((uploaded, days))
    };
    // The newest row knows the setting that was deployed last.
    page.items().iter().filter_map(days).max().map(|(_, days)| days)
}
