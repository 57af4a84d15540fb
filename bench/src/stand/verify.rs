//! Is an answer the right one? Asked before anything is measured.
//!
//! GraphQL answers are compared as bytes. One that differs in bytes but is equal as JSON (escapes,
//! spaces, order of keys) is right too, but the report says so: such a contender does slightly other
//! work. Protobuf answers are compared as bytes only.

use serde_json::Value;

use crate::question::Language;

/// How an answer compares with the expected one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The same bytes.
    Same,
    /// Other bytes, equal as JSON.
    Equal,
    /// Something else: where they part, and what was found there.
    Wrong(String),
}

/// Compares an answer with the expected one.
pub fn compare(language: Language, expected: &[u8], answer: &[u8]) -> Verdict {
    if expected == answer {
        return Verdict::Same;
    }
    match language {
        Language::Protobuf => Verdict::Wrong(first_difference(expected, answer)),
        Language::GraphQl => compare_json(expected, answer),
    }
}

fn compare_json(expected: &[u8], answer: &[u8]) -> Verdict {
    let Ok(wanted) = serde_json::from_slice::<Value>(expected) else {
        return Verdict::Wrong(first_difference(expected, answer));
    };
    match serde_json::from_slice::<Value>(answer) {
        Ok(found) if found == wanted => Verdict::Equal,
        Ok(_) => Verdict::Wrong(first_difference(expected, answer)),
        Err(error) => Verdict::Wrong(format!("no JSON ({error}): {}", excerpt(answer, 0))),
    }
}

fn first_difference(expected: &[u8], answer: &[u8]) -> String {
    let same = expected.iter().zip(answer).take_while(|(wanted, found)| wanted == found).count();
    format!("byte {same}: expected {}, found {}", excerpt(expected, same), excerpt(answer, same))
}

/// A few bytes before and after a place, on one line.
fn excerpt(bytes: &[u8], place: usize) -> String {
    let from = place.saturating_sub(20);
    let to = bytes.len().min(place + 60);
    format!("{:?}", String::from_utf8_lossy(&bytes[from.min(to)..to]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: &[u8] = br#"{"data":{"user":{"id":"1","name":"Jos"}}}"#;

    #[test]
    fn the_same_bytes_are_the_same() {
        assert_eq!(compare(Language::GraphQl, EXPECTED, EXPECTED), Verdict::Same);
    }

    #[test]
    fn escapes_spaces_and_order_of_keys_make_an_answer_equal_but_not_the_same() {
        let answer = br#"{ "data": {"user":{"name":"\u004aos","id":"1"}} }"#;
        assert_eq!(compare(Language::GraphQl, EXPECTED, answer), Verdict::Equal);
        assert!(matches!(compare(Language::Protobuf, EXPECTED, answer), Verdict::Wrong(_)));
    }

    #[test]
    fn another_value_is_wrong_and_the_place_is_named() {
        let answer = br#"{"data":{"user":{"id":1,"name":"Jos"}}}"#;
        let Verdict::Wrong(why) = compare(Language::GraphQl, EXPECTED, answer) else {
            panic!("a number is no string");
        };
        assert!(why.starts_with("byte 22:"), "{why}");
    }

    #[test]
    fn an_answer_cut_short_is_wrong() {
        let answer = &EXPECTED[..EXPECTED.len() - 1];
        let verdict = compare(Language::GraphQl, EXPECTED, answer);
        assert!(matches!(&verdict, Verdict::Wrong(why) if why.starts_with("no JSON")), "{verdict:?}");
    }
}
