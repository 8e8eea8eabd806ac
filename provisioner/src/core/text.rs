//! Operations on the output of other programs.
//!
//! Pure.

/// The last lines of a program's output, without empty lines: they usually say why it failed.
#[must_use]
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_without_empty_ones() {
        for (text, count, expected) in
            [("a\nb\n\nc  \n\n", 2, "b\nc"), ("a", 3, "a"), ("", 1, ""), ("\n \n", 1, ""), ("a\nb", 0, "")]
        {
            assert_eq!(last_lines(text, count), expected, "{text:?}");
        }
    }
}
