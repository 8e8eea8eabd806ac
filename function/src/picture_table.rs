//! Reads and writes the picture table, and with it the rows that its items stand for.
//!
//! Invariant: an item with an outcome has exactly as many rows as its `FaceCount` says.

use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::context::Context;
use crate::name;
use crate::notification::Notification;
use crate::outcome::{Failure, failure};
use crate::picture::{Picture, partition_key};
use crate::row::{Item, MAX_FACES, face_id};
use crate::store::{Change, MAX_ACTIONS, PictureChange, apply};

/// Reads the item for `content` of the notification's key.
pub(crate) async fn find(
    cx: Context<'_>,
    notification: &Notification,
    content: &str,
) -> Result<Option<Picture>, Failure> {
    Ok(query(cx, notification, Some(content)).await?.pop())
}

/// Writes the rows of a picture and its item in place of `older`. Returns `false` if somebody else has written an item.
///
/// A transaction has room for 99 rows and the item. So the hundredth row is written before the others, or deleted
/// before the others, in which case the item loses its outcome until the rest is done.
pub(crate) async fn save(
    cx: Context<'_>,
    notification: &Notification,
    mut rows: Vec<Item>,
    picture: Picture,
    older: Option<Picture>,
) -> Result<bool, Failure> {
    let id = id(cx, notification, picture.content());
    let mut older = older;
    let mut surplus = Vec::new();
    if let Some(longer) = older.as_ref().filter(|older| older.faces() > rows.len()) {
        if longer.faces() == MAX_ACTIONS {
            let Some(shorter) = without_last_row(cx, notification, longer).await? else { return Ok(false) };
            older = Some(shorter);
        }
        let end = older.as_ref().map_or(0, Picture::faces);
        surplus.extend((rows.len()..end).map(|rank| face_id(&id, rank)));
    }
    let is_full = rows.len() == MAX_ACTIONS;
    if is_full {
        let last = rows.pop().into_iter().collect();
        apply(cx, Change { put: last, ..Change::default() }).await?;
    }
    let content = picture.content().to_owned();
    let change = PictureChange::Put { picture, older };
    let saved = apply(cx, Change { put: rows, delete: surplus, picture: Some(change) }).await?;
    if is_full && !saved {
        remove_last_row(cx, notification, &content).await?;
    }
    Ok(saved)
}

/// Reads the items for all contents of the notification's key.
pub(crate) async fn of_key(cx: Context<'_>, notification: &Notification) -> Result<Vec<Picture>, Failure> {
    query(cx, notification, None).await
}

/// Writes the item again, unchanged but for its `ProcessedAt`. Returns `false` if somebody else has written it.
pub(crate) async fn touch(cx: Context<'_>, picture: Picture) -> Result<bool, Failure> {
    let picture = PictureChange::Put { picture: picture.clone().touched(), older: Some(picture) };
    apply(cx, Change { picture: Some(picture), ..Change::default() }).await
}

/// Deletes the item and its rows. Returns the number of rows, or `None` if somebody else has written the item.
pub(crate) async fn erase(
    cx: Context<'_>,
    notification: &Notification,
    picture: &Picture,
) -> Result<Option<usize>, Failure> {
    let rows = picture.faces();
    let shorter = if rows < MAX_ACTIONS {
        None
    } else {
        let Some(shorter) = without_last_row(cx, notification, picture).await? else { return Ok(None) };
        Some(shorter)
    };
    let picture = shorter.as_ref().unwrap_or(picture);
    let id = id(cx, notification, picture.content());
    let delete = (0..picture.faces()).map(|rank| face_id(&id, rank)).collect();
    let change = Change { delete, picture: Some(PictureChange::Delete(picture.clone())), ..Change::default() };
    Ok(apply(cx, change).await?.then_some(rows))
}

/// Deletes the last row of a full item, and the item's outcome, because a row is now missing.
async fn without_last_row(
    cx: Context<'_>,
    notification: &Notification,
    full: &Picture,
) -> Result<Option<Picture>, Failure> {
    let shorter = full.clone().without_outcome(MAX_FACES - 1);
    let last = face_id(&id(cx, notification, full.content()), MAX_FACES - 1);
    let picture = Some(PictureChange::Put { picture: shorter.clone(), older: Some(full.clone()) });
    let applied = apply(cx, Change { delete: vec![last], picture, ..Change::default() }).await?;
    Ok(applied.then_some(shorter))
}

/// Deletes the last row that was written for an item that somebody else has written, unless that item has it too.
async fn remove_last_row(cx: Context<'_>, notification: &Notification, content: &str) -> Result<(), Failure> {
    while let Some(other) = find(cx, notification, content).await?.filter(|other| other.faces() < MAX_FACES) {
        let last = face_id(&id(cx, notification, content), MAX_FACES - 1);
        let picture = Some(PictureChange::Put { picture: other.clone().touched(), older: Some(other) });
        if apply(cx, Change { delete: vec![last], picture, ..Change::default() }).await? {
            break;
        }
    }
    Ok(())
}

fn id(cx: Context<'_>, notification: &Notification, content: &str) -> String {
    name::id(cx.settings.partition(), &notification.bucket, &notification.key, content)
}

/// Reads the items of the notification's key, or only the one for `content`.
async fn query(cx: Context<'_>, notification: &Notification, content: Option<&str>) -> Result<Vec<Picture>, Failure> {
    let expression = match content {
        Some(_) => "Picture = :picture AND Content = :content",
        None => "Picture = :picture",
    };
    let mut pictures = Vec::new();
    let mut start = None;
    loop {
        let mut query = cx
            .services
            .dynamodb
            .query()
            .set_table_name(cx.settings.picture_table.clone())
            .consistent_read(true)
            .key_condition_expression(expression)
            .expression_attribute_values(":picture", partition_key(&notification.bucket, &notification.key))
            .set_exclusive_start_key(start);
        if let Some(content) = content {
            query = query.expression_attribute_values(":content", AttributeValue::S(content.to_owned()));
        }
        let hook = cx.progress.begin::<QueryError>(cx.step);
        let reply = query.customize().interceptor(hook).send().await.map_err(|error| failure(cx.step, &error))?;
        pictures.extend(reply.items.unwrap_or_default().into_iter().map(Picture::from_item));
        start = reply.last_evaluated_key.filter(|key| !key.is_empty());
        if start.is_none() {
            return Ok(pictures);
        }
    }
}
