//! Writes the reply of `DetectFaces`.
//!
//! Invariant: positions are detected; whatever the detector cannot determine is invented or typical.

use serde_json::{Value, json};

use super::faces::Face;
use super::invent::{self, Invented};
use super::request::Attributes;

/// The positions of the eyes, mouth and nose of a frontal face, as fractions of the width and height of its box.
const LANDMARKS: [(&str, f32, f32); 5] = [
    ("eyeLeft", 0.32, 0.38),
    ("eyeRight", 0.68, 0.38),
    ("mouthLeft", 0.36, 0.76),
    ("mouthRight", 0.64, 0.76),
    ("nose", 0.50, 0.58),
];
/// Not measured.
const SHARPNESS: f32 = 90.0;

/// The reply for the faces of a picture, which are in order of size.
pub(super) fn write(faces: &[Face], picture: &[u8], attributes: Attributes) -> Value {
    let seed = invent::seed(picture);
    let details: Vec<Value> =
        faces.iter().enumerate().map(|(rank, face)| detail(face, &invent::about(&seed, rank), attributes)).collect();
    json!({ "FaceDetails": details })
}

fn detail(face: &Face, invented: &Invented, attributes: Attributes) -> Value {
    let landmarks = LANDMARKS.map(|(name, x, y)| {
        let (x, y) = (face.width.mul_add(x, face.left), face.height.mul_add(y, face.top));
        json!({ "Type": name, "X": x, "Y": y })
    });
    let mut detail = json!({
        "BoundingBox": { "Width": face.width, "Height": face.height, "Left": face.left, "Top": face.top },
        "Landmarks": landmarks,
        "Pose": { "Roll": 0.0, "Yaw": 0.0, "Pitch": 0.0 },
        "Quality": { "Brightness": face.brightness, "Sharpness": SHARPNESS },
        "Confidence": face.confidence,
    });
    if attributes.age_range {
        detail["AgeRange"] = json!({ "Low": invented.age_low, "High": invented.age_high });
    }
    if attributes.emotions {
        detail["Emotions"] = invented
            .emotions
            .iter()
            .map(|(name, confidence)| json!({ "Type": name, "Confidence": confidence }))
            .collect();
    }
    detail
}
