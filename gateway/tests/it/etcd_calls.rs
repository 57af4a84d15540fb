//! Calls of a real etcd cluster whose members are killed, frozen and asked for passwords.

use std::sync::Arc;
use std::time::{Duration, Instant};

use etcd_client::{
    Compare, CompareOp, Permission, PermissionType, PutOptions, RoleRevokePermissionOptions, Txn, TxnOp,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use turnout::clock::Clock;
use turnout::config::{ClientCertificate, Login, Secret, TlsConfig};
use turnout::registry::etcd::{Cluster, Contact, Error, Outcome, Reading};

use crate::etcd::Etcd;

pub(crate) fn cluster(etcd: &Etcd, login: Option<Login>) -> Arc<Cluster> {
    let contact = Contact { endpoints: etcd.endpoints(), tls: TlsConfig { ca: None, client: None }, login };
    Arc::new(Cluster::new(contact, Clock::start()))
}

pub(crate) fn login(password: &str) -> Option<Login> {
    Some(Login { username: "gateway".to_owned(), password: Secret::new(password) })
}

/// Makes etcd ask who one is, and lets `gateway` read and write below `/turnout/`.
pub(crate) async fn ask_for_passwords(etcd: &Etcd) {
    let mut client = etcd.client().await;
    client.user_add("root", "root", None).await.unwrap();
    client.role_add("root").await.unwrap();
    client.user_grant_role("root", "root").await.unwrap();
    client.role_add("gateway").await.unwrap();
    let below = Permission::new(PermissionType::Readwrite, "/turnout/").with_prefix();
    client.role_grant_permission("gateway", below).await.unwrap();
    client.user_add("gateway", "first", None).await.unwrap();
    client.user_grant_role("gateway", "gateway").await.unwrap();
    client.auth_enable().await.unwrap();
}

/// A client that may do anything.
pub(crate) async fn root(etcd: &Etcd) -> etcd_client::Client {
    let options = etcd_client::ConnectOptions::new().with_user("root", "root");
    etcd_client::Client::connect([&etcd.endpoints()[0]], Some(options)).await.unwrap()
}

fn member(etcd: &Etcd, cluster: &Cluster) -> usize {
    etcd.endpoints().iter().position(|url| *url == cluster.first()).unwrap()
}

fn write(key: &str, value: &str) -> Txn {
    Txn::new().and_then([TxnOp::put(key, value, None)])
}

/// Lists so often and tells how many failed and how long the longest took.
async fn list(cluster: &Cluster, times: usize) -> (usize, Duration) {
    let (mut failed, mut longest) = (0, Duration::ZERO);
    for _ in 0..times {
        let begun = Instant::now();
        failed += usize::from(cluster.range("/turnout/", Reading::Agreed).await.is_err());
        longest = longest.max(begun.elapsed());
    }
    (failed, longest)
}

#[tokio::test]
async fn a_listing_is_sorted_and_of_one_revision_also_when_it_has_many_pages() {
    let Some(etcd) = Etcd::one().await else { return };
    let cluster = cluster(&etcd, None);
    let mut client = etcd.client().await;
    for batch in 0..13 {
        let ops: Vec<TxnOp> =
            (0..100).map(|at| TxnOp::put(format!("/turnout/{:04}", batch * 100 + at), "x", None)).collect();
        client.txn(Txn::new().and_then(ops)).await.unwrap();
    }
    client.put("/turnou", "before", None).await.unwrap();
    client.put("/turnout0", "after", None).await.unwrap();
    let begun = Instant::now();
    let listing = cluster.range("/turnout/", Reading::Agreed).await.unwrap();
    println!("listed {} entries in {:?}", listing.entries.len(), begun.elapsed());
    let keys: Vec<String> =
        listing.entries.iter().map(|entry| String::from_utf8(entry.key.clone()).unwrap()).collect();
    let expected: Vec<String> = (0..1300).map(|at| format!("/turnout/{at:04}")).collect();
    assert_eq!(keys, expected);
    assert_eq!(listing.revision, 16);
    assert_eq!(cluster.range("", Reading::Local).await.unwrap().entries.len(), 1302);
    assert_eq!(cluster.get("/turnout0", Reading::Agreed).await.unwrap().0.unwrap().value, b"after");
    assert_eq!(cluster.get("/turnout", Reading::Agreed).await.unwrap(), (None, 16));
}

#[tokio::test]
async fn large_values_are_listed_in_smaller_pages() {
    let Some(etcd) = Etcd::one().await else { return };
    let mut client = etcd.client().await;
    for at in 0..72 {
        client.put(format!("/turnout/{at}"), vec![b'x'; 1_000_000], None).await.unwrap();
    }
    let cluster = cluster(&etcd, None);
    assert_eq!(cluster.range("/turnout/", Reading::Agreed).await.unwrap().entries.len(), 72);
}

#[tokio::test]
async fn no_listing_fails_while_one_of_three_members_is_dead() {
    let Some(mut etcd) = Etcd::three().await else { return };
    let cluster = cluster(&etcd, None);
    cluster.range("/turnout/", Reading::Agreed).await.unwrap();
    let dead = member(&etcd, &cluster);
    etcd.kill(dead);
    // Until the others agree on a leader nobody can list.
    etcd.ready((dead + 1) % 3).await;
    let (failed, longest) = list(&cluster, 500).await;
    println!("dead member: {failed} of 500 failed, the longest took {longest:?}");
    assert_eq!(failed, 0);
    assert!(longest < Duration::from_secs(2));
    for at in 0..20 {
        cluster.txn(write("/turnout/x", &at.to_string())).await.unwrap();
    }
}

#[tokio::test]
async fn no_listing_fails_while_one_of_three_members_is_frozen() {
    let Some(etcd) = Etcd::three().await else { return };
    let cluster = cluster(&etcd, None);
    cluster.range("/turnout/", Reading::Agreed).await.unwrap();
    let frozen = member(&etcd, &cluster);
    etcd.freeze(frozen);
    etcd.ready((frozen + 1) % 3).await;
    let (failed, first) = list(&cluster, 1).await;
    let (more, longest) = list(&cluster, 500).await;
    println!("frozen member: {failed} and {more} of 500 failed, the first took {first:?}, then {longest:?}");
    assert_eq!((failed, more), (0, 0));
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    etcd.thaw(frozen);
}

#[tokio::test]
async fn etcd_may_be_away_at_the_start_and_comes_later() {
    let Some(mut etcd) = Etcd::one().await else { return };
    etcd.kill(0);
    let cluster = cluster(&etcd, None);
    let error = cluster.txn(write("/turnout/x", "1")).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert_eq!(error.outcome(), Outcome::NotDone);
    etcd.restart(0).await;
    cluster.txn(write("/turnout/x", "1")).await.unwrap();
    for _ in 0..3 {
        etcd.kill(0);
        etcd.restart(0).await;
        assert_eq!(list(&cluster, 20).await.0, 0);
    }
}

/// Stands before a member, takes everything to it, and takes back what it says while that is open. The port.
async fn one_way(member: &str, open: watch::Receiver<bool>, tasks: &mut JoinSet<()>) -> u16 {
    let member = member.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let (mut asks, mut hears) = client.into_split();
            let (mut says, mut takes) = TcpStream::connect(&member).await.unwrap().into_split();
            let mut open = open.clone();
            connections.spawn(async move {
                let back = async {
                    let mut buffer = [0; 4096];
                    while let Ok(read @ 1..) = says.read(&mut buffer).await {
                        let opened = open.wait_for(|open| *open).await.is_ok();
                        if !opened || hears.write_all(&buffer[..read]).await.is_err() {
                            return;
                        }
                    }
                };
                let _ = tokio::join!(tokio::io::copy(&mut asks, &mut takes), back);
            });
        }
    });
    port
}

