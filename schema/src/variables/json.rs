//! Where the values of a JSON text lie, found in one pass.
//!
//! Variables are read from the bytes of the request: this keeps one small record a value (what it is,
//! where it begins and ends, which record comes after it) and copies nothing. Strings are unescaped when
//! somebody asks for them. After `Document::read` all walking is total: the text is JSON by RFC 8259, no
//! deeper than `DEPTH_MAX`, and its strings are Unicode.

use std::borrow::Cow;
use std::fmt;

/// The deepest nesting of lists and objects. Well above what a form or a filter needs, and low enough
/// that whoever walks the values may do so by recursion.
pub(crate) const DEPTH_MAX: usize = 64;

/// A JSON text and where its values lie.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document<'a> {
    text: &'a str,
    nodes: Vec<Node>,
}

/// One value, or the key of an object, which stands before its value.
#[derive(Clone, Copy, Debug)]
struct Node {
    shape: Shape,
    /// Of strings, what is between the quotes.
    start: u32,
    end: u32,
    /// The record after this one and all that it contains.
    after: u32,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Null,
    True,
    False,
    Number,
    /// A string that means what it says.
    Plain,
    /// A string with backslashes in it.
    Escaped,
    List,
    Object,
}

/// Why a text is no JSON that is taken here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    what: &'static str,
    /// In bytes.
    at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

impl<'a> Document<'a> {
    /// Finds the values of a text.
    pub(crate) fn read(text: &'a str) -> Result<Document<'a>, Malformed> {
        if u32::try_from(text.len()).is_err() {
            return Err(Malformed { what: "the text is too long", at: 0 });
        }
        let mut reader = Reader { bytes: text.as_bytes(), at: 0, nodes: Vec::new() };
        reader.value(0)?;
        match reader.skip_space() {
            None => Ok(Document { text, nodes: reader.nodes }),
            Some(_) => Err(reader.malformed("expected the end")),
        }
    }

    /// The outermost value; a document that was not read from a text has none.
    pub(crate) fn root(&'a self) -> Option<Value<'a>> {
        (!self.nodes.is_empty()).then_some(Value { document: self, at: 0 })
    }

    /// A value by its place, as `Value::place` gave it.
    pub(crate) fn at(&'a self, place: usize) -> Value<'a> {
        Value { document: self, at: place }
    }
}

/// One value of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a> {
    document: &'a Document<'a>,
    at: usize,
}

impl<'a> Value<'a> {
    /// Where it stands in the document.
    pub(crate) fn place(self) -> usize {
        self.at
    }

    pub(crate) fn shape(self) -> Shape {
        self.node().shape
    }

    /// Its text: a number's digits, or a string's content as it is written.
    pub(crate) fn raw(self) -> &'a str {
        let node = self.node();
        &self.document.text[node.start as usize..node.end as usize]
    }

    /// A string's content.
    pub(crate) fn text(self) -> Cow<'a, str> {
        match self.shape() {
            Shape::Escaped => Cow::Owned(unescape(self.raw())),
            _ => Cow::Borrowed(self.raw()),
        }
    }

    /// The values directly inside; of an object, keys and values in turn.
    pub(crate) fn children(self) -> Children<'a> {
        let end = match self.shape() {
            Shape::List | Shape::Object => self.node().after as usize,
            _ => self.at + 1,
        };
        Children { document: self.document, at: self.at + 1, end }
    }

    fn node(self) -> Node {
        self.document.nodes[self.at]
    }
}

/// The values directly inside another.
#[derive(Clone, Debug)]
pub(crate) struct Children<'a> {
    document: &'a Document<'a>,
    at: usize,
    end: usize,
}

