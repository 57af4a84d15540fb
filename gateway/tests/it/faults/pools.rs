//! Several instances of one version, some of them broken: callers hardly notice, and who heals is used again.

use std::time::Duration;

use tokio::time::Instant;

use super::{Caller, Seen, Share, World, query};
use crate::fault_server::{Answer, Fault, Server, Socket};

const OK: Fault = Fault::Answer(Answer::Ok);

#[tokio::test(flavor = "multi_thread")]
async fn one_broken_instance_of_three_is_left_out_and_comes_back() {
    const PER_SECOND: u32 = 200;
    let broken = Server::start(Fault::Answer(Answer::RstInternal));
    let servers = vec![(OK, Server::start(OK)), (OK, broken), (OK, Server::start(OK))];
    let world = World::over(Share::beside().await, servers).await;
    let broken = &world.servers[1];
    let document = query(OK);
    let ask = |time: Duration| world.caller.ask_at(&document, PER_SECOND, time);
    ask(Duration::from_secs(2)).await;

    let before = broken.counters().started();
    let seen = ask(Duration::from_secs(3)).await;
    let good = seen.iter().filter(|seen| seen.is_good()).count();
    assert!(good * 100 >= seen.len() * 99, "{good} of {}", seen.len());
    let sent = broken.counters().started() - before;
    // One in a hundred by the design, and probes, which few calls make weigh more.
    assert!(sent * 100 <= seen.len() * 2, "the broken one got {sent} of {}", seen.len());

    broken.turn(Answer::Ok);
    let healed = Instant::now();
    loop {
        let before = broken.counters().started();
        let seen = ask(Duration::from_millis(500)).await;
        // A third would be its share.
        if (broken.counters().started() - before) * 10 >= seen.len() {
            break;
        }
        assert!(healed.elapsed() < Duration::from_secs(5), "it is not back: {:?}", broken.counters());
    }
    world.stop().await;
}

/// Asks once after the other.
async fn ask_in_turn(caller: &Caller, times: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    for _ in 0..times {
        seen.push(caller.ask(&query(OK)).await);
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_instances_are_down_callers_are_told_at_once_until_one_is_back() {
    let refused = || (OK, Server::start(Fault::Socket(Socket::Refused)));
    let world = World::over(Share::alone().await, vec![refused(), refused(), refused()]).await;
    ask_in_turn(&world.caller, 20).await;
    let seen = ask_in_turn(&world.caller, 100).await;
    for one in &seen {
        assert_eq!(one.json()["errors"][0]["extensions"]["code"], "UNAVAILABLE");
    }
    // A retry waits up to 250 ms, and its budget lets a fifth and ten a second have one.
    let at_once = seen.iter().filter(|seen| seen.took <= Duration::from_millis(50)).count();
    assert!(at_once >= 70, "{at_once} of 100");
    assert!(seen.iter().all(|seen| seen.took <= Duration::from_millis(400)));

    for server in &world.servers {
        server.turn(Answer::Ok);
    }
    let healed = Instant::now();
    while !world.caller.ask(&query(OK)).await.is_good() {
        assert!(healed.elapsed() < Duration::from_secs(2), "nothing is answered");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.stop().await;
}
