//! Any valid operation on any graph, chosen by bytes: what is asked, by which key, with what arguments.
//!
//! Valid by the way it is made: a key always stands for one field with one type and one set of arguments,
//! so whatever is merged fits; fragments and variables are written when they are first used. Equal bytes
//! are equal operations, and without bytes the smallest is asked. Also the fuzz target `plan` has this file.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::Supergraph;
use crate::graph::{Argument, Field, Kind, OneOf, RootKind, Type, TypeRef, WellKnown};

/// Selections on the way from the operation to its deepest leaf.
const DEPTH_MAX: usize = 6;

/// Fields in the text, after which only what must be there is written.
const FIELDS_MAX: usize = 60;

/// Inputs in each other.
const INPUTS_MAX: usize = 4;

/// Directives in the text: guard's limit.
const DIRECTIVES_MAX: usize = 20;

/// What it does, and the text.
pub(super) fn operation(graph: &Supergraph, choices: &[u8]) -> (RootKind, String) {
    let mut writer = Writer {
        graph,
        choices: choices.iter(),
        keys: BTreeMap::new(),
        fragments: Vec::new(),
        variables: Vec::new(),
        fields: 0,
        directives: 0,
        asks_conditions: [false; 2],
    };
    let kinds = [RootKind::Query, RootKind::Mutation, RootKind::Subscription];
    let kinds: Vec<RootKind> = kinds.into_iter().filter(|kind| graph.root_type(*kind).is_some()).collect();
    let kind = kinds[writer.below(kinds.len())];
    let set = match kind {
        RootKind::Query | RootKind::Mutation => writer.set(kind.as_str(), DEPTH_MAX),
        RootKind::Subscription => writer.event(),
    };
    (kind, writer.finish(kind, &set))
}

struct Writer<'g> {
    graph: &'g Supergraph,
    choices: std::slice::Iter<'g, u8>,
    /// What each response key stands for.
    keys: BTreeMap<String, String>,
    /// The types they are on, and their sets.
    fragments: Vec<(String, String)>,
    /// Their types, and their defaults.
    variables: Vec<(String, String)>,
    fields: usize,
    directives: usize,
    /// Whether `$a` and `$b` are used, which are conditions.
    asks_conditions: [bool; 2],
}

impl<'g> Writer<'g> {
    fn below(&mut self, count: usize) -> usize {
        usize::from(self.choices.next().copied().unwrap_or(0)) % count.max(1)
    }

    /// Never without bytes.
    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    fn finish(&self, kind: RootKind, set: &str) -> String {
        let word = kind.as_str().to_lowercase();
        let conditions = ["a", "b"].into_iter().zip(self.asks_conditions);
        let conditions = conditions.filter(|(_, asked)| *asked).map(|(name, _)| format!("${name}: Boolean!"));
        let variables = self.variables.iter().enumerate();
        let variables = variables.map(|(at, (ty, default))| format!("$v{at}: {ty}{default}"));
        let declared: Vec<String> = conditions.chain(variables).collect();
        let declared = if declared.is_empty() { String::new() } else { format!("({})", declared.join(", ")) };
        let mut text = format!("{word} Asked{declared} {set}\n");
        for (at, (on, set)) in self.fragments.iter().enumerate() {
            let _ = writeln!(text, "fragment F{at} on {on} {set}");
        }
        text
    }

    /// Its one field stands under no condition: the plan of a subscription to nothing is refused.
    fn event(&mut self) -> String {
        let fields = self.object(RootKind::Subscription.as_str());
        let at = self.below(fields.len());
        format!("{{ {} }}", self.field(&fields[at], "", DEPTH_MAX))
    }

