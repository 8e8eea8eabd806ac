//! The file that `plan --out` writes, and the comparison that `up --plan` makes before it executes the plan.
//!
//! Pure. The change set has the changes; the file has everything that must be unchanged when they are executed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the file format.
pub const VERSION: u32 = 1;

/// A saved plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    /// [`VERSION`].
    pub version: u32,
    /// Twelve digits.
    pub account: String,
    /// For example `eu-west-1`.
    pub region: String,
    /// The stack's name.
    pub stack: String,
    /// The stack's ARN.
    pub stack_id: String,
    /// Whether the plan creates the stack.
    pub creates: bool,
    /// The ARN of the change set; `None` if there were no changes.
    pub change_set: Option<String>,
    /// Every parameter with its value.
    pub parameters: BTreeMap<String, String>,
    /// The SHA-256 of the template, in hex.
    pub template_sha256: String,
    /// The SHA-256 of the package, in hex.
    pub package_sha256: String,
}

/// The state that a later run finds, to be compared with a saved plan.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// Twelve digits.
    pub account: &'a str,
    /// For example `eu-west-1`.
    pub region: &'a str,
    /// The stack's name.
    pub stack: &'a str,
    /// The stack's ARN, if there is a stack.
    pub stack_id: Option<&'a str>,
    /// The SHA-256 of the change set's template, if the change set can still be executed.
    pub template_sha256: Option<&'a str>,
    /// The parameters of the change set.
    pub parameters: &'a BTreeMap<String, String>,
    /// The SHA-256 of the stored package, if it exists.
    pub package_sha256: Option<&'a str>,
}

impl SavedPlan {
    /// Describes each difference from the plan in a clause; if there are none, the plan can be executed exactly.
    #[must_use]
    pub fn differences(&self, found: &Found<'_>) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, planned: &str, now: Option<&str>| {
            if now != Some(planned) {
                let now = now.map_or_else(|| "missing".to_owned(), |now| format!("`{now}`"));
                differences.push(format!("{what} was `{planned}` when the plan was made and is {now} now"));
            }
        };
        compare("the account", &self.account, Some(found.account));
        compare("the region", &self.region, Some(found.region));
        compare("the stack name", &self.stack, Some(found.stack));
        compare("the stack's ARN", &self.stack_id, found.stack_id);
        if self.change_set.is_some() {
            if found.template_sha256.is_none() {
                differences.push("the change set can no longer be executed".to_owned());
                return differences;
            }
            compare("the template's SHA-256", &self.template_sha256, found.template_sha256);
            compare("the package's SHA-256", &self.package_sha256, found.package_sha256);
            for (name, value) in &self.parameters {
                compare(&format!("parameter `{name}`"), value, found.parameters.get(name).map(String::as_str));
            }
        }
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> SavedPlan {
        SavedPlan {
            version: VERSION,
            account: "123456789012".into(),
            region: "eu-west-1".into(),
            stack: "faces".into(),
            stack_id: "arn:stack".into(),
            creates: false,
            change_set: Some("arn:change-set".into()),
            parameters: [("Timeout".to_owned(), "10".to_owned())].into(),
            template_sha256: "aa".into(),
            package_sha256: "bb".into(),
        }
    }

    #[test]
    fn every_difference_is_named() {
        let (plan, same, other) =
            (plan(), plan().parameters, BTreeMap::from([("Timeout".to_owned(), "20".to_owned())]));
        let found = Found {
            account: "123456789012",
            region: "eu-west-1",
            stack: "faces",
            stack_id: Some("arn:stack"),
            template_sha256: Some("aa"),
            parameters: &same,
            package_sha256: Some("bb"),
        };
        assert!(plan.differences(&found).is_empty());
        for (found, said) in [
            (
                Found { account: "2", ..found.clone() },
                "the account was `123456789012` when the plan was made and is `2` now",
            ),
            (Found { region: "us-east-1", ..found.clone() }, "the region"),
            (Found { stack: "other", ..found.clone() }, "the stack name"),
            (
                Found { stack_id: None, ..found.clone() },
                "the stack's ARN was `arn:stack` when the plan was made and is missing now",
            ),
            (Found { template_sha256: None, ..found.clone() }, "the change set can no longer be executed"),
            (Found { template_sha256: Some("cc"), ..found.clone() }, "the template's SHA-256"),
            (
                Found { package_sha256: None, ..found.clone() },
                "the package's SHA-256 was `bb` when the plan was made and is missing now",
            ),
            (
                Found { parameters: &other, ..found.clone() },
                "parameter `Timeout` was `10` when the plan was made and is `20` now",
            ),
        ] {
            assert_eq!(plan.differences(&found).len(), 1, "{said}");
            assert!(plan.differences(&found)[0].starts_with(said), "{:?}", plan.differences(&found));
        }
    }

    #[test]
    fn a_plan_is_read_back_unchanged() {
        let text = serde_json::to_string_pretty(&plan()).expect("JSON");
        assert_eq!(serde_json::from_str::<SavedPlan>(&text).expect("a plan"), plan());
    }
}
