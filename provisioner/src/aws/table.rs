//! Reads, counts and deletes the rows of a table, and the table itself.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, BillingMode, KeyType, Select, TableDescription};

use super::error::{code, explain, is_missing};
use super::pace::Pace;
use crate::core::adopt;
use crate::core::smoke::{Attribute, Row};
use crate::error::Result;

/// Maximum time to wait until a table that is being created or changed can be deleted.
const SETTLING: Duration = Duration::from_mins(5);

/// Whether a table with this name exists.
pub async fn exists(client: &Client, name: &str) -> Result<bool> {
    match client.describe_table().table_name(name).send().await {
        Ok(_) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(explain(format!("cannot check whether table `{name}` exists"), &error)),
    }
}

/// Describes a table; `None` if it does not exist.
pub async fn describe(client: &Client, name: &str) -> Result<Option<adopt::Table>> {
    let table = match client.describe_table().table_name(name).send().await {
        Ok(reply) => reply.table.unwrap_or_else(|| TableDescription::builder().build()),
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(explain(format!("cannot describe table `{name}`"), &error)),
    };
    let kind = |name: &str| {
        let found = table.attribute_definitions().iter().find(|definition| definition.attribute_name() == name);
        found.map(|definition| definition.attribute_type().as_str().to_owned()).unwrap_or_default()
    };
    let mut key: Vec<_> = table.key_schema().iter().collect();
    key.sort_by_key(|part| part.key_type() != &KeyType::Hash);
    let key = key.iter().map(|part| (part.attribute_name().to_owned(), kind(part.attribute_name()))).collect();
    let on_demand =
        table.billing_mode_summary().and_then(|summary| summary.billing_mode()) == Some(&BillingMode::PayPerRequest);
    let provisioned = table
        .provisioned_throughput()
        .filter(|_| !on_demand)
        .map(|capacity| (capacity.read_capacity_units().unwrap_or(1), capacity.write_capacity_units().unwrap_or(1)))
        .filter(|capacity| *capacity != (0, 0));
    Ok(Some(adopt::Table { key, provisioned }))
}

/// Reads a row, including the latest writes.
pub async fn get(client: &Client, table: &str, face_id: &str) -> Result<Option<Row>> {
    let reply = client
        .get_item()
        .table_name(table)
        .key("FaceID", AttributeValue::S(face_id.to_owned()))
        .consistent_read(true)
        .send()
        .await
        .map_err(|error| explain(format!("cannot read table `{table}`"), &error))?;
    Ok(reply.item.map(row))
}

/// Deletes a row; it may already be gone.
pub async fn remove(client: &Client, table: &str, face_id: &str) -> Result<()> {
    client
        .delete_item()
        .table_name(table)
        .key("FaceID", AttributeValue::S(face_id.to_owned()))
        .send()
        .await
        .map(|_| ())
        .map_err(|error| explain(format!("cannot delete a row from table `{table}`"), &error))
}

/// Counts the rows by reading the table, up to a limit. A missing table has none.
pub async fn count(client: &Client, table: &str, limit: usize) -> Result<usize> {
    let mut pages = client.scan().table_name(table).select(Select::Count).into_paginator().send();
    let mut count = 0;
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => count += usize::try_from(page.count).unwrap_or(0),
            Err(error) if is_missing(&error) => return Ok(0),
            Err(error) => return Err(explain(format!("cannot count the rows of table `{table}`"), &error)),
        }
        if count >= limit {
            break;
        }
    }
    Ok(count.min(limit))
}

/// Deletes a table and waits until it is gone; it may already be gone.
pub async fn delete(client: &Client, table: &str) -> Result<()> {
    let mut pace = Pace::new(Duration::from_millis(200), Duration::from_secs(3));
    let started = Instant::now();
    loop {
        match client.delete_table().table_name(table).send().await {
            Ok(_) => break,
            Err(error) if is_missing(&error) => return Ok(()),
            // The table is being created or changed and can be deleted afterwards.
            Err(error) if code(&error) == Some("ResourceInUseException") && started.elapsed() < SETTLING => {}
            Err(error) => return Err(explain(format!("cannot delete table `{table}`"), &error)),
        }
        pace.wait().await;
    }
    while exists(client, table).await? {
        pace.wait().await;
    }
    Ok(())
}

fn from_sdk(value: AttributeValue) -> Attribute {
    match value {
        AttributeValue::S(text) => Attribute::Text(text),
        AttributeValue::Bool(value) => Attribute::Bool(value),
        AttributeValue::N(digits) => Attribute::Number(digits),
        AttributeValue::M(map) => Attribute::Map(row(map)),
        AttributeValue::L(_) => Attribute::Other("L"),
        AttributeValue::Null(_) => Attribute::Other("NULL"),
        _ => Attribute::Other("another"),
    }
}

/// Converts an item, or a map in an item.
pub(super) fn row(map: HashMap<String, AttributeValue>) -> Row {
    map.into_iter().map(|(name, value)| (name, from_sdk(value))).collect()
}
