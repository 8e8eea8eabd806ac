//! Reads a `DetectFaces` request.
//!
//! Invariant: requests that the real service rejects before it reads the picture are rejected here, and the checks have
//! the same order: credentials, operation, structure, values.

use bytes::Bytes;
use hyper::HeaderMap;
use serde::Deserialize;

use super::error::ApiError;
use super::fetch::S3Object;

/// The size of the picture itself; Base64 makes it a third longer in the request.
const MAX_INLINE_BYTES: usize = 5 << 20;
/// The size of a request with the largest picture and the other members.
pub(super) const MAX_REQUEST_BYTES: usize = 8 << 20;
const TARGET: &str = "RekognitionService.DetectFaces";
/// All attributes in the service's model; only two of them are emulated.
const ATTRIBUTES: [&str; 14] = [
    "DEFAULT",
    "ALL",
    "AGE_RANGE",
    "BEARD",
    "EMOTIONS",
    "EYE_DIRECTION",
    "EYEGLASSES",
    "EYES_OPEN",
    "GENDER",
    "MOUTH_OPEN",
    "MUSTACHE",
    "FACE_OCCLUDED",
    "SMILE",
    "SUNGLASSES",
];

/// A valid request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DetectFaces {
    pub(super) image: Image,
    pub(super) attributes: Attributes,
}

/// Where the picture is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Image {
    Inline(Bytes),
    Stored(S3Object),
}

/// The requested attributes besides those that are always returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) age_range: bool,
    pub(super) emotions: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    image: Option<RawImage>,
    attributes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawImage {
    bytes: Option<String>,
    s3_object: Option<RawObject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawObject {
    bucket: Option<String>,
    name: Option<String>,
    version: Option<String>,
}

impl DetectFaces {
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let Body { image, attributes } = serde_json::from_slice(body).map_err(|_| ApiError::serialization())?;
        let image = image.ok_or_else(|| ApiError::validation("null", "image", "not be null"))?;
        Ok(Self { image: image.parse()?, attributes: Attributes::parse(&attributes.unwrap_or_default())? })
    }
}

/// Checks that a request is signed for this service, but not the signature itself, because the server does not know the
/// secret.
pub(super) fn check_headers(headers: &HeaderMap) -> Result<(), ApiError> {
    let get = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = get("authorization").ok_or_else(ApiError::missing_authentication)?;
    let scoped = authorization
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .and_then(|rest| rest.split([',', ' ']).find_map(|part| part.strip_prefix("Credential=")))
        .is_some_and(|credential| credential.ends_with("/rekognition/aws4_request"));
    if !scoped {
        return Err(ApiError::incomplete_signature());
    }
    if get("x-amz-target") != Some(TARGET) {
        return Err(ApiError::unknown_operation());
    }
    Ok(())
}

impl RawImage {
    fn parse(self) -> Result<Image, ApiError> {
        match self {
            Self { bytes: Some(text), s3_object: None } => {
                let bytes = base64_simd::STANDARD.decode_to_vec(text).map_err(|_| ApiError::serialization())?;
                let length = |constraint: &str| {
                    ApiError::validation(&format!("{} bytes", bytes.len()), "image.bytes", constraint)
                };
                match bytes.len() {
                    0 => Err(length("have length greater than or equal to 1")),
                    1..=MAX_INLINE_BYTES => Ok(Image::Inline(bytes.into())),
                    _ => Err(length("have length less than or equal to 5242880")),
                }
            }
            Self { bytes: None, s3_object: Some(RawObject { bucket: Some(bucket), name: Some(key), version }) }
                if !bucket.is_empty() && !key.is_empty() =>
            {
                Ok(Image::Stored(S3Object { bucket, key, version }))
            }
            Self { bytes: None, s3_object: Some(_) } => Err(ApiError::invalid_s3_object()),
            // Neither or both.
            Self { .. } => Err(ApiError::invalid_parameter()),
        }
    }
}

