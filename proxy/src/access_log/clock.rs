//! The time of a line: wall-clock time from the clock that requests are measured with, so that a line asks for no time of its own, and
//! rendered down to the second only once a second.

use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Format;

/// How long the two clocks are taken to go alike.
const TRUST: Duration = Duration::from_secs(1);

/// One worker's clock.
pub(super) struct Clock {
    format: Format,
    /// The same moment on both clocks.
    anchor: (Instant, SystemTime),
    /// The second that is rendered, since 1970.
    second: Option<u64>,
    /// Up to the second, then what changes with each line.
    text: Vec<u8>,
    /// Length of the rendered second.
    whole: usize,
}

impl Clock {
    pub(super) fn new(format: Format) -> Self {
        Self { format, anchor: (Instant::now(), SystemTime::now()), second: None, text: Vec::new(), whole: 0 }
    }

    /// The time of a request that began then.
    pub(super) fn stamp(&mut self, began: Instant) -> &[u8] {
        let time = match began.checked_duration_since(self.anchor.0) {
            Some(after) if after <= TRUST => self.anchor.1 + after,
            Some(_) => {
                self.anchor = (Instant::now(), SystemTime::now());
                self.anchor.1 - self.anchor.0.duration_since(began)
            }
            None => self.anchor.1 - self.anchor.0.duration_since(began),
        };
        self.render(time)
    }

    fn render(&mut self, time: SystemTime) -> &[u8] {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if self.second != Some(since.as_secs()) {
            self.second = Some(since.as_secs());
            let now = Timestamp::from_second(since.as_secs().cast_signed()).unwrap_or_default().to_zoned(TimeZone::UTC);
            let pattern = match self.format {
                Format::Json => "%Y-%m-%dT%H:%M:%S.",
                Format::Clf => "%d/%b/%Y:%H:%M:%S +0000",
            };
            self.text.clear();
            // Writing to a Vec cannot fail.
            let _ = write!(self.text, "{}", now.strftime(pattern));
            self.whole = self.text.len();
        }
        if self.format == Format::Json {
            let ms = since.subsec_millis();
            let digit = |value: u32| b'0' + (value % 10) as u8;
            self.text.truncate(self.whole);
            self.text.extend_from_slice(&[digit(ms / 100), digit(ms / 10), digit(ms), b'Z']);
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
    }

    #[test]
    fn a_second_is_rendered_again_when_it_changes_and_when_time_goes_back() {
        let mut clock = Clock::new(Format::Json);
        assert_eq!(clock.render(at(1_795_266_000_123)), b"2026-11-21T13:00:00.123Z");
        assert_eq!(clock.render(at(1_795_266_000_004)), b"2026-11-21T13:00:00.004Z");
        assert_eq!(clock.render(at(1_795_266_001_999)), b"2026-11-21T13:00:01.999Z");
        assert_eq!(clock.render(at(1_795_265_999_999)), b"2026-11-21T12:59:59.999Z");
        assert_eq!(Clock::new(Format::Clf).render(at(1_795_266_000_123)), b"21/Nov/2026:13:00:00 +0000");
    }

    #[test]
    fn the_time_is_that_of_the_beginning() {
        let mut clock = Clock::new(Format::Json);
        let (instant, wall) = (Instant::now(), at(1_795_266_000_000));
        clock.anchor = (instant, wall);
        assert_eq!(clock.stamp(instant + Duration::from_millis(500)), b"2026-11-21T13:00:00.500Z");
        let long_ago = instant.checked_sub(Duration::from_secs(2)).unwrap();
        assert_eq!(clock.stamp(long_ago), b"2026-11-21T12:59:58.000Z");
    }

    #[test]
    fn the_anchor_is_lifted_after_a_while() {
        let mut clock = Clock::new(Format::Json);
        let long_ago = Instant::now().checked_sub(Duration::from_mins(1)).unwrap();
        // The wall clock was set while nobody looked.
        clock.anchor = (long_ago, at(0));
        clock.stamp(Instant::now());
        assert!(clock.anchor.0 > long_ago && clock.anchor.1 > at(1_000_000_000_000));
    }
}
