//! The page of pictures: each with its boxes, ages and emotions; a summary; and a filter.

use base64_simd::STANDARD;
use maud::{Markup, html};

use super::document::{distribution, number, page, text};
use crate::core::gallery::{Face, GalleryPicture, Image, decades, emotions};

/// What a page of pictures shows.
#[derive(Clone, Debug)]
pub struct Gallery<'a> {
    /// The stack.
    pub stack: &'a str,
    /// Its region.
    pub region: &'a str,
    /// Its bucket.
    pub bucket: &'a str,
    /// When the page was written.
    pub written: String,
    /// The pictures in order.
    pub pictures: &'a [GalleryPicture],
}

/// Renders the page.
#[must_use]
pub fn pictures(gallery: &Gallery<'_>) -> String {
    let Gallery { stack, region, bucket, written, pictures } = gallery;
    let faces: usize = pictures.iter().map(|picture| picture.faces.len()).sum();
    let emotions = emotions(pictures);
    let body = html! {
        header {
            h1 { "Faces" }
            p {
                (count(pictures.len(), "picture")) ", " (count(faces, "face")) ". Stack " (text(stack)) " in "
                (region) ", written " (written) "."
            }
            p.notice {
                strong { "Personal data: " }
                "this page contains the faces of people in pictures from bucket " (text(bucket))
                ", with estimated ages and emotions. Keep it as confidential as the pictures themselves."
            }
        }
        main {
            section aria-label="Summary" {
                div.distributions {
                    (distribution("Faces by emotion", &emotions))
                    (distribution("Faces by estimated age", &decades(pictures)))
                }
            }
            (filter(&emotions))
            p #shown role="status" {}
            ul.pictures {
                @for picture in *pictures { (entry(picture)) }
            }
        }
    };
    page("Faces", true, &body)
}

fn filter(emotions: &[(String, usize)]) -> Markup {
    html! {
        // Only the script can filter, so without it there is no form.
        form #filter hidden {
            fieldset {
                legend { "Emotion" }
                @for (at, (emotion, _)) in emotions.iter().enumerate() {
                    span.choice {
                        input type="checkbox" id={ "e" (at) } name="emotion" value=(emotion);
                        label for={ "e" (at) } { (text(emotion)) }
                    }
                }
            }
            fieldset {
                legend { "Estimated age" }
                label for="from" { "from" }
                input #from type="number" min="0" max="120" inputmode="numeric";
                label for="to" { "to" }
                input #to type="number" min="0" max="120" inputmode="numeric";
            }
            button type="reset" { "Show all" }
        }
    }
}

fn entry(picture: &GalleryPicture) -> Markup {
    html! {
        li.picture {
            h2 { (text(&picture.title)) }
            @if let Some(image) = &picture.image {
                div.frame {
                    @match image {
                        Image::Embedded(jpeg, width, height) => {
                            img src={ "data:image/jpeg;base64," (STANDARD.encode_to_string(jpeg)) }
                                width=(width) height=(height) alt=(alt(picture)) loading="lazy" decoding="async";
                        }
                        Image::Linked(url) => {
                            img src=(url) alt=(alt(picture)) loading="lazy" decoding="async";
                        }
                    }
                    svg.boxes aria-hidden="true" {
                        @for (at, face) in picture.faces.iter().enumerate() {
                            @if let Some([left, top, width, height]) = face.position {
                                g data-face=(at) {
                                    rect x=(percent(left)) y=(percent(top)) width=(percent(width)) height=(percent(height)) {}
                                    text x=(percent(left)) y=(percent(top)) dx="4" dy="16" { (at + 1) }
                                }
                            }
                        }
                    }
                }
            }
            @if let Some(note) = &picture.note { p.note { (text(note)) } }
            @if !picture.faces.is_empty() {
                ol.faces {
                    @for (at, face) in picture.faces.iter().enumerate() { (words(at, face)) }
                }
            }
        }
    }
}

fn words(at: usize, face: &Face) -> Markup {
    let (low, high) = face.age.unwrap_or_default();
    html! {
        li.face data-face=(at) data-emotion=(face.emotion)
            data-low=[face.age.map(|_| number(low))] data-high=[face.age.map(|_| number(high))] {
            @if face.age.is_some() { (number(low)) "–" (number(high)) " years" } @else { "age unknown" }
            ", " (text(&face.emotion))
            @if let Some(confidence) = face.confidence { " (" (format!("{confidence:.0}")) " %)" }
        }
    }
}

/// A position in percent of the picture.
fn percent(value: f64) -> String {
    format!("{}%", number(value))
}

fn alt(picture: &GalleryPicture) -> String {
    match picture.faces.len() {
        0 => "picture without a recognized face".to_owned(),
        1 => "picture with one face, marked by a box".to_owned(),
        several => format!("picture with {several} faces, marked by numbered boxes"),
    }
}

fn count(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(title: &str, faces: Vec<Face>) -> String {
        let image = Some(Image::Embedded(vec![0xff, 0xd8], 4, 3));
        let pictures = [GalleryPicture { title: title.into(), image, note: None, faces }];
        self::pictures(&Gallery {
            stack: "s",
            region: "eu-west-1",
            bucket: "b",
            written: "now".into(),
            pictures: &pictures,
        })
    }

    #[test]
    fn boxes_are_in_percent_and_ages_and_emotions_beside_them() {
        let face = Face {
            position: Some([12.345, -5.0, 50.0, 0.0]),
            age: Some((20.0, 30.5)),
            emotion: "happy".into(),
            confidence: Some(98.7),
        };
        let page = shown("a.jpg", vec![face]);
        for part in [
            r#"<rect x="12.35%" y="-5%" width="50%" height="0%">"#,
            "20–30.5 years, <bdi>happy</bdi> (99 %)",
            r#"data-low="20" data-high="30.5""#,
            "data:image/jpeg;base64,/9g=",
            "faces of people in pictures from bucket <bdi>b</bdi>",
        ] {
            assert!(page.contains(part), "no {part} in {page}");
        }
    }

    #[test]
    fn hostile_text_stays_text() {
        let face = Face { emotion: "\"><script>alert(1)</script>".into(), ..Face::default() };
        let page = shown("<img src=x onerror=alert(1)>\u{202e}'\"&", vec![face]);
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert!(!page.contains("<img src=x") && !page.contains('\u{202e}'), "{page}");
    }

    #[test]
    fn nothing_on_the_page_leads_elsewhere() {
        let page = shown("http://example.com/x.jpg", vec![Face::default()]);
        for attribute in ["src=\"http", "href=\"http", "url(", "@import"] {
            assert!(!page.contains(attribute), "{attribute} in {page}");
        }
    }
}
