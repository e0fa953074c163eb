//! A request as routing sees it. Implemented by whoever holds the head, so that nothing is copied for a lookup.

/// The parts of a request head that routes may ask for.
pub trait RequestView {
    /// The method, as sent.
    fn method(&self) -> &[u8];

    /// The path without the query, as sent (percent-encoding in place). Normalised before, if at all.
    fn path(&self) -> &[u8];

    /// What follows the first `?`, if there is one.
    fn query(&self) -> Option<&[u8]>;

    /// The values of all fields of this lower-case name, in the order received, without surrounding blanks.
    fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]>;
}