impl Attributes {
    fn parse(names: &[String]) -> Result<Self, ApiError> {
        if names.iter().any(|name| !ATTRIBUTES.contains(&name.as_str())) {
            return Err(ApiError::invalid_parameter());
        }
        let wants = |attribute: &str| names.iter().any(|name| name == attribute || name == "ALL");
        Ok(Self { age_range: wants("AGE_RANGE"), emotions: wants("EMOTIONS") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(result: Result<T, ApiError>) -> Result<T, &'static str> {
        result.map_err(|error| error.code)
    }

    #[test]
    fn headers_are_checked_credentials_first() {
        let check = |authorization: Option<&str>, target: Option<&str>, expected: Result<(), &'static str>| {
            let mut headers = HeaderMap::new();
            for (name, value) in [("authorization", authorization), ("x-amz-target", target)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().expect("a header's value"));
                }
            }
            assert_eq!(code(check_headers(&headers)), expected, "{authorization:?} {target:?}");
        };
        let signed =
            "AWS4-HMAC-SHA256 Credential=000000000000/20260101/eu-west-1/rekognition/aws4_request, Signature=0";
        let for_s3 = signed.replace("rekognition", "s3");
        check(Some(signed), Some(TARGET), Ok(()));
        check(None, Some(TARGET), Err("MissingAuthenticationTokenException"));
        check(None, None, Err("MissingAuthenticationTokenException"));
        check(Some("Bearer x"), Some(TARGET), Err("IncompleteSignatureException"));
        check(Some(&for_s3), Some(TARGET), Err("IncompleteSignatureException"));
        check(Some(signed), None, Err("UnknownOperationException"));
        check(Some(signed), Some("RekognitionService.DetectLabels"), Err("UnknownOperationException"));
    }

    #[test]
    fn bodies_are_read_or_refused_with_the_services_code() {
        let check = |body: &str, expected: Result<(), &'static str>| {
            assert_eq!(code(DetectFaces::parse(body.as_bytes())).map(drop), expected, "{body}");
        };
        check(r#"{"Image":{"S3Object":{"Bucket":"b","Name":"k"}}}"#, Ok(()));
        check(r#"{"Image":{"Bytes":"aGVsbG8="},"Attributes":["DEFAULT"]}"#, Ok(()));
        check(r#"{"Image":{"Bytes":"aGVsbG8="},"Attributes":["AGES"]}"#, Err("InvalidParameterException"));
        check(r#"{"Image":{"Bytes":""}}"#, Err("ValidationException"));
        check(r#"{"Image":{"Bytes":"not base64"}}"#, Err("SerializationException"));
        check(
            r#"{"Image":{"Bytes":"aGVsbG8=","S3Object":{"Bucket":"b","Name":"k"}}}"#,
            Err("InvalidParameterException"),
        );
        check(r#"{"Image":{}}"#, Err("InvalidParameterException"));
        check(r#"{"Image":{"S3Object":{"Bucket":"b"}}}"#, Err("InvalidS3ObjectException"));
        check(r#"{"Image":{"S3Object":{"Bucket":"","Name":"k"}}}"#, Err("InvalidS3ObjectException"));
        check("{}", Err("ValidationException"));
        check("[", Err("SerializationException"));
        check("", Err("SerializationException"));
        let inline = |length: usize| {
            format!(r#"{{"Image":{{"Bytes":"{}"}}}}"#, base64_simd::STANDARD.encode_to_string(vec![0; length]))
        };
        check(&inline(MAX_INLINE_BYTES), Ok(()));
        check(&inline(MAX_INLINE_BYTES + 1), Err("ValidationException"));
    }

    #[test]
    fn attributes_add_what_was_asked_for() {
        let check = |names: &[&str], age_range, emotions| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            assert_eq!(Attributes::parse(&names), Ok(Attributes { age_range, emotions }), "{names:?}");
        };
        check(&[], false, false);
        check(&["DEFAULT"], false, false);
        check(&["AGE_RANGE"], true, false);
        check(&["AGE_RANGE", "EMOTIONS"], true, true);
        check(&["ALL"], true, true);
    }
}
