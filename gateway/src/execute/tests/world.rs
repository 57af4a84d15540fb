//! The graph of the samples, and services that answer by script.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::HeaderMap;
use prost::Message;
use serde_json::Value;
use tokio::time::Instant;
use tonic::Code;
use turnout_control::frontend::Units;
use turnout_samples::contract::shop::catalog::v1 as catalog;
use turnout_samples::contract::shop::orders::v1 as orders;
use turnout_samples::contract::shop::reviews::v1 as reviews;
use turnout_samples::contract::shop::users::v2 as users;
use turnout_schema::Descriptors;
use turnout_schema::compose::{Locks, compose};
use turnout_schema::plan::plan;
use turnout_schema::subgraph::{self, Exposure};

use crate::execute::call::{Call, Messages};
use crate::execute::run::{Answer, Operation, RequestId, perform};
use crate::generation::{Callee, Graph, Prepared, Route, View};
use crate::lineup::Lineup;
use crate::telemetry::Meters;
use crate::upstream::fleet::Fleet;
use crate::upstream::{Failure, Origin, Worker};

/// The samples in their newest versions.
const MEMBERS: [(&str, &str); 4] =
    [("catalog", "1.5.0"), ("orders", "2.2.0"), ("reviews", "1.2.0"), ("users", "2.0.0")];

/// How long a scripted call takes.
pub(super) const CALL: Duration = Duration::from_millis(10);

pub(super) struct World {
    pub(super) view: &'static View,
    lineup: Lineup<'static>,
    metadata: HeaderMap,
}

impl World {
    /// Made once: composing it takes longer than any of the tests.
    pub(super) fn get() -> &'static World {
        static VIEW: LazyLock<View> = LazyLock::new(view);
        static NOBODY: LazyLock<Units> = LazyLock::new(Units::default);
        static WORLD: LazyLock<World> = LazyLock::new(|| World {
            view: &VIEW,
            lineup: Lineup::new(&VIEW, &NOBODY),
            metadata: HeaderMap::new(),
        });
        &WORLD
    }

    pub(super) fn prepare(&self, text: &str) -> Prepared {
        let document = async_graphql_parser::parse_query(text).unwrap();
        let plan = plan(self.view.graph.supergraph(), &document, None).unwrap();
        Prepared::new(plan, document).unwrap()
    }

    pub(super) fn operation<'a>(&'a self, prepared: &'a Prepared, variables: &'a str) -> Operation<'a> {
        Operation {
            view: self.view,
            lineup: &self.lineup,
            prepared,
            operation_name: None,
            variables,
            metadata: &self.metadata,
            deadline: Instant::now() + Duration::from_secs(10),
            worker: Worker(0),
            request_id: RequestId(0xbeef),
        }
    }

    /// Runs an operation without variables; its answer, and what was called.
    pub(super) async fn ask(&self, text: &str, answers: impl Answers) -> (Value, Vec<Sent>) {
        let (answer, sent) = self.ask_with(text, "", answers).await;
        (json(&answer), sent)
    }

    pub(super) async fn ask_with(
        &self,
        text: &str,
        variables: &str,
        answers: impl Answers,
    ) -> (Answer, Vec<Sent>) {
        let prepared = self.prepare(text);
        let script = Script { prepared: &prepared, answers, sent: Mutex::default() };
        let answer = perform(&self.operation(&prepared, variables), &script).await;
        (answer, script.sent.into_inner().unwrap())
    }
}

/// The graph of the samples, with nobody behind it.
fn view() -> View {
    let read = |(service, version): (&str, &str)| {
        let bytes = turnout_samples::descriptors(service, version).unwrap();
        subgraph::read(service, version, &Descriptors::read(bytes).unwrap(), Exposure::Annotated).subgraph
    };
    let supergraph = compose(&MEMBERS.map(read), &Locks::default()).supergraph.unwrap();
    let (fleet, meters) = (Fleet::idle(), Meters::new());
    let callee = |member: &turnout_schema::supergraph::Member| {
        let (service, version) = (member.service.parse().unwrap(), member.version.parse().unwrap());
        let pool = fleet.pool(&service, &version);
        Route::only(Callee::new(service, version, pool, &meters))
    };
    let routes = supergraph.members.iter().map(callee).collect();
    let graph = Arc::new(Graph::new(supergraph).unwrap());
    View { frontend: None, graph, routes, unrouted: BTreeMap::new() }
}

