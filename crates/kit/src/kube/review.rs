//! What an account may do at this moment, asked of the API server itself.
//!
//! A watch that is open goes on when its permission is taken away, and ends minutes later. So whoever watches asks every few
//! seconds what it may do: one `SelfSubjectRulesReview` a namespace says it roughly (an authorizer may not be able to list
//! its rules), and what seems to be missing is asked for one by one. Reviews are answered and not stored.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, ResourceRule, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SelfSubjectRulesReview,
    SelfSubjectRulesReviewSpec,
};
use kube::api::{Api, PostParams};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Denied;

/// How often it is asked: a permission that is taken away is known within ten seconds, everything included.
const EVERY: Duration = Duration::from_secs(5);
/// How long the API server has for one answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Questions at once.
const AT_ONCE: usize = 4;
/// Stands for the whole cluster, whose rules hold everywhere: no namespace has such a name, so no `RoleBinding` adds to them.
const ANYWHERE: &str = "no.namespace";

/// A permission that is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The namespace; empty for the whole cluster.
    pub namespace: String,
    /// API group; empty for the core group.
    pub group: String,
    /// The kind in plural, with its subresource, as rules name it.
    pub resource: String,
    /// What is done with it.
    pub verb: String,
    /// The only object that it is done with; empty for all.
    pub name: String,
}

impl Need {
    fn is_met_by(&self, rule: &ResourceRule) -> bool {
        let lists =
            |list: Option<&Vec<String>>, value: &str| list.into_iter().flatten().any(|one| one == "*" || one == value);
        let names = rule.resource_names.as_ref().filter(|names| !names.is_empty());
        lists(rule.api_groups.as_ref(), &self.group)
            && lists(rule.resources.as_ref(), &self.resource)
            && lists(Some(&rule.verbs), &self.verb)
            && names.is_none_or(|names| names.contains(&self.name))
    }

    fn denied(&self, subject: &str) -> Denied {
        Denied {
            verb: self.verb.clone(),
            resource: match self.group.as_str() {
                "" => self.resource.clone(),
                group => format!("{}.{group}", self.resource),
            },
            namespace: self.namespace.clone(),
            subject: subject.to_owned(),
        }
    }

    fn question(&self) -> SelfSubjectAccessReview {
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let (resource, subresource) = match self.resource.split_once('/') {
            Some((resource, subresource)) => (resource.to_owned(), Some(subresource.to_owned())),
            None => (self.resource.clone(), None),
        };
        let attributes = ResourceAttributes {
            group: given(&self.group),
            resource: Some(resource),
            subresource,
            verb: Some(self.verb.clone()),
            namespace: given(&self.namespace),
            name: given(&self.name),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), non_resource_attributes: None };
        SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() }
    }
}

/// Asks for ever, and tells what is missing whenever that is known. While the API server does not answer, or does not let
/// the account ask, nothing is told: what was known before still holds.
pub async fn keep_asking(client: Client, needs: impl Fn() -> BTreeSet<Need>, tell: impl Fn(BTreeSet<Denied>)) {
    loop {
        tokio::time::sleep(EVERY).await;
        match lacking(&client, &needs()).await {
            Ok(missing) => tell(missing),
            Err(error) => tracing::debug!("permissions cannot be asked for: {error}"),
        }
    }
}

/// Which of these permissions the account of the client does not have.
pub async fn lacking(client: &Client, needs: &BTreeSet<Need>) -> Result<BTreeSet<Denied>, ReviewError> {
    let mut by_namespace: BTreeMap<String, Vec<Need>> = BTreeMap::new();
    for need in needs {
        let at = if need.namespace.is_empty() { ANYWHERE } else { need.namespace.as_str() };
        by_namespace.entry(at.to_owned()).or_default().push(need.clone());
    }
    let groups = by_namespace.into_iter().map(|(namespace, needs)| unlisted(client.clone(), namespace, needs));
    let doubtful: Vec<Vec<Need>> = stream::iter(groups).buffer_unordered(AT_ONCE).try_collect().await?;
    let questions = doubtful.into_iter().flatten().map(|need| refused(client.clone(), need));
    let missing: Vec<Option<Need>> = stream::iter(questions).buffer_unordered(AT_ONCE).try_collect().await?;
    let missing: Vec<Need> = missing.into_iter().flatten().collect();
    if missing.is_empty() {
        return Ok(BTreeSet::new());
    }
    let who = ask(client, &SelfSubjectReview::default()).await?;
    let subject = who.status.and_then(|status| status.user_info).and_then(|user| user.username).unwrap_or_default();
    Ok(missing.into_iter().map(|need| need.denied(&subject)).collect())
}