impl<'a> Iterator for Children<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        (self.at < self.end).then(|| {
            let value = Value { document: self.document, at: self.at };
            self.at = value.node().after as usize;
            value
        })
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<(), Malformed> {
        match self.skip_space() {
            Some(b'{') => self.container(Shape::Object, depth),
            Some(b'[') => self.container(Shape::List, depth),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Shape::True),
            Some(b'f') => self.word("false", Shape::False),
            Some(b'n') => self.word("null", Shape::Null),
            _ => Err(self.malformed("expected a value")),
        }
    }

    /// A list or an object, at its bracket.
    fn container(&mut self, shape: Shape, depth: usize) -> Result<(), Malformed> {
        if depth == DEPTH_MAX {
            return Err(self.malformed("nested too deeply"));
        }
        let (close, expected) = match shape {
            Shape::Object => (b'}', "expected \",\" or \"}\""),
            _ => (b']', "expected \",\" or \"]\""),
        };
        let (place, start) = (self.nodes.len(), self.at);
        self.push(shape, start);
        self.at += 1;
        if self.skip_space() == Some(close) {
            self.at += 1;
        } else {
            loop {
                if shape == Shape::Object {
                    self.key()?;
                }
                self.value(depth + 1)?;
                match self.skip_space() {
                    Some(b',') => self.at += 1,
                    Some(byte) if byte == close => break self.at += 1,
                    _ => return Err(self.malformed(expected)),
                }
            }
        }
        let after = self.nodes.len() as u32;
        let node = &mut self.nodes[place];
        (node.end, node.after) = (self.at as u32, after);
        Ok(())
    }

    fn key(&mut self) -> Result<(), Malformed> {
        if self.skip_space() != Some(b'"') {
            return Err(self.malformed("expected a key"));
        }
        self.string()?;
        if self.skip_space() != Some(b':') {
            return Err(self.malformed("expected \":\""));
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &str, shape: Shape) -> Result<(), Malformed> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.malformed("expected a value"));
        }
        let start = self.at;
        self.at += word.len();
        self.push(shape, start);
        Ok(())
    }

    fn number(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        self.push(Shape::Number, start);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.malformed("expected a digit")) } else { Ok(()) }
    }

    /// A string, at its first quote.
    fn string(&mut self) -> Result<(), Malformed> {
        self.at += 1;
        let start = self.at;
        let mut shape = Shape::Plain;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    shape = Shape::Escaped;
                    self.escape()?;
                }
                Some(0..=0x1f) => return Err(self.malformed("a control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.malformed("a string without an end")),
            }
        }
        self.push(shape, start);
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let first = self.hex(self.at)?;
                let pair = match first {
                    0xd800..0xdc00 => Some(self.hex(self.at + 6)?),
                    _ => None,
                };
                match (first, pair) {
                    (0xdc00..0xe000, _) => return Err(self.malformed("half a character")),
                    (_, None) => self.at += 6,
                    (_, Some(0xdc00..0xe000)) => self.at += 12,
                    (_, Some(_)) => return Err(self.malformed("half a character")),
                }
            }
            _ => return Err(self.malformed("an unknown escape")),
        }
        Ok(())
    }

    /// The number of `\uXXXX` at a place.
    fn hex(&self, at: usize) -> Result<u32, Malformed> {
        let malformed = || Malformed { what: "expected \\u and four hexadecimal digits", at };
        let escape = self.bytes.get(at..at + 6).ok_or_else(malformed)?;
        if !escape.starts_with(b"\\u") {
            return Err(malformed());
        }
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        escape[2..].iter().try_fold(0, |sum, byte| Some(sum * 16 + digit(byte)?)).ok_or_else(malformed)
    }

    /// Keeps a value that ends here.
    fn push(&mut self, shape: Shape, start: usize) {
        let after = self.nodes.len() as u32 + 1;
        self.nodes.push(Node { shape, start: start as u32, end: self.at as u32, after });
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) -> Option<u8> {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.peek()
    }

    fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }
}

/// What a string means whose escapes were checked.
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (length, meaning) = match rest.as_bytes()[at + 1] {
            b'u' => unicode(&rest[at..]),
            b'b' => (2, '\u{8}'),
            b'f' => (2, '\u{c}'),
            b'n' => (2, '\n'),
            b'r' => (2, '\r'),
            b't' => (2, '\t'),
            other => (2, char::from(other)),
        };
        text.push(meaning);
        rest = &rest[at + length..];
    }
    text.push_str(rest);
    text
}

