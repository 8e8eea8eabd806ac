//! Reads, counts and deletes the rows of a table, and the table itself.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Select};

use super::error::{code, explain, is_missing};
use super::pace::Pace;
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

/// Whether a table is protected against deletion; one that does not exist is not.
pub async fn is_protected(client: &Client, name: &str) -> Result<bool> {
    match client.describe_table().table_name(name).send().await {
        Ok(reply) => Ok(reply.table.is_some_and(|table| table.deletion_protection_enabled == Some(true))),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(explain(format!("cannot describe table `{name}`"), &error)),
    }
}

/// The number of rows that DynamoDB counted within the last six hours, if it tells.
pub async fn approximate_rows(client: &Client, name: &str) -> Option<usize> {
    let reply = client.describe_table().table_name(name).send().await.ok()?;
    usize::try_from(reply.table?.item_count?).ok()
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
