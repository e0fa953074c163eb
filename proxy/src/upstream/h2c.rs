//! One request to an application over HTTP/2 in plain text, for gRPC and `kubernetes.io/h2c`. One connection per endpoint and worker carries
//! all of them. The `h2` crate speaks the protocol; this decides what is carried over and what failures mean.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bailey_http1::{BodyLength, Fields, RequestHead, ResponseHead, Version};
use bytes::{Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, EXPECT, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Uri};

use super::UpstreamError;
use super::pool::{Load, Member};
use crate::exchange::{ResetReason, ResponseEvent};

/// Window of one stream, so that a single upload or download is not held back by the round trip.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Window of the connection, which bounds what a worker holds for one endpoint.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// Bytes of a request body that may wait inside the `h2` crate, per stream.
const SEND_BUFFER: usize = 64 * 1024;
/// Bytes of a response's field section.
const FIELD_BYTES: u32 = 32 * 1024;
/// Interim responses of one request.
const INTERIM: u8 = 8;
/// How much capacity is asked for at a time.
const ASK: usize = 32 * 1024;

/// The HTTP/2 connection to one endpoint, if there is one.
#[derive(Default)]
pub(crate) struct H2Pool {
    current: RefCell<Option<SendRequest<Bytes>>>,
    made: Cell<u64>,
}

impl H2Pool {
    /// The connection, if it takes requests.
    pub(crate) async fn get(&self) -> Option<SendRequest<Bytes>> {
        let sender = self.current.borrow().clone()?;
        // A clone has nothing waiting, so this is ready at once, or tells that the connection is over.
        let ready = sender.ready().await.ok();
        if ready.is_none() {
            self.clear();
        }
        ready
    }

    /// Makes a connection and keeps it.
    pub(crate) async fn make(&self, member: &Rc<Member>) -> Result<SendRequest<Bytes>, UpstreamError> {
        let (stream, open) = member.connect().await?;
        let (sender, connection) = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buffer_size(SEND_BUFFER)
            .max_header_list_size(FIELD_BYTES)
            .enable_push(false)
            .handshake::<_, Bytes>(stream)
            .await
            .map_err(|_| UpstreamError::ConnectFailed(std::io::ErrorKind::InvalidData))?;
        *self.current.borrow_mut() = Some(sender.clone());
        let number = self.made.get() + 1;
        self.made.set(number);
        let owner = Rc::downgrade(member);
        tokio::task::spawn_local(async move {
            let _open = open;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "h2c connection ended");
            }
            if let Some(member) = owner.upgrade().filter(|member| member.h2.made.get() == number) {
                member.h2.clear();
            }
        });
        Ok(sender)
    }

    /// Forgets the connection; streams that are open on it go on.
    pub(crate) fn clear(&self) {
        self.current.borrow_mut().take();
    }
}

/// One request on the endpoint's connection. Dropping it before its end resets the stream.
pub(crate) struct H2Exchange {
    load: Load,
    response: ResponseFuture,
    send: SendStream<Bytes>,
    body: Option<RecvStream>,
    head_request: bool,
    interim: u8,
}

impl H2Exchange {
    pub(crate) fn new(
        load: Load,
        mut sender: SendRequest<Bytes>,
        head: &RequestHead,
        end: bool,
    ) -> Result<Self, UpstreamError> {
        let request = request(head).ok_or(UpstreamError::Internal)?;
        let sent = sender.send_request(request, end);
        let (response, send) = sent.map_err(|_| {
            load.member().h2.clear();
            UpstreamError::Unprocessed
        })?;
        let head_request = head.method == bailey_http1::Method::Head;
        Ok(Self { load, response, send, body: None, head_request, interim: 0 })
    }

    pub(crate) fn load(&self) -> &Load {
        &self.load
    }

