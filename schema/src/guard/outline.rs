//! Which definitions a document has, and what each of them holds, fragments left out.
//!
//! One pass over the tokens, without recursion: selection sets that are open stand on a list. Everything
//! that the measures rest on must be as the language says, because a parser that reads the text in another
//! way would find what was not measured here. Inside round brackets only the brackets must match. What
//! else is wrong the parser will say.

use super::lexer::{Broken, Lexeme, Lexer, Token};

/// One operation or fragment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Definition<'a> {
    /// The name of a fragment; none of an operation.
    pub(super) fragment: Option<&'a str>,
    /// Variables that it declares.
    pub(super) variables: usize,
    /// What stands in its own text.
    pub(super) counts: Counts,
    /// The fragments it spreads, in the order of the text.
    pub(super) spreads: Vec<Spread<'a>>,
}

/// Those measures to which a fragment adds wherever it is spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) depth: usize,
    pub(super) levels: usize,
    pub(super) selections: usize,
    pub(super) aliases: usize,
    pub(super) directives: usize,
}

/// One `...Name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spread<'a> {
    pub(super) name: &'a str,
    /// The byte it begins at.
    pub(super) at: usize,
    /// Fields around it, in its definition.
    pub(super) depth: usize,
    /// Selection sets around it, in its definition.
    pub(super) levels: usize,
}

/// Why a text has no outline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The byte where it shows.
    pub(super) at: usize,
    pub(super) message: String,
}

/// Reads the outline of a document.
pub(super) fn read(document: &str) -> Result<Vec<Definition<'_>>, Fault> {
    let mut reader = Reader { lexer: Lexer::new(document), ahead: None, end: document.len() };
    reader.ahead = reader.lexer.next();
    let mut definitions = Vec::new();
    while reader.ahead.is_some() {
        definitions.push(reader.definition()?);
    }
    Ok(definitions)
}

/// Whose selection set it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// A field's: what is inside is one deeper.
    Field,
    /// An operation's, a fragment's or an inline fragment's.
    Other,
}

/// Tokens with one of them ahead.
struct Reader<'a> {
    lexer: Lexer<'a>,
    ahead: Option<Lexeme<'a>>,
    end: usize,
}

