//! A rollout reads as it was written, and takes the orders that make sense.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::super::*;
use super::facts;
use crate::id::{Timestamp, Version};

pub(super) fn rollout(state: State) -> Rollout {
    Rollout {
        service: "catalog".parse().unwrap(),
        from: "2.3.0".parse().unwrap(),
        to: "2.4.0".parse().unwrap(),
        salt: "catalog/2/2.4.0".to_owned(),
        plan: Plan::usual(50.0, Approval::Evidence),
        state,
        orders: Vec::new(),
        retries: 0,
        migrates: false,
        created_at: Timestamp(1_795_232_400_000),
        started_at: None,
        changed_at: Timestamp(1_795_232_400_000),
        history: Vec::new(),
    }
}

fn version() -> impl Strategy<Value = Version> {
    (0..9_u64, 0..99_u64).prop_map(|(minor, patch)| format!("2.{minor}.{patch}").parse().unwrap())
}

fn share() -> impl Strategy<Value = f64> {
    (0..u32::MAX).prop_map(|number| f64::from(number) / f64::from(u32::MAX))
}

fn hold() -> impl Strategy<Value = Hold> {
    prop_oneof![
        "\\PC{0,20}".prop_map(Hold::Operator),
        share().prop_map(Hold::Coverage),
        any::<u64>().prop_map(Hold::Mismatches),
        (0..Shift::COUNT).prop_map(|place| Hold::Shift(Shift::ALL[place])),
        Just(Hold::OneReplica),
        Just(Hold::Outage),
        Just(Hold::NoInstance),
        Just(Hold::NoStable),
    ]
}

fn regression() -> impl Strategy<Value = Regression> {
    prop_oneof![
        (-1e6..1e6_f64).prop_map(Regression::Failures),
        (-1e6..1e6_f64).prop_map(Regression::Slowness),
        any::<u64>().prop_map(Regression::Budget),
        any::<u32>().prop_map(Regression::Fuses),
        Just(Regression::Vanished),
        Just(Regression::Gate),
        "\\PC{0,20}".prop_map(Regression::Operator),
    ]
}

