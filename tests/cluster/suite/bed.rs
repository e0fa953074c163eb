//! The test bed: one cluster for all tests of a run, and the two networks that a test can stand in.
//!
//! The cluster lives as long as this process holds the standard input of `tests/cluster/up`; whatever ends the process ends the cluster.
//! `CLUSTER=NAME` uses one that `make cluster` started instead, and leaves it running.

use std::future::Future;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::kubernetes::Kubernetes;

/// Where a test stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The node: sees the API server, Pods and Services.
    Node,
    /// Outside of the cluster, at [`CLIENT`]; sees the node's address and those of load balancers.
    Client,
}

/// The client's own address.
pub(crate) const CLIENT: &str = "198.51.100.7";
/// The node's address, where host ports and node ports are.
pub(crate) const NODE: &str = "172.30.0.1";
/// The images that a cluster of the tests has from the start, as `images/build` writes them.
const IMAGES: [&str; 2] = ["bailey-proxy", "bailey-operator"];

/// A running cluster.
pub(crate) struct Bed {
    name: String,
    state: PathBuf,
    /// Number of the cluster's first process, as seen from here.
    init: u32,
    /// The program that holds the cluster, if this process started it.
    held: Mutex<Option<Child>>,
}

static BED: OnceLock<Bed> = OnceLock::new();

/// The cluster of this run; the first call starts it.
pub(crate) fn bed() -> &'static Bed {
    BED.get_or_init(|| match std::env::var("CLUSTER") {
        Ok(name) => Bed::attach(name),
        Err(_) => Bed::start(),
    })
}

/// Ends the cluster if this run started one, and says what is left of it.
pub(crate) fn end() -> Result<(), String> {
    let Some(bed) = BED.get() else { return Ok(()) };
    let Some(mut held) = bed.held.lock().expect("no panic").take() else { return Ok(()) };
    drop(held.stdin.take());
    held.wait().map_err(|error| error.to_string())?;
    leftovers(&bed.name, &bed.state)
}

/// What a cluster that has ended left on this machine outside of its namespaces.
pub(crate) fn leftovers(name: &str, state: &Path) -> Result<(), String> {
    let mut left = Vec::new();
    left.extend(state.exists().then(|| state.display().to_string()));
    let groups = std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
    let own = groups.map(|group| group.path().join(format!("bailey-{name}"))).filter(|group| group.exists());
    left.extend(own.map(|group| group.display().to_string()));
    let mounts = std::fs::read_to_string("/proc/mounts").map_err(|error| error.to_string())?;
    left.extend(mounts.lines().filter(|line| line.contains(&*state.to_string_lossy())).map(str::to_owned));
    if left.is_empty() { Ok(()) } else { Err(format!("the cluster {name} left: {}", left.join(", "))) }
}

/// A file of `tests/cluster`.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster").join(name)
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Where `tests/cluster` keeps the state of the cluster `name`.
pub(crate) fn state_of(name: &str) -> PathBuf {
    let folder = std::env::var("BAILEY_CLUSTERS").unwrap_or_else(|_| "/tmp/bailey-clusters".to_owned());
    Path::new(&folder).join(name)
}

impl Bed {
    fn start() -> Self {
        let name = format!("test-{}", std::process::id());
        let mut command = Command::new(script("up"));
        command.arg("--attached").arg(&name);
        for image in IMAGES {
            let archive = repository("target/images").join(format!("{image}.tar"));
            assert!(archive.exists(), "{} is not there: run the tests by `make cluster-test`", archive.display());
            command.arg(archive);
        }
        let mut held = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("tests/cluster/up");
        let state = state_of(&name);
        let started = Instant::now();
        while !state.join("ready").exists() {
            let ended = held.try_wait().expect("a child");
            let failed = state.join("failed").exists() || started.elapsed() > Duration::from_mins(5);
            assert!(ended.is_none() && !failed, "the cluster did not start:\n{}", logs(&state));
            thread::sleep(Duration::from_millis(100));
        }
        eprintln!("the cluster {name} was ready after {:.1} s", started.elapsed().as_secs_f32());
        let bed = Self::attach(name);
        *bed.held.lock().expect("no panic") = Some(held);
        bed
    }

    fn attach(name: String) -> Self {
        let state = state_of(&name);
        assert!(state.join("ready").exists(), "no cluster named {name} is running: make cluster starts one");
        let init = std::fs::read_to_string(state.join("init")).expect("the number of its first process");
        Self { name, init: init.trim().parse().expect("a number"), state, held: Mutex::new(None) }
    }

