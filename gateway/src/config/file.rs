//! What does the file set?
//!
//! Walks the tree beside the table of settings: sections are the beginnings of paths, everything else
//! must be a setting. Expands `${VAR}`, reads each value by its kind, and goes on after a mistake.
//! Secret values are noted, so that no excerpt shows them.

use std::collections::BTreeMap;
use std::path::Path;

use super::expand::expand;
use super::kind::{self, Complaint, Kind, Value};
use super::mistake::{Hidden, Mistake, Origin, Span, crop};
use super::node::{Content, Entry, Node};
use super::settings::{SETTINGS, Setting, find, words_in};
use super::suggest::nearest;
use super::values::{Place, Values};

/// Where readings are collected.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) values: Values,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) hidden: Hidden,
}

/// What the file is read with.
pub(super) struct Context<'a> {
    pub(super) env: &'a BTreeMap<&'a str, &'a str>,
    /// Relative paths start here.
    pub(super) base: &'a Path,
}

/// Reads the whole tree.
pub(super) fn gather(root: &Node, context: &Context<'_>, out: &mut Gathered) {
    Walk { context, out }.section(&At { path: String::new(), name: None }, root);
}

/// A path as in a file: relative ones start at the file's directory.
pub(super) fn resolve(value: Value, base: &Path) -> Value {
    match value {
        Value::Path(path) => Value::Path(base.join(path)),
        other => other,
    }
}

/// Where the walk is: the path with `*`, and the name that stands for it.
struct At {
    path: String,
    name: Option<String>,
}

impl At {
    fn child(&self, word: &str) -> At {
        let path = if self.path.is_empty() { word.to_owned() } else { format!("{}.{word}", self.path) };
        At { path, name: self.name.clone() }
    }

    fn shown(&self) -> String {
        match &self.name {
            Some(name) => self.path.replacen('*', &crop(name), 1),
            None => self.path.clone(),
        }
    }
}

struct Walk<'a> {
    context: &'a Context<'a>,
    out: &'a mut Gathered,
}

impl Walk<'_> {
    fn section(&mut self, at: &At, node: &Node) {
        match &node.content {
            Content::Map(entries) => entries.iter().for_each(|entry| self.entry(at, entry)),
            Content::Empty => {}
            Content::Unusable => self.out.values.set_broken(&at.path),
            Content::Scalar(_) | Content::List(_) => {
                self.out.values.set_broken(&at.path);
                let message = match at.shown().as_str() {
                    "" => "the file must be a map of settings".to_owned(),
                    shown => format!("`{shown}` is a section, not a value"),
                };
                self.tell(node.span, message, Some(known_in(&at.path)));
            }
        }
    }

    fn entry(&mut self, at: &At, entry: &Entry) {
        let words = words_in(&at.path);
        if words == ["*"] {
            if let Err(complaint) = kind::name(&entry.key) {
                return self.complain(entry.key_span, &at.shown(), complaint);
            }
            let below = At { path: format!("{}.*", at.path), name: Some(entry.key.clone()) };
            return self.section(&below, &entry.value);
        }
        if !words.contains(&entry.key.as_str()) {
            return self.unknown(at, entry, &words);
        }
        let below = at.child(&entry.key);
        match find(&below.path) {
            Some(setting) => self.setting(setting, &below, entry),
            None => self.section(&below, &entry.value),
        }
    }

    fn setting(&mut self, setting: &'static Setting, at: &At, entry: &Entry) {
        let node = &entry.value;
        if setting.kind.is_secret() {
            self.out.hidden.spans.push(node.span);
        }
        let shown = at.shown();
        let value = match (&setting.kind, &node.content) {
            (_, Content::Unusable) => None,
            (kind, Content::Empty) => {
                let hint = format!("it takes {}; without the line the default holds", kind.describe());
                self.tell(entry.key_span, format!("`{shown}` has no value"), Some(hint));
                None
            }
            (Kind::List(kind), Content::List(items)) => self.list(kind, &shown, items),
            (kind, Content::Scalar(text)) => self.scalar(kind, &shown, text, node.span),
            (kind, Content::List(_)) => self.shape(kind, &shown, "a list", node.span),
            (kind, Content::Map(_)) => self.shape(kind, &shown, "a map", node.span),
        };
        match value {
            Some(value) => {
                let place = Place { path: setting.path, name: at.name.clone() };
                let value = resolve(value, self.context.base);
                self.out.values.set(place, value, Origin::File(node.span));
            }
            None => self.out.values.set_broken(setting.path),
        }
    }

    fn list(&mut self, kind: &Kind, shown: &str, items: &[Node]) -> Option<Value> {
        let mut values = Vec::new();
        for item in items {
            values.push(match &item.content {
                Content::Scalar(text) => self.scalar(kind, shown, text, item.span),
                Content::Unusable => None,
                Content::Empty => self.shape(kind, shown, "nothing", item.span),
                Content::List(_) => self.shape(kind, shown, "a list", item.span),
                Content::Map(_) => self.shape(kind, shown, "a map", item.span),
            });
        }
        values.into_iter().collect::<Option<_>>().map(Value::List)
    }

    fn scalar(&mut self, kind: &Kind, shown: &str, text: &str, span: Span) -> Option<Value> {
        match expand(text, self.context.env).and_then(|text| kind.parse(&text)) {
            Ok(value) => Some(value),
            Err(complaint) => {
                self.complain(span, shown, complaint);
                None
            }
        }
    }

    fn shape(&mut self, kind: &Kind, shown: &str, found: &str, span: Span) -> Option<Value> {
        let hint = match kind {
            Kind::Address => Some("an IPv6 address goes in quotes: \"[::1]:4000\"".to_owned()),
            _ => None,
        };
        self.tell(span, format!("`{shown}` takes {}, not {found}", kind.describe()), hint);
        None
    }

    fn unknown(&mut self, at: &At, entry: &Entry, words: &[&'static str]) {
        let near = nearest(&entry.key, words).map(|word| at.child(word));
        if near.as_ref().and_then(|near| find(&near.path)).is_some_and(|setting| setting.kind.is_secret()) {
            self.out.hidden.spans.push(entry.value.span);
        }
        let elsewhere = || at.path.is_empty().then(|| belongs(&entry.key)).flatten();
        let hint = match near {
            Some(near) => format!("did you mean `{}`?", near.path.rsplit('.').next().unwrap_or_default()),
            None => match elsewhere() {
                Some(path) => format!("did you mean `{path}`?"),
                None => known_in(&at.path),
            },
        };
        let word = crop(&entry.key);
        let message = match at.shown().as_str() {
            "" => format!("unknown setting `{word}`"),
            section => format!("unknown setting `{word}` in `{section}`"),
        };
        self.tell(entry.key_span, message, Some(hint));
    }

    fn complain(&mut self, span: Span, shown: &str, complaint: Complaint) {
        if complaint.secret {
            self.out.hidden.spans.push(span);
        }
        self.tell(span, format!("`{shown}`: {}", complaint.reason), complaint.hint);
    }

    fn tell(&mut self, span: Span, message: String, hint: Option<String>) {
        self.out.mistakes.push(Mistake { origin: Origin::File(span), message, hint });
    }
}

fn known_in(section: &str) -> String {
    format!("known here: {}", words_in(section).join(", "))
}

/// The one setting with this last word, for those who forgot its section.
fn belongs(word: &str) -> Option<&'static str> {
    let mut found = SETTINGS.iter().filter(|setting| setting.word() == word && !setting.path.contains('*'));
    found.next().filter(|_| found.next().is_none()).map(|setting| setting.path)
}
