//! Names that AWS accepts, and the names that this tool derives from them.
//!
//! Pure. A derived name is the same on every machine: a second run finds what the first one made.

use sha2::{Digest, Sha256};

/// The tag that marks a stack or bucket as this tool's, and its value.
pub const OWNER_TAG: (&str, &str) = ("created-by", "provisioner");

/// Checks a stack name: a letter, then letters, digits and hyphens, 64 at most.
///
/// CloudFormation would take 128; the function bears the stack's name, and Lambda takes 64.
///
/// # Errors
/// What is wrong with it, as a clause that follows "stack name `x` ".
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

/// The part of the picture bucket's name that comes before account and region: at most 32 characters of lower case.
///
/// A stack name that does not survive unchanged gets eight hex digits of its own hash, so two stacks never meet in one name.
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

/// The bucket that keeps the function's packages: one an account and region, in the account's own namespace.
#[must_use]
pub fn package_bucket(account: &str, region: &str) -> String {
    format!("provisioner-artefacts-{account}-{region}-an")
}

/// The bucket for pictures: in the account's own namespace, where nobody else can take its name.
#[must_use]
pub fn picture_bucket(stack: &str, account: &str, region: &str) -> String {
    format!("{}-{account}-{region}-an", bucket_prefix(stack))
}

/// The key of a package: the stack's folder, then the hash of its bytes.
#[must_use]
pub fn package_key(stack: &str, sha256: &str) -> String {
    format!("{stack}/{sha256}.zip")
}

/// Lower-case hexadecimal digits of some bytes.
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
    fn stack_names() {
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
