//! The counts that close a list of pictures.
//!
//! Pure.

use serde::Serialize;

/// How many pictures had which result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PictureCounts {
    /// All pictures.
    pub pictures: usize,
    /// The faces in all pictures.
    pub faces: usize,
    /// Pictures without a face.
    pub without_face: usize,
    /// Pictures without a row, for an unknown reason.
    pub without_row: usize,
    /// Pictures that Rekognition does not accept.
    pub unusable: usize,
    /// Pictures that were gone or replaced before their turn, or that are not processed.
    pub skipped: usize,
    /// Pictures that failed, including those that were not tried.
    pub failed: usize,
}

impl PictureCounts {
    /// Counts a picture by its rows and, if it has none, its outcome.
    pub fn add(&mut self, faces: usize, outcome: Option<&str>) {
        self.pictures += 1;
        self.faces += faces;
        match outcome {
            None => {}
            Some("no_face") => self.without_face += 1,
            Some("unusable") => self.unusable += 1,
            Some("skipped") => self.skipped += 1,
            Some(_) => self.without_row += 1,
        }
    }

    /// Counts pictures that failed.
    pub fn add_failed(&mut self, count: usize) {
        self.pictures += count;
        self.failed += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_is_counted_once() {
        let mut counts = PictureCounts::default();
        for (faces, outcome) in [(2, None), (0, Some("no_face")), (0, Some("unusable")), (0, Some("erased"))] {
            counts.add(faces, outcome);
        }
        counts.add_failed(3);
        let expected = PictureCounts {
            pictures: 7,
            faces: 2,
            without_face: 1,
            without_row: 1,
            unusable: 1,
            skipped: 0,
            failed: 3,
        };
        assert_eq!(counts, expected);
    }
}
