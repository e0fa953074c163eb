//! Bailey on a real Kubernetes: etcd, API server, controllers, kubelet, kube-proxy, containerd and a client with an address of its own.
//!
//! All tests share one cluster, which the first of them starts and which ends with this process (see `tests/cluster/README.md`). They are
//! ignored unless asked for, because they need root, Debian packages and programs that are built once: `make cluster-test`.
#![allow(clippy::unwrap_used, reason = "a test")]

mod addresses;
mod bed;
mod definitions;
mod kubernetes;
mod machine;
mod proxy;
mod traffic;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// Every test, in the order in which they run.
const TESTS: &[(&str, fn())] = &[
    ("machine::the_node_is_ready_and_names_resolve", machine::the_node_is_ready_and_names_resolve),
    ("machine::the_audit_log_tells_who_wrote_what", machine::the_audit_log_tells_who_wrote_what),
    ("machine::the_api_server_can_be_stopped_and_started", machine::the_api_server_can_be_stopped_and_started),
    ("machine::an_interrupted_cluster_leaves_nothing", machine::an_interrupted_cluster_leaves_nothing),
    ("addresses::a_host_port_shows_the_clients_address", addresses::a_host_port_shows_the_clients_address),
    (
        "addresses::a_local_load_balancer_shows_the_clients_address",
        addresses::a_local_load_balancer_shows_the_clients_address,
    ),
    (
        "addresses::a_cluster_wide_load_balancer_loses_the_clients_address",
        addresses::a_cluster_wide_load_balancer_loses_the_clients_address,
    ),
    ("definitions::the_server_agrees_with_the_offline_rules", definitions::the_server_agrees_with_the_offline_rules),
    ("definitions::samples_are_accepted", definitions::samples_are_accepted),
    ("definitions::fields_are_explained", definitions::fields_are_explained),
    ("proxy::a_tier_from_the_image_serves_a_folder", proxy::a_tier_from_the_image_serves_a_folder),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1); // they share a cluster, and two cores
    let trial = |(name, test): &(&str, fn())| {
        let test = *test;
        Trial::test(*name, move || run(test)).with_ignored_flag(true)
    };
    let conclusion = libtest_mimic::run(&arguments, TESTS.iter().map(trial).collect());
    let left = bed::end();
    if let Err(left) = &left {
        eprintln!("{left}");
    }
    if conclusion.has_failed() || left.is_err() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs a test; if it fails, what is in the cluster is printed with it.
fn run(test: fn()) -> Result<(), Failed> {
    catch_unwind(AssertUnwindSafe(test)).map_err(|panic| {
        let why = panic.downcast_ref::<String>().cloned();
        why.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default().into()
    })
}
