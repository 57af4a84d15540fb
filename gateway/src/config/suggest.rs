//! Which known word did the user probably mean?
//!
//! Case, `-` and `_` do not count, so that `onNewVersion` finds `on_new_version`. A word is near when
//! at most a third of it would have to change; nothing is better than a wild guess.

/// The nearest of `known`, if one is near.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // No known word is longer, and the distance costs the product of both lengths.
    if word.chars().count() > 64 {
        return None;
    }
    let plain = simplify(word);
    let distance = |known: &str| strsim::damerau_levenshtein(&plain, &simplify(known));
    let near = known.iter().min_by_key(|known| distance(known))?;
    let allowed = (plain.chars().count().max(near.len()) / 3).max(1);
    (!plain.is_empty() && distance(near) <= allowed).then_some(near)
}

fn simplify(word: &str) -> String {
    word.chars().filter(|char| !matches!(char, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["listen", "on_new_version", "expose", "depth"];
        for (word, expected) in [
            ("lisen", Some("listen")),
            ("listne", Some("listen")),
            ("onNewVersion", Some("on_new_version")),
            ("on-new-version", Some("on_new_version")),
            ("DEPTH", Some("depth")),
            ("plugins", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
    }
}
