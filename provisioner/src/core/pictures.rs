//! What can happen to a picture: the words for it, and the counts that close a list of pictures.
//!
//! Pure.

use serde::Serialize;

/// How many pictures had which result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// Why a picture has no row.
#[must_use]
pub fn without_row(outcome: &str, reason: Option<&str>) -> String {
    let outcome = self::outcome(outcome);
    reason.map_or_else(|| outcome.to_owned(), |reason| format!("{outcome}: {}", self::reason(reason)))
}

/// The words for an outcome in the function's log.
#[must_use]
pub fn outcome(name: &str) -> &str {
    match name {
        "no_face" => "no face",
        "no_row" => "no row",
        other => other,
    }
}

/// The words for a code in the function's log; a code of AWS that is not listed says itself what is wrong.
#[must_use]
pub fn reason(code: &str) -> &str {
    match code {
        "InvalidImageFormatException" => "not a JPEG or PNG picture",
        "ImageTooLargeException" => "too large for Rekognition",
        "InvalidS3ObjectException" => "Rekognition cannot read it",
        "Folder" => "a folder",
        "EmptyObject" => "empty",
        "ObjectTooLarge" => "larger than 15 MB",
        "TooLargeForAnotherRegion" => "larger than 5 MB, the maximum for another region",
        "ArchivedObject" => "archived",
        "EncryptedWithCustomerKey" => "encrypted with a customer's own key",
        "Gone" | "Deleted" => "deleted in the meantime",
        "Replaced" => "replaced in the meantime",
        "OtherExtension" => "its extension is not in `Extensions`",
        "AlreadyProcessed" => "processed before",
        "OutOfTime" => "out of time",
        other => other,
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
