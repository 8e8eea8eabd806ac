//! Decodes a JPEG or PNG into the upright grayscale picture that the detector needs.
//!
//! Invariant: any bytes result in a picture or an error, never in a panic that ends the server.

use std::io::Cursor;

use image::error::ImageError;
use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader};

use super::error::ApiError;
use super::fetch::MAX_OBJECT_BYTES;

/// The service's minimum for the width and the height.
const MIN_SIDE: u32 = 80;
/// The detector's time grows with the area, and the faces that matter survive this reduction.
const DETECTION_SIDE: u32 = 1024;

/// A picture that is ready for detection.
#[derive(Debug)]
pub(super) struct Picture {
    /// Reduced to the size that the detector needs; bounding boxes are ratios, so the reduction does not matter.
    pub(super) grey: GrayImage,
}

impl Picture {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ApiError> {
        if bytes.len() as u64 > MAX_OBJECT_BYTES {
            return Err(ApiError::image_too_large());
        }
        let format = image::guess_format(bytes).map_err(|_| ApiError::invalid_image_format())?;
        if !matches!(format, ImageFormat::Jpeg | ImageFormat::Png) || (format == ImageFormat::Jpeg && !has_end(bytes)) {
            return Err(ApiError::invalid_image_format());
        }
        let mut decoder =
            ImageReader::with_format(Cursor::new(bytes), format).into_decoder().map_err(|error| refusal(&error))?;
        let (width, height) = decoder.dimensions();
        if width < MIN_SIDE || height < MIN_SIDE {
            return Err(ApiError::invalid_parameter());
        }
        // Only a JPEG's orientation counts with the service.
        let orientation = (format == ImageFormat::Jpeg).then(|| decoder.orientation().ok()).flatten();
        let mut image = DynamicImage::from_decoder(decoder).map_err(|error| refusal(&error))?;
        if let Some(orientation) = orientation {
            image.apply_orientation(orientation);
        }
        Ok(Self { grey: shrink(image.into_luma8()) })
    }
}

/// The limits of the `image` crate prevent a small file from allocating gigabytes.
fn refusal(error: &ImageError) -> ApiError {
    match error {
        ImageError::Limits(_) => ApiError::image_too_large(),
        _ => ApiError::invalid_image_format(),
    }
}

/// Whether a JPEG's image data ends with the end marker; the decoder fills the rest of a truncated picture with gray.
fn has_end(jpeg: &[u8]) -> bool {
    const END: [u8; 2] = [0xff, 0xd9];
    // In the data itself a byte 0xff is always followed by zero or a restart marker. What follows the end is nobody's
    // business.
    scan(jpeg).is_some_and(|data| data.windows(2).any(|pair| pair == END))
}

/// The data after the first start-of-scan marker. The search goes from segment to segment, because a segment may contain
/// a thumbnail with its own markers.
fn scan(jpeg: &[u8]) -> Option<&[u8]> {
    const START_OF_SCAN: u8 = 0xda;
    let mut rest = jpeg.get(2..)?;
    loop {
        // Any number of 0xff may stand before a marker.
        rest = &rest[rest.iter().position(|byte| *byte != 0xff)?..];
        let (marker, segment) = rest.split_first()?;
        let length = u16::from_be_bytes(*segment.first_chunk()?);
        rest = segment.get(usize::from(length)..)?;
        if *marker == START_OF_SCAN {
            return Some(rest);
        }
    }
}

fn shrink(grey: GrayImage) -> GrayImage {
    let longest = grey.width().max(grey.height());
    if longest <= DETECTION_SIDE {
        return grey;
    }
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(DETECTION_SIDE) / u64::from(longest);
        // A detector needs at least its window.
        u32::try_from(side).unwrap_or(DETECTION_SIDE).max(MIN_SIDE)
    };
    imageops::resize(&grey, scaled(grey.width()), scaled(grey.height()), FilterType::Triangle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &[u8] = b"\xff\xd8";
    const THUMBNAIL: &[u8] = b"\xff\xe1\0\x08\xff\xda\0\x02\xff\xd9";
    const SCAN: &[u8] = b"\xff\xda\0\x03\x01data";
    const END: &[u8] = b"\xff\xd9";

    #[test]
    fn a_cut_jpeg_is_told_from_a_whole_one() {
        let check = |parts: &[&[u8]], expected| assert_eq!(has_end(&parts.concat()), expected, "{parts:x?}");
        check(&[START, SCAN, END], true);
        check(&[START, THUMBNAIL, SCAN, END], true);
        check(&[START, THUMBNAIL, SCAN], false);
        check(&[START, THUMBNAIL], false);
        check(&[START, b"\xff\xff", SCAN, END], true);
        check(&[START, SCAN, END, b"a film", SCAN], true);
        check(&[START, b"\xff\xe1\xff\xff"], false);
        check(&[START], false);
        check(&[b"\xff"], false);
    }

    #[test]
    fn a_large_picture_is_made_smaller_and_keeps_its_shape() {
        let check = |from: (u32, u32), to: (u32, u32)| {
            assert_eq!(shrink(GrayImage::new(from.0, from.1)).dimensions(), to, "{from:?}");
        };
        check((512, 512), (512, 512));
        check((4096, 2048), (1024, 512));
        check((100, 2048), (80, 1024));
    }
}