    /// Runs `work` to its end on a thread that stands at `place`; its sockets are there.
    pub(crate) fn at<T: Send, F: Future<Output = T>>(&self, place: Place, work: impl FnOnce() -> F + Send) -> T {
        let network = match place {
            Place::Node => format!("/proc/{}/ns/net", self.init),
            Place::Client => format!("/proc/{}/root/run/netns/client", self.init),
        };
        let stand = move || {
            let network = std::fs::File::open(&network).unwrap_or_else(|error| panic!("{network}: {error}"));
            let moved = move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), Some(LinkNameSpaceType::Network));
            moved.expect("root may enter a network");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(work())
        };
        thread::scope(|scope| scope.spawn(stand).join()).unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Runs a test's `work` on the node with a client of the API server.
    pub(crate) fn run<T: Send, F: Future<Output = T>>(&self, work: impl FnOnce(Kubernetes) -> F + Send) -> T {
        let kubeconfig = self.kubeconfig();
        self.at(Place::Node, || async move { work(Kubernetes::connect(&kubeconfig).await).await })
    }

    /// Stops (by SIGKILL) or starts a component, such as `apiserver`.
    pub(crate) fn component(&self, action: &str, name: &str) {
        let status = self.command("component").args([action, name]).status();
        assert!(status.expect("tests/cluster/component").success(), "component {action} {name}");
    }

    /// What kubectl prints.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.command("kubectl").args(arguments).output();
        let output = output.expect("tests/cluster/kubectl");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// A program, or a script of `tests/cluster`, that is about this cluster.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(script(program)); // joins no path to one that begins at the root
        command.env("CLUSTER", &self.name);
        command
    }

    /// Where the administrator's kubeconfig is.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.state.join("kubeconfig")
    }

    /// The processes of the cluster's Pods whose command line has all these words, by the numbers they have here.
    pub(crate) fn processes(&self, words: &[&str]) -> Vec<u32> {
        let group = format!("bailey-{}/", self.name);
        let all = std::fs::read_dir("/proc").expect("/proc").flatten();
        let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let read = |process: u32, file: &str| std::fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
        let fits = |process: &u32| {
            let line = read(*process, "cmdline");
            let line: Vec<_> = line.split(|byte| *byte == 0).collect();
            let here = || String::from_utf8_lossy(&read(*process, "cgroup")).contains(&group);
            words.iter().all(|word| line.contains(&word.as_bytes())) && here()
        };
        numbers.filter(fits).collect()
    }

    /// The folder with the cluster's keys, logs and settings.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// What users whose name contains `user` wrote since a time, a line each (`tests/cluster/writes` says what is in it).
    pub(crate) fn writes(&self, user: &str, since: &str) -> Vec<String> {
        let output = self.command("writes").args([user, since]).output();
        let output = output.expect("tests/cluster/writes");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    /// What helps to understand why a test failed.
    pub(crate) fn describe(&self) -> String {
        let last = |text: &str, lines: usize| {
            let all: Vec<_> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].join("\n")
        };
        let pods = self.kubectl(&["get", "pods", "--all-namespaces", "--output=wide"]);
        let conditions = r#"-o=jsonpath={range .items[*]}{.metadata.name}{"\n"}{range .status.conditions[*]}  {.type} {.status} {.reason}: {.message}{"\n"}{end}{end}"#;
        let topologies = self.kubectl(&["get", "itopo", conditions]);
        let events = self.kubectl(&["get", "events", "--all-namespaces", "--sort-by=.metadata.creationTimestamp"]);
        let mut said = format!("== Pods\n{pods}\n== topologies\n{topologies}\n== Events\n{}", last(&events, 25));
        for of in
            ["app.kubernetes.io/name=bailey-operator", "app.kubernetes.io/name=bailey-proxy", "app in (pebble, names)"]
        {
            let name = r#"-o=jsonpath={range .items[*]}{.metadata.namespace} {.metadata.name}{"\n"}{end}"#;
            for line in self.kubectl(&["get", "pods", "--all-namespaces", "--selector", of, name]).lines() {
                let Some((namespace, pod)) = line.split_once(' ') else { continue };
                let log = self.kubectl(&["logs", "--namespace", namespace, pod, "--tail=12"]);
                said.extend(["\n== log of ", namespace, "/", pod, "\n", &log]);
            }
        }
        said
    }
}

/// The ends of all logs of a cluster.
fn logs(state: &Path) -> String {
    let logs = std::fs::read_dir(state.join("log")).into_iter().flatten().flatten().map(|file| file.path());
    let logs = logs.filter(|log| log.extension().is_some_and(|extension| extension == "log"));
    let end = |log: PathBuf| {
        let content = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<_> = content.lines().collect();
        format!("== {}\n{}\n", log.display(), lines[lines.len().saturating_sub(8)..].join("\n"))
    };
    logs.chain([state.join("init.log")]).map(end).collect()
}
