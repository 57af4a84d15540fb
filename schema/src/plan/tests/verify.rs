//! What holds for every plan: places are in range, slots name the fields they are for, waves follow waves.

use super::super::{Answer, Call, Cell, Inside, Plan, Value};

pub(super) fn all(plan: &Plan) {
    tables(plan);
    fetches(plan);
    for selection in &plan.selections {
        let written = |at: usize| selection.turns.iter().any(|turn| turn.output == at);
        assert!((0..selection.outputs.len()).all(written));
        let places = selection.turns.iter().flat_map(|turn| [turn.when, turn.unless]).flatten();
        assert!(places.into_iter().all(|place| place < plan.conditions.len()));
        for output in &selection.outputs {
            value(plan, &output.value, selection.table);
        }
    }
}

fn tables(plan: &Plan) {
    for table in &plan.tables {
        assert!(table.by_number.is_sorted() && table.by_number.len() == table.columns.len());
        for (number, slot) in &table.by_number {
            assert_eq!(table.columns[*slot].number, *number);
        }
        for (place, oneof) in table.oneofs.iter().enumerate() {
            assert!(oneof.iter().all(|slot| table.columns[*slot].oneof == Some(place)));
        }
        assert!(table.columns.iter().all(|column| column.table.is_none_or(|at| at < plan.tables.len())));
    }
}

fn fetches(plan: &Plan) {
    for (place, fetch) in plan.fetches.iter().enumerate() {
        assert!(plan.stages[fetch.stage].waves[fetch.wave].contains(&place));
        assert_eq!(fetch.wave == 0, fetch.sources.is_empty());
        assert_eq!(fetch.wave == 0, !matches!(fetch.call, Call::Keyed(_)));
        for source in &fetch.sources {
            assert_eq!(plan.fetches[source.fetch].wave + 1, fetch.wave);
            assert_eq!(plan.fetches[source.fetch].stage, fetch.stage);
        }
    }
}

fn value(plan: &Plan, value: &Value, table: Option<usize>) {
    match (value, table) {
        (Value::Call { fetch, answer: of }, None) => answer(plan, *fetch, of),
        (Value::Join(join), Some(table)) => {
            assert_eq!(plan.tables[table].columns[join.slot].number, join.key.number);
            answer(plan, join.fetch, &join.answer);
        }
        (Value::Cell(of), Some(table)) => cell(plan, table, of),
        (Value::Case(cases), Some(table)) => {
            assert!(cases.iter().all(|(slot, _)| *slot < plan.tables[table].columns.len()));
        }
        (Value::Choice(members), Some(table)) => {
            for member in members {
                let inside = plan.tables[table].columns[member.slot].table;
                let expected = if member.wrapped { Some(table) } else { inside };
                assert_eq!(plan.selections[member.selection].table, expected);
            }
        }
        (Value::Typename | Value::Ok | Value::Introspection, _) => {}
        (value, table) => panic!("{value:?} in {table:?}"),
    }
}

fn answer(plan: &Plan, fetch: usize, answer: &Answer) {
    let fetch = &plan.fetches[fetch];
    match (answer, &fetch.call) {
        (Answer::Field(of), _) => cell(plan, fetch.table, of),
        (Answer::Message(at), _) => assert_eq!(plan.selections[*at].table, Some(fetch.table)),
        (Answer::Item(at) | Answer::Items(at), Call::Keyed(keyed)) => {
            let table = keyed.items.as_ref().map_or(fetch.table, |items| items.table);
            assert_eq!(plan.selections[*at].table, Some(table));
        }
        (Answer::Item(_) | Answer::Items(_), call) => panic!("items of {call:?}"),
    }
}

fn cell(plan: &Plan, table: usize, cell: &Cell) {
    let column = &plan.tables[table].columns[cell.slot];
    assert_eq!(column.number, cell.read.number);
    match cell.inside {
        Inside::Object(at) | Inside::Entries { selection: at, .. } => {
            assert_eq!(plan.selections[at].table, column.table);
        }
        Inside::Enum(at) => assert!(at < plan.names.len()),
        Inside::Leaf => assert_eq!(column.table, None),
    }
}
