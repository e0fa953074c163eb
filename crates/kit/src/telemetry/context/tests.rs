use super::*;

const EXAMPLE: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn state(values: &[&str]) -> Option<String> {
    TraceState::parse(values.iter().map(|value| value.as_bytes())).as_str().map(str::to_owned)
}

#[test]
fn the_example_of_the_specification_reads_and_writes() {
    let context = Context::parse(EXAMPLE).unwrap();
    assert_eq!(context.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(context.span.to_string(), "00f067aa0ba902b7");
    assert!(context.sampled);
    assert_eq!(context.traceparent(), EXAMPLE);
    let unsampled = Context { sampled: false, ..context };
    assert!(unsampled.traceparent().ends_with(b"-00"));
}

#[test]
fn what_is_not_the_grammar_is_no_context() {
    for wrong in [
        "",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
    ] {
        assert_eq!(Context::parse(wrong.as_bytes()), None, "{wrong}");
    }
}

#[test]
fn of_a_later_version_what_is_known_is_read() {
    for later in [
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-what-the-future",
    ] {
        let context = Context::parse(later.as_bytes()).unwrap();
        assert!(context.sampled);
        assert_eq!(context.traceparent(), EXAMPLE, "{later} goes on as version 00");
    }
}

#[test]
fn only_the_flag_sampled_counts() {
    let with = |flags: &str| {
        let text = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        Context::parse(text.as_bytes()).unwrap()
    };
    assert!(with("ff").sampled && with("03").sampled && !with("02").sampled);
    assert!(with("ff").traceparent().ends_with(b"-01"), "flags that level 1 does not know are not sent");
}

#[test]
fn a_state_is_passed_on_without_empty_members() {
    assert_eq!(state(&["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"]).unwrap(), "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
    assert_eq!(state(&[" rojo=1 ,\t, congo=2", "tenant@system=3"]).unwrap(), "rojo=1,congo=2,tenant@system=3");
    assert_eq!(state(&["1a-b*/_c@sys=x y"]).unwrap(), "1a-b*/_c@sys=x y");
}

#[test]
fn an_empty_or_wrong_state_is_not_sent() {
    for wrong in [
        "", " ", ",", "rojo", "=1", "Rojo=1", "1rojo=1", "rojo=", "rojo=a=b", "a@=1", "@b=1", "a@1b=1", "a=1,a=2",
        "a=\u{e9}",
    ] {
        assert_eq!(state(&[wrong]), None, "{wrong:?}");
    }
    assert_eq!(state(&[]), None);
    let many: Vec<String> = (0..33).map(|n| format!("k{n}=v")).collect();
    assert_eq!(state(&[&many.join(",")]), None, "33 members");
    assert!(state(&[&many[..32].join(",")]).is_some(), "32 members");
    let key = |len: usize| format!("{}=1", "k".repeat(len));
    assert!(state(&[&key(256)]).is_some() && state(&[&key(257)]).is_none());
}

#[test]
fn a_long_state_loses_long_members_then_the_last() {
    let long = format!("long={}", "x".repeat(200));
    let short: Vec<String> = (0..5).map(|n| format!("k{n}={}", "y".repeat(80))).collect();
    let text = format!("{long},{}", short.join(","));
    assert_eq!(state(&[&text]).unwrap(), short.join(","), "the long one goes, the rest fits");
    let short: Vec<String> = (0..8).map(|n| format!("k{n}={}", "y".repeat(80))).collect();
    assert_eq!(state(&[&short.join(",")]).unwrap(), short[..6].join(","));
}
