//! Records by the interfaces of DNS providers, which the crate `dns-update` speaks. One table says which there are and which entries of the
//! credentials' Secret each needs.

use std::time::Duration;

use dns_update::{DnsRecord, DnsRecordType, DnsUpdater};
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::settings::Credentials;
use super::zone::{Resolver, text_of};
use super::{DnsError, DnsRecords};

/// How long others may keep a record, in seconds: the shortest that all providers take.
const TTL: u32 = 600;
/// How long one request, and all that one record needs, may take.
const LONGEST: (Duration, Duration) = (Duration::from_secs(20), Duration::from_mins(1));

/// Makes a provider of its credentials: those that it must have, in the order of the table, then those that it may have.
type Make = fn(&[String], &[Option<String>]) -> dns_update::Result<DnsUpdater>;

/// A provider.
pub(super) struct Known {
    /// Its word in `challenge.dns01.provider`.
    pub(super) name: &'static str,
    /// The entries that its Secret must have.
    pub(super) needs: &'static [&'static str],
    /// The entries that its Secret may have.
    pub(super) takes: &'static [&'static str],
    make: Make,
}

const fn known(
    name: &'static str,
    needs: &'static [&'static str],
    takes: &'static [&'static str],
    make: Make,
) -> Known {
    Known { name, needs, takes, make }
}

const WITHIN: Option<Duration> = Some(LONGEST.0);
/// A choice of the crate that is not offered here.
const NONE: Option<&str> = None;

/// All providers, by name.
pub(super) const ALL: &[Known] = &[
    known("alidns", &["accessKeyId", "accessKeySecret"], &["region", "securityToken"], |n, t| {
        DnsUpdater::new_alidns(&n[0], &n[1], t[0].as_ref(), t[1].as_ref(), NONE, WITHIN)
    }),
    known("arvancloud", &["apiKey"], &[], |n, _| DnsUpdater::new_arvancloud(&n[0], WITHIN)),
    known("azure", &["tenantId", "clientId", "clientSecret", "subscriptionId", "resourceGroup"], &[], |n, _| {
        DnsUpdater::new_azuredns(dns_update::providers::azuredns::AzureDnsConfig {
            tenant_id: n[0].clone(),
            client_id: n[1].clone(),
            client_secret: n[2].clone(),
            subscription_id: n[3].clone(),
            resource_group: n[4].clone(),
            environment: dns_update::providers::azuredns::AzureEnvironment::Public,
            request_timeout: WITHIN,
        })
    }),
    known("baiducloud", &["accessKeyId", "secretAccessKey"], &[], |n, _| {
        DnsUpdater::new_baiducloud(&n[0], &n[1], WITHIN)
    }),
    known("bunny", &["apiKey"], &[], |n, _| DnsUpdater::new_bunny(&n[0], WITHIN)),
    known("cloudflare", &["apiToken"], &[], |n, _| DnsUpdater::new_cloudflare(&n[0], WITHIN)),
    known("desec", &["token"], &[], |n, _| DnsUpdater::new_desec(&n[0], WITHIN)),
    known("digitalocean", &["token"], &[], |n, _| DnsUpdater::new_digitalocean(&n[0], WITHIN)),
    known("dnsimple", &["token", "accountId"], &[], |n, _| DnsUpdater::new_dnsimple(&n[0], &n[1], WITHIN)),
    known("dnsmadeeasy", &["apiKey", "apiSecret"], &[], |n, _| DnsUpdater::new_dnsmadeeasy(&n[0], &n[1], WITHIN)),
    known("domeneshop", &["token", "secret"], &[], |n, _| DnsUpdater::new_domeneshop(&n[0], &n[1], WITHIN)),
    known("duckdns", &["token"], &[], |n, _| DnsUpdater::new_duckdns(&n[0], WITHIN)),
    known("exoscale", &["apiKey", "apiSecret"], &[], |n, _| DnsUpdater::new_exoscale(&n[0], &n[1], WITHIN)),
    known("gandi", &["token"], &[], |n, _| DnsUpdater::new_gandiv5(&n[0], WITHIN)),
    known("gcore", &["token"], &[], |n, _| DnsUpdater::new_gcore(&n[0], WITHIN)),
    known("godaddy", &["apiKey", "apiSecret"], &[], |n, _| DnsUpdater::new_godaddy(&n[0], &n[1], WITHIN)),
    known("google", &["serviceAccount", "project"], &["managedZone"], |n, t| {
        DnsUpdater::new_google_cloud_dns(dns_update::providers::google_cloud_dns::GoogleCloudDnsConfig {
            service_account_json: n[0].clone(),
            project_id: n[1].clone(),
            managed_zone: t[0].clone(),
            private_zone: false,
            impersonate_service_account: None,
            request_timeout: WITHIN,
        })
    }),
    known("hetzner", &["token"], &[], |n, _| DnsUpdater::new_hetzner(&n[0], WITHIN)),
    known("hostinger", &["token"], &[], |n, _| DnsUpdater::new_hostinger(&n[0], WITHIN)),
    known("huaweicloud", &["accessKeyId", "secretAccessKey", "region"], &[], |n, _| {
        DnsUpdater::new_huaweicloud(&n[0], &n[1], &n[2], WITHIN)
    }),
    known("infomaniak", &["token"], &[], |n, _| DnsUpdater::new_infomaniak(&n[0], WITHIN)),
    known("ionos", &["apiKey"], &[], |n, _| DnsUpdater::new_ionos(&n[0], WITHIN)),
    known("linode", &["token"], &[], |n, _| DnsUpdater::new_linode(&n[0], WITHIN)),
    known("luadns", &["username", "token"], &[], |n, _| DnsUpdater::new_luadns(&n[0], &n[1], WITHIN)),
    known("namecheap", &["username", "apiKey", "clientIp"], &[], |n, _| {
        DnsUpdater::new_namecheap(&n[0], &n[1], &n[2], NONE, WITHIN)
    }),
    known("namedotcom", &["username", "token"], &[], |n, _| DnsUpdater::new_namedotcom(&n[0], &n[1], WITHIN)),
    known("namesilo", &["apiKey"], &[], |n, _| DnsUpdater::new_namesilo(&n[0], WITHIN)),
    known("netcup", &["customerNumber", "apiKey", "apiPassword"], &[], |n, _| {
        DnsUpdater::new_netcup(&n[0], &n[1], &n[2], WITHIN)
    }),
    known("netlify", &["token"], &[], |n, _| DnsUpdater::new_netlify(&n[0], WITHIN)),
    known("ns1", &["apiKey"], &[], |n, _| DnsUpdater::new_ns1(&n[0], WITHIN)),
    known("ovh", &["endpoint", "applicationKey", "applicationSecret", "consumerKey"], &[], |n, _| {
        DnsUpdater::new_ovh(&n[1], &n[2], &n[3], n[0].parse()?, WITHIN)
    }),
    known("porkbun", &["apiKey", "secretApiKey"], &[], |n, _| DnsUpdater::new_porkbun(&n[0], &n[1], WITHIN)),
    known("powerdns", &["apiKey", "url"], &["server"], |n, t| {
        DnsUpdater::new_pdns(&n[0], Some(&n[1]), t[0].as_ref(), WITHIN)
    }),
    known("route53", &["accessKeyId", "secretAccessKey"], &["sessionToken", "region", "hostedZoneId"], |n, t| {
        DnsUpdater::new_route53(dns_update::providers::route53::Route53Config {
            access_key_id: n[0].clone(),
            secret_access_key: n[1].clone(),
            session_token: t[0].clone(),
            region: t[1].clone(),
            hosted_zone_id: t[2].clone(),
            private_zone_only: None,
            endpoint: None,
        })
    }),
    known("scaleway", &["token"], &[], |n, _| DnsUpdater::new_scaleway(&n[0], WITHIN)),
    known("simply", &["account", "apiKey"], &[], |n, _| DnsUpdater::new_simplycom(&n[0], &n[1], WITHIN)),
    known("tencentcloud", &["secretId", "secretKey"], &["region", "sessionToken"], |n, t| {
        DnsUpdater::new_tencentcloud(&n[0], &n[1], t[0].as_ref(), t[1].as_ref(), WITHIN)
    }),
    known("transip", &["login", "privateKey"], &[], |n, _| DnsUpdater::new_transip(&n[0], &n[1], true, WITHIN)),
    known("vercel", &["token"], &["teamId"], |n, t| DnsUpdater::new_vercel(&n[0], t[0].as_ref(), WITHIN)),
    known("volcengine", &["accessKeyId", "secretAccessKey"], &["region"], |n, t| {
        DnsUpdater::new_volcengine(dns_update::providers::volcengine::VolcengineConfig {
            access_key: n[0].clone(),
            secret_key: n[1].clone(),
            region: t[0].clone(),
            host: None,
            scheme: None,
            request_timeout: WITHIN,
        })
    }),
    known("vultr", &["apiKey"], &[], |n, _| DnsUpdater::new_vultr(&n[0], WITHIN)),
];

