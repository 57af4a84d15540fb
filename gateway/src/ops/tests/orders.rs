//! Orders to rollouts: written once, carried out by who leads, refused when they come too late.

use std::time::Duration;

use serde_json::json;
use turnout_control::audit;
use turnout_control::id::Timestamp;
use turnout_control::records::Change;
use turnout_control::rollout::{
    self, Consent, Dwelling, Hold, Order, Pending, Regression, Rollout, Shifts, State,
};

use super::{World, data, refusal};

fn order(order: &str, more: &str) -> String {
    format!(
        "mutation {{ orderRollout(service: \"catalog\", order: {order}, reason: \"tests\" {more}) {{ order carriedOut \
         leader audit inverse moves {{ frontend from to sharePpm }} rollout {{ to state stage orders }} }} }}"
    )
}

fn at(step: usize) -> Dwelling {
    Dwelling {
        step,
        dwelt: Duration::ZERO,
        consent: Consent::Unasked,
        stable_degraded: false,
        accepted: Shifts::default(),
    }
}

impl World {
    fn rollout(&self) -> Rollout {
        let records = self.registry.store.records().borrow().clone();
        let key = rollout::key(&"catalog".parse().unwrap(), &"1.5.0".parse().unwrap());
        Rollout::read(&records.get(&key).unwrap().value).unwrap()
    }

    /// Carries out what is ordered, as the leader does, once something is.
    async fn leads_to(&self, state: State) {
        let mut records = self.registry.store.records();
        while self.rollout().orders.is_empty() {
            records.changed().await.unwrap();
        }
        let done = Rollout { state, orders: Vec::new(), changed_at: Timestamp(1_000), ..self.rollout() };
        self.write(rollout::key(&done.service, &done.to), Some(done.write())).await;
    }
}

#[tokio::test]
async fn what_is_stable_is_not_tried_again() {
    let world = World::with_catalog().await;
    world.rolls_out(State::Promoted).await;
    world.stable("1.5.0").await;
    let (_, why) = refusal(&world.ask(&order("START", "")).await);
    assert!(why.contains("is promoted and its version is stable"), "{why}");
    assert!(world.rollout().orders.is_empty());
}

