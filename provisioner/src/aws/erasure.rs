//! Erases the rows of pictures, and marks pictures so that they are not processed again.
//!
//! Invariant: an item of the picture table changes together with its rows, and only if nobody has written it since it
//! was read. The function's documentation has this contract.

use std::collections::HashMap;
use std::time::SystemTime;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem, Update};
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;

use super::error::{code, explain};
use super::pace::growing;
use crate::error::{Error, Result};

/// The most rows of a picture.
const MAX_ROWS: usize = 100;

/// The most rows that a transaction can delete: one of its 100 actions is for the item.
const MAX_DELETIONS: usize = MAX_ROWS - 1;

/// How often a change is tried if others write the same item.
const ATTEMPTS: usize = 10;

/// The outcome of a picture that is not to be processed again.
pub const FORGOTTEN: &str = "forgotten";

/// The two tables.
#[derive(Clone, Debug)]
pub struct Tables {
    /// The rows.
    pub rows: String,
    /// The results.
    pub pictures: String,
}

/// An item of the picture table.
#[derive(Clone, Debug)]
pub struct Item {
    /// `BUCKET/KEY`
    pub picture: String,
    /// The version, or the entity tag.
    pub content: String,
    /// The first part of the keys of its rows.
    face_id: Option<String>,
    /// `None` while its rows are being erased.
    pub outcome: Option<String>,
    rows: usize,
    processed_at: Option<String>,
}

impl Item {
    /// What stands for a content that has no item. `face_id` is the first part of the keys that its rows would have.
    #[must_use]
    pub fn unprocessed(picture: String, content: String, face_id: String) -> Self {
        Self { picture, content, face_id: Some(face_id), outcome: None, rows: 0, processed_at: None }
    }
}

type Attributes = HashMap<String, AttributeValue>;

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn item(mut attributes: Attributes) -> Option<Item> {
    let rows = match attributes.get("FaceCount") {
        Some(AttributeValue::N(count)) => count.parse().unwrap_or(MAX_ROWS).min(MAX_ROWS),
        _ => MAX_ROWS,
    };
    let mut take = |name| match attributes.remove(name) {
        Some(AttributeValue::S(text)) => Some(text),
        _ => None,
    };
    Some(Item {
        picture: take("Picture")?,
        content: take("Content")?,
        face_id: take("FaceID"),
        outcome: take("Outcome"),
        processed_at: take("ProcessedAt"),
        rows,
    })
}

/// The items of a picture, for all its contents.
pub async fn items(client: &Client, table: &str, picture: &str) -> Result<Vec<Item>> {
    let found: Vec<Attributes> = client
        .query()
        .table_name(table)
        .consistent_read(true)
        .key_condition_expression("Picture = :picture")
        .expression_attribute_values(":picture", text(picture))
        .into_paginator()
        .items()
        .send()
        .collect::<std::result::Result<_, _>>()
        .await
        .map_err(|error| explain(format!("cannot read table `{table}`"), &error))?;
    Ok(found.into_iter().filter_map(item).collect())
}

/// Sends the items of one of `segments` segments of the picture table, page by page.
pub async fn all_items(
    client: &Client,
    table: &str,
    (segment, segments): (i32, i32),
    to: Sender<Vec<Item>>,
) -> Result<()> {
    let request = client.scan().table_name(table).consistent_read(true).segment(segment).total_segments(segments);
    let mut pages = request.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| explain(format!("cannot read table `{table}`"), &error))?;
        if to.send(page.items.unwrap_or_default().into_iter().filter_map(item).collect()).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The key of a row, and its picture.
#[derive(Clone, Debug)]
pub struct RowOf {
    /// The row's key.
    pub face_id: String,
    /// The bucket.
    pub bucket: String,
    /// The picture's key.
    pub key: String,
}

/// Sends the keys of the rows of one of `segments` segments of the table, page by page.
pub async fn all_rows(
    client: &Client,
    table: &str,
    (segment, segments): (i32, i32),
    to: Sender<Vec<RowOf>>,
) -> Result<()> {
    let request = client.scan().table_name(table).consistent_read(true).segment(segment).total_segments(segments);
    let request = request
        .projection_expression("FaceID, #bucket, #key")
        .expression_attribute_names("#bucket", "Bucket")
        .expression_attribute_names("#key", "Key");
    let mut pages = request.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| explain(format!("cannot read table `{table}`"), &error))?;
        let rows = page.items.unwrap_or_default().into_iter().filter_map(|mut row| {
            let mut take = |name| match row.remove(name) {
                Some(AttributeValue::S(text)) => Some(text),
                _ => None,
            };
            Some(RowOf { face_id: take("FaceID")?, bucket: take("Bucket")?, key: take("Key")? })
        });
        if to.send(rows.collect()).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Marks an item as forgotten, and deletes its rows.
pub async fn forget(client: &Client, tables: &Tables, item: Item) -> Result<()> {
    change(client, tables, item, |item| mark(tables, item)).await
}

/// Deletes an item of a content that S3 does not hold any more, and its rows.
pub async fn erase(client: &Client, tables: &Tables, item: Item) -> Result<()> {
    change(client, tables, item, |item| remove(tables, item)).await
}

