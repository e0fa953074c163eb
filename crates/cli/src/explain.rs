//! `bailey explain`: why a request gets the answer it gets, and which requests reach a route. Asks [`bailey_proxy::explain`] of
//! files, of a cluster, or of the page of a running `bailey up`, and prints what they say.

mod live;
mod show;
mod tree;

use std::path::PathBuf;

use bailey_proxy::explain::{Question, QuestionError, address, route};
use bailey_routing::ir::{RouteId, RouteKind};
use clap::Args;

use crate::cluster::ClusterArgs;
use crate::folder::world::{Ports, Sites};
use crate::folder::{Folder, Setting, files};
use crate::nearest;
use crate::output::{self, Exit, Failure, Outcome, OutputArgs};
use show::{Explained, RouteExplained};

/// How `bailey explain` runs.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// A URL, or a route: route/NAMESPACE/NAME, httproute/NAMESPACE/NAME, grpcroute/NAMESPACE/NAME.
    #[arg(value_name = "URL|ROUTE")]
    pub what: String,
    /// The method.
    #[arg(short = 'X', long, value_name = "METHOD", default_value = "GET")]
    pub request: String,
    /// A header field; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// Where the client connects from [default: 203.0.113.9, somebody on the internet].
    #[arg(long, value_name = "IP[:PORT]")]
    pub from: Option<String>,
    /// The server name of the TLS handshake [default: the host of the URL].
    #[arg(long, value_name = "NAME")]
    pub sni: Option<String>,
    /// The client that a balancer names in a PROXY protocol header before everything else.
    #[arg(long, value_name = "IP[:PORT]", conflicts_with = "admin")]
    pub proxied: Option<String>,
    /// The client speaks HTTP/2; a host field is then sent beside the URL's host, which is :authority.
    #[arg(long)]
    pub http2: bool,
    /// Files and folders with the objects, or - for standard input; may be given several times [default: the current folder].
    #[arg(short, long = "filename", value_name = "FILE|DIR", conflicts_with = "admin", conflicts_with_all = ClusterArgs::OPTIONS)]
    pub filename: Vec<PathBuf>,
    /// Where the objects are meant to run [default: local when there is a `LocalBackend` among them, else cluster].
    #[arg(long, value_enum, value_name = "SETTING", conflicts_with = "admin", conflicts_with_all = ClusterArgs::OPTIONS)]
    pub setting: Option<Setting>,
    /// Ask a running bailey up instead of files: the address of its page, such as <http://127.0.0.1:15000>.
    #[arg(long, value_name = "URL", conflicts_with_all = ClusterArgs::OPTIONS)]
    pub admin: Option<String>,
    /// Which cluster to ask, if one.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Why there is nothing to explain.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The question cannot be read.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// The objects ask for no tier.
    #[error(
        "there is neither an IngressTopology nor a Gateway among the objects, so nothing answers; give their folder with -f"
    )]
    NoTier,
    /// A cluster shows no tier.
    #[error("no tier of a topology can be seen in the cluster, so nothing can be explained{0}")]
    NoTierSeen(String),
    /// There is no such route.
    #[error("there is no {0} among the objects{1}")]
    NoRoute(String, String),
    /// A route without namespace.
    #[error("{0:?} names no route; write it like route/NAMESPACE/NAME")]
    Route(String),
}

impl Failure for ExplainError {
    fn exit(&self) -> Exit {
        match self {
            Self::Question(_) | Self::NoTier | Self::Route(_) => Exit::Usage,
            Self::NoRoute(..) | Self::NoTierSeen(_) => Exit::Negative,
        }
    }
}

/// Kinds by which a route may be named.
const KINDS: [(&str, &[RouteKind]); 3] = [
    ("route", &[RouteKind::Http, RouteKind::Grpc]),
    ("httproute", &[RouteKind::Http]),
    ("grpcroute", &[RouteKind::Grpc]),
];

