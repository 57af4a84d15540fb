//! Which call brings what is not at hand? Root fields, entities behind their keys, fields added to them.
//!
//! A fetch is found again by its stage, its wave, what it is for and its arguments, so that nothing is
//! called twice that can be called once. Fields of a mutation are never the same: each is a stage.

use async_graphql_parser::Positioned;
use async_graphql_parser::types::Field as Asked;
use async_graphql_value::Value as Literal;

use super::build::{Builder, Stopped};
use super::collect::{Entered, Merged};
use super::error::Error;
use super::fetch::{Call, Fetch, Items, Keyed, Origin, Page};
use super::select::{Place, Wanted};
use super::selection::{Answer, Join, Value};
use crate::graph::{Argument, Edge, Extension, Mask, Name, Read, RootKind, Rpc};
use crate::wire::{Request, Takes, mask};

/// The request fields that say how long a list may become, by their names in the proto.
const PAGE_FIELDS: [&str; 6] = ["page_size", "limit", "first", "last", "max_results", "per_page"];

/// What makes a fetch the same: its stage, its wave, what it is for, and its arguments as text.
pub(super) type Key = (usize, usize, Origin, String);

impl<'a> Builder<'a> {
    /// A field of an operation's root.
    pub(super) fn call(
        &mut self,
        place: usize,
        wanted: Wanted<'_, 'a>,
        merged: &Merged<'a>,
    ) -> Result<Value, Stopped> {
        let Some(served) = self.graph.roots.get(place) else {
            return self.fail(Error::Graph(format!("root field {}", wanted.field.name)));
        };
        let root = &served.what;
        let stage = if root.kind == RootKind::Mutation { self.stages } else { 0 };
        let key = (stage, 0, Origin::Root(place), text(wanted.asked));
        let fetch = match self.known.get(&key) {
            Some(known) => *known,
            None => {
                self.stages = stage + 1;
                let of = if root.unwrap.is_none() { wanted.field.ty.core() } else { &root.rpc.response };
                let table = self.tables.add(of);
                let call = if root.rpc.streams { Call::Stream } else { Call::Once };
                let fetch = Fetch { call, ..fetch(served.by, &root.rpc, &key, table) };
                let fetch = self.with_arguments(fetch, root.into(), wanted)?;
                self.open(key, fetch)
            }
        };
        self.wanted.entry(fetch).or_default().extend(merged.ways().cloned());
        let table = self.fetches[fetch].table;
        let at = Place { table, fetch, depth: 0, paged: false, times: 1, wrapped: None };
        let answer = self.response(root.unwrap.as_ref(), wanted, at)?;
        if let Some(Mask::Read { mask, of }) = root.mask {
            // Again for each field that shares the fetch: the last one knows all columns.
            self.fetches[fetch].mask = mask::encode(mask, self.paths(table, of));
        }
        Ok(Value::Call { fetch, answer })
    }

    /// A response as the value of a field: itself, or one of its fields.
    fn response(
        &mut self,
        field_of: Option<&'a Read>,
        wanted: Wanted<'_, 'a>,
        at: Place<'a>,
    ) -> Result<Answer, Stopped> {
        let core = wanted.field.ty.core();
        match field_of {
            Some(read) => Ok(Answer::Field(self.cell(read, core, wanted.sets, at)?)),
            None => Ok(Answer::Message(self.object(core, wanted.sets, at)?)),
        }
    }

