//! The binary killed at random moments, with clients in the middle of what they do: what was acknowledged is
//! there after the restart, what nobody asked for is not, and the revision has not gone back.
//!
//! Twenty rounds by default; `TURNOUT_ROUNDS=100` for a long look. A round that fails prints its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use turnout::clock::Clock;
use turnout::registry::audit::Audit;
use turnout::registry::embedded;
use turnout_control::audit::{self, Act};
use turnout_control::records::{Change, Key};
use turnout_schema::Digest;

use crate::gateway::shop;
use crate::process::{Turnout, turnout};

const ROUNDS: u32 = 20;
const CLIENTS: usize = 4;
const INSTANCES: usize = 12;

/// What a registration is, as far as anybody was told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Absent,
    /// The version, and how often it has changed.
    Here(String, u64),
}

/// What one client did to its service, and what it was told.
#[derive(Debug)]
struct Book {
    service: String,
    /// The last that was acknowledged, by id.
    told: BTreeMap<String, State>,
    /// What was asked for and not answered.
    asked: BTreeMap<String, State>,
    leases: BTreeMap<String, String>,
    /// The digest of every version with an acknowledged registration.
    versions: BTreeMap<String, String>,
    /// Stored descriptors, by the version they are for.
    stored: BTreeMap<String, String>,
    revision: u64,
    changes: u64,
}

impl Book {
    fn new(client: usize) -> Book {
        Book {
            service: format!("s{client}"),
            told: BTreeMap::new(),
            asked: BTreeMap::new(),
            leases: BTreeMap::new(),
            versions: BTreeMap::new(),
            stored: BTreeMap::new(),
            revision: 0,
            changes: 0,
        }
    }

    fn saw(&mut self, answer: &Value) {
        let revision = answer["revision"].as_u64().unwrap();
        assert!(revision >= self.revision, "revision {revision} after {}", self.revision);
        self.revision = revision;
    }

    /// Holds what is listed after a restart against what was told, and goes on from there.
    fn check(&mut self, listed: &Value) {
        self.saw(listed);
        let (mut found, mut bound) = (BTreeMap::new(), BTreeMap::new());
        for service in listed["services"].as_array().unwrap() {
            if service["service"] != self.service.as_str() {
                continue;
            }
            for version in service["versions"].as_array().unwrap() {
                let name = version["version"].as_str().unwrap().to_owned();
                bound.extend(version["digest"].as_str().map(|digest| (name.clone(), digest.to_owned())));
                for instance in version["instances"].as_array().unwrap() {
                    let change = instance["meta"]["change"].as_str().unwrap().parse().unwrap();
                    let id = instance["id"].as_str().unwrap().to_owned();
                    found.insert(id, State::Here(name.clone(), change));
                }
            }
        }
        for (version, digest) in &self.versions {
            assert_eq!(bound.get(version), Some(digest), "{} {version}", self.service);
        }
        let ids: BTreeSet<&String> = self.told.keys().chain(self.asked.keys()).chain(found.keys()).collect();
        for id in ids {
            let now = found.get(id).unwrap_or(&State::Absent);
            let told = self.told.get(id).unwrap_or(&State::Absent);
            let asked = self.asked.get(id);
            let service = &self.service;
            assert!(
                now == told || Some(now) == asked,
                "{service}/{id}: {now:?}, told {told:?}, asked {asked:?}"
            );
        }
        self.leases.retain(|id, _| found.contains_key(id));
        (self.told, self.asked) = (found, BTreeMap::new());
    }
}

#[derive(Clone)]
struct Admin {
    client: Client<HttpConnector, Full<Bytes>>,
    at: String,
}

impl Admin {
    fn of(turnout: &Turnout) -> Admin {
        Admin { client: Client::builder(TokioExecutor::new()).build_http(), at: turnout.admin.clone() }
    }

