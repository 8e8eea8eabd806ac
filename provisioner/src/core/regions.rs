//! AWS's regions: their names, their partitions, and where Rekognition detects faces.
//!
//! Pure: a table, taken from botocore 1.44 in November 2026. It is not the last word: Service Quotas tells about regions
//! that gained Rekognition later, and the table refuses a region only if AWS does not answer.

/// One AWS region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// As in an ARN: `eu-west-1`.
    pub name: &'static str,
    /// As AWS shows it to people: `Europe (Ireland)`.
    pub place: &'static str,
    faces: Faces,
}

/// Whether Rekognition detects faces in a region, or else where to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Faces {
    Here,
    /// The regions to suggest, best first: near ones, but under the same law before nearer ones (Paris sends to Frankfurt and Ireland,
    /// not to London), since pictures of people are what moves.
    Elsewhere(&'static [&'static str]),
}

use Faces::{Elsewhere, Here};

/// No region of the partition has it, and the others are out of reach for its accounts.
const NOWHERE: Faces = Elsewhere(&[]);

const fn region(name: &'static str, place: &'static str, faces: Faces) -> Region {
    Region { name, place, faces }
}

const REGIONS: &[Region] = &[
    region("us-east-1", "US East (N. Virginia)", Here),
    region("us-east-2", "US East (Ohio)", Here),
    region("us-west-1", "US West (N. California)", Here),
    region("us-west-2", "US West (Oregon)", Here),
    region("ca-central-1", "Canada (Central)", Here),
    region("ca-west-1", "Canada West (Calgary)", Elsewhere(&["ca-central-1", "us-west-2"])),
    region("mx-central-1", "Mexico (Central)", Elsewhere(&["us-east-1", "us-west-1"])),
    region("sa-east-1", "South America (São Paulo)", Here),
    region("sa-west-1", "South America (Chile)", Elsewhere(&["sa-east-1", "us-east-1"])),
    region("eu-west-1", "Europe (Ireland)", Here),
    region("eu-west-2", "Europe (London)", Here),
    region("eu-west-3", "Europe (Paris)", Elsewhere(&["eu-central-1", "eu-west-1"])),
    region("eu-central-1", "Europe (Frankfurt)", Here),
    region("eu-central-2", "Europe (Zurich)", Elsewhere(&["eu-central-1", "eu-west-1"])),
    region("eu-north-1", "Europe (Stockholm)", Elsewhere(&["eu-central-1", "eu-west-1"])),
    region("eu-south-1", "Europe (Milan)", Elsewhere(&["eu-central-1", "eu-south-2"])),
    region("eu-south-2", "Europe (Spain)", Here),
    region("il-central-1", "Israel (Tel Aviv)", Here),
    region("me-south-1", "Middle East (Bahrain)", Elsewhere(&["il-central-1", "ap-south-1"])),
    region("me-central-1", "Middle East (UAE)", Elsewhere(&["ap-south-1", "il-central-1"])),
    region("me-west-1", "Middle East (Saudi Arabia)", Elsewhere(&["il-central-1", "ap-south-1"])),
    region("af-south-1", "Africa (Cape Town)", Elsewhere(&["eu-west-1", "eu-central-1"])),
    region("ap-south-1", "Asia Pacific (Mumbai)", Here),
    region("ap-south-2", "Asia Pacific (Hyderabad)", Elsewhere(&["ap-south-1", "ap-southeast-1"])),
    region("ap-east-1", "Asia Pacific (Hong Kong)", Elsewhere(&["ap-southeast-1", "ap-northeast-1"])),
    region("ap-east-2", "Asia Pacific (Taipei)", Elsewhere(&["ap-northeast-1", "ap-southeast-1"])),
    region("ap-northeast-1", "Asia Pacific (Tokyo)", Here),
    region("ap-northeast-2", "Asia Pacific (Seoul)", Here),
    region("ap-northeast-3", "Asia Pacific (Osaka)", Elsewhere(&["ap-northeast-1", "ap-northeast-2"])),
    region("ap-southeast-1", "Asia Pacific (Singapore)", Here),
    region("ap-southeast-2", "Asia Pacific (Sydney)", Here),
    region("ap-southeast-3", "Asia Pacific (Jakarta)", Elsewhere(&["ap-southeast-1", "ap-southeast-5"])),
    region("ap-southeast-4", "Asia Pacific (Melbourne)", Elsewhere(&["ap-southeast-2"])),
    region("ap-southeast-5", "Asia Pacific (Malaysia)", Here),
    region("ap-southeast-6", "Asia Pacific (New Zealand)", Elsewhere(&["ap-southeast-2"])),
    region("ap-southeast-7", "Asia Pacific (Thailand)", Here),
    region("us-gov-west-1", "AWS GovCloud (US-West)", Here),
    region("us-gov-east-1", "AWS GovCloud (US-East)", Elsewhere(&["us-gov-west-1"])),
    region("cn-north-1", "China (Beijing)", NOWHERE),
    region("cn-northwest-1", "China (Ningxia)", NOWHERE),
    region("eusc-de-east-1", "AWS European Sovereign Cloud (Germany)", NOWHERE),
];

