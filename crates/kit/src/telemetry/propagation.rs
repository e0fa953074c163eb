//! The forms in which a context travels in header fields, and which field means what in each.

use super::b3;
use super::context::{Context, Remote, TraceState, traceparent};
use super::id::{SpanId, TraceId};

/// A form of the context in header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Propagation {
    /// W3C Trace Context: `traceparent`, `tracestate`.
    W3c,
    /// Zipkin's single field `b3`.
    B3,
    /// Zipkin's several fields `X-B3-*`.
    B3Multi,
}

/// Header fields that can be read by their lower-case name.
pub trait Carrier {
    /// All values of a name, in order.
    fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]>;

    /// The value of a name that is there exactly once.
    fn only(&self, name: &'static str) -> Option<&[u8]> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }
}

impl Propagation {
    /// Reads what the fields say in this form; `None` where they say nothing, or nothing that can be understood.
    pub fn read(self, fields: &impl Carrier) -> Option<Remote> {
        match self {
            Self::W3c => {
                let context = Context::parse(fields.only("traceparent")?)?;
                Some(Context { state: TraceState::parse(fields.values("tracestate")), ..context }.into())
            }
            Self::B3 => b3::parse_single(fields.only(b3::SINGLE)?),
            Self::B3Multi => b3::parse_multi(
                fields.only(b3::TRACE_ID),
                fields.only(b3::SPAN_ID),
                fields.only(b3::SAMPLED),
                fields.only(b3::FLAGS),
            ),
        }
    }

    /// Hands the fields that say this to `set`, name and value.
    pub fn write(
        self,
        trace: TraceId,
        span: SpanId,
        sampled: bool,
        state: &TraceState,
        mut set: impl FnMut(&'static str, &[u8]),
    ) {
        match self {
            Self::W3c => {
                set("traceparent", &traceparent(trace, span, sampled));
                if let Some(state) = state.as_str() {
                    set("tracestate", state.as_bytes());
                }
            }
            Self::B3 => set(b3::SINGLE, &b3::single(trace, span, sampled)),
            Self::B3Multi => {
                set(b3::TRACE_ID, &trace.to_hex());
                set(b3::SPAN_ID, &span.to_hex());
                set(b3::SAMPLED, if sampled { b"1" } else { b"0" });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Fields(Vec<(&'static str, Vec<u8>)>);

    impl Carrier for Fields {
        fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
            self.0.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_slice())
        }
    }

    #[test]
    fn every_form_reads_what_it_writes() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap(), "00f067aa0ba902b7".parse().unwrap());
        let state = TraceState::parse([&b"a=1"[..]]);
        for form in [Propagation::W3c, Propagation::B3, Propagation::B3Multi] {
            let mut fields = Fields::default();
            form.write(trace, span, true, &state, |name, value| fields.0.push((name, value.to_vec())));
            let read = form.read(&fields).unwrap();
            assert_eq!((read.ids, read.sampled), (Some((trace, span)), Some(true)), "{form:?}");
            assert_eq!(read.state, if form == Propagation::W3c { state.clone() } else { TraceState::default() });
            assert!(!fields.0.is_empty());
        }
    }

    #[test]
    fn a_traceparent_that_is_there_twice_is_none_and_an_empty_state_is_not_written() {
        let text = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_vec();
        let twice = Fields(vec![("traceparent", text.clone()), ("traceparent", text)]);
        assert_eq!(Propagation::W3c.read(&twice), None);
        let mut names = Vec::new();
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap(), "00f067aa0ba902b7".parse().unwrap());
        Propagation::W3c.write(trace, span, false, &TraceState::default(), |name, _| names.push(name));
        assert_eq!(names, ["traceparent"]);
    }
}