    fn object(&self, of: &str) -> &'g [Field] {
        match self.graph.types.get(of) {
            Some(Type::Object(object)) => &object.fields,
            _ => &[],
        }
    }

    /// The objects that a value of this type may be.
    fn possible(&self, of: &str) -> Vec<&'g str> {
        match self.graph.types.get_key_value(of) {
            Some((_, Type::Union(union))) => union.members.iter().map(|member| &**member).collect(),
            Some((name, Type::Object(_))) => vec![&**name],
            _ => Vec::new(),
        }
    }

    fn is_composite(&self, of: &str) -> bool {
        matches!(self.graph.types.get(of), Some(Type::Object(_) | Type::Union(_)))
    }

    /// The types that a fragment may be on where this type is expected.
    fn conditions(&self, of: &str) -> Vec<&'g str> {
        let possible = self.possible(of);
        let overlaps = |other: &&str| self.possible(other).iter().any(|object| possible.contains(object));
        let composite = self.graph.types.keys().map(|name| &**name).filter(|name| self.is_composite(name));
        composite.filter(overlaps).collect()
    }

    fn set(&mut self, of: &str, depth: usize) -> String {
        let count = 1 + self.below(4);
        let items: Vec<String> = (0..count).map(|_| self.item(of, depth)).collect();
        format!("{{ {} }}", items.join(" "))
    }

    fn item(&mut self, of: &str, depth: usize) -> String {
        let is_small = depth == 0 || self.fields >= FIELDS_MAX;
        if !is_small && self.one_in(4) {
            return self.fragment(of, depth);
        }
        let fields = self.object(of);
        let fits = |field: &&Field| !(is_small && self.is_composite(field.ty.core()));
        let fields: Vec<&Field> = fields.iter().filter(fits).collect();
        match self.below(fields.len() + 1) {
            at if at < fields.len() => {
                let directives = self.directives();
                self.field(fields[at], &directives, depth)
            }
            _ if of == "Query" && self.one_in(4) => "__schema { queryType { name } }".to_owned(),
            _ => format!("__typename{}", self.directives()),
        }
    }

    fn fragment(&mut self, of: &str, depth: usize) -> String {
        let conditions = self.conditions(of);
        let on = conditions[self.below(conditions.len())];
        let known: Vec<usize> =
            (0..self.fragments.len()).filter(|at| conditions.contains(&&*self.fragments[*at].0)).collect();
        match self.below(4) {
            0 => format!("...{} {}", self.directives(), self.set(of, depth - 1)),
            1 => format!("... on {on}{} {}", self.directives(), self.set(on, depth - 1)),
            2 if !known.is_empty() => {
                let at = known[self.below(known.len())];
                format!("...F{at}{}", self.directives())
            }
            _ => {
                // It is known only after it is written, so that none spreads itself.
                let set = self.set(on, depth - 1);
                self.fragments.push((on.to_owned(), set));
                format!("...F{}{}", self.fragments.len() - 1, self.directives())
            }
        }
    }

    fn field(&mut self, field: &'g Field, directives: &str, depth: usize) -> String {
        self.fields += 1;
        let one_of: &[OneOf] = match &field.resolve {
            crate::graph::Resolve::Root(at) => &self.graph.roots[*at].what.one_of,
            crate::graph::Resolve::Extension(at) => &self.graph.extensions[*at].what.one_of,
            _ => &[],
        };
        let arguments = self.values(&field.arguments, one_of, INPUTS_MAX);
        let arguments = if arguments.is_empty() { arguments } else { format!("({arguments})") };
        let meaning = format!("{}{arguments}: {}", field.name, field.ty);
        let key = self.key(&field.name, meaning);
        let alias = if key == *field.name { String::new() } else { format!("{key}: ") };
        let core = field.ty.core();
        let set =
            if self.is_composite(core) { self.set(core, depth.saturating_sub(1)) } else { String::new() };
        format!("{alias}{}{arguments}{directives} {set}", field.name)
    }

    fn key(&mut self, name: &str, meaning: String) -> String {
        let wished = if self.one_in(6) { format!("m{}", self.below(3)) } else { name.to_owned() };
        let own = format!("k{}", self.keys.len());
        let key = match self.keys.get(&wished) {
            Some(known) if *known != meaning => own,
            _ => wished,
        };
        self.keys.insert(key.clone(), meaning);
        key
    }

    fn directives(&mut self) -> String {
        let mut text = String::new();
        for word in ["include", "skip"] {
            if self.directives < DIRECTIVES_MAX && self.one_in(8) {
                self.directives += 1;
                let at = self.below(4);
                let value = ["$a", "$b", "true", "false"][at];
                if let Some(asked) = self.asks_conditions.get_mut(at) {
                    *asked = true;
                }
                let _ = write!(text, " @{word}(if: {value})");
            }
        }
        text
    }

    /// `name: value` for what must be given and some of the rest.
    fn values(&mut self, all: &[Argument], one_of: &[OneOf], depth: usize) -> String {
        let (mut given, mut taken) = (Vec::new(), Vec::new());
        for argument in all {
            let of = one_of.iter().position(|one_of| one_of.members.contains(&argument.name));
            let is_wanted = (depth > 0 && self.one_in(2)) && of.is_none_or(|of| !taken.contains(&of));
            if argument.ty.is_non_null() || is_wanted {
                taken.extend(of);
                let value = if self.one_in(3) { None } else { self.value(&argument.ty, argument, depth) };
                let value = value.unwrap_or_else(|| self.variable(&argument.ty, argument));
                given.push(format!("{}: {value}", argument.name));
            }
        }
        given.join(", ")
    }

    fn variable(&mut self, ty: &TypeRef, argument: &Argument) -> String {
        let text = ty.to_string();
        if let Some(at) = self.variables.iter().position(|(known, _)| *known == text) {
            return format!("$v{at}");
        }
        let (mut text, mut default) = (text, String::new());
        match self.below(4) {
            1 if !ty.is_non_null() => text += "!",
            2 => {
                if let Some(value) = self.leaf(ty.core(), argument) {
                    text = ty.clone().nullable().to_string();
                    default = format!(" = {value}");
                }
            }
            _ => {}
        }
        self.variables.push((text, default));
        format!("$v{}", self.variables.len() - 1)
    }

    fn value(&mut self, ty: &TypeRef, argument: &Argument, depth: usize) -> Option<String> {
        match ty {
            TypeRef::NonNull(inner) => self.present(inner, argument, depth),
            TypeRef::Named(_) | TypeRef::List(_) if self.one_in(8) => Some("null".to_owned()),
            TypeRef::Named(_) | TypeRef::List(_) => self.present(ty, argument, depth),
        }
    }

    fn present(&mut self, ty: &TypeRef, argument: &Argument, depth: usize) -> Option<String> {
        match ty {
            TypeRef::NonNull(inner) => self.present(inner, argument, depth),
            TypeRef::List(inner) => {
                let count = self.below(3);
                let items: Option<Vec<String>> = (0..count)
                    .map(|_| match self.one_in(5) {
                        true => Some(self.variable(inner, argument)),
                        false => self.value(inner, argument, depth),
                    })
                    .collect();
                Some(format!("[{}]", items?.join(", ")))
            }
            TypeRef::Named(name) => match self.graph.types.get(name) {
                Some(Type::Input(input)) if depth > 0 => {
                    let fields = self.values(&input.fields, &input.one_of, depth - 1);
                    Some(format!("{{{fields}}}"))
                }
                _ => self.leaf(name, argument),
            },
        }
    }

    /// A value without variables in it, of a type that is no input.
    fn leaf(&mut self, name: &str, argument: &Argument) -> Option<String> {
        match &argument.write.kind {
            Kind::WellKnown(WellKnown::Any) => return None,
            Kind::WellKnown(WellKnown::Null) => return Some("null".to_owned()),
            Kind::WellKnown(WellKnown::Empty) => return Some("true".to_owned()),
            Kind::WellKnown(WellKnown::ListValue) => return Some("[1, \"b\", {c: null}]".to_owned()),
            _ => {}
        }
        let number = self.below(90);
        match self.graph.types.get(name) {
            Some(Type::Enum(definition)) => {
                let at = self.below(definition.values.len());
                return definition.values.get(at).map(|value| value.name.to_string());
            }
            Some(Type::Scalar(_)) | None => {}
            Some(Type::Object(_) | Type::Input(_) | Type::Union(_)) => return None,
        }
        Some(match name {
            "Int" | "UInt32" => number.to_string(),
            "Float" => format!("{number}.5"),
            "Boolean" => number.is_multiple_of(2).to_string(),
            "Bytes" => "\"QUJD\"".to_owned(),
            "DateTime" => format!("\"2024-02-01T03:04:{:02}Z\"", number % 60),
            "Duration" => format!("\"{number}.5s\""),
            "Date" => format!("\"2024-02-{:02}\"", number % 28 + 1),
            "FieldMask" => "\"name\"".to_owned(),
            "JSON" => format!("{{n: {number}}}"),
            // Keys are texts, whatever they are underneath.
            _ => format!("\"{number}\""),
        })
    }
}
