//! The versions of objects and the delete markers in a bucket, page by page; the SDK has no paginator for this operation.
//!
//! Invariant: keys are listed percent-encoded, because XML cannot contain control characters, and decoded once.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::operation::list_object_versions::builders::ListObjectVersionsFluentBuilder;
use aws_sdk_s3::types::{EncodingType, ObjectIdentifier};
use percent_encoding::percent_decode_str;
use tokio::sync::mpsc::Sender;

use super::error::{explain, is_missing};
use super::owned_bucket::Bucket;
use crate::error::Result;

/// A version of an object, not a delete marker.
#[derive(Clone, Debug)]
pub struct Version {
    /// The object's key.
    pub key: String,
    /// The version id; `None` if the object has none, because the bucket was not versioned.
    pub version: Option<String>,
    /// The entity tag without quotes.
    pub etag: String,
}

/// Lists all versions under a prefix.
pub async fn list(client: &Client, bucket: &Bucket, prefix: &str) -> Result<Vec<Version>> {
    let mut pages = Versions::of(client, bucket, prefix);
    let mut found = Vec::new();
    while let Some(reply) = pages.reply().await? {
        let encoding = reply.encoding_type();
        found.extend(reply.versions().iter().filter_map(|version| {
            Some(Version {
                key: decoded(version.key()?, encoding),
                version: version.version_id().filter(|id| *id != "null").map(ToOwned::to_owned),
                etag: version.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
            })
        }));
    }
    Ok(found)
}

/// Sends all versions and delete markers under a prefix, in the order of their keys, a page at a time. Ends early if
/// the receiver was dropped.
///
/// # Errors
/// A request fails.
pub async fn send(client: &Client, bucket: &Bucket, prefix: &str, to: Sender<Vec<Held>>) -> Result<()> {
    let mut pages = Versions::of(client, bucket, prefix);
    while let Some(reply) = pages.reply().await? {
        let encoding = reply.encoding_type();
        let markers = reply.delete_markers().iter().filter_map(|marker| {
            Some(Held { key: decoded(marker.key()?, encoding), version: marker.version_id()?.to_owned(), etag: None })
        });
        let versions = reply.versions().iter().filter_map(|version| {
            Some(Held {
                key: decoded(version.key()?, encoding),
                version: version.version_id().unwrap_or("null").to_owned(),
                etag: Some(version.e_tag().unwrap_or_default().trim_matches('"').to_owned()),
            })
        });
        let mut page: Vec<Held> = versions.chain(markers).collect();
        page.sort_by(|one, other| one.key.cmp(&other.key));
        if to.send(page).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Something that S3 holds under a key.
#[derive(Clone, Debug)]
pub struct Held {
    /// The object's key.
    pub key: String,
    /// The version id, which can be `null`.
    pub version: String,
    /// The entity tag without quotes; `None` for a delete marker.
    pub etag: Option<String>,
}

/// The pages that are still to come.
pub(super) struct Versions {
    next: Option<ListObjectVersionsFluentBuilder>,
}

impl Versions {
    /// The versions and delete markers below a prefix.
    pub(super) fn of(client: &Client, bucket: &Bucket, prefix: &str) -> Self {
        let request = client.list_object_versions().bucket(&bucket.name).prefix(prefix);
        Self { next: Some(request.expected_bucket_owner(&bucket.owner).encoding_type(EncodingType::Url)) }
    }

    /// The versions and delete markers of the next page; `None` after the last one, and if there is no such bucket.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<ObjectIdentifier>>> {
        let Some(reply) = self.reply().await? else { return Ok(None) };
        let versions = reply.versions().iter().map(|v| (v.key(), v.version_id()));
        let markers = reply.delete_markers().iter().map(|m| (m.key(), m.version_id()));
        let identified = versions.chain(markers).filter_map(|(key, version)| {
            let object = ObjectIdentifier::builder().key(decoded(key?, reply.encoding_type()));
            object.set_version_id(version.map(ToOwned::to_owned)).build().ok()
        });
        Ok(Some(identified.collect()))
    }

    /// The reply with the next page; see [`Self::next`].
    pub(super) async fn reply(&mut self) -> Result<Option<ListObjectVersionsOutput>> {
        let Some(request) = self.next.take() else { return Ok(None) };
        let reply = match request.clone().send().await {
            Ok(reply) => reply,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => {
                let bucket = request.get_bucket().as_deref().unwrap_or("?");
                return Err(explain(format!("cannot list the objects in bucket `{bucket}`"), &error));
            }
        };
        if reply.is_truncated() == Some(true) {
            let key = reply.next_key_marker().map(|key| decoded(key, reply.encoding_type()));
            self.next = Some(request.set_key_marker(key).set_version_id_marker(reply.next_version_id_marker.clone()));
        }
        Ok(Some(reply))
    }
}

/// A key as it was stored. An endpoint that does not encode keys does not name an encoding.
pub(super) fn decoded(key: &str, encoding: Option<&EncodingType>) -> String {
    if encoding != Some(&EncodingType::Url) {
        return key.to_owned();
    }
    // A space is encoded as in a form.
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Whether the XML of a request can contain a key.
pub(super) fn fits_xml(key: &str) -> bool {
    !key.contains(|c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_once() {
        for (key, encoding, expected) in [
            ("a+b%2Bc%01/%C3%A9", Some(EncodingType::Url), "a b+c\u{1}/é"),
            ("%252B", Some(EncodingType::Url), "%2B"),
            ("a+b%2B", None, "a+b%2B"),
        ] {
            assert_eq!(decoded(key, encoding.as_ref()), expected);
        }
    }

    #[test]
    fn keys_that_fit_into_xml() {
        for (key, expected) in [("a b+é/日本.jpg", true), ("a\u{1}b", false), ("a\nb", false), ("\u{ffff}", false)] {
            assert_eq!(fits_xml(key), expected, "{key:?}");
        }
    }
}
