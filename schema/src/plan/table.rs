//! What must be found in the bytes of a message? The fields that some selection needs, each once.
//!
//! A table is made per message of a response and shared by every selection that is written from it, so
//! that one pass over the bytes serves them all. A column's place is its slot; slots never move while a
//! plan grows. Members of a oneof come as a whole: the last one in the bytes clears the others, which
//! nobody can do who does not look for them.

use crate::graph::{Name, Object, Read, Resolve, Type, Types};

/// The fields of a message that are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The message: its object in the graph or, for a response that is not in the graph, its full name.
    pub of: Name,
    /// By slot.
    pub columns: Vec<Column>,
    /// The slots by field number, sorted.
    pub by_number: Vec<(u32, usize)>,
    /// The members of the oneofs that have columns, by slot.
    pub oneofs: Vec<Vec<usize>>,
}

impl Table {
    /// The slot of a field; `None` when nobody needs it.
    pub fn slot(&self, number: u32) -> Option<usize> {
        self.by_number
            .binary_search_by_key(&number, |(number, _)| *number)
            .ok()
            .map(|at| self.by_number[at].1)
    }
}

/// A field that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its number.
    pub number: u32,
    /// How it lies in the bytes; `None` when only its presence counts.
    pub read: Option<Read>,
    /// For messages of which something is needed: their table, by its place in the plan.
    pub table: Option<usize>,
    /// The oneof it belongs to, by its place in the table.
    pub oneof: Option<usize>,
}

/// The tables of a plan while it is made.
#[derive(Debug)]
pub(super) struct Tables<'a> {
    types: &'a Types,
    all: Vec<Table>,
}

impl<'a> Tables<'a> {
    pub(super) fn new(types: &'a Types) -> Tables<'a> {
        Tables { types, all: Vec::new() }
    }

    /// A new table without columns.
    pub(super) fn add(&mut self, of: &Name) -> usize {
        self.all.push(Table {
            of: of.clone(),
            columns: Vec::new(),
            by_number: Vec::new(),
            oneofs: Vec::new(),
        });
        self.all.len() - 1
    }

    /// The slot of a field that is read.
    pub(super) fn column(&mut self, table: usize, read: &Read) -> usize {
        let slot = self.presence(table, read.number);
        self.all[table].columns[slot].read.get_or_insert_with(|| read.clone());
        slot
    }

    /// The slot of a field of which only the presence counts.
    pub(super) fn presence(&mut self, table: usize, number: u32) -> usize {
        if let Some(slot) = self.all[table].slot(number) {
            return slot;
        }
        let members = self.oneof(table, number);
        if members.is_empty() {
            return self.all[table].insert(number, None, None);
        }
        let oneof = self.all[table].oneofs.len();
        let slots: Vec<usize> = members
            .into_iter()
            .map(|(number, read)| self.all[table].insert(number, read.cloned(), Some(oneof)))
            .collect();
        self.all[table].oneofs.push(slots);
        self.all[table].slot(number).unwrap_or_default()
    }

    /// The table of the messages in a slot.
    pub(super) fn nested(&mut self, table: usize, slot: usize, of: &Name) -> usize {
        if let Some(known) = self.all[table].columns[slot].table {
            return known;
        }
        let nested = self.add(of);
        self.all[table].columns[slot].table = Some(nested);
        nested
    }

    pub(super) fn get(&self, table: usize) -> &Table {
        &self.all[table]
    }

    pub(super) fn into_all(self) -> Vec<Table> {
        self.all
    }

    /// The members of the oneof to which a field belongs, itself among them; none when it is in none.
    fn oneof(&self, table: usize, number: u32) -> Vec<(u32, Option<&'a Read>)> {
        let Some(Type::Object(object)) = self.types.get(&self.all[table].of) else { return Vec::new() };
        let members = object.fields.iter().find_map(|field| {
            let members: Vec<(u32, Option<&Read>)> = match &field.resolve {
                Resolve::Case(cases) => cases.iter().map(|case| (case.number, None)).collect(),
                Resolve::Choice(choices) => {
                    choices.iter().map(|choice| (choice.read.number, Some(&choice.read))).collect()
                }
                Resolve::Read(_)
                | Resolve::Edge(_)
                | Resolve::Extension(_)
                | Resolve::Root(_)
                | Resolve::Ok => return None,
            };
            members.iter().any(|(member, _)| *member == number).then_some(members)
        });
        let read =
            |(number, known): (u32, Option<&'a Read>)| (number, known.or_else(|| read(object, number)));
        members.unwrap_or_default().into_iter().map(read).collect()
    }
}

impl Table {
    fn insert(&mut self, number: u32, read: Option<Read>, oneof: Option<usize>) -> usize {
        let slot = self.columns.len();
        match self.by_number.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(at) => return self.by_number[at].1,
            Err(at) => self.by_number.insert(at, (number, slot)),
        }
        self.columns.push(Column { number, read, table: None, oneof });
        slot
    }
}

/// How a field of an object lies in the bytes.
fn read(object: &Object, number: u32) -> Option<&Read> {
    object.fields.iter().find_map(|field| match &field.resolve {
        Resolve::Read(read) if read.number == number => Some(read),
        Resolve::Read(_)
        | Resolve::Case(_)
        | Resolve::Choice(_)
        | Resolve::Edge(_)
        | Resolve::Extension(_)
        | Resolve::Root(_)
        | Resolve::Ok => None,
    })
}
