//! Strings as JSON has them: quoted, escaped, and UTF-8 or not at all.
//!
//! Most strings need no escaping and are plain ASCII. One pass over words of eight bytes finds out whether that
//! is so, and then a string is one copy. Only a string with other bytes is checked for UTF-8, once, and only
//! one with something to escape is looked at in pieces.

use super::Why;

/// A bit in each byte of a word.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each byte of a word.
const HIGHS: u64 = ONES << 7;

/// Writes a string that is known to need no escaping, such as a number or a name.
pub(crate) fn plain(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Writes a string. Nothing is written when it is not UTF-8.
pub(crate) fn string(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Why> {
    let (special, high) = survey(bytes);
    if high && simdutf8::basic::from_utf8(bytes).is_err() {
        return Err(Why::Utf8);
    }
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    if special {
        escaped(bytes, out);
    } else {
        out.extend_from_slice(bytes);
    }
    out.push(b'"');
    Ok(())
}

/// Whether anything in these bytes must be escaped, and whether anything is not ASCII.
fn survey(bytes: &[u8]) -> (bool, bool) {
    let mut special = 0;
    let mut high = 0;
    let mut look = |word: u64| {
        special |= marks(word);
        high |= word;
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        look(u64::from_le_bytes(*word));
    }
    match bytes.last_chunk::<8>() {
        // Some bytes are looked at twice, which is cheaper than one by one.
        Some(last) if !rest.is_empty() => look(u64::from_le_bytes(*last)),
        Some(_) => {}
        None => look(rest.iter().fold(ONES << 5, |word, byte| word << 8 | u64::from(*byte))),
    }
    (special != 0, high & HIGHS != 0)
}

/// Marks the bytes of a word that must be escaped, in their highest bits: control characters, quotes and
/// backslashes. The lowest mark is exact, higher ones may be wrong where there is a lower one, because
/// subtraction borrows.
fn marks(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (control | (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash)) & HIGHS
}

/// Writes bytes of which some must be escaped.
fn escaped(mut bytes: &[u8], out: &mut Vec<u8>) {
    loop {
        let clean = clean(bytes);
        let (before, rest) = bytes.split_at_checked(clean).unwrap_or((bytes, &[]));
        out.extend_from_slice(before);
        let Some((special, after)) = rest.split_first() else { return };
        escape(*special, out);
        bytes = after;
    }
}

/// How many bytes there are before the first that must be escaped.
fn clean(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return at * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let special = rest.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'));
    bytes.len() - rest.len() + special.unwrap_or(rest.len())
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    let letter = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let digit = |digit: u8| if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, prop_oneof, proptest};

    use super::{Why, string};

    fn written(bytes: &[u8]) -> Result<String, Why> {
        let mut out = Vec::new();
        string(bytes, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn every_byte_is_escaped_as_json_wants_at_every_place() {
        for length in 0..40 {
            for place in 0..length {
                for byte in 0..0x80u8 {
                    let mut text = vec![b'x'; length];
                    text[place] = byte;
                    let text = String::from_utf8(text).unwrap();
                    assert_eq!(written(text.as_bytes()).unwrap(), serde_json::to_string(&text).unwrap());
                }
            }
        }
    }

    #[test]
    fn what_is_no_utf8_is_not_written() {
        for bytes in [
            &b"\xff"[..],
            b"abc\xc3",
            b"\xed\xa0\x80",
            b"\xc0\x80",
            b"\xf4\x90\x80\x80",
            b"a long text in front of it, and then \xe2\x82",
            b"\x80 and a long text behind it, and then more",
        ] {
            let mut out = b"kept".to_vec();
            assert_eq!(string(bytes, &mut out), Err(Why::Utf8), "{bytes:?}");
            assert_eq!(out, b"kept");
        }
    }

    proptest! {
        #[test]
        fn strings_are_those_of_serde(text in prop_oneof![
            any::<String>(),
            "[a-z\"\\\\\n\u{0}-\u{1f}]{0,80}",
            "[ -~]{0,40}[\u{e0}-\u{2fff}\"]{0,3}[ -~]{0,40}",
        ]) {
            prop_assert_eq!(written(text.as_bytes()), Ok(serde_json::to_string(&text).unwrap()));
        }

        #[test]
        fn bytes_are_a_string_exactly_when_they_are_utf8(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            match std::str::from_utf8(&bytes) {
                Ok(text) => prop_assert_eq!(written(&bytes), Ok(serde_json::to_string(text).unwrap())),
                Err(_) => prop_assert_eq!(written(&bytes), Err(Why::Utf8)),
            }
        }
    }
}
