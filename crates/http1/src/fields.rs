//! Header and trailer fields: one shared buffer, a tail for what was added, and a short array of ranges.
//! Decides how fields are stored and edited; knows no field's meaning (but whose value must not be printed).

use std::fmt;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::class;
use crate::hop_by_hop::{Kind, kind};
use crate::parse::Line;

/// Set in an offset that points into the tail instead of the shared buffer.
const TAIL: u32 = 1 << 31;

/// Fields in the order they were received, names in lower case.
///
/// A parsed or received head stays in the buffer it came in; edits append to a tail and mark what they replace. A
/// clone shares the buffer and copies only the ranges and the tail. Names and values are checked on every way in, so
/// that writing them out can never start another line.
#[derive(Default)]
pub struct Fields {
    shared: Bytes,
    tail: Vec<u8>,
    entries: Vec<Entry>,
}

/// Bytes of a line beside name and value.
const LINE: usize = 4;

/// Consecutive lines of one buffer.
#[derive(Clone, Copy, Default)]
struct Run {
    tail: bool,
    start: usize,
    end: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    name: u32,
    value: u32,
    value_len: u32,
    name_len: u16,
    removed: bool,
}

/// The beginning of a field's line, `name: `, checked when the program is compiled.
#[derive(Debug, Clone, Copy)]
pub struct LineStart(&'static [u8]);

impl LineStart {
    /// Takes a lower-case name with the colon and the space that follow it; anything else does not compile.
    pub const fn new(line: &'static str) -> Self {
        let [name @ .., b':', b' '] = line.as_bytes() else { panic!("a line begins with `name: `") };
        assert!(!name.is_empty() && name.len() <= u16::MAX as usize, "a name has 1 to 65,535 bytes");
        let mut at = 0;
        while at < name.len() {
            let byte = name[at];
            assert!(byte != 0 && class::TOKEN_LOWER[byte as usize] == byte, "a name is a lower-case token");
            at += 1;
        }
        Self(line.as_bytes())
    }

    /// The name.
    pub const fn name(self) -> &'static [u8] {
        match self.0 {
            [name @ .., _, _] => name,
            _ => &[],
        }
    }
}

/// Ranges handed to [`Fields::from_ranges`] that cannot be fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidField {
    /// A range reaches outside the buffer, or the buffer is larger than 2 GiB.
    #[error("a field range lies outside its buffer")]
    OutOfBounds,
    /// A name is empty, longer than 65,535 bytes, or not a lower-case token.
    #[error("a field name is not a lower-case token")]
    Name,
    /// A value holds a control character.
    #[error("a field value holds a control character")]
    Value,
}

impl Fields {
    /// No fields, no memory.
    pub const fn new() -> Self {
        Self { shared: Bytes::new(), tail: Vec::new(), entries: Vec::new() }
    }

    /// No fields, with room for `fields` ranges and `bytes` bytes of added text.
    pub fn with_capacity(fields: usize, bytes: usize) -> Self {
        Self { shared: Bytes::new(), tail: Vec::with_capacity(bytes), entries: Vec::with_capacity(fields) }
    }

    /// Fields over a buffer somebody else has already taken apart, as `(name, value)` ranges; nothing is copied.
    pub fn from_ranges(
        buffer: Bytes,
        ranges: impl IntoIterator<Item = (Range<u32>, Range<u32>)>,
    ) -> Result<Self, InvalidField> {
        let mut fields = Self::new();
        fields.refill(buffer, ranges)?;
        Ok(fields)
    }

    /// Like [`Fields::from_ranges`], but keeps the memory of these fields. On an error nothing is left.
    pub fn refill(
        &mut self,
        buffer: Bytes,
        ranges: impl IntoIterator<Item = (Range<u32>, Range<u32>)>,
    ) -> Result<(), InvalidField> {
        self.clear();
        if buffer.len() >= TAIL as usize {
            return Err(InvalidField::OutOfBounds);
        }
        for (name, value) in ranges {
            if let Err(invalid) = self.push_range(&buffer, name, value) {
                self.clear();
                return Err(invalid);
            }
        }
        self.adopt(buffer);
        Ok(())
    }

    /// Like [`Fields::refill`] for ranges whose texts the caller has checked: names are lower-case tokens, values hold no
    /// control character but the tab. Ranges outside the buffer are empty fields.
    pub fn refill_checked(&mut self, buffer: Bytes, ranges: impl IntoIterator<Item = (Range<u32>, Range<u32>)>) {
        self.clear();
        if buffer.len() >= TAIL as usize {
            return;
        }
        for (name, value) in ranges {
            self.push_parsed(name.start, name.len() as u16, value.start, value.len() as u32);
        }
        self.adopt(buffer);
    }

