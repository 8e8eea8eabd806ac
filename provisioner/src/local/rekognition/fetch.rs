//! How a picture comes out of a bucket. Invariant: this module knows no S3 client; whoever serves brings one.

use std::future::Future;

use bytes::Bytes;

/// What Rekognition takes from a bucket: 15 MB, counted as 2^20 bytes each.
pub const MAX_OBJECT_BYTES: u64 = 15 << 20;

/// The picture that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Object {
    /// The bucket's name.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// The version; the current one where there is none.
    pub version: Option<String>,
}

/// Why a picture could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No such bucket, key or version.
    #[error("no such object")]
    NotFound,
    /// The reader may not read it.
    #[error("access denied")]
    AccessDenied,
    /// Larger than [`MAX_OBJECT_BYTES`]; a fetcher that sees the size first need not read such an object.
    #[error("larger than {MAX_OBJECT_BYTES} bytes")]
    TooLarge,
    /// Anything else; answered as an internal error, which clients retry.
    #[error("{0}")]
    Other(String),
}

/// Reads objects. Implemented for every `async` closure or function from [`S3Object`] to bytes.
pub trait Fetch: Send + Sync + 'static {
    /// Reads one object whole.
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
