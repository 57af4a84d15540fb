//! How is a small YAML file of a frontend read, so that every mistake in it is told at once?
//!
//! A `Sheet` walks the tree that `config::node` makes of a text: maps with known keys, texts, lists, and texts
//! that become something. What is wrong is noted with its place and a hint, and the walk goes on. It knows
//! neither manifests nor rules.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use turnout_control::slot::{SLOTS, Weight};

use crate::config::mistake::{Hidden, Mistake, Origin, Source, Span, crop};
use crate::config::node::{self, Content, Entry, Node};
use crate::config::suggest::nearest;
use crate::config::{File, Mistakes};

/// A file that is being read.
pub(super) struct Sheet {
    mistakes: Vec<Mistake>,
}

/// The entries of a map by key, and where the map is.
pub(super) struct Fields<'n> {
    span: Span,
    what: &'static str,
    entries: BTreeMap<&'n str, &'n Entry>,
}

impl<'n> Fields<'n> {
    /// The value under a key, if it is given.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// Where the map is.
    pub(super) fn span(&self) -> Span {
        self.span
    }
}

/// Reads a file by `take`, or tells every mistake in it.
pub(super) fn read<T>(file: &File, take: impl FnOnce(&mut Sheet, &Node) -> Option<T>) -> Result<T, Mistakes> {
    let tree = node::parse(&file.text);
    let mut sheet = Sheet { mistakes: tree.mistakes };
    let taken = match &tree.root {
        Some(root) => take(&mut sheet, root),
        None if sheet.mistakes.is_empty() => {
            sheet.tell(Span::START, "the file is empty", None);
            None
        }
        None => None,
    };
    match taken {
        Some(taken) if sheet.mistakes.is_empty() => Ok(taken),
        _ => {
            if sheet.mistakes.is_empty() {
                sheet.tell(Span::START, "the file cannot be used", None);
            }
            let source = Source::new(file.path.display().to_string(), &file.text);
            Err(Mistakes::new(Some(source), &Hidden::default(), sheet.mistakes))
        }
    }
}

impl Sheet {
    /// Notes a mistake.
    pub(super) fn tell(&mut self, span: Span, message: impl Into<String>, hint: Option<String>) {
        self.mistakes.push(Mistake { origin: Origin::File(span), message: message.into(), hint });
    }

    /// The entries of a map whose keys are all known.
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node,
        what: &'static str,
        known: &[&'static str],
    ) -> Option<Fields<'n>> {
        let entries = self.map(node, what)?;
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let hint = match nearest(&entry.key, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("{what} has {}", listed(known)),
            };
            self.tell(entry.key_span, format!("unknown key `{}`", crop(&entry.key)), Some(hint));
        }
        let entries = entries.iter().map(|entry| (entry.key.as_str(), entry)).collect();
        Some(Fields { span: node.span, what, entries })
    }

    /// The entries of a map with any keys.
    pub(super) fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Entry]> {
        match &node.content {
            Content::Map(entries) => Some(entries),
            Content::Unusable => None,
            Content::Empty | Content::Scalar(_) | Content::List(_) => {
                self.tell(node.span, format!("{what} must be a map of keys and values"), None);
                None
            }
        }
    }

    /// The items of a list.
    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.content {
            Content::List(items) => items,
            Content::Unusable => &[],
            Content::Empty | Content::Scalar(_) | Content::Map(_) => {
                let hint = "write `[a, b]`, or one `- item` a line".to_owned();
                self.tell(node.span, format!("{what} must be a list"), Some(hint));
                &[]
            }
        }
    }

    /// A text.
    pub(super) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.content {
            Content::Scalar(text) => Some(text),
            Content::Unusable => None,
            Content::Empty => {
                self.tell(node.span, format!("{what} is empty"), None);
                None
            }
            Content::List(_) | Content::Map(_) => {
                self.tell(node.span, format!("{what} must be a text"), None);
                None
            }
        }
    }

    /// A text that must be there.
    pub(super) fn needed<'n>(&mut self, fields: &Fields<'n>, key: &str, example: &str) -> Option<&'n Node> {
        let found = fields.get(key);
        if found.is_none() {
            let hint = Some(format!("such as `{key}: {example}`"));
            self.tell(Span::at(fields.span.start), format!("{} needs `{key}`", fields.what), hint);
        }
        found
    }

    /// A text that becomes something, or a mistake that says why not.
    pub(super) fn parsed<T: FromStr>(&mut self, node: &Node, what: &str) -> Option<T>
    where
        T::Err: Display,
    {
        let text = self.text(node, what)?;
        self.took(node, what, text.parse())
    }

    /// What was made of a text, or a mistake that says why not.
    pub(super) fn took<T, E: Display>(&mut self, node: &Node, what: &str, made: Result<T, E>) -> Option<T> {
        match made {
            Ok(made) => Some(made),
            Err(why) => {
                self.tell(node.span, format!("{what} {why}"), None);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn word<'w>(&mut self, node: &Node, what: &str, words: &[&'w str]) -> Option<&'w str> {
        let text = self.text(node, what)?;
        if let Some(word) = words.iter().find(|word| **word == text) {
            return Some(word);
        }
        let hint = match nearest(text, words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it is one of {}", listed(words)),
        };
        self.tell(node.span, format!("{what} cannot be `{}`", crop(text)), Some(hint));
        None
    }

    /// `true` or `false`.
    pub(super) fn switch(&mut self, node: &Node, what: &str) -> Option<bool> {
        self.word(node, what, &["true", "false"]).map(|word| word == "true")
    }
}

/// `a`, `b` and `c`.
fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// A share such as `0.2`, or `20%` where `0.2` could be meant otherwise: whole millionths, exactly.
pub(super) fn share(text: &str) -> Result<Weight, String> {
    match text.strip_suffix('%') {
        Some(percent) => percentage(percent.trim_end()),
        None => decimal(text, 6),
    }
}

/// A percentage such as `12.5`.
pub(super) fn percentage(text: &str) -> Result<Weight, String> {
    decimal(text, 4)
}

/// A decimal number whose last place that counts is a millionth of everything: the sixth of a share, the
/// fourth of a percentage.
fn decimal(text: &str, places: usize) -> Result<Weight, String> {
    let all = SLOTS / 10u32.pow(u32::try_from(places).unwrap_or(0));
    let number = || format!("must be a number from 0 to {all}, and is `{}`", crop(text));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || !is_digits(whole) || !is_digits(fraction) {
        return Err(number());
    }
    if text.ends_with('.') {
        return Err(number());
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > places {
        return Err(format!("is finer than a millionth of all: `{}`", crop(text)));
    }
    let ppm: u32 = format!("{whole}{fraction:0<places$}").parse().map_err(|_| number())?;
    Weight::ppm(ppm).ok_or_else(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_whole_millionths() {
        for (text, ppm) in [
            ("0", 0),
            ("1", 1_000_000),
            ("0.2", 200_000),
            ("0.000001", 1),
            ("20%", 200_000),
            ("12.5 %", 125_000),
        ] {
            assert_eq!(share(text).map(Weight::as_ppm), Ok(ppm), "{text}");
        }
        for text in
            ["", "NaN", "-0.1", "1.1", "1.000001", "0.0000001", "1e-1", "101%", ".5", "5.", "inf", "٠"]
        {
            assert!(share(text).is_err(), "{text}");
        }
        assert_eq!(percentage("100").map(Weight::as_ppm), Ok(1_000_000));
        assert_eq!(percentage("0.0001").map(Weight::as_ppm), Ok(1));
        assert_eq!(percentage("101").unwrap_err(), "must be a number from 0 to 100, and is `101`");
    }
}
