//! Which keys `forget` erases, and what may be left of them elsewhere.
//!
//! Pure.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::attach::Location;

/// The keys to erase.
#[derive(Clone, Debug)]
pub struct Targets {
    locations: Vec<Location>,
    /// The keys by bucket; `None` if the locations are prefixes.
    keys: Option<HashMap<String, HashSet<String>>>,
}

impl Targets {
    /// Exactly the keys at these locations.
    #[must_use]
    pub fn keys(mut locations: Vec<Location>) -> Self {
        let mut keys: HashMap<String, HashSet<String>> = HashMap::new();
        locations.retain(|one| keys.entry(one.bucket.clone()).or_default().insert(one.prefix.clone()));
        Self { locations, keys: Some(keys) }
    }

    /// All keys with the prefixes of these locations.
    #[must_use]
    pub fn prefixes(locations: Vec<Location>) -> Self {
        Self { locations, keys: None }
    }

    /// The keys, or the prefixes.
    #[must_use]
    pub fn locations(&self) -> &[Location] {
        &self.locations
    }

    /// Whether the locations are prefixes.
    #[must_use]
    pub fn are_prefixes(&self) -> bool {
        self.keys.is_none()
    }

    /// Whether a key in a bucket is erased.
    #[must_use]
    pub fn contain(&self, bucket: &str, key: &str) -> bool {
        match &self.keys {
            Some(keys) => keys.get(bucket).is_some_and(|keys| keys.contains(key)),
            None => self.locations.iter().any(|one| one.bucket == bucket && key.starts_with(&one.prefix)),
        }
    }
}

/// How much there is of the pictures.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// Versions of objects in the bucket, including delete markers.
    pub versions: usize,
    /// Rows of faces.
    pub rows: usize,
    /// Results in the table of processed pictures that are not marked yet.
    pub results: usize,
}

impl Extent {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// A place where something about the erased pictures may remain.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "place", rename_all = "snake_case")]
pub enum Copy {
    /// The pictures themselves are still in the bucket.
    Bucket {
        /// Whether they are marked, so that nothing processes them again.
        marked: bool,
    },
    /// The marks in the table of processed pictures contain the keys.
    Marks,
    /// Continuous backups hold the rows for 35 days.
    Backups,
    /// The failure queue holds buckets and keys for 14 days.
    FailureQueue,
    /// The function's log identifies pictures by hashes, or by keys if `LogKeys` is on.
    Log {
        /// The days that a line is kept.
        days: String,
        /// Whether it contains keys.
        keys: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_exact_keys_or_prefixes() {
        let at = |bucket: &str, prefix: &str| Location { bucket: bucket.to_owned(), prefix: prefix.to_owned() };
        let keys = Targets::keys(vec![at("a", "x"), at("b", "y"), at("a", "x")]);
        assert_eq!(keys.locations().len(), 2, "no key twice");
        let prefixes = Targets::prefixes(vec![at("a", "x"), at("b", "y/")]);
        for (bucket, key, is_key, has_prefix) in [
            ("a", "x", true, true),
            ("a", "x1", false, true),
            ("b", "x", false, false),
            ("b", "y", true, false),
            ("b", "y/1", false, true),
            ("c", "x", false, false),
        ] {
            assert_eq!(
                (keys.contain(bucket, key), prefixes.contain(bucket, key)),
                (is_key, has_prefix),
                "{bucket}/{key}"
            );
        }
    }
}
