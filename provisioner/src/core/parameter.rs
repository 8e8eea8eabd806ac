//! Whether a value fits a parameter's declaration, said before anything is built.
//!
//! Pure. What this does not understand passes: CloudFormation has the last word.

use regex_lite::Regex;
use serde_yaml::Value;

use super::template::scalar;

/// What is wrong with a value, as the end of a sentence that begins with "it"; `None` where nothing is.
#[must_use]
pub fn problem(declaration: &Value, value: &str) -> Option<String> {
    let text = |name: &str| declaration.get(name).and_then(scalar);
    let number = |name: &str| text(name)?.parse::<f64>().ok();
    let said = || text("ConstraintDescription").map(|said| said.trim_end_matches('.').to_owned());
    if let Some(allowed) = declaration.get("AllowedValues").and_then(Value::as_sequence) {
        let allowed: Vec<String> = allowed.iter().filter_map(scalar).collect();
        if !allowed.iter().any(|one| one == value) {
            return Some(format!("must be one of {}", allowed.join(", ")));
        }
    }
    if text("Type").as_deref() == Some("Number") {
        let Ok(given) = value.parse::<f64>() else { return Some("must be a number".into()) };
        match (number("MinValue"), number("MaxValue")) {
            (Some(least), _) if given < least => return Some(format!("must be at least {least}")),
            (_, Some(most)) if given > most => return Some(format!("must be at most {most}")),
            _ => {}
        }
        return None;
    }
    let length = value.chars().count();
    let size = |name: &str| text(name)?.parse::<usize>().ok();
    match (size("MinLength"), size("MaxLength")) {
        (Some(least), _) if length < least => return Some(format!("must have at least {least} characters")),
        (_, Some(most)) if length > most => return Some(format!("must have at most {most} characters")),
        _ => {}
    }
    let pattern = text("AllowedPattern")?;
    // CloudFormation matches the whole value, anchored or not; of a list, each member.
    let pattern_of_all = Regex::new(&format!("^(?:{pattern})$")).ok()?;
    let matches = match text("Type").as_deref() {
        Some("CommaDelimitedList") => value.split(',').all(|member| pattern_of_all.is_match(member.trim())),
        _ => pattern_of_all.is_match(value),
    };
    (!matches).then(|| said().unwrap_or_else(|| format!("must match {pattern}")))
}

/// The value for the parameter `Versioning`, if the deployed one is known.
///
/// A bucket that has once kept versions cannot return to the state without versioning, so `no` means `suspended` there.
/// A template without that value keeps `no`.
#[must_use]
pub fn versioning<'a>(declaration: &Value, deployed: Option<&str>, wanted: &'a str) -> &'a str {
    const SUSPENDED: &str = "suspended";
    let has_had_versions = matches!(deployed, Some("yes" | SUSPENDED));
    if wanted == "no" && has_had_versions && problem(declaration, SUSPENDED).is_none() { SUSPENDED } else { wanted }
}

#[cfg(test)]
mod tests {
    use super::super::template;
    use super::*;

    const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/mrk-0a1b2c3d";

    #[test]
    fn versions_are_suspended_in_a_bucket_that_had_some() {
        let template = template::read(template::BUILT_IN).expect("templates/stack.yaml");
        let current = template.declaration("Versioning").expect("a parameter").clone();
        let earlier: Value = serde_yaml::from_str("{Type: String, AllowedValues: ['no', 'yes']}").expect("YAML");
        for (declaration, deployed, wanted, expected) in [
            (&current, None, "no", "no"),
            (&current, Some("no"), "no", "no"),
            (&current, Some("yes"), "no", "suspended"),
            (&current, Some("suspended"), "no", "suspended"),
            (&current, Some("suspended"), "yes", "yes"),
            (&current, Some("yes"), "suspended", "suspended"),
            (&earlier, Some("yes"), "no", "no"),
        ] {
            assert_eq!(versioning(declaration, deployed, wanted), expected, "{deployed:?}, {wanted}");
        }
    }

    #[test]
    fn values_against_the_built_in_template() {
        let template = template::read(template::BUILT_IN).expect("templates/stack.yaml");
        for (name, value, expected) in [
            ("Timeout", "5", Some("must be at least 10")),
            ("Timeout", "10", None),
            ("Timeout", "901", Some("must be at most 900")),
            ("Timeout", "ten", Some("must be a number")),
            ("RetentionDays", "-1", Some("must be at least 0")),
            ("PointInTimeRecovery", "true", Some("must be one of no, yes")),
            ("PointInTimeRecovery", "yes", None),
            ("LogRetentionDays", "7", None),
            ("TableName", "a b", Some("must have 3 to 255 letters, digits, dots, hyphens, or underscores")),
            ("TableName", "FaceData", None),
            ("BucketName", "", None),
            ("BucketName", "Upper", Some("must be")),
            ("CodeKey", "", Some("must have at least 1 characters")),
            ("Versioning", "suspended", None),
            ("Attributes", "", None),
            ("Attributes", "SMILE,EYES_OPEN", None),
            ("Attributes", "ALL", None),
            ("Attributes", "smile", Some("must be empty or names of Rekognition's face attributes")),
            ("Attributes", "SMILEALL", Some("must be empty or names of Rekognition's face attributes")),
            ("Extensions", "jpg,jpeg,tar.gz", None),
            ("Extensions", "*.jpg", Some("must be empty or at most 32 extensions")),
            ("PictureKeys", "", None),
            ("PictureKeys", KEY, None),
            ("PictureKeys", &format!("{KEY}, {KEY}"), None),
            ("PictureKeys", &format!("{KEY},alias/mine"), Some("must be empty or ARNs of KMS keys")),
            ("PermissionsBoundary", "arn:aws:iam::123456789012:policy/teams/limit", None),
            ("PermissionsBoundary", "limit", Some("must be empty or the ARN of an IAM policy")),
            ("RolePath", "/", None),
            ("RolePath", "/teams/faces/", None),
            ("RolePath", "/teams", Some("must begin and end with a slash")),
            ("RolePath", "teams/", Some("must begin and end with a slash")),
            ("RekognitionRegion", "eu-central-1", None),
            ("RekognitionRegion", "Frankfurt", Some("must be empty or the name of a region")),
            ("BackfillConcurrency", "1", Some("must be at least 2")),
        ] {
            let found = problem(template.declaration(name).expect(name), value);
            let fits = match (&found, expected) {
                (None, None) => true,
                (Some(found), Some(expected)) => found.starts_with(expected),
                _ => false,
            };
            assert!(fits, "{name}={value}: {found:?}, expected {expected:?}");
        }
    }

    #[test]
    fn every_default_of_the_built_in_template_fits() {
        let template = template::read(template::BUILT_IN).expect("templates/stack.yaml");
        for (name, default) in &template.parameters {
            if let (Some(declared), Some(value)) = (template.declaration(name), default) {
                assert_eq!(problem(declared, value), None, "{name}");
            }
        }
    }
}