pub(super) fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

/// A call that was made: the method's own name, and the request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sent {
    pub(super) method: String,
    pub(super) message: Bytes,
    pub(super) at: Instant,
}

/// What a world answers, by the method's own name and the request.
pub(super) trait Answers: Fn(&str, &[u8]) -> Result<Vec<u8>, Failure> + Sync {}

impl<F: Fn(&str, &[u8]) -> Result<Vec<u8>, Failure> + Sync> Answers for F {}

/// Performs calls by script. Each takes `CALL`.
pub(super) struct Script<'a, F> {
    pub(super) prepared: &'a Prepared,
    pub(super) answers: F,
    pub(super) sent: Mutex<Vec<Sent>>,
}

impl<F> Script<'_, F> {
    fn note(&self, fetch: usize, message: Bytes) -> String {
        let method = self.prepared.plan.fetches[fetch].rpc.method.to_string();
        let sent = Sent { method: method.clone(), message, at: Instant::now() };
        self.sent.lock().unwrap().push(sent);
        method
    }
}

impl<F: Answers> Call for Script<'_, F> {
    async fn call(&self, fetch: usize, message: Bytes, deadline: Instant) -> Result<Bytes, Failure> {
        assert!(Instant::now() < deadline);
        let method = self.note(fetch, message.clone());
        tokio::time::sleep(CALL).await;
        (self.answers)(&method, &message).map(Bytes::from)
    }

    /// A stream of three messages, each the answer to a request that its number was written behind, and the
    /// end; or what the answers say to the request itself, when that is a failure.
    async fn open(&self, fetch: usize, message: Bytes) -> Result<Messages, Failure> {
        let method = self.note(fetch, message.clone());
        (self.answers)(&method, &message)?;
        let event = |number: u8| {
            let request = [&message[..], &[number]].concat();
            (self.answers)(&method, &request).map(Bytes::from)
        };
        let events: Vec<_> = (1..=3).map(event).collect();
        Ok(stream::iter(events).boxed())
    }
}

pub(super) fn methods(sent: &[Sent]) -> Vec<&str> {
    sent.iter().map(|sent| sent.method.as_str()).collect()
}

pub(super) fn failure(code: Code, message: &str) -> Failure {
    Failure { code, message: message.to_owned(), details: Bytes::new(), origin: Origin::Service }
}

pub(super) fn user(id: &str) -> users::User {
    users::User { id: id.to_owned(), display_name: format!("user {id}"), ..Default::default() }
}

pub(super) fn order(id: i64, user: &str) -> orders::Order {
    orders::Order { id, user_id: user.to_owned(), ..Default::default() }
}

/// A page of orders, one for each of these users.
pub(super) fn orders_of<'u>(users: impl IntoIterator<Item = &'u str>) -> Vec<u8> {
    let orders = (1..).zip(users).map(|(id, user)| order(id, user)).collect();
    orders::ListOrdersResponse { orders, ..Default::default() }.encode_to_vec()
}

pub(super) fn product(id: &str) -> catalog::Product {
    catalog::Product { id: id.to_owned(), title: format!("product {id}"), ..Default::default() }
}

pub(super) fn review(id: i64, product: &str, user: &str) -> reviews::Review {
    reviews::Review { id, product_id: product.to_owned(), user_id: user.to_owned(), ..Default::default() }
}

/// The ids that a `BatchGetUsers` asks for.
pub(super) fn user_ids(message: &[u8]) -> Vec<String> {
    users::BatchGetUsersRequest::decode(message).unwrap().ids
}

/// The answer to a `BatchGetUsers`, turned round: the order is free.
pub(super) fn users_by(message: &[u8]) -> Vec<u8> {
    let users = user_ids(message).iter().rev().map(|id| user(id)).collect();
    users::BatchGetUsersResponse { users }.encode_to_vec()
}
