//! Pictures with their faces, as a page shows them: positions in percent, ages, emotions, and their distributions.
//!
//! Pure. A row with a missing or unusable attribute loses that attribute, not its face.

use std::collections::BTreeMap;

use super::smoke::{Attribute, Row};

/// A picture on a page.
#[derive(Clone, Debug, Default)]
pub struct GalleryPicture {
    /// The file or URL, as the user knows it.
    pub title: String,
    /// The picture itself, if it could be read.
    pub image: Option<Image>,
    /// Why there is no image or no face.
    pub note: Option<String>,
    /// The faces, the largest first.
    pub faces: Vec<Face>,
}

/// The picture itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// A small JPEG that is part of the page, with its width and height.
    Embedded(Vec<u8>, u32, u32),
    /// The URL of the original.
    Linked(String),
}

/// A face.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Face {
    /// Left, top, width and height in percent of the picture.
    pub position: Option<[f64; 4]>,
    /// The lowest and the highest age in years.
    pub age: Option<(f64, f64)>,
    /// In lower case, for example `happy`.
    pub emotion: String,
    /// 0 to 100.
    pub confidence: Option<f64>,
}

impl Face {
    /// Reads a face from its row.
    #[must_use]
    pub fn of(row: &Row) -> Self {
        let number = |attribute: Option<&Attribute>| match attribute {
            Some(Attribute::Number(digits)) => digits.parse::<f64>().ok().filter(|number| number.is_finite()),
            _ => None,
        };
        let side = |name: &str| match row.get("BoundingBox") {
            Some(Attribute::Map(sides)) => number(sides.get(name)).map(|ratio| ratio * 100.0),
            _ => None,
        };
        let position = match (side("Left"), side("Top"), side("Width"), side("Height")) {
            // SVG refuses negative sizes.
            (Some(left), Some(top), Some(width), Some(height)) if width >= 0.0 && height >= 0.0 => {
                Some([left, top, width, height])
            }
            _ => None,
        };
        let emotion = match row.get("Emotion") {
            Some(Attribute::Text(text)) => text.to_lowercase(),
            _ => "unknown".to_owned(),
        };
        Self {
            position,
            age: number(row.get("AgeLow")).zip(number(row.get("AgeHigh"))),
            emotion,
            confidence: number(row.get("EmotionConfidence")),
        }
    }
}

/// The number of faces per emotion, the most frequent first.
#[must_use]
pub fn emotions(pictures: &[GalleryPicture]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for face in pictures.iter().flat_map(|picture| &picture.faces) {
        *counts.entry(&face.emotion).or_default() += 1;
    }
    let mut sorted: Vec<_> = counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sorted
}

/// The number of faces per decade of the estimated age, by the middle of its range.
#[must_use]
pub fn decades(pictures: &[GalleryPicture]) -> Vec<(String, usize)> {
    let mut counts = [0_usize; 10];
    for (low, high) in pictures.iter().flat_map(|picture| &picture.faces).filter_map(|face| face.age) {
        let middle = f64::midpoint(low, high).clamp(0.0, 99.0);
        let decade =
            (0..10_usize).rev().find(|decade| f64::from(u8::try_from(*decade).unwrap_or_default()) * 10.0 <= middle);
        counts[decade.unwrap_or_default()] += 1;
    }
    let used = counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
    counts[..used]
        .iter()
        .enumerate()
        .map(|(decade, count)| (format!("{}–{}", decade * 10, decade * 10 + 9), *count))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(low: &str, high: &str, emotion: &str, left: &str) -> Row {
        let sides = [("Left", left), ("Top", "0.25"), ("Width", "0.1"), ("Height", "0.2")];
        let map =
            sides.iter().map(|(name, value)| ((*name).to_owned(), Attribute::Number((*value).to_owned()))).collect();
        [
            ("AgeLow", Attribute::Number(low.into())),
            ("AgeHigh", Attribute::Number(high.into())),
            ("Emotion", Attribute::Text(emotion.into())),
            ("BoundingBox", Attribute::Map(map)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    #[test]
    fn positions_are_percent_and_broken_attributes_are_left_out() {
        let face = Face::of(&row("20", "30", "HAPPY", "-0.5"));
        assert_eq!(face.position, Some([-50.0, 25.0, 10.0, 20.0]));
        assert_eq!((face.age, face.emotion.as_str(), face.confidence), (Some((20.0, 30.0)), "happy", None));
        assert_eq!(Face::of(&row("x", "30", "HAPPY", "NaN")), Face { emotion: "happy".into(), ..Face::default() });
        assert_eq!(Face::of(&Row::new()).emotion, "unknown");
    }

    #[test]
    fn distributions_count_every_face() {
        let faces = [("0", "6", "CALM"), ("25", "35", "HAPPY"), ("28", "33", "HAPPY"), ("90", "120", "SAD")];
        let faces = faces.map(|(low, high, emotion)| Face::of(&row(low, high, emotion, "0"))).to_vec();
        let pictures = [GalleryPicture { faces, ..GalleryPicture::default() }];
        assert_eq!(emotions(&pictures), [("happy".into(), 2), ("calm".into(), 1), ("sad".into(), 1)]);
        let decades = decades(&pictures);
        assert_eq!(
            (decades.len(), &decades[0], &decades[3], &decades[9]),
            (10, &("0–9".into(), 1), &("30–39".into(), 2), &("90–99".into(), 1))
        );
        assert!(super::decades(&[]).is_empty());
    }
}
