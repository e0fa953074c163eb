//! Bailey on a real Kubernetes: etcd, API server, controllers, kubelet, kube-proxy, containerd and a client with an address of its own.
//!
//! All tests share one cluster, which the first of them starts and which ends with this process (see `tests/cluster/README.md`). They are
//! ignored unless asked for, because they need root, Debian packages and programs that are built once: `make cluster-test`.
#![allow(clippy::unwrap_used, reason = "a test")]

mod addresses;
mod authority;
mod bed;
mod between;
mod certificates;
mod cli;
mod definitions;
mod faults;
mod hostnames;
mod images;
mod install;
mod kubernetes;
mod machine;
mod outage;
mod permissions;
mod proxy;
mod removal;
mod rest;
mod routes;
mod site;
mod tenancy;
mod traces;
mod traffic;
mod upgrade;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// Tests by their paths.
macro_rules! tests {
    ($($module:ident::$name:ident,)*) => {
        &[$((concat!(stringify!($module), "::", stringify!($name)), $module::$name)),*]
    };
}

/// Every test, in the order in which they run.
#[rustfmt::skip]
const TESTS: &[(&str, fn())] = tests![
    images::they_hold_one_static_program_and_no_shell,
    images::the_proxys_is_small,
    images::the_same_files_make_the_same_archive,
    images::the_dockerfile_makes_the_same,
    machine::the_node_is_ready_and_names_resolve,
    machine::the_audit_log_tells_who_wrote_what,
    machine::the_api_server_can_be_stopped_and_started,
    machine::an_interrupted_cluster_leaves_nothing,
    addresses::a_host_port_shows_the_clients_address,
    addresses::a_local_load_balancer_shows_the_clients_address,
    addresses::a_cluster_wide_load_balancer_loses_the_clients_address,
    definitions::the_server_agrees_with_the_offline_rules,
    definitions::samples_are_accepted,
    definitions::fields_are_explained,
    proxy::a_tier_from_the_image_serves_a_folder,
    install::the_readmes_commands_make_a_site,
    install::the_application_sees_the_client_through_both_tiers,
    install::host_ports_show_the_clients_address,
    install::a_cluster_wide_load_balancer_is_said_to_lose_the_address,
    tenancy::an_inner_tier_lets_in_its_own_outer_tier_alone,
    routes::a_new_route_is_404_then_200_and_404_when_it_is_gone,
    routes::a_route_for_a_listener_that_is_not_there_is_refused_and_not_served,
    routes::changes_of_routes_lose_no_request,
    routes::rolls_lose_no_request,
    routes::scaling_loses_no_request,
    routes::a_route_works_soon,
    hostnames::the_first_owner_keeps_a_hostname_and_the_second_is_told,
    outage::routes_and_endpoints_change_without_the_operator,
    outage::a_tier_that_restarts_without_the_api_server_serves_what_it_last_knew_and_says_so,
    permissions::a_missing_permission_of_a_tier_is_named_and_is_never_a_404,
    permissions::a_missing_permission_of_the_operator_is_named,
    permissions::a_binding_that_somebody_deletes_comes_back,
    removal::what_goes_leaves_nothing_but_the_kept_volume,
    rest::nothing_is_written_at_rest,
    cli::a_site_that_works_is_said_to_work,
    cli::a_pods_configuration_is_shown_and_compared,
    cli::a_permission_that_is_taken_is_named_by_check,
    cli::a_request_is_traced_over_the_pods_of_both_tiers,
    upgrade::an_upgrade_rolls_inner_tiers_first_and_loses_no_request,
    traces::spans_of_both_tiers_make_one_trace,
    certificates::every_challenge_proves_names_and_one_replica_keeps_them_on_a_volume,
    certificates::three_replicas_order_each_name_once_and_share_it_by_secrets,
    certificates::a_leader_killed_in_mid_order_loses_nothing_and_repeats_no_order,
    faults::any_write_may_fail_in_any_way,
    rest::two_hundred_tenants_cost_little,
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
        let why = why.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default();
        let why = if why.contains("\n== Pods") { why } else { format!("{why}\n{}", bed::bed().describe()) };
        why.into()
    })
}
