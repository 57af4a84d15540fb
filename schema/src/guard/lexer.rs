//! Which tokens a text has: one pass over its bytes, without memory of what came before.
//!
//! The lexer takes every text. What is no token is `Broken`, up to where the language could go on, and a
//! string that never ends is one broken token to the end of its line or of the text. Whether a number has
//! the right digits and a string the right escapes is the parser's business.

/// One token. Words are pieces of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Name(&'a str),
    Number(&'a str),
    String,
    /// `(`, `[` or `{`.
    Open(u8),
    /// The bracket that would have opened it: `(` for `)`.
    Close(u8),
    /// `...`
    Spread,
    /// One of `! $ & : = @ |`.
    Mark(u8),
    Broken(Broken<'a>),
}

/// What is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken<'a> {
    /// A character the language does not have.
    Character(&'a str),
    /// A string without its end.
    String,
}

/// A token and the byte it begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lexeme<'a> {
    pub(crate) token: Token<'a>,
    pub(crate) at: usize,
}

/// The tokens of a text, in order.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

/// U+FEFF, which the language ignores wherever it stands.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Lexer<'a> {
        Lexer { text, at: 0 }
    }

    /// To the next byte that is not space, comma, comment or byte order mark.
    fn skip_ignored(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            self.at += match byte {
                b' ' | b'\t' | b'\n' | b'\r' | b',' => 1,
                b'#' => count(&bytes[self.at..], |byte| !is_line_end(byte)),
                0xef if bytes[self.at..].starts_with(BYTE_ORDER_MARK) => BYTE_ORDER_MARK.len(),
                _ => return,
            };
        }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Lexeme<'a>;

    fn next(&mut self) -> Option<Lexeme<'a>> {
        self.skip_ignored();
        let rest = &self.text[self.at..];
        let bytes = rest.as_bytes();
        let (token, length) = match *bytes.first()? {
            byte @ (b'(' | b'[' | b'{') => (Token::Open(byte), 1),
            b')' => (Token::Close(b'('), 1),
            b']' => (Token::Close(b'['), 1),
            b'}' => (Token::Close(b'{'), 1),
            byte @ (b'!' | b'$' | b'&' | b':' | b'=' | b'@' | b'|') => (Token::Mark(byte), 1),
            b'.' if bytes.starts_with(b"...") => (Token::Spread, 3),
            b'"' => string(bytes),
            byte if byte == b'_' || byte.is_ascii_alphabetic() => {
                let length = count(bytes, |byte| byte == b'_' || byte.is_ascii_alphanumeric());
                (Token::Name(&rest[..length]), length)
            }
            byte if byte == b'-' || byte.is_ascii_digit() => {
                let length = number(bytes);
                (Token::Number(&rest[..length]), length)
            }
            _ => {
                let length = rest.chars().next().map_or(1, char::len_utf8);
                (Token::Broken(Broken::Character(&rest[..length])), length)
            }
        };
        let lexeme = Lexeme { token, at: self.at };
        self.at += length;
        Some(lexeme)
    }
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// How many bytes at the beginning are such.
fn count(bytes: &[u8], such: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !such(*byte)).unwrap_or(bytes.len())
}

/// The length of the number that begins here: `-1`, `0.5`, `6e+23`. A dot or an `e` without digits does
/// not belong to it.
fn number(bytes: &[u8]) -> usize {
    let digits = |at: usize| count(bytes.get(at..).unwrap_or_default(), |byte| byte.is_ascii_digit());
    let mut length = 1 + digits(1);
    if bytes.get(length) == Some(&b'.') && digits(length + 1) > 0 {
        length += 1 + digits(length + 1);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}

/// The string that begins here, and its length.
fn string(bytes: &[u8]) -> (Token<'static>, usize) {
    let (closed, length) =
        if bytes.starts_with(b"\"\"\"") { block_string(bytes) } else { line_string(bytes) };
    (if closed { Token::String } else { Token::Broken(Broken::String) }, length)
}

fn line_string(bytes: &[u8]) -> (bool, usize) {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return (true, at + 1),
            byte if is_line_end(*byte) => return (false, at),
            b'\\' if bytes.get(at + 1).is_some_and(|byte| !is_line_end(*byte)) => at += 2,
            _ => at += 1,
        }
    }
    (false, bytes.len())
}

fn block_string(bytes: &[u8]) -> (bool, usize) {
    let mut at = 3;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"\"\"\"") {
            return (true, at + 3);
        }
        at += if rest.starts_with(b"\\\"\"\"") { 4 } else { 1 };
    }
    (false, bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn check(text: &str, expected: Expect) {
        let tokens: Vec<String> = Lexer::new(text)
            .map(|lexeme| match lexeme.token {
                Token::Open(byte) | Token::Mark(byte) => char::from(byte).to_string(),
                Token::Close(byte) => format!("/{}", char::from(byte)),
                Token::Name(word) | Token::Number(word) => word.to_owned(),
                Token::Spread => "...".to_owned(),
                Token::String => format!("string@{}", lexeme.at),
                Token::Broken(broken) => format!("{broken:?}@{}", lexeme.at),
            })
            .collect();
        expected.assert_eq(&tokens.join(" "));
    }

    #[test]
    fn what_the_language_ignores_is_no_token() {
        check("\u{feff}{\t,a\r\n,,\u{feff}b # } {\r c}", expect!["{ a b c /{"]);
        check("# only a comment", expect![""]);
    }

    #[test]
    fn words_marks_and_brackets_need_no_space_between_them() {
        check(
            "query Q($a:[Int!]=[1,-2]){x:y(z:$a)@i...F}",
            expect!["query Q ( $ a : [ Int ! /[ = [ 1 -2 /[ /( { x : y ( z : $ a /( @ i ... F /{"],
        );
    }

    #[test]
    fn a_number_takes_what_belongs_to_it_and_no_more() {
        check("0 -1 1.5 6e23 6.0E+23 1-2", expect!["0 -1 1.5 6e23 6.0E+23 1 -2"]);
        check("1a 1e 1... 1.", expect!["1 a 1 e 1 ... 1 Character(\".\")@12"]);
    }

    #[test]
    fn brackets_in_strings_are_text() {
        check(r#" "{[(" "\"{" "\\" a"#, expect!["string@1 string@7 string@13 a"]);
        check(r#" "" """ " { "" \""" { """ a"#, expect!["string@1 string@4 a"]);
        check("\"é\\é\" a", expect!["string@0 a"]);
        // A backslash escapes only three quotes in a block string, also when another one is before it.
        check(r#""""\\"""""" a"#, expect!["string@0 a"]);
    }

    #[test]
    fn a_string_without_an_end_is_broken() {
        check("\"a\n{", expect!["String@0 {"]);
        check("\"a\\\n{", expect!["String@0 {"]);
        check("\"a\\", expect!["String@0"]);
        check("\"\"\" a\n{ \"b\" }", expect!["String@0"]);
    }

    #[test]
    fn other_characters_are_broken_one_by_one() {
        check(
            "{ é % .. }",
            expect![[r#"{ Character("é")@2 Character("%")@5 Character(".")@7 Character(".")@8 /{"#]],
        );
    }

    proptest! {
        #[test]
        fn every_text_is_read_to_its_end(text in "[\\PC\"#\\\\\n\r,.{}()\\[\\]$@!a1-]{0,200}") {
            let mut lexer = Lexer::new(&text);
            let mut before = 0;
            while let Some(lexeme) = lexer.next() {
                prop_assert!(lexeme.at >= before && lexer.at > lexeme.at);
                before = lexer.at;
            }
            prop_assert_eq!(lexer.at, text.len());
        }
    }
}
