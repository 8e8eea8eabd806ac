//! What all pages share: head, style, content security policy, and the display of text from outside.

use base64_simd::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::ui::text::words::escape;

const STYLE: &str = include_str!("style.css");
const FILTER: &str = include_str!("filter.js");

/// The beginning of every page, by which a page of this program is recognized.
pub const BEGINNING: &str = "<!DOCTYPE html><html lang=\"en\"><head><meta name=\"generator\" content=\"provisioner\">";

/// A complete page.
pub(super) fn page(title: &str, with_filter: bool, body: &Markup) -> String {
    let script = if with_filter { format!("script-src '{}'; ", hash(FILTER)) } else { String::new() };
    let policy = format!(
        "default-src 'none'; img-src data: file:; style-src '{}'; {script}base-uri 'none'; form-action 'none'",
        hash(STYLE)
    );
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta name="generator" content="provisioner";
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                @if with_filter { script { (PreEscaped(FILTER)) } }
            }
        }
    };
    markup.into_string()
}

/// The source expression of an inline style or script.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode_to_string(Sha256::digest(text.as_bytes())))
}

/// Text from outside. maud escapes markup; control and bidirectional characters become visible here.
pub(super) fn text(text: &str) -> Markup {
    html! { bdi { (escape(text)) } }
}

/// A number without needless decimals.
pub(super) fn number(value: f64) -> String {
    let rounded = format!("{value:.2}");
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Names and counts as a table with bars.
pub(super) fn distribution(caption: &str, counts: &[(String, usize)]) -> Markup {
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    html! {
        @if !counts.is_empty() {
            table.distribution {
                caption { (caption) }
                tbody {
                    @for (name, count) in counts {
                        tr {
                            th scope="row" { (text(name)) }
                            td { (count) }
                            td aria-hidden="true" {
                                svg.share viewBox="0 0 100 8" preserveAspectRatio="none" {
                                    rect width=(count * 100 / most) height="8" {}
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_as_recognized_and_allows_only_its_own_script() {
        let page = page("t", true, &html! { p { "x" } });
        assert!(page.starts_with(BEGINNING), "{page}");
        // As `openssl dgst -sha256 -binary | base64` of the file prints it.
        assert_eq!(hash("alert(1)"), "sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=");
        assert!(page.contains(&hash(STYLE)) && page.contains("default-src 'none'"), "{page}");
        assert!(!super::page("t", false, &html! {}).contains("<script"));
    }
}
