//! Names the content of an object: what a key held at one time. Pure.
//!
//! Invariant: the same content has the same name in every delivery of every event about it.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Identifies the content of an object among all that was ever stored under its key: the version or, if there is none,
/// the entity tag. `null` is what S3 calls the version of an object without one.
pub(crate) fn content(version: Option<&str>, etag: Option<&str>) -> Option<String> {
    let version = version.filter(|version| *version != "null");
    version.map(str::to_owned).or_else(|| etag.map(|etag| format!("etag:{etag}")))
}

/// The ID of a content: 32 hexadecimal digits. Each part is hashed after its length, so that no two contents hash the
/// same bytes.
pub(crate) fn id(partition: &str, bucket: &str, key: &str, content: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["v1", partition, bucket, key, content] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut id = String::new();
    for byte in &hash.finalize()[..16] {
        let _ = write!(id, "{byte:02x}");
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_contents_have_different_ids() {
        let this = id("aws", "pictures", "a b+ü.jpg", "v1");
        assert_eq!(this.len(), 32);
        assert!(this.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        let check = |other: String| assert_ne!(this, other);
        check(id("aws", "pictures", "a b+ü.jpg", "v2"));
        check(id("aws", "pictures", "a b+ü.jpg", "etag:v1"));
        check(id("aws", "pictures", "a b+ü.jp", "gv1"));
        check(id("aws", "picturesa", " b+ü.jpg", "v1"));
        check(id("aws-cn", "pictures", "a b+ü.jpg", "v1"));
    }

    #[test]
    fn the_id_is_the_documented_hash() {
        // From Python: hashlib.sha256(b"".join(len(p).to_bytes(8) + p for p in [b"v1", b"aws", b"b", b"k", b"etag:e"]))
        assert_eq!(id("aws", "b", "k", "etag:e"), "6cb7bac396b7bc38b15cea57d2ca2f6a");
    }

    #[test]
    fn a_content_is_a_version_or_an_entity_tag() {
        let check = |version, etag, expected: Option<&str>| assert_eq!(content(version, etag).as_deref(), expected);
        check(Some("v"), Some("e"), Some("v"));
        check(Some("v"), None, Some("v"));
        check(Some("null"), Some("e"), Some("etag:e"));
        check(None, Some("e"), Some("etag:e"));
        check(Some("null"), None, None);
        check(None, None, None);
    }
}
