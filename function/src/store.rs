//! Writes the rows of one object, all or none.
//!
//! Invariant: a write replaces complete rows under their own keys, so repeating it changes nothing.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};

use crate::cancellation::{is_temporary, reasons};
use crate::context::Context;
use crate::outcome::{Failure, failure};
use crate::row::Item;

/// Writes `items` to the table: several rows in one transaction, a single row with `PutItem`, which costs half as much.
pub(crate) async fn write(cx: Context<'_>, mut items: Vec<Item>) -> Result<(), Failure> {
    let (dynamodb, table) = (&cx.services.dynamodb, &cx.settings.table);
    if items.len() == 1 {
        let hook = cx.progress.begin::<PutItemError>(cx.step);
        let call = dynamodb.put_item().table_name(table).set_item(items.pop());
        return call.customize().interceptor(hook).send().await.map(drop).map_err(|error| failure(cx.step, &error));
    }
    let puts = items.into_iter().map(|item| Put::builder().table_name(table).set_item(Some(item)).build());
    let puts: Result<Vec<_>, _> =
        puts.map(|put| put.map(|put| TransactWriteItem::builder().put(put).build())).collect();
    let puts = puts.map_err(|error| Failure {
        step: cx.step,
        code: "InvalidRequest".to_owned(),
        message: error.to_string(),
        retryable: false,
    })?;
    let hook = cx.progress.begin::<TransactWriteItemsError>(cx.step);
    let call = dynamodb.transact_write_items().set_transact_items(Some(puts));
    call.customize().interceptor(hook).send().await.map(drop).map_err(|error| {
        let failure = failure(cx.step, &error);
        match error.as_service_error().and_then(reasons) {
            Some(reasons) if !reasons.is_empty() => {
                let parts = reasons.iter().map(|reason| [reason.code(), reason.message()].into_iter().flatten());
                let messages: Vec<_> = parts.map(|parts| parts.collect::<Vec<_>>().join(": ")).collect();
                Failure { retryable: is_temporary(&reasons), message: messages.join(", "), ..failure }
            }
            _ => failure,
        }
    })
}
