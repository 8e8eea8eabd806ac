//! Collects pictures with their faces for a page.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};

use crate::aws::bucket::{self, Read};
use crate::clock;
use crate::context::Context;
use crate::core::gallery::{Face, GalleryPicture, Image};
use crate::core::moment;
use crate::core::smoke::{Attribute, Picture, Row};
use crate::error::Result;
use crate::steps::page::PageFile;
use crate::steps::picture::Deployment;
use crate::steps::thumbnail;
use crate::ui::page::{Gallery, pictures};

/// The largest picture that Rekognition accepts.
const MAX_BYTES: u64 = 15 * 1024 * 1024;

/// Maximum number of pictures that are read at a time.
const PARALLEL: usize = 8;

/// Writes the page.
pub fn write(file: PageFile, shown: &[GalleryPicture], deployment: &Deployment, cx: &Context) -> Result<()> {
    let gallery = Gallery {
        stack: cx.stack(),
        region: cx.region(),
        bucket: &deployment.bucket.name,
        written: moment::utc(clock::now_millis()),
        pictures: shown,
    };
    file.write(&pictures(&gallery), &cx.events)
}

/// Reads the pictures of rows from their buckets. Rows of earlier contents of a key are entries of their own.
pub async fn of_rows(cx: &Context, deployment: &Deployment, rows: Vec<Row>) -> Vec<GalleryPicture> {
    let groups = by_content(rows);
    let budget = thumbnail::budget(groups.len());
    let read = groups.into_iter().map(|(content, rows)| picture(cx, deployment, content, rows, budget));
    stream::iter(read).buffered(PARALLEL).collect().await
}

/// What the rows of one content have in common: bucket, key, version if there is one, and the first part of the
/// `FaceID`.
type Content = (String, String, Option<String>, String);

fn by_content(rows: Vec<Row>) -> BTreeMap<Content, Vec<Row>> {
    let text = |row: &Row, name: &str| match row.get(name) {
        Some(Attribute::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let mut contents: BTreeMap<Content, Vec<Row>> = BTreeMap::new();
    for row in rows {
        let face_id = text(&row, "FaceID").unwrap_or_default();
        let content = face_id.split('#').next().unwrap_or_default().to_owned();
        let (bucket, key) = (text(&row, "Bucket").unwrap_or_default(), text(&row, "Key").unwrap_or_default());
        contents.entry((bucket, key, text(&row, "VersionId"), content)).or_default().push(row);
    }
    for rows in contents.values_mut() {
        rows.sort_by_key(|row| text(row, "FaceID"));
    }
    contents
}

async fn picture(
    cx: &Context,
    deployment: &Deployment,
    content: Content,
    rows: Vec<Row>,
    budget: usize,
) -> GalleryPicture {
    let (bucket, key, version, id) = content;
    let faces = rows.iter().map(Face::of).collect();
    let title = format!("s3://{bucket}/{key}");
    let without = |note: &str| (None, Some(note.to_owned()));
    let (image, note) = match bucket::read(&cx.clients.s3, &bucket, &key, version.clone(), MAX_BYTES).await {
        Ok(Read::Bytes(bytes, etag)) => {
            let current = Picture { bucket, ..deployment.picture(key, version, etag) };
            if current.face_id(0).starts_with(&id) {
                embed(bytes, budget).await
            } else {
                without("the picture was replaced")
            }
        }
        Ok(Read::Missing) => without("the picture is no longer there"),
        Ok(Read::Denied) => without("access to the picture is denied"),
        Ok(Read::TooLarge) => without("the picture is larger than 15 MB"),
        Err(error) => (None, Some(error.message)),
    };
    GalleryPicture { title, image, note, faces }
}

/// A copy of a picture for the page, or the reason why there is none.
pub async fn embed(bytes: Bytes, budget: usize) -> (Option<Image>, Option<String>) {
    match thumbnail::make(bytes, budget).await {
        Some(image) => (Some(image), None),
        None => (None, Some("the picture cannot be decoded".to_owned())),
    }
}
