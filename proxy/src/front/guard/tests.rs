use super::*;

fn frame(kind: u8, flags: u8, len: usize) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(len).unwrap().to_be_bytes();
    [&[a, b, c, kind, flags, 0, 0, 0, 0][..], &vec![0; len]].concat()
}

fn started() -> Counter {
    let mut counter = Counter::new(FrameRates::of(&Http2Limits::default()));
    counter.read(&[b'P'; PREFACE], 0).unwrap();
    counter
}

/// How many of this frame pass within one second.
fn pass(counter: &mut Counter, frame: &[u8], flood: Flood) -> usize {
    for passed in 0..1000 {
        match counter.read(frame, 5) {
            Ok(()) => {}
            Err(what) => {
                assert_eq!(what, flood);
                return passed;
            }
        }
    }
    usize::MAX
}

#[test]
fn z4_each_flood_ends_at_its_rate() {
    for (kind, len, limit, flood) in [
        (0, 0, 100, Flood::EmptyData),
        (2, 5, 100, Flood::Priority),
        (3, 4, 100, Flood::Reset),
        (4, 6, 50, Flood::Settings),
        (6, 8, 100, Flood::Ping),
        (8, 4, 100, Flood::WindowUpdate),
        (0x20, 3, 100, Flood::Unknown),
    ] {
        assert_eq!(pass(&mut started(), &frame(kind, 0, len), flood), limit, "{flood:?}");
    }
}

#[test]
fn z3_a_head_of_more_than_twenty_continuations_ends_the_connection() {
    let mut counter = started();
    counter.read(&frame(1, 0, 10), 0).unwrap();
    assert!(counter.is_in_head());
    assert_eq!(pass(&mut counter, &frame(9, 0, 10), Flood::Continuation), 20);
    let mut honest = started();
    for _ in 0..100 {
        honest.read(&frame(1, 0, 10), 0).unwrap();
        honest.read(&frame(9, END_HEADERS, 10), 0).unwrap();
        assert!(!honest.is_in_head());
    }
}

#[test]
fn the_rates_begin_anew_each_second() {
    let mut counter = started();
    for second in 0..5 {
        for _ in 0..100 {
            counter.read(&frame(6, 0, 8), second * SECOND).unwrap();
        }
    }
}

#[test]
fn honest_streams_and_downloads_pass() {
    let mut counter = started();
    for _ in 0..10_000 {
        counter.read(&frame(1, END_HEADERS, 40), 5).unwrap();
        counter.read(&frame(0, 0, 1000), 5).unwrap();
        counter.read(&frame(0, END_STREAM, 0), 5).unwrap();
        counter.sent(16_384);
        for _ in 0..8 {
            counter.read(&frame(8, 0, 4), 5).unwrap();
        }
    }
    assert_ne!(pass(&mut counter, &frame(8, 0, 4), Flood::WindowUpdate), 100);
}

#[test]
fn frames_are_found_however_the_bytes_are_cut() {
    let bytes = [&[b'P'; PREFACE][..], &frame(4, 0, 0), &frame(6, 0, 8).repeat(200)].concat();
    for cut in [1, 2, 7, 9, 17, 100] {
        let mut counter = Counter::new(FrameRates::of(&Http2Limits::default()));
        let flood = bytes.chunks(cut).find_map(|piece| counter.read(piece, 0).err());
        assert_eq!(flood, Some(Flood::Ping), "cut at {cut}");
        assert_eq!(counter.rates[4], 101);
    }
}

#[test]
fn each_rate_is_the_one_that_the_tier_says() {
    let limits = Http2Limits {
        early_resets_per_second: 1,
        pings_per_second: 2,
        settings_per_second: 3,
        empty_data_per_second: 4,
        window_updates_per_second: 5,
        priorities_per_second: 6,
        continuations: 7,
        ..Http2Limits::default()
    };
    let kinds = [
        (3, 4, Flood::Reset),
        (6, 8, Flood::Ping),
        (4, 6, Flood::Settings),
        (0, 0, Flood::EmptyData),
        (8, 4, Flood::WindowUpdate),
        (2, 5, Flood::Priority),
        (9, 1, Flood::Continuation),
    ];
    for (at, (kind, len, flood)) in kinds.into_iter().enumerate() {
        let mut counter = Counter::new(FrameRates::of(&limits));
        counter.read(&[b'P'; PREFACE], 0).unwrap();
        assert_eq!(pass(&mut counter, &frame(kind, 0, len), flood), at + 1, "{flood:?}");
    }
}
