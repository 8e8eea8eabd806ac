//! Decodes a JPEG or PNG into the upright grayscale picture that the detector needs.
//!
//! Invariant: any bytes result in a picture or an error, never in a panic that ends the server.

use std::io::Cursor;

use image::error::ImageError;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::error::ApiError;
use super::fetch::MAX_OBJECT_BYTES;

/// The service's minimum for the width and the height.
const MIN_SIDE: u32 = 80;
/// The detector's time grows with the area, and the faces that matter survive this reduction.
const DETECTION_SIDE: u32 = 1024;
/// Prevents a small file from allocating gigabytes, and leaves room for the largest phone photographs.
const MAX_PIXELS: u64 = 200_000_000;

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
        let (picture, orientation) = match format {
            ImageFormat::Jpeg => jpeg(bytes)?,
            // Only a JPEG's orientation counts with the service.
            ImageFormat::Png => (any(bytes, format)?, Orientation::NoTransforms),
            _ => return Err(ApiError::invalid_image_format()),
        };
        // Reduced first, because there is less to turn then.
        let mut grey = shrink(picture);
        grey.apply_orientation(orientation);
        Ok(Self { grey: grey.into_luma8() })
    }
}

/// Decodes a JPEG. Most of them store brightness apart from colors, which are then not even computed.
fn jpeg(bytes: &[u8]) -> Result<(DynamicImage, Orientation), ApiError> {
    if !has_end(bytes) {
        return Err(ApiError::invalid_image_format());
    }
    // As in the `image` crate; the maximum size is checked below.
    let options = DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let unreadable = |_| ApiError::invalid_image_format();
    decoder.decode_headers().map_err(unreadable)?;
    let (width, height) = decoder.info().map(|info| (info.width, info.height)).unwrap_or_default();
    check_size(width.into(), height.into())?;
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let picture = match decoder.input_colorspace() {
        Some(ColorSpace::YCbCr | ColorSpace::Luma) => {
            decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::Luma));
            let pixels = decoder.decode().map_err(unreadable)?;
            let picture = GrayImage::from_raw(width.into(), height.into(), pixels);
            DynamicImage::ImageLuma8(picture.ok_or_else(ApiError::internal)?)
        }
        _ => any(bytes, ImageFormat::Jpeg)?,
    };
    Ok((picture, orientation.unwrap_or(Orientation::NoTransforms)))
}

/// Decodes a picture of a known format to its brightness.
fn any(bytes: &[u8], format: ImageFormat) -> Result<DynamicImage, ApiError> {
    let decoder =
        ImageReader::with_format(Cursor::new(bytes), format).into_decoder().map_err(|error| refusal(&error))?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| refusal(&error))?;
    Ok(DynamicImage::ImageLuma8(picture.into_luma8()))
}

fn check_size(width: u32, height: u32) -> Result<(), ApiError> {
    if width < MIN_SIDE || height < MIN_SIDE {
        return Err(ApiError::invalid_parameter());
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ApiError::image_too_large());
    }
    Ok(())
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
    // In the data itself a byte 0xff is always followed by zero or a restart marker. Anything may follow the end, for
    // example a film, but in most pictures nothing does, so the search begins at the end of the file.
    scan(jpeg).is_some_and(|data| data.windows(2).rev().any(|pair| pair == END))
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

/// Only calls code that is not generic: a development build optimizes the `image` crate, but not what is compiled here.
fn shrink(grey: DynamicImage) -> DynamicImage {
    let longest = grey.width().max(grey.height());
    if longest <= DETECTION_SIDE {
        return grey;
    }
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(DETECTION_SIDE) / u64::from(longest);
        // A detector needs at least its window.
        u32::try_from(side).unwrap_or(DETECTION_SIDE).max(MIN_SIDE)
    };
    grey.thumbnail_exact(scaled(grey.width()), scaled(grey.height()))
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
            let small = shrink(DynamicImage::new_luma8(from.0, from.1));
            assert_eq!((small.width(), small.height()), to, "{from:?}");
        };
        check((512, 512), (512, 512));
        check((4096, 2048), (1024, 512));
        check((100, 2048), (80, 1024));
    }
}
