//! One difference between two settings, and the values of a template as text.
//!
//! Pure.

use std::fmt::Display;

use serde_json::Value as Json;

use crate::core::plan::{Effect, Property};
use crate::core::render::scalar;

pub(super) fn path(property: &str) -> String {
    format!("/Properties/{property}")
}

pub(super) fn change(
    property: &str,
    before: Option<impl Display>,
    after: Option<impl Display>,
    effect: Option<Effect>,
) -> Property {
    Property {
        path: path(property),
        before: before.map(|value| value.to_string()),
        after: after.map(|value| value.to_string()),
        recreates: false,
        effect,
    }
}

pub(super) fn items(list: &Json) -> impl Iterator<Item = &Json> {
    list.as_array().into_iter().flatten()
}

pub(super) fn number(value: &Json) -> Option<i64> {
    scalar(value)?.parse().ok()
}

/// A value as text: what could not be evaluated as its expression, nothing as an empty text.
pub(super) fn text(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        value => scalar(value).unwrap_or_else(|| value.to_string()),
    }
}
