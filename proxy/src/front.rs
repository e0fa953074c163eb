//! The public side: what a client's connection is, and who serves its requests.
//!
//! A front parses, limits and frames; it knows no routes. Each request goes to [`Serve::serve`] as a head and a
//! [`Downstream`], and the front's task waits there until it is answered.

use std::rc::Rc;

use bailey_http1::RequestHead;

use crate::error::Fate;
use crate::exchange::Downstream;
use crate::forward::ConnectionInfo;

/// Who answers requests: the proxy's decisions, or a test.
pub trait Serve: 'static {
    /// Answers one request. Returns when nothing more will be sent on `down`; a `down` that was given no final head, or
    /// no end, is reset by the front.
    fn serve<D: Downstream>(
        &self,
        info: &Rc<ConnectionInfo>,
        down: &mut D,
        head: RequestHead,
    ) -> impl Future<Output = ()>;

    /// Told of a request that the front refused by itself, for the log and the counters.
    fn refused(&self, info: &ConnectionInfo, fate: Fate, status: u16);
}
