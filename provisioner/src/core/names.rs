//! Names and tags: which ones AWS accepts, and which ones this tool derives.
//!
//! Pure. A derived name is the same on every machine, so a second run finds what the first one created.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// The key and value of the tag that marks a stack or bucket as created by this tool.
pub const OWNER_TAG: (&str, &str) = ("created-by", "provisioner");

/// The tags of a stack: the deployed ones and those that the user sets, without those that the user removes. The tag
/// that marks the stack as created by this tool is always included.
#[must_use]
pub fn tags(
    deployed: &BTreeMap<String, String>,
    set: &[(String, String)],
    removed: &[String],
) -> BTreeMap<String, String> {
    let mut tags: BTreeMap<String, String> =
        deployed.iter().filter(|(key, _)| !key.starts_with("aws:")).map(|(k, v)| (k.clone(), v.clone())).collect();
    tags.extend(set.iter().cloned());
    tags.retain(|key, _| !removed.contains(key));
    tags.insert(OWNER_TAG.0.to_owned(), OWNER_TAG.1.to_owned());
    tags
}

/// Checks a tag that the user sets or removes.
///
/// # Errors
/// The problem, as a clause that follows "tag `x` ".
pub fn check_tag(key: &str, value: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    if key.is_empty() || key.chars().count() > 128 {
        return Err("must have 1 to 128 characters");
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err("begins with `aws:`, which is reserved for AWS");
    }
    if key == OWNER_TAG.0 {
        return Err("marks the stack as this tool's and cannot be changed");
    }
    if value.chars().count() > 256 {
        return Err("has a value of more than 256 characters");
    }
    if !key.chars().chain(value.chars()).all(allowed) {
        return Err("has a character other than letters, digits, spaces and `_ . : / = + - @`");
    }
    Ok(())
}

/// Whether it is the id of an account.
#[must_use]
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.chars().all(|c| c.is_ascii_digit())
}

/// Whether it is `arn:PARTITION:iam::ACCOUNT:role/NAME`, with or without a path before the name.
#[must_use]
pub fn is_role_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else { return false };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c);
    partition.starts_with("aws")
        && is_account(account)
        && resource
            .strip_prefix("role/")
            .is_some_and(|name| !name.is_empty() && !name.ends_with('/') && name.chars().all(allowed))
}

/// Checks a stack name: a letter, then letters, digits, and hyphens, at most 64 characters.
///
/// CloudFormation allows 128 characters, but the function has the same name as the stack, and Lambda allows 64.
///
/// # Errors
/// The problem, as a clause that follows "stack name `x` ".
pub fn check_stack(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("is empty");
    }
    if name.len() > 64 {
        return Err("is longer than 64 characters");
    }
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err("does not begin with a letter");
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err("has a character other than letters, digits and hyphens");
    }
    Ok(())
}

/// The part of the picture bucket's name before account and region: at most 32 lower-case characters.
///
/// If the stack name must be changed, eight hexadecimal digits of its hash are appended, so no two stacks share a
/// bucket name.
#[must_use]
pub fn bucket_prefix(stack: &str) -> String {
    let lower = stack.to_ascii_lowercase();
    let tidy = lower.trim_matches('-');
    if tidy == stack && tidy.len() <= 32 && !tidy.contains("--") && tidy.len() >= 3 {
        return tidy.to_owned();
    }
    let hash = hex(&Sha256::digest(stack.as_bytes()))[..8].to_owned();
    let mut head: String = String::new();
    for c in tidy.chars() {
        if head.len() == 23 {
            break;
        }
        if !(c == '-' && head.ends_with('-')) {
            head.push(c);
        }
    }
    format!("{}-{hash}", head.trim_end_matches('-'))
}

/// The prefix that was probably meant if hardly any key starts with the given one: keys usually have neither a leading
/// slash nor empty folder names.
#[must_use]
pub fn usual_key_prefix(prefix: &str) -> Option<String> {
    let folders: Vec<&str> = prefix.split('/').filter(|folder| !folder.is_empty()).collect();
    let mut usual = folders.join("/");
    if prefix.ends_with('/') && !usual.is_empty() {
        usual.push('/');
    }
    (usual != prefix).then_some(usual)
}

/// The name of the bucket for packages, one per account and region, in the account's own namespace.
#[must_use]
pub fn package_bucket(account: &str, region: &str) -> String {
    format!("provisioner-artefacts-{account}-{region}-an")
}

