//! Over random objects and requests: what is explained is what the running tiers do. One setup, whose objects change.

mod generate;

use bailey_proxy::explain::{Explanation, Outcome, Question};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::sync::Mutex;

use crate::mistakes::unlike;
use crate::running::{Answer, Running};
use generate::{BACKENDS, Objects};

/// Cases; more with `BAILEY_PROPERTY_CASES`, which `make slow` sets.
fn cases() -> u32 {
    std::env::var("BAILEY_PROPERTY_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(24)
}

/// What of a way can be seen in an answer.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    /// Name of the rule, where an answer tells it.
    rule: Option<String>,
    /// Name of the Service.
    backend: Option<String>,
    /// The tier, where it answers with an error.
    tier: Option<String>,
}

/// Everything that may be seen if the explanation is true.
fn expected(said: &Explanation) -> Vec<Option<Seen>> {
    let Some(last) = said.tiers.last() else { return vec![said.verdict.status.map(|status| refused(status, said))] };
    let rule = last.won.as_ref().and_then(|won| won.rule.name.clone());
    if last.ways.is_empty() {
        let answered = said.verdict.outcome == Outcome::Answered;
        let seen = |status| {
            if answered { Seen { status, rule: None, backend: None, tier: None } } else { refused(status, said) }
        };
        return vec![said.verdict.status.map(seen)];
    }
    let of = |way: &bailey_proxy::explain::Way| match &way.answer {
        Some(answer) if (300..400).contains(&answer.status) => {
            Seen { status: answer.status, rule: rule.clone(), backend: None, tier: None }
        }
        Some(answer) => Seen { status: answer.status, rule: None, backend: None, tier: Some(last.name.to_owned()) },
        None => {
            let target = way.backend.as_ref().map(|backend| backend.target.clone()).unwrap_or_default();
            let name = target.split(['/', ' ']).nth(2).map(str::to_owned);
            Seen { status: 200, rule: rule.clone(), backend: name, tier: None }
        }
    };
    last.ways.iter().map(|way| Some(of(way))).collect()
}

fn refused(status: u16, said: &Explanation) -> Seen {
    let tier = said.verdict.proxy_status.as_ref().and_then(|text| text.split(';').next().map(str::to_owned));
    Seen { status, rule: None, backend: None, tier }
}

fn seen(answer: &Answer) -> Seen {
    let text = |name: &str| answer.field(name).map(str::to_owned);
    let tier = text("proxy-status").and_then(|told| told.split(';').next().map(str::to_owned));
    let backend = (answer.status == 200).then(|| answer.seen()["backend"].as_str().map(str::to_owned)).flatten();
    Seen { status: answer.status, rule: text("x-rule"), backend, tier }
}

async fn compare(running: &Running, question: &Question) -> Result<(), String> {
    let (said, happened) = (running.explain(question), running.ask(question).await);
    let may = expected(&said);
    let got = happened.as_ref().map(seen);
    if !may.contains(&got) {
        return Err(format!("{question:?}\nhappened: {got:?}\nsaid: {may:?}\n{:#?}", said.verdict));
    }
    if let (Some(answer), Some(Seen { backend: Some(backend), .. })) = (&happened, &got) {
        let ways = said.tiers.last().map(|tier| &tier.ways[..]).unwrap_or_default();
        let way =
            ways.iter().find(|way| way.backend.as_ref().is_some_and(|to| to.target.contains(&format!("/{backend} "))));
        let sent = way.and_then(|way| way.sent.as_ref());
        let told = sent.map(|sent| &sent.fields[..]).unwrap_or_default();
        let wrong = unlike(told, &answer.seen()["headers"]);
        let target = sent.map(|sent| sent.target.clone()).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default().to_owned();
        if !wrong.is_empty() || answer.seen()["path"] != *path {
            return Err(format!(
                "{question:?}\nsent was said to be {target} with {told:?}\n{wrong:?}\n{}",
                answer.body
            ));
        }
    }
    Ok(())
}

#[test]
fn explanations_agree_with_what_the_running_tiers_do() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let backends = BACKENDS.concat();
    let first = Objects::default();
    let files =
        [("topology.yaml", &*first.topology()), ("routes.yaml", &*first.routes()), ("backends.yaml", &*backends)];
    let running = Mutex::new(runtime.block_on(Running::start(&files)));
    let config = Config { cases: cases(), failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let checked = TestRunner::new(config).run(&(generate::objects(), generate::questions()), |(objects, questions)| {
        runtime.block_on(async {
            let files = [("topology.yaml", &*objects.topology()), ("routes.yaml", &*objects.routes())];
            running.lock().await.change(&files).await;
            for question in &questions {
                compare(&*running.lock().await, question).await.map_err(TestCaseError::fail)?;
            }
            Ok(())
        })
    });
    runtime.block_on(running.into_inner().local.stop());
    checked.unwrap_or_else(|error| panic!("{error}"));
}