fn dwelling() -> impl Strategy<Value = Dwelling> {
    let consent = prop_oneof![Just(Consent::Unasked), Just(Consent::Asked), Just(Consent::Given)];
    (0..4_usize, 0..u64::MAX, consent, any::<bool>(), vec(0..Shift::COUNT, 0..3)).prop_map(
        |(step, nanos, consent, stable_degraded, accepted)| Dwelling {
            step,
            dwelt: std::time::Duration::from_nanos(nanos),
            consent,
            stable_degraded,
            accepted: accepted.into_iter().fold(Shifts::default(), |set, place| set.with(Shift::ALL[place])),
        },
    )
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![
        prop_oneof![Just(Pending::Operator), Just(Pending::Instances), Just(Pending::Others)]
            .prop_map(State::Pending),
        dwelling().prop_map(State::Shifting),
        (dwelling(), hold()).prop_map(|(at, hold)| State::Holding(at, hold)),
        dwelling().prop_map(State::Inconclusive),
        Just(State::Promoted),
        regression().prop_map(State::RolledBack),
        version().prop_map(State::Superseded),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    let reason = || "\\PC{1,20}";
    prop_oneof![
        Just(Order::Start),
        reason().prop_map(Order::Hold),
        Just(Order::Resume),
        Just(Order::Approve),
        reason().prop_map(Order::Advance),
        reason().prop_map(Order::Promote),
        reason().prop_map(Order::RollBack),
    ]
}

proptest! {
    #[test]
    fn a_record_reads_as_it_was_written(
        state in state(),
        orders in vec(order(), 0..5),
        rate in 0.0..1000.0_f64,
        retries in 0..200_u32,
        (migrates, started) in (any::<bool>(), proptest::option::of(any::<u64>())),
        history in vec((any::<u64>(), "\\PC{0,30}"), 0..4),
    ) {
        let history = history.into_iter().map(|(at, text)| (Timestamp(at), text)).collect();
        let plan = (0..retries).fold(Plan::usual(rate.max(10.0), Approval::Evidence), |plan, _| plan.again());
        let plan = Plan { steps: plan.steps.iter().cycle().take(4).copied().collect(), ..plan };
        let started_at = started.map(Timestamp);
        let written = Rollout { plan, orders, retries, migrates, started_at, history, ..rollout(state) };
        prop_assert_eq!(Rollout::read(&written.write()), Ok(written));
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Rollout::read(&bytes);
        let _ = Stored::read(&bytes);
        let _ = Report::decode(&bytes);
    }
}

#[test]
fn fields_of_a_newer_build_are_passed_over_and_its_words_are_not() {
    let written = rollout(State::Holding(Dwelling::at(1), Hold::OneReplica));
    let mut record: Value = serde_json::from_slice(&written.write()).unwrap();
    record["colour"] = "red".into();
    record["state"]["at"]["colour"] = "red".into();
    assert_eq!(Rollout::read(record.to_string().as_bytes()), Ok(written));
    record["state"]["why"]["is"] = "the moon".into();
    assert_eq!(Rollout::read(record.to_string().as_bytes()), Err(Unreadable::Field("why")));
    record["state"]["at"]["step"] = 9.into();
    assert_eq!(Rollout::read(record.to_string().as_bytes()), Err(Unreadable::Field("step")));
    record["plan"]["steps"] = Value::Array(Vec::new());
    assert_eq!(Rollout::read(record.to_string().as_bytes()), Err(Unreadable::Field("steps")));
    assert_eq!(Rollout::read(b"{"), Err(Unreadable::Json));
}

#[test]
fn an_order_that_makes_no_sense_is_refused_with_what_would_help() {
    let at = Dwelling::at(0);
    let refused = |state: State, order: Order| rollout(state).ordered(order).unwrap_err().to_string();
    for (state, order, expected) in [
        (State::Shifting(at), Order::Start, "a rollout that is shifting takes no \"start\": it has begun"),
        (
            State::Shifting(at),
            Order::Resume,
            "a rollout that is shifting takes no \"resume\": nothing holds it",
        ),
        (
            State::Promoted,
            Order::RollBack("no".into()),
            "a rollout that is promoted takes no \"rollback\": it has ended; set the policy to go back",
        ),
        (
            State::RolledBack(Regression::Gate),
            Order::Promote("yes".into()),
            "a rollout that is rolled back takes no \"promote\": it has ended; start it again",
        ),
        (
            State::Pending(Pending::Operator),
            Order::Approve,
            "a rollout that is pending takes no \"approve\": start it first",
        ),
        (
            State::Inconclusive(at),
            Order::Advance(" ".into()),
            "\"advance\" needs a reason of 1 to 1024 bytes",
        ),
    ] {
        assert_eq!(refused(state, order), expected);
    }
    let full = (0..16).fold(rollout(State::Inconclusive(at)), |full, _| full.ordered(Order::Resume).unwrap());
    assert_eq!(full.takes(&Order::Resume), Err(Unfit::Full));
    assert!(rollout(State::RolledBack(Regression::Gate)).takes(&Order::Start).is_ok());
}

#[test]
fn a_tick_carries_orders_out_and_writes_down_what_people_are_told() {
    let pending = rollout(State::Pending(Pending::Operator)).ordered(Order::Start).unwrap();
    let (begun, actions) = pending.tick(&Analysis::new(), &facts(), Timestamp(7));
    assert!(begun.orders.is_empty());
    assert_eq!((begun.started_at, begun.changed_at), (Some(Timestamp(7)), Timestamp(7)));
    assert_eq!(begun.history, [(Timestamp(7), "reached step 1 with 1 %".to_owned())]);
    assert_eq!(actions[0], Action::Weigh(begun.plan.steps[0].weight));
    let mut flapping = begun;
    for at in 0..50 {
        let order = if at % 2 == 0 { Order::Hold("no".into()) } else { Order::Resume };
        flapping = flapping.ordered(order).unwrap().tick(&Analysis::new(), &facts(), Timestamp(8 + at)).0;
    }
    assert_eq!(flapping.history.len(), 32);
    assert_eq!(flapping.started_at, Some(Timestamp(7)));
}

#[test]
fn a_policy_that_was_set_by_hand_ends_or_moves_a_rollout() {
    let tick = |state, stable: &str| {
        let (rollout, actions) = rollout(state).tick(&Analysis::new(), &stable_facts(stable), Timestamp(9));
        (rollout.state.as_str(), actions.contains(&Action::Withdraw), rollout.from.to_string(), rollout.salt)
    };
    let (at, salt) = (State::Shifting(Dwelling::at(1)), || "catalog/2/2.4.0".to_owned());
    assert_eq!(tick(at.clone(), "2.4.0"), ("promoted", false, "2.3.0".to_owned(), salt()));
    assert_eq!(tick(at.clone(), "2.2.0"), ("superseded", true, "2.3.0".to_owned(), salt()));
    assert_eq!(tick(at, "2.5.0"), ("superseded", true, "2.3.0".to_owned(), salt()));
    let pending = State::Pending(Pending::Operator);
    assert_eq!(tick(pending.clone(), "2.3.5"), ("pending", false, "2.3.5".to_owned(), salt()));
    assert_eq!(tick(pending, "2.5.0"), ("superseded", false, "2.3.0".to_owned(), salt()));
}

fn stable_facts(stable: &str) -> Facts {
    Facts { stable: stable.parse().unwrap(), ..facts() }
}