/// A provider at work.
pub(super) struct Provider {
    name: &'static str,
    updater: DnsUpdater,
    resolver: Resolver,
    /// Several providers read, change and write a whole set of records: one change at a time, so that none undoes another.
    one: Mutex<()>,
}

impl Provider {
    pub(super) fn of(
        known: &Known,
        credentials: &Credentials<'_>,
        resolver: Resolver,
    ) -> Result<Self, super::super::SettingsError> {
        let needs = known.needs.iter().map(|key| credentials.needs(key)).collect::<Result<Vec<_>, _>>()?;
        let takes = known.takes.iter().map(|key| credentials.takes(key)).collect::<Result<Vec<_>, _>>()?;
        let updater =
            (known.make)(&needs, &takes).map_err(|error| credentials.unusable(known.name, &error.to_string()))?;
        Ok(Self { name: known.name, updater, resolver, one: Mutex::default() })
    }

    async fn change(&self, add: bool, name: &str, text: &str) -> Result<(), DnsError> {
        let zone = text_of(&self.resolver.zone(name).await?);
        let records = vec![DnsRecord::TXT(text.to_owned())];
        let _one = self.one.lock().await;
        let done = async {
            if add {
                self.updater.add_to_rrset(name, DnsRecordType::TXT, TTL, records, &zone).await
            } else {
                self.updater.remove_from_rrset(name, DnsRecordType::TXT, records, &zone).await
            }
        };
        let why = match timeout(LONGEST.1, done).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", LONGEST.1.as_secs()),
        };
        let action = if add { "add" } else { "remove" };
        Err(DnsError::Refused { who: self.who(), action, name: name.to_owned(), why })
    }
}

impl DnsRecords for Provider {
    fn who(&self) -> String {
        format!("the DNS provider {}", self.name)
    }

    fn add<'a>(&'a self, name: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(self.change(true, name, text))
    }

    fn remove<'a>(&'a self, name: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(self.change(false, name, text))
    }
}
