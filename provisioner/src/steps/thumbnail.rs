//! Small upright copies of pictures for pages.
//!
//! Invariant: a copy stays within its budget, unless even the smallest copy is larger.

use std::io::Cursor;
use std::path::Path;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::Semaphore;

use crate::core::gallery::Image;

/// The lengths of the longer side that are tried, largest first.
const SIDES: [u32; 7] = [640, 480, 360, 270, 200, 150, 110];

/// Bytes of all copies on a page, and of one copy.
const PAGE_BUDGET: usize = 15_000_000;
const COPY_BUDGET: usize = 60_000;

/// Decoded pictures of 50 megapixels have 150 MB, so few are decoded at a time.
static DECODING: Semaphore = Semaphore::const_new(2);

/// The budget of each copy if a page has this many pictures.
#[must_use]
pub fn budget(pictures: usize) -> usize {
    (PAGE_BUDGET / pictures.max(1)).min(COPY_BUDGET)
}

/// Makes a copy; `None` if the bytes are not a usable picture.
pub async fn make(bytes: Bytes, budget: usize) -> Option<Image> {
    let _turn = DECODING.acquire().await.ok()?;
    tokio::task::spawn_blocking(move || shrink(&bytes, budget)).await.ok()?
}

fn shrink(bytes: &[u8], budget: usize) -> Option<Image> {
    let format = image::guess_format(bytes).ok()?;
    let mut decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder().ok()?;
    // Rekognition's boxes refer to the upright picture, and only a JPEG says how to turn it.
    let orientation = (format == ImageFormat::Jpeg).then(|| decoder.orientation().ok()).flatten();
    let mut picture = DynamicImage::from_decoder(decoder).ok()?;
    let mut copy = None;
    for side in SIDES {
        if picture.width().max(picture.height()) > side {
            picture = picture.thumbnail(side, side);
        } else if copy.is_some() {
            continue;
        }
        let mut upright = picture.to_rgb8().into();
        if let Some(orientation) = orientation {
            DynamicImage::apply_orientation(&mut upright, orientation);
        }
        let mut jpeg = Vec::new();
        upright.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, 75)).ok()?;
        let fits = jpeg.len() <= budget;
        copy = Some(Image::Embedded(jpeg, upright.width(), upright.height()));
        if fits {
            break;
        }
    }
    copy
}

/// The URL of a file on this machine; `None` if it has no absolute path in UTF-8.
#[must_use]
pub fn link(path: &Path) -> Option<Image> {
    const PATH: AsciiSet = NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    let path = std::path::absolute(path).ok()?;
    Some(Image::Linked(format!("file://{}", utf8_percent_encode(path.to_str()?, &PATH))))
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        // Noise, which compresses badly.
        let noise = RgbImage::from_fn(width, height, |x, y| Rgb([(x * 7_919 + y * 104_729).to_le_bytes()[1]; 3]));
        let mut bytes = Vec::new();
        DynamicImage::from(noise).write_with_encoder(JpegEncoder::new(&mut bytes)).expect("a JPEG");
        bytes
    }

    /// The same picture with an EXIF segment that asks for a turn by 90 degrees.
    fn turned(jpeg: &[u8]) -> Vec<u8> {
        let exif: &[u8] = b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        [&jpeg[..2], exif, &jpeg[2..]].concat()
    }

    #[track_caller]
    fn check(bytes: &[u8], budget: usize, expected: Option<(u32, u32)>) -> usize {
        match shrink(bytes, budget) {
            Some(Image::Embedded(jpeg, width, height)) => {
                assert_eq!(Some((width, height)), expected);
                let decoded = image::load_from_memory(&jpeg).expect("a JPEG");
                assert_eq!((decoded.width(), decoded.height()), (width, height));
                jpeg.len()
            }
            other => {
                assert_eq!(expected, None, "{other:?}");
                0
            }
        }
    }

    #[test]
    fn copies_are_upright_and_within_their_budget() {
        let picture = jpeg(1_000, 500);
        check(&picture, usize::MAX, Some((640, 320)));
        check(&turned(&picture), usize::MAX, Some((320, 640)));
        assert!(check(&picture, 9_000, Some((200, 100))) <= 9_000);
        check(&picture, 0, Some((110, 55)));
        check(&jpeg(90, 80), usize::MAX, Some((90, 80)));
        check(&jpeg(90, 80), 0, Some((90, 80)));
        check(b"not a picture", usize::MAX, None);
        check(&picture[..100], usize::MAX, None);
    }

    #[test]
    fn many_pictures_share_the_budget_of_a_page() {
        assert_eq!((budget(0), budget(1), budget(1_000)), (60_000, 60_000, 15_000));
    }

    #[test]
    fn links_are_encoded() {
        let url = |path: &str| link(Path::new(path)).expect("a link");
        assert_eq!(url("/a b/\"><x>.jpg"), Image::Linked("file:///a%20b/%22%3E%3Cx%3E.jpg".into()));
    }
}
