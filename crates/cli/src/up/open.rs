//! Opens the page in a browser, if there is a program that does so.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// Programs that open an address; which of them there is depends on the system.
const OPENERS: [&str; 4] = ["xdg-open", "open", "wslview", "gio"];
/// How long one of them may take; browsers are started in the background.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens `url`. `false`: nothing on this machine does.
pub async fn open(url: &str) -> bool {
    for opener in OPENERS {
        let mut command = Command::new(opener);
        if opener == "gio" {
            command.arg("open");
        }
        command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(mut child) = command.spawn() else { continue };
        match tokio::time::timeout(PATIENCE, child.wait()).await {
            Ok(Ok(status)) if status.success() => return true,
            // It stays in the foreground as long as the browser is open.
            Err(_) => return true,
            Ok(Ok(_) | Err(_)) => {}
        }
    }
    false
}
