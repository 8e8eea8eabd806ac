//! Reads which pictures have a result: from the picture table, and from the rows.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use tokio::time::sleep;

use super::error::explain;
use super::pace::growing;
use crate::error::{Error, Result};

/// The most keys in a request.
pub const BATCH: usize = 100;

/// The key of an item of the picture table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PictureKey {
    /// `BUCKET/KEY`
    pub picture: String,
    /// The version, or the entity tag.
    pub content: String,
}

/// The outcomes of pictures, at most [`BATCH`] of them. A picture without an item, or one whose rows are being erased,
/// has none.
pub async fn outcomes(client: &Client, table: &str, keys: &[PictureKey]) -> Result<HashMap<PictureKey, String>> {
    let items = batch(client, table, keys.iter().map(item_key).collect(), &["Picture", "Content", "Outcome"]).await?;
    Ok(items
        .into_iter()
        .filter_map(|mut item| {
            let mut take = |name| match item.remove(name) {
                Some(AttributeValue::S(text)) => Some(text),
                _ => None,
            };
            Some((PictureKey { picture: take("Picture")?, content: take("Content")? }, take("Outcome")?))
        })
        .collect())
}

/// The final result of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// For example `no_face`.
    pub outcome: String,
    /// The reason that the function gives, if there is one.
    pub code: Option<String>,
}

/// The result of a picture, including the latest writes; `None` if it has none.
pub async fn result(client: &Client, table: &str, key: &PictureKey) -> Result<Option<Recorded>> {
    let request = client.get_item().table_name(table).set_key(Some(item_key(key))).consistent_read(true);
    let reply = request.send().await.map_err(|error| explain(format!("cannot read table `{table}`"), &error))?;
    let text = |name: &str| reply.item.as_ref()?.get(name)?.as_s().ok().cloned();
    Ok(text("Outcome").map(|outcome| Recorded { outcome, code: text("Code") }))
}

/// Deletes the result of a picture; it may already be gone.
pub async fn remove(client: &Client, table: &str, key: &PictureKey) -> Result<()> {
    let reply = client.delete_item().table_name(table).set_key(Some(item_key(key))).send().await;
    reply.map(|_| ()).map_err(|error| explain(format!("cannot delete a result from table `{table}`"), &error))
}

fn item_key(key: &PictureKey) -> HashMap<String, AttributeValue> {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([("Picture".to_owned(), text(&key.picture)), ("Content".to_owned(), text(&key.content))])
}

/// Which of these rows exist, at most [`BATCH`] of them.
pub async fn existing_rows(client: &Client, table: &str, face_ids: &[String]) -> Result<Vec<String>> {
    let keys = face_ids.iter().map(|id| HashMap::from([("FaceID".to_owned(), AttributeValue::S(id.clone()))]));
    let items = batch(client, table, keys.collect(), &["FaceID"]).await?;
    let id = |mut item: HashMap<String, AttributeValue>| match item.remove("FaceID") {
        Some(AttributeValue::S(id)) => Some(id),
        _ => None,
    };
    Ok(items.into_iter().filter_map(id).collect())
}

type Item = HashMap<String, AttributeValue>;

/// Reads items by their keys. What DynamoDB leaves out, because the table is throttled, is asked for again, for a
/// minute.
async fn batch(client: &Client, table: &str, mut keys: Vec<Item>, attributes: &[&str]) -> Result<Vec<Item>> {
    let names: HashMap<String, String> =
        attributes.iter().enumerate().map(|(at, name)| (format!("#{at}"), (*name).to_owned())).collect();
    let projection = (0..attributes.len()).map(|at| format!("#{at}")).collect::<Vec<_>>().join(", ");
    let mut found = Vec::new();
    let mut pauses = growing();
    while !keys.is_empty() {
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .projection_expression(&projection)
            .set_expression_attribute_names(Some(names.clone()))
            .build()
            .map_err(|error| Error::new("cannot build the request for items").because(&error))?;
        let reply = client.batch_get_item().request_items(table, wanted).send().await;
        let reply = reply.map_err(|error| explain(format!("cannot read table `{table}`"), &error))?;
        found.extend(reply.responses.unwrap_or_default().into_values().flatten());
        let rest = reply.unprocessed_keys.unwrap_or_default().into_values().flat_map(|rest| rest.keys);
        keys = rest.collect();
        if !keys.is_empty() {
            let throttled = || {
                let error = Error::new(format!("cannot read table `{table}`")).cause("DynamoDB throttles the requests");
                error.hint("wait until the table has capacity again, then run the same command again")
            };
            sleep(pauses.next().ok_or_else(throttled)?).await;
        }
    }
    Ok(found)
}
