//! How dangerous a document is, measured before anything recursive reads it.
//!
//! A few kilobytes of brackets overflow a recursive parser's stack, and a few fragments that spread each
//! other keep a validator busy for ever. Here nothing recurses and nothing is looked at twice: the text is
//! measured first, then the outline of its definitions, then fragments, each once. Time is proportional to
//! the length of the text. A document that passes may still be wrong; the parser and the validator say how,
//! and neither of them can be hurt by it.

mod expand;
pub(crate) mod lexer;
mod limits;
mod outline;

use std::fmt;

use async_graphql_parser::Pos;

use lexer::{Lexer, Token};
pub use limits::{Exceeded, Limit, Limits, Measures};
use outline::Definition;

/// Why a document is not given to the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has too much of something.
    Limits(Vec<Exceeded>),
    /// It is no GraphQL.
    Syntax {
        /// Where it shows.
        at: Pos,
        /// What is wrong there.
        message: String,
    },
    /// Fragments spread each other, whether or not an operation uses them.
    Cycle {
        /// Where the first of them spreads the next.
        at: Pos,
        /// Their names. Each spreads the next, and the last the first.
        fragments: Vec<String>,
    },
}

impl Refusal {
    /// Where it shows; nowhere when it is the whole that is too much.
    pub fn at(&self) -> Option<Pos> {
        match self {
            Refusal::Limits(_) => None,
            Refusal::Syntax { at, .. } | Refusal::Cycle { at, .. } => Some(*at),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Limits(exceeded) => {
                for (index, exceeded) in exceeded.iter().enumerate() {
                    let between = if index == 0 { "" } else { "; " };
                    write!(f, "{between}{exceeded}")?;
                }
                Ok(())
            }
            Refusal::Syntax { message, .. } => f.write_str(message),
            Refusal::Cycle { fragments, .. } => {
                let (first, others) = fragments.split_first().map_or(("", &[][..]), |(a, b)| (a, b));
                write!(f, "the fragment {first} spreads itself")?;
                others.iter().enumerate().try_for_each(|(index, name)| {
                    write!(f, "{}{name}", if index == 0 { " by way of " } else { ", " })
                })
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// Measures a document and holds it against the limits. What its text exceeds is told without a look at
/// its definitions, so that a refusal costs no more than reading the text once.
pub fn check(document: &str, limits: &Limits) -> Result<Measures, Refusal> {
    let text = text(document);
    refuse(limits.exceeded(&text))?;
    let definitions = outline::read(document)
        .map_err(|fault| Refusal::Syntax { at: position(document, fault.at), message: fault.message })?;
    let counts = expand::expand(&definitions).map_err(|cycle| named(document, &definitions, &cycle.0))?;
    let fragments = definitions.iter().filter(|definition| definition.fragment.is_some()).count();
    let measures = Measures {
        operations: definitions.len() - fragments,
        fragments,
        variables: definitions.iter().map(|definition| definition.variables).sum(),
        depth: counts.depth,
        levels: counts.levels,
        selections: counts.selections,
        aliases: counts.aliases,
        directives: counts.directives,
        ..text
    };
    refuse(limits.exceeded(&measures))?;
    Ok(measures)
}

fn refuse(exceeded: Vec<Exceeded>) -> Result<(), Refusal> {
    if exceeded.is_empty() { Ok(()) } else { Err(Refusal::Limits(exceeded)) }
}

/// What can be said without knowing what the tokens mean. Brackets need not match.
fn text(document: &str) -> Measures {
    let (mut measures, mut open) = (Measures::default(), 0usize);
    for lexeme in Lexer::new(document) {
        measures.tokens += 1;
        match lexeme.token {
            Token::Open(_) => {
                open += 1;
                measures.nesting = measures.nesting.max(open);
            }
            Token::Close(_) => open = open.saturating_sub(1),
            Token::Name(word) | Token::Number(word) => {
                measures.word_bytes = measures.word_bytes.max(word.len());
            }
            Token::String | Token::Spread | Token::Mark(_) | Token::Broken(_) => {}
        }
    }
    measures
}

fn named(document: &str, definitions: &[Definition<'_>], cycle: &[usize]) -> Refusal {
    let circle = cycle.iter().filter_map(|index| definitions.get(*index));
    let fragments: Vec<&str> = circle.clone().filter_map(|definition| definition.fragment).collect();
    // The fragment that comes second; of a circle of one, itself.
    let second = fragments.get(1).or(fragments.first());
    let spread =
        circle.flat_map(|definition| &definition.spreads).find(|spread| second == Some(&spread.name));
    Refusal::Cycle {
        at: position(document, spread.map_or(0, |spread| spread.at)),
        fragments: fragments.into_iter().map(str::to_owned).collect(),
    }
}

/// Line and column of a byte, as GraphQL counts them: from 1, in characters, lines ending in LF, CR or both.
pub(crate) fn position(document: &str, at: usize) -> Pos {
    let (mut line, mut column, mut before) = (1, 1, '\0');
    for character in document.char_indices().take_while(|(index, _)| *index < at).map(|(_, c)| c) {
        match (before, character) {
            ('\r', '\n') => {}
            (_, '\n' | '\r') => (line, column) = (line + 1, 1),
            _ => column += 1,
        }
        before = character;
    }
    Pos { line, column }
}

#[cfg(test)]
mod tests;
