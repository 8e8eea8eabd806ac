//! Converts faces to the rows of the table. Pure.
//!
//! Invariant: the same object and the same faces, in any order, result in the same rows.

use std::cmp::Ordering;
use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_rekognition::types::{Attribute, BoundingBox, FaceDetail};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use crate::attributes::Attributes;

/// A row: attribute names and values.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The maximum number of faces that Rekognition reports and of rows that one transaction can write.
pub(crate) const MAX_FACES: usize = 100;

/// What all rows of one object have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// The prefix of every `FaceID` of the object: see [`crate::name::id`].
    pub(crate) id: &'a str,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) version: Option<&'a str>,
    pub(crate) time: Option<DateTime>,
    /// The time in seconds since the Unix epoch after which DynamoDB deletes the rows.
    pub(crate) expires_at: Option<i64>,
    /// The face attributes that the rows have.
    pub(crate) attributes: &'a Attributes,
}

impl Source<'_> {
    /// Creates one row per face, the largest face first.
    pub(crate) fn items(&self, mut faces: Vec<FaceDetail>) -> Vec<Item> {
        faces.sort_by(largest_first);
        faces.truncate(MAX_FACES);
        let (id, count) = (self.id, faces.len());
        let row = |(rank, face)| self.item(face_id(id, rank), count, face);
        faces.iter().enumerate().map(row).collect()
    }

    fn item(&self, face_id: String, count: usize, face: &FaceDetail) -> Item {
        let (age, low, high) = age(face);
        let (emotion, emotion_confidence) = emotion(face);
        let time = self.time.and_then(|time| time.fmt(Format::DateTime).ok());
        let attributes = [
            ("FaceID", Some(AttributeValue::S(face_id))),
            ("Age", Some(AttributeValue::S(age))),
            ("AgeLow", low.map(number)),
            ("AgeHigh", high.map(number)),
            ("Emotion", Some(AttributeValue::S(emotion))),
            ("EmotionConfidence", emotion_confidence.map(number)),
            ("Confidence", finite(face.confidence).map(number)),
            ("BoundingBox", face.bounding_box.as_ref().and_then(sides)),
            ("FaceCount", Some(number(count))),
            ("Bucket", Some(AttributeValue::S(self.bucket.to_owned()))),
            ("Key", Some(AttributeValue::S(self.key.to_owned()))),
            ("VersionId", self.version.map(|version| AttributeValue::S(version.to_owned()))),
            ("EventTime", time.map(AttributeValue::S)),
            ("ExpiresAt", self.expires_at.map(number)),
        ];
        let mut item: Item =
            attributes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        self.add_further(&mut item, face);
        item
    }

    /// Adds the requested attributes other than age range and emotions. An attribute is absent if Rekognition did not
    /// return it.
    fn add_further(&self, item: &mut Item, face: &FaceDetail) {
        let mut add = |attribute: Attribute, name: &str, value: Option<AttributeValue>, confidence: Option<f32>| {
            if let Some(value) = value.filter(|_| self.attributes.include(&attribute)) {
                item.insert(name.to_owned(), value);
                if let Some(confidence) = finite(confidence) {
                    item.insert(format!("{name}Confidence"), number(confidence));
                }
            }
        };
        // The types of these members have nothing in common but their fields.
        macro_rules! flags {
            ($($attribute:ident: $name:literal, $member:ident;)*) => {$(
                if let Some(found) = &face.$member {
                    add(Attribute::$attribute, $name, Some(AttributeValue::Bool(found.value)), found.confidence);
                }
            )*};
        }
        flags! {
            Smile: "Smile", smile;
            Eyeglasses: "Eyeglasses", eyeglasses;
            Sunglasses: "Sunglasses", sunglasses;
            Beard: "Beard", beard;
            Mustache: "Mustache", mustache;
            EyesOpen: "EyesOpen", eyes_open;
            MouthOpen: "MouthOpen", mouth_open;
            FaceOccluded: "FaceOccluded", face_occluded;
        }
        if let Some(gender) = &face.gender {
            let value = gender.value.as_ref().map(|value| AttributeValue::S(value.as_str().to_owned()));
            add(Attribute::Gender, "Gender", value, gender.confidence);
        }
        if let Some(direction) = &face.eye_direction {
            let angles = [("Yaw", direction.yaw), ("Pitch", direction.pitch), ("Confidence", direction.confidence)];
            add(Attribute::EyeDirection, "EyeDirection", map(angles), None);
        }
        if let Some(pose) = &face.pose {
            let angles = [("Roll", pose.roll), ("Yaw", pose.yaw), ("Pitch", pose.pitch)];
            add(Attribute::All, "Pose", map(angles), None);
        }
        if let Some(quality) = &face.quality {
            let values = [("Brightness", quality.brightness), ("Sharpness", quality.sharpness)];
            add(Attribute::All, "Quality", map(values), None);
        }
    }
}

