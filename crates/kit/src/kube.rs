//! What every program that talks to a cluster needs: watches that never end and say how they are, the choice of one replica
//! among many, and the permissions that are missing, by name: those that are refused, and those that were taken away meanwhile. Knows no kind of its own.

mod denied;
mod leadership;
mod review;
mod watch;

pub use denied::Denied;
pub use leadership::{Candidate, Leadership, LeadershipError};
pub use review::{Need, ReviewError, keep_asking, lacking};
pub use watch::{Change, Trouble, follow};

/// The TLS provider of the client. To be called before the first client is made; a second call changes nothing.
pub fn use_provider() {
    // Somebody has chosen one before: theirs stands.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
