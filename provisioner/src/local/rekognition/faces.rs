//! Detects faces.
//!
//! Invariant: a face's position depends only on the picture.

use std::sync::LazyLock;

use image::GrayImage;
use rustface::{FaceInfo, ImageData, Model};

/// The service returns the hundred largest faces.
const MAX_FACES: usize = 100;
/// The sizes and steps of the example by the authors of `SeetaFace`, except that smaller faces are detected.
const MIN_FACE_PIXELS: u32 = 20;
const SCORE_THRESHOLD: f64 = 2.0;
const PYRAMID_FACTOR: f32 = 0.8;
const WINDOW_STEP: u32 = 4;

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    rustface::read_model(&include_bytes!("model/seeta_fd_frontal_v1.0.bin")[..])
        .expect("the embedded model is complete: a test reads it")
});

/// A face, as fractions of the picture's width and height. As with the service, a part of it may lie outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Face {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) width: f32,
    pub(super) height: f32,
    /// In percent.
    pub(super) confidence: f32,
    /// The mean brightness, as a percentage of white.
    pub(super) brightness: f32,
}

impl Face {
    fn area(&self) -> f32 {
        self.width * self.height
    }
}

/// The faces in a picture, largest first. An optimized build takes about 0.1 s for 512 × 512 pixels.
pub(super) fn find(grey: &GrayImage) -> Vec<Face> {
    let mut detector = rustface::create_detector_with_model(MODEL.clone());
    detector.set_min_face_size(MIN_FACE_PIXELS);
    detector.set_score_thresh(SCORE_THRESHOLD);
    detector.set_pyramid_scale_factor(PYRAMID_FACTOR);
    detector.set_slide_window_step(WINDOW_STEP, WINDOW_STEP);
    let found = detector.detect(&ImageData::new(grey.as_raw(), grey.width(), grey.height()));
    let mut faces: Vec<Face> = found.iter().map(|info| describe(info, grey)).collect();
    faces.sort_by(|a, b| b.area().total_cmp(&a.area()));
    faces.truncate(MAX_FACES);
    faces
}

// Pixels of a picture of at most 1024 a side, and percentages.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
fn describe(info: &FaceInfo, grey: &GrayImage) -> Face {
    let (wide, high) = (grey.width() as f32, grey.height() as f32);
    let area = info.bbox();
    Face {
        left: area.x() as f32 / wide,
        top: area.y() as f32 / high,
        width: area.width() as f32 / wide,
        height: area.height() as f32 / high,
        confidence: confidence(info.score()) as f32,
        brightness: brightness(grey, area.x(), area.y(), area.width(), area.height()),
    }
}

/// The detector's score has no upper limit: the threshold maps to 90 %, and higher scores approach 100 %.
fn confidence(score: f64) -> f64 {
    100.0 - 10.0 / (score - SCORE_THRESHOLD + 1.0).max(1.0)
}

#[allow(clippy::cast_precision_loss)] // a mean of at most a million bytes
fn brightness(grey: &GrayImage, x: i32, y: i32, width: u32, height: u32) -> f32 {
    let columns = inside(x, width, grey.width());
    let rows = inside(y, height, grey.height());
    let (mut sum, mut count) = (0_u64, 0_u64);
    for row in rows {
        for column in columns.clone() {
            sum += u64::from(grey.get_pixel(column, row).0[0]);
            count += 1;
        }
    }
    if count == 0 { 0.0 } else { sum as f32 / count as f32 / 2.55 }
}

/// The part of an interval that lies within the picture.
fn inside(start: i32, length: u32, side: u32) -> std::ops::Range<u32> {
    let from = u32::try_from(start.max(0)).unwrap_or(0).min(side);
    let end = i64::from(start) + i64::from(length);
    from..u32::try_from(end.clamp(i64::from(from), i64::from(side))).unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_rises_with_the_score_and_stays_a_percentage() {
        assert!((confidence(SCORE_THRESHOLD) - 90.0).abs() < 1e-9);
        assert!(confidence(3.0) < confidence(10.0));
        assert!((99.0..100.0).contains(&confidence(50.0)));
    }

    #[test]
    fn a_stretch_is_cut_to_the_picture() {
        let check = |start, length, expected| assert_eq!(inside(start, length, 100), expected, "{start}+{length}");
        check(10, 20, 10..30);
        check(-5, 20, 0..15);
        check(90, 20, 90..100);
        check(-30, 20, 0..0);
        check(200, 20, 100..100);
    }

    #[test]
    fn an_even_picture_has_no_face() {
        assert_eq!(find(&GrayImage::from_pixel(80, 80, image::Luma([128]))), []);
    }
}