/// The `FaceID` of the row for the face of this rank.
pub(crate) fn face_id(id: &str, rank: usize) -> String {
    format!("{id}#{rank:03}")
}

/// Orders faces by area, then from top to bottom, then from left to right, then by confidence.
fn largest_first(one: &FaceDetail, other: &FaceDetail) -> Ordering {
    let position = |face: &FaceDetail| {
        let side = |pick: fn(&BoundingBox) -> Option<f32>| {
            f64::from(face.bounding_box.as_ref().and_then(|area| finite(pick(area))).unwrap_or_default())
        };
        let area = side(|area| area.width) * side(|area| area.height);
        (area, side(|area| area.top), side(|area| area.left), f64::from(finite(face.confidence).unwrap_or_default()))
    };
    let (one, other) = (position(one), position(other));
    other
        .0
        .total_cmp(&one.0)
        .then(one.1.total_cmp(&other.1))
        .then(one.2.total_cmp(&other.2))
        .then(other.3.total_cmp(&one.3))
}

fn age(face: &FaceDetail) -> (String, Option<i32>, Option<i32>) {
    match face.age_range.as_ref().map(|range| (range.low, range.high)) {
        Some((Some(low), Some(high))) if 0 <= low && low <= high => (format!("{low}-{high}"), Some(low), Some(high)),
        _ => ("UNKNOWN".to_owned(), None, None),
    }
}

/// The emotion with the highest confidence, because AWS does not sort them. If several have the same confidence, the
/// first by name.
fn emotion(face: &FaceDetail) -> (String, Option<f32>) {
    let named = face.emotions().iter().filter_map(|emotion| {
        let name = emotion.r#type.as_ref()?.as_str();
        Some((name, finite(emotion.confidence)?)).filter(|_| !name.is_empty())
    });
    named
        .max_by(|one, other| one.1.total_cmp(&other.1).then(other.0.cmp(one.0)))
        .map_or_else(|| ("UNKNOWN".to_owned(), None), |(name, confidence)| (name.to_owned(), Some(confidence)))
}

fn sides(area: &BoundingBox) -> Option<AttributeValue> {
    map([("Left", area.left), ("Top", area.top), ("Width", area.width), ("Height", area.height)])
}

/// A map of the numbers that there are, if any.
fn map<const N: usize>(numbers: [(&str, Option<f32>); N]) -> Option<AttributeValue> {
    let numbers: HashMap<_, _> =
        numbers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), number(finite(value)?)))).collect();
    (!numbers.is_empty()).then_some(AttributeValue::M(numbers))
}

/// DynamoDB does not support NaN, infinity, or negative zero.
fn finite(value: Option<f32>) -> Option<f32> {
    value.filter(|value| value.is_finite()).map(|value| value + 0.0)
}