/// The regions that an account has only after it has enabled them (AWS Account Management, "Enable or disable AWS Regions").
const OPT_IN: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "eu-central-2",
    "eu-south-1",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "me-west-1",
    "mx-central-1",
    "sa-west-1",
];

/// Every region of the table, the supported and the others.
pub fn all() -> impl Iterator<Item = Region> {
    REGIONS.iter().copied()
}

/// The region of this name, if the table has it.
#[must_use]
pub fn find(name: &str) -> Option<Region> {
    all().find(|region| region.name == name)
}

/// Whether the table has a region of this name.
#[must_use]
pub fn is_known(name: &str) -> bool {
    find(name).is_some()
}

/// Whether Rekognition detects faces in the region of this name, as far as the table knows.
#[must_use]
pub fn supports_rekognition(name: &str) -> bool {
    find(name).is_some_and(|region| region.supports_rekognition())
}

/// The nearest regions with Rekognition, as they read in a sentence: "`a`, `b`, or `c`"; `None` if there are none.
#[must_use]
pub fn nearest_in_words(name: &str) -> Option<String> {
    let names: Vec<String> = nearest(name).iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        [one, other] => Some(format!("{one} or {other}")),
        [several @ .., last] => Some(format!("{}, or {last}", several.join(", "))),
    }
}

/// The supported regions to suggest in place of this one, best first, three at most; the region itself where it is supported.
///
/// A name that the table does not have is judged by its first syllable, so a slip of the pen (`eu-west-7`) still gets an answer.
/// Empty where no region of the partition has Rekognition.
#[must_use]
pub fn nearest(name: &str) -> Vec<&'static str> {
    if let Some(region) = find(name) {
        return match region.faces {
            Here => vec![region.name],
            Elsewhere(names) => names.to_vec(),
        };
    }
    let continent = name.split('-').next().unwrap_or_default();
    all()
        .filter(Region::supports_rekognition)
        .filter(|region| region.name.split('-').next() == Some(continent) && region.partition() == partition_of(name))
        .map(|region| region.name)
        .take(3)
        .collect()
}

/// The partition that a region belongs to, by its name alone: the one after `arn:` in every ARN there.
///
/// A name in no known style is taken for one of the standard partition, `aws`, where new regions appear.
#[must_use]
pub fn partition_of(region: &str) -> &'static str {
    const STYLES: &[(&str, &str)] = &[
        ("us-gov-", "aws-us-gov"),
        ("cn-", "aws-cn"),
        ("eusc-", "aws-eusc"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
    ];
    STYLES.iter().find(|(style, _)| region.starts_with(style)).map_or("aws", |(_, partition)| partition)
}

/// The region of a partition in which every account can act.
#[must_use]
pub fn home_of(region: &str) -> &'static str {
    match partition_of(region) {
        "aws-us-gov" => "us-gov-west-1",
        "aws-cn" => "cn-north-1",
        "aws-eusc" => "eusc-de-east-1",
        "aws-iso" => "us-iso-east-1",
        "aws-iso-b" => "us-isob-east-1",
        "aws-iso-e" => "eu-isoe-west-1",
        "aws-iso-f" => "us-isof-south-1",
        _ => "us-east-1",
    }
}

/// Whether a name could be a region's, known or yet to come: groups of letters and a number, as in `eu-west-9`.
#[must_use]
pub fn is_well_formed(name: &str) -> bool {
    let groups: Vec<&str> = name.split('-').collect();
    let [words @ .., number] = groups.as_slice() else { return false };
    (2..=4).contains(&words.len())
        && words.iter().all(|word| word.len() >= 2 && word.chars().all(|c| c.is_ascii_lowercase()))
        && (1..=2).contains(&number.len())
        && number.chars().all(|c| c.is_ascii_digit())
}

impl Region {
    /// Whether Rekognition detects faces here.
    #[must_use]
    pub fn supports_rekognition(&self) -> bool {
        self.faces == Here
    }

    /// Whether an account must enable the region before it can be used, as all that opened after 20 March 2019.
    #[must_use]
    pub fn is_opt_in(&self) -> bool {
        OPT_IN.contains(&self.name)
    }

