//! A stranger's text on its way to a caller or into the log: one line, bounded, nothing that steers a terminal.

/// The most bytes of a text that are shown.
pub(super) const BYTES_MAX: usize = 1024;

/// The text without what is not to be seen: control characters and those that turn the direction of writing
/// become a space. Long texts end in `…`.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len().min(BYTES_MAX));
    for character in text.trim().chars() {
        let character = if is_hidden(character) { ' ' } else { character };
        if cleaned.len() + character.len_utf8() > BYTES_MAX - '…'.len_utf8() {
            cleaned.push('…');
            break;
        }
        cleaned.push(character);
    }
    cleaned
}

fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX, clean};

    #[test]
    fn what_steers_a_terminal_or_the_eye_is_gone() {
        for (text, cleaned) in [
            ("out of stock", "out of stock"),
            ("  Grüße \n", "Grüße"),
            ("a\r\nb\tc\0d", "a  b c d"),
            ("\u{1b}[31mred", " [31mred".trim()),
            ("safe\u{202e}gnp.exe", "safe gnp.exe"),
            ("", ""),
        ] {
            assert_eq!(clean(text).trim(), cleaned, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        for text in ["x".repeat(5000), "ü".repeat(5000), "x".to_owned() + &"€".repeat(5000)] {
            let cleaned = clean(&text);
            assert!(cleaned.len() <= BYTES_MAX && cleaned.len() > BYTES_MAX - 8, "{}", cleaned.len());
            assert!(cleaned.ends_with('…'));
        }
    }
}
