//! Straight into etcd: against a real etcd, which is killed, frozen and tampered with.
//!
//! Runs where `TURNOUT_TEST_ETCD` names the binary, as `cargo xtask test` sees to.

use std::ffi::OsString;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, GetOptions, PutOptions};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use turnout_service::Routes;

use crate::world::{Log, catalog, eventually, run};

/// The shortest lease that etcd grants with its default election timeout is 2 s.
const TTL: Duration = Duration::from_secs(2);

/// A member of a cluster of one. Its process is killed when it goes.
struct Etcd {
    binary: OsString,
    data: TempDir,
    client: String,
    peer: String,
    child: Child,
}

impl Etcd {
    /// Starts one, or says that none was named.
    async fn start() -> Option<Self> {
        let Some(binary) = std::env::var_os("TURNOUT_TEST_ETCD") else {
            println!("skipped: TURNOUT_TEST_ETCD is not set");
            return None;
        };
        let (client, peer) = (free().await, free().await);
        let data = tempfile::tempdir().unwrap();
        let child = spawn(&binary, &data, &client, &peer);
        let etcd = Self { binary, data, client, peer, child };
        etcd.ready().await;
        Some(etcd)
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn restart(&mut self) {
        self.child = spawn(&self.binary, &self.data, &self.client, &self.peer);
        self.ready().await;
    }

    /// Sends a signal to the process: STOP freezes it, CONT lets it go on.
    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    async fn ready(&self) {
        eventually("etcd answers", async || self.client().await.get("x", None).await.ok()).await;
    }

    async fn client(&self) -> Client {
        let options = ConnectOptions::new().with_timeout(Duration::from_secs(2));
        Client::connect([&self.client], Some(options)).await.unwrap()
    }

    /// The instances below the root, with their leases.
    async fn instances(&self) -> Vec<(Value, i64)> {
        let prefix = Some(GetOptions::new().with_prefix());
        let Ok(found) = self.client().await.get("/turnout/v1/instances/", prefix).await else {
            return Vec::new();
        };
        found.kvs().iter().map(|pair| (serde_json::from_slice(pair.value()).unwrap(), pair.lease())).collect()
    }

    async fn joined(&self) -> (Value, i64) {
        eventually("an instance is registered", async || self.instances().await.into_iter().next()).await
    }

    fn url(&self) -> String {
        format!("etcd://{}", self.client)
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn free() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

fn spawn(binary: &OsString, data: &TempDir, client: &str, peer: &str) -> Child {
    let (client, peer) = (format!("http://{client}"), format!("http://{peer}"));
    Command::new(binary)
        .arg("--data-dir")
        .arg(data.path())
        .args(["--name", "one", "--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("one={peer}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("TURNOUT_TEST_ETCD can be run")
}

#[tokio::test]
async fn the_native_keys_are_written_and_removed() {
    let Some(etcd) = Etcd::start().await else { return };
    let running = run(catalog().zone("a").ttl(TTL), Routes::default(), &etcd.url());
    let (instance, lease) = etcd.joined().await;
    assert!(lease != 0, "under a lease");
    assert_eq!(instance["v"], 1);
    assert_eq!(instance["service"], "catalog");
    assert_eq!(instance["version"], "1.5.0");
    assert_eq!(instance["codec"], "protobuf");
    assert_eq!(instance["weight"], 100);
    assert_eq!(instance["state"], "up");
    assert_eq!(instance["health"], "grpc");
    assert_eq!(instance["schema"]["kind"], "proto-fds");
    instance["registered_at"].as_str().unwrap().parse::<prost_types::Timestamp>().unwrap();

    let digest = instance["schema"]["digest"].as_str().unwrap();
    let root = format!("/turnout/v1/schemas/{}", digest.strip_prefix("sha256:").unwrap());
    let mut client = etcd.client().await;
    let meta = client.get(format!("{root}/meta"), None).await.unwrap();
    let meta: Value = serde_json::from_slice(meta.kvs()[0].value()).unwrap();
    assert_eq!(meta["chunks"], 1);
    assert_eq!(meta["size"], turnout_proto::REGISTRY_DESCRIPTORS.len());
    assert_eq!(meta["services"][0], "turnout.registry.v1.Registry");
    let chunk = client.get(format!("{root}/c/0000"), None).await.unwrap();
    assert_eq!(chunk.kvs()[0].value(), turnout_proto::REGISTRY_DESCRIPTORS);

    // Longer than the lease would live without heartbeats.
    tokio::time::sleep(2 * TTL).await;
    assert_eq!(etcd.instances().await[0].1, lease, "the lease is kept");
    running.stopped().await;
    assert!(etcd.instances().await.is_empty());
    assert!(client.leases().await.unwrap().leases().is_empty(), "the lease is revoked");
}

#[tokio::test]
async fn a_draining_instance_says_so_under_the_same_lease() {
    let Some(etcd) = Etcd::start().await else { return };
    let service = catalog().ttl(TTL).linger(Duration::from_millis(700));
    let running = run(service, Routes::default(), &etcd.url());
    let (_, lease) = etcd.joined().await;
    running.stop.cancel();
    eventually("it is draining", async || {
        let found = etcd.instances().await.pop()?;
        (found.0["state"] == "draining" && found.1 == lease).then_some(())
    })
    .await;
    running.ended().await;
    assert!(etcd.instances().await.is_empty());
}

#[tokio::test]
async fn after_a_kill_of_etcd_the_service_is_there_again() {
    let Some(mut etcd) = Etcd::start().await else { return };
    let running = run(catalog().ttl(TTL), Routes::default(), &etcd.url());
    etcd.joined().await;
    etcd.kill();
    // Empty, as after the loss of a disk: nothing but a new registration can bring it back.
    etcd.data = tempfile::tempdir().unwrap();
    etcd.restart().await;
    let (instance, _) = etcd.joined().await;
    assert_eq!(instance["state"], "up");
    running.stopped().await;
    assert!(etcd.instances().await.is_empty());
}

#[tokio::test]
async fn a_registration_whose_answer_nobody_heard_is_taken_back_as_well() {
    let Some(etcd) = Etcd::start().await else { return };
    let running = run(catalog().ttl(Duration::from_secs(60)), Routes::default(), &etcd.url());
    let (instance, heard) = etcd.joined().await;
    let mut client = etcd.client().await;
    let prefix = Some(GetOptions::new().with_prefix());
    let key = client.get("/turnout/v1/instances/", prefix).await.unwrap().kvs()[0].key().to_vec();
    // As after a join that was given up: the lease that the service knows has ended, and the key is there
    // under one that it was never told of.
    client.lease_revoke(heard).await.unwrap();
    let unheard = client.lease_grant(60, None).await.unwrap().id();
    let under = Some(PutOptions::new().with_lease(unheard));
    client.put(key, serde_json::to_vec(&instance).unwrap(), under).await.unwrap();
    running.stopped().await;
    assert!(etcd.instances().await.is_empty());
}

#[tokio::test]
async fn a_frozen_etcd_is_joined_again_when_it_thaws() {
    let Some(etcd) = Etcd::start().await else { return };
    let running = run(catalog().ttl(TTL), Routes::default(), &etcd.url());
    let (_, lease) = etcd.joined().await;
    etcd.signal("STOP");
    tokio::time::sleep(2 * TTL).await;
    etcd.signal("CONT");
    eventually("it is registered under a new lease", async || {
        etcd.instances().await.first().is_some_and(|found| found.1 != lease).then_some(())
    })
    .await;
    running.stopped().await;
}

#[tokio::test]
async fn a_killed_service_is_gone_when_its_lease_ends() {
    let Some(etcd) = Etcd::start().await else { return };
    let running = run(catalog().ttl(TTL), Routes::default(), &etcd.url());
    etcd.joined().await;
    running.killed().await;
    eventually("its key is gone", async || etcd.instances().await.is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_revoked_lease_is_replaced() {
    let Some(etcd) = Etcd::start().await else { return };
    let running = run(catalog().ttl(TTL), Routes::default(), &etcd.url());
    let (_, lease) = etcd.joined().await;
    etcd.client().await.lease_revoke(lease).await.unwrap();
    let (_, next) = etcd.joined().await;
    assert!(next != lease);
    running.stopped().await;
}

#[tokio::test]
async fn a_key_that_somebody_deleted_is_noticed_within_half_a_minute() {
    let Some(etcd) = Etcd::start().await else { return };
    let running = run(catalog().ttl(TTL), Routes::default(), &etcd.url());
    let (instance, lease) = etcd.joined().await;
    let key = format!("/turnout/v1/instances/catalog/{}", instance["id"].as_str().unwrap());
    etcd.client().await.delete(key, None).await.unwrap();
    // The check is due after 30 s; the lease lives all that time.
    tokio::time::sleep(Duration::from_secs(25)).await;
    let (_, next) = etcd.joined().await;
    assert!(next != lease);
    running.stopped().await;
}

#[tokio::test]
async fn a_cluster_with_users_is_joined_by_password_only() {
    let Some(etcd) = Etcd::start().await else { return };
    let mut client = etcd.client().await;
    client.user_add("root", "p@ss", None).await.unwrap();
    client.role_add("root").await.unwrap();
    client.user_grant_role("root", "root").await.unwrap();
    client.auth_enable().await.unwrap();

    let log = Log::capture();
    // With the usual lease: etcd takes its time to check a password.
    let stranger = run(catalog(), Routes::default(), &format!("etcd://root:guess@{}", etcd.client));
    log.says("the registry refused catalog 1.5.0").await;
    log.says("check user and password").await;
    stranger.stopped().await;

    let known = run(catalog(), Routes::default(), &format!("etcd://root:p%40ss@{}", etcd.client));
    log.says("registered catalog 1.5.0").await;
    known.stopped().await;
    log.says("deregistered catalog 1.5.0").await;
}

#[tokio::test]
async fn a_dead_member_does_not_keep_a_service_out() {
    let Some(etcd) = Etcd::start().await else { return };
    let dead = free().await;
    let url = format!("etcd://{dead},{}/turnout/v1", etcd.client);
    let running = run(catalog().ttl(TTL), Routes::default(), &url);
    let (_, lease) = etcd.joined().await;
    tokio::time::sleep(2 * TTL).await;
    assert_eq!(etcd.instances().await[0].1, lease, "the lease is kept");
    running.stopped().await;
}
