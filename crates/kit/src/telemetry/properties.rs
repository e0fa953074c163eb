//! What holds of the parsers whatever comes in.

use proptest::prelude::*;

use super::context::{Context, TraceState};
use super::id::{SpanId, TraceId};
use super::propagation::{Carrier, Propagation};
use super::{Ratio, b3};

#[derive(Debug, Default)]
struct Fields(Vec<(String, Vec<u8>)>);

impl Carrier for Fields {
    fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_slice())
    }
}

fn trace() -> impl Strategy<Value = TraceId> {
    any::<[u8; 16]>().prop_filter_map("all zero", TraceId::new)
}

fn span() -> impl Strategy<Value = SpanId> {
    any::<[u8; 8]>().prop_filter_map("all zero", SpanId::new)
}

/// Nearly a context: one byte of a right one is another.
fn nearly() -> impl Strategy<Value = (Vec<u8>, usize)> {
    (trace(), span(), any::<bool>(), 0..55_usize, any::<u8>()).prop_map(|(trace, span, sampled, at, byte)| {
        let state = TraceState::default();
        let mut text = Context { trace, span, sampled, state }.traceparent().to_vec();
        text[at] = byte;
        (text, at)
    })
}

proptest! {
    #[test]
    fn a_context_reads_as_it_was_written(trace in trace(), span in span(), sampled: bool) {
        let context = Context { trace, span, sampled, state: TraceState::default() };
        prop_assert_eq!(Context::parse(&context.traceparent()), Some(context));
    }

    #[test]
    fn what_is_read_of_a_damaged_context_is_what_stands_there((text, at) in nearly()) {
        if let Some(context) = Context::parse(&text) {
            // Version and flags may say more than we do; the ids are those that were sent.
            prop_assert_eq!(&context.traceparent()[3..52], &text[3..52]);
            prop_assert!(!(2..53).contains(&at) || context.traceparent()[..] == text[..]);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(text: Vec<u8>, more: Vec<u8>) {
        let _ = Context::parse(&text);
        let _ = b3::parse_single(&text);
        let _ = b3::parse_multi(Some(&text), Some(&more), None, None);
        let _ = TraceState::parse([text.as_slice(), more.as_slice()]);
    }

    #[test]
    fn a_state_that_goes_on_follows_the_grammar(text in "[a-z0-9@=, *_-]{0,700}") {
        let state = TraceState::parse([text.as_bytes()]);
        if let Some(kept) = state.as_str() {
            prop_assert!(!kept.is_empty() && kept.len() <= 512);
            prop_assert!(kept.split(',').count() <= 32);
            let again = TraceState::parse([kept.as_bytes()]);
            prop_assert_eq!(again.as_str(), Some(kept));
        }
    }

    #[test]
    fn every_form_reads_as_it_was_written(trace in trace(), span in span(), sampled: bool, form in 0..3_usize) {
        let form = [Propagation::W3c, Propagation::B3, Propagation::B3Multi][form];
        let mut fields = Fields::default();
        form.write(trace, span, sampled, &TraceState::default(), |name, value| {
            fields.0.push((name.to_owned(), value.to_vec()));
        });
        let read = form.read(&fields).unwrap();
        prop_assert_eq!((read.ids, read.sampled), (Some((trace, span)), Some(sampled)));
    }

    #[test]
    fn what_a_ratio_keeps_a_larger_one_keeps_too(trace in trace(), one in 0..=1_000_000_u32, other in 0..=1_000_000_u32) {
        let (small, large) = (Ratio::millionths(one.min(other)), Ratio::millionths(one.max(other)));
        prop_assert!(!small.keeps(trace) || large.keeps(trace));
    }
}