fn number(value: impl ToString + Copy) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use aws_sdk_rekognition::types::{
        AgeRange, Emotion, EmotionName, EyeDirection, Eyeglasses, Gender, GenderType, ImageQuality, Landmark, Pose,
        Smile,
    };

    use super::*;

    static REQUIRED: LazyLock<Attributes> = LazyLock::new(Attributes::default);

    fn source(attributes: &Attributes) -> Source<'_> {
        Source {
            id: "00112233445566778899aabbccddeeff",
            bucket: "pictures",
            key: "a b+ü.jpg",
            version: Some("v1"),
            time: None,
            expires_at: None,
            attributes,
        }
    }

    fn face(area: (f32, f32, f32, f32)) -> FaceDetail {
        let (left, top, width, height) = area;
        let area = BoundingBox::builder().left(left).top(top).width(width).height(height).build();
        FaceDetail::builder().bounding_box(area).build()
    }

    fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
        match item.get(name)? {
            AttributeValue::S(text) | AttributeValue::N(text) => Some(text),
            _ => None,
        }
    }

    #[test]
    fn a_row_has_all_attributes() {
        let emotion =
            |name: &str, confidence| Emotion::builder().r#type(EmotionName::from(name)).confidence(confidence).build();
        let face = FaceDetail::builder()
            .bounding_box(BoundingBox::builder().left(-0.125).top(0.25).width(0.5).height(1.5).build())
            .age_range(AgeRange::builder().low(26).high(43).build())
            .emotions(emotion("CALM", 0.04))
            .emotions(emotion("HAPPY", 99.5))
            .confidence(99.875)
            .build();
        let source = Source { time: Some(DateTime::from_secs(0)), expires_at: Some(86_400), ..source(&REQUIRED) };
        let n = |text: &str| AttributeValue::N(text.to_owned());
        let s = |text: &str| AttributeValue::S(text.to_owned());
        let sides = [("Left", "-0.125"), ("Top", "0.25"), ("Width", "0.5"), ("Height", "1.5")];
        let sides = sides.map(|(name, side)| (name.to_owned(), n(side))).into();
        let expected = [
            ("FaceID", s(&format!("{}#000", source.id))),
            ("Age", s("26-43")),
            ("AgeLow", n("26")),
            ("AgeHigh", n("43")),
            ("Emotion", s("HAPPY")),
            ("EmotionConfidence", n("99.5")),
            ("Confidence", n("99.875")),
            ("BoundingBox", AttributeValue::M(sides)),
            ("FaceCount", n("1")),
            ("Bucket", s("pictures")),
            ("Key", s("a b+ü.jpg")),
            ("VersionId", s("v1")),
            ("EventTime", s("1970-01-01T00:00:00Z")),
            ("ExpiresAt", n("86400")),
        ];
        let expected: Item = expected.map(|(name, value)| (name.to_owned(), value)).into();
        assert_eq!(source.items(vec![face]), [expected]);
    }

    #[test]
    fn a_face_without_members_has_a_row() {
        let items = source(&REQUIRED).items(vec![FaceDetail::builder().build()]);
        assert_eq!(text(&items[0], "Age"), Some("UNKNOWN"));
        assert_eq!(text(&items[0], "Emotion"), Some("UNKNOWN"));
        for absent in ["AgeLow", "EmotionConfidence", "Confidence", "BoundingBox", "EventTime", "ExpiresAt"] {
            assert!(!items[0].contains_key(absent), "{absent}");
        }
    }

    #[test]
    fn further_attributes_are_stored_if_they_are_requested() {
        let face = FaceDetail::builder()
            .gender(Gender::builder().value(GenderType::Female).confidence(99.5).build())
            .smile(Smile::builder().value(true).confidence(87.5).build())
            .eyeglasses(Eyeglasses::builder().confidence(f32::NAN).build())
            .eye_direction(EyeDirection::builder().yaw(-1.5).pitch(2.5).confidence(50.0).build())
            .pose(Pose::builder().roll(1.0).yaw(2.0).build())
            .quality(ImageQuality::builder().brightness(80.0).sharpness(90.0).build())
            .landmarks(Landmark::builder().x(0.5).y(0.5).build())
            .build();
        let n = |text: &str| AttributeValue::N(text.to_owned());
        let map = |members: &[(&str, &str)]| {
            AttributeValue::M(members.iter().map(|(name, text)| ((*name).to_owned(), n(text))).collect())
        };
        let gender = [("Gender", AttributeValue::S("Female".to_owned())), ("GenderConfidence", n("99.5"))];
        let smile = [("Smile", AttributeValue::Bool(true)), ("SmileConfidence", n("87.5"))];
        let rest = [
            ("Eyeglasses", AttributeValue::Bool(false)),
            ("EyeDirection", map(&[("Yaw", "-1.5"), ("Pitch", "2.5"), ("Confidence", "50")])),
            ("Pose", map(&[("Roll", "1"), ("Yaw", "2")])),
            ("Quality", map(&[("Brightness", "80"), ("Sharpness", "90")])),
        ];
        let all = [&gender[..], &smile[..], &rest[..]].concat();
        for (list, expected) in
            [("", vec![]), ("GENDER", gender.to_vec()), ("SMILE,BEARD", smile.to_vec()), ("ALL", all)]
        {
            let attributes = Attributes::parse(list).unwrap();
            let mut item = source(&attributes).items(vec![face.clone()]).remove(0);
            for name in ["FaceID", "Age", "Emotion", "FaceCount", "Bucket", "Key", "VersionId"] {
                item.remove(name).unwrap();
            }
            let expected: Item = expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            assert_eq!(item, expected, "{list}");
        }
    }

    #[test]
    fn the_emotion_is_the_one_with_the_highest_confidence() {
        let check = |emotions: &[(Option<&str>, Option<f32>)], expected: &str| {
            let emotions = emotions.iter().map(|(name, confidence)| {
                Emotion::builder().set_type(name.map(EmotionName::from)).set_confidence(*confidence).build()
            });
            let face = FaceDetail::builder().set_emotions(Some(emotions.collect())).build();
            assert_eq!(emotion(&face).0, expected);
        };
        check(&[(Some("CALM"), Some(0.04)), (Some("HAPPY"), Some(99.5)), (Some("SAD"), Some(1.0))], "HAPPY");
        check(&[(Some("SAD"), Some(50.0)), (Some("CALM"), Some(50.0))], "CALM");
        check(&[(Some("CALM"), Some(50.0)), (Some("SAD"), Some(50.0))], "CALM");
        check(&[(Some("BEMUSED"), Some(60.0)), (Some("CALM"), Some(40.0))], "BEMUSED");
        check(&[(Some("CALM"), Some(f32::NAN)), (Some("SAD"), Some(1.0))], "SAD");
        check(&[(Some("CALM"), Some(f32::INFINITY))], "UNKNOWN");
        check(&[(Some("CALM"), None), (None, Some(9.0)), (Some(""), Some(9.0))], "UNKNOWN");
        check(&[(Some("CALM"), Some(-5.0))], "CALM");
        check(&[], "UNKNOWN");
    }

    #[test]
    fn an_invalid_age_range_is_unknown() {
        let check = |low, high, expected: &str| {
            let range = AgeRange::builder().set_low(low).set_high(high).build();
            assert_eq!(age(&FaceDetail::builder().age_range(range).build()).0, expected);
        };
        check(Some(0), Some(3), "0-3");
        check(Some(30), Some(30), "30-30");
        check(Some(30), None, "UNKNOWN");
        check(None, Some(30), "UNKNOWN");
        check(Some(-1), Some(30), "UNKNOWN");
        check(Some(i32::MAX), Some(i32::MIN), "UNKNOWN");
    }

    #[test]
    fn faces_are_ordered_by_area_then_position() {
        let faces = [
            face((0.5, 0.5, 0.1, 0.1)),
            face((0.1, 0.1, 0.4, 0.4)),
            face((0.4, 0.0, 0.1, 0.1)),
            face((0.2, 0.5, 0.1, 0.1)),
            face((f32::NAN, 0.0, f32::INFINITY, 0.1)),
        ];
        let ranked = |faces: &[FaceDetail]| {
            let mut faces = faces.to_vec();
            faces.sort_by(largest_first);
            faces.iter().map(|face| face.bounding_box.as_ref().unwrap().left.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(ranked(&faces)[..4], [0.1, 0.4, 0.2, 0.5]);
        let mut reversed = faces;
        reversed.reverse();
        assert_eq!(ranked(&reversed)[..4], [0.1, 0.4, 0.2, 0.5]);
        // Neither the sum nor the ratio of the sides is the area.
        let (narrow, square) = (face((0.1, 0.0, 0.9, 0.1)), face((0.2, 0.5, 0.35, 0.35)));
        assert_eq!(ranked(&[narrow.clone(), square.clone()]), [0.2, 0.1]);
        assert_eq!(ranked(&[square, narrow]), [0.2, 0.1]);
        let sure = |confidence| FaceDetail::builder().confidence(confidence).build();
        assert_eq!(largest_first(&sure(99.0), &sure(98.0)), Ordering::Less);
    }

    #[test]
    fn the_number_of_rows_fits_a_transaction() {
        let items = source(&REQUIRED).items(vec![face((0.0, 0.0, 0.1, 0.1)); 101]);
        assert_eq!(items.len(), 100);
        assert_eq!(text(&items[99], "FaceCount"), Some("100"));
    }

    #[test]
    fn numbers_are_valid_in_dynamodb() {
        let check = |value: f32, expected: Option<&str>| {
            let written = finite(Some(value)).map(number);
            assert_eq!(written, expected.map(|text| AttributeValue::N(text.to_owned())));
        };
        check(0.995_4, Some("0.9954"));
        check(-0.0, Some("0"));
        check(f32::MAX, Some("340282350000000000000000000000000000000"));
        check(f32::NAN, None);
        check(f32::NEG_INFINITY, None);
    }
}
