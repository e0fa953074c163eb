//! Waits for signals: those that end a process, and the one that log rotation sends.

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

/// SIGHUP, again and again: log files were moved away.
pub struct Hangups(Option<tokio::signal::unix::Signal>);

impl Hangups {
    /// Listens from now on, which takes from the signal that it ends the process. Errors when the system refuses a handler.
    pub fn listen() -> std::io::Result<Self> {
        signal(SignalKind::hangup()).map(|signal| Self(Some(signal)))
    }

    /// Never one: for processes that have no log file, which the signal ends as usual.
    pub fn ignore() -> Self {
        Self(None)
    }

    /// Waits for the next.
    pub async fn next(&mut self) {
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
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
