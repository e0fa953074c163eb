use super::*;
use std::collections::VecDeque;
use std::task::Waker;

use crate::timer::Wheel;

/// What an end of the exchange does when it is asked: its next answer, or nothing for now.
type Script<T> = VecDeque<Poll<T>>;

fn next<T>(script: &mut Script<T>) -> Poll<T> {
    script.pop_front().unwrap_or(Poll::Pending)
}

#[derive(Default)]
struct Client {
    body: Script<Result<BodyEvent, ClientGone>>,
    gone: Script<ClientGone>,
    /// How many pieces it takes.
    room: usize,
    got: Vec<String>,
}

impl Downstream for Client {
    fn poll_body(&mut self, _cx: &mut Context<'_>) -> Poll<Result<BodyEvent, ClientGone>> {
        next(&mut self.body)
    }

    fn poll_gone(&mut self, _cx: &mut Context<'_>) -> Poll<ClientGone> {
        next(&mut self.gone)
    }

    fn send_informational(&mut self, head: ResponseHead) {
        self.got.push(format!("interim {}", head.status));
    }

    fn send_head(&mut self, head: ResponseHead, end: bool) {
        self.got.push(format!("head {} {end}", head.status));
    }

    fn poll_capacity(&mut self, _cx: &mut Context<'_>) -> Poll<Result<usize, ClientGone>> {
        if self.room == 0 { Poll::Pending } else { Poll::Ready(Ok(1)) }
    }

    fn send_data(&mut self, data: Bytes, end: bool) {
        self.room -= 1;
        self.got.push(format!("data {} {end}", data.len()));
    }

    fn send_trailers(&mut self, trailers: Fields) {
        self.got.push(format!("trailers {}", trailers.len()));
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), ClientGone>> {
        Poll::Ready(Ok(()))
    }

    fn reset(&mut self, reason: ResetReason) {
        self.got.push(format!("reset {reason:?}"));
    }
}

#[derive(Default)]
struct App {
    response: Script<Result<ResponseEvent, ProxyError>>,
    /// How many pieces it takes.
    room: usize,
    got: Vec<String>,
}

impl Backend for App {
    fn poll_capacity(&mut self, _cx: &mut Context<'_>) -> Poll<Result<usize, ProxyError>> {
        if self.room == 0 { Poll::Pending } else { Poll::Ready(Ok(1)) }
    }

    fn send_data(&mut self, data: Bytes, end: bool) {
        self.room -= 1;
        self.got.push(format!("data {} {end}", data.len()));
    }

    fn send_trailers(&mut self, trailers: Fields) {
        self.got.push(format!("trailers {}", trailers.len()));
    }

    fn poll_response(&mut self, _cx: &mut Context<'_>) -> Poll<Result<ResponseEvent, ProxyError>> {
        next(&mut self.response)
    }

    fn cancel(&mut self, reason: ResetReason) {
        self.got.push(format!("cancel {reason:?}"));
    }
}

/// One exchange whose ends follow their scripts; time passes when nothing else happens.
struct Story {
    client: Client,
    app: App,
    limits: PumpLimits,
    body_done: bool,
}

impl Story {
    fn new(response: Vec<ResponseEvent>, body: Vec<BodyEvent>) -> Self {
        let limits =
            PumpLimits { first_byte: Duration::from_mins(1), silence: Some(Duration::from_mins(2)), over_at: None };
        Self {
            body_done: body.is_empty(),
            client: Client {
                body: body.into_iter().map(|event| Poll::Ready(Ok(event))).collect(),
                room: 100,
                ..Client::default()
            },
            app: App {
                response: response.into_iter().map(|event| Poll::Ready(Ok(event))).collect(),
                room: 100,
                ..App::default()
            },
            limits,
        }
    }

    /// The outcome and the tick it came at; `None`: still waiting after a thousand hours.
    fn run(&mut self) -> Option<(Result<Moved, PumpError>, u64)> {
        let wheel = Wheel::manual();
        let deadline = wheel.deadline();
        let mut cx = Context::from_waker(Waker::noop());
        let Self { client, app, limits, body_done } = self;
        let mut pump =
            std::pin::pin!(pump(client, app, &deadline, *limits, *body_done, |_: &mut _, head: &mut ResponseHead| {
                head.reason = None;
            }));
        for tick in 0..10_000 {
            wheel.advance_to(tick);
            if let Poll::Ready(done) = pump.as_mut().poll(&mut cx) {
                return Some((done, tick));
            }
        }
        None
    }

    fn fails(&mut self) -> (Fate, u64) {
        let (result, tick) = self.run().unwrap();
        (result.unwrap_err().error.fate, tick)
    }
}

fn head(status: u16, end: bool) -> ResponseEvent {
    ResponseEvent::Head { head: ResponseHead::new(status), end }
}

fn data(len: usize) -> ResponseEvent {
    ResponseEvent::Data { data: vec![0; len].into(), end: false }
}

fn part(len: usize) -> BodyEvent {
    BodyEvent::Data(vec![0; len].into())
}

