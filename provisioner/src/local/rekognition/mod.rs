//! A local substitute for `DetectFaces` of Amazon Rekognition. `rustface` detects the faces in the picture; ages and
//! emotions are invented.
//!
//! Invariant: the server opens no connection itself, and listens on 127.0.0.1 only. It reads pictures in buckets through
//! the given [`Fetch`].

mod error;
mod faces;
mod fetch;
mod invent;
mod launch;
mod picture;
mod reply;
mod request;
mod server;
mod throttle;

pub use fetch::{Fetch, FetchError, MAX_OBJECT_BYTES, S3Object};
pub use launch::{ServeArgs, run};
pub use server::{ServeOptions, serve};

pub(super) use launch::{PART, is_ready, spawn};
