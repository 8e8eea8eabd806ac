//! Invents the attributes that the detector cannot determine: age and emotions.
//!
//! Invariant: the same picture and face have the same attributes on every machine. The values mean nothing.

use sha2::{Digest as _, Sha256};

/// The service's eight emotions.
pub(super) const EMOTIONS: [&str; 8] = ["HAPPY", "SAD", "ANGRY", "CONFUSED", "DISGUSTED", "SURPRISED", "CALM", "FEAR"];

/// The invented attributes of a face.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Invented {
    pub(super) age_low: u8,
    pub(super) age_high: u8,
    /// Percentages that add up to about 100, in no useful order. The largest is never the first, so that code that takes
    /// the first for the largest fails.
    pub(super) emotions: [(&'static str, f32); 8],
}

/// The seed of a picture, for [`about`].
pub(super) fn seed(picture: &[u8]) -> [u8; 32] {
    Sha256::digest(picture).into()
}

/// Invents the attributes of the face at this rank.
pub(super) fn about(seed: &[u8; 32], rank: usize) -> Invented {
    let dice: [u8; 32] = Sha256::new().chain_update(seed).chain_update(rank.to_be_bytes()).finalize().into();
    let age_low = 4 + dice[0] % 60;
    let age_high = age_low + 6 + dice[1] % 13;
    Invented { age_low, age_high, emotions: emotions(&dice[2..]) }
}

fn emotions(dice: &[u8]) -> [(&'static str, f32); 8] {
    let first = usize::from(dice[0]) % EMOTIONS.len();
    // Any place but the first.
    let largest = 1 + usize::from(dice[1]) % (EMOTIONS.len() - 1);
    // From 60 up to 99 %; the others share the rest by their dice.
    let share = 60.0 + f32::from(dice[2]) * 39.0 / 255.0;
    let weight = |place: usize| f32::from(dice[3 + place]) + 1.0;
    let others: f32 = (0..EMOTIONS.len()).filter(|place| *place != largest).map(weight).sum();
    std::array::from_fn(|place| {
        let confidence = if place == largest { share } else { (100.0 - share) * weight(place) / others };
        (EMOTIONS[(first + place) % EMOTIONS.len()], confidence)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_up_is_steady_and_in_bounds() {
        for picture in 0..200_u8 {
            let seed = seed(&[picture]);
            let face = about(&seed, 0);
            assert_eq!(face, about(&seed, 0));
            assert!(face.age_low < face.age_high && face.age_high <= 100, "{face:?}");
            let sum: f32 = face.emotions.iter().map(|(_, confidence)| confidence).sum();
            assert!((sum - 100.0).abs() < 0.01, "{sum}");
            let largest = face.emotions.iter().map(|(_, confidence)| *confidence).fold(0.0, f32::max);
            assert!(largest >= 60.0 && face.emotions[0].1 < largest, "{face:?}");
            let mut names = face.emotions.map(|(name, _)| name);
            names.sort_unstable();
            let mut all = EMOTIONS;
            all.sort_unstable();
            assert_eq!(names, all);
        }
    }

    #[test]
    fn faces_and_pictures_differ() {
        assert_ne!(about(&seed(b"a"), 0), about(&seed(b"a"), 1));
        assert_ne!(about(&seed(b"a"), 0), about(&seed(b"b"), 0));
    }
}