#[test]
fn both_bodies_and_their_trailers_are_moved_and_counted() {
    let interim = ResponseEvent::Informational(ResponseHead::new(103));
    let mut story = Story::new(
        vec![interim, head(200, false), data(5), data(6), ResponseEvent::Trailers(Fields::new())],
        vec![part(3), part(4), BodyEvent::Trailers(Fields::new())],
    );
    // The answer waits for the request.
    story.app.response.push_front(Poll::Pending);
    let moved = story.run().unwrap().0.unwrap();
    assert_eq!(moved, Moved { up: 7, down: 11, status: 200, request_complete: true });
    assert_eq!(story.client.got, ["interim 103", "head 200 false", "data 5 false", "data 6 false", "trailers 0"]);
    assert_eq!(story.app.got, ["data 3 false", "data 4 false", "trailers 0"]);
}

#[test]
fn a_response_before_the_end_of_the_request_ends_the_exchange() {
    let mut story = Story::new(vec![head(403, true)], vec![part(3)]);
    story.body_done = false;
    let moved = story.run().unwrap().0.unwrap();
    assert!(!moved.request_complete);
    assert_eq!(story.app.got.last().unwrap(), "cancel NotNeeded");
}

#[test]
fn a_tunnel_goes_on_until_both_directions_have_ended() {
    let mut story = Story::new(vec![head(101, false), data(2), ResponseEvent::End], vec![]);
    story.body_done = false;
    story.client.body =
        [Poll::Pending, Poll::Ready(Ok(part(9))), Poll::Pending, Poll::Ready(Ok(BodyEvent::End))].into();
    let (moved, tick) = story.run().unwrap();
    assert_eq!((moved.unwrap().up, tick), (9, 0));
    assert_eq!(story.app.got, ["data 9 false", "data 0 true"]);
    assert_eq!(story.client.got, ["head 101 false", "data 2 false", "data 0 true"]);
}

#[test]
fn nothing_is_taken_from_an_end_while_the_other_has_no_room() {
    let mut story = Story::new(vec![head(200, false), data(1), data(2), data(3)], vec![]);
    story.client.room = 2;
    assert!(story.run().is_none(), "a slow client is the front's business");
    assert_eq!(story.client.got, ["head 200 false", "data 1 false", "data 2 false"]);
    let mut story = Story::new(vec![], vec![part(1), part(2), part(3)]);
    story.app.room = 2;
    assert_eq!(story.fails().0, Fate::BackendTimeout);
    assert_eq!(story.app.got, ["data 1 false", "data 2 false", "cancel Timeout"]);
}

#[test]
fn a_client_that_leaves_cancels_the_backend() {
    let mut story = Story::new(vec![], vec![]);
    story.client.gone = [Poll::Pending, Poll::Ready(ClientGone::Left)].into();
    assert_eq!(story.fails(), (Fate::ClientGone, 1));
    assert_eq!(story.app.got, ["cancel Cancelled"]);
    assert!(story.client.got.is_empty());
}

#[test]
fn a_backend_that_fails_resets_a_response_that_has_begun_and_no_other() {
    let error = ProxyError::upstream(Fate::UpstreamClosed, Retry::No);
    let mut story = Story::new(vec![head(200, false)], vec![]);
    story.app.response.push_back(Poll::Ready(Err(error)));
    assert_eq!(story.fails(), (Fate::UpstreamClosed, 0));
    assert_eq!(story.client.got, ["head 200 false", "reset Broken"]);
    let mut story = Story::new(vec![], vec![]);
    story.app.response.push_back(Poll::Ready(Err(error)));
    let (result, _) = story.run().unwrap();
    assert_eq!(result.unwrap_err().moved.status, 0);
    assert!(story.client.got.is_empty());
}

#[test]
fn silence_of_the_backend_has_its_limits() {
    let mut story = Story::new(vec![], vec![]);
    assert_eq!(story.fails(), (Fate::BackendTimeout, 601));
    let mut story = Story::new(vec![head(200, false), data(1)], vec![]);
    assert_eq!(story.fails(), (Fate::UpstreamStalled, 1201));
    assert_eq!(story.client.got.last().unwrap(), "reset Timeout");
    let mut story = Story::new(vec![head(200, false), data(1)], vec![]);
    story.limits.silence = None;
    assert!(story.run().is_none());
    let mut story = Story::new(vec![head(200, false), data(1)], vec![]);
    story.limits.over_at = Some(50);
    assert_eq!(story.fails(), (Fate::RequestTimeout, 50));
}

#[test]
fn the_first_byte_is_awaited_from_the_end_of_the_request() {
    let mut story = Story::new(vec![], vec![]);
    story.body_done = false;
    story.client.body = std::iter::repeat_with(|| Poll::Pending).take(900).collect();
    story.client.body.push_back(Poll::Ready(Ok(BodyEvent::End)));
    assert_eq!(story.fails(), (Fate::BackendTimeout, 1501));
}
