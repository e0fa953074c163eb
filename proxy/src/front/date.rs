//! The value of the Date field, written once a second. Decides nothing else.

use std::cell::RefCell;
use std::rc::Rc;

use http::HeaderValue;

use crate::timer::Wheel;

/// Ticks that one value is good for.
const GOOD_FOR: u64 = 10;
/// Length of an IMF-fixdate (RFC 9110 section 5.6.7).
const LEN: usize = 29;

/// The current date as HTTP writes it. Cloning gives another handle to the same value.
#[derive(Clone)]
pub struct Date {
    wheel: Wheel,
    known: Rc<RefCell<Known>>,
}

/// The tenth of ticks a value was written in, and the value.
type Known = Option<(u64, [u8; LEN], HeaderValue)>;

impl Date {
    /// A date that follows this wheel.
    pub fn new(wheel: Wheel) -> Self {
        Self { wheel, known: Rc::default() }
    }

    /// The date, at most about a second old.
    pub fn now(&self) -> [u8; LEN] {
        self.known(|text, _| *text)
    }

    /// The same as the `http` crate takes it.
    pub fn value(&self) -> HeaderValue {
        self.known(|_, value| value.clone())
    }

    fn known<T>(&self, take: impl FnOnce(&[u8; LEN], &HeaderValue) -> T) -> T {
        let tick = self.wheel.now() / GOOD_FOR;
        let mut known = self.known.borrow_mut();
        if known.as_ref().is_none_or(|(at, ..)| *at != tick) {
            *known = None;
        }
        let (_, text, value) = known.get_or_insert_with(|| {
            let text = written();
            // Always a value: it is made of letters, digits, commas, colons and spaces.
            (tick, text, HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("")))
        });
        take(text, value)
    }
}

fn written() -> [u8; LEN] {
    let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&jiff::Timestamp::now());
    text.ok().and_then(|text| text.as_bytes().try_into().ok()).unwrap_or(*b"Thu, 01 Jan 1970 00:00:00 GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_an_imf_fixdate() {
        let date = Date::new(Wheel::manual()).now();
        assert!(date.ends_with(b" GMT"));
        assert_eq!((date[3], date[25]), (b',', b' '));
        assert!(!date.ends_with(b"1970 00:00:00 GMT"));
    }
}
