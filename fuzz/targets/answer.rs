//! Do any bytes, as the answers of services, become JSON, and errors with paths that are in it?
//!
//! Four bytes choose sample services, or one of them with changed descriptors when they are not all zero. One
//! byte says how many of the next choose an operation; the rest are the responses, dealt out in pieces.

#![no_main]

#[path = "descriptors/change.rs"]
mod change;
#[path = "../../schema/src/plan/tests/operation.rs"]
mod operation;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use turnout_schema::compose::{self, Locks};
use turnout_schema::guard::{self, Limits};
use turnout_schema::plan::{self, Call, Holds, Plan};
use turnout_schema::subgraph::{self, Exposure};
use turnout_schema::validate::Validator;
use turnout_schema::wire::answers::{Answers, Failure, Found, Outcome};
use turnout_schema::wire::index::Response;
use turnout_schema::wire::keys;
use turnout_schema::wire::write::{Asked, Step, write};
use turnout_schema::{Descriptors, Subgraph, Supergraph, graph};

const TODO: &[u8] = include_bytes!("../seeds/descriptors/todo.binpb");
const ECHO: &[u8] = include_bytes!("../seeds/descriptors/echo.binpb");
const SMALL: &[u8] = include_bytes!("../seeds/descriptors/small.binpb");
const PROTO2: &[u8] = include_bytes!("../seeds/descriptors/proto2.binpb");

static SAMPLES: LazyLock<Supergraph> = LazyLock::new(|| {
    let subgraphs = [offers("todo", TODO), offers("echo", ECHO)].map(|subgraph| subgraph.expect("a seed"));
    compose::compose(&subgraphs, &Locks::default()).supergraph.expect("they have queries")
});

fuzz_target!(|bytes: &[u8]| {
    let [a, b, c, d, length, rest @ ..] = bytes else { return };
    let (choices, content) = rest.split_at(rest.len().min(usize::from(*length)));
    match u32::from_le_bytes([*a, *b, *c, *d]) {
        0 => answered(&SAMPLES, choices, content),
        seed => {
            let sample = [TODO, ECHO, SMALL, PROTO2][(seed % 4) as usize];
            let bytes = change::change(sample, seed).expect("a seed is a descriptor set");
            let Some(subgraph) = offers("shop", &bytes) else { return };
            let Some(graph) = compose::compose(&[subgraph], &Locks::default()).supergraph else { return };
            answered(&graph, choices, content);
        }
    }
});

fn offers(service: &str, bytes: &[u8]) -> Option<Subgraph> {
    let descriptors = Descriptors::read(bytes).ok()?;
    Some(subgraph::read(service, "1.0.0", &descriptors, Exposure::All).subgraph)
}

fn answered(graph: &Supergraph, choices: &[u8], content: &[u8]) {
    let (_, text) = operation::operation(graph, choices);
    if guard::check(&text, &Limits::RECOMMENDED).is_err() {
        return;
    }
    let document = Validator::new(graph).expect("a composed graph").validate(&text).expect("made valid");
    let Ok(plan) = plan::plan(graph, &document, None) else { return };
    let Ok(holds) = plan.holds(|_| Some(true)) else { return };
    let answers = answers(&plan, &holds, content);
    let mut out = Vec::new();
    let asked =
        Asked { plan: &plan, holds: &holds, answers: &answers, introspection: None, bytes_max: 1 << 20 };
    let written = write(&asked, &mut out);
    let json: Value = serde_json::from_slice(&out)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)));
    assert_eq!(json.is_null(), written.is_null);
    for error in &written.errors {
        leads_to_null(&json, &error.path);
    }
}

/// Each fetch gets a piece, by the waves in which they would be called.
fn answers(plan: &Plan, holds: &Holds, content: &[u8]) -> Answers {
    let mut answers = Answers::new(plan.fetches.len());
    let piece = (content.len() / plan.fetches.len().max(1)).max(1);
    let mut pieces = content.chunks(piece);
    for (number, stage) in plan.stages.iter().enumerate() {
        for (wave, fetches) in stage.waves.iter().enumerate() {
            let needed = keys::collect(plan, holds, &answers, (number, wave));
            for fetch in fetches {
                let piece = pieces.next().unwrap_or_default();
                let table = plan.fetches[*fetch].table;
                let Ok(response) = Response::read(&plan.tables, table, piece.to_vec().into()) else {
                    answers.set(*fetch, Outcome::Failed(Failure(0)));
                    continue;
                };
                let place = answers.keep(response.clone());
                let outcome = match &plan.fetches[*fetch].call {
                    Call::Once | Call::Stream => Outcome::Whole(place),
                    Call::Keyed(keyed) => {
                        let Some((_, keys)) = needed.iter().find(|(needed, _)| needed == fetch) else {
                            continue;
                        };
                        let alone = |key| (key, keys::alone(keyed, place, &response));
                        let mut found: Vec<_> = if keyed.keys_max == 1 {
                            keys.iter().cloned().map(alone).collect()
                        } else {
                            keys::matched(keyed, place, &response)
                        };
                        // One of them failed.
                        if let Some(first) = found.first_mut() {
                            first.1 = Found::Failed(Failure(1));
                        }
                        Outcome::Keyed(found.into_iter().collect())
                    }
                };
                answers.set(*fetch, outcome);
            }
        }
    }
    answers
}

/// An error's path ends in the answer, at null or at something that null took away.
fn leads_to_null(json: &Value, path: &[Step]) {
    let mut at = json;
    for step in path {
        at = match (at, step) {
            (Value::Null, _) => return,
            (Value::Object(fields), Step::Key(key)) => fields.get(&**key).expect("a key of the answer"),
            (Value::Array(items), Step::Index(index)) => items.get(*index).expect("an item of the answer"),
            (at, step) => panic!("{step:?} of {at}"),
        };
    }
    assert!(at.is_null(), "{path:?} is {at}");
}
