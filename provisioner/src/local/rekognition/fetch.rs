//! Reads a picture from a bucket.
//!
//! Invariant: this module has no S3 client of its own; the caller of the server supplies one.

use std::future::Future;

use bytes::Bytes;

/// The largest object that Rekognition reads from a bucket: 15 MiB.
pub const MAX_OBJECT_BYTES: u64 = 15 << 20;

/// The object that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Object {
    /// The bucket's name.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// The version; `None` for the current one.
    pub version: Option<String>,
}

/// Why an object could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No such bucket, key or version.
    #[error("no such object")]
    NotFound,
    /// The caller is not allowed to read it.
    #[error("access denied")]
    AccessDenied,
    /// Larger than [`MAX_OBJECT_BYTES`]; a fetcher that knows the size need not read the object.
    #[error("larger than {MAX_OBJECT_BYTES} bytes")]
    TooLarge,
    /// Any other failure. The client receives an internal error, which it retries.
    #[error("{0}")]
    Other(String),
}

/// Reads objects. Implemented for every `async` closure or function from [`S3Object`] to bytes.
pub trait Fetch: Send + Sync + 'static {
    /// Reads a whole object.
    fn fetch(&self, object: S3Object) -> impl Future<Output = Result<Bytes, FetchError>> + Send;
}

impl<F, Answer> Fetch for F
where
    F: Fn(S3Object) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Result<Bytes, FetchError>> + Send,
{
    fn fetch(&self, object: S3Object) -> impl Future<Output = Result<Bytes, FetchError>> + Send {
        self(object)
    }
}