/// The name of the bucket for pictures, in the account's own namespace, so nobody else can take it.
#[must_use]
pub fn picture_bucket(stack: &str, account: &str, region: &str) -> String {
    format!("{}-{account}-{region}-an", bucket_prefix(stack))
}

/// The key of a package: the stack's name as the folder, then the hash of the bytes.
#[must_use]
pub fn package_key(stack: &str, sha256: &str) -> String {
    format!("{stack}/{sha256}.zip")
}

/// The SHA-256 of bytes, as lower-case hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_arns() {
        for (arn, expected) in [
            ("arn:aws:iam::123456789012:role/deploy", true),
            ("arn:aws-us-gov:iam::123456789012:role/a/b/deploy", true),
            ("arn:aws:iam::123456789012:role/", false),
            ("arn:aws:iam::123456789012:role/a/", false),
            ("arn:aws:iam::123456789012:role/a b", false),
            ("arn:aws:iam::123456789012:user/me", false),
            ("arn:aws:iam::12:role/deploy", false),
            ("arn:aws:s3:::bucket", false),
            ("deploy", false),
        ] {
            assert_eq!(is_role_arn(arn), expected, "{arn}");
        }
    }

    #[test]
    fn prefixes_that_hardly_any_key_starts_with() {
        for (prefix, expected) in [
            ("", None),
            ("uploads/", None),
            ("uploads", None),
            ("a/b-", None),
            ("/uploads/", Some("uploads/")),
            ("/uploads", Some("uploads")),
            ("a//b/", Some("a/b/")),
            ("/", Some("")),
        ] {
            assert_eq!(usual_key_prefix(prefix).as_deref(), expected, "{prefix}");
        }
    }

    #[test]
    fn an_update_keeps_the_tags_that_others_set() {
        let pairs =
            |list: &[(&str, &str)]| list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
        let deployed = pairs(&[("team", "a"), ("cost", "1"), ("aws:x", "y"), ("old", "z")]).into_iter().collect();
        let tags = tags(&deployed, &pairs(&[("team", "b"), ("new", "n")]), &["old".to_owned()]);
        let expected = pairs(&[("cost", "1"), ("created-by", "provisioner"), ("new", "n"), ("team", "b")]);
        assert_eq!(tags.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn tags_are_checked() {
        for (key, value, ok) in [
            ("team", "vision", true),
            ("Größe", "1 + 1", true),
            ("", "x", false),
            ("aws:x", "x", false),
            ("AWS:x", "x", false),
            ("created-by", "x", false),
            ("a", "b;c", false),
            (&"k".repeat(129), "", false),
            ("k", &"v".repeat(257), false),
        ] {
            assert_eq!(check_tag(key, value).is_ok(), ok, "{key}={value}");
        }
    }

    #[test]
    fn stack_names_are_checked() {
        for (name, ok) in [
            ("face-recognition", true),
            ("A", true),
            ("", false),
            ("1up", false),
            ("-x", false),
            ("under_score", false),
            ("ümlaut", false),
            (&"x".repeat(64), true),
            (&"x".repeat(65), false),
        ] {
            assert_eq!(check_stack(name).is_ok(), ok, "{name}");
        }
    }

    #[test]
    fn bucket_prefixes_fit_and_differ() {
        assert_eq!(bucket_prefix("face-recognition"), "face-recognition");
        let names = [
            "Face-Recognition",
            "face--recognition",
            "face-recognition-",
            &"x".repeat(33),
            &"x".repeat(128),
            "a",
            "A",
            "FACE-RECOGNITION",
        ];
        let mut seen = std::collections::BTreeSet::from(["face-recognition".to_owned()]);
        for name in names {
            let prefix = bucket_prefix(name);
            assert!(prefix.len() <= 32 && prefix.len() >= 3, "{prefix}");
            assert!(prefix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{prefix}");
            assert!(!prefix.starts_with('-') && !prefix.ends_with('-') && !prefix.contains("--"), "{prefix}");
            assert!(seen.insert(prefix), "{name} shares its prefix with another stack");
        }
    }

    #[test]
    fn bucket_names_stay_within_63_characters() {
        let longest = package_bucket("123456789012", "ap-southeast-1");
        assert_eq!(longest, "provisioner-artefacts-123456789012-ap-southeast-1-an");
        assert!(longest.len() <= 63);
        assert!(format!("{}-123456789012-ap-southeast-1-an", bucket_prefix(&"x".repeat(64))).len() <= 63);
    }
}
