//! How many copies of the function may run at once, so that a burst of uploads waits in Lambda's queue instead of failing at Rekognition.
//!
//! Pure. As many copies as requests a second: a picture takes a copy some tenths of a second to a second, so the quota is filled; what is
//! over it then is little, and the copies' own retries and Lambda's take it up (`make scale` shows how few those are).

/// What makes the parameter `ReservedConcurrency` be worked out from the account's quotas.
pub const AUTOMATIC: &str = "auto";

/// Copies that Lambda leaves to the functions without a reservation, come what may (Lambda Developer Guide, "Reserved concurrency").
const KEPT_FREE: i32 = 100;

/// Works out the reservation from Rekognition's requests a second and the copies that no function has reserved yet.
///
/// # Errors
/// There is no room for it, or nothing to go by; as a clause.
pub fn reserve(requests_a_second: Option<f64>, free: i32) -> Result<i32, String> {
    let rate = requests_a_second
        .filter(|rate| rate.is_finite() && *rate > 0.0)
        .ok_or("Service Quotas tells no quota of DetectFaces here")?;
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    let copies = rate.ceil() as i32;
    if copies > free.saturating_sub(KEPT_FREE) {
        return Err(format!(
            "{copies} copies are wanted, {free} are not reserved in this account, and Lambda keeps {KEPT_FREE} of these free"
        ));
    }
    Ok(copies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_decides_where_there_is_room() {
        for (rate, free, expected) in [
            (Some(5.0), 1_000, Some(5)),
            (Some(0.5), 1_000, Some(1)),
            (Some(50.0), 150, Some(50)),
            (Some(50.0), 149, None),
            // A new account has ten copies in all.
            (Some(5.0), 10, None),
            (Some(0.0), 1_000, None),
            (Some(f64::NAN), 1_000, None),
            (None, 1_000, None),
        ] {
            assert_eq!(reserve(rate, free).ok(), expected, "{rate:?} {free}");
        }
    }
}
