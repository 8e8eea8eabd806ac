//! Points in time as users write them and as events carry them.
//!
//! Pure. Times are seconds since the Unix epoch.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A day in seconds.
pub const DAY: i64 = 86_400;

/// Parses the beginning of a span: a date, for example `2026-05-01`, or a time, for example `2026-05-01T12:00:00Z`.
///
/// # Errors
/// The expected forms, for the message about an argument.
pub fn start(text: &str) -> Result<i64, &'static str> {
    parse(text).map(|(at, _)| at)
}

/// Parses the end of a span, which is part of it. A date means the end of that day.
///
/// # Errors
/// The expected forms, for the message about an argument.
pub fn end(text: &str) -> Result<i64, &'static str> {
    parse(text).map(|(at, is_date)| if is_date { at + DAY - 1 } else { at })
}

/// The time, and whether only a date was given.
fn parse(text: &str) -> Result<(i64, bool), &'static str> {
    let is_date = text.len() == "2026-05-01".len();
    let whole = if is_date { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let parsed = OffsetDateTime::parse(&whole, &Rfc3339);
    parsed
        .map(|at| (at.unix_timestamp(), is_date))
        .map_err(|_| "expected a date like 2026-05-01 or a time like 2026-05-01T12:00:00Z")
}

/// Formats a time as RFC 3339 in UTC. A time beyond the year 9999 becomes the epoch.
#[must_use]
pub fn format(seconds: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, hour, minute, second) = (at.date(), at.hour(), at.minute(), at.second());
    let month = u8::from(date.month());
    format!("{:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", date.year(), date.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_limit_a_span() {
        for (text, expected) in [
            ("1970-01-02", Some((86_400, 172_799))),
            ("1970-01-01T00:01:00Z", Some((60, 60))),
            ("1970-01-01T02:00:00+02:00", Some((0, 0))),
            ("1970-01-01T00:00:00.9Z", Some((0, 0))),
            ("1970-02-30", None),
            ("1970-1-1", None),
            ("yesterday!", None),
            ("2026-05", None),
            ("", None),
        ] {
            assert_eq!(start(text).ok().zip(end(text).ok()), expected, "{text}");
        }
    }

    #[test]
    fn times_are_formatted_as_s3_does() {
        for (seconds, expected) in
            [(0, "1970-01-01T00:00:00Z"), (1_777_640_405, "2026-05-01T13:00:05Z"), (i64::MAX, "1970-01-01T00:00:00Z")]
        {
            assert_eq!(format(seconds), expected);
            assert_eq!(start(expected).ok(), Some(seconds).filter(|seconds| *seconds != i64::MAX).or(Some(0)));
        }
    }
}
