//! Waits for the signals that end a process.

use tokio::signal::unix::{SignalKind, signal};

/// Which signal came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// SIGTERM: what Kubernetes sends.
    Terminate,
    /// SIGINT: Ctrl-C.
    Interrupt,
}

impl Shutdown {
    /// The signal's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        }
    }
}

/// Listens from now on; the first signal ends the wait. Errors when the system refuses a handler.
pub fn shutdown() -> std::io::Result<impl Future<Output = Shutdown>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => Shutdown::Terminate,
            _ = interrupt.recv() => Shutdown::Interrupt,
        }
    })
}
