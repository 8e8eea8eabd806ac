//! Lists the versions of objects with the values that identify their rows.

use aws_sdk_s3::Client;

use super::bucket::Bucket;
use super::error::explain;
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
    let request =
        client.list_object_versions().bucket(&bucket.name).prefix(prefix).expected_bucket_owner(&bucket.owner);
    let mut found = Vec::new();
    let mut next = Some(request);
    while let Some(request) = next.take() {
        let reply = request
            .clone()
            .send()
            .await
            .map_err(|error| explain(format!("cannot list the objects in bucket `{}`", bucket.name), &error))?;
        found.extend(reply.versions().iter().filter_map(|version| {
            Some(Version {
                key: version.key()?.to_owned(),
                version: version.version_id().filter(|id| *id != "null").map(ToOwned::to_owned),
                etag: version.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
            })
        }));
        if reply.is_truncated() == Some(true) {
            let (key, version) = (reply.next_key_marker, reply.next_version_id_marker);
            next = Some(request.set_key_marker(key).set_version_id_marker(version));
        }
    }
    Ok(found)
}