    /// The partition that the region belongs to.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        partition_of(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_read_as_a_sentence() {
        for (name, expected) in [
            ("cn-north-1", None),
            ("ap-southeast-4", Some("`ap-southeast-2`")),
            ("eu-west-3", Some("`eu-central-1` or `eu-west-1`")),
            ("eu-future-1", Some("`eu-west-1`, `eu-west-2`, or `eu-central-1`")),
        ] {
            assert_eq!(nearest_in_words(name).as_deref(), expected, "{name}");
        }
    }
    use std::collections::BTreeSet;

    #[test]
    fn supported() {
        for (name, expected) in [
            ("eu-west-1", true),
            ("ap-southeast-7", true),
            ("us-gov-west-1", true),
            // Often assumed to have it:
            ("eu-west-3", false),
            ("eu-north-1", false),
            ("eu-south-1", false),
            ("ap-east-1", false),
            ("ap-northeast-3", false),
            ("us-gov-east-1", false),
            ("cn-north-1", false),
            // No regions:
            ("aws-global", false),
            ("EU-WEST-1", false),
            ("", false),
        ] {
            assert_eq!(supports_rekognition(name), expected, "{name}");
        }
    }

    #[test]
    fn partitions() {
        for (name, expected) in [
            ("eu-west-1", "aws"),
            ("us-gov-east-1", "aws-us-gov"),
            ("cn-northwest-1", "aws-cn"),
            ("eusc-de-east-1", "aws-eusc"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("ap-future-1", "aws"),
            ("", "aws"),
        ] {
            assert_eq!(partition_of(name), expected, "{name}");
        }
    }

    #[test]
    fn well_formed_names() {
        for region in all() {
            assert!(is_well_formed(region.name), "{}", region.name);
        }
        for (name, expected) in [
            ("eu-west-9", true),
            ("us-gov-north-1", true),
            ("ap-southeast-12", true),
            ("mars-north-1", true),
            ("atlantis", false),
            ("atlantis-1", false),
            ("eu-west", false),
            ("eu-west-", false),
            ("eu--west-1", false),
            ("EU-WEST-1", false),
            ("eu-west-1a", false),
            ("eu-west-100", false),
            ("eu_west_1", false),
            ("-1", false),
            ("", false),
        ] {
            assert_eq!(is_well_formed(name), expected, "{name}");
        }
    }

    #[test]
    fn homes_are_in_their_partition() {
        for region in all() {
            assert_eq!(partition_of(home_of(region.name)), region.partition(), "{}", region.name);
        }
    }

    #[test]
    fn suggestions() {
        for (name, expected) in [
            ("eu-west-3", &["eu-central-1", "eu-west-1"] as &[&str]),
            ("us-gov-east-1", &["us-gov-west-1"]),
            ("us-gov-north-1", &["us-gov-west-1"]),
            ("cn-north-1", &[]),
            ("cn-south-9", &[]),
            ("eu-west-1", &["eu-west-1"]),
            ("eu-west-7", &["eu-west-1", "eu-west-2", "eu-central-1"]),
            ("us-iso-east-1", &[]),
            ("mars-north-1", &[]),
            ("", &[]),
        ] {
            assert_eq!(nearest(name), expected, "{name}");
        }
    }

    #[test]
    fn the_table_is_sound() {
        let names: BTreeSet<_> = all().map(|region| region.name).collect();
        assert_eq!(names.len(), all().count(), "a region stands there twice");
        assert_eq!(all().filter(Region::supports_rekognition).count(), 19);
        assert!(OPT_IN.iter().all(|name| names.contains(name)), "an unknown region in the list of those to enable");
        for region in all() {
            let suggested = nearest(region.name);
            assert!(suggested.len() <= 3, "{}", region.name);
            for name in suggested {
                assert!(supports_rekognition(name), "{} sends to {name}", region.name);
                assert_eq!(partition_of(name), region.partition(), "{} sends to {name}", region.name);
            }
        }
    }

    #[test]
    fn the_template_has_the_same_list() {
        let template = include_str!("../../../templates/stack.yaml");
        let rule = template.split("RekognitionIsHere:").nth(1).and_then(|rest| rest.split("!Ref AWS::Region").next());
        let listed: BTreeSet<_> = rule
            .expect("the template asserts the region")
            .lines()
            .map(|line| line.trim().trim_start_matches("- "))
            .filter(|line| line.ends_with(|c: char| c.is_ascii_digit()))
            .collect();
        let supported: BTreeSet<_> = all().filter(Region::supports_rekognition).map(|region| region.name).collect();
        assert_eq!(listed, supported);
    }
}