    /// The answer, or `None` when the gateway died.
    async fn call(&self, method: Method, path: &str, body: Vec<u8>) -> Option<(StatusCode, Value)> {
        let uri = format!("{}/registry/v1/{path}", self.at);
        let request = Request::builder().method(method).uri(uri).body(Full::new(body.into())).unwrap();
        let answered = tokio::time::timeout(Duration::from_secs(20), async {
            let (head, body) = self.client.request(request).await.ok()?.into_parts();
            let body = body.collect().await.ok()?.to_bytes();
            Some((head.status, serde_json::from_slice(&body).unwrap_or_default()))
        });
        answered.await.unwrap()
    }

    /// The answer of a gateway that lives.
    async fn ask(&self, method: Method, path: &str) -> Value {
        let (status, answer) = self.call(method, path, Vec::new()).await.unwrap();
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// Registers, removes, stores and sends heartbeats until the gateway dies.
    async fn work(self, mut book: Book, mut dice: StdRng) -> Book {
        while self.step(&mut book, &mut dice).await.is_some() {}
        book
    }

    async fn step(&self, book: &mut Book, dice: &mut StdRng) -> Option<()> {
        let id = format!("i{}", dice.random_range(0..INSTANCES));
        let lease = book.leases.get(&id).cloned();
        match (dice.random_range(0..10), lease) {
            (0, _) => self.store(book).await,
            (1..4, Some(lease)) => self.deregister(book, &id, &lease).await,
            (4, Some(lease)) => {
                let path = format!("leases/{lease}/keepalive");
                let (status, answer) = self.call(Method::POST, &path, Vec::new()).await?;
                assert_eq!(status, StatusCode::OK, "{answer}");
                Some(())
            }
            _ => self.register(book, &id, dice).await,
        }
    }

    async fn store(&self, book: &mut Book) -> Option<()> {
        let version = format!("1.{}.0", book.stored.len());
        // Of another shop for each service, so that nobody stores for another.
        let bytes = shop(&format!("{}.{version}", book.service));
        let digest = Digest::of(&bytes).to_string();
        let (status, answer) = self.call(Method::PUT, &format!("schemas/{digest}"), bytes).await?;
        assert!(status.is_success(), "{answer}");
        book.stored.insert(version, digest);
        Some(())
    }

    async fn register(&self, book: &mut Book, id: &str, dice: &mut StdRng) -> Option<()> {
        let Some(pick) = dice.random_range(0..=book.stored.len()).checked_sub(1) else {
            return self.store(book).await;
        };
        let (version, digest) = book.stored.iter().nth(pick).unwrap();
        let (version, digest) = (version.clone(), digest.clone());
        book.changes += 1;
        let state = State::Here(version.clone(), book.changes);
        let port = 1024 + usize::from(book.service.as_bytes()[1]) * 100 + id[1..].parse::<usize>().unwrap();
        let body = json!({
            "version": version,
            "endpoints": [{ "url": format!("grpc://127.0.0.1:{port}") }],
            "schema": { "digest": digest },
            "meta": { "change": book.changes.to_string() },
        });
        book.asked.insert(id.to_owned(), state.clone());
        let path = format!("instances/{}/{id}?ttl=300", book.service);
        let (status, answer) = self.call(Method::PUT, &path, body.to_string().into_bytes()).await?;
        assert_eq!(status, StatusCode::OK, "{answer}");
        book.saw(&answer);
        book.asked.remove(id);
        book.told.insert(id.to_owned(), state);
        book.leases.insert(id.to_owned(), answer["lease"].as_str().unwrap().to_owned());
        book.versions.insert(version, digest);
        Some(())
    }

    async fn deregister(&self, book: &mut Book, id: &str, lease: &str) -> Option<()> {
        book.asked.insert(id.to_owned(), State::Absent);
        let path = format!("instances/{}/{id}?lease={lease}", book.service);
        let (status, answer) = self.call(Method::DELETE, &path, Vec::new()).await?;
        assert_eq!(status, StatusCode::OK, "{answer}");
        book.saw(&answer);
        book.asked.remove(id);
        book.leases.remove(id);
        book.told.insert(id.to_owned(), State::Absent);
        Some(())
    }
}

fn start(data: &Path) -> Turnout {
    let data = data.display().to_string();
    let flags = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data", &data];
    let mut command = turnout(&flags);
    // What these services offer is nothing, and their graph says so with every version.
    command.env("RUST_LOG", "warn,turnout::reconcile=off");
    Turnout::of(command)
}

/// Opens the file as the next process would, writes a record that the rounds after must find, and looks at
/// the chain of all that was written: the gateways that were killed wrote to it too, about their rollouts.
async fn keep_records(data: &Path, round: u32) {
    let registry = embedded::alone(data, Clock::start(), Duration::from_secs(60)).unwrap();
    let key: Key = "policy/kill".parse().unwrap();
    let records = registry.store.records().borrow().clone();
    let before = records.get(&key).map(|record| String::from_utf8(record.value.to_vec()).unwrap());
    assert_eq!(before, round.checked_sub(3).map(|last| format!("round {last}")));
    let change = Change {
        expected: [(key.clone(), records.seen(&key))].into(),
        writes: [(key, Some(format!("round {round}").into_bytes().into()))].into(),
    };
    let act = Act {
        actor: "test".to_owned(),
        verb: "open".to_owned(),
        subject: "policy/kill".to_owned(),
        before: None,
        after: None,
        reason: format!("round {round}"),
        inverse: String::new(),
    };
    let audit = Audit::new(registry.store.clone(), Clock::start());
    assert!(audit.change(change, act).await.unwrap().revision > records.revision);
    let entries = audit.last(100_000).await.unwrap();
    audit::verify(entries.iter().map(|(at, record)| (*at, &*record.value))).unwrap();
    assert_eq!(entries.first().unwrap().0, 1, "the chain is whole");
    let acts = entries.iter().map(|(_, record)| audit::Entry::decode(&record.value).unwrap().act);
    let opened: Vec<String> = acts.filter(|act| act.verb == "open").map(|act| act.reason).collect();
    let expected: Vec<String> = (0..=round).step_by(3).map(|round| format!("round {round}")).collect();
    assert_eq!(opened, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_nothing_that_was_acknowledged_and_invents_nothing() {
    let rounds = std::env::var("TURNOUT_ROUNDS").map_or(ROUNDS, |text| text.parse().unwrap());
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let data = tempfile::tempdir().unwrap();
    let mut books: Vec<Book> = (0..CLIENTS).map(Book::new).collect();
    for round in 0..rounds {
        if round % 3 == 0 {
            keep_records(data.path(), round).await;
        }
        let mut turnout = start(data.path());
        let admin = Admin::of(&turnout);
        let listed = admin.ask(Method::GET, "services").await;
        books.iter_mut().for_each(|book| book.check(&listed));
        let listed = listed["services"].as_array().unwrap().iter();
        let known: BTreeSet<&str> = books.iter().map(|book| book.service.as_str()).collect();
        assert!(listed.into_iter().all(|service| known.contains(service["service"].as_str().unwrap())));
        for book in &books {
            for digest in book.stored.values().rev().take(5) {
                admin.ask(Method::HEAD, &format!("schemas/{digest}")).await;
            }
            for lease in book.leases.values() {
                admin.ask(Method::POST, &format!("leases/{lease}/keepalive")).await;
            }
        }
        let mut clients = JoinSet::new();
        for book in books.drain(..) {
            clients.spawn(admin.clone().work(book, StdRng::seed_from_u64(dice.random())));
        }
        tokio::time::sleep(Duration::from_millis(dice.random_range(1..400))).await;
        turnout.child.kill().unwrap();
        turnout.child.wait().unwrap();
        books = clients.join_all().await;
    }
    let turnout = start(data.path());
    let listed = Admin::of(&turnout).ask(Method::GET, "services").await;
    books.iter_mut().for_each(|book| book.check(&listed));
    let changes: u64 = books.iter().map(|book| book.changes).sum();
    println!("{rounds} rounds, {changes} registrations, revision {}", listed["revision"]);
    assert!(changes > u64::from(rounds), "the clients did hardly anything");
}
