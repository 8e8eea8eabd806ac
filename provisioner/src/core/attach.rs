//! Attached buckets: buckets outside the stack whose pictures the function processes.
//!
//! Pure: turns what the user names and what is deployed into the buckets to attach.

pub mod template;
#[cfg(test)]
mod tests;

use std::fmt;

/// The most buckets that a stack can attach.
pub const MAX_BUCKETS: usize = 20;

/// A bucket, or the keys in it that start with a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The bucket's name.
    pub bucket: String,
    /// The prefix; empty for the whole bucket.
    pub prefix: String,
}

impl Location {
    /// Reads `s3://BUCKET[/PREFIX]`.
    ///
    /// # Errors
    /// The problem, as a sentence for people.
    pub fn parse(url: &str) -> Result<Self, String> {
        let Some(rest) = url.strip_prefix("s3://") else {
            return Err("expected s3://BUCKET or s3://BUCKET/PREFIX".to_owned());
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket_name(bucket) {
            return Err(format!(
                "`{bucket}` is not the name of a bucket: 3 to 63 lower-case letters, digits, dots, and hyphens"
            ));
        }
        if prefix.len() > 1_024 {
            return Err("the prefix has more than 1,024 bytes, the most that a key can have".to_owned());
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

fn is_bucket_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&name.len()) && name.chars().all(inner) && name.starts_with(outer) && name.ends_with(outer)
}

/// An attached bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The bucket's name.
    pub bucket: String,
    /// The prefixes of the keys to process, none of which starts with another one. An empty one stands for all keys.
    pub prefixes: Vec<String>,
    /// Whether this stack switched on that the bucket sends its events to EventBridge, and may switch it off again.
    pub switched_on: bool,
}

impl Attachment {
    /// What is attached, as the user names it.
    #[must_use]
    pub fn locations(&self) -> Vec<Location> {
        let location = |prefix: &String| Location { bucket: self.bucket.clone(), prefix: prefix.clone() };
        self.prefixes.iter().map(location).collect()
    }
}

/// The attached buckets after an operation, and those that it detaches.
#[derive(Clone, Debug, Default)]
pub struct Attached {
    /// The attached buckets.
    pub buckets: Vec<Attachment>,
    /// The names of the buckets that are not attached any more and whose flag this stack switched on.
    pub released: Vec<String>,
}

/// Why buckets cannot be attached or detached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// IAM and CloudFormation interpret these characters.
    #[error("the prefix of `{0}` contains `*`, `?`, or `$`, which IAM and CloudFormation interpret")]
    Wildcard(Location),
    /// A template cannot contain these characters.
    #[error("the prefix of `{0}` contains a control character, which a template cannot contain")]
    Control(Location),
    /// The same location is to be attached and detached.
    #[error("`{0}` cannot be attached and detached at once")]
    Both(Location),
    /// There are too many.
    #[error("a stack can attach at most {MAX_BUCKETS} buckets, and these would be {0}")]
    TooMany(usize),
    /// An event pattern has at most 2,048 characters by default.
    #[error("bucket `{bucket}` has too many or too long prefixes: {length} characters, and a rule can hold {limit}")]
    Pattern {
        /// The bucket's name.
        bucket: String,
        /// The length of the pattern.
        length: usize,
        /// The most that EventBridge accepts.
        limit: usize,
    },
    /// The inline policies of a role have at most 10,240 characters.
    #[error("the buckets and prefixes need {length} characters in the function's role, and IAM accepts {limit}")]
    Role {
        /// The length of the role's statements.
        length: usize,
        /// The most that IAM accepts.
        limit: usize,
    },
    /// A template has at most 51,200 bytes.
    #[error(
        "the template with the attached buckets has {length} bytes, and CloudFormation accepts {limit} in a request"
    )]
    Template {
        /// The length of the template.
        length: usize,
        /// The most that CloudFormation accepts.
        limit: usize,
    },
    /// The template is not derived from the built-in one.
    #[error("the template has no {0}, so no bucket can be attached to it")]
    Foreign(&'static str),
}

/// The buckets to attach in the end.
///
/// A bucket that is named twice is attached once, with all its prefixes. To detach a bucket detaches all its prefixes.
/// What is not attached need not be detached.
/// Only buckets that are not attached yet count as not switched on.
///
/// # Errors
/// Something cannot be attached or detached.
pub fn change(current: &[Attachment], attach: &[Location], detach: &[Location]) -> Result<Vec<Attachment>, Problem> {
    if let Some(both) = attach.iter().find(|location| detach.contains(location)) {
        return Err(Problem::Both(both.clone()));
    }
    let mut wanted = current.to_vec();
    for location in detach {
        if let Some(attached) = wanted.iter_mut().find(|attached| attached.bucket == location.bucket) {
            attached.prefixes.retain(|prefix| !location.prefix.is_empty() && *prefix != location.prefix);
        }
    }
    for location in attach {
        if location.prefix.contains(['*', '?', '$']) {
            return Err(Problem::Wildcard(location.clone()));
        }
        if location.prefix.contains(char::is_control) {
            return Err(Problem::Control(location.clone()));
        }
        match wanted.iter_mut().find(|attached| attached.bucket == location.bucket) {
            Some(attached) => attached.prefixes.push(location.prefix.clone()),
            None => wanted.push(Attachment {
                bucket: location.bucket.clone(),
                prefixes: vec![location.prefix.clone()],
                switched_on: false,
            }),
        }
    }
    wanted.retain(|attached| !attached.prefixes.is_empty());
    for attached in &mut wanted {
        attached.prefixes = shortest(std::mem::take(&mut attached.prefixes));
    }
    wanted.sort_by(|a, b| a.bucket.cmp(&b.bucket));
    if wanted.len() > MAX_BUCKETS {
        return Err(Problem::TooMany(wanted.len()));
    }
    Ok(wanted)
}

/// The locations that are to be detached but are not attached. This is no error: an interrupted run may have detached
/// them.
pub fn not_attached<'a>(current: &[Attachment], detach: &'a [Location]) -> impl Iterator<Item = &'a Location> {
    let is_attached = |location: &Location| {
        let mut of_bucket = current.iter().filter(|attached| attached.bucket == location.bucket);
        of_bucket.any(|attached| location.prefix.is_empty() || attached.prefixes.contains(&location.prefix))
    };
    detach.iter().filter(move |location| !is_attached(location))
}

/// The prefixes without those that start with another one, sorted.
fn shortest(mut prefixes: Vec<String>) -> Vec<String> {
    prefixes.sort();
    let mut kept: Vec<String> = Vec::new();
    for prefix in prefixes {
        // In this order, a prefix comes right before those that it covers.
        if !kept.last().is_some_and(|last| prefix.starts_with(last)) {
            kept.push(prefix);
        }
    }
    kept
}
