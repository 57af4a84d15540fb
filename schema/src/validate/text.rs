//! The rules that can only be checked on the text, because the parser takes what breaks them and keeps nothing
//! of it: a field of an object twice, brackets around nothing, a number with a zero in front, a keyword that
//! runs into a name.
//!
//! For documents that the parser took: brackets match, and what stands where is legal otherwise.

use std::collections::HashSet;

use super::{Code, Error, location};
use crate::guard::lexer::{Lexer, Token};
use crate::guard::position;

/// A bracket that is open.
enum Open<'a> {
    /// Of a selection.
    Selection,
    /// Of arguments, variables or a list: values stand in it.
    Values,
    /// Of an object, with the fields it has so far.
    Object(HashSet<&'a str>),
}

/// What breaks these rules.
pub(super) fn check(text: &str) -> Vec<Error> {
    let mut errors = Vec::new();
    let mut tell = |at: usize, code: Code, message: String| {
        errors.push(Error { message, locations: vec![location(position(text, at))], code });
    };
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut before: Option<(Token<'_>, usize)> = None;
    for lexeme in Lexer::new(text) {
        match lexeme.token {
            Token::Open(b'{') if open.iter().all(|bracket| matches!(bracket, Open::Selection)) => {
                open.push(Open::Selection);
            }
            Token::Open(b'{') => open.push(Open::Object(HashSet::new())),
            Token::Open(_) => open.push(Open::Values),
            Token::Close(bracket) => {
                open.pop();
                if let (b'(', Some((Token::Open(b'('), at))) = (bracket, before) {
                    tell(
                        at,
                        Code::Parse,
                        "Syntax error: expected something between the brackets.".to_owned(),
                    );
                }
            }
            Token::Mark(b':') => {
                if let (Some(Open::Object(fields)), Some((Token::Name(name), at))) = (open.last_mut(), before)
                    && !fields.insert(name)
                {
                    let message = format!("There can be only one input field named \"{name}\".");
                    tell(at, Code::Validation, message);
                }
            }
            Token::Number(digits) if has_leading_zero(digits) => {
                tell(lexeme.at, Code::Parse, "Syntax error: a number begins with a zero.".to_owned());
            }
            Token::Name(word)
                if open.is_empty() && matches!(before, None | Some((Token::Close(b'{'), _))) =>
            {
                if !["query", "mutation", "subscription", "fragment"].contains(&word) {
                    tell(lexeme.at, Code::Parse, format!("Syntax error: unexpected name \"{word}\"."));
                }
            }
            Token::Number(_) | Token::Name(_) | Token::String | Token::Spread => {}
            Token::Mark(_) | Token::Broken(_) => {}
        }
        before = Some((lexeme.token, lexeme.at));
    }
    errors
}

fn has_leading_zero(number: &str) -> bool {
    let digits = number.trim_start_matches('-');
    digits.starts_with('0') && digits[1..].starts_with(|next: char| next.is_ascii_digit())
}
