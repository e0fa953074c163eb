//! `bailey test`: requests and what is expected of them, asked of the tables of a folder, or of whatever runs.

mod cases;
mod check;
mod live;
mod offline;
mod report;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cluster::entrance::{self, Entrance};
use crate::cluster::{ClusterArgs, ClusterError};
use crate::folder::world::Sites;
use crate::folder::{Folder, Setting, Unreadable};
use crate::output::{self, Exit, Failure, Format, Outcome};
use crate::trace::send::SendError;
use cases::Suite;
use report::{Results, Tested};

/// How `bailey test` runs.
#[derive(Clone, Debug, Args)]
pub struct TestArgs {
    /// The file with the requests (docs/cli.md has its schema).
    pub file: PathBuf,
    /// Files and folders with the objects, instead of those that the file names.
    #[arg(short, long, value_name = "FILE|DIR", conflicts_with_all = ClusterArgs::OPTIONS)]
    pub folder: Vec<PathBuf>,
    /// Where the objects are meant to run [default: local when there is a `LocalBackend` among them, else cluster].
    #[arg(long, value_enum, value_name = "SETTING", conflicts_with_all = ClusterArgs::OPTIONS)]
    pub setting: Option<Setting>,
    /// Send the requests to what runs instead, such as `bailey up`; with a cluster, to the address of its outer tier. What an answer does not show is said, and counts for nothing.
    #[arg(long, conflicts_with_all = ["folder", "setting"])]
    pub live: bool,
    /// With --live, connect to this address instead of what the name says; may be given several times.
    #[arg(long, value_name = "HOST:PORT:ADDRESS", requires = "live")]
    pub resolve: Vec<String>,
    /// With --live, file with the CA that has signed the certificates [default: the development CA of bailey up].
    #[arg(long, value_name = "FILE", requires = "live")]
    pub cacert: Option<PathBuf>,
    /// With --live, how long to wait for each answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
    /// Which cluster to ask, if one, instead of files.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// How the results are printed.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: TestFormat,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TestFormat {
    /// A line for each test, and what went wrong.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// Test Anything Protocol 14.
    Tap,
    /// The XML that CI systems read as `JUnit`'s.
    Junit,
}

/// Why nothing was tested.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// The file, or the objects, cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Nobody has said which objects.
    #[error("{}: names no folder, so there is nothing to test; write folder: DIR into it, or give --folder DIR", .0.display())]
    NoObjects(PathBuf),
    /// A request cannot be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The cluster cannot be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The system has no runtime to give.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

impl Failure for TestError {
    fn exit(&self) -> Exit {
        match self {
            Self::Unreadable(_) | Self::NoObjects(_) => Exit::Usage,
            Self::Send(error) => error.exit(),
            Self::Cluster(error) => error.exit(),
            Self::System(_) => Exit::Negative,
        }
    }
}

/// Tests and prints.
pub fn run(args: &TestArgs) -> Outcome {
    let results = if args.live { live(args)? } else { offline(args)? };
    match args.output {
        TestFormat::Table => output::print(&results, Format::Table)?,
        TestFormat::Json => output::print(&results, Format::Json)?,
        TestFormat::Yaml => output::print(&results, Format::Yaml)?,
        TestFormat::Tap => output::write(&results.tap())?,
        TestFormat::Junit => output::write(&results.junit())?,
    }
    Ok(if results.failed == 0 { Exit::Fine } else { Exit::Negative })
}

fn offline(args: &TestArgs) -> Result<Results, TestError> {
    let suite = cases::read(&args.file).map_err(Unreadable)?;
    if args.cluster.is_asked() {
        let folder = Folder::served(args.cluster.gather()?);
        return Ok(Results::new("cluster", asked(&suite, &folder)));
    }
    let paths = if args.folder.is_empty() { suite.objects(&args.file) } else { args.folder.clone() };
    if paths.is_empty() {
        return Err(TestError::NoObjects(args.file.clone()));
    }
    let folder = Folder::read(&paths, args.setting)?;
    Ok(Results::new("offline", asked(&suite, &folder)))
}

fn live(args: &TestArgs) -> Result<Results, TestError> {
    let suite = cases::read(&args.file).map_err(Unreadable)?;
    let fronts = if args.cluster.is_asked() { entrance::find(&args.cluster)? } else { Entrance::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(Results::new("live", runtime.block_on(live::ask(&suite, args, &fronts))?))
}

fn asked(suite: &Suite, folder: &Folder) -> Vec<Tested> {
    let sites = Sites::of(folder, &suite.ports);
    let one = |case: &cases::Case| {
        // The reading has refused what is no request.
        let question = case.request.question().ok()?;
        let told = sites.explain(&question);
        let checks = check::check(&case.expect, &offline::sight(&told));
        let request = format!("{} {}", question.method, question.url());
        Some(Tested::new(&case.name, request, told.verdict.sentence, checks))
    };
    suite.tests.iter().filter_map(one).collect()
}
