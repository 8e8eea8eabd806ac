//! Reads all rows of a table, in parallel segments.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use tokio::sync::mpsc::Sender;

use super::error::explain;
use super::table::row;
use crate::core::smoke::Row;
use crate::error::Result;

/// Sends the rows of one of `segments` segments of a table, page by page. Ends early if the receiver was dropped.
pub async fn segment(client: &Client, table: &str, segment: i32, segments: i32, to: Sender<Vec<Row>>) -> Result<()> {
    let request = client.scan().table_name(table).segment(segment).total_segments(segments);
    let mut pages = request.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| explain(format!("cannot read table `{table}`"), &error))?;
        let items: Vec<HashMap<String, AttributeValue>> = page.items.unwrap_or_default();
        if to.send(items.into_iter().map(row).collect()).await.is_err() {
            break;
        }
    }
    Ok(())
}