/// The length and the meaning of `\uXXXX` or of two of them that are one character.
fn unicode(escape: &str) -> (usize, char) {
    let unit = |at: usize| {
        escape.get(at..at + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or_default()
    };
    let first = unit(2);
    if let Some(character) = char::from_u32(first) {
        return (6, character);
    }
    let pair = 0x10000 + ((first - 0xd800) << 10) + (unit(8).wrapping_sub(0xdc00) & 0x3ff);
    (12, char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rebuild(value: Value<'_>) -> serde_json::Value {
        match value.shape() {
            Shape::Null => serde_json::Value::Null,
            Shape::True => true.into(),
            Shape::False => false.into(),
            // serde_json, as it is built here, is not exact about the last digit of a float.
            Shape::Number if value.raw().contains(['.', 'e']) => value.raw().parse::<f64>().unwrap().into(),
            Shape::Number => serde_json::from_str(value.raw()).unwrap(),
            Shape::Plain | Shape::Escaped => value.text().into_owned().into(),
            Shape::List => value.children().map(rebuild).collect(),
            Shape::Object => {
                let mut children = value.children();
                let mut object = serde_json::Map::new();
                while let (Some(key), Some(value)) = (children.next(), children.next()) {
                    object.insert(key.text().into_owned(), rebuild(value));
                }
                object.into()
            }
        }
    }

    #[test]
    fn a_text_that_is_no_json_is_told_where() {
        for (text, expected) in [
            ("", "expected a value at byte 0"),
            (" {\"a\":1,}", "expected a key at byte 8"),
            ("{\"a\" 1}", "expected \":\" at byte 5"),
            ("[1 2]", "expected \",\" or \"]\" at byte 3"),
            ("{\"a\":1", "expected \",\" or \"}\" at byte 6"),
            ("01", "expected the end at byte 1"),
            ("-", "expected a digit at byte 1"),
            ("1.", "expected a digit at byte 2"),
            ("1e+", "expected a digit at byte 3"),
            ("nul", "expected a value at byte 0"),
            ("\"a", "a string without an end at byte 2"),
            ("\"\n\"", "a control character in a string at byte 1"),
            ("\"\\x\"", "an unknown escape at byte 1"),
            ("\"\\ud800\"", "expected \\u and four hexadecimal digits at byte 7"),
            ("\"\\ud800\\u0041\"", "half a character at byte 1"),
            ("\"\\udc00\"", "half a character at byte 1"),
            ("\"\\u12g4\"", "expected \\u and four hexadecimal digits at byte 1"),
        ] {
            assert_eq!(Document::read(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Document::read(&nested(DEPTH_MAX)).is_ok());
        assert!(Document::read(&nested(DEPTH_MAX + 1)).is_err());
        assert!(Document::read(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn escapes_mean_what_they_mean() {
        let text = r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00x""#;
        let document = Document::read(text).unwrap();
        assert_eq!(document.root().unwrap().text(), "\"\\/\u{8}\u{c}\n\r\té😀x");
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_says_what_serde_json_says(value in json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let text = text.unwrap();
            let document = Document::read(&text).unwrap();
            prop_assert_eq!(rebuild(document.root().unwrap()), value);
        }

        #[test]
        fn it_takes_and_refuses_what_serde_json_does(text in "[\\[\\]{}\",:\\\\u0-9a-fx.eE+ tn-]{0,24}") {
            let ours = Document::read(&text);
            match serde_json::from_str::<serde_json::Value>(&text) {
                Ok(_) => prop_assert!(ours.is_ok(), "{:?}", ours),
                // Numbers beyond 64 bits of float are JSON, and refused where a number is wanted.
                Err(error) if error.to_string().starts_with("number out of range") => {}
                Err(error) => prop_assert!(ours.is_err(), "{}", error),
            }
        }
    }
}
