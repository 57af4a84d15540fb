//! Does any text of variables become either errors or bytes that the service can read?
//!
//! The graph is that of the echo service, whose one argument holds every kind of field.

#![no_main]

use std::sync::LazyLock;

use async_graphql_parser::parse_query;
use async_graphql_parser::types::Selection;
use libfuzzer_sys::fuzz_target;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use turnout_schema::graph::Types;
use turnout_schema::subgraph::{self, Descriptors, Exposure};
use turnout_schema::variables::{Declaration, Variables};
use turnout_schema::wire::{Request, Takes};

/// An operation whose plan is made.
struct Echo {
    types: Types,
    declarations: Vec<Declaration>,
    request: Request,
    message: MessageDescriptor,
}

static ECHO: LazyLock<Echo> = LazyLock::new(|| {
    let bytes = include_bytes!("../seeds/descriptors/echo.binpb");
    let descriptors = Descriptors::read(bytes).expect("the seed is a descriptor set");
    let subgraph = subgraph::read("echo", "1.0.0", &descriptors, Exposure::All).subgraph;
    let root = subgraph.roots.iter().find(|root| &*root.rpc.method == "Echo").expect("echo has it");
    let document =
        parse_query("query($v: EverythingInput) { echo(everything: $v) }").expect("the document is right");
    let operation = &document.operations.iter().next().expect("there is one").1.node;
    let Selection::Field(field) = &operation.selection_set.node.items[0].node else { unreachable!() };
    Echo {
        declarations: Declaration::read(&operation.variable_definitions, &subgraph.types)
            .expect("types exist"),
        request: Request::new(Takes::from(root), &field.node.arguments, &subgraph.types).expect("it fits"),
        message: descriptors.pool().get_message_by_name(&root.rpc.request).expect("it is there"),
        types: subgraph.types,
    }
});

fuzz_target!(|text: &str| {
    let Echo { types, declarations, request, message } = &*ECHO;
    match Variables::read(text, declarations, types) {
        Err(errors) => assert!((1..=11).contains(&errors.len())),
        Ok(variables) => {
            // What was checked is what is sent: nothing is left to go wrong.
            let bytes = request.encode(&variables, types).expect("checked values are written");
            let read = DynamicMessage::decode(message.clone(), &bytes[..]).expect("the service can read it");
            assert_eq!(read.unknown_fields().count(), 0);
        }
    }
});
