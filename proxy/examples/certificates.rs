//! What many ordered certificates cost: how long a tier takes from its start until it serves them, how much memory each
//! takes, what finding one costs, and what it takes to swap them.
//!
//! `TMPDIR=/dev/shm cargo run --release --package bailey-proxy --example certificates -- 10000`: on a disk, writing 10,000 records
//! first takes minutes, since each is brought to it.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bailey_acme::names::CertificateId;
use bailey_acme::{Secret, Time, record};
use bailey_proxy::acme::store::{Disk, Item, Store, Volume};
use bailey_proxy::acme::{Driver, Hold, Material, Settings};
use bailey_proxy::snapshot::{Snapshot, build};
use bailey_proxy::tls::public::CertificateIssuer as _;
use bailey_translate::{Object, Objects, Options, Scope};
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, IsCa, Issuer, KeyPair};
use serde_json::json;

const TENANT: &str = "red";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    bailey_kit::kube::use_provider();
    let count: u32 = std::env::args().nth(1).map_or(Ok(10_000), |text| text.parse())?;
    let hosts: Vec<String> = (0..count).map(|number| format!("host-{number}.example.com")).collect();
    let folder = tempfile::tempdir()?;
    fill(&Volume::open(Disk::at(folder.path())?), &hosts).await?;

    let snapshot = serving(&hosts)?;
    let hold: Arc<Hold> = Arc::default();
    let begin = Instant::now();
    hold.follow(&snapshot);
    println!("{:9.1} ms to learn the names of a new configuration", millis(begin));
    let before = resident();
    let begin = Instant::now();
    let store = Arc::new(Volume::open(Disk::at(folder.path())?));
    let driver = Driver::load(settings()?, store, hold.clone()).await?;
    println!("{:9.1} ms from the start to {} certificates served", millis(begin), hold.issued().len());
    println!("{:9.1} KiB of memory for each certificate", (resident() - before) / f64::from(count));

    for of in [1, hosts.len()] {
        let begin = Instant::now();
        for round in 0..1_000_000 {
            black_box(hold.issue(&hosts[round * 7919 % of]));
        }
        println!("{:9.1} ns to find one of {of}", millis(begin));
    }
    let begin = Instant::now();
    drop(driver);
    println!("{:9.1} ms to end the driver, while they go on serving: {}", millis(begin), hold.issued().len());
    Ok(())
}

fn millis(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1000.0
}

/// KiB of memory that the process uses.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(f64::NAN)
}

fn settings() -> Result<Settings, Box<dyn Error>> {
    let acme = json!({"directory": "https://ca.example.com/directory", "challenge": {"http01": {}}});
    Ok(Settings::of(&serde_json::from_value(acme)?, &Material::default())?)
}

/// Puts a certificate for each host into the store, with an intermediate as authorities send it.
async fn fill(store: &Volume, hosts: &[String]) -> Result<(), Box<dyn Error>> {
    // As long as those of public authorities.
    let long = |params: &mut CertificateParams| {
        let comment = [2, 16, 840, 1, 113_730, 1, 13];
        params.custom_extensions.push(CustomExtension::from_oid_content(&comment, vec![0x16; 700]));
    };
    let mut params = CertificateParams::new(Vec::new())?;
    long(&mut params);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let intermediate = params.self_signed(&key)?;
    let issuer = Issuer::new(params, key);
    for host in hosts {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![host.clone()])?;
        long(&mut params);
        let leaf = params.signed_by(&key, &issuer)?;
        let record = record::Certificate {
            generation: 1,
            tenant: TENANT.to_owned(),
            host: host.clone(),
            authority: "https://ca.example.com/directory".to_owned(),
            profile: None,
            issued: Time(1_800_000_000),
            unwanted: None,
            key: Secret::new(key.serialize_der()),
            chain: vec![leaf.der().to_vec(), intermediate.der().to_vec()],
        };
        store.save(Item::Certificate(CertificateId::of(TENANT, host), record.into())).await?;
    }
    Ok(())
}

/// What an outer tier serves with these hosts.
fn serving(hosts: &[String]) -> Result<Snapshot, Box<dyn Error>> {
    let mut objects = Objects::default();
    let service = json!({"namespace": "red", "name": "edge-red", "port": 8443});
    let config = json!({
        "apiVersion": "bailey.dev/v1alpha1", "kind": "TierConfig", "metadata": {"name": "edge-outer", "namespace": "in"},
        "spec": {"role": "Outer", "topology": "edge", "link": {"identity": "bailey://edge/outer"},
            "listeners": [{"name": "https", "port": 443, "protocol": "HTTPS"}],
            "tenants": [{"name": TENANT, "identity": "bailey://edge/tenant/red", "service": service}]},
    });
    let binding = |host: &String| {
        json!({"apiVersion": "bailey.dev/v1alpha1", "kind": "HostnameBinding", "metadata": {"name": host, "namespace": "in"},
            "spec": {"hostname": host, "tenant": TENANT, "service": service}})
    };
    for value in std::iter::once(config).chain(hosts.iter().map(binding)) {
        objects.insert_any(Object::from_value(value)?, None);
    }
    let built = build(&objects, &Scope::Outer { topology: "edge".into() }, Options::default(), &Snapshot::default());
    built.snapshot.ok_or_else(|| "these objects serve nothing".into())
}
