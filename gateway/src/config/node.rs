//! What does the YAML text say, and where does each piece of it stand?
//!
//! Turns text into a small tree of maps, lists and scalars with the span of each in characters. Scalars
//! stay text: what a value means is decided by the setting it is for, never by YAML's own rules for
//! numbers or dates. Size and nesting are bounded. Anchors, aliases, tags, repeated keys and further
//! documents are mistakes: each would let one line change the meaning of another. It knows nothing of
//! settings.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span as Mark, StrInput};

use super::mistake::{Mistake, Origin, Span};

/// No real file comes near it, and it bounds what a mistaken path (a log, a dump) can cost.
const BYTES_MAX: usize = 256 * 1024;
/// The deepest setting is three maps down; the rest is room for a clear message.
const NESTING_MAX: usize = 16;

/// One piece of the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// Nothing, `~` or `null`.
    Empty,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// A mistake has been told about it already.
    Unusable,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

/// What could be read, and what is wrong with the rest.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) root: Option<Node>,
    pub(crate) mistakes: Vec<Mistake>,
}

/// Reads the first document of `text`.
pub(crate) fn parse(text: &str) -> Tree {
    let mut reader =
        Reader { parser: Parser::new_from_str(text), chars: text.chars().collect(), mistakes: Vec::new() };
    let root = if text.len() > BYTES_MAX {
        reader.tell(
            Span::START,
            format!("the file has {} bytes; the limit is {BYTES_MAX}", text.len()),
            None,
        );
        None
    } else {
        reader.document().unwrap_or_else(|mistake| {
            reader.mistakes.push(mistake);
            None
        })
    };
    Tree { root, mistakes: reader.mistakes }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    chars: Vec<char>,
    mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Option<Node>, Mistake> {
        let mut root = None;
        let mut documents = 0;
        loop {
            let (event, mark) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        let hint = "keep one document in the file".to_owned();
                        self.tell(
                            self.span(mark),
                            "a second YAML document starts here".to_owned(),
                            Some(hint),
                        );
                        return Ok(root);
                    }
                    let first = self.next()?;
                    root = Some(self.node(first, 0)?);
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, (event, mark): (Event<'a>, Mark), depth: usize) -> Result<Node, Mistake> {
        let start = self.span(mark);
        if depth > NESTING_MAX {
            return Err(mistake(start, format!("nested more than {NESTING_MAX} levels deep"), None));
        }
        let (anchor, tagged) = match &event {
            Event::Scalar(_, _, anchor, tag) => (*anchor, tag.is_some()),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            _ => (0, false),
        };
        if anchor != 0 {
            self.tell(
                start,
                "YAML anchors are not supported".to_owned(),
                Some("write the value out".to_owned()),
            );
        }
        if tagged {
            let hint = "remove the tag: a setting's type is known".to_owned();
            self.tell(start, "YAML tags are not supported".to_owned(), Some(hint));
        }
        match event {
            Event::Scalar(text, style, ..) => Ok(Node { content: scalar(&text, style), span: start }),
            Event::SequenceStart(..) => self.list(start, depth),
            Event::MappingStart(..) => self.map(start, depth),
            Event::Alias(_) => {
                self.tell(
                    start,
                    "YAML aliases are not supported".to_owned(),
                    Some("write the value out".to_owned()),
                );
                Ok(Node { content: Content::Unusable, span: start })
            }
            _ => Ok(Node { content: Content::Empty, span: start }),
        }
    }

    fn list(&mut self, start: Span, depth: usize) -> Result<Node, Mistake> {
        let mut items = Vec::new();
        loop {
            let (event, mark) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Node { content: Content::List(items), span: start.to(self.span(mark)) });
            }
            items.push(self.node((event, mark), depth + 1)?);
        }
    }

    fn map(&mut self, start: Span, depth: usize) -> Result<Node, Mistake> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = BTreeMap::new();
        loop {
            let (event, mark) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Node { content: Content::Map(entries), span: start.to(self.span(mark)) });
            }
            let key_span = self.span(mark);
            let key = match event {
                Event::Scalar(text, _, 0, None) => Some(text.into_owned()),
                other => {
                    self.tell(key_span, "a key must be plain text".to_owned(), None);
                    self.node((other, mark), depth + 1)?;
                    None
                }
            };
            let next = self.next()?;
            let value = self.node(next, depth + 1)?;
            let Some(key) = key else { continue };
            if let Some(line) = seen.insert(key.clone(), mark.start.line()) {
                let hint = format!("first given on line {line}; keep one");
                self.tell(key_span, format!("`{}` is given twice", super::mistake::crop(&key)), Some(hint));
                continue;
            }
            entries.push(Entry { key, key_span, value });
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Mark), Mistake> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Ok((Event::StreamEnd, Mark::default())),
        }
    }

    fn syntax(&self, error: &ScanError) -> Mistake {
        let at = error.marker().index();
        // The line of the error and the one before it: a missed quote is often noticed one line late.
        let before: String = self.chars.iter().take(at.saturating_add(120)).collect();
        let near: Vec<&str> = before.lines().rev().take(3).collect();
        let hint = if near.iter().any(|line| line.contains("${")) {
            Some("inside `{ }` or `[ ]` write \"${VAR}\" in quotes".to_owned())
        } else if near.iter().any(|line| line.starts_with('\t')) {
            Some("YAML is indented with spaces, not tabs".to_owned())
        } else {
            None
        };
        mistake(Span::at(at), format!("not YAML: {}", error.info()), hint)
    }

    /// The parser counts the blanks behind a quoted text as part of it.
    fn span(&self, mark: Mark) -> Span {
        let (start, mut end) = (mark.start.index(), mark.end.index().min(self.chars.len()));
        while end > start && self.chars[end - 1].is_whitespace() {
            end -= 1;
        }
        Span { start, end }
    }

    fn tell(&mut self, span: Span, message: String, hint: Option<String>) {
        self.mistakes.push(mistake(span, message, hint));
    }
}

fn mistake(span: Span, message: String, hint: Option<String>) -> Mistake {
    Mistake { origin: Origin::File(span), message, hint }
}

fn scalar(text: &str, style: ScalarStyle) -> Content {
    match (style, text) {
        (ScalarStyle::Plain, "" | "~" | "null" | "Null" | "NULL") => Content::Empty,
        _ => Content::Scalar(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<(String, usize, usize)> {
        let Some(Node { content: Content::Map(entries), .. }) = parse(text).root else { return Vec::new() };
        entries.into_iter().map(|entry| (entry.key, entry.key_span.start, entry.value.span.start)).collect()
    }

    #[test]
    fn spans_count_characters_and_not_bytes() {
        assert_eq!(keys("# é\na: 1\nb: ü\n"), [("a".to_owned(), 4, 7), ("b".to_owned(), 9, 12)]);
    }

    #[test]
    fn null_is_empty_only_when_it_is_not_quoted() {
        let Some(Node { content: Content::Map(entries), .. }) = parse("a: null\nb: 'null'\n").root else {
            panic!("a map was written");
        };
        assert_eq!(entries[0].value.content, Content::Empty);
        assert_eq!(entries[1].value.content, Content::Scalar("null".to_owned()));
    }
}