#[tokio::test]
async fn an_order_is_written_down_and_answered_when_it_is_carried_out() {
    let world = World::with_catalog().await;
    world.rolls_out(State::Pending(Pending::Operator)).await;
    let start = order("START", "");
    let (answer, ()) = tokio::join!(world.ask(&start), world.leads_to(State::Shifting(at(0))));
    let done = data(answer)["orderRollout"].clone();
    assert_eq!(done["carriedOut"], true);
    assert_eq!(done["rollout"]["state"], "SHIFTING");
    assert_eq!((&done["leader"], &done["audit"]), (&json!("this gateway"), &json!("1")));
    assert_eq!(done["inverse"], "turnout rollout rollback catalog@1.5.0");
    let stored = world.audit.last(1).await.unwrap();
    let act = audit::Entry::decode(&stored[0].1.value).unwrap().act;
    assert_eq!((act.verb.as_str(), act.subject.as_str()), ("rollout.start", "catalog@1.5.0"));
    let read = |text: Option<String>| Rollout::read(text.unwrap().as_bytes()).unwrap();
    assert_eq!(read(act.before).orders, []);
    assert_eq!(read(act.after).orders, [Order::Start]);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_nobody_carries_out_stays_noted() {
    let world = World::with_catalog().await;
    world.rolls_out(State::Shifting(at(1))).await;
    let done = data(world.ask(&order("HOLD", "")).await)["orderRollout"].clone();
    assert_eq!((&done["carriedOut"], &done["rollout"]["orders"]), (&json!(false), &json!(["hold"])));
    assert_eq!(world.rollout().orders, [Order::Hold("tests".to_owned())]);
}

#[tokio::test]
async fn a_late_promote_does_not_win_over_a_rollback() {
    let world = World::with_catalog().await;
    world.rolls_out(State::Shifting(at(1))).await;
    let looked = data(world.ask("{ rollout(service: \"catalog\") { state stage } }").await);
    let stage = looked["rollout"]["stage"].as_str().unwrap().to_owned();
    let back = order("ROLLBACK", "");
    let gone = State::RolledBack(Regression::Operator("tests".to_owned()));
    let (answer, ()) = tokio::join!(world.ask(&back), world.leads_to(gone));
    assert_eq!(data(answer)["orderRollout"]["rollout"]["state"], "ROLLED_BACK");
    for more in ["", ", dryRun: true"] {
        let (code, message) = refusal(&world.ask(&order("PROMOTE", more)).await);
        assert_eq!(code, "\"CONFLICT\"");
        assert!(message.contains("rolled back") && message.contains("start it again"), "{message}");
    }
    let (_, message) = refusal(&world.ask(&order("PROMOTE", &format!(", expectedStage: \"{stage}\""))).await);
    assert!(message.contains(&format!("rolled back by now, at stage 1000 and not {stage}")), "{message}");
    assert_eq!(world.rollout().orders, [], "nothing was written");
}

#[tokio::test(start_paused = true)]
async fn a_tick_of_the_leader_is_no_reason_to_refuse() {
    let world = World::with_catalog().await;
    let rollout = world.rolls_out(State::Shifting(at(1))).await;
    let ticks = async {
        // Fewer than an order has attempts: each may meet one of them, and a leader does not tick without end.
        for tick in 0..6 {
            let records = world.registry.store.records().borrow().clone();
            let key = rollout::key(&rollout.service, &rollout.to);
            let mut now = Rollout::read(&records.get(&key).unwrap().value).unwrap();
            if !now.orders.is_empty() {
                return;
            }
            now.history = vec![(Timestamp(tick), "tick".to_owned())];
            let expected = [(key.clone(), records.seen(&key))].into();
            let writes = [(key, Some(now.write().into()))].into();
            // The order may come between: then the leader reads again.
            let _told_again = world.registry.store.change(Change { expected, writes }).await;
        }
    };
    let hold = order("HOLD", "");
    let (answer, ()) = tokio::join!(world.ask(&hold), ticks);
    assert!(answer.errors.is_empty(), "{:?}", answer.errors);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_what_would() {
    let world = World::with_catalog().await;
    let (_, message) = refusal(&world.ask(&order("START", "")).await);
    assert!(message.contains("never a rollout of catalog; 1.5.0 runs and is not tried yet"), "{message}");
    let (_, message) = refusal(&world.ask(&order("START", ", version: \"1.9.0\"")).await);
    assert!(message.contains("no rollout of catalog@1.9.0: nothing with known descriptors"), "{message}");
    world.rolls_out(State::Shifting(at(0))).await;
    for (wanted, expected) in [("START", "it has begun"), ("APPROVE", "needs no approval at this step")] {
        let (code, message) = refusal(&world.ask(&order(wanted, "")).await);
        assert_eq!(code, "\"CONFLICT\"");
        assert!(message.contains(expected), "{wanted}: {message}");
    }
}

#[tokio::test]
async fn a_dry_run_tells_who_would_move_at_the_next_step() {
    let world = World::with_catalog().await;
    let moves = |step: &str| {
        let question = order(step, ", dryRun: true");
        let world = &world;
        async move { data(world.ask(&question).await)["orderRollout"]["moves"].clone() }
    };
    let moved = |frontend: &str, share: u32| json!({ "frontend": frontend, "from": "1.4.0", "to": "1.5.0", "sharePpm": share });
    world.rolls_out(State::Pending(Pending::Operator)).await;
    assert_eq!(moves("START").await, json!([moved("any@0.0.0", 10_000), moved("web@2.4.1", 10_000)]));
    world.rolls_out(State::Inconclusive(at(2))).await;
    // The last step is a half, and web takes a fifth at most.
    assert_eq!(moves("ADVANCE").await, json!([moved("any@0.0.0", 500_000), moved("web@2.4.1", 200_000)]));
    assert_eq!(moves("PROMOTE").await, json!([moved("any@0.0.0", 1_000_000), moved("web@2.4.1", 1_000_000)]));
    assert_eq!(moves("HOLD").await, json!([]));
    assert!(world.rollout().orders.is_empty());
}

#[tokio::test]
async fn a_start_of_a_held_one_goes_on_and_the_card_says_what_it_needs() {
    let world = World::with_catalog().await;
    world.rolls_out(State::Holding(at(1), Hold::Operator("lunch".to_owned()))).await;
    let card = data(
        world
            .ask(
                "{ rollout(service: \"catalog\", version: \"1.5.0\") { state live needs why step \
                 steps { weightPpm asksOperator } harm { value needed } safety { value needed } frontends { frontend } \
                 candidate { instancesUp instances calls } gateways { name } } }",
            )
            .await,
    );
    let card = &card["rollout"];
    assert_eq!((&card["state"], &card["live"], &card["step"]), (&json!("HOLDING"), &json!(true), &json!(2)));
    assert_eq!(card["needs"], "resume it");
    assert!(card["why"].as_str().unwrap().contains("an operator holds it: lunch"), "{card}");
    assert_eq!(card["harm"], json!({ "value": 1.0, "needed": 100.0 }));
    assert_eq!(card["candidate"], json!({ "instancesUp": 1, "instances": 1, "calls": "0" }));
    let start = order("START", "");
    let (answer, ()) = tokio::join!(world.ask(&start), world.leads_to(State::Shifting(at(1))));
    assert_eq!(data(answer)["orderRollout"]["order"], "resume");
}