/// Explains and prints.
pub fn run(args: &ExplainArgs) -> Outcome {
    let kind = args.what.split('/').next().unwrap_or_default().to_ascii_lowercase();
    if let Some((_, kinds)) = KINDS.iter().find(|(name, _)| *name == kind) {
        return explain_route(args, kinds);
    }
    let question = question(args)?;
    let told = match &args.admin {
        Some(admin) => live::ask(admin, &question)?,
        None => offline(args, &question)?,
    };
    let refused = told.is_refused();
    output::print(&told, args.output.output)?;
    Ok(if refused { Exit::Negative } else { Exit::Fine })
}

fn question(args: &ExplainArgs) -> Result<Question, ExplainError> {
    let mut question = Question::get(&args.what)?;
    for header in &args.headers {
        question = question.header(header)?;
    }
    question.method.clone_from(&args.request);
    question.sni.clone_from(&args.sni);
    question.http2 = args.http2;
    if let Some(from) = &args.from {
        question.from = address(from)?;
    }
    question.proxied = args.proxied.as_deref().map(address).transpose()?;
    Ok(question)
}

/// The objects of files or of a cluster, if they have a tier.
fn read(args: &ExplainArgs) -> Result<Folder, Box<dyn Failure>> {
    if args.cluster.is_asked() {
        let folder = Folder::served(args.cluster.gather()?);
        if folder.tiers.is_empty() {
            let notes: String = folder.unread.iter().flat_map(|note| ["; ", note]).collect();
            return Err(ExplainError::NoTierSeen(notes).into());
        }
        return Ok(folder);
    }
    let paths = files::or_here(&args.filename);
    files::exist(&paths)?;
    let folder = Folder::read(&paths, args.setting)?;
    if folder.fronts().next().is_none() {
        return Err(ExplainError::NoTier.into());
    }
    Ok(folder)
}

/// Where `bailey up` listens unless told otherwise.
fn ports(folder: &Folder) -> Ports {
    match folder.setting {
        Setting::Local => Ports::from([(80, 8080), (443, 8443)]),
        Setting::Cluster => Ports::new(),
    }
}

fn offline(args: &ExplainArgs, question: &Question) -> Result<Explained, Box<dyn Failure>> {
    let folder = read(args)?;
    Ok(Explained::new(&Sites::of(&folder, &ports(&folder)).explain(question), folder.notes())?)
}

fn explain_route(args: &ExplainArgs, kinds: &[RouteKind]) -> Outcome {
    let mut parts = args.what.split('/').skip(1);
    let (Some(namespace), Some(name), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(ExplainError::Route(args.what.clone()).into());
    };
    if let Some(admin) = &args.admin {
        let told = live::ask_route(admin, kinds, namespace, name)?;
        let told = told.ok_or_else(|| ExplainError::NoRoute(format!("route {namespace}/{name}"), String::new()))?;
        return print_route(args, &told);
    }
    let folder = read(args)?;
    let sites = Sites::of(&folder, &ports(&folder));
    let id = |kind: &RouteKind| RouteId { kind: *kind, namespace: namespace.into(), name: name.into() };
    let Some(told) = kinds.iter().find_map(|kind| route(&sites.world(), &id(kind))) else {
        let known = known(&folder);
        let asked = format!("{namespace}/{name}");
        let hint = nearest::hint(&asked, known.iter().map(String::as_str));
        return Err(ExplainError::NoRoute(format!("route {asked}"), hint).into());
    };
    print_route(args, &RouteExplained::new(&told)?)
}

fn print_route(args: &ExplainArgs, told: &RouteExplained) -> Outcome {
    output::print(told, args.output.output)?;
    Ok(if told.is_served() { Exit::Fine } else { Exit::Negative })
}

/// All routes, as `namespace/name`.
fn known(folder: &Folder) -> Vec<String> {
    use bailey_crds::gateway::{GrpcRoute, HttpRoute};
    let http = folder.objects.all::<HttpRoute>().map(|(key, _)| format!("{}/{}", key.namespace, key.name));
    let grpc = folder.objects.all::<GrpcRoute>().map(|(key, _)| format!("{}/{}", key.namespace, key.name));
    http.chain(grpc).collect()
}