    pub(crate) fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        loop {
            let room = self.send.capacity();
            if room > 0 {
                return Poll::Ready(room);
            }
            self.send.reserve_capacity(ASK);
            // What ended the stream is told with the response; until then the rest of the body is swallowed.
            let Some(Ok(_)) = ready!(self.send.poll_capacity(cx)) else { return Poll::Ready(ASK) };
        }
    }

    pub(crate) fn send_data(&mut self, data: Bytes, end: bool) {
        // As above: a stream that is over takes nothing.
        let _ = self.send.send_data(data, end);
    }

    pub(crate) fn send_trailers(&mut self, trailers: &Fields) {
        let mut map = HeaderMap::new();
        copy_fields(trailers, &mut map);
        let _ = self.send.send_trailers(map);
    }

    pub(crate) fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseEvent, UpstreamError>> {
        if self.body.is_some() {
            return self.poll_body(cx);
        }
        if let Poll::Ready(Some(informational)) = self.response.poll_informational(cx) {
            return Poll::Ready(self.informational(informational));
        }
        let (parts, body) = ready!(Pin::new(&mut self.response).poll(cx)).map_err(|e| failure(&e, false))?.into_parts();
        self.load.member().reached();
        let status = parts.status.as_u16();
        if status == 101 {
            return Poll::Ready(Err(UpstreamError::MalformedH2));
        }
        let bodyless = self.head_request || status == 204 || status == 304;
        // Content where none can be is sent by applications that do not look at the method. It is not read: nobody could
        // pass it on, and on a link it would be a mistake of ours.
        let end = bodyless || body.is_end_stream();
        let head = response_head(status, &parts.headers, end, bodyless);
        self.body = Some(body);
        Poll::Ready(Ok(ResponseEvent::Head { head, end }))
    }

    fn informational(&mut self, told: Result<http::Response<()>, h2::Error>) -> Result<ResponseEvent, UpstreamError> {
        let told = told.map_err(|error| failure(&error, false))?;
        self.interim += 1;
        let status = told.status().as_u16();
        if self.interim > INTERIM || status == 101 {
            return Err(UpstreamError::MalformedH2);
        }
        Ok(ResponseEvent::Informational(response_head(status, told.headers(), true, true)))
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseEvent, UpstreamError>> {
        let Some(body) = &mut self.body else { return Poll::Pending };
        while let Some(data) = ready!(body.poll_data(cx)) {
            let data = data.map_err(|error| failure(&error, true))?;
            // Credit is given as the pieces are taken, which the pump does only while the client has room.
            let _ = body.flow_control().release_capacity(data.len());
            if !data.is_empty() {
                return Poll::Ready(Ok(ResponseEvent::Data { data, end: false }));
            }
        }
        let trailers = ready!(body.poll_trailers(cx)).map_err(|error| failure(&error, true))?;
        Poll::Ready(Ok(match trailers {
            None => ResponseEvent::End,
            Some(map) => ResponseEvent::Trailers(trailer_fields(&map)),
        }))
    }

    pub(crate) fn cancel(&mut self, reason: ResetReason) {
        self.send.send_reset(match reason {
            ResetReason::NotNeeded => Reason::NO_ERROR,
            ResetReason::Cancelled | ResetReason::Timeout | ResetReason::Broken => Reason::CANCEL,
            ResetReason::Internal => Reason::INTERNAL_ERROR,
        });
    }
}

fn failure(error: &h2::Error, answered: bool) -> UpstreamError {
    let refused = error.reason() == Some(Reason::REFUSED_STREAM);
    // Streams above the last one a GOAWAY names were not looked at (RFC 9113, 6.8).
    let left_out = error.is_go_away() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR);
    match (answered, error.is_io(), error.is_reset()) {
        (false, _, _) if refused || left_out => UpstreamError::Unprocessed,
        (false, true, _) => UpstreamError::Unanswered,
        (true, true, _) => UpstreamError::Truncated,
        (_, false, true) if error.is_remote() => UpstreamError::Reset { answered },
        (_, false, _) => UpstreamError::MalformedH2,
    }
}

fn request(head: &RequestHead) -> Option<Request<()>> {
    let mut authority = BytesMut::new();
    head.authority.write_to(&mut authority);
    let path = http::uri::PathAndQuery::from_maybe_shared(head.target.shared().clone()).ok()?;
    let uri = Uri::builder().scheme("http").authority(authority.as_ref()).path_and_query(path).build().ok()?;
    let mut request = Request::new(());
    *request.method_mut() = http::Method::from_bytes(head.method.as_str().as_bytes()).ok()?;
    *request.uri_mut() = uri;
    *request.version_mut() = http::Version::HTTP_2;
    let map = request.headers_mut();
    copy_fields(&head.fields, map);
    if let BodyLength::Length(length) = head.body {
        map.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if head.expect_continue {
        map.insert(EXPECT, HeaderValue::from_static("100-continue"));
    }
    Some(request)
}

fn copy_fields(fields: &Fields, map: &mut HeaderMap) {
    for (name, value) in fields.iter() {
        // What the codec let through is a field for the `http` crate too; nothing is lost here.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
}

fn response_head(status: u16, map: &HeaderMap, end: bool, bodyless: bool) -> ResponseHead {
    let mut fields = Fields::with_capacity(map.len(), 512);
    for (name, value) in map {
        if bodyless || name != CONTENT_LENGTH {
            fields.append(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    bailey_http1::remove_hop_by_hop_from_response(&mut fields);
    let announced = map.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = match (bodyless, end, announced) {
        (true, _, _) => BodyLength::None,
        (false, true, _) => BodyLength::Length(0),
        (false, false, Some(length)) => BodyLength::Length(length),
        (false, false, None) => BodyLength::Unknown,
    };
    ResponseHead { version: Version::Http2, fields, body, ..ResponseHead::new(status) }
}

fn trailer_fields(map: &HeaderMap) -> Fields {
    let mut fields = Fields::with_capacity(map.len(), 128);
    for (name, value) in map {
        if bailey_http1::is_trailer_allowed(name.as_str().as_bytes()) {
            fields.append(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    fields
}
