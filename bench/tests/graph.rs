//! What the product makes of the stand's descriptors: the graph that the questions are asked of, and how
//! many calls it plans for each.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use turnout_bench::SERVICES;
use turnout_bench::contender::{CONTENDERS, TURNOUT};
use turnout_bench::question::{Language, Question, Values};
use turnout_schema::compose::{Locks, compose};
use turnout_schema::subgraph::Exposure;
use turnout_schema::validate::Validator;
use turnout_schema::{Descriptors, Supergraph, plan, sdl, subgraph};

/// As a gateway composes it: each service by its own descriptors, and only what its options expose.
fn supergraph() -> Supergraph {
    let subgraphs = SERVICES.map(|service| {
        let descriptors = Descriptors::read(service.descriptors).unwrap();
        subgraph::read(service.name, "1.0.0", &descriptors, Exposure::Annotated).subgraph
    });
    let composition = compose(&subgraphs, &Locks::default());
    assert!(composition.diagnostics.is_empty(), "{:?}", composition.diagnostics);
    composition.supergraph.unwrap()
}

#[test]
fn every_question_is_planned_with_the_calls_it_should_take() {
    let supergraph = supergraph();
    let validator = Validator::new(&supergraph).unwrap();
    let turnout = CONTENDERS.iter().find(|contender| contender.name == TURNOUT).unwrap();
    for question in Question::ALL {
        let calls = turnout.ask(question).unwrap().calls;
        for values in [Values::Fixed, Values::Vary] {
            let sample = &question.samples(Language::GraphQl, values)[0];
            let body: serde_json::Value = serde_json::from_slice(&sample.body).unwrap();
            let document = validator.validate(body["query"].as_str().unwrap()).unwrap();
            let plan = plan::plan(&supergraph, &document, None).unwrap();
            assert_eq!(plan.rpcs().len() as u64, calls, "{question}: {:?}", plan.rpcs());
        }
    }
}

#[test]
fn fields_have_the_types_that_the_answers_are_written_for() {
    let text = sdl::sdl(&supergraph());
    let said = [
        "wheels: Int64!\n",
        "kind: ReadingKind\n",
        "at: DateTime\n",
        "author: Person\n",
        "editor: Person\n",
        "company: Company\n",
        "platform: String\n",
        "stops: [Stop!]!\n",
    ];
    for said in said {
        assert!(text.contains(said), "{said:?} is not in\n{text}");
    }
}
