//! Whoever is refused by the new graph is named by the gate, whatever was changed and whatever was asked.
//!
//! Validation against the new graph is the referee: an operation that was valid and no longer is must be
//! among the broken shapes. The other direction does not hold, and should not: bytes that mean something
//! else break operations that are still valid.

use proptest::prelude::*;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type as Proto};
use prost_reflect::prost_types::{
    DescriptorProto, FileDescriptorProto, descriptor_proto, enum_descriptor_proto,
};

use super::hostile::altered;
use super::*;
use crate::graph::{Argument, Type, TypeRef};
use crate::validate::Validator;

/// A stream of choices that does not end.
struct Dice<'a> {
    throws: &'a [u8],
    at: usize,
}

impl Dice<'_> {
    fn below(&mut self, end: usize) -> usize {
        self.at += 1;
        usize::from(self.throws[self.at % self.throws.len()]).wrapping_mul(31).wrapping_add(self.at)
            % end.max(1)
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }
}

/// A valid operation.
fn operation(graph: &Supergraph, dice: &mut Dice<'_>) -> String {
    let kinds: Vec<&str> =
        ["Query", "Mutation"].into_iter().filter(|on| graph.types.contains_key(*on)).collect();
    let on = *dice.pick(&kinds);
    let keyword = on.to_lowercase();
    format!("{keyword} {}", selections(graph, on, dice, 0))
}

fn selections(graph: &Supergraph, on: &str, dice: &mut Dice<'_>, depth: usize) -> String {
    let Some(Type::Object(object)) = graph.types.get(on) else { return String::new() };
    let mut text = String::new();
    for at in 0..1 + dice.below(3) {
        let field = dice.pick(&object.fields);
        let given = given(graph, &field.arguments, dice, 0).join(", ");
        let given = if given.is_empty() { String::new() } else { format!("({given})") };
        let inner = match graph.types.get(field.ty.core()) {
            Some(Type::Object(_)) if depth > 3 => continue,
            Some(Type::Object(_)) => selections(graph, field.ty.core(), dice, depth + 1),
            _ => String::new(),
        };
        text += &format!("a{at}: {}{given}{inner} ", field.name);
    }
    format!("{{ {text}__typename }}")
}

/// What must be given, and some of what may be.
fn given(graph: &Supergraph, arguments: &[Argument], dice: &mut Dice<'_>, depth: usize) -> Vec<String> {
    let mut given = Vec::new();
    for Argument { name, ty, .. } in arguments {
        if ty.is_non_null() || (depth < 3 && dice.below(2) == 0) {
            given.push(format!("{name}: {}", literal(graph, ty, dice, depth)));
        }
    }
    given
}

fn literal(graph: &Supergraph, ty: &TypeRef, dice: &mut Dice<'_>, depth: usize) -> String {
    match (graph.types.get(ty.core()), &**ty.core()) {
        (Some(Type::Enum(definition)), _) => dice.pick(&definition.values).name.to_string(),
        (Some(Type::Input(input)), _) => {
            format!("{{{}}}", given(graph, &input.fields, dice, depth + 1).join(", "))
        }
        (_, "Int" | "Float") => "1".to_owned(),
        (_, "Boolean") => "true".to_owned(),
        _ => "\"1\"".to_owned(),
    }
}

/// One change that a person might make.
fn change(mut file: FileDescriptorProto, dice: &mut Dice<'_>) -> FileDescriptorProto {
    let reserved =
        |number: i32| descriptor_proto::ReservedRange { start: Some(number), end: Some(number + 1) };
    match dice.below(6) {
        0 => {
            let methods = &mut file.service[0].method;
            if methods.len() > 1 {
                methods.remove(dice.below(methods.len()));
            }
        }
        1 => {
            let definition = &mut file.enum_type[0];
            if definition.value.len() > 1 {
                let removed = definition.value.remove(1 + dice.below(definition.value.len() - 1));
                let number = Some(removed.number());
                let range = enum_descriptor_proto::EnumReservedRange { start: number, end: number };
                definition.reserved_range.push(range);
                definition.reserved_name.push(removed.name().to_owned());
            }
        }
        what => {
            let messages: Vec<&mut DescriptorProto> =
                file.message_type.iter_mut().filter(|message| !message.field.is_empty()).collect();
            let at = dice.below(messages.len());
            let Some(message) = messages.into_iter().nth(at) else { return file };
            let at = dice.below(message.field.len());
            match what {
                2 | 3 => {
                    let removed = message.field.remove(at);
                    message.reserved_range.push(reserved(removed.number()));
                    message.reserved_name.push(removed.name().to_owned());
                }
                4 => {
                    message.field[at].name = Some("other".to_owned());
                    message.field[at].json_name = None;
                }
                _ if message.field[at].type_name.is_none() => {
                    message.field[at].set_type(*dice.pick(&[Proto::Int64, Proto::String, Proto::Bool]));
                    if message.field[at].oneof_index.is_none() {
                        message.field[at].set_label(*dice.pick(&[Label::Repeated, Label::Optional]));
                    }
                }
                _ => {}
            }
        }
    }
    file
}

fn answers(validator: &Validator, document: &str) -> bool {
    validator.validate(document).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]
    #[test]
    fn an_operation_that_the_new_graph_refuses_is_named(
        throws in proptest::collection::vec(any::<u8>(), 97),
        changes in 1usize..4,
    ) {
        let mut dice = Dice { throws: &throws, at: 0 };
        let old = all(altered(Some).expect("the fixture is legal"));
        let new = altered(|mut file| {
            for _ in 0..changes {
                file = change(file, &mut dice);
            }
            Some(file)
        });
        let Some(new) = new.map(all) else { return Ok(()) };
        let before = composed(&old.1);
        let Some(after) = compose(std::slice::from_ref(&new.1), &Locks::default()).supergraph else {
            return Ok(());
        };
        let documents: Vec<String> = (0..16).map(|_| operation(&before, &mut dice)).collect();
        let shapes: Vec<Shape> = documents.iter().map(|document| shape(&before, document)).collect();
        let report = gate((&old.0, &old.1), (&new.0, &new.1), &shapes);
        let (before, after) = (Validator::new(&before).unwrap(), Validator::new(&after).unwrap());
        for document in &documents {
            prop_assert!(answers(&before, document), "{document}: {:?}", before.validate(document).err());
            let is_named = report.broken_shapes.iter().any(|broken| broken.shape == *document);
            prop_assert!(answers(&after, document) || is_named, "{document}\n{:?}\n{report}", after.validate(document).err());
        }
    }
}
