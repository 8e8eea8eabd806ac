//! A stand-in for Amazon Rekognition's `DetectFaces`: real faces in real pictures, found by `rustface`; ages and
//! emotions made up.
//!
//! Invariant: it opens no connection itself, and listens on 127.0.0.1 only; pictures in a bucket come through the
//! [`Fetch`] that it is given.

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
