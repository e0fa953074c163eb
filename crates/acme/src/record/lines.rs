//! The lines of a record: written in order, read in the same order, nothing passed over.

use data_encoding::{BASE64, HEXLOWER};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{LONGEST, Unreadable};

const PROGRAM: &str = "bailey";
const CHECKSUM: &str = "checksum ";

/// Writes a record. Its memory is cleared when it goes, since keys pass through it.
pub struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    pub(super) fn new(kind: &str, version: u32, fence: u64) -> Self {
        // As large as a certificate with its chain: growing would leave copies behind.
        let mut writer = Self(Zeroizing::new(Vec::with_capacity(16 * 1024)));
        writer.line(PROGRAM, &format!("{kind} {version}"));
        writer.number("fence", fence);
        writer
    }

    fn line(&mut self, field: &str, value: &str) {
        for part in [field, " ", value, "\n"] {
            self.0.extend_from_slice(part.as_bytes());
        }
    }

    pub(super) fn number(&mut self, field: &str, value: u64) {
        self.line(field, &value.to_string());
    }

    pub(super) fn maybe_number(&mut self, field: &str, value: Option<u64>) {
        self.line(field, &value.map_or_else(|| "-".to_owned(), |value| value.to_string()));
    }

    pub(super) fn text(&mut self, field: &str, value: &str) {
        self.json(field, &value);
    }

    pub(super) fn maybe_text(&mut self, field: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(field, value),
            None => self.line(field, "-"),
        }
    }

    pub(super) fn json(&mut self, field: &str, value: &impl Serialize) {
        // JSON escapes line ends; what is written here are strings and maps with string keys, which always can be.
        let text = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
        self.line(field, &text);
    }

    pub(super) fn bytes(&mut self, field: &str, value: &[u8]) {
        let text = Zeroizing::new(BASE64.encode(value));
        self.line(field, &text);
    }

    pub(super) fn finish(self) -> Zeroizing<Vec<u8>> {
        seal(self.0)
    }
}

/// Puts the checksum after a body.
pub(super) fn seal(mut body: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    let sum = HEXLOWER.encode(&Sha256::digest(&*body));
    for part in [CHECKSUM, &sum, "\n"] {
        body.extend_from_slice(part.as_bytes());
    }
    body
}

/// Reads a record whose checksum fits.
#[derive(Debug)]
pub struct Reader<'a>(std::str::Lines<'a>);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], kind: &str, version: u32) -> Result<(Self, u64), Unreadable> {
        if bytes.len() > LONGEST {
            return Err(Unreadable::Malformed("it is too long"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::Damaged)?;
        let body = text.strip_suffix('\n').and_then(|text| text.rfind('\n')).map(|at| text.split_at(at + 1));
        let (body, last) = body.ok_or(Unreadable::Damaged)?;
        let sum = last.strip_prefix(CHECKSUM).ok_or(Unreadable::Damaged)?;
        if sum.trim_end_matches('\n') != HEXLOWER.encode(&Sha256::digest(body)) || sum.len() != 65 {
            return Err(Unreadable::Damaged);
        }
        let mut reader = Self(body.lines());
        let (found, number) = reader.value(PROGRAM)?.split_once(' ').ok_or(Unreadable::Malformed("kind"))?;
        if found != kind {
            return Err(Unreadable::Malformed("kind"));
        }
        let number: u32 = number.parse().map_err(|_| Unreadable::Malformed("version"))?;
        if number != version {
            return Err(Unreadable::Version(number));
        }
        let fence = reader.number("fence")?;
        Ok((reader, fence))
    }

    fn value(&mut self, field: &'static str) -> Result<&'a str, Unreadable> {
        let line = self.0.next().ok_or(Unreadable::Malformed(field))?;
        line.strip_prefix(field).and_then(|rest| rest.strip_prefix(' ')).ok_or(Unreadable::Malformed(field))
    }

    pub(super) fn number(&mut self, field: &'static str) -> Result<u64, Unreadable> {
        number(self.value(field)?).ok_or(Unreadable::Malformed(field))
    }

    pub(super) fn maybe_number(&mut self, field: &'static str) -> Result<Option<u64>, Unreadable> {
        match self.value(field)? {
            "-" => Ok(None),
            value => number(value).map(Some).ok_or(Unreadable::Malformed(field)),
        }
    }

    pub(super) fn text(&mut self, field: &'static str) -> Result<String, Unreadable> {
        self.json(field)
    }

    pub(super) fn maybe_text(&mut self, field: &'static str) -> Result<Option<String>, Unreadable> {
        match self.value(field)? {
            "-" => Ok(None),
            value => serde_json::from_str(value).map(Some).map_err(|_| Unreadable::Malformed(field)),
        }
    }

    pub(super) fn json<T: DeserializeOwned>(&mut self, field: &'static str) -> Result<T, Unreadable> {
        serde_json::from_str(self.value(field)?).map_err(|_| Unreadable::Malformed(field))
    }

    pub(super) fn bytes(&mut self, field: &'static str) -> Result<Vec<u8>, Unreadable> {
        BASE64.decode(self.value(field)?.as_bytes()).map_err(|_| Unreadable::Malformed(field))
    }

    pub(super) fn end(&mut self) -> Result<(), Unreadable> {
        self.0.next().map_or(Ok(()), |_| Err(Unreadable::Malformed("it goes on after its last field")))
    }
}

/// Digits only: the standard library would take a sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
