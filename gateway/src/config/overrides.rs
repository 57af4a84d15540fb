//! What do the environment and the command line set?
//!
//! `TURNOUT_A__B` is `a.b`. Only names with a `__`, or of a setting at the top, are ours to judge:
//! other programs of the family have variables such as `TURNOUT_ADMIN` and `TURNOUT_TOKEN`. Values are
//! text, lists are separated by commas, relative paths start in the working directory, and `${VAR}` is
//! left as it is.

use super::file::Gathered;
use super::kind::{self, Complaint};
use super::mistake::{Mistake, Origin, crop};
use super::settings::{SETTINGS, Setting, words_in};
use super::suggest::nearest;
use super::values::Place;

/// Reads the variables that are ours, later ones winning over the file.
pub(super) fn env(env: &[(String, String)], out: &mut Gathered) {
    for (name, text) in env {
        let Some(rest) = name.strip_prefix("TURNOUT_") else { continue };
        let is_ours = rest.contains("__") || SETTINGS.iter().any(|setting| env_name(setting, "") == *name);
        if !is_ours {
            continue;
        }
        let origin = Origin::Env(crop(name));
        match SETTINGS.iter().find_map(|setting| Some((setting, matches(setting, rest)?))) {
            Some((setting, chosen)) => set(setting, chosen, text, origin, out),
            None => out.mistakes.push(unknown(name, rest, origin)),
        }
    }
}

/// Reads the flags, which win over all else.
pub(super) fn flags(flags: &[(&'static str, String)], out: &mut Gathered) {
    for (path, text) in flags {
        match named(path) {
            Some((setting, chosen)) => set(setting, chosen, text, Origin::Flag, out),
            None => {
                let message = format!("`{path}` is not a setting");
                out.mistakes.push(Mistake { origin: Origin::Flag, message, hint: None });
            }
        }
    }
}

/// The setting at a path in which a chosen name stands for `*`, and that name.
fn named(path: &str) -> Option<(&'static Setting, Option<String>)> {
    let of = |setting: &&'static Setting| {
        let pairs = setting.path.split('.').zip(path.split('.'));
        let same = setting.path.split('.').count() == path.split('.').count();
        same && pairs.clone().all(|(part, word)| part == "*" || part == word)
    };
    let setting = SETTINGS.iter().find(of)?;
    let mut pairs = setting.path.split('.').zip(path.split('.'));
    let chosen = pairs.find(|(part, _)| *part == "*").map(|(_, word)| word.to_owned());
    Some((setting, chosen))
}

fn set(setting: &'static Setting, name: Option<String>, text: &str, origin: Origin, out: &mut Gathered) {
    let place = Place { path: setting.path, name };
    let checked = place.name.as_deref().map_or(Ok(()), |name| kind::name(name).map(drop));
    match checked.and_then(|()| setting.kind.parse(text)) {
        Ok(value) => out.values.set(place, value, origin),
        Err(Complaint { reason, hint, .. }) => {
            out.values.set_broken(setting.path);
            out.mistakes.push(Mistake { origin, message: format!("`{place}`: {reason}"), hint });
        }
    }
}

/// The name that stands for `*`, if `rest` is this setting: `Some(None)` where the path has no `*`.
fn matches(setting: &Setting, rest: &str) -> Option<Option<String>> {
    let mut chosen = None;
    let mut words = rest.split("__");
    for part in setting.path.split('.') {
        let word = words.next()?;
        if part == "*" {
            chosen = Some(word.to_lowercase());
        } else if part.to_uppercase() != word {
            return None;
        }
    }
    words.next().is_none().then_some(chosen)
}

/// `TURNOUT_LIMITS__DEPTH`, with `chosen` in the place of `*`.
fn env_name(setting: &Setting, chosen: &str) -> String {
    format!("TURNOUT_{}", setting.path.replace('*', chosen).replace('.', "__").to_uppercase())
}

fn unknown(name: &str, rest: &str, origin: Origin) -> Mistake {
    let below = words_in(&rest.to_lowercase().replace("__", "."));
    let hint = if below.is_empty() {
        let chosen = |setting: &Setting| {
            let at = setting.path.split('.').position(|part| part == "*").unwrap_or_default();
            rest.split("__").nth(at).unwrap_or_default()
        };
        let names: Vec<String> = SETTINGS.iter().map(|setting| env_name(setting, chosen(setting))).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        nearest(name, &names).map(|near| format!("did you mean `{near}`?"))
    } else {
        Some(format!("it is a section, with {}", below.join(", ")))
    };
    Mistake { origin, message: format!("`{}` sets no setting", crop(name)), hint }
}