/// Applies the last action to an item together with the deletion of its rows. If somebody else has written the item,
/// it is read again.
async fn change(
    client: &Client,
    tables: &Tables,
    mut current: Item,
    last: impl Fn(&Item) -> Result<TransactWriteItem>,
) -> Result<()> {
    let failed = format!("cannot erase the rows of `{}`", current.picture);
    let mut pauses = growing();
    for _ in 0..ATTEMPTS {
        if current.rows > MAX_DELETIONS && current.face_id.is_some() {
            let (shorter, action) = shorten(tables, &current)?;
            if write(client, action, &failed).await? {
                current = shorter;
                continue;
            }
        } else {
            let mut actions = vec![last(&current)?];
            for rank in 0..current.rows {
                actions.extend(delete_row(tables, &current, rank)?);
            }
            if write(client, actions, &failed).await? {
                return Ok(());
            }
        }
        sleep(pauses.next().unwrap_or_default()).await;
        let (picture, content) = (current.picture.clone(), current.content.clone());
        let mut items = items(client, &tables.pictures, &picture).await?.into_iter();
        let face_id = current.face_id.take();
        current = items
            .find(|item| item.content == content)
            .unwrap_or_else(|| Item { face_id, ..Item::unprocessed(picture, content, String::new()) });
    }
    Err(Error::new(failed).cause("others keep writing its result").hint("run the same command again"))
}

/// Deletes the hundredth row before the others, and with it the item's outcome, because a row is now missing.
fn shorten(tables: &Tables, item: &Item) -> Result<(Item, Vec<TransactWriteItem>)> {
    let shorter = Item { rows: MAX_DELETIONS, outcome: None, processed_at: Some(now()), ..item.clone() };
    let update = conditional_update(tables, item)
        .update_expression("SET FaceCount = :rows, ProcessedAt = :now REMOVE Outcome")
        .expression_attribute_values(":rows", AttributeValue::N(MAX_DELETIONS.to_string()))
        .expression_attribute_values(":now", text(shorter.processed_at.as_deref().unwrap_or_default()));
    let mut actions = vec![TransactWriteItem::builder().update(update.build().map_err(unbuildable)?).build()];
    actions.extend(delete_row(tables, item, MAX_DELETIONS)?);
    Ok((shorter, actions))
}

/// Marks an item. The mark does not expire, because the picture is still there.
fn mark(tables: &Tables, item: &Item) -> Result<TransactWriteItem> {
    let update = conditional_update(tables, item)
        .update_expression(
            "SET FaceID = :id, Outcome = :forgotten, FaceCount = :none, ProcessedAt = :now REMOVE Code, ExpiresAt",
        )
        .expression_attribute_values(":id", text(item.face_id.as_deref().unwrap_or_default()))
        .expression_attribute_values(":forgotten", text(FORGOTTEN))
        .expression_attribute_values(":none", AttributeValue::N("0".to_owned()))
        .expression_attribute_values(":now", text(&now()));
    Ok(TransactWriteItem::builder().update(update.build().map_err(unbuildable)?).build())
}

fn conditional_update(tables: &Tables, item: &Item) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
    let update = Update::builder()
        .table_name(&tables.pictures)
        .key("Picture", text(&item.picture))
        .key("Content", text(&item.content));
    match &item.processed_at {
        Some(at) => update.condition_expression("ProcessedAt = :read").expression_attribute_values(":read", text(at)),
        None => update.condition_expression("attribute_not_exists(ProcessedAt)"),
    }
}

fn remove(tables: &Tables, item: &Item) -> Result<TransactWriteItem> {
    let delete = Delete::builder()
        .table_name(&tables.pictures)
        .key("Picture", text(&item.picture))
        .key("Content", text(&item.content));
    let delete = match &item.processed_at {
        Some(at) => delete.condition_expression("ProcessedAt = :read").expression_attribute_values(":read", text(at)),
        None => delete.condition_expression("attribute_not_exists(ProcessedAt)"),
    };
    Ok(TransactWriteItem::builder().delete(delete.build().map_err(unbuildable)?).build())
}

fn delete_row(tables: &Tables, item: &Item, rank: usize) -> Result<Option<TransactWriteItem>> {
    let Some(face_id) = &item.face_id else { return Ok(None) };
    let delete = Delete::builder().table_name(&tables.rows).key("FaceID", text(&format!("{face_id}#{rank:03}")));
    Ok(Some(TransactWriteItem::builder().delete(delete.build().map_err(unbuildable)?).build()))
}

/// Returns `false` if a condition was not met, or if others write the same items.
async fn write(client: &Client, actions: Vec<TransactWriteItem>, attempt: &str) -> Result<bool> {
    match client.transact_write_items().set_transact_items(Some(actions)).send().await {
        Ok(_) => Ok(true),
        Err(error) if code(&error) == Some("TransactionCanceledException") => Ok(false),
        Err(error) => Err(explain(attempt, &error)),
    }
}

fn now() -> String {
    DateTime::from(SystemTime::now()).fmt(DateTimeFormat::DateTime).unwrap_or_default()
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn unbuildable(error: aws_sdk_dynamodb::error::BuildError) -> Error {
    Error::new("cannot build the request to erase rows").because(&error)
}