#[tokio::test]
async fn a_write_that_got_no_answer_may_have_happened() {
    let Some(etcd) = Etcd::one().await else { return };
    let (tells, open) = watch::channel(true);
    let mut tasks = JoinSet::new();
    let port = one_way(&etcd.endpoints()[0], open, &mut tasks).await;
    let endpoints = vec![format!("http://127.0.0.1:{port}")];
    let contact = Contact { endpoints, tls: TlsConfig { ca: None, client: None }, login: None };
    let cut = Arc::new(Cluster::new(contact, Clock::start()));
    cut.txn(write("/turnout/x", "1")).await.unwrap();
    tells.send_replace(false);
    let begun = Instant::now();
    let error = cut.txn(write("/turnout/x", "2")).await.unwrap_err();
    assert!(matches!(error, Error::Unanswered { .. }), "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
    let whole = cluster(&etcd, None);
    assert_eq!(whole.get("/turnout/x", Reading::Agreed).await.unwrap().0.unwrap().value, b"2");
}

#[tokio::test]
async fn without_a_majority_a_member_still_tells_what_it_has() {
    let Some(mut etcd) = Etcd::three().await else { return };
    let cluster = cluster(&etcd, None);
    cluster.txn(write("/turnout/x", "1")).await.unwrap();
    etcd.kill(0);
    etcd.kill(1);
    // The last one needs a moment to notice.
    let until = Instant::now() + Duration::from_secs(20);
    let error = loop {
        match cluster.range("/turnout/", Reading::Agreed).await {
            Err(error @ Error::NoLeader) => break error,
            other => assert!(Instant::now() < until, "{other:?}"),
        }
    };
    assert_eq!(error.outcome(), Outcome::NotDone);
    assert_eq!(cluster.range("/turnout/", Reading::Local).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn leases_are_granted_renewed_asked_for_and_revoked_by_number() {
    let Some(etcd) = Etcd::one().await else { return };
    let cluster = cluster(&etcd, None);
    let granted = cluster.lease_grant(77, 30).await.unwrap();
    assert_eq!((granted.lease, granted.ttl_s), (77, 30));
    assert_eq!(cluster.lease_grant(77, 30).await.unwrap().ttl_s, 30, "twice is once");
    assert!(cluster.lease_keep_alive(77).await.unwrap());
    assert!(cluster.lease_left(77).await.unwrap().is_some_and(|left| (28..=30).contains(&left)));
    assert!(cluster.lease_revoke(77).await.unwrap());
    assert!(!cluster.lease_revoke(77).await.unwrap());
    assert!(!cluster.lease_keep_alive(77).await.unwrap());
    assert_eq!(cluster.lease_left(77).await.unwrap(), None);
    let orphan = Txn::new().and_then([TxnOp::put("/turnout/x", "1", Some(PutOptions::new().with_lease(77)))]);
    assert!(matches!(cluster.txn(orphan).await.unwrap_err(), Error::NoLease));
}

#[tokio::test]
async fn a_transaction_that_found_something_else_is_answered_and_not_an_error() {
    let Some(etcd) = Etcd::one().await else { return };
    let cluster = cluster(&etcd, None);
    let first = Compare::version("/turnout/x", CompareOp::Equal, 0);
    let create = Txn::new().when([first]).and_then([TxnOp::put("/turnout/x", "1", None)]);
    assert!(cluster.txn(create.clone()).await.unwrap().succeeded());
    assert!(!cluster.txn(create).await.unwrap().succeeded());
}

#[tokio::test]
async fn a_login_is_renewed_when_its_token_ends_and_when_the_password_changes() {
    let Some(mut etcd) = Etcd::one_with(&["--auth-token-ttl", "1"]).await else { return };
    let cluster = cluster(&etcd, login("first"));
    cluster.txn(write("/turnout/x", "1")).await.expect("nobody asks for a password yet");
    ask_for_passwords(&etcd).await;
    cluster.txn(write("/turnout/x", "2")).await.expect("from now on everybody is asked");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    cluster.txn(write("/turnout/x", "3")).await.expect("the token ended");
    etcd.kill(0);
    etcd.restart(0).await;
    cluster.txn(write("/turnout/x", "4")).await.expect("a new process knows no tokens");

    root(&etcd).await.user_change_password("gateway", "second").await.unwrap();
    let error = cluster.txn(write("/turnout/x", "5")).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
    cluster.login(login("second"));
    cluster.txn(write("/turnout/x", "6")).await.unwrap();

    let error = cluster.txn(write("/elsewhere", "1")).await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error}");
    let mut root = root(&etcd).await;
    let below = RoleRevokePermissionOptions::new().with_prefix();
    root.role_revoke_permission("gateway", "/turnout/", Some(below)).await.unwrap();
    assert!(matches!(cluster.range("/turnout/", Reading::Agreed).await, Err(Error::Denied(_))));
}

/// etcd's other kind of token is bound to the revision of its users, which changes with anybody's.
#[tokio::test]
async fn a_login_is_renewed_when_somebody_else_becomes_a_user() {
    let certs = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certs");
    let token =
        format!("jwt,pub-key={certs}/server.pem,priv-key={certs}/server.key,sign-method=ES256,ttl=10m");
    let Some(etcd) = Etcd::one_with(&["--auth-token", &token]).await else { return };
    ask_for_passwords(&etcd).await;
    let cluster = cluster(&etcd, login("first"));
    cluster.txn(write("/turnout/x", "1")).await.unwrap();
    root(&etcd).await.user_add("somebody", "else", None).await.unwrap();
    cluster.txn(write("/turnout/x", "2")).await.unwrap();
    assert_eq!(cluster.range("/turnout/", Reading::Agreed).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn certificates_that_were_replaced_are_read_without_a_restart() {
    let Some(etcd) = Etcd::secure().await else { return };
    let certs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certs");
    let mine = tempfile::tempdir().unwrap();
    let ca = mine.path().join("ca.pem");
    let client = ClientCertificate { cert: certs.join("client.pem"), key: certs.join("client.key") };
    let tls = TlsConfig { ca: Some(ca.clone()), client: Some(client) };
    let contact = Contact { endpoints: etcd.endpoints(), tls, login: None };
    let cluster = Cluster::new(contact, Clock::start());
    assert!(matches!(cluster.txn(write("/turnout/x", "1")).await, Err(Error::File(..))));
    // A certificate, and not the one that the server's is signed by.
    std::fs::copy(certs.join("client.pem"), &ca).unwrap();
    let error = cluster.txn(write("/turnout/x", "1")).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    std::fs::copy(certs.join("ca.pem"), &ca).unwrap();
    cluster.txn(write("/turnout/x", "1")).await.unwrap();
}
