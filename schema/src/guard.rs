//! How dangerous a document's text is, measured before anything recursive reads it.
//!
//! A few kilobytes of brackets overflow a recursive parser's stack, and a few fragments that spread
//! each other keep a validator busy for ever. Both are seen here by one pass over the bytes, which
//! knows strings and comments and nothing else of the language.

/// What one pass over a document's text finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// The deepest nesting of `(`, `[` and `{`.
    pub nesting: usize,
    /// How often `...` occurs. Spreads multiply: with 30 of them no document expands to more than
    /// 3^10 selections.
    pub spreads: usize,
}

/// Measures a document, in time proportional to its length.
pub fn measure(document: &str) -> Measures {
    let bytes = document.as_bytes();
    let (mut measures, mut depth, mut at) = (Measures::default(), 0usize, 0);
    while let Some(byte) = bytes.get(at) {
        at += match byte {
            b'"' => string(&bytes[at..]),
            b'#' => {
                bytes[at..].iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(bytes.len() - at)
            }
            b'(' | b'[' | b'{' => {
                depth += 1;
                measures.nesting = measures.nesting.max(depth);
                1
            }
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                1
            }
            b'.' if bytes[at..].starts_with(b"...") => {
                measures.spreads += 1;
                3
            }
            _ => 1,
        };
    }
    measures
}

/// The length of the string that begins here; to the end of the text when it is not closed.
fn string(bytes: &[u8]) -> usize {
    let block = bytes.starts_with(b"\"\"\"");
    let (quote, mut at): (&[u8], usize) = if block { (b"\"\"\"", 3) } else { (b"\"", 1) };
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if block && bytes[at..].starts_with(b"\\\"\"\"") => at += 4,
            b'\\' if !block => at += 2,
            // A plain string ends with its line, closed or not.
            b'\n' | b'\r' if !block => return at,
            _ if bytes[at..].starts_with(quote) => return at + quote.len(),
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn brackets_and_spreads_are_counted_outside_strings_and_comments() {
        for (document, nesting, spreads) in [
            ("", 0, 0),
            ("{ a }", 1, 0),
            ("{ a(b: [[1]]) { c } }", 4, 0),
            ("{ a(b: \"[[[[\") } # {{{{ ...", 2, 0),
            ("{ a(b: \"\"\" [[ \\\"\"\" [[ \"\"\") ...F }", 2, 1),
            ("{ a(b: \"\\\"[[\") }", 2, 0),
            ("{ a(b: \"\\\\\") { c } }", 2, 0),
            ("\"[\n[", 1, 0),
            ("}}}{", 1, 0),
            ("{ ...A ... on B { c } }", 2, 2),
        ] {
            assert_eq!(measure(document), Measures { nesting, spreads }, "{document}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_count_more_than_there_is(document in "[\\PC\"#\\\\\n.{}()\\[\\]]{0,200}") {
            let measures = measure(&document);
            let brackets = document.matches(['(', '[', '{']).count();
            prop_assert!(measures.nesting <= brackets);
            prop_assert!(measures.spreads <= document.len() / 3);
        }
    }
}
