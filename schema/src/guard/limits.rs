//! What a document may have of everything that costs, and the sentence that says it has too much.
//!
//! Each limit exists because something after the guard takes time, memory or stack in proportion to it.
//! None is lifted for introspection: a query that only looks like one has walked past such exemptions.

use std::fmt;

/// Everything of a document that is limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Words, marks and strings.
    pub tokens: usize,
    /// The deepest nesting of `(`, `[` and `{` in the text.
    pub nesting: usize,
    /// Bytes of the longest name or number.
    pub word_bytes: usize,
    /// Operations.
    pub operations: usize,
    /// Fragment definitions.
    pub fragments: usize,
    /// Variables that operations declare.
    pub variables: usize,
    /// Fields inside each other at the deepest place.
    pub depth: usize,
    /// Selection sets inside each other at the deepest place: those of fields, of fragments, of
    /// inline fragments.
    pub levels: usize,
    /// Fields, spreads and inline fragments.
    pub selections: usize,
    /// Fields with an alias.
    pub aliases: usize,
    /// Directives, wherever they stand.
    pub directives: usize,
}

/// The most a document may have. Settings that a gateway does not offer stay as in `RECOMMENDED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `limits.tokens`: time and memory of the parser.
    pub tokens: usize,
    /// Stack of the parser. Has to leave room for arguments inside the deepest fields.
    pub nesting: usize,
    /// Memory and length of messages.
    pub word_bytes: usize,
    /// Time of the validator, which looks at every operation.
    pub operations: usize,
    /// Time of the validator.
    pub fragments: usize,
    /// Time of the validator.
    pub variables: usize,
    /// `limits.depth`: what an answer may grow to.
    pub depth: usize,
    /// Stack of the validator and the planner.
    pub levels: usize,
    /// `limits.selections`: time of the validator, which compares them, and size of the plan.
    pub selections: usize,
    /// `limits.aliases`: how often the same field may be asked for.
    pub aliases: usize,
    /// `limits.directives`: time of the validator.
    pub directives: usize,
}

impl Limits {
    /// Room for what clients honestly send, the introspection of GraphiQL included.
    pub const RECOMMENDED: Limits = Limits {
        tokens: 2_000,
        nesting: 64,
        word_bytes: 256,
        operations: 20,
        fragments: 50,
        variables: 100,
        depth: 15,
        levels: 100,
        selections: 1_000,
        aliases: 60,
        directives: 20,
    };

    /// Those that a document with these measures exceeds.
    pub(super) fn exceeded(&self, measures: &Measures) -> Vec<Exceeded> {
        let pairs = [
            (Limit::Tokens, measures.tokens, self.tokens),
            (Limit::Nesting, measures.nesting, self.nesting),
            (Limit::WordBytes, measures.word_bytes, self.word_bytes),
            (Limit::Operations, measures.operations, self.operations),
            (Limit::Fragments, measures.fragments, self.fragments),
            (Limit::Variables, measures.variables, self.variables),
            (Limit::Depth, measures.depth, self.depth),
            (Limit::Levels, measures.levels, self.levels),
            (Limit::Selections, measures.selections, self.selections),
            (Limit::Aliases, measures.aliases, self.aliases),
            (Limit::Directives, measures.directives, self.directives),
        ];
        let exceeded = pairs.into_iter().filter(|(_, found, allowed)| found > allowed);
        exceeded.map(|(limit, found, allowed)| Exceeded { limit, found, allowed }).collect()
    }
}

/// The name of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// Words, marks and strings.
    Tokens,
    /// Brackets inside each other.
    Nesting,
    /// The longest name or number.
    WordBytes,
    /// Operations.
    Operations,
    /// Fragment definitions.
    Fragments,
    /// Declared variables.
    Variables,
    /// Fields inside each other.
    Depth,
    /// Selection sets inside each other.
    Levels,
    /// Fields, spreads and inline fragments.
    Selections,
    /// Fields with an alias.
    Aliases,
    /// Directives in any place.
    Directives,
}

impl Limit {
    /// The setting that changes it; none of a limit that is fixed.
    pub fn setting(self) -> Option<&'static str> {
        match self {
            Limit::Tokens => Some("limits.tokens"),
            Limit::Depth => Some("limits.depth"),
            Limit::Selections => Some("limits.selections"),
            Limit::Aliases => Some("limits.aliases"),
            Limit::Directives => Some("limits.directives"),
            Limit::Nesting
            | Limit::WordBytes
            | Limit::Operations
            | Limit::Fragments
            | Limit::Variables
            | Limit::Levels => None,
        }
    }

    /// What there is too much of, and where fragments count wherever they are spread.
    fn noun(self) -> &'static str {
        match self {
            Limit::Tokens => "tokens",
            Limit::Nesting => "brackets inside each other",
            Limit::WordBytes => "bytes in one name or number",
            Limit::Operations => "operations",
            Limit::Fragments => "fragments",
            Limit::Variables => "variables",
            Limit::Depth => "fields inside each other",
            Limit::Levels => "selection sets inside each other, with fragments written out",
            Limit::Selections => "selections, with fragments written out",
            Limit::Aliases => "aliases, with fragments written out",
            Limit::Directives => "directives, with fragments written out",
        }
    }
}

/// A limit, and what was found instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Of what there is too much.
    pub limit: Limit,
    /// How much there is.
    pub found: usize,
    /// How much there may be.
    pub allowed: usize,
}

/// Above this the exact number tells nobody anything.
const COUNTED_MAX: usize = 1_000_000;

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the document has ")?;
        match self.found {
            ..=COUNTED_MAX => write!(f, "{}", self.found)?,
            _ => write!(f, "more than {COUNTED_MAX}")?,
        }
        write!(f, " {}, and ", self.limit.noun())?;
        match self.limit.setting() {
            Some(setting) => write!(f, "{setting} allows {}", self.allowed),
            None => write!(f, "{} are allowed", self.allowed),
        }
    }
}
