//! `bailey analyze`: everything there is to say about objects, before a cluster or a client says it.

mod report;
mod sarif;

use std::collections::BTreeSet;
use std::path::PathBuf;

use bailey_proxy::snapshot::uncovered;
use bailey_translate::analysis::{self, Tabled};
use bailey_translate::{Code, Diagnostic, Severity};
use clap::{Args, ValueEnum};

use crate::cluster::{ClusterArgs, Gathered};
use crate::folder::assumed::Assumption;
use crate::folder::input::Input;
use crate::folder::{Folder, Setting, files};
use crate::output::{self, Exit, Format, Outcome};
use report::{Finding, Findings};

/// How `bailey analyze` runs.
#[derive(Clone, Debug, Args)]
pub struct AnalyzeArgs {
    /// Files and folders with the objects (folders with all that is below them), or - for standard input [default: the current folder].
    #[arg(value_name = "FILE|DIR", conflicts_with_all = ClusterArgs::OPTIONS)]
    pub paths: Vec<PathBuf>,
    /// The least severity that makes the exit code 1.
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    pub fail_on: FailOn,
    /// Where the objects are meant to run [default: local when there is a `LocalBackend` among them, else cluster].
    #[arg(long, value_enum, value_name = "SETTING", conflicts_with_all = ClusterArgs::OPTIONS)]
    pub setting: Option<Setting>,
    /// Which cluster to ask, if one.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// How the result is printed.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: AnalyzeFormat,
}

/// The least severity that counts as a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Something that was asked for does not work.
    #[default]
    Error,
    /// Or something probably works otherwise than meant.
    Warning,
    /// Or there is anything to say at all.
    Info,
    /// Nothing does.
    Never,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AnalyzeFormat {
    /// Paragraphs, for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// Static Analysis Results Interchange Format 2.1.0, for code scanning.
    Sarif,
}

impl FailOn {
    fn includes(self, severity: Severity) -> bool {
        match self {
            Self::Error => severity == Severity::Error,
            Self::Warning => severity != Severity::Info,
            Self::Info => true,
            Self::Never => false,
        }
    }
}

/// Analyses and prints.
pub fn run(args: &AnalyzeArgs) -> Outcome {
    let findings = if args.cluster.is_asked() {
        of_cluster(args.cluster.gather()?)
    } else {
        let paths = files::or_here(&args.paths);
        files::exist(&paths)?;
        of_files(&paths, args.setting)
    };
    match args.output {
        AnalyzeFormat::Table => output::print(&findings, Format::Table)?,
        AnalyzeFormat::Json => output::print(&findings, Format::Json)?,
        AnalyzeFormat::Yaml => output::print(&findings, Format::Yaml)?,
        AnalyzeFormat::Sarif => output::write(&output::json(&sarif::Log::of(&findings))?)?,
    }
    let failed = findings.all.iter().any(|finding| args.fail_on.includes(finding.code.severity()));
    Ok(if failed { Exit::Negative } else { Exit::Fine })
}

/// All findings about the objects of a cluster.
fn of_cluster(found: Gathered) -> Findings {
    let count = found.count();
    let folder = Folder::asked_for(found, Input::default());
    let all = diagnostics(&folder).iter().map(Finding::of_diagnostic).collect();
    Findings::new(all, folder.notes(), None, count)
}

/// All that is wrong with the objects of a folder, and what only the whole shows, by object.
pub(crate) fn diagnostics(folder: &Folder) -> Vec<Diagnostic> {
    let mut all = folder.diagnostics.clone();
    all.extend(beyond(folder));
    all.sort();
    all.dedup();
    all
}

/// All findings about files, by file and line.
fn of_files(paths: &[PathBuf], setting: Option<Setting>) -> Findings {
    let (folder, problems) = Folder::read_usable(paths, setting);
    let mut all: Vec<Finding> =
        problems.iter().map(|problem| Finding::of_problem(Code::InvalidDocument, problem)).collect();
    all.extend(folder.input.notes.iter().map(|note| Finding::of_problem(Code::NotRead, note)));
    all.extend(folder.diagnostics.iter().map(Finding::of_diagnostic));
    all.extend(folder.input.located(beyond(&folder)).iter().map(Finding::of_diagnostic));
    all.sort_by(|a, b| a.order().cmp(&b.order()));
    let read = folder.input.documents.iter().map(|document| document.location().file);
    let files: BTreeSet<_> = read.chain(problems.into_iter().map(|problem| problem.file)).collect();
    Findings::new(all, folder.notes(), Some(files.len()), folder.input.documents.len())
}

/// What only the whole shows.
fn beyond(folder: &Folder) -> Vec<Diagnostic> {
    let tabled = |tier: &crate::folder::OfflineTier| (tier.role.scope(), tier.snapshot.clone());
    let tiers: Vec<_> = folder.tiers.iter().map(tabled).collect();
    let tables: Vec<_> =
        tiers.iter().map(|(scope, snapshot)| Tabled { scope: scope.clone(), table: &snapshot.table }).collect();
    let mut found = analysis::analyse(&folder.objects, &tables, &folder.diagnostics);
    // The development CA has a certificate for every name, and of certificates that are kept elsewhere nothing is known.
    if folder.setting == Setting::Cluster && !Assumption::of_certificates(&folder.assumed) {
        let uncovered = tiers.iter().flat_map(|(scope, snapshot)| uncovered::analyse(&folder.objects, scope, snapshot));
        found.extend(uncovered);
    }
    // Nobody has written what stands in for what files lack.
    found.retain(|diagnostic| folder.input.documents.is_empty() || diagnostic.location.is_some());
    found
}
