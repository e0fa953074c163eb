//! Why a cluster could not be asked, said so that a person can mend it. Decides what each failure of the client means.

use std::io;
use std::path::PathBuf;

use bailey_kit::kube::Denied;
use kube::client::AuthError;
use kube::config::KubeconfigError;

use crate::output::{Exit, Failure};

/// Why a cluster could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is none.
    #[error(
        "there is no kubeconfig: {} cannot be read ({why}); name yours with --kubeconfig or $KUBECONFIG (commands that look at files need none)", path.display()
    )]
    NoKubeconfig {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// It makes no sense.
    #[error("the kubeconfig cannot be used: {0}; `kubectl config view` shows what is in it")]
    Kubeconfig(Box<KubeconfigError>),
    /// It has no such context.
    #[error("the kubeconfig has no context {name}{hint}; `kubectl config get-contexts` lists those it has")]
    Context {
        /// The name that was given, or the current one.
        name: String,
        /// The nearest name, if there is one.
        hint: String,
    },
    /// It has no current context.
    #[error("the kubeconfig has no current context; choose one with --context, or with `kubectl config use-context`")]
    NoContext,
    /// Nobody answers.
    #[error(
        "the API server at {server} cannot be reached: {why}; is the cluster running, and is it the right one (--context)?"
    )]
    Unreachable {
        /// Its address.
        server: String,
        /// The cause.
        why: String,
    },
    /// Somebody else answers.
    #[error(
        "the API server at {server} shows a certificate that the kubeconfig does not trust: {why}; compare its certificate-authority-data with the cluster's"
    )]
    Untrusted {
        /// Its address.
        server: String,
        /// What is wrong with the certificate.
        why: String,
    },
    /// The person is nobody.
    #[error(
        "the API server at {server} does not know who you are (401): the credentials of the kubeconfig are wrong or have expired; log in again, or renew them"
    )]
    Unauthorized {
        /// Its address.
        server: String,
    },
    /// The credentials cannot be had.
    #[error("the credentials of the kubeconfig cannot be had: {0}; log in again, or repair the user of the context")]
    Credentials(String),
    /// The person may not see what the question is about.
    #[error("{0}; ask an administrator of the cluster for that right")]
    Denied(Denied),
    /// The server does not know the kind.
    #[error("the cluster does not know {0}; is Bailey installed in it? `bailey check --pre` says what is missing")]
    NotInstalled(String),
    /// No such object.
    #[error("there is no {kind} {name}{hint}")]
    NotFound {
        /// The kind.
        kind: &'static str,
        /// The name that was asked for.
        name: String,
        /// The nearest name, if there is one.
        hint: String,
    },
    /// Something else.
    #[error("the API server at {server} answered {code}: {message}")]
    Answer {
        /// Its address.
        server: String,
        /// The status.
        code: u16,
        /// What it said.
        message: String,
    },
    /// The system has no runtime to give.
    #[error("cannot start: {0}")]
    System(io::Error),
}

impl Failure for ClusterError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoKubeconfig { .. } | Self::Kubeconfig(_) | Self::Context { .. } | Self::NoContext => Exit::Usage,
            Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::Unauthorized { .. }
            | Self::Credentials(_)
            | Self::Denied(_)
            | Self::Answer { .. } => Exit::Unreachable,
            Self::NotInstalled(_) | Self::NotFound { .. } | Self::System(_) => Exit::Negative,
        }
    }
}

impl From<KubeconfigError> for ClusterError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all that the library has else means the same to a person")]
    fn from(error: KubeconfigError) -> Self {
        match error {
            KubeconfigError::ReadConfig(why, path) => Self::NoKubeconfig { path, why },
            KubeconfigError::CurrentContextNotSet => Self::NoContext,
            KubeconfigError::LoadContext(name) => Self::Context { name, hint: String::new() },
            other => Self::Kubeconfig(Box::new(other)),
        }
    }
}

impl ClusterError {
    /// What a failure of the client means that talks to `server`.
    pub fn of(error: &kube::Error, server: &str) -> Self {
        let server = server.to_owned();
        if let kube::Error::Api(status) = error {
            return match (status.code, Denied::of(error)) {
                (401, _) => Self::Unauthorized { server },
                (_, Some(denied)) => Self::Denied(denied),
                (code, None) => Self::Answer { server, code, message: status.message.clone() },
            };
        }
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut why = error.to_string();
        while let Some(one) = cause {
            if let Some(auth) = one.downcast_ref::<AuthError>() {
                return Self::Credentials(auth.to_string());
            }
            if let Some(tls) = one.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
                && tls.is::<rustls::Error>()
            {
                return Self::Untrusted { server, why: tls.to_string() };
            }
            why = one.to_string();
            cause = one.source();
        }
        if let kube::Error::Auth(_) | kube::Error::InferKubeconfig(_) | kube::Error::RustlsTls(_) = error {
            return Self::Credentials(why);
        }
        Self::Unreachable { server, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(code: u16, message: &str) -> kube::Error {
        let status = kube::core::Status { code, message: message.to_owned(), ..kube::core::Status::default() };
        kube::Error::Api(Box::new(status))
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let said = |error: &kube::Error| {
            let error = ClusterError::of(error, "https://k:6443");
            (error.to_string(), error.exit())
        };
        let (text, exit) = said(&api(401, "Unauthorized"));
        assert!(text.contains("log in again") && exit == Exit::Unreachable, "{text}");
        let message =
            "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"a\"";
        let (text, exit) = said(&api(403, message));
        assert_eq!(text, "jane may not list pods in namespace a; ask an administrator of the cluster for that right");
        assert_eq!(exit, Exit::Unreachable);
        let (text, _) = said(&api(500, "etcd is away"));
        assert_eq!(text, "the API server at https://k:6443 answered 500: etcd is away");
    }

    #[test]
    fn a_kubeconfig_that_is_missing_is_wrong_use() {
        let error = ClusterError::from(kube::config::Kubeconfig::read_from("/nowhere/config").unwrap_err());
        assert_eq!(error.exit(), Exit::Usage);
        assert!(error.to_string().contains("/nowhere/config") && error.to_string().contains("--kubeconfig"), "{error}");
    }
}
