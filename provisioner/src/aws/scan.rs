//! Reads all rows of a table, in parallel segments.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use tokio::sync::mpsc::Sender;

use super::error::explain;
use super::table::row;
use crate::core::smoke::Row;
use crate::error::Result;

/// The most rows in a page of parallel segments, whose pages are in memory together. More requests cost nothing, because
/// DynamoDB charges for the bytes that it reads.
const PAGE: i32 = 1_000;

/// One of several parts of a table that are read in parallel.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// From 0.
    pub number: i32,
    /// The number of all segments.
    pub of: i32,
}

/// Sends what `convert` makes of the rows of a segment, page by page. Ends early if the receiver was dropped.
pub async fn segment<T>(
    client: &Client,
    table: &str,
    segment: Segment,
    convert: impl Fn(Vec<Row>) -> T,
    to: Sender<T>,
) -> Result<()> {
    let request = client.scan().table_name(table).segment(segment.number).total_segments(segment.of);
    let request = request.set_limit((segment.of > 1).then_some(PAGE));
    let mut pages = request.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| explain(format!("cannot read table `{table}`"), &error))?;
        let items: Vec<HashMap<String, AttributeValue>> = page.items.unwrap_or_default();
        if to.send(convert(items.into_iter().map(row).collect())).await.is_err() {
            break;
        }
    }
    Ok(())
}
