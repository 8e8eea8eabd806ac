//! Pictures and their faces as one table.

use super::table::{Column, table};
use super::words::{BAD, done, noun};
use crate::core::event::Event;
use crate::core::pictures::{PictureCounts, without_row};
use crate::core::smoke::{Attribute, Row};

/// The table of pictures that were reported one by one.
pub(in crate::ui) fn pictures(events: &[Event], verbose: bool) -> String {
    let mut rows = Vec::new();
    for event in events {
        let Event::Faces { file, key, rows: faces, outcome, reason } = event else { continue };
        // A URL contains the key already.
        let key = if file.ends_with(key.as_str()) { String::new() } else { key.clone() };
        if faces.is_empty() {
            let what = without_row(outcome.as_deref().unwrap_or("no_row"), reason.as_deref());
            rows.push(vec![file.clone(), key, what]);
            continue;
        }
        for (rank, face) in faces.iter().enumerate() {
            let of_first = |text: &str| if rank == 0 { text.to_owned() } else { String::new() };
            let mut row = vec![of_first(file), of_first(&key), format!("face {} of {}", rank + 1, faces.len())];
            row.extend([age(face), emotion(face), confidence(face)]);
            if verbose {
                row.push(text(face, "FaceID"));
            }
            rows.push(row);
        }
    }
    let columns = [
        Column::Left("PICTURE"),
        Column::Left("KEY"),
        Column::Left("RESULT"),
        Column::Left("AGE"),
        Column::Left("EMOTION"),
        Column::Right("CONFIDENCE"),
        Column::Left("FACE ID"),
    ];
    table(&columns, &rows)
}

/// The closing summary.
pub(super) fn summary(counts: &PictureCounts) -> String {
    let PictureCounts { pictures, faces, without_face, without_row, unusable, skipped, failed } = *counts;
    let mut parts =
        vec![format!("{pictures} {}", noun(pictures, "picture")), format!("{faces} {}", noun(faces, "face"))];
    let rest = [
        (without_face, "without a face"),
        (without_row, "without a row"),
        (unusable, "unusable"),
        (skipped, "skipped"),
        (failed, "failed"),
    ];
    parts.extend(rest.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
    let counted = parts.join(", ");
    if failed + unusable > 0 { format!("{BAD}✗{BAD:#} {counted}") } else { done(counted) }
}

fn text(row: &Row, name: &str) -> String {
    match row.get(name) {
        Some(Attribute::Text(text) | Attribute::Number(text)) => text.clone(),
        _ => "?".to_owned(),
    }
}

fn age(row: &Row) -> String {
    text(row, "Age").to_lowercase()
}

fn emotion(row: &Row) -> String {
    text(row, "Emotion").to_lowercase()
}

/// Rounded; empty if there is none.
fn confidence(row: &Row) -> String {
    match row.get("EmotionConfidence") {
        Some(Attribute::Number(digits)) => {
            digits.parse::<f64>().map_or_else(|_| digits.clone(), |percent| format!("{percent:.0} %"))
        }
        _ => String::new(),
    }
}
