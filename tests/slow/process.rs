//! One `bailey-proxy` process: built once, started, watched, and always stopped by its own id.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// A running proxy.
pub(crate) struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
}

/// The program: the one that `make slow` names, or else one that is built once. It is optimised, whatever this suite is.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(given) = std::env::var_os("BAILEY_PROXY") {
            return given.into();
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let build = ["build", "--quiet", "--profile", "quick", "--package", "bailey-proxy"];
        let built = Command::new(cargo).args(build).current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(built.expect("cargo runs").success(), "bailey-proxy does not build");
        // This program is target/PROFILE/deps/slow-HASH.
        let own = std::env::current_exe().expect("a path");
        own.ancestors().nth(3).expect("a target folder").join("quick/bailey-proxy")
    })
}

impl Process {
    /// Starts it and waits until it has said that it listens.
    pub(crate) async fn start(arguments: &[String]) -> Self {
        let mut command = Command::new(program());
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("bailey-proxy starts");
        let log = Arc::<Mutex<String>>::default();
        let (stderr, to) = (child.stderr.take().expect("piped"), log.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = to.lock().expect("no panic");
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut process = Self { child, log };
        process.says("listening", Duration::from_secs(20)).await;
        process
    }

    /// What it has written to standard error so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    /// Waits until its log has this text.
    pub(crate) async fn says(&mut self, text: &str, within: Duration) {
        let until = Instant::now() + within;
        while !self.log().contains(text) {
            let ended = self.child.try_wait().expect("a child");
            assert!(
                ended.is_none() && Instant::now() < until,
                "{text:?} is not in the log ({ended:?}):\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self, within: Duration) -> ExitStatus {
        let until = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < until, "still running:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The most memory it has had resident, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Also reached when a test fails. A child that has ended and was waited for is not signalled again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
