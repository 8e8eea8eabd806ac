//! Pages: one self-contained HTML file each, escaped by construction.
//!
//! Invariant: a page requests nothing from anywhere. Its content security policy allows only its own style and script,
//! by their hashes, and pictures that are part of the page or files of this machine.

mod document;
mod pictures;
mod timeline;

pub use document::BEGINNING;
pub use pictures::{Gallery, pictures};
pub use timeline::{Timeline, timeline};
