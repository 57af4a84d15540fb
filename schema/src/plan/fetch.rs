//! What is called, with what, and for whom: the fetches of a plan, in stages and waves.
//!
//! A fetch is one RPC with its arguments, however often it is called for its keys. The fetches of a wave
//! are independent of each other. A stage is what must be over before the next may begin: a query and a
//! subscription have one, a mutation one for each of its fields.

use async_graphql_parser::Positioned;
use async_graphql_value::{Name as DocumentName, Value};

use crate::graph::{Name, Read, Rpc};
use crate::wire::Request;

/// One RPC with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetch {
    /// Who is called, by its place in the supergraph's members.
    pub member: usize,
    /// What is called.
    pub rpc: Rpc,
    /// What it is for.
    pub origin: Origin,
    /// The arguments as the document gives them, variables inside.
    pub given: Vec<(Positioned<DocumentName>, Positioned<Value>)>,
    /// The same, compiled. Keys and mask go behind its bytes.
    pub request: Request,
    /// The bytes of the request field that names what is wanted of the answer; empty when there is none.
    pub mask: Vec<u8>,
    /// How often it is called.
    pub call: Call,
    /// The response's table.
    pub table: usize,
    /// The stage it belongs to.
    pub stage: usize,
    /// Its wave in the stage.
    pub wave: usize,
    /// Where its keys come from; empty for the fetches of an operation's root.
    pub sources: Vec<Source>,
    /// It is wanted only when this holds. A fetch with keys is wanted when there are any.
    pub when: Option<usize>,
    /// How many items its list has.
    pub page: Page,
}

/// What a fetch is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A root field, by its place in the supergraph.
    Root(usize),
    /// Loading an entity.
    Lookup(Name),
    /// A field added to an entity, by its place in the supergraph.
    Extension(usize),
}

/// How often an RPC is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Once.
    Once,
    /// Once, for a stream of events.
    Stream,
    /// As often as its keys demand.
    Keyed(Keyed),
}

/// How keys are sent and answers found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyed {
    /// The request field for the key, or, repeated, the keys.
    pub request: Read,
    /// The most keys that one call takes; 1 when it takes one.
    pub keys_max: u32,
    /// The items, when they are not the response itself.
    pub items: Option<Items>,
}

/// The items in a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Items {
    /// Their slot in the response.
    pub slot: usize,
    /// How they are read.
    pub read: Read,
    /// The table of an item.
    pub table: usize,
    /// In a batch, the slot of an item's key in that table, and how it is read.
    pub key: Option<(usize, Read)>,
}

/// Where keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The fetch whose answer has them.
    pub fetch: usize,
    /// Whether they are inside its list, so that they are as many as its page is long.
    pub paged: bool,
    /// How many there are beyond that, as far as anyone can tell.
    pub times: u64,
}

/// How many items a list has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// Nobody said.
    Unknown,
    /// The document says.
    Fixed(u64),
    /// A variable says.
    Variable(Name),
}

/// What must be over before the next may begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// The fetches by wave.
    pub waves: Vec<Vec<usize>>,
}
