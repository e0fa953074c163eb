//! Takes a body out of the bytes of a connection. Content is shared, not copied.

use bytes::{Buf as _, BytesMut};

use super::{BodyPart, is_trailer_allowed};
use crate::parse::{Lines, Next};
use crate::{BodyLength, Fields, Limits, Refusal, class};

/// Most hexadecimal digits of a chunk size.
const MAX_SIZE_DIGITS: usize = 16;
/// Longest chunk extension, with its semicolon.
const MAX_EXTENSION: usize = 64;
/// Chunk sizes stop here, so that no sum of two can overflow anybody's signed arithmetic.
const MAX_CHUNK: u64 = u64::MAX >> 2;

/// Reads one body.
#[derive(Debug, Default)]
pub struct BodyDecoder {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Done,
    /// The end is still to be told; nothing is to be read.
    Ending,
    Length(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers(Lines, Fields),
    UntilClose,
}

impl BodyDecoder {
    /// A decoder for a body of that length.
    pub const fn new(length: BodyLength) -> Self {
        let state = match length {
            BodyLength::None | BodyLength::Length(0) => State::Ending,
            BodyLength::Length(n) => State::Length(n),
            BodyLength::Unknown => State::ChunkSize,
            BodyLength::UntilClose => State::UntilClose,
        };
        Self { state }
    }

    /// True if all bytes of the body were read, whether or not its end was told.
    pub const fn is_complete(&self) -> bool {
        matches!(self.state, State::Done | State::Ending)
    }

    /// Bytes that will come at least; `None` if the head did not say.
    pub const fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Done | State::Ending => Some(0),
            State::Length(n) => Some(n),
            State::ChunkSize | State::ChunkData(_) | State::ChunkEnd | State::Trailers(..) | State::UntilClose => None,
        }
    }

    /// Takes the next part off the front of `input`; `None` if more bytes are needed, or if the end was told.
    pub fn decode(&mut self, input: &mut BytesMut, limits: &Limits) -> Result<Option<BodyPart>, Refusal> {
        loop {
            match &mut self.state {
                State::Done => return Ok(None),
                State::Ending => return Ok(Some(self.end())),
                State::Length(left) => {
                    let data = take(left, input);
                    if *left == 0 {
                        self.state = State::Ending;
                    }
                    return Ok(data);
                }
                State::UntilClose => {
                    let mut unbounded = u64::MAX;
                    return Ok(take(&mut unbounded, input));
                }
                State::ChunkSize => {
                    let Some((size, len)) = chunk_size(input)? else { return Ok(None) };
                    input.advance(len);
                    self.state = if size == 0 {
                        State::Trailers(Lines::default(), Fields::new())
                    } else {
                        State::ChunkData(size)
                    };
                }
                State::ChunkData(left) => {
                    let data = take(left, input);
                    if *left == 0 {
                        self.state = State::ChunkEnd;
                    }
                    return Ok(data);
                }
                State::ChunkEnd => {
                    if !chunk_end(input)? {
                        return Ok(None);
                    }
                    self.state = State::ChunkSize;
                }
                State::Trailers(lines, fields) => {
                    let Some(fields) = trailers(lines, fields, input, limits)? else { return Ok(None) };
                    self.state = State::Done;
                    return Ok(Some(if fields.is_empty() { BodyPart::End } else { BodyPart::Trailers(fields) }));
                }
            }
        }
    }

    /// The peer closed: the end of a body that ends so, a refusal in the middle of any other.
    pub fn close(&mut self) -> Result<Option<BodyPart>, Refusal> {
        match self.state {
            State::Done => Ok(None),
            State::Ending | State::UntilClose => Ok(Some(self.end())),
            State::Length(_) | State::ChunkSize | State::ChunkData(_) | State::ChunkEnd | State::Trailers(..) => {
                Err(Refusal::Truncated)
            }
        }
    }

    fn end(&mut self) -> BodyPart {
        self.state = State::Done;
        BodyPart::End
    }
}

/// Takes up to `left` bytes.
fn take(left: &mut u64, input: &mut BytesMut) -> Option<BodyPart> {
    if input.is_empty() {
        return None;
    }
    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= len as u64;
    Some(BodyPart::Data(input.split_to(len).freeze()))
}

/// Reads a chunk's size line: the size and the line's length. Extensions are read over and never passed on.
fn chunk_size(input: &[u8]) -> Result<Option<(u64, usize)>, Refusal> {
    let mut size = 0_u64;
    let mut at = 0;
    while let Some(digit) = input.get(at).and_then(|&b| char::from(b).to_digit(16)) {
        if at == MAX_SIZE_DIGITS {
            return Err(Refusal::ChunkSize);
        }
        size = size << 4 | u64::from(digit);
        at += 1;
    }
    if size > MAX_CHUNK {
        return Err(Refusal::ChunkSize);
    }
    match input.get(at) {
        None => return Ok(None),
        Some(b'\r') if at > 0 => {}
        Some(b';') if at > 0 => {
            let Some(len) = extension(&input[at..])? else { return Ok(None) };
            at += len;
        }
        Some(_) => return Err(Refusal::ChunkSize),
    }
    match input.get(at + 1) {
        None => Ok(None),
        Some(b'\n') => Ok(Some((size, at + 2))),
        Some(_) => Err(Refusal::ChunkSize),
    }
}

/// Length of the extension up to its carriage return.
fn extension(text: &[u8]) -> Result<Option<usize>, Refusal> {
    let window = &text[..text.len().min(MAX_EXTENSION + 1)];
    match window.iter().position(|&b| class::ends_value(b) || b >= 0x80) {
        Some(len) if window[len] == b'\r' => Ok(Some(len)),
        None if window.len() <= MAX_EXTENSION => Ok(None),
        Some(_) | None => Err(Refusal::ChunkSize),
    }
}

/// Takes the line end after chunk data; false if it has not come.
fn chunk_end(input: &mut BytesMut) -> Result<bool, Refusal> {
    match input.as_ref() {
        [b'\r', b'\n', ..] => {
            input.advance(2);
            Ok(true)
        }
        [] | [b'\r'] => Ok(false),
        _ => Err(Refusal::ChunkEnd),
    }
}

/// Takes the trailer section, checked like a head; only harmless fields are left of it.
fn trailers(
    lines: &mut Lines,
    fields: &mut Fields,
    input: &mut BytesMut,
    limits: &Limits,
) -> Result<Option<Fields>, Refusal> {
    let (len, full) = Lines::window(input.len(), limits);
    let text = &mut input[..len];
    if lines.worth_reading(text, if full { 0 } else { usize::MAX }) {
        loop {
            match lines.next_field(text, limits)? {
                Next::Wait => break,
                Next::End(end) => {
                    let mut fields = std::mem::take(fields);
                    fields.adopt(input.split_to(end).freeze());
                    return Ok(Some(fields));
                }
                Next::Field(line) if is_trailer_allowed(&text[line.name.clone()]) => fields.push_line(&line),
                Next::Field(_) => {}
            }
        }
    }
    if full { Err(Refusal::HeadTooLarge) } else { Ok(None) }
}
