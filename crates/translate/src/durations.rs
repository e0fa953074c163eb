//! Durations as Gateway API writes them (GEP-2257): `1h30m`, `500ms`. Decides only what a text means.

use std::time::Duration;

/// The length of time that `text` says, or `None` when it is not of the form `([0-9]{1,5}(h|m|s|ms)){1,4}`.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    for _ in 0..4 {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=5).contains(&digits) {
            return None;
        }
        let (number, tail) = rest.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let (unit, tail) = split_unit(tail)?;
        total += Duration::from_millis(number * unit);
        if tail.is_empty() {
            return Some(total);
        }
        rest = tail;
    }
    None
}

/// Milliseconds of the unit that `text` begins with, and what follows.
fn split_unit(text: &str) -> Option<(u64, &str)> {
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)]
        .into_iter()
        .find_map(|(unit, millis)| text.strip_prefix(unit).map(|tail| (millis, tail)))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use std::time::Duration;

    #[test]
    fn units_add_up() {
        assert_eq!(parse("1h1m1s1ms"), Some(Duration::from_millis(3_661_001)));
        assert_eq!(parse("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse("0s"), Some(Duration::ZERO));
    }

    #[test]
    fn anything_else_is_not_a_duration() {
        for text in ["", "1", "s", "1.5s", "-1s", "1d", "100000s", "1s1s1s1s1s", "1 s", "1us"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