    fn push_range(&mut self, buffer: &[u8], name: Range<u32>, value: Range<u32>) -> Result<(), InvalidField> {
        let text = |r: &Range<u32>| buffer.get(r.start as usize..r.end as usize).ok_or(InvalidField::OutOfBounds);
        let name_text = text(&name)?;
        let value_text = text(&value)?;
        if name_text.len() > usize::from(u16::MAX) || !class::is_lower_token(name_text) {
            return Err(InvalidField::Name);
        }
        if class::value_end(value_text) != value_text.len() {
            return Err(InvalidField::Value);
        }
        self.push_parsed(name.start, name_text.len() as u16, value.start, value_text.len() as u32);
        Ok(())
    }

    /// Adds a line of the buffer that [`Fields::adopt`] will bring; the parser has checked it.
    pub(crate) fn push_line(&mut self, line: &Line) {
        let (name, value) = (&line.name, &line.value);
        self.push_parsed(name.start as u32, name.len() as u16, value.start as u32, value.len() as u32);
    }

    fn push_parsed(&mut self, name: u32, name_len: u16, value: u32, value_len: u32) {
        self.entries.push(Entry { name, value, value_len, name_len, removed: false });
    }

    /// Puts the buffer under the ranges pushed before.
    pub(crate) fn adopt(&mut self, buffer: Bytes) {
        self.shared = buffer;
    }

    /// Makes room for `fields` more ranges and `bytes` more bytes of added lines.
    pub fn reserve(&mut self, fields: usize, bytes: usize) {
        self.entries.reserve(fields);
        self.tail.reserve(bytes);
    }

    /// Forgets all fields and keeps the memory, for the next message.
    pub fn clear(&mut self) {
        self.shared = Bytes::new();
        self.tail.clear();
        self.entries.clear();
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.entries.iter().filter(|e| !e.removed).count()
    }

    /// True if there is no field.
    pub fn is_empty(&self) -> bool {
        self.entries.iter().all(|e| e.removed)
    }

    fn text(&self, at: u32, len: usize) -> &[u8] {
        let start = (at & !TAIL) as usize;
        let from: &[u8] = if at & TAIL == 0 { &self.shared } else { &self.tail };
        // Ranges were checked when they were made; an empty text is the harmless answer to a defect.
        from.get(start..start + len).unwrap_or_default()
    }

    fn name_of(&self, entry: &Entry) -> &[u8] {
        self.text(entry.name, usize::from(entry.name_len))
    }

    fn value_of(&self, entry: &Entry) -> &[u8] {
        self.text(entry.value, entry.value_len as usize)
    }

    fn is_named(&self, entry: &Entry, name: &[u8]) -> bool {
        !entry.removed && usize::from(entry.name_len) == name.len() && self.name_of(entry) == name
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().filter(|e| !e.removed).map(|e| (self.name_of(e), self.value_of(e)))
    }

