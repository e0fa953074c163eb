//! Type-length-value items: how settings and metadata grow without a new version.

use crate::reason::Violation;

/// Set in a type that a reader must know, or else refuse the whole.
pub(crate) const CRITICAL: u16 = 0x8000;

pub(crate) fn put(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value);
}

/// Walks the items of a block; the item is `(type, start of value, value)`, and an error ends the walk.
pub(crate) struct Items<'a> {
    block: &'a [u8],
    at: usize,
}

impl<'a> Items<'a> {
    pub(crate) fn new(block: &'a [u8]) -> Self {
        Self { block, at: 0 }
    }
}

/// An item reaches beyond its block.
pub(crate) struct Torn;

impl From<Torn> for Violation {
    fn from(_: Torn) -> Self {
        Self(crate::CloseReason::Malformed, "an item reaches beyond its block")
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<(u16, usize, &'a [u8]), Torn>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.block.get(self.at..).filter(|rest| !rest.is_empty())?;
        let Some((&[k0, k1, l0, l1], after)) = rest.split_first_chunk::<4>() else { return Some(self.torn()) };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let Some(value) = after.get(..length) else { return Some(self.torn()) };
        let start = self.at + 4;
        self.at = start + length;
        Some(Ok((u16::from_be_bytes([k0, k1]), start, value)))
    }
}

impl<'a> Items<'a> {
    fn torn(&mut self) -> Result<(u16, usize, &'a [u8]), Torn> {
        self.at = self.block.len();
        Err(Torn)
    }
}
