//! Base64 as callers send it: the standard or the URL-safe alphabet, with or without padding. As it is sent to
//! them it has the standard alphabet and padding.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes bytes, without quotes around them.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    let digit = |bits: u32| DIGITS[(bits & 63) as usize];
    let (groups, rest) = bytes.as_chunks::<3>();
    for [first, second, third] in groups {
        let bits = u32::from_be_bytes([0, *first, *second, *third]);
        out.extend_from_slice(&[digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), digit(bits)]);
    }
    match *rest {
        [first] => {
            let bits = u32::from(first) << 16;
            out.extend_from_slice(&[digit(bits >> 18), digit(bits >> 12), b'=', b'=']);
        }
        [first, second] => {
            let bits = u32::from_be_bytes([0, first, second, 0]);
            out.extend_from_slice(&[digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), b'=']);
        }
        _ => {}
    }
}

/// The bytes, unless the text is no base64.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    let padding = text.len() - digits.len();
    if digits.len() % 4 == 1 || padding > 2 || (padding > 0 && !text.len().is_multiple_of(4)) {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for chunk in digits.chunks(4) {
        let mut bits = 0;
        for digit in chunk {
            bits = bits << 6 | value(*digit)?;
        }
        // A short last chunk is filled up with zero bits; what it must not do is carry others.
        bits <<= 6 * (4 - chunk.len());
        let whole = chunk.len() * 6 / 8;
        let group: [u8; 4] = bits.to_be_bytes();
        if group[1 + whole..].iter().any(|rest| *rest != 0) {
            return None;
        }
        bytes.extend_from_slice(&group[1..=whole]);
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn what_is_sent_is_standard_and_padded_and_taken_back() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foobar", "Zm9vYmFy"),
            (&[0xfb, 0xff, 0xbf], "+/+/"),
        ] {
            let mut out = Vec::new();
            encode(bytes, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        for length in 0..70u8 {
            let bytes: Vec<u8> = (0..length).map(|at| at.wrapping_mul(37) ^ length).collect();
            let mut out = Vec::new();
            encode(&bytes, &mut out);
            assert_eq!(decode(std::str::from_utf8(&out).unwrap()), Some(bytes));
        }
    }

    #[test]
    fn both_alphabets_are_taken_with_and_without_padding() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zg", b"f"),
            ("Zm8=", b"fo"),
            ("Zm8", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYmFy", b"foobar"),
            ("+/-_", &[0xfb, 0xff, 0xbf]),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in
            ["Z", "Zg=", "Zg===", "Z===", "====", "Zm9v=", "Zm8=Zm8=", "Zh==", "Zm9", "Z g=", "Zm9v\n", "é"]
        {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