    /// The first value of that (lower-case) name.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.entries.iter().find(|e| self.is_named(e, name)).map(|e| self.value_of(e))
    }

    /// All values of that (lower-case) name, in order.
    pub fn get_all(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().filter(move |e| self.is_named(e, name)).map(|e| self.value_of(e))
    }

    /// The first value of that name as shared bytes; copied only if it was added here.
    pub fn get_bytes(&self, name: &[u8]) -> Option<Bytes> {
        let entry = self.entries.iter().find(|e| self.is_named(e, name))?;
        let value = self.value_of(entry);
        Some(if entry.value & TAIL == 0 { self.shared.slice_ref(value) } else { Bytes::copy_from_slice(value) })
    }

    /// True if there is a field of that (lower-case) name.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.entries.iter().any(|e| self.is_named(e, name))
    }

    /// Removes all fields of that name; true if there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let before = self.entries.len();
        self.retain(|n, _| n != name);
        self.entries.len() != before
    }

    /// Keeps the fields for which `keep(name, value)` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.retain(|e| !e.removed && keep(self.name_of(e), self.value_of(e)));
        self.entries = entries;
    }

    /// Gives `name` this one value, in the place of the first field of that name or at the end.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let Some(first) = self.entries.iter().position(|e| self.is_named(e, name)) else {
            return self.append(name, value);
        };
        let Some((at, len)) = self.push_tail(value) else { return };
        self.entries[first].value = at;
        self.entries[first].value_len = len;
        for later in first + 1..self.entries.len() {
            if self.is_named(&self.entries[later], name) {
                self.entries[later].removed = true;
            }
        }
    }

    /// Adds a field at the end. Control characters in the value become spaces, upper-case letters of the name lower
    /// case; a name that is no token is a defect of the caller and adds nothing.
    pub fn append(&mut self, name: &[u8], value: &[u8]) {
        let valid = class::is_token(name) && u16::try_from(name.len()).is_ok();
        debug_assert!(valid, "a field name must be a token");
        if !valid {
            return;
        }
        let start = self.tail.len();
        if start + name.len() + value.len() + LINE >= TAIL as usize {
            return;
        }
        // As a line, so that it is written out as it stands.
        self.tail.extend_from_slice(name);
        self.tail[start..].make_ascii_lowercase();
        self.tail.extend_from_slice(b": ");
        let at = self.tail.len();
        self.tail.extend_from_slice(value);
        clean(&mut self.tail[at..]);
        self.tail.extend_from_slice(b"\r\n");
        self.entries.push(Entry {
            name: start as u32 | TAIL,
            value: at as u32 | TAIL,
            value_len: value.len() as u32,
            name_len: name.len() as u16,
            removed: false,
        });
    }

    /// [`Fields::append`] for a name that is known to be one.
    pub fn append_line(&mut self, begin: LineStart, value: &[u8]) {
        let start = self.tail.len();
        let at = start + begin.0.len();
        if at + value.len() + LINE >= TAIL as usize {
            return;
        }
        self.tail.reserve(begin.0.len() + value.len() + LINE);
        self.tail.extend_from_slice(begin.0);
        self.tail.extend_from_slice(value);
        clean(&mut self.tail[at..]);
        self.tail.extend_from_slice(b"\r\n");
        self.entries.push(Entry {
            name: start as u32 | TAIL,
            value: at as u32 | TAIL,
            value_len: value.len() as u32,
            name_len: (begin.0.len() - 2) as u16,
            removed: false,
        });
    }

    /// Bytes of the fields written as lines.
    pub(crate) fn lines_len(&self) -> usize {
        self.entries.iter().map(|e| usize::from(e.name_len) + e.value_len as usize + 4).sum()
    }

    /// Appends the fields of the kinds to `keep` as lines. Neighbours that already stand in a buffer as lines are
    /// copied in one go.
    pub(crate) fn write_to(&self, out: &mut BytesMut, keep: impl Fn(Kind) -> bool) {
        let mut run = Run::default();
        for entry in self.entries.iter().filter(|e| !e.removed) {
            if !keep(kind(self.name_of(entry))) {
                continue;
            }
            match self.as_line(entry) {
                Some(line) if line.tail == run.tail && line.start == run.end => run.end = line.end,
                Some(line) => {
                    out.extend_from_slice(self.run(run));
                    run = line;
                }
                None => {
                    out.extend_from_slice(self.run(run));
                    run = Run::default();
                    out.extend_from_slice(self.name_of(entry));
                    out.extend_from_slice(b": ");
                    out.extend_from_slice(self.value_of(entry));
                    out.extend_from_slice(b"\r\n");
                }
            }
        }
        out.extend_from_slice(self.run(run));
    }

    fn run(&self, run: Run) -> &[u8] {
        let from: &[u8] = if run.tail { &self.tail } else { &self.shared };
        from.get(run.start..run.end).unwrap_or_default()
    }

    /// Where the field stands in one of the buffers, if it stands there as `name: value` and a line end.
    fn as_line(&self, entry: &Entry) -> Option<Run> {
        let tail = entry.name & TAIL != 0;
        if tail != (entry.value & TAIL != 0) {
            return None;
        }
        let from: &[u8] = if tail { &self.tail } else { &self.shared };
        let (start, value) = ((entry.name & !TAIL) as usize, (entry.value & !TAIL) as usize);
        let (colon, end) = (start + usize::from(entry.name_len), value + entry.value_len as usize);
        let is_line = from.get(colon..value) == Some(b": ") && from.get(end..end + 2) == Some(b"\r\n");
        is_line.then_some(Run { tail, start, end: end + 2 })
    }

    /// Copies text to the tail and says where; `None` if the tail would pass 2 GiB.
    fn push_tail(&mut self, text: &[u8]) -> Option<(u32, u32)> {
        let start = self.tail.len();
        if start + text.len() >= TAIL as usize {
            return None;
        }
        self.tail.extend_from_slice(text);
        clean(&mut self.tail[start..]);
        Some((start as u32 | TAIL, text.len() as u32))
    }
}

/// Control characters become spaces.
fn clean(value: &mut [u8]) {
    if class::value_end(value) != value.len() {
        value.iter_mut().filter(|b| class::ends_value(**b)).for_each(|b| *b = b' ');
    }
}

impl Clone for Fields {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), tail: self.tail.clone(), entries: self.entries.clone() }
    }
}

impl<'a> FromIterator<(&'a [u8], &'a [u8])> for Fields {
    fn from_iter<T: IntoIterator<Item = (&'a [u8], &'a [u8])>>(iter: T) -> Self {
        let mut fields = Self::new();
        for (name, value) in iter {
            fields.append(name, value);
        }
        fields
    }
}

/// True for fields whose value is a secret of the user and never belongs into a log.
pub fn is_secret(name: &[u8]) -> bool {
    matches!(name, b"authorization" | b"cookie" | b"set-cookie" | b"proxy-authorization")
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printable = self.iter().map(|(name, value)| {
            let value = if is_secret(name) { "(redacted)".into() } else { value.escape_ascii().to_string() };
            (name.escape_ascii().to_string(), value)
        });
        f.debug_map().entries(printable).finish()
    }
}
