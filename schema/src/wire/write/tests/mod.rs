//! Is what is written the answer that the specification wants? A document, the bytes that calls brought, and
//! the answer as text with its errors.
//!
//! What the bytes say is held against another reader in the tests of `wire`; here it is about null, errors,
//! joins and limits.

mod bench;
mod joins;
mod leaves;
mod nulls;

use std::fmt::Write as _;

use expect_test::Expect;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::{Asked, Step, Written, write};
use crate::compose::{Locks, compose};
use crate::plan::{Call, Holds, Plan, plan};
use crate::wire::answers::{Answers, Failure, Found, Held, Outcome};
use crate::wire::index::Response;
use crate::wire::keys;
use crate::{Subgraph, Supergraph, fixture};

/// What the calls of an RPC bring.
#[derive(Clone, Debug)]
enum Brings {
    Bytes(Vec<u8>),
    /// A failure of the whole fetch.
    Fails,
    /// A batch, and the keys whose call failed.
    Partly(Vec<u8>, Vec<Held>),
}

/// A plan and what its calls bring, by the RPC's name.
struct Case<'a> {
    graph: &'a Supergraph,
    document: &'a str,
    brings: &'a [(&'a str, Brings)],
    bytes_max: usize,
    yes: bool,
}

impl<'a> Case<'a> {
    fn new(graph: &'a Supergraph, document: &'a str, brings: &'a [(&'a str, Brings)]) -> Case<'a> {
        Case { graph, document, brings, bytes_max: 1 << 20, yes: true }
    }

    /// The plan, which of its conditions hold, and what its calls brought.
    fn brought(&self) -> (Plan, Holds, Answers) {
        let plan = planned(self.graph, self.document);
        let holds = plan.holds(|_| Some(self.yes)).unwrap();
        let mut answers = Answers::new(plan.fetches.len());
        for (place, fetch) in plan.fetches.iter().enumerate().filter(|(_, fetch)| fetch.wave == 0) {
            let outcome = match self.brings(&fetch.rpc.method) {
                Some(Brings::Bytes(bytes) | Brings::Partly(bytes, _)) => {
                    Outcome::Whole(answers.keep(response(&plan, place, bytes)))
                }
                Some(Brings::Fails) => Outcome::Failed(Failure(place as u32)),
                None => Outcome::Nothing,
            };
            answers.set(place, outcome);
        }
        for (stage, waves) in plan.stages.iter().enumerate() {
            for wave in 1..waves.waves.len() {
                for (place, keys) in keys::collect(&plan, &holds, &answers, (stage, wave)) {
                    let outcome = self.keyed(&plan, place, &keys, &mut answers);
                    answers.set(place, outcome);
                }
            }
        }
        (plan, holds, answers)
    }

    fn written(&self) -> (String, Written) {
        let (plan, holds, answers) = self.brought();
        let (asked, mut out) = (
            Asked {
                plan: &plan,
                holds: &holds,
                answers: &answers,
                introspection: None,
                bytes_max: self.bytes_max,
            },
            b"before".to_vec(),
        );
        let written = write(&asked, &mut out);
        let text = String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json.is_null(), written.is_null, "{text}");
        (text, written)
    }

    fn keyed(&self, plan: &Plan, place: usize, keys: &[Held], answers: &mut Answers) -> Outcome {
        let fetch = &plan.fetches[place];
        let Call::Keyed(keyed) = &fetch.call else { panic!("{fetch:?}") };
        let (bytes, failed) = match self.brings(&fetch.rpc.method) {
            Some(Brings::Bytes(bytes)) => (bytes, &[][..]),
            Some(Brings::Partly(bytes, failed)) => (bytes, failed.as_slice()),
            Some(Brings::Fails) => return Outcome::Failed(Failure(place as u32)),
            None => return Outcome::Nothing,
        };
        let kept = answers.keep(response(plan, place, bytes));
        let response = answers.response(kept).unwrap();
        let mut all: hashbrown::HashMap<Held, Found> = match keyed.items.as_ref().map(|items| &items.key) {
            Some(Some(_)) => keys::matched(keyed, kept, response).into_iter().collect(),
            Some(None) | None => {
                keys.iter().map(|key| (key.clone(), keys::alone(keyed, kept, response))).collect()
            }
        };
        all.extend(failed.iter().map(|key| (key.clone(), Found::Failed(Failure(place as u32)))));
        Outcome::Keyed(all)
    }

    fn brings(&self, method: &str) -> Option<&'a Brings> {
        self.brings.iter().find(|(name, _)| *name == method).map(|(_, brings)| brings)
    }

    fn check(&self, expected: &Expect) {
        let (mut text, written) = self.written();
        for error in &written.errors {
            let _infallible = write!(text, "\n{} {}: {:?}", error.at, path(&error.path), error.why);
        }
        for (count, what) in [(written.errors_more, "errors more"), (written.unknown_enums, "unknown")] {
            if count > 0 {
                let _infallible = write!(text, "\n{count} {what}");
            }
        }
        expected.assert_eq(&text);
    }
}

/// What is written for one call that brings these bytes.
fn check(graph: &Supergraph, document: &str, bytes: Vec<u8>, expected: &Expect) {
    Case::new(graph, document, &[("Do", Brings::Bytes(bytes))]).check(expected);
}

fn composed(subgraphs: &[Subgraph]) -> Supergraph {
    compose(subgraphs, &Locks::default()).supergraph.unwrap()
}

/// A service with an RPC `Do`, which brings `Ask`.
fn graph(proto: &str) -> Supergraph {
    let service = "service S { rpc Do(Query) returns (Ask) { option idempotency_level = NO_SIDE_EFFECTS; } }
         message Query { string q = 1; }";
    composed(&[fixture::subgraph("t", &format!("{service} {proto}"))])
}

fn planned(graph: &Supergraph, document: &str) -> Plan {
    plan(graph, &async_graphql_parser::parse_query(document).unwrap(), None).unwrap()
}

fn response(plan: &Plan, fetch: usize, bytes: &[u8]) -> Response {
    Response::read(&plan.tables, plan.fetches[fetch].table, bytes.to_vec().into()).unwrap()
}

fn path(path: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Key(key) => key.to_string(),
        Step::Index(index) => index.to_string(),
    };
    path.iter().map(step).collect::<Vec<_>>().join(".")
}

/// A field that is a varint.
fn int(number: u32, value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    encode_key(number, WireType::Varint, &mut out);
    encode_varint(value as u64, &mut out);
    out
}

/// A field that is a text, bytes or a message.
fn bytes(number: u32, content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    encode_key(number, WireType::LengthDelimited, &mut out);
    encode_varint(content.as_ref().len() as u64, &mut out);
    out.extend_from_slice(content.as_ref());
    out
}

/// A field that is a double.
fn double(number: u32, value: f64) -> Vec<u8> {
    let mut out = Vec::new();
    encode_key(number, WireType::SixtyFourBit, &mut out);
    out.extend(value.to_le_bytes());
    out
}

/// A field that is a message of these fields.
fn message(number: u32, fields: &[Vec<u8>]) -> Vec<u8> {
    bytes(number, fields.concat())
}