impl<'a> Reader<'a> {
    fn definition(&mut self) -> Result<Definition<'a>, Fault> {
        let mut definition = Definition::default();
        match self.token() {
            Some(Token::Name("query" | "mutation" | "subscription")) => {
                self.step();
                _ = self.take_name();
                if self.take(Token::Open(b'(')) {
                    definition.variables = self.round(&mut definition.counts)?;
                }
                self.directives(&mut definition.counts)?;
            }
            Some(Token::Name("fragment")) => {
                self.step();
                // A parser that takes this name reads `...on` as a spread of it.
                if self.token() == Some(Token::Name("on")) {
                    return Err(self.unexpected("a fragment's name other than `on`"));
                }
                definition.fragment = Some(self.name("the fragment's name")?);
                self.expect(Token::Name("on"), "`on`")?;
                self.name("the name of a type")?;
                self.directives(&mut definition.counts)?;
            }
            Some(Token::Open(b'{')) => {}
            _ => return Err(self.unexpected("an operation or a fragment")),
        }
        self.expect(Token::Open(b'{'), "`{`")?;
        self.selections(&mut definition)?;
        Ok(definition)
    }

    /// From after the `{` of a definition to after its `}`.
    fn selections(&mut self, definition: &mut Definition<'a>) -> Result<(), Fault> {
        let mut open = vec![Owner::Other];
        let mut depth = 0;
        definition.counts.levels = 1;
        while let Some(&owner) = open.last() {
            let opened = match self.token() {
                Some(Token::Close(b'{')) => {
                    self.step();
                    open.pop();
                    depth -= usize::from(owner == Owner::Field);
                    continue;
                }
                Some(Token::Name(_)) => {
                    definition.counts.depth = definition.counts.depth.max(depth + 1);
                    self.field(&mut definition.counts)?.then_some(Owner::Field)
                }
                Some(Token::Spread) => match self.spread(&mut definition.counts)? {
                    Some((name, at)) => {
                        definition.spreads.push(Spread { name, at, depth, levels: open.len() });
                        None
                    }
                    None => Some(Owner::Other),
                },
                _ => return Err(self.unexpected("a field, `...` or `}`")),
            };
            definition.counts.selections += 1;
            if let Some(owner) = opened {
                open.push(owner);
                depth += usize::from(owner == Owner::Field);
                definition.counts.levels = definition.counts.levels.max(open.len());
            }
        }
        Ok(())
    }

    /// A field to before its selections or after their `{`: whether it has some.
    fn field(&mut self, counts: &mut Counts) -> Result<bool, Fault> {
        self.step();
        if self.take(Token::Mark(b':')) {
            counts.aliases += 1;
            self.name("the name of a field")?;
        }
        if self.take(Token::Open(b'(')) {
            self.round(counts)?;
        }
        self.directives(counts)?;
        Ok(self.take(Token::Open(b'{')))
    }

    /// From `...` to after a spread, which is given with its place, or to after the `{` of an inline
    /// fragment.
    fn spread(&mut self, counts: &mut Counts) -> Result<Option<(&'a str, usize)>, Fault> {
        let at = self.at();
        self.step();
        let name = match self.take_name() {
            Some("on") => {
                self.name("the name of a type")?;
                None
            }
            name => name,
        };
        self.directives(counts)?;
        if name.is_none() {
            self.expect(Token::Open(b'{'), "`{`")?;
        }
        Ok(name.map(|name| (name, at)))
    }

    fn directives(&mut self, counts: &mut Counts) -> Result<(), Fault> {
        while self.take(Token::Mark(b'@')) {
            counts.directives += 1;
            self.name("the name of a directive")?;
            if self.take(Token::Open(b'(')) {
                self.round(counts)?;
            }
        }
        Ok(())
    }

    /// From after a `(` to after its `)`: arguments or variables. Gives the number of `$` that stand
    /// directly between them, and counts the directives of variables.
    fn round(&mut self, counts: &mut Counts) -> Result<usize, Fault> {
        let mut open = vec![b'('];
        let mut dollars = 0;
        while let Some(&innermost) = open.last() {
            match self.token() {
                Some(Token::Open(bracket)) => open.push(bracket),
                Some(Token::Close(bracket)) if bracket == innermost => _ = open.pop(),
                Some(Token::Close(_) | Token::Broken(_)) | None => {
                    return Err(self.unexpected(closing(innermost)));
                }
                Some(Token::Mark(b'@')) => counts.directives += 1,
                Some(Token::Mark(b'$')) => dollars += usize::from(open.len() == 1),
                Some(Token::Mark(_) | Token::Name(_) | Token::Number(_) | Token::String | Token::Spread) => {}
            }
            self.step();
        }
        Ok(dollars)
    }

    fn token(&self) -> Option<Token<'a>> {
        self.ahead.map(|lexeme| lexeme.token)
    }

    fn at(&self) -> usize {
        self.ahead.map_or(self.end, |lexeme| lexeme.at)
    }

    fn step(&mut self) {
        self.ahead = self.lexer.next();
    }

    fn take(&mut self, token: Token<'_>) -> bool {
        let found = self.token() == Some(token);
        if found {
            self.step();
        }
        found
    }

    fn take_name(&mut self) -> Option<&'a str> {
        let Some(Token::Name(name)) = self.token() else { return None };
        self.step();
        Some(name)
    }

    fn expect(&mut self, token: Token<'_>, what: &str) -> Result<(), Fault> {
        if self.take(token) { Ok(()) } else { Err(self.unexpected(what)) }
    }

    fn name(&mut self, what: &str) -> Result<&'a str, Fault> {
        self.take_name().ok_or_else(|| self.unexpected(what))
    }

    fn unexpected(&self, expected: &str) -> Fault {
        let found = match self.token() {
            None => "the end of the document".to_owned(),
            Some(Token::Broken(Broken::String)) => {
                return Fault { at: self.at(), message: "a string has no end".to_owned() };
            }
            Some(Token::Broken(Broken::Character(character))) => {
                let message = format!("the language does not have the character {character:?}");
                return Fault { at: self.at(), message };
            }
            Some(Token::Name(word) | Token::Number(word)) => format!("`{}`", short(word)),
            Some(Token::String) => "a string".to_owned(),
            Some(Token::Spread) => "`...`".to_owned(),
            Some(Token::Open(mark) | Token::Mark(mark)) => format!("`{}`", char::from(mark)),
            Some(Token::Close(opening)) => closing(opening).to_owned(),
        };
        Fault { at: self.at(), message: format!("expected {expected}, found {found}") }
    }
}

fn closing(opening: u8) -> &'static str {
    match opening {
        b'(' => "`)`",
        b'[' => "`]`",
        _ => "`}`",
    }
}

/// Enough of a word to find it. Words are ASCII.
fn short(word: &str) -> &str {
    word.get(..40).unwrap_or(word)
}
