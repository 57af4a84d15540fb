//! One fault harms its own field: in a query over all of them, and when it is asked alone.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::Value;

use super::expected::{complaints, leaks};
use super::{DEADLINE, LATE, SELECTION, Seen, Share, World, mutation, query};
use crate::fault_server::{Answer, Fault, Frames, SLOW, Server};

/// Faults that keep a caller waiting after the connection stands.
const HANGS: [Fault; 5] = [
    Fault::Answer(Answer::Asleep),
    Fault::Answer(Answer::HeadersHang),
    Fault::Answer(Answer::HalfMessage),
    Fault::Answer(Answer::SlowDrip),
    Fault::Answer(Answer::FlowStall),
];

/// Faults by which HTTP/2 itself says that nobody has seen the call. Whether a mutation may be sent again then
/// is for the gateway to decide; that it was seen twice cannot be.
const UNSEEN: [Fault; 2] = [Fault::Answer(Answer::RstRefused), Fault::Frames(Frames::GoawayRefuse)];

fn is_answer(seen: &Seen) -> bool {
    seen.status == StatusCode::OK || seen.status.as_u16() == 294
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_over_all_faults_is_answered_in_time_and_keeps_what_is_whole() {
    let faults = Fault::all();
    let world = World::start(Share::alone().await, &faults).await;
    let fields: String = faults.iter().map(|fault| format!("{} {SELECTION} ", fault.query())).collect();
    let seen = world.caller.ask(&format!("{{ {fields} }}")).await;
    assert!(is_answer(&seen), "{}", seen.status);
    let body = seen.json();
    let wrong: Vec<String> =
        faults.iter().flat_map(|fault| complaints(&body, *fault, &fault.query())).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), faults.len(), wrong.join("\n"));
    let of_a_field = |error: &Value| faults.iter().any(|fault| error["path"][0] == fault.query());
    assert!(body["errors"].as_array().unwrap().iter().all(of_a_field), "{body}");
    let keys: Vec<&String> = body["data"].as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), faults.len());
    assert_eq!(leaks(&seen, &world.servers), Vec::<String>::new());
    assert!(seen.took <= DEADLINE + LATE, "{:?}", seen.took);
    world.stop().await;
}

/// What is wrong with one fault when it is asked alone, and changed alone.
async fn alone(world: &World, server: &Server) -> Vec<String> {
    let fault = server.fault();
    let mut wrong = Vec::new();
    let seen = world.caller.ask(&query(fault)).await;
    let body = seen.json();
    wrong.extend(complaints(&body, fault, &fault.query()));
    wrong.extend(in_any_case(world, fault, &seen));
    let queried = server.counters().started();
    if queried > 2 {
        wrong.push(format!("{}: a query was sent {queried} times", fault.query()));
    }
    if HANGS.contains(&fault) && seen.took + Duration::from_millis(300) < DEADLINE {
        wrong.push(format!("{}: gave up after {:?}, long before the deadline", fault.query(), seen.took));
    }

    let seen = world.caller.ask(&mutation(fault)).await;
    let body = seen.json();
    // Whether the next call of Flaky fails depends on how many there were.
    wrong.extend(complaints(&body, fault, &fault.mutation()));
    wrong.extend(in_any_case(world, fault, &seen));
    let mutated = server.counters().started() - queried;
    let legal = match fault {
        fault if UNSEEN.contains(&fault) => 1..=2,
        Fault::Socket(_) => 0..=0,
        Fault::Frames(_) | Fault::Answer(_) => 1..=1,
    };
    if !legal.contains(&mutated) {
        wrong.push(format!("{}: sent {mutated} times, and {legal:?} is right", fault.mutation()));
    }
    wrong
}

fn in_any_case(world: &World, fault: Fault, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    if !is_answer(seen) {
        wrong.push(format!("{}: status {}", fault.name(), seen.status));
    }
    if seen.took > DEADLINE + LATE {
        wrong.push(format!("{}: answered after {:?}", fault.name(), seen.took));
    }
    for leak in leaks(seen, &world.servers) {
        wrong.push(format!("{}: tells {leak:?}", fault.name()));
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_alone_has_its_code_in_time_and_no_mutation_is_repeated() {
    let faults = Fault::all();
    let world = World::start(Share::alone().await, &faults).await;
    let wrong: Vec<String> =
        join_all(world.servers.iter().map(|server| alone(&world, server))).await.concat();
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_waits_for_the_slowest_field_and_no_longer() {
    let slow = Fault::Answer(Answer::Slow);
    let world = World::start(Share::alone().await, &[slow, Fault::Answer(Answer::Ok)]).await;
    // Connections stand from here on.
    assert!(world.caller.ask(&query(slow)).await.is_good());
    let seen = world.caller.ask(&format!("{{ slow {SELECTION} ok {SELECTION} }}")).await;
    assert!(seen.is_good(), "{}", seen.json());
    assert!((SLOW..SLOW + LATE).contains(&seen.took), "{:?}", seen.took);
    world.stop().await;
}
