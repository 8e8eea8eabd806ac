//! Changes the rows of one object and its item in the picture table, all or nothing.
//!
//! Invariant: repeating a change that was applied changes nothing, so that a request whose reply was lost can be
//! repeated.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};

use crate::cancellation::{is_temporary, reasons};
use crate::context::Context;
use crate::outcome::{Failure, failure};
use crate::picture::Picture;
use crate::row::Item;

/// The maximum number of actions in a transaction.
pub(crate) const MAX_ACTIONS: usize = 100;

/// A change of rows and of the picture's item.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    /// Rows to write.
    pub(crate) put: Vec<Item>,
    /// The `FaceID`s of rows to delete.
    pub(crate) delete: Vec<String>,
    /// The change of the picture's item.
    pub(crate) picture: Option<PictureChange>,
}

/// A change of a picture's item, on the condition that nobody else has changed it.
#[derive(Clone, Debug)]
pub(crate) enum PictureChange {
    /// Writes an item in place of `older`.
    Put { picture: Picture, older: Option<Picture> },
    /// Deletes the item.
    Delete(Picture),
}

/// Applies `change`. Returns `false` if somebody else has changed the picture's item.
pub(crate) async fn apply(cx: Context<'_>, mut change: Change) -> Result<bool, Failure> {
    // `PutItem` costs half as much as a transaction.
    match (&mut change.put[..], &change.delete[..], change.picture.take()) {
        ([], [], None) => Ok(true),
        ([row], [], None) => {
            let put = Put::builder().table_name(&cx.settings.table).set_item(Some(std::mem::take(row)));
            put_item(cx, put.build().map_err(|error| invalid(cx, &error))?).await
        }
        ([], [], Some(PictureChange::Put { picture, older })) => {
            put_item(cx, put_picture(cx, picture, older).map_err(|error| invalid(cx, &error))?).await
        }
        (_, _, picture) => {
            let actions = actions(cx, change, picture).map_err(|error| invalid(cx, &error))?;
            transact(cx, actions).await
        }
    }
}

fn actions(
    cx: Context<'_>,
    change: Change,
    picture: Option<PictureChange>,
) -> Result<Vec<TransactWriteItem>, BuildError> {
    let action = TransactWriteItem::builder;
    let table = &cx.settings.table;
    let mut actions = Vec::new();
    for row in change.put {
        actions.push(action().put(Put::builder().table_name(table).set_item(Some(row)).build()?).build());
    }
    for face_id in change.delete {
        let delete = Delete::builder().table_name(table).key("FaceID", AttributeValue::S(face_id));
        actions.push(action().delete(delete.build()?).build());
    }
    match picture {
        None => {}
        Some(PictureChange::Put { picture, older }) => {
            actions.push(action().put(put_picture(cx, picture, older)?).build());
        }
        Some(PictureChange::Delete(picture)) => {
            let delete = Delete::builder()
                .table_name(picture_table(cx))
                .set_key(Some(picture.key()))
                .condition_expression("attribute_not_exists(Picture) OR ProcessedAt = :older")
                .expression_attribute_values(":older", AttributeValue::S(picture.processed_at().to_owned()));
            actions.push(action().delete(delete.build()?).build());
        }
    }
    Ok(actions)
}

fn put_picture(cx: Context<'_>, picture: Picture, older: Option<Picture>) -> Result<Put, BuildError> {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = Put::builder()
        .table_name(picture_table(cx))
        .expression_attribute_values(":newer", text(picture.processed_at()))
        .set_item(Some(picture.into_item()));
    match older {
        None => put.condition_expression("attribute_not_exists(Picture) OR ProcessedAt = :newer"),
        Some(older) => put
            .condition_expression("ProcessedAt = :older OR ProcessedAt = :newer")
            .expression_attribute_values(":older", text(older.processed_at())),
    }
    .build()
}

fn picture_table(cx: Context<'_>) -> &str {
    cx.settings.picture_table.as_deref().unwrap_or_default()
}

async fn put_item(cx: Context<'_>, put: Put) -> Result<bool, Failure> {
    let reply = cx
        .services
        .dynamodb
        .put_item()
        .table_name(put.table_name)
        .set_item(Some(put.item))
        .set_condition_expression(put.condition_expression)
        .set_expression_attribute_values(put.expression_attribute_values)
        .customize()
        .interceptor(cx.progress.begin::<PutItemError>(cx.step))
        .send()
        .await;
    match reply {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) => {
            Ok(false)
        }
        Err(error) => Err(failure(cx.step, &error)),
    }
}

async fn transact(cx: Context<'_>, actions: Vec<TransactWriteItem>) -> Result<bool, Failure> {
    let reply = cx
        .services
        .dynamodb
        .transact_write_items()
        .set_transact_items(Some(actions))
        .customize()
        .interceptor(cx.progress.begin::<TransactWriteItemsError>(cx.step))
        .send()
        .await;
    let Err(error) = reply else { return Ok(true) };
    let failure = failure(cx.step, &error);
    match error.as_service_error().and_then(reasons) {
        Some(reasons) if reasons.iter().any(|reason| reason.code() == Some("ConditionalCheckFailed")) => Ok(false),
        Some(reasons) if !reasons.is_empty() => {
            let parts = reasons.iter().map(|reason| [reason.code(), reason.message()].into_iter().flatten());
            let messages: Vec<_> = parts.map(|parts| parts.collect::<Vec<_>>().join(": ")).collect();
            Err(Failure { retryable: is_temporary(&reasons), message: messages.join(", "), ..failure })
        }
        _ => Err(failure),
    }
}

fn invalid(cx: Context<'_>, error: &BuildError) -> Failure {
    Failure { step: cx.step, code: "InvalidRequest".to_owned(), message: error.to_string(), retryable: false }
}