    /// An entity behind the key in a field of the messages of a place.
    pub(super) fn edge(
        &mut self,
        edge: &'a Edge,
        sets: &[Entered<'a>],
        place: Place<'a>,
    ) -> Result<Value, Stopped> {
        let entity = &edge.entity;
        let owned = self.graph.entities.get(entity);
        let Some((owned, lookup)) = owned.and_then(|owned| Some((owned, owned.lookup.as_ref()?))) else {
            return self.fail(Error::Graph(format!("lookup of {entity}")));
        };
        let (table, item) = match self.lookups.get(entity) {
            Some(known) => *known,
            None => {
                let table = match &lookup.items {
                    Some(_) => self.tables.add(&lookup.rpc.response),
                    None => self.tables.add(entity),
                };
                let item = match &lookup.items {
                    Some(items) => {
                        let slot = self.tables.column(table, items);
                        self.tables.nested(table, slot, entity)
                    }
                    None => table,
                };
                self.lookups.insert(entity.clone(), (table, item));
                (table, item)
            }
        };
        let key = self.next(place, Origin::Lookup(entity.clone()), String::new());
        let fetch = match self.known.get(&key) {
            Some(known) => *known,
            None => {
                let batch = lookup.is_batch().then_some(&lookup.key);
                let items = lookup.items.as_ref().map(|items| self.items(table, items, entity, batch));
                let keyed = Keyed { request: lookup.keys.clone(), keys_max: lookup.max_keys, items };
                let fetch = fetch(owned.by, &lookup.rpc, &key, table);
                self.open(key, Fetch { call: Call::Keyed(keyed), ..fetch })
            }
        };
        let slot = self.join(fetch, &edge.key, place);
        let at = Place { table: item, fetch, paged: false, times: 1, wrapped: None, depth: place.depth };
        let selection = self.object(entity, sets, at)?;
        Ok(Value::Join(Join { fetch, slot, key: edge.key.clone(), answer: Answer::Item(selection) }))
    }

    /// A field that an RPC adds to the entities of a place.
    pub(super) fn extension(
        &mut self,
        extension: usize,
        wanted: Wanted<'_, 'a>,
        place: Place<'a>,
    ) -> Result<Value, Stopped> {
        let served = self.graph.extensions.get(extension);
        let entity = served.and_then(|served| self.graph.entities.get(&served.what.entity));
        let Some((served, entity)) = served.zip(entity) else {
            return self.fail(Error::Graph(format!("extension {}", wanted.field.name)));
        };
        let added = &served.what;
        let key = self.next(place, Origin::Extension(extension), text(wanted.asked));
        let fetch = match self.known.get(&key) {
            Some(known) => *known,
            None => {
                let of = if added.items.is_none() { wanted.field.ty.core() } else { &added.rpc.response };
                let table = self.tables.add(of);
                let keyed = Keyed { request: added.key.clone(), keys_max: added.max_keys, items: None };
                let fetch = Fetch { call: Call::Keyed(keyed), ..fetch(served.by, &added.rpc, &key, table) };
                let fetch = self.with_arguments(fetch, added.into(), wanted)?;
                self.open(key, fetch)
            }
        };
        let slot = self.join(fetch, &entity.entity.key, place);
        let answer = self.added(added, fetch, wanted, place.depth)?;
        Ok(Value::Join(Join { fetch, slot, key: entity.entity.key.clone(), answer }))
    }

    /// What of the response of an extension is the value.
    fn added(
        &mut self,
        added: &'a Extension,
        fetch: usize,
        wanted: Wanted<'_, 'a>,
        depth: usize,
    ) -> Result<Answer, Stopped> {
        let table = self.fetches[fetch].table;
        let at = Place { table, fetch, paged: false, times: 1, wrapped: None, depth };
        let Some(group_by) = &added.group_by else {
            return self.response(added.items.as_ref(), wanted, at);
        };
        let core = wanted.field.ty.core();
        let Some(items) = &added.items else {
            return self.fail(Error::Graph(format!("items of {}", added.rpc.method)));
        };
        let items = self.items(table, items, core, Some(group_by));
        let item = items.table;
        if let Call::Keyed(keyed) = &mut self.fetches[fetch].call {
            keyed.items = Some(items);
        }
        let list = wanted.field.ty.is_list();
        let selection = self.object(core, wanted.sets, Place { table: item, paged: list, ..at })?;
        Ok(if list { Answer::Items(selection) } else { Answer::Item(selection) })
    }

    /// Where the items of a response are.
    fn items(&mut self, table: usize, read: &Read, of: &Name, key: Option<&Read>) -> Items {
        let slot = self.tables.column(table, read);
        let item = self.tables.nested(table, slot, of);
        let key = key.map(|key| (self.tables.column(item, key), key.clone()));
        Items { slot, read: read.clone(), table: item, key }
    }

    /// Has a fetch take its keys from a field of the messages of a place; the key's slot there.
    fn join(&mut self, fetch: usize, key: &Read, place: Place<'a>) -> usize {
        self.fetches[fetch].sources.push(place.keys(key.count));
        self.tables.column(place.table, key)
    }

    /// What makes a fetch the same that takes keys from the messages of a place.
    fn next(&self, place: Place<'a>, origin: Origin, arguments: String) -> Key {
        let fetch = &self.fetches[place.fetch];
        (fetch.stage, fetch.wave + 1, origin, arguments)
    }

    /// Adds a fetch.
    fn open(&mut self, key: Key, fetch: Fetch) -> usize {
        self.fetches.push(fetch);
        self.known.insert(key, self.fetches.len() - 1);
        self.fetches.len() - 1
    }

    /// A fetch with the arguments that the document gives.
    fn with_arguments(
        &mut self,
        fetch: Fetch,
        takes: Takes<'a>,
        wanted: Wanted<'_, 'a>,
    ) -> Result<Fetch, Stopped> {
        let given = &wanted.asked.node.arguments;
        let request = match Request::new(takes, given, &self.graph.types) {
            Ok(request) => request,
            Err(errors) => return self.fail_all(errors.into_iter().map(Error::Value)),
        };
        let page = page(takes.arguments, wanted.asked);
        Ok(Fetch { given: given.clone(), request, page, ..fetch })
    }

    /// The names in the proto of what is wanted of a response, or of a message in it.
    fn paths(&self, table: usize, of: Option<u32>) -> Vec<&str> {
        let response = self.tables.get(table);
        let about = match of {
            Some(number) => response
                .slot(number)
                .and_then(|slot| response.columns[slot].table)
                .map(|at| self.tables.get(at)),
            None => Some(response),
        };
        let Some(about) = about else { return Vec::new() };
        let column = |(_, slot): &(u32, usize)| about.columns[*slot].read.as_ref();
        about.by_number.iter().filter_map(column).map(|read| &*read.name).collect()
    }
}

/// A fetch that knows only what it is.
fn fetch(member: usize, rpc: &Rpc, key: &Key, table: usize) -> Fetch {
    let (stage, wave, origin, _) = key.clone();
    Fetch {
        member,
        rpc: rpc.clone(),
        origin,
        given: Vec::new(),
        request: Request::default(),
        mask: Vec::new(),
        call: Call::Once,
        table,
        stage,
        wave,
        sources: Vec::new(),
        when: None,
        page: Page::Unknown,
    }
}

/// How many items were asked for.
fn page(arguments: &[Argument], asked: &Positioned<Asked>) -> Page {
    let argument = arguments.iter().find(|argument| PAGE_FIELDS.contains(&&*argument.write.name));
    let given = argument.and_then(|argument| asked.node.get_argument(&argument.name));
    match given.map(|given| &given.node) {
        Some(Literal::Variable(variable)) => Page::Variable(variable.as_str().into()),
        Some(Literal::Number(number)) => number.as_u64().map_or(Page::Unknown, Page::Fixed),
        Some(_) | None => Page::Unknown,
    }
}

/// The arguments as text, in the order of their names.
fn text(asked: &Positioned<Asked>) -> String {
    let mut given: Vec<String> =
        asked.node.arguments.iter().map(|(name, value)| format!("{}: {}", name.node, value.node)).collect();
    given.sort();
    given.join(", ")
}
