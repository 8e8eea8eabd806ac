//! The parts of a system's buckets that the user names.
//!
//! Pure.

use super::attach::Location;

/// A bucket of a system, and the prefixes of the keys that the system processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The bucket's name.
    pub bucket: String,
    /// The prefixes; one of them is empty if all keys are processed.
    pub prefixes: Vec<String>,
}

/// Why a location is not one of a system.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// The bucket is none of the system's.
    #[error("bucket `{0}` does not belong to this system")]
    Bucket(String),
    /// The system does not process keys with this prefix.
    #[error("this system does not process the pictures below `{0}`")]
    Prefix(Location),
}

/// The parts of the sources that the locations mean: all of them if there are no locations. No part is in another one.
///
/// # Errors
/// A location is outside the sources.
pub fn narrow(locations: &[Location], sources: &[Source]) -> Result<Vec<Location>, Foreign> {
    let all = |source: &Source| {
        let part = |prefix: &String| Location { bucket: source.bucket.clone(), prefix: prefix.clone() };
        source.prefixes.iter().map(part).collect::<Vec<_>>()
    };
    if locations.is_empty() {
        return Ok(distinct(sources.iter().flat_map(all).collect()));
    }
    let mut parts = Vec::new();
    for location in locations {
        let Some(source) = sources.iter().find(|source| source.bucket == location.bucket) else {
            return Err(Foreign::Bucket(location.bucket.clone()));
        };
        let before = parts.len();
        parts.extend(all(source).into_iter().filter_map(|part| intersection(part, location)));
        if parts.len() == before {
            return Err(Foreign::Prefix(location.clone()));
        }
    }
    Ok(distinct(parts))
}

fn intersection(part: Location, location: &Location) -> Option<Location> {
    if part.prefix.starts_with(&location.prefix) {
        Some(part)
    } else {
        location.prefix.starts_with(&part.prefix).then(|| location.clone())
    }
}

/// Leaves out the locations that are in another one, so that no picture counts twice.
fn distinct(locations: Vec<Location>) -> Vec<Location> {
    let mut kept: Vec<Location> = Vec::new();
    for location in locations {
        let contains = |outer: &Location, inner: &Location| {
            outer.bucket == inner.bucket && inner.prefix.starts_with(&outer.prefix)
        };
        if !kept.iter().any(|other| contains(other, &location)) {
            kept.retain(|other| !contains(&location, other));
            kept.push(location);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bucket: &str, prefix: &str) -> Location {
        Location { bucket: bucket.to_owned(), prefix: prefix.to_owned() }
    }

    #[test]
    fn locations_are_narrowed_to_what_the_system_processes() {
        let source = |bucket: &str, prefixes: &[&str]| Source {
            bucket: bucket.to_owned(),
            prefixes: prefixes.iter().map(|&prefix| prefix.to_owned()).collect(),
        };
        let sources = [source("own", &["in/"]), source("other", &["a/", "b/"]), source("whole", &[""])];
        for (locations, expected) in [
            (&[][..], Ok(vec![at("own", "in/"), at("other", "a/"), at("other", "b/"), at("whole", "")])),
            (&[at("own", "")], Ok(vec![at("own", "in/")])),
            (&[at("own", "i")], Ok(vec![at("own", "in/")])),
            (&[at("own", "in/2026/")], Ok(vec![at("own", "in/2026/")])),
            (&[at("other", "")], Ok(vec![at("other", "a/"), at("other", "b/")])),
            (&[at("whole", "x/y"), at("whole", "x/"), at("whole", "x/z")], Ok(vec![at("whole", "x/")])),
            (&[at("own", "out/")], Err(Foreign::Prefix(at("own", "out/")))),
            (&[at("foreign", "")], Err(Foreign::Bucket("foreign".into()))),
        ] {
            assert_eq!(narrow(locations, &sources), expected, "{locations:?}");
        }
    }
}
