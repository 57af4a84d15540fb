//! Whether every enum value that the graph knows is still there, under the same number.

use prost_reflect::{DescriptorPool, EnumDescriptor};

use super::exposed::{Exposed, Place};
use super::reserved::{Member, Reserved};
use super::{Findings, Rule, Sides};

pub(super) fn check(
    exposed: &Exposed<'_>,
    (old, new): (&DescriptorPool, &DescriptorPool),
    findings: &mut Findings<'_>,
) {
    // An enum that is gone altogether is told by the fields that had its type.
    for name in exposed.enums() {
        let (Some(was), Some(is)) = (old.get_enum_by_name(name), new.get_enum_by_name(name)) else {
            continue;
        };
        let now: Vec<Member> = is
            .values()
            .map(|value| Member {
                number: value.number().into(),
                name: value.name().to_owned(),
                spelled: format!("{} = {}", value.name(), value.number()),
            })
            .collect();
        let about = (Rule::ReservedEnumNoDelete, was.full_name());
        Reserved::of_enum(&was).check(&Reserved::of_enum(&is), &now, about, findings);
    }
    for ((name, number), places) in &exposed.values {
        if let (Some(was), Some(is)) = (old.get_enum_by_name(name), new.get_enum_by_name(name)) {
            compare(*number, (&was, &is), places, findings);
        }
    }
}

/// Compares what stands for one number: several names when it has aliases.
fn compare(
    number: i32,
    (old, new): (&EnumDescriptor, &EnumDescriptor),
    places: &[Place],
    findings: &mut Findings<'_>,
) {
    let names = |definition: &EnumDescriptor| -> Vec<String> {
        let values = definition.values().filter(|value| value.number() == number);
        values.map(|value| value.name().to_owned()).collect()
    };
    let spell = |names: &[String]| {
        names.iter().map(|name| format!("{name} = {number}")).collect::<Vec<_>>().join("; ")
    };
    let (was, is) = (names(old), names(new));
    let Some(first) = was.first() else { return };
    let proto = format!("{}.{first}", old.full_name());
    let mut push =
        |rule, new: String| findings.push(rule, Some(&proto), places, Sides::new(spell(&was), new));
    if is.is_empty() {
        let reserved = Reserved::of_enum(new);
        push(Rule::EnumValueNoDelete, String::new());
        if !reserved.has_number(number.into()) {
            push(Rule::EnumValueNoDeleteUnlessNumberReserved, format!("number {number} is free"));
        }
        for name in was.iter().filter(|name| !reserved.has_name(name)) {
            push(Rule::EnumValueNoDeleteUnlessNameReserved, format!("name {name:?} is free"));
        }
    } else if is.first() != Some(first) || was.iter().any(|name| !is.contains(name)) {
        // Answers carry the first name; all of them may be sent.
        push(Rule::EnumValueSameName, spell(&is));
    }
}
