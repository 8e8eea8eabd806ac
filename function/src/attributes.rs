//! The face attributes that Rekognition is asked for.
//!
//! Invariant: `AGE_RANGE` and `EMOTIONS` are always requested.

use aws_sdk_rekognition::types::Attribute;

/// The requested attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes(Vec<Attribute>);

impl Default for Attributes {
    fn default() -> Self {
        Self(vec![Attribute::AgeRange, Attribute::Emotions])
    }
}

impl Attributes {
    /// Parses a list of Rekognition's names, separated by commas. `None` if one of them is unknown.
    #[must_use]
    pub fn parse(list: &str) -> Option<Self> {
        let mut attributes = Self::default();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let attribute = Attribute::try_parse(&name.to_ascii_uppercase()).ok()?;
            // Every reply has the default attributes. With `ALL`, naming them is redundant.
            if attribute != Attribute::Default && !attributes.0.contains(&attribute) {
                attributes.0.push(attribute);
            }
        }
        Some(attributes)
    }

    /// The attributes to request.
    #[must_use]
    pub fn requested(&self) -> Vec<Attribute> {
        if self.0.contains(&Attribute::All) { vec![Attribute::All] } else { self.0.clone() }
    }

    /// Whether an attribute is requested, by name or as one of all.
    pub(crate) fn include(&self, attribute: &Attribute) -> bool {
        self.0.contains(&Attribute::All) || self.0.contains(attribute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_range_and_emotions_are_always_requested() {
        let check = |list: &str, expected: Option<&[&str]>| {
            let requested = Attributes::parse(list).map(|attributes| attributes.requested());
            let names = requested.as_ref().map(|names| names.iter().map(Attribute::as_str).collect::<Vec<_>>());
            assert_eq!(names.as_deref(), expected, "{list}");
        };
        check("", Some(&["AGE_RANGE", "EMOTIONS"]));
        check("DEFAULT", Some(&["AGE_RANGE", "EMOTIONS"]));
        check(" smile,GENDER ,, AGE_RANGE,SMILE", Some(&["AGE_RANGE", "EMOTIONS", "SMILE", "GENDER"]));
        check("GENDER,ALL,DEFAULT", Some(&["ALL"]));
        check("GENDER,SHOE_SIZE", None);
    }

    #[test]
    fn all_includes_every_attribute() {
        let includes = |list: &str, attribute| Attributes::parse(list).unwrap().include(&attribute);
        assert!(includes("ALL", Attribute::Smile));
        assert!(includes("SMILE", Attribute::Smile));
        assert!(!includes("SMILE", Attribute::Gender));
        assert!(!includes("SMILE", Attribute::All));
    }
}
