//! Rekognition's errors, with the service's own text and structure.
//!
//! Invariant: as with the real service, the error code identifies the error, not the HTTP status.

use serde_json::{Value, json};

/// An error as a client receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl ApiError {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    // The messages are those of the developer guide, page "Error handling".

    pub(super) fn image_too_large() -> Self {
        Self::new("ImageTooLargeException", "Image size is too large.")
    }

    pub(super) fn invalid_image_format() -> Self {
        Self::new("InvalidImageFormatException", "Request has invalid image format")
    }

    /// The service also returns this for a picture with a side shorter than 80 pixels.
    pub(super) fn invalid_parameter() -> Self {
        Self::new("InvalidParameterException", "Request has invalid parameters")
    }

    pub(super) fn invalid_s3_object() -> Self {
        let message = "Unable to get object metadata from S3. Check object key, region and/or access permissions.";
        Self::new("InvalidS3ObjectException", message)
    }

    pub(super) fn over_quota() -> Self {
        Self::new("ProvisionedThroughputExceededException", "Provisioned Rate exceeded.")
    }

    pub(super) fn internal() -> Self {
        Self { status: 500, ..Self::new("InternalServerError", "Internal server error") }
    }

    // These come from the layer that all services of this protocol share.

    pub(super) fn missing_authentication() -> Self {
        Self::new("MissingAuthenticationTokenException", "Missing Authentication Token")
    }

    pub(super) fn incomplete_signature() -> Self {
        Self::new(
            "IncompleteSignatureException",
            "Authorization header requires a credential scoped to 'rekognition' and ending in 'aws4_request'.",
        )
    }

    pub(super) fn unknown_operation() -> Self {
        Self::new(
            "UnknownOperationException",
            "The requested operation is not part of the local stand-in for Rekognition, which knows DetectFaces only.",
        )
    }

    pub(super) fn serialization() -> Self {
        Self::new("SerializationException", "The request's body is not a DetectFaces request.")
    }

    pub(super) fn validation(value: &str, member: &str, constraint: &str) -> Self {
        let message = format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: \
             Member must {constraint}"
        );
        Self::new("ValidationException", message)
    }

    pub(super) fn request_too_long() -> Self {
        Self { status: 413, ..Self::new("RequestEntityTooLargeException", "The request is too long.") }
    }

    pub(super) fn body(&self, request_id: &str) -> Value {
        json!({ "__type": self.code, "Code": self.code, "Logref": request_id, "Message": self.message })
    }
}
