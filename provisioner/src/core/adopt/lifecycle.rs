//! Lifecycle rules of a bucket in one form, whether S3 reports them or a template declares them.
//!
//! Pure. Two rules are equal if they do the same to the same objects.

use std::fmt;

use serde_json::Value as Json;

use super::property::{items, number, text};

/// A lifecycle rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// Whether it is applied.
    pub enabled: bool,
    /// Which objects it concerns.
    pub objects: Objects,
    /// What it does, in the order of [`Action`].
    pub actions: Vec<Action>,
}

/// Which objects a rule concerns: those that fulfill all of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// Their key starts with this.
    pub prefix: String,
    /// They have these tags, sorted.
    pub tags: Vec<(String, String)>,
    /// They have more bytes than this.
    pub larger_than: Option<i64>,
    /// They have fewer bytes than this.
    pub smaller_than: Option<i64>,
}

/// When something happens to an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// So many days after the object was created, or became noncurrent.
    Days(i64),
    /// On this day, for example `2027-01-31`.
    Date(String),
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Deletes objects.
    Expire(When),
    /// Deletes delete markers without versions.
    ExpireMarkers,
    /// Moves objects to another storage class.
    Move(String, When),
    /// Deletes noncurrent versions, except so many of the newest.
    ExpireNoncurrent(i64, Option<i64>),
    /// Moves noncurrent versions to another storage class, except so many of the newest.
    MoveNoncurrent(String, i64, Option<i64>),
    /// Aborts multipart uploads that many days after they began.
    Abort(i64),
}

impl Rule {
    /// The rules of a `LifecycleConfiguration`.
    #[must_use]
    pub fn declared(configuration: &Json) -> Vec<Self> {
        items(&configuration["Rules"]).map(Self::of).collect()
    }

    fn of(rule: &Json) -> Self {
        let mut tags: Vec<_> = items(&rule["TagFilters"]).map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect();
        tags.sort();
        let when = |days: &Json, date: &Json| {
            number(days).map(When::Days).or_else(|| Some(When::Date(day(date.as_str()?).to_owned())))
        };
        let mut actions = Vec::new();
        actions.extend(when(&rule["ExpirationInDays"], &rule["ExpirationDate"]).map(Action::Expire));
        if text(&rule["ExpiredObjectDeleteMarker"]) == "true" {
            actions.push(Action::ExpireMarkers);
        }
        for transition in one_or_many(rule, "Transition") {
            let when = when(&transition["TransitionInDays"], &transition["TransitionDate"]);
            actions.extend(when.map(|when| Action::Move(text(&transition["StorageClass"]), when)));
        }
        let noncurrent = &rule["NoncurrentVersionExpiration"];
        let days = number(&noncurrent["NoncurrentDays"]).or_else(|| number(&rule["NoncurrentVersionExpirationInDays"]));
        let newer = |of: &Json| number(&of["NewerNoncurrentVersions"]);
        actions.extend(days.map(|days| Action::ExpireNoncurrent(days, newer(noncurrent))));
        for transition in one_or_many(rule, "NoncurrentVersionTransition") {
            let days = number(&transition["TransitionInDays"]);
            let class = text(&transition["StorageClass"]);
            actions.extend(days.map(|days| Action::MoveNoncurrent(class, days, newer(transition))));
        }
        let abort = number(&rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]);
        actions.extend(abort.map(Action::Abort));
        actions.sort();
        let objects = Objects {
            prefix: text(&rule["Prefix"]),
            tags,
            larger_than: number(&rule["ObjectSizeGreaterThan"]),
            smaller_than: number(&rule["ObjectSizeLessThan"]),
        };
        Self { id: text(&rule["Id"]), enabled: text(&rule["Status"]) == "Enabled", objects, actions }
    }
}

/// The day of a time in ISO 8601; S3 takes no other part of it.
#[must_use]
pub fn day(time: &str) -> &str {
    time.split('T').next().unwrap_or_default()
}

/// CloudFormation has both `Transition` and `Transitions`.
fn one_or_many<'a>(rule: &'a Json, name: &str) -> impl Iterator<Item = &'a Json> {
    let one = Some(&rule[name]).filter(|one| one.is_object());
    one.into_iter().chain(items(&rule[format!("{name}s")]))
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actions: Vec<String> = self.actions.iter().map(ToString::to_string).collect();
        let off = if self.enabled { "" } else { " (disabled)" };
        write!(f, "`{}`{off}: {}{}", self.id, actions.join(", "), self.objects)
    }
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.prefix.is_empty() {
            parts.push(format!("prefix {}", self.prefix));
        }
        parts.extend(self.tags.iter().map(|(name, value)| format!("tag {name}={value}")));
        parts.extend(self.larger_than.map(|bytes| format!("more than {bytes} bytes")));
        parts.extend(self.smaller_than.map(|bytes| format!("fewer than {bytes} bytes")));
        if parts.is_empty() { Ok(()) } else { write!(f, " ({})", parts.join(", ")) }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(1) => write!(f, "after 1 day"),
            Self::Days(days) => write!(f, "after {days} days"),
            Self::Date(day) => write!(f, "on {day}"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keeping =
            |newer: &Option<i64>| newer.map(|count| format!(" except the newest {count}")).unwrap_or_default();
        match self {
            Self::Expire(when) => write!(f, "delete {when}"),
            Self::ExpireMarkers => write!(f, "delete markers without versions"),
            Self::Move(class, when) => write!(f, "move to {class} {when}"),
            Self::ExpireNoncurrent(days, newer) => {
                write!(f, "delete noncurrent versions {}{}", When::Days(*days), keeping(newer))
            }
            Self::MoveNoncurrent(class, days, newer) => {
                write!(f, "move noncurrent versions to {class} {}{}", When::Days(*days), keeping(newer))
            }
            Self::Abort(days) => write!(f, "abort unfinished uploads {}", When::Days(*days)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn declared_rules_in_words() {
        for (rule, expected) in [
            (
                json!({ "Id": "a", "Status": "Enabled", "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 7 } }),
                "`a`: abort unfinished uploads after 7 days",
            ),
            (
                json!({ "Id": "b", "Status": "Disabled", "ExpirationInDays": "1", "Prefix": "tmp/" }),
                "`b` (disabled): delete after 1 day (prefix tmp/)",
            ),
            (
                json!({ "Id": "c", "Status": "Enabled", "ExpirationDate": "2027-01-31T00:00:00Z",
                    "Transitions": [{ "StorageClass": "GLACIER", "TransitionInDays": 30 }],
                    "TagFilters": [{ "Key": "k", "Value": "v" }], "ObjectSizeGreaterThan": 5 }),
                "`c`: delete on 2027-01-31, move to GLACIER after 30 days (tag k=v, more than 5 bytes)",
            ),
            (
                json!({ "Id": "d", "Status": "Enabled", "ExpiredObjectDeleteMarker": true,
                    "NoncurrentVersionExpiration": { "NoncurrentDays": 9, "NewerNoncurrentVersions": 2 },
                    "NoncurrentVersionTransition": { "StorageClass": "GLACIER", "TransitionInDays": 3 } }),
                "`d`: delete markers without versions, delete noncurrent versions after 9 days except the newest 2, \
                 move noncurrent versions to GLACIER after 3 days",
            ),
        ] {
            let rules = Rule::declared(&json!({ "Rules": [rule] }));
            assert_eq!(rules.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
        }
    }
}
