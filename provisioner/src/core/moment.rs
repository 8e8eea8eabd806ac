//! Points in time as people write them: an age such as `1h30m`, or a date with or without a time.
//!
//! Pure: takes the current time. All times are in UTC, because that is what AWS stores and shows.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// A point in time, absolute or before now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// This long ago.
    Ago(SignedDuration),
    /// At this time.
    At(Timestamp),
}

impl Moment {
    /// In milliseconds since the Unix epoch; not before the epoch.
    #[must_use]
    pub fn millis(self, now: i64) -> i64 {
        let millis = match self {
            Self::Ago(duration) => i128::from(now) - duration.as_millis(),
            Self::At(time) => i128::from(time.as_millisecond()),
        };
        i64::try_from(millis.max(0)).unwrap_or(i64::MAX)
    }
}

/// Parses an age (`90s`, `1h30m`, `1w`), a date, or a date with a time; a time without an offset is in UTC.
///
/// # Errors
/// What would be accepted.
pub fn parse(text: &str) -> Result<Moment, String> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Moment::At(time));
    }
    let utc = |time: DateTime| TimeZone::UTC.to_timestamp(time).ok().map(Moment::At);
    let absolute = text
        .parse::<Date>()
        .ok()
        .filter(|_| text.len() <= 10)
        .map(|date| date.at(0, 0, 0, 0))
        .or_else(|| text.parse::<DateTime>().ok())
        .and_then(utc);
    if let Some(moment) = absolute {
        return Ok(moment);
    }
    let age = text.parse::<Span>().ok().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    age.filter(|age| !age.is_negative()).map(Moment::Ago).ok_or_else(|| {
        "expected an age such as 90s, 1h30m, 2d or 1w, or a time such as 2026-05-01 or 2026-05-01T12:00Z".to_owned()
    })
}

/// Parses the end of a span, which is part of it: like [`parse`], but a date means the end of that day.
///
/// # Errors
/// What would be accepted.
pub fn parse_end(text: &str) -> Result<Moment, String> {
    let day = text.trim().parse::<Date>().ok().filter(|_| text.trim().len() <= 10);
    let end = day.and_then(|day| TimeZone::UTC.to_timestamp(day.at(23, 59, 59, 999_999_999)).ok());
    end.map_or_else(|| parse(text), |end| Ok(Moment::At(end)))
}

/// A time in UTC with seconds, for example `2026-05-01T12:00:00Z`; empty if it is out of range.
#[must_use]
pub fn utc(millis: i64) -> String {
    let second = Timestamp::from_second(millis.div_euclid(1_000));
    second.map(|time| time.to_string()).unwrap_or_default()
}

/// A time as it is in the rows, with milliseconds: `2026-05-01T12:00:00.000Z`. Such texts sort by time.
#[must_use]
pub fn row_time(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map(|time| format!("{time:.3}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ages_and_times_are_understood() {
        const NOW: i64 = 1_777_636_800_000; // 2026-05-01T12:00:00Z
        for (text, expected) in [
            ("90s", Some("2026-05-01T11:58:30Z")),
            ("15m", Some("2026-05-01T11:45:00Z")),
            ("1h30m", Some("2026-05-01T10:30:00Z")),
            ("1h 30m", Some("2026-05-01T10:30:00Z")),
            ("2 hours", Some("2026-05-01T10:00:00Z")),
            ("1d", Some("2026-04-30T12:00:00Z")),
            ("1w", Some("2026-04-24T12:00:00Z")),
            ("PT5M", Some("2026-05-01T11:55:00Z")),
            ("100000d", Some("1970-01-01T00:00:00Z")),
            ("2026-04-30", Some("2026-04-30T00:00:00Z")),
            ("2026-04-30T10:00", Some("2026-04-30T10:00:00Z")),
            ("2026-04-30 10:00:30", Some("2026-04-30T10:00:30Z")),
            ("2026-04-30T10:00:00Z", Some("2026-04-30T10:00:00Z")),
            ("2026-04-30T10:00:00.250+02:00", Some("2026-04-30T08:00:00Z")),
            ("", None),
            ("h", None),
            ("5", None),
            ("5ü", None),
            ("-1s", None),
            ("1 month", None),
            ("yesterday", None),
            ("2026-13-01", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(parse(text).ok().map(|moment| utc(moment.millis(NOW))).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_date_at_the_end_of_a_span_is_a_whole_day() {
        for (text, expected) in [
            ("2026-04-30", Some("2026-04-30T23:59:59Z")),
            ("2026-04-30T10:00:00Z", Some("2026-04-30T10:00:00Z")),
            ("1970-01-02", Some("1970-01-02T23:59:59Z")),
            ("0s", Some("1970-01-01T00:00:00Z")),
            ("2026-02-30", None),
            ("yesterday", None),
        ] {
            assert_eq!(parse_end(text).ok().map(|moment| utc(moment.millis(0))).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn times_of_rows_have_milliseconds() {
        assert_eq!(row_time(1_777_636_800_000), "2026-05-01T12:00:00.000Z");
        assert_eq!(row_time(1_777_636_800_250), "2026-05-01T12:00:00.250Z");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".*", now in any::<i64>(), millis in any::<i64>()) {
            let _ = parse(&text).map(|moment| moment.millis(now));
            let _ = (utc(millis), row_time(millis));
        }
    }
}