/// Those that no rule of the namespace meets, as far as rules can be listed.
async fn unlisted(client: Client, namespace: String, needs: Vec<Need>) -> Result<Vec<Need>, ReviewError> {
    let spec = SelfSubjectRulesReviewSpec { namespace: Some(namespace) };
    let review = ask(&client, &SelfSubjectRulesReview { spec, ..SelfSubjectRulesReview::default() }).await?;
    let rules = review.status.map(|status| status.resource_rules).unwrap_or_default();
    Ok(needs.into_iter().filter(|need| !rules.iter().any(|rule| need.is_met_by(rule))).collect())
}

/// The need, if the account may not.
async fn refused(client: Client, need: Need) -> Result<Option<Need>, ReviewError> {
    let answer = ask(&client, &need.question()).await?;
    Ok(Some(need).filter(|_| !answer.status.is_some_and(|status| status.allowed)))
}

/// Why permissions are not known.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The API server refuses the question.
    #[error("the API server does not answer a review: {0}")]
    Refused(#[source] Box<kube::Error>),
    /// It takes too long.
    #[error("the API server has not answered a review within {} s", PATIENCE.as_secs())]
    Late,
}

async fn ask<K>(client: &Client, question: &K) -> Result<K, ReviewError>
where
    K: Resource<DynamicType = ()> + Clone + Serialize + DeserializeOwned + std::fmt::Debug,
{
    let api: Api<K> = Api::all(client.clone());
    match tokio::time::timeout(PATIENCE, api.create(&PostParams::default(), question)).await {
        Ok(answer) => answer.map_err(|error| ReviewError::Refused(Box::new(error))),
        Err(_) => Err(ReviewError::Late),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn need(resource: &str, verb: &str, name: &str) -> Need {
        let text = str::to_owned;
        Need { namespace: text("a"), group: text("g"), resource: text(resource), verb: text(verb), name: text(name) }
    }

    fn rule(value: serde_json::Value) -> ResourceRule {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_rule_meets_a_need_of_its_groups_resources_verbs_and_names() {
        let all = rule(
            json!({"apiGroups": ["g", "h"], "resources": ["routes", "routes/status"], "verbs": ["list", "watch"]}),
        );
        assert!(need("routes", "watch", "").is_met_by(&all) && need("routes/status", "list", "x").is_met_by(&all));
        assert!(!need("routes", "get", "").is_met_by(&all) && !need("others", "list", "").is_met_by(&all));
        let named = rule(json!({"apiGroups": ["*"], "resources": ["*"], "resourceNames": ["one"], "verbs": ["*"]}));
        assert!(need("routes", "get", "one").is_met_by(&named));
        assert!(!need("routes", "get", "two").is_met_by(&named) && !need("routes", "list", "").is_met_by(&named));
    }

    #[test]
    fn what_is_denied_is_named_as_the_api_server_names_it() {
        let denied = need("routes", "list", "").denied("u");
        assert_eq!(denied.to_string(), "u may not list routes.g in namespace a");
    }

    /// An API server with these rules; what it is asked one by one it allows for `list` only.
    fn server(rules: serde_json::Value) -> Client {
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let rules = rules.clone();
            async move {
                let path = request.uri().path().to_owned();
                let body = http_body_util::BodyExt::collect(request.into_body()).await.unwrap().to_bytes();
                let mut object: serde_json::Value = serde_json::from_slice(&body).unwrap();
                object["status"] = match path.rsplit('/').next().unwrap() {
                    "selfsubjectrulesreviews" => {
                        json!({"resourceRules": rules, "nonResourceRules": [], "incomplete": false})
                    }
                    "selfsubjectaccessreviews" => {
                        json!({"allowed": object["spec"]["resourceAttributes"]["verb"] == "list"})
                    }
                    "selfsubjectreviews" => json!({"userInfo": {"username": "u"}}),
                    other => panic!("{other}"),
                };
                let answer = http::Response::new(kube::client::Body::from(serde_json::to_vec(&object).unwrap()));
                Ok::<_, std::convert::Infallible>(answer)
            }
        });
        Client::new(service, "default")
    }

    #[tokio::test]
    async fn only_what_is_refused_when_asked_for_is_missing() {
        let client = server(json!([{"apiGroups": ["g"], "resources": ["routes"], "verbs": ["get"]}]));
        let needs =
            BTreeSet::from([need("routes", "get", ""), need("routes", "list", ""), need("routes", "watch", "")]);
        let missing = lacking(&client, &needs).await.unwrap();
        let words: Vec<String> = missing.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["u may not watch routes.g in namespace a"]);
    }
}
